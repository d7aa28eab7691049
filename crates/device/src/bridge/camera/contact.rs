//! Whether the camera answers: what is told to whoever looks after it, and how requests are spared that would fail anyway. No clock, no socket.
//!
//! ```text
//!            failed                      hold is over
//! Answers ───────────► Silent: held ─────────────────► Silent: one may try ──┐
//!    ▲                    ▲                                 │ failed: a longer hold
//!    │ answered           └─────────────────────────────────┘                │ answered
//!    └───────────────────────────────────────────────────────────────────────┘
//! ```

use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long nobody asks after the first failure.
const HOLD: Duration = Duration::from_secs(1);
/// The longest hold.
const LONGEST: Duration = Duration::from_secs(8);
/// A try that did not end by then does not keep the next one from trying.
const TRIED: Duration = Duration::from_secs(15);

/// How the last requests to a camera went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Contact {
    /// It was not asked yet.
    #[default]
    Unasked,
    /// It answered, whatever it said.
    Answers,
    /// It did not; the text names the layer that failed.
    Silent(Arc<str>),
}

/// Spares a camera that does not answer, and those who ask it.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    why: Arc<str>,
    hold: Duration,
    /// From then on one may try.
    until: Instant,
}

impl Breaker {
    /// Whether the camera would be asked now.
    ///
    /// # Errors
    /// Why the last one got no answer.
    pub(super) fn spares(&self, now: Instant) -> Result<(), Arc<str>> {
        match &self.failed {
            Some(failed) if now < failed.until => Err(Arc::clone(&failed.why)),
            _ => Ok(()),
        }
    }

    /// Whether the camera may be asked now, which one is then about to do.
    ///
    /// # Errors
    /// Why the last one got no answer.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Arc<str>> {
        self.spares(now)?;
        if let Some(failed) = &mut self.failed {
            failed.until = now + TRIED;
        }
        Ok(())
    }

    /// It did not answer. Those who asked at the same time make no longer hold together than one.
    pub(super) fn failed(&mut self, now: Instant, why: Arc<str>) {
        let hold = match &self.failed {
            Some(failed) if now < failed.until && failed.until <= now + failed.hold => failed.hold,
            Some(failed) => (failed.hold * 2).min(LONGEST),
            None => HOLD,
        };
        self.failed = Some(Failed { why, hold, until: now + hold });
    }

    /// It answered.
    pub(super) fn answered(&mut self) {
        self.failed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_nobody_asks_for_a_moment_and_then_one_tries() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        breaker.admit(start).unwrap();
        breaker.failed(start, "TCP".into());
        breaker.failed(start, "TCP".into());
        assert_eq!(breaker.admit(start).unwrap_err().as_ref(), "TCP");
        let later = start + HOLD;
        breaker.admit(later).unwrap();
        breaker.admit(later).expect_err("one tries already");
        breaker.failed(later, "TLS".into());
        breaker.admit(later + HOLD).expect_err("the hold is longer now");
        breaker.admit(later + HOLD * 2).unwrap();
        breaker.answered();
        breaker.admit(later).unwrap();
        breaker.admit(later).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_hold_is_bounded_and_a_try_that_never_ends_bars_nobody() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        for _ in 0..20 {
            breaker.failed(now, "TCP".into());
            now += LONGEST;
            breaker.admit(now).unwrap();
        }
        breaker.admit(now).unwrap_err();
        breaker.admit(now + TRIED).unwrap();
    }
}
