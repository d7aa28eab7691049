//! The protocol: what to send when, to whose question an answer belongs, and what was found. It knows no socket and no clock.
//!
//! A question becomes one or several messages, each with a name of its own and sent four times with growing random gaps (SOAP-over-UDP, appendix I). An answer
//! belongs to the question whose message it relates to. Some cameras forget to say which: what comes to the asking socket without relating to
//! anything belongs to every question under way of its kind, since that socket's port is told in our questions alone. An answer that relates to
//! something else is none of ours.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oriel_onvif::discovery::{self as words, DEVICE, Message, NETWORK_VIDEO_TRANSMITTER, Packet, Target, key};
use oriel_soap::With as _;
use oriel_soap::udp::{self, Random, Rate, Repeat, Throttle};
use oriel_soap::xml::QName;

use super::{Found, Heard};

/// What is read of all hosts together. 200 cameras that answer four repeated probes send less.
const ALL: Rate = Rate { second: 4 << 20, burst: 8 << 20 };
/// Of one host.
const EACH: Rate = Rate { second: 256 << 10, burst: 1 << 20 };
/// What the smallest packet costs.
const LEAST: u64 = 1024;
/// After the first answer to a Resolve, for others who claim the endpoint: twice APP_MAX_DELAY (WS-Discovery §2.4), and the question goes on being repeated, so that
/// a quick liar does not keep the camera from being heard.
const SETTLE: Duration = Duration::from_secs(1);
/// Endpoints that one question collects, and those of one host among them.
const ENDPOINTS: usize = 2048;
const ENDPOINTS_OF_HOST: usize = 256;
/// Messages by which repeated ones are known, and for how long.
const RECENT: usize = 256;
const REPEATED_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) enum Question {
    Probe { types: Vec<QName>, scopes: Vec<String> },
    Resolve { endpoint: String },
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Output {
    /// Send this to the group, on every interface.
    Send(Arc<[u8]>),
    /// A question's time is over.
    Done(u64, Vec<Found>),
}

/// How a datagram came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) source: SocketAddr,
    pub(super) interface: &'a str,
    /// By the socket that asks, and not by the one that hears what is said to everybody.
    pub(super) answer: bool,
}

#[derive(Debug)]
pub(super) struct Machine {
    searches: Vec<Search>,
    asked: u64,
    answers: Throttle,
    announcements: Throttle,
    recent: VecDeque<(Instant, String)>,
}

impl Machine {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            searches: Vec::new(),
            asked: 0,
            answers: Throttle::new(now, ALL, EACH, LEAST),
            announcements: Throttle::new(now, ALL, EACH, LEAST),
            recent: VecDeque::new(),
        }
    }

    /// Begins a question; the number is its name.
    pub(super) fn ask(&mut self, now: Instant, question: Question, wait: Duration, random: Random<'_>) -> u64 {
        self.asked += 1;
        self.searches.push(Search::new(now, self.asked, question, wait, random));
        self.asked
    }

    /// Whoever asked is gone.
    pub(super) fn forget(&mut self, number: u64) {
        self.searches.retain(|search| search.number != number);
    }

    /// When [`Self::poll`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.searches.iter().map(Search::due).min()
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<Output> {
        if let Some(over) = self.searches.iter().position(|search| search.until <= now) {
            let search = self.searches.swap_remove(over);
            return Some(Output::Done(search.number, search.found.list));
        }
        self.searches.iter_mut().find_map(|search| search.send(now)).map(Output::Send)
    }

    /// Takes a datagram; hands back what is said to everybody. What is no message, or too much, is dropped.
    pub(super) fn received(&mut self, now: Instant, arrival: Arrival<'_>, datagram: &[u8]) -> Option<Heard> {
        let throttle = if arrival.answer { &mut self.answers } else { &mut self.announcements };
        if !throttle.admits(now, arrival.source.ip().to_canonical(), datagram.len()) {
            tracing::trace!(source = %arrival.source, "a datagram too many");
            return None;
        }
        let packet = match Packet::parse(datagram) {
            Ok(packet) => packet,
            Err(fault) => {
                tracing::debug!(source = %arrival.source, interface = arrival.interface, %fault, "no message of discovery");
                return None;
            }
        };
        if packet.message.is_answer() {
            self.answered(now, arrival, packet);
            return None;
        }
        // Hello and Bye go to everybody; those of the asking socket were sent to us alone, by somebody who has no reason to.
        if arrival.answer || self.is_repeated(now, arrival, &packet) {
            return None;
        }
        match packet.message {
            Message::Hello(target) => Some(Heard::Hello(Found::new(target, arrival.source, arrival.interface))),
            Message::Bye(endpoint) => Some(Heard::Bye(endpoint)),
            _ => None,
        }
    }

    fn answered(&mut self, now: Instant, arrival: Arrival<'_>, packet: Packet) {
        let is_ours = |name: &String| self.searches.iter().any(|search| search.sent(name));
        // Some give the answer the name of the question instead.
        let echo = || packet.message_id.as_deref().map(key).filter(is_ours);
        let relates = packet.relates_to.as_deref().map(key).or_else(echo);
        let (probed, targets) = match packet.message {
            Message::ProbeMatches(targets) => (true, targets),
            Message::ResolveMatches(target) => (false, target.into_iter().collect()),
            _ => return,
        };
        for search in &mut self.searches {
            let is_related = match &relates {
                Some(name) => search.sent(name),
                None => arrival.answer && (probed || search.endpoint.is_some()),
            };
            if is_related {
                targets.iter().for_each(|target| search.take(now, arrival, target));
            }
        }
    }

    /// Everything is sent several times (SOAP-over-UDP), and by each of a device's addresses.
    fn is_repeated(&mut self, now: Instant, arrival: Arrival<'_>, packet: &Packet) -> bool {
        let name = match (&packet.message_id, &packet.message) {
            (Some(id), _) => id,
            (None, Message::Hello(target)) => &target.endpoint,
            (None, Message::Bye(endpoint)) => endpoint,
            _ => return false,
        };
        let name = format!("{} {} {} {name}", packet.message.name(), arrival.source.ip(), arrival.interface);
        self.recent.retain(|(at, _)| now.saturating_duration_since(*at) < REPEATED_WITHIN);
        if self.recent.iter().any(|(_, known)| *known == name) {
            return true;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((now, name));
        false
    }
}

