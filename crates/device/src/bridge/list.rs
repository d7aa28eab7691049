//! The list of cameras and its life: what is wanted against what runs, at start and whenever the file, the LAN or the operator says otherwise.
//!
//! ```text
//!  file ─ every change, SIGHUP ─► checked? ─► wanted ─┐
//!                                   └ no: the old one │
//!  LAN ─ probes, hellos ─► known, kept ───────────────┴─► compare(wanted, running) ─► start │ change │ stop: a keeper each
//! ```

use super::camera::Common;
use super::compare::{Step, compare};
use super::entry::{CameraEntry, clash};
use super::finder::Finder;
use super::keeper::{Keeper, Means};
use super::known::{Camera, Known, Learnt};
use super::port;
use super::slot::{CameraState, Slot, Slots};
use crate::config::{BridgeCloud, BridgeConfig, ConfigError, Discover};
use crate::device::DeviceError;
use crate::door::{Answer, Lan, listen};
use crate::store::{Folder, StoreError};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use url::Host;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Starts, searches and enrolments at one time.
const STARTS: usize = 8;
const SEARCHES: usize = 4;
const ENROLMENTS: usize = 4;
/// Cameras that were found and not yet taken in.
const FOUND: usize = 64;

/// A running bridge. Dropping it ends everything that it started.
pub struct Bridge {
    lan: Lan,
    slots: Arc<Slots>,
    wanted: watch::Sender<Arc<Wanted>>,
    reload: Arc<Notify>,
    problem: Arc<Mutex<Option<String>>>,
    stop: Option<oneshot::Sender<()>>,
    driver: JoinHandle<()>,
    _lock: File,
}

/// What can change while the bridge runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    cameras: Vec<CameraEntry>,
    discover: Option<Discover>,
    cloud: Option<BridgeCloud>,
}

impl Wanted {
    fn of(config: &BridgeConfig) -> Self {
        Self { cameras: config.cameras.clone(), discover: config.discover.clone(), cloud: config.cloud.clone() }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

impl Bridge {
    /// Starts a bridge: takes its data folder, opens its ports, starts its cameras. A camera that cannot be started keeps no other from it;
    /// [`Self::cameras`] says why.
    ///
    /// # Errors
    /// [`DeviceError`]: the data folder, the file of the cameras that were found, or a port. Nothing is left running then.
    pub async fn start(config: BridgeConfig) -> Result<Self, DeviceError> {
        let folder = config.data.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let lock = Folder::take(&folder)?;
            Ok::<_, StoreError>((lock, Known::open(&folder)?))
        });
        let (lock, known) = opened.await.map_err(|_| DeviceError::Interrupted)??;
        let listeners = listen(&config.listen).await?;
        let slots = Arc::new(Slots::default());
        let asked = Arc::clone(&slots);
        let answer: Answer = Arc::new(move |request, peer, local| {
            let slots = Arc::clone(&asked);
            Box::pin(async move { port::answer(&slots, request, peer, local).await })
        });
        let lan = Lan::start(listeners, &answer, config.max_connections);
        let wanted = watch::Sender::new(Arc::new(Wanted::of(&config)));
        let (reload, problem) = (Arc::new(Notify::new()), Arc::default());
        let (stop, stopped) = oneshot::channel();
        let (found_by, found) = mpsc::channel(FOUND);
        let (search, cloud) = (watch::Sender::new(None), watch::Sender::new(None));
        let learnt = Arc::new(Notify::new());
        let means = Arc::new(Means {
            common: Arc::new(common(&config)),
            folder: config.data.join("cameras"),
            starts: Semaphore::new(STARTS),
            searches: Semaphore::new(SEARCHES),
            enrolments: Semaphore::new(ENROLMENTS),
            search: search.subscribe(),
            cloud: cloud.subscribe(),
            learnt: Arc::clone(&learnt),
        });
        let driver = Driver {
            slots: Arc::clone(&slots),
            means,
            known,
            wanted: wanted.clone(),
            source: config.file.map(Source::new),
            reload: Arc::clone(&reload),
            problem: Arc::clone(&problem),
            search,
            cloud,
            learnt,
            finder: None,
            found_by,
            keepers: BTreeMap::new(),
            leaving: BTreeMap::new(),
            full: false,
            deaf: false,
        };
        let driver = tokio::spawn(driver.run(found, stopped));
        Ok(Self { lan, slots, wanted, reload, problem, stop: Some(stop), driver, _lock: lock })
    }

