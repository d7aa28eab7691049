//! A feed and a camera in virtual time: what breaks, what comes back, and what is told of it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::feed::entry::{Items, Operation};
use crate::feed::words::Pulled;

/// When the tests begin, Unix milliseconds.
const START: u64 = 1_800_000_000_000;

fn said(topic: &str, operation: Option<Operation>, time: u64, value: &str) -> Message {
    Message {
        topic: topic.to_owned(),
        utc_time: Timestamp::from_millisecond(i64::try_from(time).unwrap()).unwrap().to_string(),
        time,
        operation,
        source: Items::new(),
        key: Items::new(),
        data: [("Value".to_owned(), value.to_owned())].into(),
        elements: Vec::new(),
        cut: false,
    }
}

/// How a camera misbehaves.
#[derive(Default)]
struct Manners {
    /// No answer to pulls; after how long the tunnel says so.
    mute: Option<Duration>,
    nonsense: bool,
    /// It answers at once, with nothing.
    hasty: bool,
    /// It tells its last message for ever.
    repeats: bool,
    /// A message with this value makes the answer too long.
    huge: Option<&'static str>,
    /// Its pull points live so long, whatever is pulled.
    mortal: Option<u64>,
    no_events: bool,
    forgets: bool,
    refuses_seek: bool,
    /// It answers to Seek with nothing.
    mute_seek: bool,
    /// What it says of itself cannot be read.
    unclear: bool,
    /// It closes pulls that last longer, in seconds.
    closes: Option<u64>,
    /// Initialized has the time of the last change.
    old_times: bool,
}

struct Camera {
    keeps: bool,
    manners: Manners,
    /// Its clock less ours.
    offset: i64,
    log: Vec<Message>,
    /// Nothing older is in the log.
    begun: bool,
    /// The log lost its beginning.
    trimmed: bool,
    properties: BTreeMap<String, String>,
    /// What happens when.
    plan: VecDeque<(u64, String, String)>,
    points: HashMap<String, Point>,
    made: u32,
    asked: Vec<Ask>,
}

struct Point {
    queue: VecDeque<Message>,
    begins: bool,
    ends: u64,
}

impl Camera {
    fn new(keeps: bool) -> Self {
        Self {
            keeps,
            manners: Manners::default(),
            offset: 0,
            log: Vec::new(),
            begun: true,
            trimmed: false,
            properties: BTreeMap::new(),
            plan: VecDeque::new(),
            points: HashMap::new(),
            made: 0,
            asked: Vec::new(),
        }
    }

    fn clock(&self, wall: u64) -> Timestamp {
        Timestamp::from_millisecond(i64::try_from(wall).unwrap() + self.offset).unwrap()
    }

    /// An event without state, or a property's change for topics that begin with `P`.
    fn happens(&mut self, wall: u64, topic: &str, value: &str) {
        let time = u64::try_from(self.clock(wall).as_millisecond()).unwrap();
        let property = topic.starts_with('P');
        if property {
            self.properties.insert(topic.to_owned(), value.to_owned());
        }
        let message = said(topic, property.then_some(Operation::Changed), time, value);
        if self.keeps {
            self.log.push(message.clone());
        }
        for point in self.points.values_mut() {
            point.queue.push_back(message.clone());
        }
    }

    fn reboots(&mut self) {
        self.points.clear();
    }

    /// Makes happen what was planned up to now.
    fn catch_up(&mut self, wall: u64) {
        while self.plan.front().is_some_and(|(at, ..)| *at <= wall) {
            let (at, topic, value) = self.plan.pop_front().unwrap();
            self.happens(at, &topic, &value);
        }
        self.points.retain(|_, point| point.ends > wall);
    }

