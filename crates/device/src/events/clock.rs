//! The two clocks: one to measure by, one to tell.

use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// One moment by both clocks. Deadlines are monotonic; what is told is the wall clock. So a wall clock that is set ends nothing early,
/// and keeps nothing for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What a clock on the wall shows.
    pub wall: Timestamp,
    /// How long the device runs.
    pub monotonic: Duration,
}

impl Now {
    /// When a deadline will be, as the wall clock goes now.
    pub(super) fn told(self, deadline: Duration) -> Timestamp {
        let left = deadline.saturating_sub(self.monotonic);
        self.wall.checked_add(left).unwrap_or(Timestamp::MAX)
    }
}

/// The clocks of this machine.
#[derive(Debug)]
pub(super) struct Clock(Instant);

impl Default for Clock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock {
    pub(super) fn now(&self) -> Now {
        Now { wall: Timestamp::now(), monotonic: self.0.elapsed() }
    }

    /// The moment of a deadline, to sleep until.
    pub(super) fn at(&self, deadline: Duration) -> Instant {
        // Beyond what the clock can hold is as good as never.
        self.0.checked_add(deadline).unwrap_or_else(|| self.0 + Duration::from_secs(86_400 * 365))
    }
}
