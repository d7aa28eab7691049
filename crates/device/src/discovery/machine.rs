//! The protocol: what to say when, to whom, and to whom nothing. It knows no socket and no clock.
//!
//! - Hello goes to everybody, after a random pause, when the device can be found on an interface and when what it tells has changed; Bye when it stops
//!   (WS-Discovery §4). Both go four times, answers twice (SOAP-over-UDP, appendix I).
//! - A Probe that matches and a Resolve of our endpoint are answered to where they came from and nowhere else, whatever they say in `ReplyTo`: each once, however
//!   often and wherever it is repeated. What came to everybody is answered after a random pause.
//! - **No amplifier.** Who asked is a claim. So nothing goes to an address that is of no network of the interface the question came by; what is read and what is
//!   answered has a bound for each host and for all; a fault goes to one who asked by unicast alone (Core §7.3.6), and who asks for something else hears nothing.
//! - What is no question is dropped in silence, and counted.

use super::links::Link;
use oriel_onvif::discovery::{
    self as words, AppSequence, DEVICE, Message, NETWORK_VIDEO_TRANSMITTER, Packet, Target, key, same_name,
};
use oriel_soap::udp::{MULTICAST, Random, Rate, Repeat, Throttle, UNICAST};
use oriel_soap::xml::QName;
use oriel_soap::{Fault, With as _};
use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// APP_MAX_DELAY (WS-Discovery §2.4), in milliseconds.
const APP_MAX_DELAY: u64 = 500;
/// The longest name of a message that is read, in bytes; an answer has it in it.
const LONGEST_NAME: usize = 256;
/// A longer question is none, in bytes.
pub(super) const LONGEST: usize = 8192;
/// What is read of all hosts together, and of one.
const READ: Rate = Rate { second: 1 << 20, burst: 2 << 20 };
const READ_OF_ONE: Rate = Rate { second: 32 << 10, burst: 128 << 10 };
/// What is answered to all, and to one: some twenty answers at once and five a second.
const ANSWERED: Rate = Rate { second: 64 << 10, burst: 256 << 10 };
const ANSWERED_TO_ONE: Rate = Rate { second: 16 << 10, burst: 64 << 10 };
/// What the smallest packet costs, either way.
const LEAST: u64 = 512;
/// Answers that wait for their time.
const WAITING: usize = 128;
/// Questions by which repeated ones are known, and for how long.
const RECENT: usize = 1024;
const REPEATED_WITHIN: Duration = Duration::from_secs(10);

/// What the device is: the types of the target service.
pub(super) const TYPES: [QName; 2] = [NETWORK_VIDEO_TRANSMITTER, DEVICE];

/// What there is to tell, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Told {
    pub(super) links: Vec<Link>,
    pub(super) scopes: Vec<String>,
    /// Grows whenever the others change.
    pub(super) metadata_version: u32,
}

/// How a datagram came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) source: SocketAddr,
    pub(super) interface: &'a str,
    /// The address of ours that it came to; none: to everybody.
    pub(super) asked: Option<IpAddr>,
}

/// Something to send, by this address of ours on this interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) interface: String,
    pub(super) by: IpAddr,
    /// None: everybody.
    pub(super) to: Option<SocketAddr>,
    pub(super) datagram: Arc<[u8]>,
}

/// Datagrams that were dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// From an address that is of no network of the interface.
    pub(super) strangers: u64,
    /// Beyond the bounds, read or not.
    pub(super) excess: u64,
    /// No message of discovery.
    pub(super) garbage: u64,
}

#[derive(Debug)]
pub(super) struct Machine {
    endpoint: String,
    instance_id: u32,
    message_number: u32,
    told: Told,
    /// What an answer costs, sent twice.
    weight: usize,
    waiting: Vec<Waiting>,
    recent: VecDeque<(Instant, u64)>,
    hasher: RandomState,
    read: Throttle,
    answered: Throttle,
    dropped: Dropped,
}

/// A message that is sent, or waits to be. It is written when it goes first: with what holds then.
#[derive(Debug)]
struct Waiting {
    interface: String,
    by: IpAddr,
    to: Option<SocketAddr>,
    says: Says,
    name: String,
    repeat: Repeat,
    datagram: Option<Arc<[u8]>>,
}

/// What it says; of an answer: the name of its question.
#[derive(Debug)]
enum Says {
    Hello,
    Bye,
    ProbeMatches(String),
    ResolveMatches(String),
    Fault(String, Box<Fault>),
}

