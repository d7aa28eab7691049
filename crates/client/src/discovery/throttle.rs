//! How much is read: bytes a second, of all and of each host, so that a flood by one blinds us to nobody else and costs little.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Of all hosts together, in bytes a second, and as many at once. 200 cameras that answer four repeated probes send less.
const ALL: Rate = Rate { second: 4 << 20, burst: 8 << 20 };
/// Of one host.
const EACH: Rate = Rate { second: 256 << 10, burst: 1 << 20 };
/// What the smallest packet costs.
const LEAST: u64 = 1024;
/// Hosts that are told apart.
const HOSTS: usize = 1024;
/// How often those that said nothing lately make room, when there is none.
const SWEEP: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy)]
struct Rate {
    second: u64,
    burst: u64,
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

/// The buckets.
#[derive(Debug)]
pub(super) struct Throttle {
    all: Bucket,
    hosts: HashMap<IpAddr, Bucket>,
    swept: Instant,
}

impl Throttle {
    pub(super) fn new(now: Instant) -> Self {
        Self { all: Bucket { spent: 0, at: now }, hosts: HashMap::new(), swept: now }
    }

    /// Whether a packet of this host is read.
    pub(super) fn admits(&mut self, now: Instant, host: IpAddr, bytes: usize) -> bool {
        let bytes = (bytes as u64).max(LEAST);
        if self.hosts.len() >= HOSTS && now.saturating_duration_since(self.swept) >= SWEEP {
            self.swept = now;
            self.hosts.retain(|_, bucket| {
                bucket.refill(now, EACH);
                bucket.spent > 0
            });
        }
        // A stranger beyond the table is counted among all alone.
        if self.hosts.len() < HOSTS || self.hosts.contains_key(&host) {
            let bucket = self.hosts.entry(host).or_insert(Bucket { spent: 0, at: now });
            if !bucket.take(now, EACH, bytes) {
                return false;
            }
        }
        self.all.take(now, ALL, bytes)
    }
}