    /// Answers, and says how long it took.
    fn answers(&mut self, ask: &Ask, wall: u64, patience: Duration) -> (Duration, Result<Answer, Failure>) {
        self.asked.push(ask.clone());
        self.catch_up(wall);
        let quick = Duration::from_millis(10);
        if let Some(after) = self.manners.mute {
            let took = after.min(patience);
            self.catch_up(wall + u64::try_from(took.as_millis()).unwrap());
            return (took, Err(Failure::Lost("the tunnel closed".to_owned())));
        }
        if self.manners.nonsense {
            return (quick, Err(Failure::Unreadable("nonsense".to_owned())));
        }
        let no = |unknown, unsupported| {
            Err(Failure::Fault(No { unknown, unsupported, reason: "no".to_owned(), ..No::default() }))
        };
        let answer = match ask {
            Ask::Services => Ok(Answer::Services((!self.manners.no_events).then(|| "/onvif/events".to_owned()))),
            Ask::OldServices => no(false, true),
            Ask::Capabilities { .. } if self.manners.unclear => Err(Failure::Unreadable("nothing".to_owned())),
            Ask::Capabilities { .. } => Ok(Answer::Capabilities { keeps: self.keeps }),
            Ask::Create { .. } => Ok(self.creates(wall)),
            Ask::Seek { at, time } => {
                if self.manners.mute_seek {
                    return (quick, Err(Failure::Unreadable("nothing".to_owned())));
                }
                if self.manners.refuses_seek {
                    return (quick, no(false, false));
                }
                let Some(point) = self.points.get_mut(&at.address) else { return (quick, no(true, false)) };
                let since = u64::try_from(time.as_millisecond()).unwrap();
                let mut back: Vec<Message> = self.log.iter().filter(|message| message.time >= since).cloned().collect();
                back.sort_by_key(|message| message.time);
                point.begins = self.trimmed || self.log.first().is_none_or(|first| first.time > since);
                point.queue = back.into();
                Ok(Answer::Done)
            }
            Ask::Synchronise { .. } => Ok(Answer::Done),
            Ask::Renew { at, .. } => match self.points.get_mut(&at.address) {
                Some(point) => {
                    point.ends = wall + 180_000;
                    Ok(Answer::Renewed { life: Some(SignedDuration::from_secs(180)) })
                }
                None => no(true, false),
            },
            Ask::Unsubscribe { at } => {
                self.points.remove(&at.address);
                Ok(Answer::Done)
            }
            Ask::Pull { at, seconds, limit } => return self.pull(at, *seconds, *limit, wall),
        };
        (quick, answer)
    }

    fn creates(&mut self, wall: u64) -> Answer {
        self.made += 1;
        let address = format!("/sub/{}", self.made);
        let wall_time = if self.manners.old_times { START } else { wall };
        let time = u64::try_from(self.clock(wall_time).as_millisecond()).unwrap();
        let told = self.properties.iter().map(|(topic, value)| said(topic, Some(Operation::Initialized), time, value));
        let life = self.manners.mortal.unwrap_or(180);
        let point = Point { queue: told.collect(), begins: false, ends: wall + life * 1000 };
        self.points.insert(address.clone(), point);
        let at = PullPoint { address, parameters: Vec::new() };
        let life = Some(SignedDuration::from_secs(i64::try_from(life).unwrap()));
        Answer::Created { at, clock: Some(self.clock(wall)), life }
    }

    fn pull(&mut self, at: &PullPoint, seconds: i64, limit: i32, wall: u64) -> (Duration, Result<Answer, Failure>) {
        let quick = Duration::from_millis(10);
        if self.manners.forgets {
            self.reboots();
        }
        if !self.points.contains_key(&at.address) {
            return (quick, Err(Failure::Fault(No { unknown: true, ..No::default() })));
        }
        let mut took = quick;
        if self.points[&at.address].queue.is_empty() && !self.manners.hasty && !self.points[&at.address].begins {
            let end = wall + seconds.unsigned_abs() * 1000;
            let until = self.plan.front().map_or(end, |(at, ..)| end.min(*at));
            if let Some(closes) = self.manners.closes.filter(|closes| until - wall > closes * 1000) {
                return (Duration::from_secs(closes), Err(Failure::Lost("it was closed".to_owned())));
            }
            took = Duration::from_millis(until - wall);
            let ends: Vec<u64> = self.points.values().map(|point| point.ends).collect();
            self.catch_up(until);
            if !self.points.contains_key(&at.address) {
                assert!(!ends.is_empty());
                return (took, Err(Failure::Fault(No { unknown: true, ..No::default() })));
            }
        }
        let now = wall + u64::try_from(took.as_millis()).unwrap();
        let (clock, mortal) = (self.clock(now), self.manners.mortal);
        let point = self.points.get_mut(&at.address).unwrap();
        if mortal.is_none() {
            point.ends = point.ends.max(now + 60_000);
        }
        let count = point.queue.len().min(usize::try_from(limit).unwrap());
        let messages: Vec<Message> = if self.manners.repeats {
            point.queue.truncate(1);
            point.queue.iter().cloned().collect()
        } else {
            point.queue.drain(..count).collect()
        };
        if messages.iter().any(|message| self.manners.huge.is_some_and(|huge| message.data["Value"] == huge)) {
            return (took, Err(Failure::TooLong));
        }
        let begins = std::mem::take(&mut point.begins).then_some(0);
        let life = Some(SignedDuration::from_millis(i64::try_from(point.ends - now).unwrap()));
        (took, Ok(Answer::Pulled(Pulled { clock: Some(clock), life, messages, begins, unreadable: 0 })))
    }
}

