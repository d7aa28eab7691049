//! Who listens, what is offered, what the states are: all of it, without a clock and without waiting (Core §9.1, §9.4.2).

use super::clock::Now;
use super::follower::{Follow, Next};
use super::life::{kept, life};
use super::log::Log;
use super::notification::{LARGEST, Notification, Occurrence, Untold};
use super::offered::Offered;
use super::owner::{Owner, is_local_administrator};
use super::property::{Becomes, Properties, message};
use super::pull::{MAX_BYTES, MAX_MESSAGES, Progress};
use super::queue::{BUDGET, DEEPEST, Total};
use super::replay::BEGIN;
use super::subscription::{Kind, Lasts, Lease, Refused, Subscription, Waiting, Wanted};
use oriel_onvif::events::{Description, Message, PropertyOperation, Selection, topics};
use oriel_onvif::notification::{AbsoluteOrRelativeTime, Topic};
use oriel_soap::Caller;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// All of it.
#[derive(Default)]
pub(super) struct Hub {
    pub(super) offered: Offered,
    properties: Properties,
    pub(super) subscriptions: BTreeMap<u64, Subscription>,
    /// The keys of those that have an address.
    ids: HashMap<String, u64>,
    next_key: u64,
    /// The number of the message that was told last, also in an earlier life.
    pub(super) number: u64,
    /// What keeps what was told.
    pub(super) log: Option<Arc<Log>>,
    total: Total,
    closed: bool,
}

/// A subscription that was made.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) key: u64,
    pub(super) kind: Kind,
    pub(super) lasts: Lasts,
    pub(super) wake: Arc<Notify>,
}

impl Hub {
    /// A hub that keeps what it tells in this log.
    pub(super) fn new(log: Option<Arc<Log>>) -> Self {
        let mut hub = Self { number: log.as_ref().map_or(0, |log| log.last()), log, ..Self::default() };
        if hub.log.is_some() {
            hub.offer(&topics::find(BEGIN).into_iter().collect::<Vec<_>>());
        }
        hub
    }

    pub(super) fn offer(&mut self, topics: &[&'static Description]) {
        self.offered.add(topics);
    }

    /// Tells what happened to all who want it.
    pub(super) fn tell(&mut self, now: Now, mut occurrence: Occurrence) -> Result<(), Untold> {
        let size = occurrence.size();
        if size > LARGEST {
            return Err(Untold::TooLarge(size));
        }
        let description = self.offered.check(&mut occurrence)?;
        let mut message = message(&occurrence, occurrence.time.unwrap_or(now.wall));
        let mut property = None;
        if description.property {
            let Some(becomes) = self.become_(now, &occurrence, &message)? else { return Ok(()) };
            message.property_operation = Some(becomes.operation);
            property = Some(becomes.property);
        }
        self.number += 1;
        self.reap(now);
        let told = Arc::new(Notification::new(self.number, occurrence.topic, message).about(property));
        if let Some(log) = &self.log {
            log.append(&told);
        }
        self.distribute(&told);
        self.keep_budget();
        Ok(())
    }

    /// What becomes of a property. When there are too many, operations that are over make room, and are told to be gone.
    fn become_(&mut self, now: Now, occurrence: &Occurrence, message: &Message) -> Result<Option<Becomes>, Untold> {
        loop {
            let full = match self.properties.become_(occurrence, self.number + 1, message) {
                Err(full) => full,
                becomes => return becomes,
            };
            let gone = self.properties.dispensable(occurrence).ok_or(full)?;
            self.tell(now, gone)?;
        }
    }

    fn distribute(&mut self, told: &Arc<Notification>) {
        // Whoever reads the log meets it there, or went the other way.
        for subscription in self.subscriptions.values_mut().filter(|subscription| subscription.replay.is_none()) {
            if subscription.admits(told.message.property_operation)
                && subscription.selection.wants(&told.topic, &told.message)
            {
                subscription.queue.push(Arc::clone(told));
                if !subscription.paused {
                    subscription.wake.notify_one();
                }
            }
        }
    }

    /// While all that waits takes too much, whoever has most loses some.
    pub(super) fn keep_budget(&mut self) {
        while self.total.bytes() > BUDGET {
            let longest = self.subscriptions.values_mut().max_by_key(|subscription| subscription.queue.weight());
            match longest.filter(|subscription| !subscription.queue.is_empty()) {
                Some(subscription) => subscription.queue.shed(),
                None => break,
            }
        }
    }

    /// Listens from within the process.
    pub(super) fn follow(&mut self, selection: Selection, options: &Follow) -> (u64, Arc<Notify>) {
        let subscription = Subscription::new(selection, options.changed_only, options.capacity, &self.total);
        let (key, wake) = self.add(subscription);
        if options.initialized {
            self.repeat(key);
        }
        (key, wake)
    }

    fn add(&mut self, subscription: Subscription) -> (u64, Arc<Notify>) {
        let (key, wake) = (self.next_key, Arc::clone(&subscription.wake));
        self.next_key += 1;
        if !self.closed {
            self.subscriptions.insert(key, subscription);
        }
        (key, wake)
    }

    /// What a follower hears next; if there is nothing, until when nothing more than that is known.
    pub(super) fn next(&mut self, now: Now, key: u64) -> Result<Next, Option<Duration>> {
        self.reap(now);
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return Ok(Next::Ended) };
        let until = subscription.lease.as_ref().map(|lease| lease.deadline);
        if subscription.paused {
            return Err(until);
        }
        match subscription.queue.take_lost() {
            0 => {}
            lost => return Ok(Next::Lost(lost)),
        }
        subscription.queue.take(1, usize::MAX).pop().map(Next::Message).ok_or(until)
    }

