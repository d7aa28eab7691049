//! Who is connected, and the way to them (Uplink §5.2).
//!
//! A device may hold several tunnels: two addresses of one cloud, or a new connection beside an old one that is being drained. The newest live one is
//! used. A seam: callers see [`Registry`] and [`Way`], never an HTTP/2 handle, so that a device may one day be connected to another node.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use oriel_uplink::cloud::{CloseReason, Tunnel};
use tokio::sync::Notify;

use crate::records::DeviceId;

mod roster;
mod way;

pub use roster::Held;
use roster::Roster;
pub use way::Way;

/// How long a caller waits for a device that is known to be moving.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no way to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device is offline")]
pub struct Offline;

/// Names one claim, so that only its owner can release it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

/// What the registry knows of a device.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    /// The tunnels, newest last.
    pub tunnels: Vec<Held>,
    /// Why the last tunnel that closed did, and when.
    pub last_close: Option<(CloseReason, Instant)>,
}

/// The registry of one process.
#[derive(Debug)]
pub struct Registry {
    inner: Mutex<Inner>,
    most: usize,
    /// Until then any registered device may be on its way back: this process has just started.
    settled: Instant,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    devices: HashMap<DeviceId, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    roster: Roster,
    moving_until: Option<Instant>,
    last_close: Option<(CloseReason, Instant)>,
    arrival: Option<Arc<Notify>>,
}

impl Registry {
    /// A registry that keeps at most `most` tunnels a device.
    #[must_use]
    pub fn new(most: usize, now: Instant) -> Self {
        Self { inner: Mutex::default(), most, settled: now + 2 * PATIENCE }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of the registry's lock panics")
    }

    /// Takes in a tunnel. Returns the claim, and the tunnels that are too many now, oldest first.
    pub fn claim(&self, device: &DeviceId, tunnel: Tunnel, source: IpAddr) -> (Epoch, Vec<Tunnel>) {
        let mut inner = self.lock();
        inner.next += 1;
        let epoch = Epoch(inner.next);
        let entry = inner.devices.entry(Arc::clone(device)).or_default();
        let evicted = entry.roster.add(Held { epoch, tunnel, source }, self.most);
        entry.moving_until = None;
        if let Some(arrival) = entry.arrival.take() {
            arrival.notify_waiters();
        }
        (epoch, evicted)
    }

    /// Gives up a claim after its tunnel closed. Others' claims are not touched.
    pub fn release(&self, device: &DeviceId, epoch: Epoch, reason: CloseReason, now: Instant) {
        let mut inner = self.lock();
        let Some(entry) = inner.devices.get_mut(device) else {
            return;
        };
        let Some(held) = entry.roster.remove(epoch) else { return };
        // A tunnel that was drained in good order is being replaced at this moment.
        if held.tunnel.is_draining() || matches!(reason, CloseReason::Peer) {
            entry.moving_until = Some(now + PATIENCE);
        }
        entry.last_close = Some((reason, now));
    }

    /// The way to a device, or how long one may appear: `None` when it is offline.
    fn locate(&self, device: &DeviceId, now: Instant) -> Result<Way, Option<(Instant, Arc<Notify>)>> {
        let mut inner = self.lock();
        let entry = match inner.devices.get_mut(device) {
            Some(entry) => entry,
            None if now < self.settled => inner.devices.entry(Arc::clone(device)).or_default(),
            None => return Err(None),
        };
        if let Some(tunnel) = entry.roster.best() {
            return Ok(Way::new(tunnel.clone()));
        }
        let settling = (entry.last_close.is_none() && now < self.settled).then_some(self.settled);
        match entry.moving_until.or(settling).filter(|until| *until > now) {
            None => Err(None),
            Some(until) => {
                let arrival = entry.arrival.get_or_insert_with(Arc::default);
                Err(Some((until.min(now + PATIENCE), Arc::clone(arrival))))
            }
        }
    }

    /// The way to a registered device. At once when it is connected or offline; a device that is known to be moving gets [`PATIENCE`].
    ///
    /// # Errors
    /// [`Offline`].
    pub async fn find(&self, device: &DeviceId) -> Result<Way, Offline> {
        loop {
            let (until, arrival) = match self.locate(device, Instant::now()) {
                Ok(way) => return Ok(way),
                Err(None) => return Err(Offline),
                Err(Some(moving)) => moving,
            };
            let arrived = arrival.notified();
            tokio::pin!(arrived);
            // Heard from now on; what arrived in between shows in the second look.
            arrived.as_mut().enable();
            if let Ok(way) = self.locate(device, Instant::now()) {
                return Ok(way);
            }
            if tokio::time::timeout_at(until.into(), arrived).await.is_err() {
                return self.locate(device, Instant::now()).map_err(|_| Offline);
            }
        }
    }

    /// What is known of a device.
    #[must_use]
    pub fn presence(&self, device: &str) -> Presence {
        let inner = self.lock();
        inner.devices.get(device).map_or_else(Presence::default, |entry| Presence {
            tunnels: entry.roster.held().to_vec(),
            last_close: entry.last_close.clone(),
        })
    }

    /// Closes all tunnels of a device at once: it was revoked or removed.
    pub fn cut(&self, device: &str, reason: &CloseReason) {
        for held in self.presence(device).tunnels {
            held.tunnel.close(reason.clone());
        }
    }

    /// All live tunnels.
    #[must_use]
    pub fn tunnels(&self) -> Vec<Tunnel> {
        let inner = self.lock();
        inner.devices.values().flat_map(|entry| entry.roster.held().iter().map(|held| held.tunnel.clone())).collect()
    }
}
