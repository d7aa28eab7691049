//! Events: what happened in the device, told once by its source and heard by all who want it (Core chapter 9).
//!
//! ```text
//!  sources ── tell ──► hub: property? changed? ──► one shared message ──┬─► queues of pull points ──► PullMessages
//!                                │                                      ├─► queues of followers ────► Notify, brokers
//!                                └── states of properties               └─► log ────────────────────► Seek
//!                                      └── Initialized for who begins to listen
//! ```
//! The `hub` takes the time as an argument and waits for nothing; [`Events`] is the handle that everybody has, with the clock and the
//! lock. Nothing is written under the lock: a message becomes XML when the first one takes it, and stays so for the others.

#[cfg(feature = "mqtt")]
pub(crate) mod broker;
mod clock;
mod follower;
mod hub;
mod life;
pub mod log;
mod notification;
mod offered;
mod owner;
mod property;
mod pull;
mod push;
mod queue;
mod replay;
mod subscription;

pub use clock::Now;
pub use follower::{Follow, Follower, Next};
pub use notification::{Notification, Occurrence, Untold};
pub(crate) use owner::Owner;
pub(crate) use pull::{Delivery, MAX_MESSAGES, MAX_TIMEOUT};
pub(crate) use push::{Push, Uncallable};
pub(crate) use subscription::{Granted, Kind, Lasts, MAX_PRODUCERS, MAX_PULL_POINTS, Refused, Wanted};

use clock::Clock;
use hub::Hub;
use log::Log;
use oriel_onvif::events::{BadFilter, Description, Message, Selection, TopicSet};
use oriel_onvif::notification::{AbsoluteOrRelativeTime, Topic};
use oriel_soap::Caller;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long the last message of a device may take to those who wait.
const MOMENT: Duration = Duration::from_secs(1);
/// How often it is looked whether they have it.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The events of one device. A clone is the same.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    hub: Mutex<Hub>,
    clock: Clock,
    /// Who makes the messages: the device, by its name for ever.
    producer: String,
    /// Who may read the log.
    reads: Arc<Semaphore>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("producer", &self.0.producer).finish_non_exhaustive()
    }
}

impl Events {
    /// The events of the device that is named so, `urn:uuid:…`, and what keeps them.
    pub(crate) fn new(producer: String, log: Option<Log>) -> Self {
        let hub = Hub::new(log.map(Arc::new));
        let reads = Arc::new(Semaphore::new(replay::READS));
        Self(Arc::new(Inner { hub: Mutex::new(hub), clock: Clock::default(), producer, reads }))
    }

    /// Offers topics: they are told by GetEventProperties, and what happens there can be told from now on.
    pub fn offer(&self, topics: &[&'static Description]) {
        self.hub().offer(topics);
    }

    /// Tells everybody. Never waits. The state of a property that is as it was is not told again.
    ///
    /// # Errors
    /// [`Untold`]: nobody hears of it.
    pub fn tell(&self, occurrence: Occurrence) -> Result<(), Untold> {
        let now = self.now();
        self.hub().tell(now, occurrence)
    }

    /// Listens from within the process: first the states of properties, if they are asked for, then what happens.
    pub fn follow(&self, selection: Selection, options: Follow) -> Follower {
        let (key, wake) = self.hub().follow(selection, &options);
        Follower::new(self.clone(), key, wake)
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        self.0.clock.now()
    }

    /// The topics that are offered, with what their messages look like.
    pub(crate) fn topic_set(&self) -> TopicSet {
        self.hub().offered.topic_set()
    }

    /// Whether each topic expression of the selection means at least one of the topics that are offered.
    pub(crate) fn supports(&self, selection: &Selection) -> Result<(), BadFilter> {
        self.hub().offered.supports(selection)
    }

    /// Makes a subscription that has an address and an end.
    pub(crate) fn subscribe(&self, caller: &Caller, wanted: Wanted) -> Result<Granted, Refused> {
        let now = self.now();
        let made = self.hub().subscribe(now, caller, wanted)?;
        let follower = match made.kind {
            Kind::PullPoint => None,
            Kind::Producer => Some(Follower::new(self.clone(), made.key, made.wake)),
        };
        Ok(Granted { id: made.id, lasts: made.lasts, follower })
    }

    /// Lets a subscription last until then, or so long from now.
    pub(crate) fn renew(
        &self,
        id: &str,
        caller: &Caller,
        until: Option<AbsoluteOrRelativeTime>,
    ) -> Result<Lasts, Refused> {
        let now = self.now();
        self.hub().renew(now, id, caller, until)
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&self, id: &str, caller: &Caller) -> Result<(), Refused> {
        let now = self.now();
        self.hub().unsubscribe(now, id, caller)
    }

    /// Repeats the states of the properties that the subscription wants.
    pub(crate) fn synchronise(&self, id: &str, caller: &Caller) -> Result<(), Refused> {
        let now = self.now();
        self.hub().synchronise(now, id, caller)
    }

    /// Stops or starts what a subscription delivers by itself; what happens meanwhile waits, as far as there is room.
    pub(crate) fn pause(&self, id: &str, caller: &Caller, paused: bool) -> Result<(), Refused> {
        let now = self.now();
        self.hub().pause(now, id, caller, paused)
    }

    /// Whether the topic is offered.
    pub(crate) fn offers(&self, topic: &Topic) -> bool {
        self.hub().offered.has(topic)
    }

    /// The state of the property of this topic that changed last.
    pub(crate) fn current(&self, topic: &Topic) -> Option<Message> {
        self.hub().current(topic)
    }

    /// Ends what this owner has: who is no more must hear no more.
    pub(crate) fn forget(&self, owner: &Owner) {
        self.hub().forget(owner);
    }

    /// Ends what is sent for this owner, who may have less than before; what it pulls is asked for by its rights each time.
    pub(crate) fn withdraw(&self, owner: &Owner) {
        self.hub().withdraw(owner);
    }

    /// The topics that are offered.
    pub(crate) fn offered(&self) -> Vec<&'static Description> {
        self.hub().offered.descriptions().collect()
    }

    /// Waits until those who wait for messages have got what there is: a moment at most.
    pub(crate) async fn settle(&self) {
        let got = async {
            while self.hub().is_behind() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        // Whoever is slower than that has to ask again, at the device that starts next.
        let _ = tokio::time::timeout(MOMENT, got).await;
    }

    /// Whether what was told is kept.
    pub(crate) fn keeps(&self) -> bool {
        self.hub().log.is_some()
    }

    /// Ends every subscription and every follower, since the device stops; returns when what was told is on the disk.
    pub(crate) async fn close(&self) {
        let log = self.hub().close();
        // It fails when the runtime ends, and then the log writes all the same.
        let _ = tokio::task::spawn_blocking(move || drop(log)).await;
    }

    /// Who makes the messages.
    pub(crate) fn producer(&self) -> &str {
        &self.0.producer
    }

    /// The hub. Whoever panicked in it left nothing half done that matters more than going on.
    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.0.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
