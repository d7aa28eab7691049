//! When to dial again (Uplink §5.2): an ascending ladder, capped at 30 s, individual per device. Pure.

use std::time::Duration;

/// The ladder's cap.
pub const CAP: Duration = Duration::from_secs(30);
/// The longest wait at all: after a 403 or on a cloud's `Retry-After`.
pub const LONGEST: Duration = Duration::from_secs(300);
/// A tunnel that lived this long sets the ladder back to its first rung.
pub const STABLE: Duration = Duration::from_secs(60);

/// Why the last attempt ended, as far as the wait depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Anything that may pass by itself: network, TLS, a lost tunnel.
    Transient,
    /// 401 although a token was shown.
    TokenRefused,
    /// 403: this device is not wanted, now.
    Forbidden,
    /// The cloud named a time: 429, 503.
    RetryAfter(Duration),
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// How long to wait before the next attempt.
    pub wait: Duration,
    /// Whether to fetch a new token for it.
    pub refresh: bool,
}

/// The ladder of one uplink.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    rung: u32,
    refreshed: bool,
    random: u64,
}

/// A seed from what identifies the device and the uplink, so that no two cameras climb alike (FNV-1a).
pub fn seed(identity: &[u8]) -> u64 {
    identity.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

impl Backoff {
    /// A ladder whose first rung, 2 to 4 s, is the device's own.
    pub fn new(seed: u64) -> Self {
        let mut ladder = Self { base: Duration::ZERO, rung: 0, refreshed: false, random: seed };
        ladder.base = Duration::from_millis(2000 + ladder.next_random() % 2000);
        ladder
    }

    /// The next wait after `failure`.
    pub fn next(&mut self, failure: Failure) -> Next {
        if failure == Failure::TokenRefused && !self.refreshed {
            self.refreshed = true;
            return Next { wait: Duration::ZERO, refresh: true };
        }
        let refresh = failure == Failure::TokenRefused;
        let uncapped = self.base * 2u32.saturating_pow(self.rung.min(8));
        let ladder = uncapped.min(CAP);
        self.rung = self.rung.saturating_add(1);
        let wait = match failure {
            Failure::Transient | Failure::TokenRefused => self.jittered(ladder),
            // Never earlier than was asked for; later by up to a tenth, so that not all come back in the same second.
            Failure::RetryAfter(after) => {
                let asked = after.min(LONGEST);
                (asked + self.part_of(asked / 10)).max(self.jittered(ladder))
            }
            // The same rungs, and then further: whoever is registered a moment later need not wait, whoever is not wanted comes seldom.
            Failure::Forbidden => self.jittered(uncapped.min(LONGEST)),
        };
        Next { wait: wait.min(LONGEST + LONGEST / 10), refresh }
    }

    /// A tunnel stood for `lived`: a stable one starts the ladder anew, a short one does not.
    pub fn stood(&mut self, lived: Duration) {
        self.refreshed = false;
        if lived >= STABLE {
            self.rung = 0;
        }
    }

    /// Up to a tenth below `wait`: the cap stays the cap.
    fn jittered(&mut self, wait: Duration) -> Duration {
        let tenth = self.part_of(wait / 10);
        wait - tenth
    }

    fn part_of(&mut self, span: Duration) -> Duration {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(if span == 0 { 0 } else { self.next_random() % span })
    }

    /// SplitMix64: small, and good enough to spread cameras.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(ladder: &mut Backoff, n: usize) -> Vec<f64> {
        (0..n).map(|_| ladder.next(Failure::Transient).wait.as_secs_f64()).collect()
    }

    #[test]
    fn the_ladder_ascends_and_stays_at_thirty_seconds() {
        for camera in 0..200u64 {
            let got = waits(&mut Backoff::new(camera), 10);
            assert!((1.8..4.0).contains(&got[0]), "{got:?}");
            for pair in got.windows(2) {
                assert!(pair[1] > pair[0] || pair[1] > 26.9, "{got:?}");
            }
            assert!(got.iter().all(|wait| *wait <= 30.0) && got[9] > 26.9, "{got:?}");
        }
    }

    #[test]
    fn two_cameras_do_not_climb_alike_and_one_camera_does() {
        let a = seed(b"camera-a https://cloud/");
        let b = seed(b"camera-b https://cloud/");
        assert_ne!(waits(&mut Backoff::new(a), 5), waits(&mut Backoff::new(b), 5));
        assert_eq!(waits(&mut Backoff::new(a), 5), waits(&mut Backoff::new(a), 5));
    }

    #[test]
    fn only_a_stable_tunnel_starts_the_ladder_anew() {
        let mut ladder = Backoff::new(1);
        let first = waits(&mut ladder, 4);
        ladder.stood(Duration::from_secs(59));
        assert!(waits(&mut ladder, 1)[0] > first[3]);
        ladder.stood(STABLE);
        assert!(waits(&mut ladder, 1)[0] < 4.0);
    }

    #[test]
    fn a_refused_token_is_fetched_again_once_at_once_then_by_the_ladder() {
        let mut ladder = Backoff::new(7);
        assert_eq!(ladder.next(Failure::TokenRefused), Next { wait: Duration::ZERO, refresh: true });
        let second = ladder.next(Failure::TokenRefused);
        assert!(second.refresh && second.wait > Duration::from_secs(1));
        let third = ladder.next(Failure::TokenRefused);
        assert!(third.wait > second.wait);
        ladder.stood(STABLE);
        assert_eq!(ladder.next(Failure::TokenRefused).wait, Duration::ZERO);
    }

    #[test]
    fn retry_after_is_kept_but_not_beyond_reason() {
        let mut ladder = Backoff::new(3);
        let asked = Duration::from_secs(50);
        let got = ladder.next(Failure::RetryAfter(asked)).wait;
        assert!(got >= asked && got <= asked + asked / 10, "{got:?}");
        let got = ladder.next(Failure::RetryAfter(Duration::from_secs(u64::MAX))).wait;
        assert!(got >= LONGEST && got <= LONGEST + LONGEST / 10);
        // A zero does not turn the ladder off.
        assert!(ladder.next(Failure::RetryAfter(Duration::ZERO)).wait > Duration::from_secs(4));
    }

    #[test]
    fn only_a_forbidden_device_waits_longer_than_the_cap_and_not_at_first() {
        let mut ladder = Backoff::new(3);
        let got: Vec<_> = (0..9).map(|_| ladder.next(Failure::Forbidden).wait).collect();
        assert!(got[0] < Duration::from_secs(4) && got.is_sorted_by(|a, b| a < b || *b > LONGEST * 8 / 10), "{got:?}");
        assert!(got[5] > CAP && got[8] <= LONGEST && got[8] > LONGEST * 8 / 10, "{got:?}");
    }
}
