//! A subscription from within the process: what Notify messages, brokers and the log's readers are made from.

use super::{Events, Notification};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How to listen from within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Follow {
    /// The states of properties come first.
    pub initialized: bool,
    /// Beginnings and ends of properties do not come.
    pub changed_only: bool,
    /// How many messages wait at most.
    pub capacity: usize,
}

impl Default for Follow {
    fn default() -> Self {
        Self { initialized: true, changed_only: false, capacity: super::queue::DEEPEST }
    }
}

/// What a follower hears.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Next {
    /// A message.
    Message(Arc<Notification>),
    /// So many did not fit since the one before.
    Lost(u64),
    /// There will be no more: it was ended, its time is over, or the device stops.
    Ended,
}

/// One who listens from within the process. Dropping it ends it.
pub struct Follower {
    events: Events,
    key: u64,
    wake: Arc<Notify>,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Follower {
    pub(super) fn new(events: Events, key: u64, wake: Arc<Notify>) -> Self {
        Self { events, key, wake }
    }

    /// Waits for what comes next. Nothing is lost when it is not waited for to the end.
    pub async fn next(&mut self) -> Next {
        loop {
            let now = self.events.now();
            let until = match self.events.hub().next(now, self.key) {
                Ok(next) => return next,
                Err(until) => until,
            };
            self.change(until).await;
        }
    }

    /// Waits until there is something to look at.
    async fn change(&self, until: Option<Duration>) {
        match until {
            None => self.wake.notified().await,
            Some(until) => {
                let until = self.events.0.clock.at(until);
                // Either way there is something to look at.
                let _ = tokio::time::timeout_at(until, self.wake.notified()).await;
            }
        }
    }

    /// Waits until it may deliver what it took: it is not paused. False if it is over.
    pub(super) async fn open(&mut self) -> bool {
        loop {
            let now = self.events.now();
            let stands = self.events.hub().stands(now, self.key);
            match stands {
                None => return false,
                Some((true, _)) => return true,
                Some((false, until)) => self.change(until).await,
            }
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) {
        loop {
            let now = self.events.now();
            let stands = self.events.hub().stands(now, self.key);
            match stands {
                None => return,
                Some((_, until)) => self.change(until).await,
            }
        }
    }

    /// Who makes the messages.
    pub(super) fn producer(&self) -> &str {
        self.events.producer()
    }

    /// Repeats the states of the properties that it wants.
    pub fn synchronise(&self) {
        self.events.hub().repeat(self.key);
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.events.hub().end(self.key);
    }
}
