//! The driver: sockets, timer, store and interfaces on the one side, the machine on the other.

use super::links::{Link, links};
use super::machine::{Arrival, Dropped, LONGEST, Machine, Output, TYPES, Told};
use crate::config::DiscoveryConfig;
use crate::scopes::scopes;
use crate::services::Shared;
use crate::store::State;
use aws_lc_rs::digest;
use jiff::Timestamp;
use oriel_onvif::discovery::{GROUP_V4, GROUP_V6};
use oriel_soap::udp::{Group, Place, Port, Purpose, Select, interfaces};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// How often the interfaces are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How often what was dropped is told to whoever reads the log.
const TELL_DROPPED: Duration = Duration::from_secs(60);
/// For the kernel to take a datagram.
const SEND: Duration = Duration::from_millis(100);
/// What the kernel may keep for each socket, in bytes.
const RECEIVED: usize = 128 << 10;
/// A place that was refused so often is warned of: an address of IPv6 is there a while before it can be used.
const WARN_AT: u8 = 2;

pub(super) struct Task {
    shared: Arc<Shared>,
    listeners: Vec<SocketAddr>,
    states: watch::Receiver<Arc<State>>,
    leave: oneshot::Receiver<()>,
    ports: Vec<Port>,
    /// Where no socket could be opened, and how often that was tried.
    refused: Vec<(Place, u8)>,
    /// The port to begin with, so that a busy one does not keep the others waiting.
    turn: usize,
    look: Instant,
    dropped: Dropped,
    dropped_told: Instant,
}

/// What the task waits for.
enum Event {
    Leave,
    Changed,
    Datagram(usize, io::Result<(usize, SocketAddr)>),
    Time,
}

impl Task {
    pub(super) fn new(shared: Arc<Shared>, listeners: Vec<SocketAddr>, leave: oneshot::Receiver<()>) -> Self {
        let (now, states) = (Instant::now(), shared.store.watch());
        let (ports, refused, dropped) = (Vec::new(), Vec::new(), Dropped::default());
        Self { shared, listeners, states, leave, ports, refused, turn: 0, look: now, dropped, dropped_told: now }
    }

    pub(super) async fn run(mut self) {
        self.warn_of_what_cannot_be();
        let instance_id = self.next_instance().await;
        let endpoint = self.shared.store.state().uuid.urn().to_string();
        let mut machine = Machine::new(Instant::now().into_std(), endpoint, instance_id);
        // One more than is read, so that a longer one is seen to be longer.
        let mut buffer = vec![0; LONGEST + 1];
        loop {
            if self.look <= Instant::now() {
                self.look(&mut machine).await;
            }
            self.speak(&mut machine).await;
            let due = machine.due().map_or(self.look, |due| Instant::from_std(due).min(self.look));
            match self.event(due, &mut buffer).await {
                Event::Leave => break,
                Event::Changed => self.look = Instant::now(),
                Event::Datagram(at, Ok((length, source))) => {
                    self.hear(&mut machine, at, source, &buffer[..length]);
                }
                // The interface is gone, perhaps.
                Event::Datagram(at, Err(error)) => {
                    let port = self.ports.swap_remove(at);
                    tracing::debug!(interface = port.place.interface, %error, "a socket of discovery failed");
                }
                Event::Time => {}
            }
        }
        machine.leave(Instant::now().into_std(), &mut random);
        while let Some(due) = machine.due() {
            sleep_until(Instant::from_std(due)).await;
            self.speak(&mut machine).await;
        }
    }

    fn warn_of_what_cannot_be(&self) {
        let config = &self.shared.discovery;
        if config.interfaces.is_empty() && self.listeners.iter().all(|listener| listener.ip().is_loopback()) {
            tracing::warn!(
                "discovery: the device listens on loopback alone, where nobody looks; set `listen`, or name the interface \"lo\""
            );
        }
    }

