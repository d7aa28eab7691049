//! How much is read, or answered: bytes a second, of all and of each host, so that a flood by one blinds us to nobody else and costs little.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Hosts that are told apart.
const HOSTS: usize = 1024;
/// How often those that said nothing lately make room, when there is none.
const SWEEP: Duration = Duration::from_millis(100);

/// So many bytes a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes a second.
    pub second: u64,
    /// Bytes at once.
    pub burst: u64,
}

#[derive(Debug)]
struct Bucket {
    spent: u64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant, rate: Rate, bytes: u64) -> bool {
        self.refill(now, rate);
        let fits = self.spent + bytes <= rate.burst;
        if fits {
            self.spent += bytes;
        }
        fits
    }

    fn refill(&mut self, now: Instant, rate: Rate) {
        // Whole milliseconds, so that what is less is not lost.
        let passed = u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        self.spent = self.spent.saturating_sub(passed.saturating_mul(rate.second) / 1000);
        self.at += Duration::from_millis(passed);
    }
}

/// The buckets: one of all hosts together, one of each.
#[derive(Debug)]
pub struct Throttle {
    rates: (Rate, Rate),
    least: u64,
    all: Bucket,
    hosts: HashMap<IpAddr, Bucket>,
    swept: Instant,
}

impl Throttle {
    /// Full buckets: `all` hosts together, `each` host; the smallest packet costs `least` bytes.
    #[must_use]
    pub fn new(now: Instant, all: Rate, each: Rate, least: u64) -> Self {
        Self { rates: (all, each), least, all: Bucket { spent: 0, at: now }, hosts: HashMap::new(), swept: now }
    }

    /// Whether a packet of this host, or to it, is within the bounds; if so, it counts.
    pub fn admits(&mut self, now: Instant, host: IpAddr, bytes: usize) -> bool {
        let bytes = (bytes as u64).max(self.least);
        let (all, each) = self.rates;
        if self.hosts.len() >= HOSTS && now.saturating_duration_since(self.swept) >= SWEEP {
            self.swept = now;
            self.hosts.retain(|_, bucket| {
                bucket.refill(now, each);
                bucket.spent > 0
            });
        }
        // A stranger beyond the table is counted among all alone.
        if self.hosts.len() < HOSTS || self.hosts.contains_key(&host) {
            let bucket = self.hosts.entry(host).or_insert(Bucket { spent: 0, at: now });
            if !bucket.take(now, each, bytes) {
                return false;
            }
        }
        self.all.take(now, all, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Rate = Rate { second: 4 << 20, burst: 8 << 20 };
    const EACH: Rate = Rate { second: 256 << 10, burst: 1 << 20 };

    #[test]
    fn a_flood_is_not_read_and_blinds_us_to_nobody_else() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now, ALL, EACH, 1024);
        let host = |last: u8| IpAddr::from([192, 0, 2, last]);
        let admitted = (0..100_000).filter(|_| throttle.admits(now, host(1), 700)).count();
        assert_eq!(admitted, 1024, "a mebibyte at once, a kibibyte a packet at least");
        assert!(throttle.admits(now, host(2), 60_000));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100_000).filter(|_| throttle.admits(later, host(1), 1024)).count(), 256);
        // From many hosts, none of them real: all together have a bound, and the table of hosts has one.
        let all =
            (0..100_000_u32).filter(|n| throttle.admits(later, IpAddr::from((0x0a00_0000 + n).to_be_bytes()), 1400));
        assert!(all.count() <= (8 << 20) / 1400);
        assert!(throttle.admits(later + Duration::from_secs(2), host(3), 1400));
    }
}
