//! Reading the log in the order of time, forwards or backwards, while it grows at one end and goes at the other (Core §9.1.5, §9.11.1).

use super::record::{self, Place};
use super::segments::Segment;
use super::{Notification, Shared, weight_of};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Messages at once.
const MOST: usize = 1024;
/// What they take in memory, about; one message is read whatever it has.
const MOST_BYTES: usize = 192 * 1024;

/// A place in the log. What happens later is read too when it goes forwards; what clocks did before is in the order of time, and what is
/// appended after the end was reached comes after it.
pub struct Cursor {
    shared: Arc<Shared>,
    reverse: bool,
    /// The time that was sought.
    sought: Timestamp,
    /// The last message that was read, or where it begins: neither is read again.
    at: Place,
    /// Only messages behind this number …
    after: u64,
    /// … up to this one: those that were there when the cursor was made, or had read all before.
    until: u64,
    /// No message was looked for yet.
    first: bool,
    /// BeginOfBuffer is told once.
    told: bool,
}

/// What was read.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Read {
    /// The messages, in the direction of the cursor.
    pub messages: Vec<Arc<Notification>>,
    /// BeginOfBuffer is to be told, with this time: before the messages when they are read forwards, behind them when backwards.
    pub begin_of_buffer: Option<Timestamp>,
    /// There are more at this moment, those included that were appended since.
    pub more: bool,
    /// Forwards, if there are no more: everything up to this number was read.
    pub until: u64,
}

/// A message on its way out of the log.
enum Found {
    Body(Vec<u8>),
    Waiting(Arc<Notification>),
}

impl Found {
    /// What it takes in memory as a message, about.
    fn weight(&self) -> usize {
        match self {
            Self::Body(body) => weight_of(body.len()),
            Self::Waiting(notification) => notification.weight(),
        }
    }
}

impl Cursor {
    pub(super) fn new(shared: Arc<Shared>, time: Timestamp, reverse: bool) -> Self {
        let until = shared.state().last;
        let at = (time, if reverse { u64::MAX } else { 0 });
        Self { shared, reverse, sought: time, at, after: 0, until, first: true, told: false }
    }

    /// Whether it goes backwards.
    #[must_use]
    pub fn is_reverse(&self) -> bool {
        self.reverse
    }

    /// The next messages, so many at most. Reads files: some milliseconds.
    pub fn next(&mut self, limit: usize) -> Read {
        let limit = limit.clamp(1, MOST);
        let earliest = self.earliest();
        let begins_before = self.begins_before(earliest);
        let (mut found, mut too_many) = self.find(limit);
        if !self.reverse && found.is_empty() && self.go_on() {
            (found, too_many) = self.find(limit);
        }
        // Forwards it goes on with what was appended since the range was taken.
        let more = too_many || !self.reverse && self.shared.state().last > self.until;
        let end = if self.reverse { found.first_key_value() } else { found.last_key_value() };
        if let Some((place, _)) = end {
            self.at = *place;
        }
        let messages = found.into_iter().filter_map(|(place, found)| match found {
            Found::Waiting(notification) => Some(notification),
            Found::Body(body) => record::read(place, &body).map(Arc::new),
        });
        let mut messages: Vec<_> = messages.collect();
        if self.reverse {
            messages.reverse();
        }
        let begin = if self.reverse { !more } else { begins_before };
        let earliest = earliest.unwrap_or(self.sought);
        let time = if self.reverse { earliest.min(self.at.0) } else { earliest };
        let begin_of_buffer = (begin && !self.told).then_some(time);
        self.told |= begin;
        Read { messages, begin_of_buffer, more, until: self.until }
    }

    /// The time of the earliest message that there is.
    fn earliest(&self) -> Option<Timestamp> {
        let state = self.shared.state();
        let kept = state.segments.all().map(|segment| segment.earliest);
        kept.chain(state.waiting.iter().map(|notification| notification.message.utc_time)).min()
    }

    /// Whether it reads from before the beginning: it was put there, or what it was about to read went.
    fn begins_before(&mut self, earliest: Option<Timestamp>) -> bool {
        let first = std::mem::take(&mut self.first);
        let before = earliest.is_none_or(|earliest| self.at.0 < earliest);
        let went = self.shared.state().segments.removed > self.after.max(self.at.1);
        before && (first || went)
    }

