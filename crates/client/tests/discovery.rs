//! A device and a client on loopback, both by our own words, multicast included: found, resolved, heard, gone.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oriel_client::discovery::{Discovery, Found, Heard, Options, Probe};
use oriel_onvif::discovery::{DEVICE, GROUP_V4, Message, NETWORK_VIDEO_TRANSMITTER, Packet, Target, same_name};
use oriel_soap::With as _;
use oriel_soap::xml::QName;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;

const ENDPOINT: &str = "urn:uuid:11223344-5566-7788-99aa-bbccddeeff00";
const LONG: Duration = Duration::from_secs(10);

/// A device that answers as the texts want it, on a port of its own in place of 3702.
struct Device {
    socket: Arc<UdpSocket>,
    group: SocketAddr,
    asked: Arc<Mutex<Vec<&'static str>>>,
    task: AbortHandle,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn target() -> Target {
    Target::with(|target| {
        target.endpoint = ENDPOINT.to_owned();
        target.types = vec![DEVICE, NETWORK_VIDEO_TRANSMITTER];
        target.scopes = vec!["onvif://www.onvif.org/name/Door".to_owned()];
        target.xaddrs = vec!["http://127.0.0.1:8080/onvif/device_service".to_owned()];
        target.metadata_version = Some(2);
    })
}

impl Device {
    fn start(answers_resolve: bool) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        socket.join_multicast_v4(&GROUP_V4, &Ipv4Addr::LOCALHOST).unwrap();
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))).unwrap();
        let socket = Arc::new(UdpSocket::from_std(socket.into()).unwrap());
        let group = SocketAddr::from((GROUP_V4, socket.local_addr().unwrap().port()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(answer(Arc::clone(&socket), Arc::clone(&asked), answers_resolve)).abort_handle();
        Self { socket, group, asked, task }
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        options.interfaces = vec!["lo".to_owned()];
        options.ipv6 = false;
        options.port = self.group.port();
        options
    }

    async fn say(&self, message: Message) {
        let id = format!("urn:uuid:{}", uuid::Uuid::new_v4());
        self.socket.send_to(&Packet::new(id, message).write(), self.group).await.unwrap();
    }
}

async fn answer(socket: Arc<UdpSocket>, asked: Arc<Mutex<Vec<&'static str>>>, answers_resolve: bool) {
    let mut buffer = vec![0; 65_535];
    loop {
        let (length, source) = socket.recv_from(&mut buffer).await.unwrap();
        let Ok(packet) = Packet::parse(&buffer[..length]) else { continue };
        asked.lock().unwrap().push(packet.message.name());
        let answer = match packet.message {
            Message::Probe(probe) if probe.matches(&target()).unwrap() => Message::ProbeMatches(vec![target()]),
            Message::Resolve(endpoint) if answers_resolve && same_name(&endpoint, ENDPOINT) => {
                Message::ResolveMatches(Some(target()))
            }
            _ => continue,
        };
        let answer = Packet::new("urn:uuid:2", answer).answering(packet.message_id.as_deref());
        socket.send_to(&answer.write(), source).await.unwrap();
    }
}

/// For what nobody answers.
fn soon() -> Probe {
    let mut probe = Probe::default();
    probe.wait = Duration::from_millis(400);
    probe
}

/// What is found in the shortest wait in which all of so many questions at the same time have an answer; a busy machine needs longer.
async fn found(discovery: &Discovery, questions: usize) -> Vec<Vec<Found>> {
    let mut found = Vec::new();
    for wait in [400, 2_000, 8_000].map(Duration::from_millis) {
        let mut probe = soon();
        probe.wait = wait;
        found = futures_util::future::join_all((0..questions).map(|_| discovery.probe(&probe))).await;
        if found.iter().all(|found| !found.is_empty()) {
            break;
        }
    }
    found
}

#[tokio::test]
async fn a_device_is_found_by_what_it_is() {
    let device = Device::start(true);
    let discovery = Discovery::open(&device.options()).unwrap();
    assert_eq!(discovery.interfaces(), ["lo"]);
    let found = found(&discovery, 1).await.remove(0);
    assert_eq!(found.len(), 1, "{found:?}");
    let found = &found[0];
    assert_eq!((found.endpoint.as_str(), found.interface.as_str(), found.metadata_version), (ENDPOINT, "lo", 2));
    assert_eq!(found.address().unwrap().as_str(), "http://127.0.0.1:8080/onvif/device_service");
    assert!(found.is_onvif() && found.also.is_empty());
    let mut other = soon();
    other.types = vec![QName::new("urn:other", "Printer")];
    assert_eq!(discovery.probe(&other).await, []);
    let mut elsewhere = soon();
    elsewhere.scopes = vec!["onvif://www.onvif.org/name/Window".to_owned()];
    assert_eq!(discovery.probe(&elsewhere).await, []);
}

#[tokio::test]
async fn a_device_is_found_by_its_endpoint_reference() {
    for answers_resolve in [true, false] {
        let device = Device::start(answers_resolve);
        let discovery = Discovery::open(&device.options()).unwrap();
        let found = discovery.resolve(&ENDPOINT.to_uppercase(), LONG).await.unwrap();
        assert_eq!(found.endpoint, ENDPOINT);
        assert!(device.asked.lock().unwrap().contains(&"Resolve"));
        assert_eq!(discovery.resolve("urn:uuid:0", Duration::from_millis(300)).await, None);
    }
}

#[tokio::test]
async fn questions_at_the_same_time_have_each_their_answers() {
    let device = Device::start(true);
    let discovery = Discovery::open(&device.options()).unwrap();
    let found = found(&discovery, 50).await;
    assert!(found.iter().all(|found| found.len() == 1), "{found:?}");
}

#[tokio::test]
async fn hello_and_bye_are_heard_until_the_end() {
    let device = Device::start(true);
    let discovery = Discovery::open(&device.options()).unwrap();
    let mut heard = discovery.hear();
    let next = async |heard: &mut tokio::sync::broadcast::Receiver<Heard>| {
        tokio::time::timeout(LONG, heard.recv()).await.unwrap()
    };
    device.say(Message::Hello(target())).await;
    let Ok(Heard::Hello(found)) = next(&mut heard).await else { panic!("no Hello") };
    assert_eq!(found.address().unwrap().as_str(), "http://127.0.0.1:8080/onvif/device_service");
    device.say(Message::Bye(ENDPOINT.to_owned())).await;
    assert_eq!(next(&mut heard).await, Ok(Heard::Bye(ENDPOINT.to_owned())));
    drop(discovery);
    assert_eq!(next(&mut heard).await, Err(RecvError::Closed), "what it started has ended");
}

#[tokio::test]
async fn an_interface_that_is_not_there_is_none() {
    let mut options = Options::default();
    options.interfaces = vec!["nothing0".to_owned()];
    let discovery = Discovery::open(&options).unwrap();
    assert_eq!(discovery.interfaces(), Vec::<String>::new());
    assert_eq!(discovery.probe(&soon()).await, []);
}
