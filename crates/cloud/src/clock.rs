//! What time it is, in one place, so that a test can let a year pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The system's clock, and how far a test has moved it on.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// Unix milliseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        millis(now).saturating_add(self.0.load(Relaxed))
    }

    /// The same as a system time.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.now())
    }

    /// Moves this clock and its clones on.
    pub fn shift(&self, by: Duration) {
        self.0.fetch_add(millis(by), Relaxed);
    }
}

/// A span in milliseconds, as times are kept and shown.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
