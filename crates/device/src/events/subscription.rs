//! One who listens: a pull point, a producer of Notify messages, or somebody in the process.

use super::clock::Now;
use super::follower::Follower;
use super::owner::Owner;
use super::queue::{Queue, Total};
use super::replay::Replaying;
use jiff::Timestamp;
use oriel_onvif::events::{PropertyOperation, Selection};
use oriel_onvif::notification::AbsoluteOrRelativeTime;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How many pull points one may have, an account or a cloud.
pub(crate) const MAX_PULL_POINTS: usize = 64;
/// How many producers of Notify messages one may have, an account or a cloud.
pub(crate) const MAX_PRODUCERS: usize = 16;

/// What a subscription that has an address delivers by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// PullMessages.
    PullPoint,
    /// Notify.
    Producer,
}

impl Kind {
    /// How many one cloud, or one account that is no administrator's, may have: what the capabilities tell.
    pub(super) fn most_of_one(self) -> usize {
        match self {
            Self::PullPoint => MAX_PULL_POINTS,
            Self::Producer => MAX_PRODUCERS,
        }
    }

    /// How many there may be on the LAN, and as many through uplinks: a quarter stays for others when one has all that it may have.
    pub(super) fn most(self) -> usize {
        (self.most_of_one() * 4).div_ceil(3)
    }
}

/// What a new subscription is to be.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// What gets through.
    pub(crate) selection: Selection,
    /// Properties' beginnings and ends do not (Core §9.1.1).
    pub(crate) changed_only: bool,
    /// Until when it is to last.
    pub(crate) until: Option<AbsoluteOrRelativeTime>,
    /// What it delivers by.
    pub(crate) kind: Kind,
}

/// When a subscription ends, as the wall clock goes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lasts {
    pub(crate) current_time: Timestamp,
    pub(crate) termination_time: Timestamp,
}

/// A new subscription.
#[derive(Debug)]
pub(crate) struct Granted {
    /// By which it is addressed.
    pub(crate) id: String,
    pub(crate) lasts: Lasts,
    /// What a producer delivers from. Dropping it ends the subscription.
    pub(crate) follower: Option<Follower>,
}

/// Why a request about a subscription is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is none with this id, or none of the caller's.
    Unknown,
    /// All places are taken: so many there are.
    TooMany(usize),
    /// Whoever asks has as many as one may have.
    TooManyOfOne(usize),
    /// It cannot last so long, or so short.
    Life { now: Timestamp, least: Timestamp, most: Timestamp },
    /// A PullMessages waits already.
    Pulling,
    /// It is a pull point, whose messages nobody sends.
    NotSent,
    /// The system gives no random numbers.
    NoRandom,
}

/// What a subscription with an address has beside.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) id: String,
    pub(super) owner: Owner,
    pub(super) kind: Kind,
    /// How long it was to last when somebody said so last.
    pub(super) life: Duration,
    /// When it ends, by the monotonic clock.
    pub(super) deadline: Duration,
}

/// A PullMessages that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) until: Duration,
    pub(super) timeout: Duration,
    pub(super) limit: usize,
    /// The log was read for it.
    pub(super) has_read: bool,
}

/// One who listens.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) selection: Selection,
    pub(super) changed_only: bool,
    pub(super) queue: Queue,
    /// Told when there is something to take, or nothing more ever.
    pub(super) wake: Arc<Notify>,
    /// None: it lives as long as its follower.
    pub(super) lease: Option<Lease>,
    pub(super) paused: bool,
    pub(super) waiting: Option<Waiting>,
    /// An answer with its messages is on its way to the connection.
    pub(super) delivering: bool,
    /// It reads the log, and not what happens.
    pub(super) replay: Option<Replaying>,
    /// It did so once: states are not repeated any more.
    pub(super) has_sought: bool,
    /// Counts Seeks: what comes back from before one is not wanted any more.
    pub(super) epoch: u64,
}

impl Subscription {
    pub(super) fn new(selection: Selection, changed_only: bool, capacity: usize, total: &Total) -> Self {
        Self {
            selection,
            changed_only,
            queue: Queue::new(capacity, total.clone()),
            wake: Arc::default(),
            lease: None,
            paused: false,
            waiting: None,
            delivering: false,
            replay: None,
            has_sought: false,
            epoch: 0,
        }
    }

    /// Whether messages with this operation get through at all.
    pub(super) fn admits(&self, operation: Option<PropertyOperation>) -> bool {
        !self.changed_only || !matches!(operation, Some(PropertyOperation::Initialized | PropertyOperation::Deleted))
    }

    /// Whether its time is over. While a PullMessages waits it is not (§9.1.1).
    pub(super) fn is_over(&self, now: Now) -> bool {
        self.waiting.is_none() && self.lease.as_ref().is_some_and(|lease| lease.deadline <= now.monotonic)
    }
}