    /// Grows with each start (WS-Discovery §7), and also when an old copy of the document was put back, as long as the clock is right.
    async fn next_instance(&self) -> u32 {
        let seconds = u32::try_from(Timestamp::now().as_second()).unwrap_or(0);
        let after = move |known: u32| known.saturating_add(1).max(seconds);
        let raised = self.shared.store.change(move |state| {
            state.discovery.instance_id = after(state.discovery.instance_id);
            Ok::<_, Infallible>(state.discovery.instance_id)
        });
        raised.await.unwrap_or_else(|_| {
            tracing::warn!("discovery: the number of this start cannot be stored");
            after(self.shared.store.state().discovery.instance_id)
        })
    }

    async fn event(&mut self, due: Instant, buffer: &mut [u8]) -> Event {
        let Self { leave, states, ports, turn, .. } = self;
        tokio::select! {
            biased;
            // An error means that the device is gone, without a word.
            _ = leave => Event::Leave,
            changed = states.changed() => if changed.is_ok() { Event::Changed } else { Event::Leave },
            () = sleep_until(due) => Event::Time,
            event = std::future::poll_fn(|cx| receive(ports, turn, cx, buffer)) => event,
        }
    }

    async fn speak(&self, machine: &mut Machine) {
        while let Some(Output { interface, by, to, datagram }) = machine.poll(Instant::now().into_std()) {
            let is_it = |port: &&Port| {
                let place = &port.place;
                place.purpose == Purpose::Answer && place.address == by && place.interface == interface
            };
            let Some(port) = self.ports.iter().find(is_it) else { continue };
            let sending = async {
                match to {
                    Some(to) => port.send_to(&datagram, to).await,
                    None => port.send(&datagram).await,
                }
            };
            if let Ok(Err(error)) = timeout(SEND, sending).await {
                tracing::debug!(interface, %error, "a message of discovery could not be sent");
            }
        }
    }

    fn hear(&self, machine: &mut Machine, at: usize, source: SocketAddr, datagram: &[u8]) {
        let place = &self.ports[at].place;
        let asked = (place.purpose == Purpose::Answer).then_some(place.address);
        let arrival = Arrival { source, interface: &place.interface, asked };
        machine.received(Instant::now().into_std(), arrival, datagram, &mut random);
    }

    /// Looks at what there is to tell, and where.
    async fn look(&mut self, machine: &mut Machine) {
        let now = Instant::now();
        self.look = now + LOOK;
        let state = Arc::clone(&self.states.borrow_and_update());
        let links = if state.discovery.discoverable { self.links() } else { Vec::new() };
        self.open_ports(&links);
        let mut told = Told { links, ..Told::default() };
        if !told.links.is_empty() {
            told.scopes = scopes(&self.shared.information, &state).all();
            told.metadata_version = self.version(&state, &told).await;
        }
        machine.tell(Instant::now().into_std(), told, &mut random);
        self.tell_dropped(now, machine.take_dropped());
    }

    fn links(&self) -> Vec<Link> {
        let DiscoveryConfig { interfaces: names, .. } = &self.shared.discovery;
        let select = Select { names: names.clone(), ipv4: true, ipv6: true };
        match interfaces(&select) {
            Ok(found) => links(found, &self.listeners, takes_both_families()),
            Err(error) => {
                tracing::debug!(%error, "the interfaces cannot be told");
                Vec::new()
            }
        }
    }

    /// The version of what is told, a higher one as soon as that has changed. Kept, so that it rises over restarts too.
    async fn version(&self, state: &State, told: &Told) -> u32 {
        let print = fingerprint(told);
        if state.discovery.told == print {
            return state.discovery.metadata_version;
        }
        let raised = self.shared.store.change(move |state| {
            let discovery = &mut state.discovery;
            if discovery.told != print {
                (discovery.told, discovery.metadata_version) = (print, discovery.metadata_version.saturating_add(1));
            }
            Ok::<_, Infallible>(discovery.metadata_version)
        });
        raised.await.unwrap_or_else(|_| {
            tracing::warn!("discovery: the version of what is told cannot be stored");
            state.discovery.metadata_version.saturating_add(1)
        })
    }

