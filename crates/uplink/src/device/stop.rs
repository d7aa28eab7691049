//! How a served tunnel is told to end: finish what runs within a bound.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

/// How long requests are still taken after [`Stop::drain`]: the answer to the request that led to it leaves before the GOAWAY, which some clouds read as the
/// end of everything.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What a tunnel was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// How long requests are still taken.
    pub(super) linger: Duration,
    /// How long everything may take together.
    pub(super) within: Duration,
}

/// Shared by its clones.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Option<Ending>>>);

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Not stopped.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// No new streams; those in flight may finish within `within`.
    pub fn drain(&self, within: Duration) {
        self.end(LAST_WORDS, within);
    }

    /// Another tunnel stands in its place: requests that are still on their way here are taken for `linger`.
    pub(super) fn retire(&self, linger: Duration, within: Duration) {
        self.end(linger, within);
    }

    /// The shorter of what was asked before and now.
    fn end(&self, linger: Duration, within: Duration) {
        let new = Ending { linger: linger.min(within), within };
        let shorter = |old: Ending| Ending { linger: old.linger.min(new.linger), within: old.within.min(new.within) };
        self.0.send_modify(|asked| *asked = Some(asked.map_or(new, shorter)));
    }

    /// Ends the tunnel at once.
    pub fn now(&self) {
        self.drain(Duration::ZERO);
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Ending>> {
        self.0.subscribe()
    }
}
