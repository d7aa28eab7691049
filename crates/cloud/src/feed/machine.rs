//! The feed of one device: which question is next, and what an answer means (Core §9.1). No socket, no clock: `now` comes in, what to do goes out.
//!
//! ```text
//!            ┌────────────── backoff ◄──── no answer, nonsense, no ─────────────┐
//! arrived ─► Services ─► Capabilities ─► Create ─┬─ it keeps messages: Recall ─► Seek ─┐
//!    │                                           └─ it does not, or the first time ────┴─► Pull ◄─► (Renew)
//!    └─ its pull point still lives, and no answer was lost ───────────────────────────────► │
//!                                                                                           ▼
//!                                             next pull ◄── made durable with the position ── Keep
//! ```
//! The position is the time up to which the device's messages are kept. It moves in the same transaction as the messages, so whatever was pulled and not kept comes
//! again by Seek; what comes twice is known by its mark.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Message, PropertyKey, Reason};
use super::pace::{Backoff, Rate};
use super::words::{Answer, Ask, Failure, No, PullPoint};

mod failing;
mod intake;

/// How long a pull waits for messages: proxies and cameras end what is silent for a minute.
const PULL: i64 = 55;
/// How long a pull point may live without a pull.
const LIFE: i64 = 180;
/// What a device may take beyond the time that it was given.
const ANSWER: Duration = Duration::from_secs(15);
/// Messages of one answer.
const LIMIT: i32 = 256;
/// Seek goes back a little further than needed: live messages need not come in the order of their times.
const MARGIN: u64 = 10_000;
/// A clock that is so much behind where it should be was set back.
const SET_BACK: i64 = 5_000;
/// How often a quiet feed writes down that it has missed nothing.
const HEARD: u64 = 60_000;

/// How soon at the latest a store that is away is tried again: pull points live a minute or so.
const UNKEPT: Duration = Duration::from_secs(10);

/// One moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Unix milliseconds, for what is told.
    pub(crate) wall: u64,
    /// For deadlines.
    pub(crate) monotonic: Duration,
}

/// What lasts of a feed beyond the process, beside its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Messages up to this time by the device's clock are kept, Unix milliseconds; none: the feed never began.
    pub(crate) position: Option<u64>,
    /// The device's clock less ours, in milliseconds.
    pub(crate) offset: Option<i64>,
    /// Whether a message said so; until then it is where the feed began.
    pub(crate) sure: bool,
    /// When nothing was missing, by our clock.
    pub(crate) heard: u64,
    /// Whether the device keeps messages.
    pub(crate) keeps: bool,
    /// The pull point, and until when it lives.
    pub(crate) point: Option<(PullPoint, u64)>,
}

/// What is made durable together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Batch {
    /// In their order.
    pub(crate) entries: Vec<Entry>,
    /// Properties that have another state, or are no more.
    pub(crate) states: BTreeMap<PropertyKey, Option<Message>>,
    /// As it is then.
    pub(crate) memory: Memory,
    /// Messages that came again and are not in it.
    pub(crate) repeated: u64,
    /// Messages that could not be read.
    pub(crate) unreadable: u64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// Ask the device, and wait so long for its whole answer.
    Ask(Ask, Duration),
    /// Make it durable.
    Keep(Arc<Batch>),
    /// Tell the times and marks of what is kept from this time on.
    Recall(u64),
    /// Nothing before this moment, or before something happens.
    Wait(Option<Duration>),
    /// It is over.
    End,
}

/// How a feed is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// What it does.
    pub(crate) state: State,
    /// Why it does not pull.
    pub(crate) reason: Option<String>,
    /// Whether the device keeps messages, so that nothing is lost.
    pub(crate) keeps: bool,
}

/// What a feed does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// It pulls.
    Running,
    /// It is about to.
    Beginning,
    /// Something is wrong, and it tries again.
    Failing,
    /// The device is not connected.
    Offline,
    /// The device has no events.
    Unsupported,
}

impl State {
    pub(crate) const ALL: [Self; 5] = [Self::Running, Self::Beginning, Self::Failing, Self::Offline, Self::Unsupported];

    /// As the API and the metrics say it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Beginning => "beginning",
            Self::Failing => "failing",
            Self::Offline => "offline",
            Self::Unsupported => "unsupported",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Services,
    OldServices,
    Capabilities,
    Unsubscribe,
    Create,
    Recall,
    Seek,
    Synchronise,
    Pull,
    Renew,
    /// There is nothing to ask for.
    Nothing,
}

