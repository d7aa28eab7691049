//! A feed of each device's events: one pull point through its tunnel (Core §9.1), resumed after whatever broke it, kept within bounds, told to whoever listens.
//!
//! ```text
//! device ◄── tunnel ── driver ◄─► machine (pure) ── batch ─► writer ── one transaction a second for all ─► records ─► listeners
//! ```
//! The machine decides, the driver asks, the writer makes durable; only then the next pull is made. So a slow store slows the pulls, and the device's own
//! queue or store takes what comes meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::Shared;
use crate::records::{DeviceId, OrganisationId};

mod driver;
pub(crate) mod entry;
mod machine;
mod pace;
mod words;
mod writer;

pub(crate) use machine::{Batch, Memory, State, Status};
use writer::Jobs;

/// Listeners of one organisation.
const LISTENERS: usize = 256;
/// Long answers that are read at once.
const LONG_ANSWERS: usize = 32;

/// The feeds of all devices.
pub(crate) struct Feeds {
    inner: Mutex<Inner>,
    /// Devices to look at.
    news: Notify,
    /// Batches on their way to the records.
    jobs: Jobs,
    /// The drivers.
    tasks: TaskTracker,
    /// Places for answers that are long.
    long: Semaphore,
}

#[derive(Default)]
struct Inner {
    /// Whose connection changed.
    changed: HashSet<DeviceId>,
    running: HashMap<DeviceId, Arc<Running>>,
    listeners: HashMap<DeviceId, Told>,
    /// Another process has the store, and the feeds with it.
    over: bool,
}

/// A feed that runs.
struct Running {
    /// Its device's connection changed.
    look: Notify,
    status: Mutex<Status>,
}

/// Those who listen to one device.
struct Told {
    organisation: OrganisationId,
    /// The number of the newest entry, when it came to be known.
    newest: watch::Sender<u64>,
}

impl Feeds {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            news: Notify::new(),
            jobs: Jobs::new(),
            tasks: TaskTracker::new(),
            long: Semaphore::new(LONG_ANSWERS),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }

    /// A device's connection or registration may have changed.
    pub(crate) fn look(&self, device: &DeviceId) {
        self.lock().changed.insert(Arc::clone(device));
        self.news.notify_one();
    }

    /// How the feed of a device is; none while there is none.
    pub(crate) fn status(&self, device: &str) -> Option<Status> {
        self.lock().running.get(device).map(|running| running.status())
    }

    /// How many feeds are in each state.
    pub(crate) fn states(&self) -> Vec<State> {
        self.lock().running.values().map(|running| running.status().state).collect()
    }

    /// Listens to a device: the number of its newest entry, as it becomes known. None when too many of the organisation do already.
    pub(crate) fn listen(&self, organisation: &OrganisationId, device: &DeviceId) -> Option<watch::Receiver<u64>> {
        let mut inner = self.lock();
        inner.listeners.retain(|_, told| told.newest.receiver_count() > 0);
        let theirs = inner.listeners.values().filter(|told| told.organisation == *organisation);
        if theirs.map(|told| told.newest.receiver_count()).sum::<usize>() >= LISTENERS {
            return None;
        }
        let told = inner
            .listeners
            .entry(Arc::clone(device))
            .or_insert_with(|| Told { organisation: Arc::clone(organisation), newest: watch::Sender::new(0) });
        Some(told.newest.subscribe())
    }

    /// Tells that entries are durable.
    fn kept(&self, device: &str, newest: u64) {
        if let Some(told) = self.lock().listeners.get(device) {
            told.newest.send_replace(newest);
        }
    }

    /// Waits until the feeds have ended, which begin to when the cloud drains.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Running {
    fn status(&self) -> Status {
        self.status.lock().expect("no holder panics").clone()
    }

    fn tell(&self, status: Status) {
        *self.status.lock().expect("no holder panics") = status;
    }
}

/// Starts a feed for each device that arrives, until the cloud drains.
pub(crate) async fn run(shared: Arc<Shared>) {
    if !shared.config.feed.enabled {
        return;
    }
    shared.spawn(&shared.watchers, writer::run(Arc::clone(&shared)));
    while shared.draining.run_until_cancelled(shared.feeds.news.notified()).await.is_some() {
        let changed = std::mem::take(&mut shared.feeds.lock().changed);
        for device in changed {
            look_at(&device, &shared);
        }
    }
}

fn look_at(device: &DeviceId, shared: &Arc<Shared>) {
    let mut inner = shared.feeds.lock();
    if let Some(running) = inner.running.get(device) {
        running.look.notify_one();
        return;
    }
    let registered = shared.records.device(device).filter(|device| !device.revoked);
    let Some(registered) = registered.filter(|_| !inner.over && shared.registry.online(device)) else { return };
    let status = Status { state: State::Beginning, reason: None, keeps: false };
    let running = Arc::new(Running { look: Notify::new(), status: Mutex::new(status) });
    inner.running.insert(Arc::clone(device), Arc::clone(&running));
    drop(inner);
    let place = Place(Arc::clone(shared), Arc::clone(device));
    shared.spawn(&shared.feeds.tasks, async move {
        driver::drive(&registered, &running, &place.0).await;
        drop(place);
    });
}

/// A feed's place among those that run, given back when dropped.
struct Place(Arc<Shared>, DeviceId);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.feeds.lock().running.remove(&self.1);
        // It may have come back in the moment in which its feed ended.
        self.0.feeds.look(&self.1);
    }
}