impl Machine {
    pub(super) fn new(now: Instant, endpoint: String, instance_id: u32) -> Self {
        Self {
            endpoint,
            instance_id,
            message_number: 0,
            told: Told::default(),
            weight: 0,
            waiting: Vec::new(),
            recent: VecDeque::new(),
            hasher: RandomState::new(),
            read: Throttle::new(now, READ, READ_OF_ONE, LEAST),
            answered: Throttle::new(now, ANSWERED, ANSWERED_TO_ONE, LEAST),
            dropped: Dropped::default(),
        }
    }

    /// What holds from now on. Without links the device is silent: there is nobody to tell, or it is not to be discovered.
    pub(super) fn tell(&mut self, now: Instant, told: Told, random: Random<'_>) {
        let before = std::mem::replace(&mut self.told, told);
        let all = before.metadata_version != self.told.metadata_version;
        let changed: Vec<Link> =
            self.told.links.iter().filter(|link| all || !before.links.contains(link)).cloned().collect();
        let links = &self.told.links;
        self.waiting.retain(|waiting| {
            let stays = links.iter().any(|link| waiting.is_on(link) && link.speaks_by(waiting.by));
            let anew = matches!(waiting.says, Says::Hello) && changed.iter().any(|link| waiting.is_on(link));
            stays && !anew
        });
        for link in &changed {
            self.announce(link, || Says::Hello, |random| now + pause(random), random);
        }
        let weigh = |link: &Link| {
            let weight = |by| self.packet(link, by, &Says::ProbeMatches("n".repeat(LONGEST_NAME))).write().len();
            link.voices().map(weight).max().unwrap_or(0)
        };
        self.weight = usize::from(UNICAST) * self.told.links.iter().map(weigh).max().unwrap_or(0);
    }

    /// Says Bye wherever it could be found; what else was to be said is not any more.
    pub(super) fn leave(&mut self, now: Instant, random: Random<'_>) {
        self.waiting.clear();
        for link in self.told.links.clone() {
            self.announce(&link, || Says::Bye, |_| now, random);
        }
    }

