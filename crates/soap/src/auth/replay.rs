//! What was used already, in bounded memory: when it is full, the oldest goes and everything as old as that is refused from then on.

use std::collections::BTreeMap;

/// Entries by age, then by what tells them apart.
#[derive(Debug)]
pub(super) struct Seen<V> {
    entries: BTreeMap<(i128, [u8; 16]), V>,
    capacity: usize,
    /// Nothing this old is known any more.
    floor: i128,
}

impl<V: Default> Seen<V> {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { entries: BTreeMap::new(), capacity, floor: i128::MIN }
    }

    /// Forgets what is older than `oldest`, which the caller refuses anyway.
    pub(super) fn forget(&mut self, oldest: i128) {
        while let Some(entry) = self.entries.first_entry()
            && entry.key().0 < oldest
        {
            entry.remove();
        }
    }

    /// The entry, new or known; none if it is so old that it may have been forgotten.
    pub(super) fn entry(&mut self, time: i128, key: [u8; 16]) -> Option<&mut V> {
        if time <= self.floor {
            return None;
        }
        if self.entries.len() >= self.capacity
            && !self.entries.contains_key(&(time, key))
            && let Some(((oldest, _), _)) = self.entries.pop_first()
        {
            self.floor = oldest;
            if time <= oldest {
                return None;
            }
        }
        Some(self.entries.entry((time, key)).or_default())
    }
}

/// The counters used with one nonce: the highest, and which of the 64 below it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    highest: u32,
    below: u64,
}

impl Counters {
    /// Takes a counter; false if it was taken before, or may have been. Requests of one client may overtake each other.
    pub(super) fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let step = count - self.highest;
            let shifted = if step > 64 { 0 } else { self.below.checked_shl(step).unwrap_or(0) };
            // The old highest is now `step` below.
            let old = if self.highest > 0 && step <= 64 { 1u64 << (step - 1) } else { 0 };
            self.below = shifted | old;
            self.highest = count;
            return true;
        }
        let distance = self.highest - count;
        if distance == 0 || distance > 64 {
            return false;
        }
        let bit = 1u64 << (distance - 1);
        let fresh = self.below & bit == 0;
        self.below |= bit;
        fresh
    }
}