/// A feed, its camera, and the records.
struct World {
    feed: Feed,
    camera: Camera,
    now: u64,
    entries: Vec<Entry>,
    memory: Option<Memory>,
    states: HashMap<PropertyKey, u64>,
    /// The store takes nothing.
    store_away: bool,
    /// The process is killed when it is about to keep entries.
    dies: bool,
}

impl World {
    fn new(camera: Camera) -> Self {
        let feed = Feed::new(None, HashMap::new(), 7, Now { wall: START, monotonic: Duration::ZERO });
        let mut world = Self {
            feed,
            camera,
            now: START,
            entries: Vec::new(),
            memory: None,
            states: HashMap::new(),
            store_away: false,
            dies: false,
        };
        world.feed.arrived(world.moment());
        world
    }

    fn moment(&self) -> Now {
        Now { wall: self.now, monotonic: Duration::from_millis(self.now - START) }
    }

    /// The process ends at once, and another goes on from what is kept.
    fn killed(&mut self) {
        self.feed = Feed::new(self.memory.clone(), self.states.clone(), 9, self.moment());
        self.feed.arrived(self.moment());
    }

    /// Lets time pass.
    fn runs(&mut self, span: u64) {
        let end = self.now + span * 1000;
        let mut steps = 0;
        while self.now < end {
            steps += 1;
            assert!(steps < 200_000, "it spins");
            match self.feed.poll(self.moment()) {
                Output::End => return,
                Output::Wait(until) => {
                    let until = until.map_or(end, |until| START + u64::try_from(until.as_millis()).unwrap() + 1);
                    self.now = until.clamp(self.now + 1, end);
                    self.camera.catch_up(self.now);
                }
                Output::Recall(since) => {
                    let kept = self.entries.iter().filter_map(|entry| match entry {
                        Entry::Event(message) | Entry::State(message) => Some((message.time, message.mark())),
                        Entry::Gap(_) => None,
                    });
                    self.feed.recalled(kept.filter(|(time, _)| *time >= since));
                }
                Output::Keep(batch) => {
                    if self.dies && !batch.entries.is_empty() {
                        self.dies = false;
                        self.killed();
                    } else {
                        self.keeps(&batch);
                    }
                }
                Output::Ask(ask, patience) => {
                    let (took, answer) = self.camera.answers(&ask, self.now, patience);
                    self.now += u64::try_from(took.as_millis()).unwrap();
                    self.feed.answered(self.moment(), answer);
                }
            }
        }
    }

    fn keeps(&mut self, batch: &Arc<Batch>) {
        let taken = !self.store_away;
        if taken {
            self.entries.extend(batch.entries.iter().cloned());
            self.memory = Some(batch.memory.clone());
            for (key, state) in &batch.states {
                match state {
                    Some(message) => drop(self.states.insert(*key, message.state())),
                    None => drop(self.states.remove(key)),
                }
            }
        }
        self.now += 5;
        self.feed.kept(self.moment(), taken);
    }

    fn plan(&mut self, after: u64, topic: &str, value: &str) {
        self.camera.plan.push_back((self.now + after * 1000, topic.to_owned(), value.to_owned()));
    }

    /// The values of what was told, and the reasons of gaps in braces.
    fn told(&self) -> Vec<String> {
        let told = |entry: &Entry| match entry {
            Entry::Event(message) => message.data["Value"].clone(),
            Entry::State(message) => format!("={}", message.data["Value"]),
            Entry::Gap(gap) => format!("<{}>", gap.reason.word()),
        };
        self.entries.iter().map(told).collect()
    }

