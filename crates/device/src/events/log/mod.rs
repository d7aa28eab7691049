//! The persistent storage of notifications (Core §9.1.7): what was told, on disk, to be read again from any time on (Seek, §9.1.5).
//!
//! ```text
//!  hub ── append ──► waiting ──► the log's thread: write (20 ms) ─► fsync (1 s) ─► too much? the oldest file goes
//!                       │                    │ the disk refuses: waits and tries again, the newest are kept, told once
//!  cursor ◄─── both ────┴── files, a piece ──┘
//! ```
//! A message that was appended is found by a cursor at once. One that is in a file survives the end of the process, one that was synced
//! the end of the power. A cursor reads in the order of (time, number), whatever the clock did: a file's summary says which times are in
//! it, and what is in reach is sorted as it is read.

mod cursor;
mod medium;
mod record;
mod segments;
mod writer;

#[cfg(test)]
mod tests;

pub use cursor::{Cursor, Read};

use super::Notification;
use super::notification::weight_of;
use crate::store::StoreError;
use jiff::Timestamp;
use medium::{Files, Medium};
use segments::Segments;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Bytes in all files.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 32 << 20, messages: 200_000 }
    }
}

impl Bounds {
    /// Bounds.
    #[must_use]
    pub fn new(bytes: u64, messages: u64) -> Self {
        Self { bytes, messages }
    }

    /// When a file is long enough: what goes at once when there is too much, and what a cursor reads at once.
    fn segment(&self) -> u64 {
        (self.bytes / 16).clamp(1 << 10, 128 << 10)
    }
}

/// What the messages that wait for the disk may take in memory; beyond that, those that have waited longest are not kept.
const WAITING: usize = 4 << 20;

/// The log. Dropping it writes what waits and ends its thread.
pub struct Log {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the log, its thread and its cursors have in common.
struct Shared {
    medium: Box<dyn Medium>,
    state: Mutex<State>,
    /// Something waits, or the log ends.
    work: Condvar,
    /// Something was written and synced.
    done: Condvar,
}

struct State {
    segments: Segments,
    /// What is in no file yet, in the order in which it was told.
    waiting: VecDeque<Arc<Notification>>,
    /// What they take in memory.
    weight: usize,
    /// The last number that was appended.
    last: u64,
    /// Messages that were not kept since the disk refuses.
    lost: u64,
    /// The disk refused the last time.
    refused: bool,
    /// Up to this number everything is durable.
    synced: u64,
    /// Somebody waits for that.
    hurry: bool,
    ending: bool,
}

impl Log {
    /// Opens the log in a folder of its own, and makes it if there is none. Damage costs the messages that are damaged, and nothing else.
    ///
    /// # Errors
    /// The folder cannot be made or listed.
    pub fn open(folder: &Path, bounds: Bounds) -> Result<Self, StoreError> {
        let failed = |source| StoreError::File { path: folder.to_owned(), source };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
        Self::open_on(Box::new(Files), folder, bounds)
    }

    fn open_on(medium: Box<dyn Medium>, folder: &Path, bounds: Bounds) -> Result<Self, StoreError> {
        let failed = |source| StoreError::File { path: folder.to_owned(), source };
        let segments = Segments::open(medium.as_ref(), folder, bounds).map_err(failed)?;
        let last = segments.last();
        let state = State {
            segments,
            waiting: VecDeque::new(),
            weight: 0,
            last,
            lost: 0,
            refused: false,
            synced: last,
            hurry: false,
            ending: false,
        };
        let shared = Arc::new(Shared { medium, state: Mutex::new(state), work: Condvar::new(), done: Condvar::new() });
        let writer = Arc::clone(&shared);
        let spawned = std::thread::Builder::new().name("event log".to_owned()).spawn(move || writer::run(&writer));
        Ok(Self { shared, thread: Some(spawned.map_err(failed)?) })
    }

    /// The number of the last message that was appended, also in an earlier life; 0 if there is none. Numbers go on from there.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.shared.state().last
    }

    /// Takes a message. Never waits for the disk. Numbers rise; one that does not is not taken.
    pub fn append(&self, notification: &Arc<Notification>) {
        let mut state = self.shared.state();
        if notification.number <= state.last {
            tracing::warn!(number = notification.number, "a message was to be kept twice");
            return;
        }
        state.last = notification.number;
        state.weight += notification.weight();
        state.waiting.push_back(Arc::clone(notification));
        while state.weight > WAITING && state.pop().is_some() {
            state.lost += 1;
        }
        self.shared.work.notify_one();
    }

    /// Reads from a time on, or back from it; that time itself is in both.
    #[must_use]
    pub fn cursor(&self, time: Timestamp, reverse: bool) -> Cursor {
        Cursor::new(Arc::clone(&self.shared), time, reverse)
    }

    /// Waits until everything that was appended is durable; false when the disk refuses.
    #[cfg(test)]
    pub(super) fn sync(&self) -> bool {
        let mut state = self.shared.state();
        let until = state.last;
        (state.refused, state.hurry) = (false, true);
        self.shared.work.notify_one();
        while state.synced < until && !state.refused {
            state = self.shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.synced >= until
    }

    /// Waits until everything that was appended is in its file, which is enough for whoever kills the process.
    #[cfg(test)]
    fn settle(&self) {
        let mut state = self.shared.state();
        while !state.waiting.is_empty() {
            state = self.shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.state().ending = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("last", &self.last()).finish_non_exhaustive()
    }
}

impl State {
    fn pop(&mut self) -> Option<Arc<Notification>> {
        let first = self.waiting.pop_front()?;
        self.weight -= first.weight();
        Some(first)
    }
}

impl Shared {
    /// Whoever panicked under the lock left nothing half done: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
