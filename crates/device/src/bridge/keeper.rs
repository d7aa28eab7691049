//! Keeps one camera, in a task of its own: starts it, follows its entry, looks whether it is there, looks for it elsewhere, enrols it, drains it.
//!
//! ```text
//!  earlier one of this name drained ─► start ──► look every minute ── does not answer ──► by its endpoint reference: elsewhere?
//!                      ▲   │ broken folder          │ answers                                  │ its serial number there
//!                      └───┘ tried again            └─► who is it? (serial, reference) ◄───────┘ the new address is kept
//! ```

use super::asked::{Asked, Who};
use super::camera::{BridgedCamera, Common, Contact};
use super::enrol;
use super::entry::CameraEntry;
use super::memory::{Kept, Told};
use super::search::Search;
use super::slot::{Enrolment, Slot};
use crate::config::BridgeCloud;
use aws_lc_rs::rand;
use oriel_client::Client;
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetEndpointReference, GetSystemDateAndTime};
use oriel_uplink::device::State;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Pauses between two tries of the same, from the first to the longest.
const START_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
const ENROL_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));
/// Between two looks at a camera that answers.
const LOOK: Duration = Duration::from_secs(60);
/// Whatever happens, no two looks are closer.
const LEAST: Duration = Duration::from_millis(500);
/// How long a camera may take to tell the time.
const ANSWER: Duration = Duration::from_secs(15);
/// How long those who hold the camera may take to give it back.
const RETURN: Duration = Duration::from_secs(5);
/// Failed looks before the camera is looked for elsewhere.
const SILENT: u32 = 2;

/// What all keepers share.
pub(super) struct Means {
    pub(super) common: Arc<Common>,
    /// The folder of the cameras' folders.
    pub(super) folder: PathBuf,
    /// Starts, searches and enrolments at one time.
    pub(super) starts: Semaphore,
    pub(super) searches: Semaphore,
    pub(super) enrolments: Semaphore,
    pub(super) search: watch::Receiver<Option<Search>>,
    pub(super) cloud: watch::Receiver<Option<Arc<BridgeCloud>>>,
    /// Told when something was learnt that bears on the list.
    pub(super) learnt: Arc<tokio::sync::Notify>,
}

/// A keeper at work. Dropping it ends the camera at once.
pub(super) struct Keeper {
    pub(super) slot: Arc<Slot>,
    /// The entry as it is in the list.
    pub(super) listed: watch::Sender<Arc<CameraEntry>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Starts the camera, once `before` has ended: the keeper of an earlier camera of this name.
    pub(super) fn start(slot: Arc<Slot>, means: Arc<Means>, before: Option<Self>) -> Self {
        let (listed, entry) = watch::channel(slot.entry());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(keep(Arc::clone(&slot), means, entry, before, stopped));
        Self { slot, listed, stop: Some(stop), task }
    }