    /// Where the LAN reaches the bridge, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.lan.addresses()
    }

    /// How the cameras do, by name.
    pub fn cameras(&self) -> Vec<CameraState> {
        self.slots.all().iter().map(|slot| slot.state()).collect()
    }

    /// How a camera does.
    pub fn camera(&self, name: &str) -> Option<CameraState> {
        self.slots.named(name).map(|slot| slot.state())
    }

    /// From now on the cameras, the search for more, and the cloud are those of this configuration. What else is in it counts from the next start on.
    ///
    /// # Errors
    /// [`ConfigError`]: two entries are one camera. Nothing changes then.
    pub fn apply(&self, config: &BridgeConfig) -> Result<(), ConfigError> {
        replace(&self.wanted, config)
    }

    /// Reads the configuration file again; it is also read when it changes.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// What was wrong with the configuration file when it was last read: then the list before it counts.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes no more requests, lets the answers that are on their way arrive, closes every uplink of every camera, and returns when all is done: within
    /// some ten seconds.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        let Self { lan, driver, .. } = &mut self;
        // An error means that the task is already gone.
        let _ = tokio::join!(lan.close(), driver);
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn common(config: &BridgeConfig) -> Common {
    let mut common = Common::default();
    common.call_out = config.call_out.clone();
    common.insecure_uplinks = config.insecure_uplinks;
    common.max_uplinks = config.max_uplinks;
    common.clock_tolerance = config.clock_tolerance;
    common.max_body = config.max_body;
    common.camera_pages = config.camera_pages;
    common.join_trace = config.join_trace;
    common
}

fn replace(wanted: &watch::Sender<Arc<Wanted>>, config: &BridgeConfig) -> Result<(), ConfigError> {
    if let Some(clash) = clash(&config.cameras) {
        let problem = format!(
            "the cameras {} and {} have the same {}; one camera is in the list once",
            config.cameras[clash.first].name, config.cameras[clash.second].name, clash.shared
        );
        return Err(ConfigError { file: config.file.clone(), line: None, key: Some("camera".to_owned()), problem });
    }
    wanted.send_if_modified(|current| {
        let next = Wanted::of(config);
        let is_new = **current != next;
        if is_new {
            *current = Arc::new(next);
        }
        is_new
    });
    Ok(())
}

/// The configuration file, and how it looked when it was last read.
struct Source {
    file: PathBuf,
    /// When it was last read.
    read: Option<(SystemTime, u64)>,
    /// When it was last looked at.
    seen: Option<(SystemTime, u64)>,
}

impl Source {
    fn new(file: PathBuf) -> Self {
        let seen = look(&file);
        Self { file, read: seen, seen }
    }

    /// Whether it is another one than was read, and the same as at the last look: one that is still being written may be a good one by accident.
    fn has_changed(&mut self) -> bool {
        let now = look(&self.file);
        let is_still = now == self.seen;
        self.seen = now;
        let changed = is_still && now != self.read;
        if changed {
            self.read = now;
        }
        changed
    }
}

fn look(file: &Path) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Keeps what runs equal to what is wanted.
struct Driver {
    slots: Arc<Slots>,
    means: Arc<Means>,
    known: Known,
    wanted: watch::Sender<Arc<Wanted>>,
    source: Option<Source>,
    reload: Arc<Notify>,
    problem: Arc<Mutex<Option<String>>>,
    search: watch::Sender<Option<super::search::Search>>,
    cloud: watch::Sender<Option<Arc<BridgeCloud>>>,
    learnt: Arc<Notify>,
    finder: Option<Finder>,
    found_by: mpsc::Sender<Camera>,
    keepers: BTreeMap<String, Keeper>,
    /// Those that drain; a camera of the same name starts after them.
    leaving: BTreeMap<String, Keeper>,
    full: bool,
    /// Whether the sockets on the LAN could not be opened when they were last needed.
    deaf: bool,
}

