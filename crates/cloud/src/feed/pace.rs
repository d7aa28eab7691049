//! How soon a feed asks again: backoff with jitter after a failure, and a rate that no camera makes it exceed.

use std::time::Duration;

/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(60);
/// Arrivals of many devices are spread over this time.
const SPREAD: u64 = 1_000;
/// Messages that one device may tell in a second, over time.
pub(super) const PER_SECOND: u32 = 100;
/// Messages that it may tell at once before that counts: what was kept while it was away.
pub(super) const BURST: f64 = 10_000.0;

/// Waits that grow, each feed's own.
#[derive(Debug)]
pub(super) struct Backoff {
    random: u64,
    tries: u32,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: seed, tries: 0 }
    }

    /// splitmix64: enough to part feeds from each other.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next wait: 1 s, 2 s, 4 s … 60 s, each up to half as long again.
    pub(super) fn next(&mut self) -> Duration {
        let wait = Duration::from_secs(1 << self.tries.min(6)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        wait + wait.mul_f64((self.random() % 512) as f64 / 1024.0)
    }

    /// A little while, of one's own.
    pub(super) fn spread(&mut self) -> Duration {
        Duration::from_millis(self.random() % SPREAD)
    }

    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// A bucket of messages.
#[derive(Debug)]
pub(super) struct Rate {
    level: f64,
    at: Duration,
}

impl Default for Rate {
    fn default() -> Self {
        Self { level: BURST, at: Duration::ZERO }
    }
}

impl Rate {
    /// Takes `count` out, and says how long to wait until there is something in it again.
    pub(super) fn take(&mut self, now: Duration, count: usize) -> Duration {
        let per_second = f64::from(PER_SECOND);
        let since = now.saturating_sub(std::mem::replace(&mut self.at, now));
        self.level = (self.level + since.as_secs_f64() * per_second).min(BURST) - count as f64;
        Duration::from_secs_f64((-self.level / per_second).max(0.0))
    }
}