    /// Tells it to end; it drains.
    pub(super) fn tell_to_end(&mut self) {
        drop(self.stop.take());
    }

    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Returns when it has ended.
    pub(super) async fn ended(mut self) {
        self.tell_to_end();
        // An error means that the task is already gone.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(
    slot: Arc<Slot>,
    means: Arc<Means>,
    mut listed: watch::Receiver<Arc<CameraEntry>>,
    before: Option<Keeper>,
    mut stopped: oneshot::Receiver<()>,
) {
    if let Some(before) = before {
        before.ended().await;
    }
    let started = tokio::select! {
        started = start(&slot, &means, &mut listed) => started,
        _ = &mut stopped => return,
    };
    let (camera, kept) = started;
    let camera = Arc::new(camera);
    slot.open(Arc::clone(&camera));
    {
        let client = enrol::client(&camera);
        let tending = Tending { slot: &slot, means: &means, camera: &camera, client, kept: Mutex::new(kept) };
        tokio::select! {
            () = tending.follow(listed.clone()) => {}
            () = tending.look(listed.clone()) => {}
            () = tending.enrol() => {}
            _ = &mut stopped => {}
        }
    }
    slot.close();
    if let Some(camera) = reclaim(camera).await {
        camera.stop().await;
    }
}

/// Starts the camera, as often as it takes: a broken folder may be mended while the others run.
async fn start(slot: &Slot, means: &Means, listed: &mut watch::Receiver<Arc<CameraEntry>>) -> (BridgedCamera, Kept) {
    let mut pause = START_AGAIN.0;
    loop {
        let entry = listed.borrow_and_update().clone();
        let error = {
            let _place = means.starts.acquire().await;
            match open(&means.folder.join(slot.name()), &entry, means).await {
                Ok((camera, kept)) => {
                    slot.set_entry(CameraEntry::clone(&camera.entry()));
                    slot.set_problem(None);
                    if kept.memory().is_of_use() || !camera.status().uplinks.is_empty() {
                        slot.set_reached();
                    }
                    return (camera, kept);
                }
                Err(error) => error,
            }
        };
        tracing::warn!(camera = slot.name(), error, "the camera cannot be started; it is tried again");
        slot.set_problem(Some(format!("it cannot be started: {error}")));
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(START_AGAIN.1),
            // Without a sender nobody wants it any more, and we are told so.
            Ok(()) = listed.changed() => {}
        }
    }
}

async fn open(folder: &Path, entry: &CameraEntry, means: &Means) -> Result<(BridgedCamera, Kept), String> {
    let place = folder.to_owned();
    let kept = tokio::task::spawn_blocking(move || Kept::open(&place)).await.map_err(|error| error.to_string())?;
    let kept = kept.map_err(|error| error.to_string())?;
    let entry = kept.memory().apply(entry);
    let camera = BridgedCamera::start(folder.to_owned(), entry, Arc::clone(&means.common)).await;
    Ok((camera.map_err(|error| error.to_string())?, kept))
}

