//! Seek: a pull point that reads the log instead of what happens (Core §9.1.5, §9.11.1).
//!
//! ```text
//!   PullMessages ─► hub: nothing ready ─► a piece of the log, read aside ─► hub: filtered, ready ─► answered
//!                                              ▲                              │ nothing more: waits for what is told
//!                                              └──────────────────────────────┘ (forwards alone)
//! ```

use super::hub::Hub;
use super::log::{Cursor, Log, Read};
use super::pull::{MAX_MESSAGES, Pull};
use super::subscription::{Kind, Refused};
use super::{Events, Notification, Now};
use jiff::Timestamp;
use oriel_onvif::events::{Message, topics};
use oriel_onvif::notification::Topic;
use oriel_soap::{Caller, With};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The topic of BeginOfBuffer.
pub(super) const BEGIN: &str = "EventBuffer/Begin";

/// The place in the log that a pull point is at.
pub(super) struct Replay {
    cursor: Mutex<Cursor>,
    reverse: bool,
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("reverse", &self.reverse).finish_non_exhaustive()
    }
}

/// A pull point's place, and whether there is anything behind it.
#[derive(Debug)]
pub(super) struct Replaying {
    pub(super) place: Arc<Replay>,
    /// The number of the last message that is wanted.
    pub(super) wanted: u64,
    /// Up to this number everything was read.
    pub(super) read: Option<u64>,
}

impl Replaying {
    /// Whether there is something to read.
    pub(super) fn has_more(&self) -> bool {
        self.read.is_none_or(|read| read < self.wanted)
    }

    /// A message was told that is wanted. Whoever goes backwards meets it nowhere.
    pub(super) fn told(&mut self, number: u64) -> bool {
        if !self.place.reverse {
            self.wanted = number;
        }
        !self.place.reverse
    }
}

impl Events {
    /// Lets a pull point go on from another time, forwards or backwards; none if nothing is kept.
    pub(crate) fn seek(
        &self,
        id: &str,
        caller: &Caller,
        time: Timestamp,
        reverse: bool,
    ) -> Option<Result<(), Refused>> {
        let log = self.hub().log()?;
        let place = Arc::new(Replay { cursor: Mutex::new(log.cursor(time, reverse)), reverse });
        let now = self.now();
        Some(self.hub().seek(now, id, caller, place))
    }
}

impl Pull {
    /// Reads a piece of the log, aside, since that takes files.
    pub(super) async fn read(&self, place: Arc<Replay>, told: u64) {
        let (events, key) = (self.events.clone(), self.key);
        let read = tokio::task::spawn_blocking(move || {
            let mut cursor = place.cursor.lock().unwrap_or_else(PoisonError::into_inner);
            let read = cursor.next(MAX_MESSAGES);
            // Under the cursor's lock, and whether or not anybody waits still: what was read is read once, in its order.
            let now = events.now();
            events.hub().replayed(now, key, &place, told, read);
        });
        // It fails when the process ends; then there is nobody to answer.
        let _ = read.await;
    }
}

impl Hub {
    /// The log, if there is one.
    pub(super) fn log(&self) -> Option<Arc<Log>> {
        self.log.clone()
    }

    fn seek(&mut self, now: Now, id: &str, caller: &Caller, place: Arc<Replay>) -> Result<(), Refused> {
        let number = self.number;
        let (_, subscription, _) = self.find(now, id, caller)?;
        if subscription.lease.as_ref().is_none_or(|lease| lease.kind != Kind::PullPoint) {
            return Err(Refused::Unknown);
        }
        // §9.1.5: what was to be delivered is not delivered any more, the initial states included.
        subscription.queue.clear();
        subscription.epoch += 1;
        subscription.delivering = false;
        subscription.replay = Some(Replaying { place, wanted: number, read: None });
        subscription.wake.notify_one();
        Ok(())
    }

    /// A piece of the log was read, when `told` was the last message.
    fn replayed(&mut self, now: Now, key: u64, place: &Arc<Replay>, told: u64, read: Read) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        let Some(replaying) = subscription.replay.as_mut().filter(|replaying| Arc::ptr_eq(&replaying.place, place))
        else {
            return;
        };
        if !read.more {
            replaying.read = Some(told);
        }
        let reverse = place.reverse;
        let begin = read.begin_of_buffer.then(|| begin_of_buffer(now));
        let (first, last) = if reverse { (None, begin) } else { (begin, None) };
        let wanted = read.messages.into_iter().filter(|message| {
            subscription.admits(message.message.property_operation)
                && subscription.selection.wants(&message.topic, &message.message)
        });
        // It is for every pull point, whatever it selects.
        let ready: Vec<_> = first.into_iter().chain(wanted).chain(last).collect();
        ready.into_iter().for_each(|message| subscription.queue.push(message));
    }
}

/// The message that there is nothing older.
fn begin_of_buffer(now: Now) -> Arc<Notification> {
    let topic = topics::find(BEGIN).map_or_else(Topic::default, Topic::of);
    Arc::new(Notification::new(0, topic, Message::with(|message| message.utc_time = now.wall)))
}