    /// Opens sockets on what is new and drops those on what is gone.
    fn open_ports(&mut self, links: &[Link]) {
        let group = Group { v4: GROUP_V4, v6: GROUP_V6, port: self.shared.discovery.port };
        let wanted: Vec<Place> = links.iter().flat_map(|link| places(link, group)).collect();
        self.ports.retain(|port| wanted.contains(&port.place));
        self.refused.retain(|(place, _)| wanted.contains(place));
        for place in wanted {
            if self.ports.iter().any(|port| port.place == place) {
                continue;
            }
            match Port::open(place.clone(), RECEIVED) {
                Ok(port) => {
                    self.refused.retain(|(refused, _)| *refused != place);
                    self.ports.push(port);
                }
                Err(error) => self.refuse(place, &error),
            }
        }
    }

    /// Said once, however long it lasts.
    fn refuse(&mut self, place: Place, error: &io::Error) {
        let at = self.refused.iter().position(|(refused, _)| *refused == place).unwrap_or_else(|| {
            self.refused.push((place, 0));
            self.refused.len() - 1
        });
        let (place, times) = &mut self.refused[at];
        *times = times.saturating_add(1).min(WARN_AT + 1);
        let taken = error.kind() == io::ErrorKind::AddrInUse;
        if *times == if taken { 1 } else { WARN_AT } {
            let (interface, address) = (&place.interface, place.address);
            tracing::warn!(interface, %address, %error, "discovery: no socket; the device works on, and may not be found there");
        }
    }

    fn tell_dropped(&mut self, now: Instant, more: Dropped) {
        let dropped = &mut self.dropped;
        dropped.strangers += more.strangers;
        dropped.excess += more.excess;
        dropped.garbage += more.garbage;
        if now < self.dropped_told + TELL_DROPPED {
            return;
        }
        self.dropped_told = now;
        let Dropped { strangers, excess, garbage } = std::mem::take(dropped);
        if strangers + excess + garbage > 0 {
            tracing::debug!(strangers, excess, garbage, "datagrams that discovery dropped");
        }
    }
}

/// One that speaks and is asked for each address of an interface, and those that hear everybody.
fn places(link: &Link, group: Group) -> Vec<Place> {
    let addresses: Vec<IpAddr> = link.reached.iter().map(|reached| reached.address).collect();
    let speaking = addresses.iter().map(|address| Place::by(&link.interface, *address, Purpose::Answer, group));
    speaking.chain(Place::hearing(&link.interface, &addresses, group)).collect()
}

/// Tells one description from another.
fn fingerprint(told: &Told) -> String {
    let types = TYPES.into_iter().map(|kind| kind.to_string());
    let mut xaddrs: Vec<String> =
        told.links.iter().flat_map(|link| link.reached.iter().flat_map(|one| link.xaddrs(one.address))).collect();
    xaddrs.sort();
    xaddrs.dedup();
    let words: Vec<String> = types.chain(told.scopes.iter().cloned()).chain(xaddrs).collect();
    let digest = digest::digest(&digest::SHA256, words.join("\n").as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a listener on every address of IPv6 takes those of IPv4 too, as Linux has it unless it is told otherwise.
fn takes_both_families() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv6/bindv6only").is_ok_and(|text| text.trim() == "0")
}

fn random() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}

fn receive(ports: &[Port], turn: &mut usize, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Event> {
    for step in 0..ports.len() {
        let at = (*turn + step) % ports.len();
        if let Poll::Ready(received) = ports[at].poll_receive(cx, buffer) {
            *turn = at + 1;
            return Poll::Ready(Event::Datagram(at, received));
        }
    }
    Poll::Pending
}