    fn asks(&self, which: impl Fn(&Ask) -> bool) -> usize {
        self.camera.asked.iter().filter(|ask| which(ask)).count()
    }
}

fn is_pull(ask: &Ask) -> bool {
    matches!(ask, Ask::Pull { .. })
}

/// The tunnel breaks off in the middle of a pull, and comes back after `away` seconds.
fn tunnel_drops(world: &mut World, away: u64) {
    world.camera.manners.mute = Some(Duration::from_secs(3));
    while !world.camera.asked.last().is_some_and(is_pull) || world.feed.reason.is_none() {
        world.runs(1);
    }
    world.feed.left();
    world.camera.manners.mute = None;
    world.runs(away);
    world.feed.arrived(world.moment());
}

#[test]
fn states_are_told_once_and_changes_as_they_come() {
    let mut world = World::new(Camera::new(false));
    world.camera.properties.insert("P/Motion".to_owned(), "false".to_owned());
    world.plan(100, "P/Motion", "true");
    world.plan(200, "E/Ring", "ding");
    world.runs(300);
    assert_eq!(world.told(), ["=false", "true", "ding"]);
    // A new pull point tells the states again: nothing changed, and nothing is told twice.
    world.camera.reboots();
    world.runs(300);
    assert_eq!(world.told(), ["=false", "true", "ding", "<not_kept>"]);
    // What changed while nobody listened is told as what it is.
    world.camera.reboots();
    world.camera.properties.insert("P/Motion".to_owned(), "false".to_owned());
    world.runs(300);
    assert_eq!(world.told()[4..], ["<not_kept>", "=false"]);
    // A property that is no more is known no more.
    world.camera.reboots();
    world.camera.properties.clear();
    world.runs(300);
    assert!(world.states.is_empty());
    assert_eq!(world.feed.status().state, State::Running);
}

#[test]
fn a_tunnel_that_drops_in_a_pull_loses_nothing_where_the_device_keeps_its_messages() {
    let mut world = World::new(Camera::new(true));
    world.camera.properties.insert("P/Motion".to_owned(), "false".to_owned());
    world.runs(30);
    for round in 0..20_u64 {
        for n in 0..5 {
            world.plan(1 + n, "E/Count", &format!("{}", round * 5 + n));
        }
        if round % 2 == 0 {
            world.runs(60);
        }
        tunnel_drops(&mut world, 20 + round * 100);
        world.runs(60);
    }
    let counted: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(world.told()[0], "=false");
    assert_eq!(world.told()[1..], counted);
}

#[test]
fn where_it_does_not_the_pull_point_goes_on_and_the_lost_answer_is_told() {
    let mut world = World::new(Camera::new(false));
    world.plan(10, "E", "1");
    world.runs(30);
    world.plan(70, "E", "2");
    tunnel_drops(&mut world, 20);
    world.runs(100);
    assert_eq!(world.told(), ["1", "<answer_lost>", "2"]);
    assert_eq!(world.camera.made, 1);
    // Away for longer than the pull point lives.
    tunnel_drops(&mut world, 600);
    world.plan(10, "E", "3");
    world.runs(100);
    assert_eq!(world.told()[3..], ["<answer_lost>", "3"]);
    assert_eq!(world.camera.made, 2);
    let Entry::Gap(gap) = &world.entries[3] else { panic!() };
    assert!(gap.to - gap.from >= 600_000, "{gap:?}");
}

#[test]
fn what_was_pulled_and_not_kept_comes_again_after_a_kill() {
    for keeps in [true, false] {
        let mut world = World::new(Camera::new(keeps));
        world.plan(10, "E", "1");
        world.runs(30);
        world.plan(10, "E", "2");
        world.dies = true;
        world.runs(60);
        world.plan(10, "E", "3");
        world.runs(60);
        if keeps {
            assert_eq!(world.told(), ["1", "2", "3"]);
        } else {
            assert_eq!(world.told(), ["1", "<answer_lost>", "3"]);
        }
    }
}

#[test]
fn a_restart_of_the_device_is_no_gap_where_it_keeps_its_messages() {
    let mut world = World::new(Camera::new(true));
    world.plan(10, "E", "1");
    world.runs(120);
    world.camera.reboots();
    world.camera.happens(world.now, "E", "2");
    world.plan(30, "E", "3");
    world.runs(200);
    assert_eq!(world.told(), ["1", "2", "3"]);
}

