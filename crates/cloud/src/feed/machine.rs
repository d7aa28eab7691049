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

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Gap, Message, Operation, PropertyKey, Reason};
use super::pace::{Backoff, Rate};
use super::words::{Answer, Ask, Failure, No, PullPoint, Pulled};

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
/// The marks of so many messages are known while nothing is sought.
const MARKS: usize = 512;
/// Properties of one device whose states are known.
const PROPERTIES: usize = 512;
/// How often a quiet feed writes down that it has missed nothing.
const HEARD: u64 = 60_000;
/// How long a device that has no event service is left alone.
const NOTHING: Duration = Duration::from_secs(3600);
/// How long one that does not let us is.
const FORBIDDEN: Duration = Duration::from_secs(300);
/// An answer within this time came at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long a camera waits at most that answers at once with nothing new.
const HASTE: u32 = 10;

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
    pub(crate) const ALL: [Self; 5] =
        [Self::Running, Self::Beginning, Self::Failing, Self::Offline, Self::Unsupported];

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

/// What the device delivers again after a Seek.
#[derive(Debug, Default)]
struct Replay {
    marks: HashSet<u64>,
    /// The latest of what is known; after a Seek messages come in the order of their times.
    until: u64,
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
    lives: usize,
    renews: bool,
    faults: u32,
    hasty: u32,
    /// What is missing since when, to be told when the feed goes on.
    missing: Option<(u64, Reason)>,
    /// The device's store begins here, and what comes next says whether something is missing.
    begins: bool,
    replay: Option<Replay>,
    recent: VecDeque<u64>,
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
            lives: 0,
            renews: true,
            faults: 0,
            hasty: 0,
            missing: None,
            begins: false,
            replay: None,
            recent: VecDeque::new(),
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
            return if now.monotonic < self.keep_at { Output::Wait(Some(self.keep_at)) } else { Output::Keep(Arc::clone(batch)) };
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
            (Stage::Synchronise, _) => self.stage = Stage::Pull,
            (_, Ok(Answer::Pulled(pulled))) => self.pulled(now, pulled),
            (Stage::Renew, answer) => self.renewed(now, answer),
            (Stage::Create, Err(Failure::Fault(no))) if no.unsupported => {
                self.nothing(now, "the device makes no pull points");
            }
            (Stage::Pull, Err(Failure::Fault(no))) => self.no_pull(now, &no),
            (Stage::Pull, Err(failure @ Failure::Lost(_))) => {
                self.lost(Reason::AnswerLost);
                self.failed(now, &failure);
            }
            (Stage::Pull, Err(failure @ (Failure::TooLong | Failure::Unreadable(_)))) => self.unread(now, &failure),
            (_, Err(failure)) => self.failed(now, &failure),
            (_, Ok(_)) => self.failed(now, &Failure::Unreadable("it is the answer to another question".to_owned())),
        }
    }

    fn nothing(&mut self, now: Now, why: &str) {
        self.stage = Stage::Nothing;
        self.reason = Some(why.to_owned());
        self.rest = now.monotonic + NOTHING;
    }

    fn capable(&mut self, now: Now, keeps: bool) {
        self.memory.keeps = keeps;
        if !keeps && std::mem::take(&mut self.again) {
            self.lacks(Reason::AnswerLost);
        }
        self.resume(now);
    }

    /// Tries again later, from where it can go on.
    fn failed(&mut self, now: Now, failure: &Failure) {
        self.reason = Some(failure.text().into_owned());
        self.rest = now.monotonic + self.backoff.next();
        if let Failure::Fault(no) = failure {
            if self.stage == Stage::Create {
                self.lives = (self.lives + 1) % 3;
            }
            if no.forbidden {
                self.rest = now.monotonic + FORBIDDEN;
            }
        }
        // A device that restarted may have moved its services.
        if self.backoff.tries() > 2 && !matches!(failure, Failure::Unsent(_)) {
            self.service = None;
        }
        if !matches!(self.stage, Stage::OldServices | Stage::Capabilities) || self.service.is_none() {
            self.resume(now);
        }
    }

    /// An answer is gone, and perhaps messages with it.
    fn lost(&mut self, reason: Reason) {
        if self.memory.keeps {
            self.again = true;
        } else {
            self.lacks(reason);
        }
    }

    /// From when on something may be missing is told when the feed goes on, and why first.
    fn lacks(&mut self, reason: Reason) {
        if self.memory.position.is_some() {
            self.missing.get_or_insert((self.memory.heard, reason));
        }
    }

    fn forget_point(&mut self) {
        self.point = None;
        self.memory.point = None;
    }

    fn no_pull(&mut self, now: Now, no: &No) {
        self.faults += 1;
        if let Some(longest) = no.longest {
            self.seconds = longest.clamp(1, PULL);
        } else if !no.unknown {
            self.seconds = (self.seconds / 2).max(5);
        }
        if no.unknown || (self.faults >= 3 && !no.forbidden) {
            if no.unknown {
                self.forget_point();
            }
            if self.memory.keeps {
                self.again = true;
            } else {
                self.lacks(Reason::NotKept);
                self.forget_point();
            }
            self.faults = 0;
        }
        let first = no.unknown && self.backoff.tries() == 0;
        self.failed(now, &Failure::Fault(no.clone()));
        if first {
            // Most often it lived no longer; nothing is wrong.
            (self.rest, self.reason) = (now.monotonic, None);
        }
    }

    /// One message that is too long, or that breaks the XML, spoils the others of its answer: they are asked for again in smaller helpings.
    fn unread(&mut self, now: Now, failure: &Failure) {
        if self.memory.keeps && self.limit > 1 {
            self.again = true;
        } else {
            let reason = if *failure == Failure::TooLong { Reason::TooLong } else { Reason::Unreadable };
            self.lacks(reason);
        }
        self.limit = (self.limit / 8).max(1);
        self.failed(now, failure);
    }

    fn no_seek(&mut self, now: Now, no: &No) {
        if no.unknown {
            self.forget_point();
            self.failed(now, &Failure::Fault(no.clone()));
            return;
        }
        self.again = false;
        self.replay = None;
        self.lacks(Reason::SeekRefused);
        self.untold = self.states.keys().copied().collect();
        self.stage = Stage::Pull;
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
            self.untold = self.states.keys().copied().collect();
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
        let mut replay = Replay::default();
        for (time, mark) in kept {
            replay.until = replay.until.max(time);
            replay.marks.insert(mark);
        }
        self.replay = Some(replay);
        self.stage = Stage::Seek;
    }

    fn pulled(&mut self, now: Now, pulled: Pulled) {
        let took = now.monotonic.saturating_sub(self.asked);
        let (empty, count) = (pulled.messages.is_empty(), pulled.messages.len());
        (self.faults, self.reason) = (0, None);
        self.backoff.reset();
        self.clock(now, pulled.clock);
        let mut batch = Batch { unreadable: pulled.unreadable as u64, ..Batch::default() };
        self.tell_missing(now, &mut batch);
        if pulled.unreadable > 0 {
            self.lacks(Reason::Unreadable);
            self.tell_missing(now, &mut batch);
        }
        for (place, message) in pulled.messages.into_iter().enumerate() {
            self.begins |= pulled.begins == Some(place);
            self.message(now, message, pulled.clock, &mut batch);
        }
        self.begins |= pulled.begins == Some(count);
        if empty && pulled.begins.is_none() {
            self.quiet(now, took, &mut batch);
        }
        if self.replay.is_none() {
            self.memory.heard = now.wall;
        }
        let news = !(batch.entries.is_empty() && batch.states.is_empty());
        self.lives_on(now, pulled.life, count);
        self.rests(now, took, news, count + pulled.unreadable);
        if news || now.wall.saturating_sub(self.written) >= HEARD {
            self.keep(now, batch);
        }
    }

    /// The device had nothing to tell: it has told everything that it kept, and all states.
    fn quiet(&mut self, now: Now, took: Duration, batch: &mut Batch) {
        if std::mem::take(&mut self.begins) {
            self.gap(now.wall, Reason::BeginOfBuffer, batch);
        }
        self.replay = None;
        if took >= AT_ONCE || self.hasty > 1 {
            for gone in std::mem::take(&mut self.untold) {
                self.states.remove(&gone);
                batch.states.insert(gone, None);
            }
        }
    }

    /// How long the pull point lives, and with how much it answers.
    fn lives_on(&mut self, now: Now, life: Option<SignedDuration>, count: usize) {
        self.lives(now, life);
        let short = self.point.as_ref().is_some_and(|(_, ends)| {
            ends.saturating_sub(now.monotonic) < Duration::from_secs(self.seconds.unsigned_abs()) + ANSWER
        });
        if self.stage == Stage::Pull && short && self.renews {
            self.stage = Stage::Renew;
        }
        if count >= usize::try_from(self.limit).unwrap_or_default() {
            self.limit = (self.limit * 2).min(LIMIT);
        }
    }

    /// A camera that answers at once, whatever it was told, is not asked at once again; nor is one that talks without end.
    fn rests(&mut self, now: Now, took: Duration, news: bool, count: usize) {
        self.hasty = if !news && took < AT_ONCE { self.hasty + 1 } else { 0 };
        let haste = match self.hasty {
            0 => Duration::ZERO,
            // Right after a Seek what is known comes again.
            _ if self.replay.is_some() && count > 0 => Duration::ZERO,
            times => Duration::from_secs(u64::from(1_u32.checked_shl(times - 1).unwrap_or(HASTE).min(HASTE))),
        };
        self.rest = now.monotonic + haste.max(self.rate.take(now.monotonic, count));
    }

    fn renewed(&mut self, now: Now, answer: Result<Answer, Failure>) {
        self.stage = Stage::Pull;
        match answer {
            Ok(Answer::Renewed { life }) => {
                let before = self.point.as_ref().map(|(_, ends)| *ends);
                self.lives(now, life);
                let after = self.point.as_ref().map(|(_, ends)| *ends);
                self.renews = after > before;
            }
            Err(Failure::Unsent(_)) => {}
            _ => self.renews = false,
        }
    }

    fn message(&mut self, now: Now, message: Message, clock: Option<Timestamp>, batch: &mut Batch) {
        let mark = message.mark();
        if let Some(replay) = &self.replay
            && message.time > replay.until
            && !replay.marks.contains(&mark)
        {
            self.recent.extend(self.replay.take().into_iter().flat_map(|replay| replay.marks).take(MARKS));
        }
        let known = self.replay.as_ref().is_some_and(|replay| replay.marks.contains(&mark));
        if known || self.recent.contains(&mark) {
            // What the device keeps reaches back to what is kept here.
            self.begins = false;
            batch.repeated += 1;
            return;
        }
        if std::mem::take(&mut self.begins) {
            let ours = i64::try_from(message.time).unwrap_or(i64::MAX).saturating_sub(self.memory.offset.unwrap_or(0));
            let ours = u64::try_from(ours).unwrap_or_default();
            if ours > self.memory.heard {
                self.gap(ours.min(now.wall), Reason::BeginOfBuffer, batch);
                self.stage = Stage::Synchronise;
            }
        }
        if self.recent.len() >= MARKS {
            self.recent.pop_front();
        }
        self.recent.push_back(mark);
        // A time beyond the device's own clock would lead a Seek past what is still to come.
        let most = clock.and_then(|clock| u64::try_from(clock.as_millisecond()).ok()).unwrap_or(u64::MAX);
        let time = message.time.min(most);
        if !self.memory.sure && message.operation != Some(Operation::Initialized) {
            // The device's clock and the times of its messages need not agree.
            self.memory.sure = true;
            self.memory.position = self.memory.position.map(|position| position.min(time));
        }
        self.memory.position = self.memory.position.max(Some(time));
        if self.state(&message, batch) {
            batch.entries.push(message.entry());
        }
    }

    /// What a message says of a property. Whether it is news.
    fn state(&mut self, message: &Message, batch: &mut Batch) -> bool {
        let Some(operation) = message.operation else { return true };
        let key = message.property();
        self.untold.remove(&key);
        match operation {
            Operation::Deleted => {
                if self.states.remove(&key).is_some() {
                    batch.states.insert(key, None);
                }
                true
            }
            Operation::Initialized | Operation::Changed => {
                let (known, state) = (self.states.get(&key).copied(), message.state());
                if known == Some(state) {
                    return operation == Operation::Changed;
                }
                if known.is_some() || self.states.len() < PROPERTIES {
                    self.states.insert(key, state);
                    batch.states.insert(key, Some(message.clone()));
                }
                true
            }
        }
    }

    fn tell_missing(&mut self, now: Now, batch: &mut Batch) {
        if let Some((from, reason)) = self.missing.take() {
            batch.entries.push(Entry::Gap(Gap { from: from.min(now.wall), to: now.wall, reason }));
        }
    }

    fn gap(&mut self, to: u64, reason: Reason, batch: &mut Batch) {
        batch.entries.push(Entry::Gap(Gap { from: self.memory.heard.min(to), to, reason }));
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
            self.keep_at = now.monotonic + self.unkept.next();
        }
    }
}

