//! Who is connected, and the way to them (Uplink §5.2).
//!
//! A device may hold several tunnels: two addresses of one cloud, or a new connection beside an old one that is being drained. The newest live one is
//! used. A seam: callers see [`Registry`] and [`Way`], never an HTTP/2 handle, so that a device may one day be connected to another node.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use oriel_uplink::cloud::{CloseReason, Tunnel};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::records::{CredentialKind, DeviceId};

mod history;
mod roster;
mod way;

use history::History;
pub use history::Past;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Epoch(u64);

/// What the registry knows of a device.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    /// The tunnels, newest last.
    pub tunnels: Vec<Held>,
    /// Why the last tunnel that closed did, and when.
    pub last_close: Option<(CloseReason, Instant)>,
    /// Where the newest tunnel came from, whether it still stands or not.
    pub last_source: Option<IpAddr>,
    /// How often it dialled and proved who it is, refused attempts included.
    pub attempts: u64,
}

impl Presence {
    /// Whether a tunnel stands.
    #[must_use]
    pub fn online(&self) -> bool {
        self.tunnels.iter().any(|held| !held.tunnel.is_closed())
    }
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
    last_source: Option<IpAddr>,
    attempts: u64,
    history: History,
    arrival: Option<Arc<Notify>>,
    /// The device is registered no more; the entry goes with its last tunnel.
    forgotten: bool,
}

/// No way at this moment: until when to wait, and for what. `None`: the device is offline.
type Absent = Option<(Instant, OwnedNotified)>;

impl Registry {
    /// A registry that keeps at most `most` tunnels a device.
    #[must_use]
    pub fn new(most: usize, now: Instant) -> Self {
        Self { inner: Mutex::default(), most, settled: now + 2 * PATIENCE }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of the registry's lock panics")
    }

    /// Takes in a tunnel. Returns the claim, and the tunnels that are too many now, oldest first; they are held until they are released.
    pub fn claim(
        &self,
        device: &DeviceId,
        tunnel: Tunnel,
        source: IpAddr,
        credential: CredentialKind,
    ) -> (Epoch, Vec<Tunnel>) {
        let mut inner = self.lock();
        inner.next += 1;
        let epoch = Epoch(inner.next);
        let entry = inner.devices.entry(Arc::clone(device)).or_default();
        let evicted = entry.roster.add(Held { epoch, tunnel, source, credential, leaving: false }, self.most);
        entry.moving_until = None;
        entry.last_source = Some(source);
        entry.attempts += 1;
        entry.forgotten = false;
        if let Some(arrival) = entry.arrival.take() {
            arrival.notify_waiters();
        }
        (epoch, evicted)
    }

    /// Gives up a claim after its tunnel closed. Others' claims are not touched.
    pub fn release(&self, device: &DeviceId, epoch: Epoch, reason: CloseReason, now: Instant) {
        let mut inner = self.lock();
        let Some(entry) = inner.devices.get_mut(device) else { return };
        let Some(held) = entry.roster.remove(epoch) else { return };
        // A tunnel that was drained in good order is being replaced at this moment.
        if held.tunnel.is_draining() || matches!(reason, CloseReason::Peer) {
            entry.moving_until = Some(now + PATIENCE);
        }
        let stats = held.tunnel.stats();
        let lasted = now.saturating_duration_since(stats.since.into_std());
        entry.history.add(Past {
            at: SystemTime::now() - lasted,
            source: held.source,
            form: Some(held.tunnel.form()),
            lasted,
            bytes_read: stats.bytes_read,
            bytes_written: stats.bytes_written,
            reason: reason.to_string(),
        });
        entry.last_close = Some((reason, now));
        if entry.forgotten && entry.roster.held().is_empty() {
            inner.devices.remove(device);
        }
    }

    /// A registered device dialled and was refused.
    pub fn refused(&self, device: &DeviceId, source: IpAddr, reason: &str) {
        let mut inner = self.lock();
        let entry = inner.devices.entry(Arc::clone(device)).or_default();
        entry.attempts += 1;
        entry.history.add(Past {
            at: SystemTime::now(),
            source,
            form: None,
            lasted: Duration::ZERO,
            bytes_read: 0,
            bytes_written: 0,
            reason: reason.to_owned(),
        });
    }

    /// The last connections of a device, newest first.
    #[must_use]
    pub fn history(&self, device: &str) -> Vec<Past> {
        self.lock().devices.get(device).map_or_else(Vec::new, |entry| entry.history.to_vec())
    }

    /// Drops what is known of a device that is registered no more.
    pub fn forget(&self, device: &str) {
        let mut inner = self.lock();
        let Some(entry) = inner.devices.get_mut(device) else { return };
        entry.forgotten = true;
        if entry.roster.held().is_empty() {
            inner.devices.remove(device);
        }
    }

    fn locate(&self, device: &DeviceId, now: Instant) -> Result<Way, Absent> {
        let mut inner = self.lock();
        let entry = match inner.devices.get_mut(device) {
            Some(entry) => entry,
            None if now < self.settled => inner.devices.entry(Arc::clone(device)).or_default(),
            None => return Err(None),
        };
        if let Some(tunnel) = entry.roster.best() {
            return Ok(Way::new(tunnel.clone()));
        }
        // Held and not usable: it closed a moment ago, or the device is leaving it for another.
        let leaving = (!entry.roster.held().is_empty()).then(|| now + PATIENCE);
        let settling = (entry.last_close.is_none() && now < self.settled).then_some(self.settled);
        match leaving.or(entry.moving_until).or(settling).filter(|until| *until > now) {
            None => Err(None),
            Some(until) => {
                let arrival = Arc::clone(entry.arrival.get_or_insert_with(Arc::default));
                // Made under the lock: it hears of every arrival from here on.
                Err(Some((until, arrival.notified_owned())))
            }
        }
    }

    /// The way to a registered device. At once when it is connected or offline; a device that is known to be moving gets [`PATIENCE`].
    ///
    /// # Errors
    /// [`Offline`].
    pub async fn find(&self, device: &DeviceId) -> Result<Way, Offline> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (until, arrival) = match self.locate(device, Instant::now()) {
                Ok(way) => return Ok(way),
                Err(None) => return Err(Offline),
                Err(Some(moving)) => moving,
            };
            if tokio::time::timeout_at(until.min(deadline).into(), arrival).await.is_err() {
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
            last_source: entry.last_source,
            attempts: entry.attempts,
        })
    }

    /// Whether a device has a tunnel that stands.
    #[must_use]
    pub fn online(&self, device: &str) -> bool {
        let inner = self.lock();
        inner.devices.get(device).is_some_and(|entry| entry.roster.held().iter().any(|held| !held.tunnel.is_closed()))
    }

    /// Closes at once the tunnels of a device that were let in by one of `which` credentials.
    pub fn cut(&self, device: &str, which: impl Fn(&CredentialKind) -> bool, reason: &CloseReason) {
        for held in self.presence(device).tunnels.iter().filter(|held| which(&held.credential)) {
            held.tunnel.close(reason.clone());
        }
    }

    /// Every device with its tunnels.
    #[must_use]
    pub fn everyone(&self) -> Vec<(DeviceId, Vec<Held>)> {
        let inner = self.lock();
        inner.devices.iter().map(|(id, entry)| (Arc::clone(id), entry.roster.held().to_vec())).collect()
    }

    /// All live tunnels.
    #[must_use]
    pub fn tunnels(&self) -> Vec<Tunnel> {
        let inner = self.lock();
        inner.devices.values().flat_map(|entry| entry.roster.held().iter().map(|held| held.tunnel.clone())).collect()
    }
}