impl Driver {
    async fn run(mut self, mut found: mpsc::Receiver<Camera>, mut stopped: oneshot::Receiver<()>) {
        let (mut wanted, reload, learnt) =
            (self.wanted.subscribe(), Arc::clone(&self.reload), Arc::clone(&self.learnt));
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = wanted.borrow_and_update().clone();
            self.settle(&now);
            tokio::select! {
                // Its sender is ours.
                _ = wanted.changed() => {}
                () = reload.notified() => self.read().await,
                () = learnt.notified() => {}
                _ = ticks.tick() => if self.source.as_mut().is_some_and(Source::has_changed) { self.read().await },
                Some(camera) = found.recv() => self.learn(camera, &now),
                _ = &mut stopped => break,
            }
        }
        let keepers =
            std::mem::take(&mut self.keepers).into_values().chain(std::mem::take(&mut self.leaving).into_values());
        let mut keepers: Vec<Keeper> = keepers.collect();
        keepers.iter_mut().for_each(Keeper::tell_to_end);
        for keeper in keepers {
            keeper.ended().await;
        }
    }

    /// Takes the steps to what is wanted.
    fn settle(&mut self, now: &Wanted) {
        self.leaving.retain(|_, keeper| !keeper.has_ended());
        self.look_around(now);
        self.cloud.send_if_modified(|current| {
            let is_new = current.as_deref() != now.cloud.as_ref();
            if is_new {
                *current = now.cloud.clone().map(Arc::new);
            }
            is_new
        });
        let mut entries = now.cameras.clone();
        let keepers = &self.keepers;
        self.known.follow(|name| keepers.get(name)?.slot.asked_at());
        if let Some(discover) = &now.discover {
            entries.extend(self.known.entries(discover, &self.as_known(&now.cameras)));
        }
        let running: Vec<CameraEntry> =
            self.keepers.values().map(|keeper| CameraEntry::clone(&keeper.listed.borrow())).collect();
        for step in compare(&entries, &running) {
            self.take(step, now);
        }
    }

    /// The listed cameras with what was learnt of them since, unless the list has changed since then.
    fn as_known(&self, listed: &[CameraEntry]) -> Vec<CameraEntry> {
        let better = |entry: &CameraEntry| {
            let keeper = self.keepers.get(&entry.name).filter(|keeper| **keeper.listed.borrow() == *entry);
            keeper.map_or_else(|| entry.clone(), |keeper| CameraEntry::clone(&keeper.slot.entry()))
        };
        listed.iter().map(better).collect()
    }

    fn take(&mut self, step: Step, now: &Wanted) {
        match step {
            Step::Start(entry) => {
                tracing::info!(camera = entry.name, address = %entry.address, "starts");
                let entry = Arc::new(entry);
                let found = !now.cameras.iter().any(|listed| listed.name == entry.name);
                let before = self.leaving.remove(&entry.name);
                let slot = Arc::new(Slot::new(&entry, found, self.known.title(&entry.name)));
                self.slots.put(Arc::clone(&slot));
                self.keepers.insert(entry.name.clone(), Keeper::start(slot, Arc::clone(&self.means), before));
            }
            Step::Change(entry) => {
                if let Some(keeper) = self.keepers.get(&entry.name) {
                    tracing::info!(camera = entry.name, address = %entry.address, "changes");
                    keeper.listed.send_replace(Arc::new(entry));
                }
            }
            Step::Stop(name) => {
                tracing::info!(camera = name, "is not wanted any more");
                self.slots.remove(&name);
                if let Some(mut keeper) = self.keepers.remove(&name) {
                    keeper.tell_to_end();
                    self.leaving.insert(name, keeper);
                }
            }
        }
    }

    /// Opens and closes the sockets on the LAN, as they are needed.
    fn look_around(&mut self, now: &Wanted) {
        // A camera on this very machine moves nowhere.
        let is_needed = now.discover.is_some() || now.cameras.iter().any(|camera| !is_here(camera));
        let is_for = self.finder.as_ref().map(|finder| finder.is_for(now.discover.as_ref()));
        if is_right(is_for, is_needed) {
            return;
        }
        self.finder = None;
        if is_needed {
            match Finder::open(now.discover.clone(), Arc::clone(&self.slots), self.found_by.clone()) {
                Ok(finder) => self.finder = Some(finder),
                // It is tried again, and said once.
                Err(error) if !self.deaf => {
                    tracing::warn!(%error, "cameras cannot be looked for on this machine's networks");
                }
                Err(_) => {}
            }
        }
        self.deaf = is_needed && self.finder.is_none();
        self.search.send_replace(self.finder.as_ref().map(Finder::search));
    }

    fn learn(&mut self, camera: Camera, now: &Wanted) {
        let Some(discover) = &now.discover else { return };
        let (endpoint, address) = (camera.endpoint.clone(), camera.address.clone());
        let is_taken = self.slots.all().iter().any(|slot| slot.is_at(&address));
        let is_stale = |name: &str| self.slots.named(name).is_some_and(|slot| slot.is_stale());
        match self.known.learn(camera, discover, is_taken, is_stale) {
            Learnt::New => tracing::info!(endpoint, %address, "a camera was found"),
            Learnt::Full if !self.full => {
                self.full = true;
                tracing::warn!(most = discover.most, endpoint, "no more cameras are taken in: see discover.most");
            }
            Learnt::Known | Learnt::Full | Learnt::Unfit => {}
        }
    }

    /// Reads the configuration file; one that cannot be used changes nothing.
    async fn read(&mut self) {
        let Some(source) = &self.source else { return };
        let file = source.file.clone();
        let read = tokio::task::spawn_blocking(move || BridgeConfig::load(&file)).await;
        let Ok(read) = read else { return };
        let problem = read.and_then(|config| replace(&self.wanted, &config)).err().map(|error| error.to_string());
        match &problem {
            Some(problem) => tracing::error!(problem, "the configuration cannot be used; what was there before counts"),
            None => tracing::info!("the configuration was read again"),
        }
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Whether the sockets on the LAN are as they should be. `is_for`: they are open, for what is wanted or for something else.
fn is_right(is_for: Option<bool>, is_needed: bool) -> bool {
    match (is_for, is_needed) {
        (Some(is_for), true) => is_for,
        (Some(_), false) => false,
        (None, is_needed) => !is_needed,
    }
}

/// Whether the camera is this very machine.
fn is_here(camera: &CameraEntry) -> bool {
    match camera.address.host() {
        Some(Host::Ipv4(host)) => host.is_loopback(),
        Some(Host::Ipv6(host)) => host.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_nobody_needs_are_closed_and_those_for_something_else_are_opened_anew() {
        let right = [(Some(true), true), (None, false)];
        let wrong = [(Some(false), true), (Some(true), false), (Some(false), false), (None, true)];
        assert!(right.into_iter().all(|(is_for, is_needed)| is_right(is_for, is_needed)));
        assert!(!wrong.into_iter().any(|(is_for, is_needed)| is_right(is_for, is_needed)));
    }
}
