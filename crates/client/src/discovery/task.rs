//! The driver: sockets, timer and questions on the one side, the machine on the other.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use oriel_onvif::discovery::{GROUP_V4, GROUP_V6, LONGEST};
use oriel_soap::udp::{Group, Interface, Place, Port, Purpose, Select, interfaces};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::machine::{Arrival, Machine, Output, Question};
use super::{Found, Heard, Options};

/// Questions under way at a time.
const QUESTIONS: usize = 32;
/// How often interfaces are looked at while nobody asks.
const REFRESH: Duration = Duration::from_secs(30);
/// For the kernel to take a datagram.
const SEND: Duration = Duration::from_millis(100);

/// What the kernel may keep for each socket, in bytes: many cameras answer within half a second.
const RECEIVED: usize = 1 << 20;

/// A question and who wants to know.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) question: Question,
    pub(super) wait: Duration,
    pub(super) reply: oneshot::Sender<Vec<Found>>,
}

pub(super) struct Task {
    options: Options,
    commands: mpsc::Receiver<Command>,
    heard: broadcast::Sender<Heard>,
    shown: watch::Sender<Vec<String>>,
    ports: Vec<Port>,
    /// The port to begin with, so that a busy one does not keep the others waiting.
    turn: usize,
    machine: Machine,
    asking: Vec<(u64, oneshot::Sender<Vec<Found>>)>,
    refresh: Instant,
}

/// What the task waits for.
enum Event {
    Asked(Option<Command>),
    Datagram(usize, io::Result<(usize, SocketAddr)>),
    Time,
}

impl Task {
    pub(super) fn open(
        options: Options,
        commands: mpsc::Receiver<Command>,
        heard: broadcast::Sender<Heard>,
        shown: watch::Sender<Vec<String>>,
    ) -> io::Result<Self> {
        let now = Instant::now();
        let machine = Machine::new(now.into_std());
        let (ports, asking) = (Vec::new(), Vec::new());
        let mut task = Self { options, commands, heard, shown, ports, turn: 0, machine, asking, refresh: now };
        match task.open_ports()? {
            Some(error) if task.ports.is_empty() => Err(error),
            _ => Ok(task),
        }
    }

    pub(super) async fn run(mut self) {
        let mut buffer = vec![0; LONGEST];
        loop {
            self.settle().await;
            match self.event(&mut buffer).await {
                Event::Asked(None) => return,
                Event::Asked(Some(command)) => self.begin(command),
                Event::Datagram(at, Ok((length, source))) => self.received(at, source, &buffer[..length]),
                // The interface is gone, perhaps: looked at again when somebody asks, or in a while.
                Event::Datagram(at, Err(error)) => {
                    let port = self.ports.swap_remove(at);
                    tracing::debug!(interface = port.place.interface, %error, "a socket of discovery failed");
                }
                Event::Time => {}
            }
        }
    }

    async fn event(&mut self, buffer: &mut [u8]) -> Event {
        let Self { commands, ports, turn, machine, asking, refresh, .. } = self;
        let due = machine.due().map_or(*refresh, |due| Instant::from_std(due).min(*refresh));
        let mut time = pin!(sleep_until(due));
        std::future::poll_fn(|cx| {
            if time.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Time);
            }
            if asking.len() < QUESTIONS
                && let Poll::Ready(command) = commands.poll_recv(cx)
            {
                return Poll::Ready(Event::Asked(command));
            }
            receive(ports, turn, cx, buffer)
        })
        .await
    }

    /// Does what is due.
    async fn settle(&mut self) {
        let now = Instant::now();
        if self.refresh <= now {
            self.follow_interfaces();
        }
        let machine = &mut self.machine;
        self.asking.retain(|(number, reply)| {
            let gone = reply.is_closed();
            if gone {
                machine.forget(*number);
            }
            !gone
        });
        while let Some(output) = self.machine.poll(now.into_std()) {
            match output {
                Output::Send(datagram) => self.send(&datagram).await,
                Output::Done(number, found) => {
                    let Some(at) = self.asking.iter().position(|(asked, _)| *asked == number) else { continue };
                    let (_, reply) = self.asking.swap_remove(at);
                    let _gone = reply.send(found);
                }
            }
        }
    }

    fn begin(&mut self, command: Command) {
        self.follow_interfaces();
        let now = Instant::now().into_std();
        let random = &mut || uuid::Uuid::new_v4().as_u128();
        let number = self.machine.ask(now, command.question, command.wait, random);
        self.asking.push((number, command.reply));
    }

    fn received(&mut self, at: usize, source: SocketAddr, datagram: &[u8]) {
        let place = &self.ports[at].place;
        let arrival = Arrival { source, interface: &place.interface, answer: place.purpose == Purpose::Ask };
        if let Some(heard) = self.machine.received(Instant::now().into_std(), arrival, datagram) {
            let _nobody = self.heard.send(heard);
        }
    }

    async fn send(&self, datagram: &[u8]) {
        for port in self.ports.iter().filter(|port| port.place.purpose == Purpose::Ask) {
            let sent = timeout(SEND, port.send(datagram)).await;
            if let Ok(Err(error)) = sent {
                tracing::debug!(interface = port.place.interface, %error, "a question could not be sent");
            }
        }
    }

    fn follow_interfaces(&mut self) {
        if let Err(error) = self.open_ports() {
            tracing::debug!(%error, "the interfaces cannot be told");
        }
    }

    /// Opens sockets on what is new and drops those on what is gone. Returns the last error of a socket.
    fn open_ports(&mut self) -> io::Result<Option<io::Error>> {
        self.refresh = Instant::now() + REFRESH;
        let Options { interfaces: names, ipv4, ipv6, .. } = &self.options;
        let interfaces = interfaces(&Select { names: names.clone(), ipv4: *ipv4, ipv6: *ipv6 })?;
        let wanted: Vec<Place> = interfaces.iter().flat_map(|interface| places(interface, &self.options)).collect();
        self.ports.retain(|port| wanted.contains(&port.place));
        let mut failed = None;
        for place in wanted {
            if self.ports.iter().any(|port| port.place == place) {
                continue;
            }
            let interface = place.interface.clone();
            match Port::open(place, RECEIVED) {
                Ok(port) => self.ports.push(port),
                Err(error) => {
                    tracing::debug!(interface, %error, "no socket for discovery");
                    failed = Some(error);
                }
            }
        }
        let mut names: Vec<String> = self.ports.iter().map(|port| port.place.interface.clone()).collect();
        names.sort();
        names.dedup();
        self.shown.send_if_modified(|shown| {
            let changed = *shown != names;
            *shown = names;
            changed
        });
        Ok(failed)
    }
}

/// One that asks for each address of an interface, and those that hear.
fn places(interface: &Interface, options: &Options) -> Vec<Place> {
    let group = Group { v4: GROUP_V4, v6: GROUP_V6, port: options.port };
    let addresses: Vec<_> = interface.addresses.iter().map(|(address, _)| *address).collect();
    let asking = addresses.iter().map(|address| Place::by(interface, *address, Purpose::Ask, group));
    let hearing = Place::hearing(interface, &addresses, group).filter(|_| options.listen);
    asking.chain(hearing).collect()
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
