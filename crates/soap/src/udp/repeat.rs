//! Sending a message several times, since UDP loses some (SOAP-over-UDP, appendix I).

use std::time::{Duration, Instant};

/// How often a message for everybody goes (MULTICAST_UDP_REPEAT).
pub const MULTICAST: u8 = 4;
/// How often one for somebody goes (UNICAST_UDP_REPEAT).
pub const UNICAST: u8 = 2;
/// UDP_MIN_DELAY and UDP_MAX_DELAY, in milliseconds.
const MIN_DELAY: u64 = 50;
const MAX_DELAY: u64 = 250;
/// UDP_UPPER_DELAY.
const UPPER_DELAY: Duration = Duration::from_millis(500);

/// Random bits: for names of messages, for delays and for the gaps between repetitions.
pub type Random<'r> = &'r mut dyn FnMut() -> u128;

/// When a message goes, and goes again: the first gap is random, each further one twice as long, up to half a second.
#[derive(Debug, Clone)]
pub struct Repeat {
    due: Option<Instant>,
    left: u8,
    gap: Duration,
}

impl Repeat {
    /// `times` in all, first at `at`.
    #[must_use]
    pub fn new(at: Instant, times: u8, random: Random<'_>) -> Self {
        let gap = MIN_DELAY + u64::try_from(random() % u128::from(MAX_DELAY - MIN_DELAY + 1)).unwrap_or(0);
        Self { due: Some(at), left: times, gap: Duration::from_millis(gap) }
    }

    /// When it goes next; none when it went for the last time.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it goes now, which counts as sent.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        self.due = (self.left > 0).then(|| now + self.gap);
        self.gap = (self.gap * 2).min(UPPER_DELAY);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_double_up_to_half_a_second() {
        let begun = Instant::now();
        for (bits, gaps) in [(0, [50, 150, 350]), (200, [250, 750, 1250]), (u128::MAX, [137, 411, 911])] {
            let mut repeat = Repeat::new(begun, MULTICAST, &mut || bits);
            assert!(repeat.take(begun));
            for gap in gaps {
                let due = begun + Duration::from_millis(gap);
                assert_eq!(repeat.due(), Some(due));
                assert!(!repeat.take(due - Duration::from_millis(1)) && repeat.take(due));
            }
            assert!(repeat.due().is_none() && !repeat.take(begun + Duration::from_secs(9)));
        }
    }
}