/// A question under way.
#[derive(Debug)]
struct Search {
    number: u64,
    /// The one endpoint that is looked for, as [`key`] writes it.
    endpoint: Option<String>,
    messages: Vec<Asked>,
    until: Instant,
    found: Collection,
}

#[derive(Debug)]
struct Asked {
    name: String,
    datagram: Arc<[u8]>,
    repeat: Repeat,
}

impl Search {
    fn new(now: Instant, number: u64, question: Question, wait: Duration, random: Random<'_>) -> Self {
        let probe = |types: &[QName], scopes: &[String]| {
            Message::Probe(words::Probe::with(|probe| {
                probe.types = types.to_vec();
                probe.scopes = scopes.to_vec();
            }))
        };
        let (endpoint, messages) = match question {
            Question::Probe { types, scopes } if types.is_empty() => (None, vec![probe(&[], &scopes)]),
            Question::Probe { types, scopes } => {
                (None, types.chunks(1).map(|one| probe(one, &scopes)).collect::<Vec<_>>())
            }
            Question::Resolve { endpoint } => {
                let probes = [NETWORK_VIDEO_TRANSMITTER, DEVICE].map(|one| probe(&[one], &[]));
                (Some(key(&endpoint)), [Message::Resolve(endpoint)].into_iter().chain(probes).collect())
            }
        };
        let messages = messages.into_iter().map(|message| Asked::new(now, message, random)).collect();
        Self { number, endpoint, messages, until: now + wait, found: Collection::default() }
    }

    fn due(&self) -> Instant {
        self.messages.iter().filter_map(|asked| asked.repeat.due()).fold(self.until, Instant::min)
    }

    fn send(&mut self, now: Instant) -> Option<Arc<[u8]>> {
        let asked = self.messages.iter_mut().find_map(|asked| asked.repeat.take(now).then_some(&asked.datagram))?;
        Some(Arc::clone(asked))
    }

    fn sent(&self, name: &str) -> bool {
        self.messages.iter().any(|asked| asked.name == name)
    }

    fn take(&mut self, now: Instant, arrival: Arrival<'_>, target: &Target) {
        let name = key(&target.endpoint);
        if let Some(wanted) = &self.endpoint {
            if *wanted != name {
                return;
            }
            self.until = self.until.min(now + SETTLE);
        }
        self.found.add(name, Found::new(target.clone(), arrival.source, arrival.interface));
    }
}

impl Asked {
    fn new(now: Instant, message: Message, random: Random<'_>) -> Self {
        let name = format!("urn:uuid:{}", uuid::Builder::from_random_bytes(random().to_ne_bytes()).into_uuid());
        let datagram = Packet::new(&*name, message).write().into();
        Self { name, datagram, repeat: Repeat::new(now, udp::MULTICAST, random) }
    }
}

/// Endpoints, each once, in the order of their first answers.
#[derive(Debug, Default)]
struct Collection {
    list: Vec<Found>,
    places: HashMap<String, usize>,
    hosts: HashMap<IpAddr, usize>,
}

impl Collection {
    fn add(&mut self, name: String, found: Found) {
        if let Some(place) = self.places.get(&name) {
            self.list[*place].merge(found);
            return;
        }
        let of_host = self.hosts.entry(found.source.ip()).or_insert(0);
        if self.list.len() < ENDPOINTS && *of_host < ENDPOINTS_OF_HOST {
            *of_host += 1;
            self.places.insert(name, self.list.len());
            self.list.push(found);
        }
    }
}