#[test]
fn a_store_that_begins_later_is_a_gap_and_one_that_reaches_back_is_none() {
    let mut world = World::new(Camera::new(true));
    world.plan(10, "E", "1");
    world.runs(30);
    let heard = world.memory.as_ref().unwrap().heard;
    world.feed.left();
    for n in 2..10 {
        world.plan(n * 100, "E", &n.to_string());
    }
    world.runs(1000);
    assert!(world.camera.begun && world.camera.log.len() == 9);
    world.camera.points.clear();
    world.feed.arrived(world.moment());
    world.runs(60);
    assert_eq!(world.told(), ["1", "2", "3", "4", "5", "6", "7", "8", "9"], "its log begins with what is known");
    world.feed.left();
    for n in 10..20 {
        world.plan((n - 9) * 100, "E", &n.to_string());
    }
    world.runs(1100);
    world.camera.points.clear();
    let from = world.camera.log.iter().position(|message| message.data["Value"] == "15").unwrap();
    world.camera.log.drain(..from);
    world.camera.trimmed = true;
    let begins = world.camera.log[0].time;
    world.feed.arrived(world.moment());
    world.runs(60);
    assert_eq!(world.told()[9..], ["<begin_of_buffer>", "15", "16", "17", "18", "19"]);
    let Entry::Gap(gap) = &world.entries[9] else { panic!() };
    assert!(gap.from >= heard && gap.to == begins, "{gap:?} {begins}");
    // An emptied one tells nothing at all, and that is a gap too.
    world.feed.left();
    world.plan(10, "E", "20");
    world.runs(600);
    world.camera.points.clear();
    world.camera.log.clear();
    world.feed.arrived(world.moment());
    world.runs(120);
    assert_eq!(world.told()[15..], ["<begin_of_buffer>"]);
}

#[test]
fn a_seek_that_is_refused_is_told() {
    let mut world = World::new(Camera::new(true));
    world.plan(10, "E", "1");
    world.runs(30);
    world.camera.manners.refuses_seek = true;
    world.camera.reboots();
    world.plan(90, "E", "2");
    world.runs(200);
    assert_eq!(world.told(), ["1", "<seek_refused>", "2"]);
}

#[test]
fn what_opens_shuts_and_opens_within_one_second_of_the_cameras_clock_is_told_thrice() {
    // In one answer, and in one after the other.
    for apart in [0, 50] {
        for keeps in [true, false] {
            let mut world = World::new(Camera::new(keeps));
            world.runs(30);
            for value in ["open", "shut", "open"] {
                let message = said("P/Door", Some(Operation::Changed), START + 30_000, value);
                world.camera.points.values_mut().for_each(|point| point.queue.push_back(message.clone()));
                if apart > 0 {
                    world.camera.happens(world.now, "E", value);
                    world.runs(apart);
                }
            }
            world.runs(60);
            let doors = world.entries.iter().filter(|entry| entry.topic() == "P/Door").count();
            assert_eq!(doors, 3, "{:?}", world.told());
        }
    }
}

#[test]
fn a_property_that_is_told_again_with_its_old_time_stays() {
    let mut world = World::new(Camera::new(false));
    world.camera.manners.old_times = true;
    world.camera.properties.insert("P/Motion".to_owned(), "false".to_owned());
    world.runs(100);
    for _ in 0..3 {
        world.camera.reboots();
        world.runs(200);
        assert_eq!(world.states.len(), 1);
    }
    assert_eq!(world.told().iter().filter(|told| *told == "=false").count(), 1, "{:?}", world.told());
}

#[test]
fn what_is_known_of_messages_stays_within_bounds() {
    let mut world = World::new(Camera::new(true));
    world.plan(1, "E", "first");
    world.runs(30);
    for round in 0..5 {
        for n in 0..3000 {
            world.camera.happens(world.now + n / 1000, "E", &format!("{round} {n}"));
        }
        tunnel_drops(&mut world, 20);
        world.runs(60);
        let known = world.feed.previous.len() + world.feed.answer.len() + world.feed.overlap.len();
        assert!(known <= 1024, "{known}");
    }
    world.runs(300);
    assert_eq!(world.told().len(), 15_001);
}