    fn announce(
        &mut self,
        link: &Link,
        says: impl Fn() -> Says,
        at: impl Fn(Random<'_>) -> Instant,
        random: Random<'_>,
    ) {
        for by in link.voices() {
            self.waiting.push(Waiting {
                interface: link.interface.name.clone(),
                by,
                to: None,
                says: says(),
                name: name(random),
                repeat: Repeat::new(at(random), MULTICAST, random),
                datagram: None,
            });
        }
    }

    /// When [`Self::poll`] has something to send.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|waiting| waiting.repeat.due()).min()
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<Output> {
        let at = self.waiting.iter_mut().position(|waiting| waiting.repeat.take(now))?;
        let datagram = match &self.waiting[at].datagram {
            Some(written) => Arc::clone(written),
            None => self.write(at)?,
        };
        let waiting = &self.waiting[at];
        let (interface, by, to) = (waiting.interface.clone(), waiting.by, waiting.to);
        if waiting.repeat.due().is_none() {
            self.waiting.swap_remove(at);
        }
        Some(Output { interface, by, to, datagram })
    }

    fn write(&mut self, at: usize) -> Option<Arc<[u8]>> {
        self.message_number = self.message_number.saturating_add(1);
        let waiting = &self.waiting[at];
        let link = self.told.links.iter().find(|link| waiting.is_on(link))?;
        let datagram: Arc<[u8]> = match &waiting.says {
            Says::Fault(question, fault) => words::fault(&waiting.name, Some(question), fault).into(),
            says => {
                let mut packet = self.packet(link, waiting.by, says);
                packet.message_id = Some(waiting.name.clone());
                packet.write().into()
            }
        };
        self.waiting[at].datagram = Some(Arc::clone(&datagram));
        Some(datagram)
    }

    fn packet(&self, link: &Link, by: IpAddr, says: &Says) -> Packet {
        let target = || {
            Target::with(|target| {
                target.endpoint.clone_from(&self.endpoint);
                target.types = TYPES.to_vec();
                target.scopes.clone_from(&self.told.scopes);
                target.xaddrs = link.xaddrs(by);
                target.metadata_version = Some(self.told.metadata_version);
            })
        };
        let (message, question) = match says {
            Says::Hello => (Message::Hello(target()), None),
            Says::Bye => (Message::Bye(self.endpoint.clone()), None),
            Says::ProbeMatches(question) => (Message::ProbeMatches(vec![target()]), Some(question)),
            Says::ResolveMatches(question) | Says::Fault(question, _) => {
                (Message::ResolveMatches(Some(target())), Some(question))
            }
        };
        let sequence = AppSequence::with(|sequence| {
            (sequence.instance_id, sequence.message_number) = (self.instance_id, self.message_number);
        });
        Packet::new(Uuid::nil().urn().to_string(), message).answering(question.map(String::as_str)).at(sequence)
    }

    /// Takes a datagram.
    pub(super) fn received(&mut self, now: Instant, arrival: Arrival<'_>, datagram: &[u8], random: Random<'_>) {
        let host = arrival.source.ip();
        let link = self.told.links.iter().find(|link| link.interface.name == arrival.interface);
        let Some(by) = link.and_then(|link| link.answers(arrival.source, arrival.asked)) else {
            self.dropped.strangers += 1;
            return;
        };
        if !self.read.admits(now, host, datagram.len()) {
            self.dropped.excess += 1;
            return;
        }
        let packet = if datagram.len() <= LONGEST { Packet::parse(datagram).ok() } else { None };
        let Some(packet) = packet else {
            self.dropped.garbage += 1;
            return;
        };
        let multicast = arrival.asked.is_none();
        // Whose name nobody knows cannot be answered (WS-Addressing §3.2), and neither can what is no question.
        let Some(question) = packet.message_id.clone() else { return };
        let Some((says, delayed)) = self.answer(packet.message, question, multicast) else { return };
        let question = says.question();
        if self.is_repeated(now, arrival, question) {
            return;
        }
        if self.waiting.len() >= WAITING || !self.answered.admits(now, host, self.weight) {
            self.dropped.excess += 1;
            // Asked once more, it may find room.
            self.recent.pop_back();
            return;
        }
        let at = if delayed { now + pause(random) } else { now };
        self.waiting.push(Waiting {
            interface: arrival.interface.to_owned(),
            by,
            to: Some(arrival.source),
            says,
            name: name(random),
            repeat: Repeat::new(at, UNICAST, random),
            datagram: None,
        });
    }

    /// What is said to a message, if anything, and whether after a pause: where one question is for everybody, many answer (WS-Discovery §5.3).
    fn answer(&self, message: Message, question: String, multicast: bool) -> Option<(Says, bool)> {
        match message {
            Message::Probe(probe) => {
                let own = Target::with(|target| {
                    target.types = TYPES.to_vec();
                    target.scopes.clone_from(&self.told.scopes);
                });
                match probe.matches(&own) {
                    Ok(true) => Some((Says::ProbeMatches(question), multicast)),
                    Err(fault) if !multicast => Some((Says::Fault(question, Box::new(fault)), false)),
                    Ok(false) | Err(_) => None,
                }
            }
            Message::Resolve(endpoint) if same_name(&endpoint, &self.endpoint) => {
                Some((Says::ResolveMatches(question), false))
            }
            // What others say of themselves, and answers to somebody else.
            _ => None,
        }
    }

    /// One question is sent several times, and comes by several interfaces and addresses: by each of these it is answered once.
    fn is_repeated(&mut self, now: Instant, arrival: Arrival<'_>, question: &str) -> bool {
        let fingerprint = self.hasher.hash_one((key(question), arrival.source, arrival.interface));
        while self.recent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= REPEATED_WITHIN) {
            self.recent.pop_front();
        }
        if self.recent.iter().any(|(_, known)| *known == fingerprint) {
            return true;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((now, fingerprint));
        false
    }

    /// What was dropped since this was asked last.
    pub(super) fn take_dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.dropped)
    }
}

impl Waiting {
    fn is_on(&self, link: &Link) -> bool {
        self.interface == link.interface.name
    }
}

impl Says {
    fn question(&self) -> &str {
        match self {
            Self::Hello | Self::Bye => "",
            Self::ProbeMatches(question) | Self::ResolveMatches(question) | Self::Fault(question, _) => question,
        }
    }
}

fn pause(random: Random<'_>) -> Duration {
    Duration::from_millis(u64::try_from(random() % u128::from(APP_MAX_DELAY + 1)).unwrap_or(0))
}

fn name(random: Random<'_>) -> String {
    format!(
        "urn:uuid:{}",
        Uuid::from_bytes(uuid::Builder::from_random_bytes(random().to_ne_bytes()).into_uuid().into_bytes())
    )
}