    /// Makes a subscription that has an address and an end.
    pub(super) fn subscribe(&mut self, now: Now, caller: &Caller, wanted: Wanted) -> Result<Made, Refused> {
        self.reap(now);
        let owner = Owner::of(caller);
        let life = life(now, wanted.until)?;
        let leases = || self.subscriptions.values().filter_map(|subscription| subscription.lease.as_ref());
        let alike = || leases().filter(|lease| lease.kind == wanted.kind && lease.owner.beside(&owner));
        if alike().count() >= wanted.kind.most() {
            return Err(Refused::TooMany(wanted.kind.most()));
        }
        let own = alike().filter(|lease| lease.owner == owner).count();
        if !is_local_administrator(caller) && own >= wanted.kind.most_of_one() {
            return Err(Refused::TooManyOfOne(wanted.kind.most_of_one()));
        }
        let id = random_id()?;
        let deadline = now.monotonic + life;
        let lease = Lease { id: id.clone(), owner, kind: wanted.kind, life, deadline };
        let lasts = lasts(now, &lease);
        let mut subscription = Subscription::new(wanted.selection, wanted.changed_only, DEEPEST, &self.total);
        subscription.lease = Some(lease);
        let (key, wake) = self.add(subscription);
        self.ids.insert(id.clone(), key);
        self.repeat(key);
        Ok(Made { id, key, kind: wanted.kind, lasts, wake })
    }

    /// The caller's subscription with this id.
    pub(super) fn find(
        &mut self,
        now: Now,
        id: &str,
        caller: &Caller,
    ) -> Result<(u64, &mut Subscription, Now), Refused> {
        self.reap(now);
        let key = *self.ids.get(id).ok_or(Refused::Unknown)?;
        let found = self.subscriptions.get_mut(&key).ok_or(Refused::Unknown)?;
        let may = found.lease.as_ref().is_some_and(|lease| lease.owner.admits(caller));
        if may { Ok((key, found, now)) } else { Err(Refused::Unknown) }
    }