/// The camera itself, when all who ask it have let go.
async fn reclaim(mut camera: Arc<BridgedCamera>) -> Option<BridgedCamera> {
    let end = tokio::time::Instant::now() + RETURN;
    loop {
        match Arc::try_unwrap(camera) {
            Ok(camera) => return Some(camera),
            Err(held) => camera = held,
        }
        if tokio::time::Instant::now() >= end {
            return None;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// What is done for a camera while it runs.
struct Tending<'k> {
    slot: &'k Arc<Slot>,
    means: &'k Means,
    camera: &'k BridgedCamera,
    client: Client,
    kept: Mutex<Kept>,
}

impl Tending<'_> {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes nothing on while another camera is at the address.
    fn hold(&self, why: Option<Arc<str>>) {
        self.slot.set_misplaced(why.is_some());
        self.camera.hold(why);
    }

    /// Follows the list.
    async fn follow(&self, mut listed: watch::Receiver<Arc<CameraEntry>>) {
        while listed.changed().await.is_ok() {
            let entry = listed.borrow_and_update().clone();
            self.apply(&entry);
            self.slot.nudge.notify_one();
        }
        // Nobody wants it any more, and we are told so.
        std::future::pending::<()>().await;
    }

    /// Makes the camera what the list says, with what is known better.
    fn apply(&self, listed: &CameraEntry) {
        if !self.kept().memory().is_of(listed) {
            self.hold(None);
        }
        let entry = self.kept().memory().apply(listed);
        match self.camera.change(entry.clone()) {
            Ok(()) => self.slot.set_entry(entry),
            Err(error) => {
                tracing::warn!(camera = self.slot.name(), %error, "the camera stays as it was");
                self.slot.set_problem(Some(format!("it stays as it was: {error}")));
            }
        }
    }

    /// Looks whether the camera is there, and for it elsewhere when it is not.
    async fn look(&self, listed: watch::Receiver<Arc<CameraEntry>>) {
        let mut contact = self.camera.watch();
        let (mut failures, mut pause, mut asked) = (0, LOOK_AGAIN.0, Asked::default());
        loop {
            let entry = listed.borrow().clone();
            let time = tokio::time::timeout(ANSWER, self.client.call(GetSystemDateAndTime::default())).await;
            let answers = matches!(*contact.borrow_and_update(), Contact::Answers) && time.is_ok();
            let wait = if answers {
                (failures, pause) = (0, LOOK_AGAIN.0);
                self.slot.set_reached();
                let address = self.slot.entry().address.clone();
                if asked.is_due(&entry, &address) {
                    let who = self.learn(&entry).await;
                    asked.said(entry, address, who);
                }
                LOOK
            } else {
                asked.silent();
                failures += 1;
                if failures >= SILENT && self.search(&entry).await {
                    failures = 0;
                }
                pause = (pause * 2).min(LOOK_AGAIN.1);
                pause / 2
            };
            contact.borrow_and_update();
            sleep(LEAST).await;
            tokio::select! {
                () = sleep(varied(wait)) => {}
                () = self.slot.nudge.notified() => {
                    failures = failures.max(SILENT - 1);
                    asked.nudged();
                }
                Ok(()) = contact.changed() => {}
            }
        }
    }

    /// Asks whoever is at the camera's address who it is.
    async fn learn(&self, listed: &CameraEntry) -> Who {
        let told = match self.client.call(GetDeviceInformation::default()).await {
            Ok(told) => told,
            Err(error) => {
                let (who, text) = match error.is_refusal() {
                    true => (Who::Shut, "it does not let the account in that is configured for it".to_owned()),
                    false => (Who::Unsaid, format!("it does not tell who it is: {error}")),
                };
                self.slot.set_problem(Some(text));
                return who;
            }
        };
        let endpoint = match listed.endpoint {
            Some(_) => None,
            // An old camera has none to tell.
            None => self.client.call(GetEndpointReference::default()).await.ok().map(|told| told.guid),
        };
        let told = Told { serial: short(&told.serial_number), endpoint: endpoint.as_deref().and_then(short) };
        let (serial, mut is_it) = (told.serial.clone(), false);
        self.kept().change(|memory| is_it = memory.meet(listed, told));
        if !is_it {
            return self.is_another(listed, serial.as_deref()).await;
        }
        self.hold(None);
        self.slot.set_problem(None);
        if self.kept().memory().apply(listed).endpoint != self.slot.entry().endpoint {
            self.apply(listed);
            self.means.learnt.notify_one();
        }
        Who::Itself
    }

    /// Another camera is where this one was: nothing more is passed to it, and the right one is looked for.
    async fn is_another(&self, listed: &CameraEntry, serial: Option<&str>) -> Who {
        let known = self.kept().memory().serial(listed).map(str::to_owned);
        tracing::warn!(camera = self.slot.name(), serial, known, "another camera is at this address");
        self.hold(Some("another camera is at this camera's address; the bridge looks for the right one".into()));
        self.slot.set_problem(Some(format!(
            "another camera, {}, is at its address; the right one is looked for. If this one takes its place, give its endpoint in the list",
            serial.unwrap_or("without a serial number"),
        )));
        // One that was found has told who it is.
        if self.search(listed).await { Who::Itself } else { Who::Another }
    }

    /// Looks for the camera elsewhere. True: it was found.
    async fn search(&self, listed: &CameraEntry) -> bool {
        let Some(search) = self.means.search.borrow().clone() else { return false };
        let Ok(_place) = self.means.searches.acquire().await else { return false };
        let Some(serial) = self.kept().memory().serial(listed).map(str::to_owned) else { return false };
        let entry = self.slot.entry();
        let Some(address) = search.find(&entry, &serial).await else { return false };
        tracing::info!(camera = self.slot.name(), from = %entry.address, to = %address, "the camera was found elsewhere");
        self.kept().change(|memory| memory.found(listed, &address));
        self.apply(listed);
        self.hold(None);
        self.slot.set_problem(None);
        true
    }

    /// Brings the camera to the cloud, unless it has an uplink or had one.
    async fn enrol(&self) {
        let mut cloud = self.means.cloud.clone();
        let mut contact = self.camera.watch();
        let (mut times, mut progress, mut before) = (0, enrol::Progress::default(), None);
        loop {
            let wanted = cloud.borrow_and_update().clone();
            let url = wanted.as_ref().map(|cloud| cloud.url.clone());
            if before.replace(url.clone()).is_some_and(|before| before != url) {
                self.give_up(std::mem::take(&mut progress)).await;
            }
            let Some(wanted) = wanted.filter(|cloud| self.lacks(cloud, &progress)) else {
                if !matches!(self.slot.enrolment(), Enrolment::Done(_)) {
                    self.slot.set_enrolment(Enrolment::None);
                }
                if cloud.changed().await.is_err() {
                    return std::future::pending().await;
                }
                times = 0;
                continue;
            };
            if times == 0 {
                self.slot.set_enrolment(Enrolment::Waiting);
            }
            // What the camera answers is part of what the virtual device answers.
            tokio::select! {
                _ = contact.wait_for(|contact| *contact == Contact::Answers) => {}
                _ = cloud.changed() => continue,
            }
            if self.enrol_at(&wanted, &mut times, &mut progress).await {
                continue;
            }
            let pause = ENROL_AGAIN.0 * 2_u32.pow((times - 1).min(16));
            tokio::select! {
                () = sleep(varied(pause.min(ENROL_AGAIN.1))) => {}
                _ = cloud.changed() => times = 0,
            }
        }
    }

    /// Whether the camera is to come to this cloud still; an uplink that a try set is not one until it has connected.
    fn lacks(&self, cloud: &BridgeCloud, progress: &enrol::Progress) -> bool {
        let has_uplink = || progress.uplink.is_none() && !self.camera.status().uplinks.is_empty();
        self.kept().memory().enrolled.as_ref() != Some(&enrol::mark(cloud)) && !has_uplink()
    }

    /// Another cloud is wanted, or none: an uplink that never connected would stand in its way.
    async fn give_up(&self, progress: enrol::Progress) {
        let uplinks = self.camera.status().uplinks;
        let is_up = uplinks.iter().any(|uplink| uplink.state == State::Connected);
        if let Some(uplink) = progress.uplink.filter(|_| !is_up) {
            enrol::take_back(&self.client, &uplink).await;
        }
    }

    /// One try. False: it failed.
    async fn enrol_at(&self, cloud: &BridgeCloud, times: &mut u32, progress: &mut enrol::Progress) -> bool {
        let _place = self.means.enrolments.acquire().await;
        match enrol::enrol(self.camera, cloud, self.slot.title(), progress).await {
            Ok(()) => {
                let device = std::mem::take(progress).device;
                tracing::info!(camera = self.slot.name(), device, "enrolled at the cloud");
                self.kept().change(|memory| memory.enrolled = Some(enrol::mark(cloud)));
                self.slot.set_enrolment(Enrolment::Done(device));
                true
            }
            Err(reason) => {
                *times += 1;
                tracing::warn!(camera = self.slot.name(), reason, times, "not enrolled; it is tried again");
                self.slot.set_enrolment(Enrolment::Failed { times: *times, reason });
                false
            }
        }
    }
}

/// What a camera says of itself, if it says anything that can be kept.
fn short(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| (1..256).contains(&text.len()))
}

/// Three quarters to five quarters of a pause, so that many cameras do not do the same at once.
fn varied(pause: Duration) -> Duration {
    let mut byte = [128];
    // Without random numbers all wait alike, and no harm is done.
    let _ = rand::fill(&mut byte);
    pause * (384 + u32::from(byte[0])) / 512
}