#[test]
fn a_seek_that_is_answered_with_nothing_is_no_seek() {
    let mut world = World::new(Camera::new(true));
    world.plan(10, "E", "1");
    world.runs(30);
    world.camera.manners.mute_seek = true;
    world.camera.reboots();
    world.plan(90, "E", "2");
    world.runs(200);
    assert_eq!(world.told(), ["1", "<seek_refused>", "2"]);
}

#[test]
fn a_camera_that_does_not_say_what_it_can_is_one_that_keeps_nothing() {
    let mut world = World::new(Camera::new(true));
    world.camera.manners.unclear = true;
    world.plan(10, "E", "1");
    world.runs(60);
    assert_eq!(world.told(), ["1"]);
    assert!(!world.feed.status().keeps);
}

#[test]
fn a_camera_that_closes_long_pulls_is_asked_for_shorter_ones() {
    for keeps in [true, false] {
        let mut world = World::new(Camera::new(keeps));
        world.camera.manners.closes = Some(20);
        world.runs(300);
        let pulls = world.asks(is_pull);
        for n in 0..20 {
            world.plan(100 * n + 50, "E", &n.to_string());
        }
        world.runs(2100);
        assert!(world.asks(is_pull) > pulls + 100, "it goes on");
        let told: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let events: Vec<String> = world.told().into_iter().filter(|told| !told.starts_with('<')).collect();
        assert_eq!(events, told);
        assert!(world.told().iter().filter(|told| told.starts_with('<')).count() <= 1, "{:?}", world.told());
        assert_eq!(world.feed.status().state, State::Running);
    }
}

#[test]
fn a_camera_that_answers_at_once_is_not_asked_at_once_again() {
    let mut world = World::new(Camera::new(false));
    world.camera.manners.hasty = true;
    world.runs(3600);
    assert!(world.camera.asked.len() < 400, "{}", world.camera.asked.len());
    world.plan(100, "E", "1");
    world.runs(200);
    assert_eq!(world.told(), ["1"]);
}

#[test]
fn what_a_camera_repeats_is_told_once() {
    let mut world = World::new(Camera::new(false));
    world.camera.manners.repeats = true;
    world.plan(10, "E", "1");
    world.runs(3600);
    assert_eq!(world.told(), ["1"]);
    assert!(world.camera.asked.len() < 400, "{}", world.camera.asked.len());
}

#[test]
fn a_hundred_thousand_messages_come_in_order_and_not_faster_than_they_may() {
    let mut world = World::new(Camera::new(true));
    world.plan(1, "E", "first");
    world.runs(30);
    world.feed.left();
    for n in 0..100_000_u64 {
        world.camera.happens(world.now + n / 100, "E", &n.to_string());
    }
    world.feed.arrived(world.moment());
    world.runs(300);
    assert!(world.entries.len() < 45_000, "{}", world.entries.len());
    world.runs(1200);
    let told = world.told();
    assert_eq!(told.len(), 100_001);
    assert!(told[1..].iter().enumerate().all(|(n, value)| *value == n.to_string()));
}

#[test]
fn nonsense_and_silence_are_asked_again_more_and_more_seldom() {
    for mute in [true, false] {
        let mut world = World::new(Camera::new(true));
        world.runs(60);
        let before = world.camera.asked.len();
        world.camera.manners.nonsense = !mute;
        world.camera.manners.mute = mute.then_some(Duration::from_secs(3600));
        world.runs(3600);
        assert!(world.camera.asked.len() - before < 120, "{}", world.camera.asked.len() - before);
        assert_eq!(world.feed.status().state, State::Failing);
        world.camera.manners = Manners::default();
        world.plan(200, "E", "1");
        world.runs(400);
        assert_eq!(world.told().last().unwrap(), "1");
        assert_eq!(world.feed.status().state, State::Running);
    }
}

#[test]
fn a_pull_point_that_dies_at_each_pull_is_not_made_without_end() {
    let mut world = World::new(Camera::new(false));
    world.camera.manners.forgets = true;
    world.runs(3600);
    assert!(world.camera.made < 100, "{}", world.camera.made);
    let gaps = world.told().iter().filter(|told| told.starts_with('<')).count();
    assert_eq!(gaps, world.camera.made as usize - 1);
}