    pub(super) fn renew(
        &mut self,
        now: Now,
        id: &str,
        caller: &Caller,
        until: Option<AbsoluteOrRelativeTime>,
    ) -> Result<Lasts, Refused> {
        let (_, subscription, now) = self.find(now, id, caller)?;
        let life = life(now, until)?;
        let lease = subscription.lease.as_mut().ok_or(Refused::Unknown)?;
        (lease.life, lease.deadline) = (life, now.monotonic + life);
        Ok(lasts(now, lease))
    }

    pub(super) fn unsubscribe(&mut self, now: Now, id: &str, caller: &Caller) -> Result<(), Refused> {
        let (key, ..) = self.find(now, id, caller)?;
        self.end(key);
        Ok(())
    }

    pub(super) fn synchronise(&mut self, now: Now, id: &str, caller: &Caller) -> Result<(), Refused> {
        let (key, ..) = self.find(now, id, caller)?;
        self.repeat(key);
        Ok(())
    }

    pub(super) fn pause(&mut self, now: Now, id: &str, caller: &Caller, paused: bool) -> Result<(), Refused> {
        let (_, subscription, _) = self.find(now, id, caller)?;
        if subscription.lease.as_ref().is_none_or(|lease| lease.kind != Kind::Producer) {
            return Err(Refused::NotSent);
        }
        subscription.paused = paused;
        subscription.wake.notify_one();
        Ok(())
    }