    /// Goes over to what was appended since.
    fn go_on(&mut self) -> bool {
        let last = self.shared.state().last;
        if last == self.until {
            return false;
        }
        (self.after, self.until, self.at) = (self.until, last, (Timestamp::MIN, 0));
        true
    }

    /// The nearest messages in the order of time, and whether there are more.
    fn find(&self, limit: usize) -> (BTreeMap<Place, Found>, bool) {
        // A file that goes while it is looked for was the oldest: what is left is another question.
        for _ in 0..8 {
            if let Ok(found) = self.find_once(limit) {
                return found;
            }
        }
        (BTreeMap::new(), false)
    }

    fn find_once(&self, limit: usize) -> io::Result<(BTreeMap<Place, Found>, bool)> {
        let mut nearest = Nearest { cursor: self, limit, found: BTreeMap::new(), weight: 0, cut: false };
        let (mut segments, folder) = {
            let state = self.shared.state();
            for notification in &state.waiting {
                let place = (notification.message.utc_time, notification.number);
                nearest.offer(place, || Found::Waiting(Arc::clone(notification)));
            }
            let within = |segment: &&Segment| segment.last > self.after && segment.name <= self.until;
            let segments: Vec<Segment> = state.segments.all().filter(within).cloned().collect();
            (segments, state.segments.folder().to_owned())
        };
        if self.reverse {
            segments.sort_by_key(|segment| std::cmp::Reverse(segment.latest));
        } else {
            segments.sort_by_key(|segment| segment.earliest);
        }
        for segment in segments {
            if nearest.is_nearer_than(&segment) {
                // All that follow are farther still.
                break;
            }
            if self.is_behind(&segment) {
                continue;
            }
            let bytes = match self.shared.medium.read(&segment.path(&folder), segment.length) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_gone(&segment) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, segment = segment.name, "a file of the event log cannot be read");
                    continue;
                }
            };
            for record in Segment::records(&bytes) {
                nearest.offer(record.place(), || Found::Body(record.body().to_vec()));
            }
        }
        Ok((nearest.found, nearest.cut))
    }

    /// The file was the oldest and has been removed meanwhile.
    fn is_gone(&self, segment: &Segment) -> bool {
        self.shared.state().segments.removed >= segment.last
    }

    /// Everything in the file was passed.
    fn is_behind(&self, segment: &Segment) -> bool {
        if self.reverse { segment.earliest > self.at.0 } else { segment.latest < self.at.0 }
    }

    fn is_ahead(&self, place: Place) -> bool {
        let in_range = self.after < place.1 && place.1 <= self.until;
        in_range && if self.reverse { place < self.at } else { place > self.at }
    }
}

/// The messages nearest to a cursor, so many at most, and of so many bytes.
struct Nearest<'a> {
    cursor: &'a Cursor,
    limit: usize,
    found: BTreeMap<Place, Found>,
    weight: usize,
    /// There are more: all that are not here are farther than those that are.
    cut: bool,
}

impl Nearest<'_> {
    fn farthest(&self) -> Option<Place> {
        let end = if self.cursor.reverse { self.found.first_key_value() } else { self.found.last_key_value() };
        end.filter(|_| self.cut).map(|(place, _)| *place)
    }

    fn offer(&mut self, place: Place, found: impl FnOnce() -> Found) {
        let nearer = |far: Place| if self.cursor.reverse { place > far } else { place < far };
        if !self.cursor.is_ahead(place) || !self.farthest().is_none_or(nearer) {
            return;
        }
        let found = found();
        self.weight += found.weight();
        // A message that is written just now may be met twice.
        let twice = self.found.insert(place, found);
        self.weight -= twice.map_or(0, |twice| twice.weight());
        while self.found.len() > self.limit || self.weight > MOST_BYTES && self.found.len() > 1 {
            let gone = if self.cursor.reverse { self.found.pop_first() } else { self.found.pop_last() };
            self.weight -= gone.map_or(0, |(_, gone)| gone.weight());
            self.cut = true;
        }
    }

    /// There is enough, and nothing in the file comes before it.
    fn is_nearer_than(&self, segment: &Segment) -> bool {
        self.farthest().is_some_and(
            |(time, _)| {
                if self.cursor.reverse { segment.latest < time } else { segment.earliest > time }
            },
        )
    }
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("reverse", &self.reverse).field("at", &self.at).finish_non_exhaustive()
    }
}
