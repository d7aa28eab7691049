//! The log's thread: collects what waits for a moment, writes it, makes it durable, and lets the oldest file go.

use super::record::{self, Place};
use super::segments::{self, Segment};
use super::{Notification, Shared, State};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the first message waits for others.
const COLLECT: Duration = Duration::from_millis(20);
/// So many do not wait for others.
const MANY: usize = 256;
/// How long what was written waits to be made durable.
const SYNC: Duration = Duration::from_secs(1);
/// How long after the disk refused it is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Runs until the log ends; what waits then is written once more.
pub(super) fn run(shared: &Shared) {
    let mut writer = Writer { shared, unsynced: None };
    while writer.turn() {}
}

struct Writer<'a> {
    shared: &'a Shared,
    /// The file with something in it that is not durable, since when, and up to which number.
    unsynced: Option<(PathBuf, Instant, u64)>,
}

impl Writer<'_> {
    /// One batch, or one sync; false at the end.
    fn turn(&mut self) -> bool {
        let mut state = self.wait();
        let ending = state.ending;
        let hurry = std::mem::take(&mut state.hurry) || ending;
        let batch: Vec<_> = state.waiting.iter().cloned().collect();
        drop(state);
        let written = self.write(&batch);
        let due = self.unsynced.as_ref().is_some_and(|(_, since, _)| since.elapsed() >= SYNC);
        let result = if due || hurry { written.and_then(|()| self.sync()) } else { written };
        self.tell(result);
        !ending
    }

    /// Until there is something to do, and then a moment longer.
    fn wait(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.state();
        let began = Instant::now();
        let mut first = None;
        loop {
            if state.ending || state.hurry || state.waiting.len() >= MANY && !state.refused {
                return state;
            }
            let write = (!state.waiting.is_empty()).then(|| *first.get_or_insert_with(Instant::now) + COLLECT);
            let sync = self.unsynced.as_ref().map(|(_, since, _)| *since + SYNC);
            let at = write.into_iter().chain(sync).min();
            let at = at.map(|at| if state.refused { at.max(began + RETRY) } else { at });
            let left = at.map(|at| at.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return state,
                Some(left) => self.shared.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Writes a batch, file by file; what was written waits no more.
    fn write(&mut self, batch: &[Arc<Notification>]) -> io::Result<()> {
        let mut rest = batch;
        while let Some(first) = rest.first() {
            let mut tail = self.shared.state().segments.tail(first.number);
            if self.unsynced.as_ref().is_some_and(|(path, ..)| *path != self.path(&tail)) {
                // One file is synced before the next begins, so that a gap can only be at the end.
                self.sync()?;
            }
            let (mut bytes, mut places): (_, Vec<Place>) = (Vec::new(), Vec::new());
            let room = self.shared.state().segments.room(&tail);
            let mut taken = 0;
            while let Some(notification) = rest.get(taken).filter(|_| (bytes.len() as u64) < room) {
                let before = bytes.len();
                record::write(notification, &mut bytes);
                if bytes.len() > before {
                    places.push((notification.message.utc_time, notification.number));
                }
                taken += 1;
            }
            let folder = self.shared.state().segments.folder().to_owned();
            if !places.is_empty() {
                segments::append(self.shared.medium.as_ref(), &folder, &mut tail, &places, &bytes)?;
            }
            let (done, more) = rest.split_at(taken);
            self.written(tail, done.last().map_or(0, |last| last.number), !places.is_empty());
            rest = more;
        }
        Ok(())
    }

    fn path(&self, tail: &Segment) -> PathBuf {
        tail.path(self.shared.state().segments.folder())
    }

    /// What was written is in its file from now on, and waits no more.
    fn written(&mut self, tail: Segment, last: u64, anything: bool) {
        let path = self.path(&tail);
        let mut state = self.shared.state();
        if anything {
            state.segments.written(tail);
        }
        while state.waiting.front().is_some_and(|first| first.number <= last) {
            state.pop();
        }
        let gone = state.segments.trim();
        if !anything && self.unsynced.is_none() {
            state.synced = last;
        }
        drop(state);
        for path in gone {
            if let Err(error) = self.shared.medium.remove(&path) {
                tracing::warn!(path = %path.display(), %error, "an old file of the event log cannot be removed");
            }
        }
        match &mut self.unsynced {
            Some((_, _, until)) => *until = last,
            None if anything => self.unsynced = Some((path, Instant::now(), last)),
            None => {}
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some((path, _, last)) = &self.unsynced {
            self.shared.medium.sync(path)?;
            self.shared.state().synced = *last;
            self.unsynced = None;
        }
        Ok(())
    }

    /// A disk that refuses is told once, and once that it does not any more.
    fn tell(&self, result: io::Result<()>) {
        let mut state = self.shared.state();
        let before = std::mem::replace(&mut state.refused, result.is_err());
        let lost = if result.is_ok() { std::mem::take(&mut state.lost) } else { 0 };
        drop(state);
        match result {
            Err(error) if !before => tell_refused(&error),
            Ok(()) if before => tracing::info!(lost, "events are kept again"),
            Ok(()) if lost > 0 => tracing::warn!(lost, "events came faster than the disk could keep them"),
            _ => {}
        }
        self.shared.done.notify_all();
    }
}

fn tell_refused(error: &io::Error) {
    tracing::warn!(%error, "events cannot be kept: they go on live, and are kept again as soon as the disk allows");
}
