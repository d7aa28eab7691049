//! Short-lived facts: put if absent, with a lifetime. A seam: one process keeps them in memory, several would share them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Facts that end by themselves: who dialled lately, which alarm was raised, which source failed too often.
pub trait Facts: Send + Sync + 'static {
    /// Puts `key` for `lifetime` if it is absent. Returns whether it was.
    fn put_if_absent(&self, key: &str, lifetime: Duration, now: Instant) -> bool;

    /// Counts one more of `key` within a window of `lifetime` that begins with the first. Returns the count.
    fn count(&self, key: &str, lifetime: Duration, now: Instant) -> u32;

    /// Takes back one that was counted.
    fn uncount(&self, key: &str, now: Instant);

    /// How long `key` stands from now; `None` when it is absent.
    fn remaining(&self, key: &str, now: Instant) -> Option<Duration>;
}

/// Facts of one process, bounded in number.
#[derive(Debug)]
pub struct MemoryFacts {
    most: usize,
    facts: Mutex<HashMap<String, (u32, Instant)>>,
}

impl MemoryFacts {
    /// Holds at most `most` facts; beyond it those that end soonest go first.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, facts: Mutex::default() }
    }
}

impl Facts for MemoryFacts {
    fn put_if_absent(&self, key: &str, lifetime: Duration, now: Instant) -> bool {
        self.count(key, lifetime, now) == 1
    }

    fn count(&self, key: &str, lifetime: Duration, now: Instant) -> u32 {
        let mut facts = self.facts.lock().expect("no holder panics");
        if let Some((count, end)) = facts.get_mut(key)
            && *end > now
        {
            *count = count.saturating_add(1);
            return *count;
        }
        if facts.len() >= self.most {
            facts.retain(|_, (_, end)| *end > now);
        }
        if facts.len() >= self.most {
            let mut ends: Vec<Instant> = facts.values().map(|(_, end)| *end).collect();
            let (_, median, _) = ends.select_nth_unstable(self.most / 2);
            let median = *median;
            facts.retain(|_, (_, end)| *end > median);
        }
        facts.insert(key.to_owned(), (1, now + lifetime));
        1
    }

    fn uncount(&self, key: &str, now: Instant) {
        let mut facts = self.facts.lock().expect("no holder panics");
        let Some((count, end)) = facts.get_mut(key) else { return };
        *count -= 1;
        if *count == 0 || *end <= now {
            facts.remove(key);
        }
    }

    fn remaining(&self, key: &str, now: Instant) -> Option<Duration> {
        let facts = self.facts.lock().expect("no holder panics");
        facts.get(key).map(|(_, end)| end.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_absent_again_after_its_lifetime() {
        let (facts, start) = (MemoryFacts::new(8), Instant::now());
        let minute = Duration::from_secs(60);
        assert!(facts.put_if_absent("a", minute, start));
        assert!(!facts.put_if_absent("a", minute, start + minute / 2));
        assert!(facts.put_if_absent("a", minute, start + minute));
        assert_eq!(facts.count("a", minute, start + minute), 2);
    }

    #[test]
    fn what_is_taken_back_was_never_counted() {
        let (facts, start) = (MemoryFacts::new(8), Instant::now());
        let minute = Duration::from_secs(60);
        facts.count("a", minute, start);
        facts.count("a", minute, start);
        facts.uncount("a", start);
        assert_eq!(facts.remaining("a", start + minute / 4), Some(minute * 3 / 4));
        assert_eq!(facts.count("a", minute, start), 2);
        facts.uncount("b", start);
        assert_eq!((facts.remaining("b", start), facts.remaining("a", start + minute)), (None, None));
    }

    #[test]
    fn there_are_never_more_than_the_bound() {
        let (facts, now) = (MemoryFacts::new(100), Instant::now());
        for n in 0..10_000_u64 {
            facts.put_if_absent(&n.to_string(), Duration::from_secs(60 + n), now);
        }
        assert!(facts.facts.lock().unwrap().len() <= 100);
        assert!(!facts.put_if_absent("9999", Duration::from_secs(60), now), "the one that ends last is kept");
    }
}
