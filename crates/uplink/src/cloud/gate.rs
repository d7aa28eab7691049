//! Who may open a stream: the device's limit, streams kept free for SOAP, and the byte budget, in one place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::Notify,
    time::{Duration, Instant, timeout_at},
};

use super::{Limits, RequestError};

/// What kind of request a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A small call that must always get through.
    Soap,
    /// Anything that may be large or last long.
    Bulk,
}

#[derive(Debug, Default)]
struct Counts {
    open: u32,
    bulk: u32,
    peer_max: u32,
    opened: u64,
    boosted: bool,
    /// What the boost itself was charged, for streams that were open already.
    lump: u64,
    bulk_idle_since: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Gate {
    limits: Limits,
    counts: Mutex<Counts>,
    soap_freed: Notify,
    bulk_freed: Notify,
}

/// A stream's place; dropping it makes room for the next.
#[derive(Debug)]
pub(super) struct Slot {
    gate: Arc<Gate>,
    class: Class,
    charged: u64,
}

enum Full {
    Streams,
    Memory,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        let counts = Mutex::new(Counts { peer_max: u32::MAX, ..Counts::default() });
        Self { limits, counts, soap_freed: Notify::new(), bulk_freed: Notify::new() }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // The counts are plain numbers: a panic elsewhere leaves them right.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a stream, waiting a bounded time for one.
    pub(super) async fn enter(self: &Arc<Self>, class: Class) -> Result<Slot, RequestError> {
        match self.try_enter(class) {
            Ok(slot) => return Ok(slot),
            Err(Full::Memory) => return Err(RequestError::Busy("no memory is left for another stream")),
            Err(Full::Streams) => {}
        }
        let deadline = Instant::now() + self.limits.slot_wait;
        let freed = if class == Class::Soap { &self.soap_freed } else { &self.bulk_freed };
        loop {
            let waiting = freed.notified();
            match self.try_enter(class) {
                Ok(slot) => return Ok(slot),
                Err(Full::Memory) => return Err(RequestError::Busy("no memory is left for another stream")),
                Err(Full::Streams) => {}
            }
            if timeout_at(deadline, waiting).await.is_err() {
                return Err(RequestError::Busy("all streams are in use"));
            }
        }
    }

    fn try_enter(self: &Arc<Self>, class: Class) -> Result<Slot, Full> {
        let mut counts = self.counts();
        let max = self.limits.max_streams.min(counts.peer_max);
        // A device that allows few streams keeps at least one for bulk.
        let reserve = self.limits.soap_reserve.min(max / 2);
        if counts.open >= max || (class == Class::Bulk && counts.bulk >= max - reserve) {
            return Err(Full::Streams);
        }
        let window = if counts.boosted { self.limits.boosted_window } else { self.limits.stream_window };
        let charged = u64::from(window);
        if !self.limits.budget.charge(charged) {
            return Err(Full::Memory);
        }
        counts.open += 1;
        counts.opened += 1;
        if class == Class::Bulk {
            counts.bulk += 1;
            counts.bulk_idle_since = None;
        }
        Ok(Slot { gate: Arc::clone(self), class, charged })
    }

    /// The device's own limit, from its SETTINGS.
    pub(super) fn set_peer_max(&self, max: usize) {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        let grew = {
            let mut counts = self.counts();
            let grew = max > counts.peer_max;
            counts.peer_max = max;
            grew
        };
        if grew {
            self.soap_freed.notify_waiters();
            self.bulk_freed.notify_waiters();
        }
    }

    /// Raises the windows if the budget has room for all open streams; true if they are to be raised now.
    pub(super) fn boost(&self) -> bool {
        let mut counts = self.counts();
        if counts.boosted {
            return false;
        }
        let extra = u64::from(self.limits.boosted_window.saturating_sub(self.limits.stream_window));
        let lump = extra * u64::from(counts.open);
        if extra == 0 || !self.limits.budget.charge(lump) {
            return false;
        }
        counts.boosted = true;
        counts.lump = lump;
        true
    }

    /// Lets the windows fall back once no bulk stream was open for a while.
    pub(super) fn rest(&self, now: Instant) {
        let mut counts = self.counts();
        let idle = |since: Instant| now >= since + self.limits.boost_idle;
        if counts.boosted && counts.bulk == 0 && counts.bulk_idle_since.is_some_and(idle) {
            counts.boosted = false;
            self.limits.budget.refund(std::mem::take(&mut counts.lump));
        }
    }

