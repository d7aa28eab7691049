//! One place of the bridge: what the LAN's port and whoever asks how it does need to know of a camera, while its keeper tends to it.

use super::camera::{BridgedCamera, CameraStatus, Contact};
use super::entry::{CameraEntry, same_endpoint, same_place};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use url::Url;

/// A camera that was found and has never answered for so long may make room for others.
const STALE: Duration = Duration::from_secs(3600);

/// How the bridge's enrolment of a camera goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Enrolment {
    /// No cloud is configured, or the camera has an uplink, or had one by the bridge.
    #[default]
    None,
    /// It waits for the camera, or for its turn.
    Waiting,
    /// It failed, and is tried again.
    Failed {
        /// How often.
        times: u32,
        /// The last reason.
        reason: String,
    },
    /// It was done since the bridge started; the cloud's id of the device.
    Done(String),
}

/// How a camera of the bridge does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CameraState {
    /// Its name: its folder, and its segment of the bridge's paths.
    pub name: String,
    /// What it calls itself, if it was found.
    pub title: Option<String>,
    /// Its device service on the LAN, as it is asked at present.
    pub address: Url,
    /// Whether the bridge found it; else it was listed.
    pub found: bool,
    /// What is wrong, if anything is: it cannot start, it does not answer, it is another camera.
    pub problem: Option<String>,
    /// The virtual device; none when it could not be started.
    pub device: Option<CameraStatus>,
    /// Whether it came to the cloud by itself.
    pub enrolment: Enrolment,
}

/// The place of one camera.
pub(super) struct Slot {
    name: String,
    title: Option<String>,
    inner: Mutex<Inner>,
    /// True when the camera is on its way out: what still goes on is cut off.
    gone: watch::Sender<bool>,
    begun: Instant,
    /// Wakes the keeper: somebody knows more than it does.
    pub(super) nudge: Notify,
}

struct Inner {
    camera: Option<Arc<BridgedCamera>>,
    /// With what is known better than in the list.
    entry: Arc<CameraEntry>,
    found: bool,
    problem: Option<String>,
    enrolment: Enrolment,
    /// Whether the camera ever answered.
    reached: bool,
    /// Whether another camera is at its address.
    misplaced: bool,
}

impl Slot {
    pub(super) fn new(entry: &Arc<CameraEntry>, found: bool, title: Option<String>) -> Self {
        let inner = Inner {
            camera: None,
            entry: Arc::clone(entry),
            found,
            problem: None,
            enrolment: Enrolment::None,
            reached: false,
            misplaced: false,
        };
        Self {
            name: entry.name.clone(),
            title,
            inner: Mutex::new(inner),
            gone: watch::Sender::new(false),
            begun: Instant::now(),
            nudge: Notify::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What people call it.
    pub(super) fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry with what is known better.
    pub(super) fn entry(&self) -> Arc<CameraEntry> {
        Arc::clone(&self.inner().entry)
    }

    pub(super) fn set_entry(&self, entry: CameraEntry) {
        self.inner().entry = Arc::new(entry);
    }

    pub(super) fn set_problem(&self, problem: Option<String>) {
        self.inner().problem = problem;
    }

    /// The camera is there, or has been.
    pub(super) fn set_reached(&self) {
        self.inner().reached = true;
    }

    pub(super) fn set_misplaced(&self, misplaced: bool) {
        self.inner().misplaced = misplaced;
    }

    /// Where the camera is asked, once it runs.
    pub(super) fn asked_at(&self) -> Option<Url> {
        let inner = self.inner();
        inner.camera.is_some().then(|| inner.entry.address.clone())
    }

    /// Whether this camera is where the address leads to, as far as is known.
    pub(super) fn is_at(&self, address: &Url) -> bool {
        let inner = self.inner();
        !inner.misplaced && same_place(&inner.entry.address, address)
    }

    /// Whether the camera was waited for in vain, and long enough.
    pub(super) fn is_stale(&self) -> bool {
        self.begun.elapsed() > STALE && !self.inner().reached
    }

    pub(super) fn set_enrolment(&self, enrolment: Enrolment) {
        self.inner().enrolment = enrolment;
    }

    pub(super) fn enrolment(&self) -> Enrolment {
        self.inner().enrolment.clone()
    }

    pub(super) fn open(&self, camera: Arc<BridgedCamera>) {
        self.inner().camera = Some(camera);
    }

    /// From now on nobody gets the camera here, and who has it gives it back.
    pub(super) fn close(&self) {
        self.inner().camera = None;
        self.gone.send_replace(true);
    }

    pub(super) fn camera(&self) -> Option<(Arc<BridgedCamera>, watch::Receiver<bool>)> {
        self.inner().camera.clone().map(|camera| (camera, self.gone.subscribe()))
    }

    pub(super) fn state(&self) -> CameraState {
        let (camera, mut state) = {
            let inner = self.inner();
            let state = CameraState {
                name: self.name.clone(),
                title: self.title.clone(),
                address: inner.entry.address.clone(),
                found: inner.found,
                problem: inner.problem.clone(),
                device: None,
                enrolment: inner.enrolment.clone(),
            };
            (inner.camera.clone(), state)
        };
        state.device = camera.map(|camera| camera.status());
        if let (None, Some(Contact::Silent(why))) =
            (&state.problem, state.device.as_ref().map(|device| &device.contact))
        {
            state.problem = Some(format!("it does not answer: {why}"));
        }
        state
    }
}

/// All places, in the order of the list.
#[derive(Default)]
pub(super) struct Slots(RwLock<Vec<Arc<Slot>>>);

impl Slots {
    pub(super) fn all(&self) -> Vec<Arc<Slot>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn named(&self, name: &str) -> Option<Arc<Slot>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().find(|slot| slot.name == name).map(Arc::clone)
    }

    pub(super) fn put(&self, slot: Arc<Slot>) {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|other| other.name != slot.name);
        slots.push(slot);
        slots.sort_by(|one, other| one.name.cmp(&other.name));
    }

    pub(super) fn remove(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|slot| slot.name != name);
    }

    /// The camera of this endpoint reference said something.
    pub(super) fn nudge(&self, endpoint: &str) {
        let has = |slot: &&Arc<Slot>| slot.entry().endpoint.as_deref().is_some_and(|own| same_endpoint(own, endpoint));
        for slot in self.all().iter().filter(has) {
            slot.nudge.notify_one();
        }
    }
}
