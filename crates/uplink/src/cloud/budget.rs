//! One byte budget for the whole process: what all tunnels' open streams may make us buffer, together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Shared by its clones.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: u64,
    used: AtomicU64,
}

impl Budget {
    /// A budget of `total` bytes.
    pub fn new(total: u64) -> Self {
        Self(Arc::new(Inner { total, used: AtomicU64::new(0) }))
    }

    /// What is promised at present, in bytes.
    pub fn used(&self) -> u64 {
        self.0.used.load(Relaxed)
    }

    /// All there is, in bytes.
    pub fn total(&self) -> u64 {
        self.0.total
    }

    /// Takes `bytes` if they are there.
    pub(crate) fn charge(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.0.total);
        self.0.used.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    pub(crate) fn refund(&self, bytes: u64) {
        self.0.used.fetch_sub(bytes, Relaxed);
    }
}

impl Default for Budget {
    /// 1 GiB.
    fn default() -> Self {
        Self::new(1 << 30)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_beyond_the_total_is_refused_and_changes_nothing() {
        let budget = Budget::new(100);
        let same = budget.clone();
        assert!(budget.charge(60) && !same.charge(41) && same.charge(40));
        assert_eq!(budget.used(), 100);
        budget.refund(60);
        assert_eq!(same.used(), 40);
        assert!(!budget.charge(u64::MAX));
    }
}
