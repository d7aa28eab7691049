//! PullMessages: the wait, and what becomes of messages whose answer does not get out (Core §9.1.2).

use super::replay::Replay;
use super::subscription::{Lasts, Refused};
use super::{Events, Notification};
use oriel_soap::Caller;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The longest wait. Gateways that wait longer than this for an answer let every pull through.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(120);
/// The most messages in an answer.
pub(crate) const MAX_MESSAGES: usize = 256;
/// About the most bytes in an answer; one message goes whatever it has.
pub(super) const MAX_BYTES: usize = 192 * 1024;

/// How far a PullMessages is.
#[derive(Debug)]
pub(super) enum Progress {
    /// The answer, empty if its time is over.
    Done { messages: Vec<Arc<Notification>>, lasts: Lasts, epoch: u64 },
    /// The log has to be read there first, so many messages at most.
    Read { place: Arc<Replay>, most: usize, until: Duration },
    /// Until then at most.
    Wait(Duration),
    /// The pull point is no more.
    Ended,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Pulled {
    pub(crate) messages: Vec<Arc<Notification>>,
    pub(crate) lasts: Lasts,
    /// To be told when the answer left.
    pub(crate) delivery: Delivery,
}

/// A PullMessages that waits. Dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(super) events: Events,
    pub(super) key: u64,
    wake: Arc<Notify>,
    done: bool,
}

impl Events {
    /// Begins a PullMessages.
    pub(crate) fn pull(&self, id: &str, caller: &Caller, timeout: Duration, limit: usize) -> Result<Pull, Refused> {
        let now = self.now();
        let (key, wake) = self.hub().begin_pull(now, id, caller, timeout, limit)?;
        Ok(Pull { events: self.clone(), key, wake, done: false })
    }
}

impl Pull {
    /// Waits for messages, or for the timeout.
    pub(crate) async fn answer(mut self) -> Result<Pulled, Refused> {
        loop {
            let now = self.events.now();
            let progress = self.events.hub().progress(now, self.key);
            match progress {
                Progress::Done { messages, lasts, epoch } => {
                    self.done = true;
                    let delivery = Delivery::new(&self, epoch, messages.clone());
                    return Ok(Pulled { messages, lasts, delivery });
                }
                Progress::Read { place, most, until } => self.read(place, most, until).await,
                Progress::Wait(until) => {
                    let until = self.events.0.clock.at(until);
                    // Either way there is something to look at.
                    let _ = tokio::time::timeout_at(until, self.wake.notified()).await;
                }
                Progress::Ended => {
                    self.done = true;
                    return Err(Refused::Unknown);
                }
            }
        }
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        if !self.done {
            let now = self.events.now();
            self.events.hub().end_pull(now, self.key);
        }
    }
}

/// The messages of an answer until it left: dropped before, they go back to where they were taken from, and the next PullMessages has
/// them. Whether they arrive nobody can know, since nobody says so.
#[derive(Debug)]
pub(crate) struct Delivery {
    events: Events,
    key: u64,
    epoch: u64,
    messages: Vec<Arc<Notification>>,
}

impl Delivery {
    fn new(pull: &Pull, epoch: u64, messages: Vec<Arc<Notification>>) -> Self {
        Self { events: pull.events.clone(), key: pull.key, epoch, messages }
    }

    /// The answer left.
    pub(crate) fn done(mut self) {
        self.messages.clear();
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let back = std::mem::take(&mut self.messages);
        self.events.hub().delivered(self.key, self.epoch, back);
    }
}