#[test]
fn a_message_that_is_too_long_costs_no_other() {
    for keeps in [true, false] {
        let mut world = World::new(Camera::new(keeps));
        world.runs(30);
        world.camera.manners.huge = Some("huge");
        world.feed.left();
        for n in 0..20 {
            let value = if n == 10 { "huge".to_owned() } else { n.to_string() };
            world.camera.happens(world.now + n, "E", &value);
        }
        world.feed.arrived(world.moment());
        world.plan(300, "E", "last");
        world.runs(600);
        let told = world.told();
        assert_eq!(told.iter().filter(|told| *told == "<too_long>").count(), 1, "{told:?}");
        assert_eq!(told.last().unwrap(), "last");
        if keeps {
            assert_eq!(told.len(), 21, "{told:?}");
        }
    }
}

#[test]
fn a_clock_that_jumps_loses_and_doubles_nothing() {
    for (before, after) in [(0, -7200), (0, 7200), (4 * 365 * 24 * 3600, 0), (0, -4 * 365 * 24 * 3600)] {
        for while_away in [true, false] {
            let mut world = World::new(Camera::new(true));
            world.camera.offset = before * 1000;
            for n in 0..5 {
                world.plan(10 + n, "E", &n.to_string());
            }
            world.runs(100);
            if while_away {
                world.feed.left();
            }
            world.camera.offset = after * 1000;
            for n in 5..10 {
                world.plan(n, "E", &n.to_string());
            }
            world.runs(60);
            if while_away {
                world.camera.points.clear();
                world.feed.arrived(world.moment());
            } else {
                tunnel_drops(&mut world, 300);
            }
            world.plan(10, "E", "10");
            world.runs(120);
            let told: Vec<String> = world.told().into_iter().filter(|told| !told.starts_with('<')).collect();
            let all: Vec<String> = (0..=10).map(|n| n.to_string()).collect();
            assert_eq!(told, all, "{before} {after} {while_away}");
        }
    }
}

#[test]
fn a_store_that_is_away_stops_the_pulls_and_loses_nothing() {
    for keeps in [true, false] {
        let mut world = World::new(Camera::new(keeps));
        world.plan(5, "E", "1");
        world.runs(30);
        world.store_away = true;
        // A pull point lives a minute from its last pull on.
        let away = if keeps { 600 } else { 20 };
        world.plan(5, "E", "2");
        world.runs(away);
        let before = world.asks(is_pull);
        world.plan(1, "E", "3");
        world.runs(away);
        assert_eq!(world.asks(is_pull), before, "nothing is pulled that could not be kept");
        world.store_away = false;
        world.plan(120, "E", "4");
        world.runs(300);
        assert_eq!(world.told(), ["1", "2", "3", "4"], "{keeps}");
    }
}

#[test]
fn a_camera_whose_pull_points_do_not_live_on_by_pulls_is_asked_to_renew_them() {
    let mut world = World::new(Camera::new(false));
    world.camera.manners.mortal = Some(180);
    for n in 0..60 {
        world.plan(60 * n + 30, "E", &n.to_string());
    }
    world.runs(3660);
    assert_eq!((world.camera.made, world.told().len()), (1, 60));
    assert!(world.asks(|ask| matches!(ask, Ask::Renew { .. })) > 10);
}

#[test]
fn a_feed_that_ends_gives_its_pull_point_back_unless_somebody_goes_on_with_it() {
    for keeps in [true, false] {
        let mut world = World::new(Camera::new(keeps));
        world.plan(5, "E", "1");
        world.runs(30);
        world.feed.stop();
        world.runs(10);
        assert_eq!(world.feed.poll(world.moment()), Output::End);
        assert_eq!(world.camera.points.len(), usize::from(!keeps));
        world.camera.happens(world.now, "E", "2");
        world.killed();
        world.runs(60);
        let expected: &[&str] = if keeps { &["1", "2"] } else { &["1", "<answer_lost>", "2"] };
        assert_eq!(world.told(), expected);
    }
}

#[test]
fn a_device_without_events_is_left_alone() {
    let mut world = World::new(Camera::new(false));
    world.camera.manners.no_events = true;
    world.runs(6 * 3600);
    assert!(world.camera.asked.len() <= 14, "{}", world.camera.asked.len());
    assert_eq!(world.feed.status().state, State::Unsupported);
    assert!(world.entries.is_empty());
}
