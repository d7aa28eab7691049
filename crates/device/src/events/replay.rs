//! Seek: a pull point that reads the log instead of what happens (Core §9.1.5, §9.11.1).
//!
//! ```text
//!   PullMessages ─► hub: nothing ready ─► a piece of the log, read aside ─► hub: filtered, ready ─► answered
//!                                              ▲                              │
//!                                              └──────────────────────────────┴─► forwards, and nothing is told that was not read:
//!                                                                                 what is told from now on waits in the queue again
//! ```

use super::hub::Hub;
use super::log::{Cursor, Log, Read};
use super::pull::Pull;
use super::subscription::{Kind, Refused};
use super::{Events, Notification, Now};
use jiff::Timestamp;
use oriel_onvif::events::{Message, topics};
use oriel_onvif::notification::Topic;
use oriel_soap::{Caller, With};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The topic of BeginOfBuffer.
pub(super) const BEGIN: &str = "EventBuffer/Begin";

/// How many pieces are read at once.
pub(super) const READS: usize = 4;
/// How long a PullMessages waits for its first piece, however short its timeout is.
const PATIENCE: Duration = Duration::from_secs(5);

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

impl Replay {
    pub(super) fn new(cursor: Cursor) -> Self {
        Self { reverse: cursor.is_reverse(), cursor: Mutex::new(cursor) }
    }

    /// Reads a piece and hands it over under the cursor's lock: what was read is read once, and handed over in its order.
    pub(super) fn read(&self, most: usize, hand_over: impl FnOnce(Read)) {
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        hand_over(cursor.next(most));
    }
}

/// A pull point's place.
#[derive(Debug)]
pub(super) struct Replaying {
    pub(super) place: Arc<Replay>,
    /// Backwards: nothing comes any more.
    pub(super) finished: bool,
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
        let place = Arc::new(Replay::new(log.cursor(time, reverse)));
        let now = self.now();
        Some(self.hub().seek(now, id, caller, place))
    }
}

impl Pull {
    /// Reads a piece of the log, aside, since that takes files.
    pub(super) async fn read(&self, place: Arc<Replay>, most: usize, until: Duration) {
        let until = self.events.0.clock.at(until).max(Instant::now() + PATIENCE);
        let (events, key) = (self.events.clone(), self.key);
        let read = async move {
            // The places are never closed.
            let Ok(permit) = Arc::clone(&events.0.reads).acquire_owned().await else { return };
            let read = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                // Whether or not anybody waits still.
                place.read(most, |read| events.hub().replayed(key, &place, read));
            });
            // It fails when the process ends; then there is nobody to answer.
            let _ = read.await;
        };
        // What takes longer is there for the next PullMessages.
        let _ = tokio::time::timeout_at(until, read).await;
    }
}

impl Hub {
    /// The log, if there is one.
    pub(super) fn log(&self) -> Option<Arc<Log>> {
        self.log.clone()
    }

    pub(super) fn seek(&mut self, now: Now, id: &str, caller: &Caller, place: Arc<Replay>) -> Result<(), Refused> {
        let (_, subscription, _) = self.find(now, id, caller)?;
        if subscription.lease.as_ref().is_none_or(|lease| lease.kind != Kind::PullPoint) {
            return Err(Refused::Unknown);
        }
        // §9.1.5: what was to be delivered is not delivered any more, the initial states included.
        subscription.queue.clear();
        subscription.epoch += 1;
        subscription.delivering = false;
        subscription.replay = Some(Replaying { place, finished: false });
        subscription.has_sought = true;
        subscription.wake.notify_one();
        Ok(())
    }

    /// A piece of the log was read.
    pub(super) fn replayed(&mut self, key: u64, place: &Arc<Replay>, read: Read) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        let Some(replaying) = subscription.replay.as_mut().filter(|replaying| Arc::ptr_eq(&replaying.place, place))
        else {
            return;
        };
        let begin = read.begin_of_buffer.map(begin_of_buffer);
        if place.reverse {
            replaying.finished = !read.more;
        } else if !read.more && read.until >= self.number {
            // Nobody tells anything meanwhile: this is the seam, and nothing is on both sides of it or on none.
            subscription.replay = None;
        }
        let (first, last) = if place.reverse { (None, begin) } else { (begin, None) };
        let wanted = read.messages.into_iter().filter(|message| {
            subscription.admits(message.message.property_operation)
                && subscription.selection.wants(&message.topic, &message.message)
        });
        // It is for every pull point, whatever it selects.
        let ready: Vec<_> = first.into_iter().chain(wanted).chain(last).collect();
        ready.into_iter().for_each(|message| subscription.queue.push(message));
        self.keep_budget();
    }
}

/// The message that there is nothing older; its time is where it stands in the order of time.
fn begin_of_buffer(time: Timestamp) -> Arc<Notification> {
    let topic = topics::find(BEGIN).map_or_else(Topic::default, Topic::of);
    Arc::new(Notification::new(0, topic, Message::with(|message| message.utc_time = time)))
}