/// The feed.
#[derive(Debug)]
pub(crate) struct Feed {
    stage: Stage,
    online: bool,
    stopping: bool,
    backoff: Backoff,
    rate: Rate,
    /// Nothing is asked before.
    rest: Duration,
    asked: Duration,
    memory: Memory,
    /// When the memory was last made durable.
    written: u64,
    batch: Option<Arc<Batch>>,
    keep_at: Duration,
    unkept: Backoff,
    service: Option<String>,
    /// The pull point and its end.
    point: Option<(PullPoint, Duration)>,
    /// An answer of a device that keeps messages was lost: they come again by Seek alone.
    again: bool,
    seconds: i64,
    limit: i32,
    /// No more until the message that could not be read was found or is gone.
    ceiling: i32,
    lives: usize,
    renews: bool,
    faults: u32,
    hasty: u32,
    /// What is missing since when, to be told when the feed goes on.
    missing: Option<(u64, Reason)>,
    /// The device's store begins here, and what comes next says whether something is missing.
    begins: bool,
    /// The device delivers again after a Seek; up to this time, the latest of what is known, since they come in the order of their times.
    replay: Option<u64>,
    /// Marks and times of what is kept and may come again by the Seek.
    overlap: HashMap<u64, u64>,
    /// Marks of the answer before, and of the one that is read.
    previous: HashSet<u64>,
    answer: HashSet<u64>,
    states: HashMap<PropertyKey, u64>,
    /// States that a new pull point has not told yet.
    untold: HashSet<PropertyKey>,
    reason: Option<String>,
}

impl Feed {
    /// Goes on where `memory` says; `seed` makes its waits its own.
    pub(crate) fn new(memory: Option<Memory>, states: HashMap<PropertyKey, u64>, seed: u64, now: Now) -> Self {
        let memory = memory.unwrap_or_default();
        let left = |ends: u64| Duration::from_millis(ends.saturating_sub(now.wall));
        let point = memory.point.clone().map(|(point, ends)| (point, now.monotonic + left(ends)));
        let mut feed = Self {
            stage: Stage::Services,
            online: false,
            stopping: false,
            backoff: Backoff::new(seed),
            rate: Rate::default(),
            rest: now.monotonic,
            asked: now.monotonic,
            written: now.wall,
            batch: None,
            keep_at: now.monotonic,
            unkept: Backoff::new(seed),
            service: None,
            point,
            again: memory.keeps,
            seconds: PULL,
            limit: LIMIT,
            ceiling: LIMIT,
            lives: 0,
            renews: true,
            faults: 0,
            hasty: 0,
            missing: None,
            begins: false,
            replay: None,
            overlap: HashMap::new(),
            previous: HashSet::new(),
            answer: HashSet::new(),
            states,
            untold: HashSet::new(),
            reason: None,
            memory,
        };
        // The process that pulled last had a pull on its way, most likely.
        if feed.point.is_some() && !feed.memory.keeps {
            feed.lacks(Reason::AnswerLost);
        }
        feed
    }

    /// How it is.
    pub(crate) fn status(&self) -> Status {
        let state = match self.stage {
            _ if !self.online => State::Offline,
            Stage::Nothing => State::Unsupported,
            _ if self.reason.is_some() => State::Failing,
            Stage::Pull | Stage::Renew | Stage::Synchronise => State::Running,
            _ => State::Beginning,
        };
        Status { state, reason: self.reason.clone(), keeps: self.memory.keeps }
    }

    /// What to do now.
    pub(crate) fn poll(&mut self, now: Now) -> Output {
        if let Some(batch) = &self.batch {
            return if now.monotonic < self.keep_at {
                Output::Wait(Some(self.keep_at))
            } else {
                Output::Keep(Arc::clone(batch))
            };
        }
        if self.stopping {
            return self.farewell();
        }
        if !self.online {
            return Output::Wait(None);
        }
        if now.monotonic < self.rest {
            return Output::Wait(Some(self.rest));
        }
        self.asked = now.monotonic;
        self.question(now)
    }

