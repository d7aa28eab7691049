//! What a feed makes of the messages of a pull: which are new, what they say of properties, whether something is missing before them.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{ANSWER, Batch, Entry, Feed, HEARD, LIMIT, Message, Now, Reason, Stage};
use crate::feed::entry::{Gap, Operation};
use crate::feed::words::Pulled;

/// An answer within this time came at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long a camera waits at most that answers at once with nothing new.
const HASTE: u32 = 10;
/// The marks of so many messages are known of the answer before, and of what a Seek brought.
const MARKS: usize = 512;
/// Properties of one device whose states are known.
const PROPERTIES: usize = 512;

impl Feed {
    pub(super) fn pulled(&mut self, now: Now, pulled: Pulled) {
        let took = now.monotonic.saturating_sub(self.asked);
        let (empty, count) = (pulled.messages.is_empty(), pulled.messages.len());
        (self.faults, self.reason) = (0, None);
        self.backoff.reset();
        self.clock(now, pulled.clock);
        let mut batch = Batch { unreadable: pulled.unreadable as u64, ..Batch::default() };
        self.tell_missing(now, &mut batch);
        if pulled.unreadable > 0 {
            self.lacks(Reason::Unreadable);
            self.tell_missing(now, &mut batch);
        }
        for (place, message) in pulled.messages.into_iter().enumerate() {
            self.begins |= pulled.begins == Some(place);
            self.message(now, message, pulled.clock, &mut batch);
        }
        if !self.answer.is_empty() {
            self.previous = std::mem::take(&mut self.answer);
        }
        self.begins |= pulled.begins == Some(count);
        if empty && pulled.begins.is_none() {
            self.quiet(now, took, &mut batch);
        }
        if self.replay.is_none() {
            self.memory.heard = now.wall;
        }
        let news = !(batch.entries.is_empty() && batch.states.is_empty());
        self.lives_on(now, pulled.life, count);
        self.rests(now, took, news, count + pulled.unreadable);
        if news || now.wall.saturating_sub(self.written) >= HEARD {
            self.keep(now, batch);
        }
    }

    /// The device had nothing to tell: it has told everything that it kept, and all states.
    fn quiet(&mut self, now: Now, took: Duration, batch: &mut Batch) {
        if std::mem::take(&mut self.begins) {
            self.gap(now.wall, Reason::BeginOfBuffer, batch);
        }
        (self.replay, self.ceiling) = (None, LIMIT);
        if took >= AT_ONCE || self.hasty > 1 {
            self.overlap.clear();
            for gone in std::mem::take(&mut self.untold) {
                self.states.remove(&gone);
                batch.states.insert(gone, None);
            }
        }
    }

    /// How long the pull point lives, and with how much it answers.
    fn lives_on(&mut self, now: Now, life: Option<SignedDuration>, count: usize) {
        self.lives(now, life);
        let short = self.point.as_ref().is_some_and(|(_, ends)| {
            ends.saturating_sub(now.monotonic) < Duration::from_secs(self.seconds.unsigned_abs()) + ANSWER
        });
        if self.stage == Stage::Pull && short && self.renews {
            self.stage = Stage::Renew;
        }
        if count >= usize::try_from(self.limit).unwrap_or_default() {
            self.limit = (self.limit * 2).min(self.ceiling);
        }
    }

    /// A camera that answers at once, whatever it was told, is not asked at once again; nor is one that talks without end.
    fn rests(&mut self, now: Now, took: Duration, news: bool, count: usize) {
        self.hasty = if !news && took < AT_ONCE { self.hasty + 1 } else { 0 };
        let haste = match self.hasty {
            0 => Duration::ZERO,
            // Right after a Seek what is known comes again.
            _ if self.replay.is_some() && count > 0 => Duration::ZERO,
            times => Duration::from_secs(u64::from(1_u32.checked_shl(times - 1).unwrap_or(HASTE).min(HASTE))),
        };
        self.rest = now.monotonic + haste.max(self.rate.take(now.monotonic, count));
    }