    pub(super) fn boosted(&self) -> bool {
        self.counts().boosted
    }

    /// Streams open now, and opened ever.
    pub(super) fn streams(&self) -> (u32, u64) {
        let counts = self.counts();
        (counts.open, counts.opened)
    }

    /// How long until [`Gate::rest`] may have something to do.
    pub(super) fn rest_in(&self) -> Option<Duration> {
        self.counts().boosted.then_some(self.limits.boost_idle)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let lump = self.counts().lump;
        self.limits.budget.refund(lump);
    }
}

impl Slot {
    pub(super) fn class(&self) -> Class {
        self.class
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.gate.limits.budget.refund(self.charged);
        {
            let mut counts = self.gate.counts();
            counts.open -= 1;
            if self.class == Class::Bulk {
                counts.bulk -= 1;
                if counts.bulk == 0 && counts.boosted {
                    counts.bulk_idle_since = Some(Instant::now());
                }
            }
        }
        self.gate.soap_freed.notify_one();
        self.gate.bulk_freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Budget;

    fn gate(max_streams: u32, soap_reserve: u32, budget: u64) -> Arc<Gate> {
        let limits = Limits { max_streams, soap_reserve, budget: Budget::new(budget), ..Limits::default() };
        Arc::new(Gate::new(limits))
    }

    #[tokio::test(start_paused = true)]
    async fn bulk_never_takes_the_streams_kept_for_soap() {
        let gate = gate(10, 2, 1 << 30);
        let mut bulk = Vec::new();
        for _ in 0..8 {
            bulk.push(gate.enter(Class::Bulk).await.unwrap());
        }
        assert!(matches!(gate.enter(Class::Bulk).await, Err(RequestError::Busy("all streams are in use"))));
        let soap = (gate.enter(Class::Soap).await.unwrap(), gate.enter(Class::Soap).await.unwrap());
        assert!(gate.enter(Class::Soap).await.is_err());
        drop(bulk.pop());
        drop(soap);
        assert!(gate.enter(Class::Bulk).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_place_that_is_freed() {
        let gate = gate(2, 1, 1 << 30);
        let first = gate.enter(Class::Bulk).await.unwrap();
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter(Class::Bulk).await.is_ok() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_allows_few_streams_still_serves_both_classes() {
        let gate = gate(128, 8, 1 << 30);
        gate.set_peer_max(2);
        let _bulk = gate.enter(Class::Bulk).await.unwrap();
        let _soap = gate.enter(Class::Soap).await.unwrap();
        assert!(gate.enter(Class::Soap).await.is_err());
        gate.set_peer_max(3);
        assert!(gate.enter(Class::Soap).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn every_open_stream_is_charged_and_an_empty_budget_means_busy() {
        let gate = gate(10, 0, 3 * 64 * 1024);
        let slots = [gate.enter(Class::Bulk).await.unwrap(), gate.enter(Class::Bulk).await.unwrap()];
        assert!(!gate.boost(), "no room for larger windows");
        let third = gate.enter(Class::Soap).await.unwrap();
        let busy = gate.enter(Class::Soap).await;
        assert!(matches!(busy, Err(RequestError::Busy("no memory is left for another stream"))));
        drop((slots, third));
        assert_eq!(gate.limits().budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_boost_is_charged_for_what_is_open_and_refunded_after_bulk_has_rested() {
        let gate = gate(10, 0, 1 << 30);
        let used = |gate: &Gate| gate.limits().budget.used() / 1024;
        let first = gate.enter(Class::Bulk).await.unwrap();
        assert!(gate.boost() && !gate.boost());
        assert_eq!(used(&gate), 1024);
        let second = gate.enter(Class::Bulk).await.unwrap();
        assert_eq!(used(&gate), 2048);
        drop((first, second));
        gate.rest(Instant::now());
        assert!(gate.boosted(), "not at once");
        gate.rest(Instant::now() + Duration::from_secs(10));
        assert!(!gate.boosted());
        assert_eq!(used(&gate), 0);
    }
}
