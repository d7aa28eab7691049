//! How a served tunnel is told to end: finish what runs within a bound.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

/// Shared by its clones.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Option<Duration>>>);

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
        self.0.send_modify(|asked| *asked = Some(asked.map_or(within, |before| before.min(within))));
    }

    /// Ends the tunnel at once.
    pub fn now(&self) {
        self.drain(Duration::ZERO);
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Duration>> {
        self.0.subscribe()
    }
}