    fn message(&mut self, now: Now, message: Message, clock: Option<Timestamp>, batch: &mut Batch) {
        let mark = message.mark();
        if self.replay.is_some_and(|until| message.time > until) && !self.overlap.contains_key(&mark) {
            self.replayed();
        }
        let repeated = self.repeated(&message, mark);
        if self.answer.len() < MARKS {
            self.answer.insert(mark);
        }
        if repeated {
            // What the device keeps reaches back to what is kept here.
            self.begins = false;
            batch.repeated += 1;
            return;
        }
        if std::mem::take(&mut self.begins) {
            let ours = i64::try_from(message.time).unwrap_or(i64::MAX).saturating_sub(self.memory.offset.unwrap_or(0));
            let ours = u64::try_from(ours).unwrap_or_default();
            if ours > self.memory.heard {
                self.gap(ours.min(now.wall), Reason::BeginOfBuffer, batch);
                self.stage = Stage::Synchronise;
            }
        }
        // A time beyond the device's own clock would lead a Seek past what is still to come.
        let most = clock.and_then(|clock| u64::try_from(clock.as_millisecond()).ok()).unwrap_or(u64::MAX);
        let time = message.time.min(most);
        if !self.memory.sure && message.operation != Some(Operation::Initialized) {
            // The device's clock and the times of its messages need not agree.
            self.memory.sure = true;
            self.memory.position = self.memory.position.map(|position| position.min(time));
        }
        self.memory.position = self.memory.position.max(Some(time));
        if self.state(&message, batch) {
            batch.entries.push(message.entry());
        }
    }

    /// The Seek has brought what is known. Of that some may come once more, since what happened meanwhile need not be in the order of its times.
    fn replayed(&mut self) {
        self.replay = None;
        let mut latest: Vec<_> = std::mem::take(&mut self.overlap).into_iter().collect();
        latest.sort_unstable_by_key(|(_, time)| Reverse(*time));
        latest.truncate(MARKS);
        self.overlap = latest.into_iter().collect();
    }

    /// Whether the device tells it once more. Clocks of cameras go by the second, in which a door can open, shut and open: what changes a state is news.
    fn repeated(&self, message: &Message, mark: u64) -> bool {
        if self.overlap.contains_key(&mark) {
            return true;
        }
        let known = || self.states.get(&message.property()).copied();
        match message.operation {
            None => self.previous.contains(&mark),
            // Of these the state alone says whether it is news.
            Some(Operation::Initialized) => false,
            Some(_) if !self.previous.contains(&mark) && !self.answer.contains(&mark) => false,
            Some(Operation::Deleted) => known().is_none(),
            Some(Operation::Changed) => {
                known().map_or(self.states.len() >= PROPERTIES, |known| known == message.state())
            }
        }
    }

    /// What a message says of a property. Whether it is news.
    fn state(&mut self, message: &Message, batch: &mut Batch) -> bool {
        let Some(operation) = message.operation else { return true };
        let key = message.property();
        self.untold.remove(&key);
        match operation {
            Operation::Deleted => {
                if self.states.remove(&key).is_some() {
                    batch.states.insert(key, None);
                }
                true
            }
            Operation::Initialized | Operation::Changed => {
                let (known, state) = (self.states.get(&key).copied(), message.state());
                if known == Some(state) {
                    return operation == Operation::Changed;
                }
                if known.is_some() || self.states.len() < PROPERTIES {
                    self.states.insert(key, state);
                    batch.states.insert(key, Some(message.clone()));
                }
                true
            }
        }
    }

    pub(super) fn tell_missing(&mut self, now: Now, batch: &mut Batch) {
        if let Some((from, reason)) = self.missing.take() {
            batch.entries.push(Entry::Gap(Gap { from: from.min(now.wall), to: now.wall, reason }));
        }
    }

    fn gap(&mut self, to: u64, reason: Reason, batch: &mut Batch) {
        batch.entries.push(Entry::Gap(Gap { from: self.memory.heard.min(to), to, reason }));
    }
}