    /// Tells a subscription the states of the properties that it wants (§9.4.2, §9.5).
    pub(super) fn repeat(&mut self, key: u64) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        // §9.1.5, §9.5: whoever sought hears nothing of states, also when it is back at what happens.
        if subscription.has_sought || !subscription.admits(Some(PropertyOperation::Initialized)) {
            return;
        }
        let wants = |topic: &Topic, message: &Message| subscription.selection.wants(topic, message);
        let states = self.properties.initialized(wants);
        states.into_iter().for_each(|told| subscription.queue.push(told));
        subscription.wake.notify_one();
        self.keep_budget();
    }

    /// The state of the property of this topic that changed last.
    pub(super) fn current(&self, topic: &Topic) -> Option<Message> {
        self.properties.current(topic)
    }

    /// What all that waits comes to in bytes.
    #[cfg(test)]
    pub(super) fn waiting_bytes(&self) -> usize {
        self.total.bytes()
    }

    /// Whether a subscription may deliver; if it is at rest or may, until when that is known. None: it is over.
    pub(super) fn stands(&mut self, now: Now, key: u64) -> Option<(bool, Option<Duration>)> {
        self.reap(now);
        let subscription = self.subscriptions.get(&key)?;
        Some((!subscription.paused, subscription.lease.as_ref().map(|lease| lease.deadline)))
    }

    /// Begins a PullMessages.
    pub(super) fn begin_pull(
        &mut self,
        now: Now,
        id: &str,
        caller: &Caller,
        timeout: Duration,
        limit: usize,
    ) -> Result<(u64, Arc<Notify>), Refused> {
        let (key, subscription, now) = self.find(now, id, caller)?;
        if subscription.lease.as_ref().is_none_or(|lease| lease.kind != Kind::PullPoint) {
            return Err(Refused::Unknown);
        }
        if subscription.waiting.is_some() {
            return Err(Refused::Pulling);
        }
        subscription.waiting = Some(Waiting { until: now.monotonic + timeout, timeout, limit, has_read: false });
        Ok((key, Arc::clone(&subscription.wake)))
    }

    /// How far the PullMessages of a pull point is.
    pub(super) fn progress(&mut self, now: Now, key: u64) -> Progress {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return Progress::Ended };
        let Some(waiting) = &mut subscription.waiting else { return Progress::Ended };
        // What an answer has that is still on its way may come back, and then comes first.
        let messages = match subscription.delivering {
            true => Vec::new(),
            false => subscription.queue.take(waiting.limit, MAX_BYTES),
        };
        if messages.is_empty() {
            let replaying = subscription.replay.as_ref().filter(|replaying| !replaying.finished);
            // Once whatever the timeout is, and then as long as there is time.
            let may_read = !subscription.delivering && (!waiting.has_read || now.monotonic < waiting.until);
            if let Some(replaying) = replaying.filter(|_| may_read) {
                waiting.has_read = true;
                // When memory is short, no more than what goes at once.
                let most = if self.total.bytes() > BUDGET / 2 { waiting.limit } else { MAX_MESSAGES };
                return Progress::Read { place: Arc::clone(&replaying.place), most, until: waiting.until };
            }
            if now.monotonic < waiting.until {
                return Progress::Wait(waiting.until);
            }
        }
        let lost = subscription.queue.take_lost();
        if lost > 0 {
            tracing::warn!(lost, "a pull point was not pulled in time, and messages had to go");
        }
        subscription.delivering |= !messages.is_empty();
        self.end_pull(now, key);
        let Some(subscription) = self.subscriptions.get(&key) else { return Progress::Ended };
        let Some(lease) = &subscription.lease else { return Progress::Ended };
        Progress::Done { messages, lasts: lasts(now, lease), epoch: subscription.epoch }
    }

    /// A PullMessages is over, answered or not: the pull point is kept for a while.
    pub(super) fn end_pull(&mut self, now: Now, key: u64) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        let Some(waiting) = subscription.waiting.take() else { return };
        if let Some(lease) = &mut subscription.lease {
            lease.deadline = lease.deadline.max(kept(now, lease.life, waiting.timeout));
        }
    }

    /// An answer left, or `back` of it did not.
    pub(super) fn delivered(&mut self, key: u64, epoch: u64, back: Vec<Arc<Notification>>) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        if subscription.epoch != epoch {
            return;
        }
        subscription.delivering = false;
        subscription.queue.put_back(back);
        subscription.wake.notify_one();
        self.keep_budget();
    }

    /// Ends one, with all that it has.
    pub(super) fn end(&mut self, key: u64) {
        let Some(ended) = self.subscriptions.remove(&key) else { return };
        if let Some(lease) = ended.lease {
            self.ids.remove(&lease.id);
        }
        ended.wake.notify_one();
    }

    fn end_those(&mut self, which: impl Fn(&Subscription) -> bool) {
        let keys = self.subscriptions.iter().filter(|(_, subscription)| which(subscription)).map(|(key, _)| *key);
        for key in keys.collect::<Vec<_>>() {
            self.end(key);
        }
    }

    /// Ends those whose time is over.
    fn reap(&mut self, now: Now) {
        if self.subscriptions.values().any(|subscription| subscription.is_over(now)) {
            self.end_those(|subscription| subscription.is_over(now));
        }
    }

    /// Ends those of this owner.
    pub(super) fn forget(&mut self, owner: &Owner) {
        self.end_those(|subscription| subscription.lease.as_ref().is_some_and(|lease| lease.owner == *owner));
    }

    /// Ends what this owner's consumers are sent: whoever lost a right may have lost that to subscribe.
    pub(super) fn withdraw(&mut self, owner: &Owner) {
        let sent = |lease: &Lease| lease.kind == Kind::Producer && lease.owner == *owner;
        self.end_those(|subscription| subscription.lease.as_ref().is_some_and(sent));
    }

    /// Whether somebody waits for messages and has not taken what there is.
    pub(super) fn is_behind(&self) -> bool {
        let waits = |subscription: &Subscription| subscription.lease.is_none() || subscription.waiting.is_some();
        self.subscriptions
            .values()
            .any(|subscription| !subscription.paused && !subscription.queue.is_empty() && waits(subscription))
    }

    /// Ends all, and lets nobody in any more. The log is left to whoever asked.
    pub(super) fn close(&mut self) -> Option<Arc<Log>> {
        self.closed = true;
        self.end_those(|_| true);
        self.log.take()
    }
}

fn lasts(now: Now, lease: &Lease) -> Lasts {
    Lasts { current_time: now.wall, termination_time: now.told(lease.deadline) }
}

/// 128 bits that nobody guesses.
fn random_id() -> Result<String, Refused> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Refused::NoRandom)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