    fn question(&mut self, now: Now) -> Output {
        let since = self.memory.position.unwrap_or(now.wall).saturating_sub(MARGIN);
        let service = self.service.clone().unwrap_or_default();
        let ask = match (self.stage, self.point.clone()) {
            (Stage::Services, _) => Ask::Services,
            (Stage::OldServices, _) => Ask::OldServices,
            (Stage::Capabilities, _) => Ask::Capabilities { service },
            (Stage::Unsubscribe, Some((at, _))) => Ask::Unsubscribe { at },
            (Stage::Recall, _) => return Output::Recall(since),
            (Stage::Seek, Some((at, _))) => {
                let time = i64::try_from(since).ok().and_then(|since| Timestamp::from_millisecond(since).ok());
                Ask::Seek { at, time: time.unwrap_or(Timestamp::UNIX_EPOCH) }
            }
            (Stage::Synchronise, Some((at, _))) => Ask::Synchronise { at },
            (Stage::Pull, Some((at, _))) => Ask::Pull { at, seconds: self.seconds, limit: self.limit },
            (Stage::Renew, Some((at, _))) => Ask::Renew { at, seconds: LIFE },
            (Stage::Nothing, _) => {
                self.stage = Stage::Services;
                Ask::Services
            }
            (_, _) => {
                self.stage = Stage::Create;
                Ask::Create { service, seconds: [Some(LIFE), Some(60), None][self.lives] }
            }
        };
        let patience = match &ask {
            Ask::Pull { seconds, .. } => Duration::from_secs(seconds.unsigned_abs()) + ANSWER,
            _ => ANSWER,
        };
        Output::Ask(ask, patience)
    }

    /// The device has a tunnel.
    pub(crate) fn arrived(&mut self, now: Now) {
        if self.online {
            return;
        }
        self.online = true;
        self.backoff.reset();
        self.reason = None;
        // What closed pulls early may stand in the way no more.
        self.seconds = PULL;
        // Many arrive at once after a restart of the cloud.
        self.rest = now.monotonic + self.backoff.spread();
        if self.stage == Stage::Nothing {
            self.stage = Stage::Services;
        }
        self.resume(now);
    }

    /// It has none any more.
    pub(crate) fn left(&mut self) {
        self.online = false;
    }

    /// Nothing more is pulled; what was, is kept, and a pull point that nobody needs is given back.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        self.keep_at = Duration::ZERO;
    }

    fn farewell(&mut self) -> Output {
        // One of a device that keeps no messages goes on collecting for our successor.
        match self.point.take() {
            Some((at, _)) if self.memory.keeps && self.online => Output::Ask(Ask::Unsubscribe { at }, ANSWER),
            _ => Output::End,
        }
    }

    /// Where to go on.
    fn resume(&mut self, now: Now) {
        if self.service.is_none() {
            self.stage = Stage::Services;
            return;
        }
        self.stage = match &self.point {
            Some((_, ends)) if now.monotonic < *ends && !self.again => Stage::Pull,
            Some(_) if self.again => Stage::Unsubscribe,
            _ => Stage::Create,
        };
    }

    /// What the device answered to the last question.
    pub(crate) fn answered(&mut self, now: Now, answer: Result<Answer, Failure>) {
        if self.stopping {
            return;
        }
        match (self.stage, answer) {
            (Stage::Services, Ok(Answer::Services(None))) => self.stage = Stage::OldServices,
            (Stage::Services, Err(Failure::Fault(no))) if !no.forbidden => self.stage = Stage::OldServices,
            (Stage::OldServices, Ok(Answer::Services(None)) | Err(Failure::Fault(No { forbidden: false, .. }))) => {
                self.nothing(now, "the device has no event service");
            }
            (_, Ok(Answer::Services(Some(service)))) => {
                self.service = Some(service);
                self.stage = Stage::Capabilities;
            }
            (Stage::Capabilities, Ok(Answer::Capabilities { keeps })) => self.capable(now, keeps),
            (Stage::Capabilities, Err(Failure::Fault(no))) if !no.forbidden => self.capable(now, false),
            (Stage::Capabilities, Err(Failure::Unreadable(_) | Failure::TooLong)) => self.capable(now, false),
            (Stage::Unsubscribe, Err(failure @ Failure::Unsent(_))) => self.failed(now, &failure),
            (Stage::Unsubscribe, _) => {
                self.forget_point();
                self.stage = Stage::Create;
            }
            (_, Ok(Answer::Created { at, clock, life })) => self.created(now, at, clock, life),
            (Stage::Seek, Ok(_)) => {
                self.again = false;
                self.stage = Stage::Pull;
            }
            (Stage::Seek, Err(Failure::Fault(no))) => self.no_seek(now, &no),
            // A yes without a word of it is none to rely on.
            (Stage::Seek, Err(Failure::Unreadable(_) | Failure::TooLong)) => self.no_seek(now, &No::default()),
            (Stage::Synchronise, _) => self.stage = Stage::Pull,
            (_, Ok(Answer::Pulled(pulled))) => self.pulled(now, pulled),
            (Stage::Renew, answer) => self.renewed(now, &answer),
            (Stage::Create, Err(Failure::Fault(no))) if no.unsupported => {
                self.nothing(now, "the device makes no pull points");
            }
            (Stage::Pull, Err(Failure::Fault(no))) => self.no_pull(now, &no),
            (Stage::Pull, Err(failure @ Failure::Lost(_))) => {
                self.lost(Reason::AnswerLost);
                self.closed(now);
                self.failed(now, &failure);
            }
            (Stage::Pull, Err(failure @ (Failure::TooLong | Failure::Unreadable(_)))) => self.unread(now, &failure),
            (_, Err(failure)) => self.failed(now, &failure),
            (_, Ok(_)) => self.failed(now, &Failure::Unreadable("it is the answer to another question".to_owned())),
        }
    }

    fn capable(&mut self, now: Now, keeps: bool) {
        self.memory.keeps = keeps;
        if !keeps && std::mem::take(&mut self.again) {
            self.lacks(Reason::AnswerLost);
        }
        self.resume(now);
    }

    /// Where the device's clock stands. One that was set back gives old times to new messages.
    fn clock(&mut self, now: Now, clock: Option<Timestamp>) {
        let Some(clock) = clock else { return };
        let offset = clock.as_millisecond().saturating_sub(i64::try_from(now.wall).unwrap_or(i64::MAX));
        let back = self.memory.offset.map_or(0, |before| before.saturating_sub(offset));
        if let (true, Some(position)) = (back > SET_BACK, &mut self.memory.position) {
            *position = position.saturating_sub(back.unsigned_abs());
        }
        self.memory.offset = Some(offset);
    }

    fn lives(&mut self, now: Now, life: Option<SignedDuration>) {
        // Clocks of cameras, and their ideas of zones, are not to be relied on.
        let life = life.filter(|life| life.is_positive()).map_or(Duration::from_secs(60), SignedDuration::unsigned_abs);
        let life = life.min(Duration::from_secs(24 * 3600));
        if let Some((point, ends)) = &mut self.point {
            *ends = now.monotonic + life;
            let wall = now.wall + u64::try_from(life.as_millis()).unwrap_or_default();
            self.memory.point = Some((point.clone(), wall));
        }
    }

    fn created(&mut self, now: Now, at: PullPoint, clock: Option<Timestamp>, life: Option<SignedDuration>) {
        let first = self.memory.position.is_none();
        self.clock(now, clock);
        self.point = Some((at, now.monotonic));
        self.lives(now, life);
        (self.faults, self.renews) = (0, true);
        if first {
            let begins = clock.and_then(|clock| u64::try_from(clock.as_millisecond()).ok()).unwrap_or(now.wall);
            (self.memory.position, self.memory.heard) = (Some(begins), now.wall);
        }
        self.untold.clear();
        if first || !self.memory.keeps {
            self.lacks(Reason::NotKept);
            if first {
                self.missing = None;
            }
            self.again = false;
            self.anew();
            self.stage = Stage::Pull;
            let mut batch = Batch::default();
            self.tell_missing(now, &mut batch);
            self.memory.heard = now.wall;
            self.keep(now, batch);
        } else {
            self.again = true;
            self.stage = Stage::Recall;
        }
    }

    /// Times and marks of what is kept from the time on that [`Output::Recall`] said.
    pub(crate) fn recalled(&mut self, kept: impl IntoIterator<Item = (u64, u64)>) {
        self.overlap = kept.into_iter().map(|(time, mark)| (mark, time)).collect();
        self.replay = Some(self.overlap.values().copied().max().unwrap_or_default());
        self.stage = Stage::Seek;
    }

    fn renewed(&mut self, now: Now, answer: &Result<Answer, Failure>) {
        self.stage = Stage::Pull;
        match answer {
            Ok(Answer::Renewed { life }) => {
                let before = self.point.as_ref().map(|(_, ends)| *ends);
                self.lives(now, *life);
                let after = self.point.as_ref().map(|(_, ends)| *ends);
                self.renews = after > before;
            }
            Err(Failure::Unsent(_)) => {}
            _ => self.renews = false,
        }
    }

    fn keep(&mut self, now: Now, batch: Batch) {
        self.keep_at = now.monotonic;
        self.batch = Some(Arc::new(Batch { memory: self.memory.clone(), ..batch }));
    }

    /// The batch is durable, or could not be made so and is tried again.
    pub(crate) fn kept(&mut self, now: Now, done: bool) {
        if done {
            self.batch = None;
            self.written = now.wall;
            self.unkept.reset();
        } else if self.stopping {
            // It comes again by Seek, or is lost with the process.
            self.batch = None;
        } else {
            self.keep_at = now.monotonic + self.unkept.next().min(UNKEPT);
        }
    }
}

#[cfg(test)]
mod tests;
