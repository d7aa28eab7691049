use std::net::SocketAddr;
use std::time::{Duration, Instant};

use oriel_onvif::discovery::{DEVICE, Message, NETWORK_VIDEO_TRANSMITTER, Packet, Target};
use oriel_soap::With as _;

use super::machine::{Arrival, Machine, Output, Question};
use super::*;

const CAMERA: &str = "urn:uuid:11223344-5566-7788-99aa-bbccddeeff00";
const HOST: &str = "192.0.2.7";
const WAIT: Duration = Duration::from_secs(3);

fn target(endpoint: &str, xaddrs: &str) -> Target {
    Target::with(|target| {
        target.endpoint = endpoint.to_owned();
        target.types = vec![DEVICE];
        target.scopes = vec!["onvif://www.onvif.org/name/Door".to_owned()];
        target.xaddrs = xaddrs.split_whitespace().map(str::to_owned).collect();
    })
}

fn matches(relates: Option<&str>, targets: Vec<Target>) -> Vec<u8> {
    Packet::new("urn:uuid:1", Message::ProbeMatches(targets)).answering(relates).write()
}

fn resolved(relates: Option<&str>, target: Target) -> Vec<u8> {
    Packet::new("urn:uuid:1", Message::ResolveMatches(Some(target))).answering(relates).write()
}

/// A machine on a bench: time passes when told, randomness counts up.
struct Bench {
    machine: Machine,
    now: Instant,
    sent: Vec<(Duration, Packet)>,
    done: Vec<(u64, Vec<Found>)>,
    begun: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self { machine: Machine::new(now), now, sent: Vec::new(), done: Vec::new(), begun: now }
    }

    fn ask(&mut self, question: Question) -> u64 {
        let mut bits = 0x5eed_u128;
        let number = self.machine.ask(self.now, question, WAIT, &mut || {
            bits += 0x1_0000_0000_0001;
            bits
        });
        self.pass(Duration::ZERO);
        number
    }

    fn probe(&mut self) -> u64 {
        self.ask(Question::Probe { types: Probe::default().types, scopes: Vec::new() })
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while let Some(output) = self.machine.poll(self.now) {
                match output {
                    Output::Send(datagram) => {
                        self.sent.push((self.now - self.begun, Packet::parse(&datagram).unwrap()));
                    }
                    Output::Done(number, found) => self.done.push((number, found)),
                }
            }
            match self.machine.due() {
                Some(due) if due <= end => self.now = due,
                _ => break,
            }
        }
        self.now = end;
    }

    fn name(&self, message: usize) -> String {
        self.sent[message].1.message_id.clone().unwrap()
    }

    fn answer(&mut self, host: &str, datagram: &[u8]) {
        self.arrive(host, true, datagram);
    }

    fn arrive(&mut self, host: &str, answer: bool, datagram: &[u8]) -> Option<Heard> {
        let source = SocketAddr::new(host.parse().unwrap(), 3702);
        self.machine.received(self.now, Arrival { source, interface: "eth0", answer }, datagram)
    }

    fn found(mut self) -> Vec<Found> {
        self.pass(WAIT);
        assert_eq!(self.done.len(), 1);
        self.done.remove(0).1
    }
}

fn here(path: &str) -> String {
    format!("http://{HOST}{path}")
}

#[test]
fn a_probe_asks_for_each_type_and_is_repeated_at_growing_gaps() {
    let mut bench = Bench::new();
    bench.probe();
    bench.pass(WAIT);
    assert_eq!(bench.sent.len(), 8);
    for wanted in [NETWORK_VIDEO_TRANSMITTER, DEVICE] {
        let asks =
            |packet: &Packet| matches!(&packet.message, Message::Probe(probe) if probe.types == [wanted.clone()]);
        let sent: Vec<_> = bench.sent.iter().filter(|(_, packet)| asks(packet)).collect();
        let names: Vec<_> = sent.iter().map(|(_, packet)| packet.message_id.clone()).collect();
        assert!(sent.len() == 4 && names.iter().all(|name| *name == names[0]), "one message, four times");
        let gaps: Vec<u128> = sent.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_millis()).collect();
        assert!((50..=250).contains(&gaps[0]), "{gaps:?}");
        assert_eq!(gaps[1..], [(gaps[0] * 2).min(500), (gaps[0] * 4).min(500)]);
    }
    assert_ne!(bench.name(0), bench.name(1), "each message has a name of its own");
    assert_eq!(bench.done[0].1, []);
    assert_eq!(bench.machine.due(), None);
}

#[test]
fn answers_of_one_endpoint_are_one() {
    let mut bench = Bench::new();
    bench.probe();
    let (video, device) = (bench.name(0), bench.name(1));
    bench.answer(HOST, &matches(Some(&video), vec![target(CAMERA, &here("/a"))]));
    bench.answer(HOST, &matches(Some(&device), vec![target(&CAMERA.to_uppercase(), &here("/a /b"))]));
    bench.answer(HOST, &matches(Some(&video), vec![target(CAMERA, &here("/b"))]));
    bench.answer("192.0.2.8", &matches(Some(&video), vec![target("urn:uuid:2", "http://192.0.2.8/")]));
    let found = bench.found();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].endpoint, CAMERA);
    assert_eq!(found[0].addresses.len(), 2, "/b is no address by itself: {:?}", found[0].addresses);
    assert_eq!((found[0].source.ip().to_string().as_str(), found[0].interface.as_str()), (HOST, "eth0"));
    assert_eq!((found[0].name().as_deref(), found[0].metadata_version), (Some("Door"), 1));
}

#[test]
fn an_answer_belongs_to_its_question() {
    let mut bench = Bench::new();
    let first = bench.probe();
    let name = bench.name(0);
    bench.pass(Duration::from_secs(1));
    let before = bench.sent.len();
    let mut bits = 7;
    let other = Question::Probe { types: vec![DEVICE], scopes: Vec::new() };
    let second = bench.machine.ask(bench.now, other, WAIT, &mut || {
        bits += 1;
        bits
    });
    bench.pass(Duration::ZERO);
    let other = bench.name(before);
    let bare = name.trim_start_matches("urn:").to_uppercase();
    bench.answer(HOST, &matches(Some(&bare), vec![target("urn:a", "")]));
    bench.answer(HOST, &matches(Some(&other), vec![target("urn:b", "")]));
    bench.answer(HOST, &matches(Some("urn:uuid:0"), vec![target("urn:c", "")]));
    // It forgets to say, and belongs to both; not so what was said to everybody.
    bench.answer(HOST, &matches(None, vec![target("urn:d", "")]));
    bench.arrive(HOST, false, &matches(None, vec![target("urn:e", "")]));
    // A camera that gives its answer the name of the question.
    let mut echo = Packet::new(&*name, Message::ProbeMatches(vec![target("urn:f", "")]));
    echo.relates_to = None;
    bench.answer(HOST, &echo.write());
    bench.arrive(HOST, false, &matches(Some(&other), vec![target("urn:g", "")]));
    bench.pass(WAIT);
    let names = |number: u64| {
        let (_, found) = bench.done.iter().find(|(done, _)| *done == number).unwrap();
        found.iter().map(|found| found.endpoint.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(first), ["urn:a", "urn:d", "urn:f"]);
    assert_eq!(names(second), ["urn:b", "urn:d", "urn:g"]);
}

#[test]
fn resolve_asks_in_two_ways_and_ends_soon_after_the_first_answer() {
    let mut bench = Bench::new();
    bench.ask(Question::Resolve { endpoint: CAMERA.to_owned() });
    let kinds: Vec<_> = bench.sent.iter().map(|(_, packet)| packet.message.name()).collect();
    assert_eq!(kinds, ["Resolve", "Probe", "Probe"]);
    bench.pass(Duration::from_millis(200));
    let (resolve, probe) = (bench.name(0), bench.name(1));
    bench.answer("192.0.2.9", &matches(Some(&probe), vec![target("urn:uuid:9", "http://192.0.2.9/")]));
    bench.pass(Duration::from_millis(500));
    assert!(bench.done.is_empty(), "another endpoint is none that was asked for");
    bench.answer("192.0.2.66", &resolved(Some(&resolve), target(CAMERA, "http://192.0.2.66/ http://192.0.2.1/")));
    let sent = bench.sent.len();
    bench.pass(Duration::from_millis(900));
    assert!(bench.sent.len() > sent, "a quick liar does not end the question");
    bench.answer(HOST, &matches(Some(&probe), vec![target(CAMERA, &here("/onvif"))]));
    bench.pass(Duration::from_millis(100));
    let (_, found) = &bench.done[0];
    assert_eq!(found.len(), 1);
    let candidates: Vec<_> = found[0].candidates().iter().map(ToString::to_string).collect();
    assert_eq!(candidates, ["http://192.0.2.66/", "http://192.0.2.7/onvif"], "both who claim to be it, each by itself");
}

#[test]
fn hello_and_bye_are_heard_once() {
    let mut bench = Bench::new();
    let hello = Packet::new("urn:uuid:5", Message::Hello(target(CAMERA, &here("/onvif")))).write();
    let Some(Heard::Hello(found)) = bench.arrive(HOST, false, &hello) else { panic!("not heard") };
    assert_eq!((found.endpoint.as_str(), found.address().unwrap().as_str()), (CAMERA, here("/onvif").as_str()));
    assert_eq!(bench.arrive(HOST, false, &hello), None, "repeated");
    assert!(bench.arrive("fe80::7", false, &hello).is_some(), "by its other address");
    assert_eq!(bench.arrive(HOST, true, &hello), None, "to us alone");
    let bye = Packet::new("urn:uuid:6", Message::Bye(CAMERA.to_owned())).write();
    assert_eq!(bench.arrive(HOST, false, &bye), Some(Heard::Bye(CAMERA.to_owned())));
    let mut nameless = Packet::new("", Message::Bye(CAMERA.to_owned()));
    nameless.message_id = None;
    assert!(bench.arrive(HOST, false, &nameless.write()).is_some());
    assert_eq!(bench.arrive(HOST, false, &nameless.write()), None);
    bench.pass(Duration::from_secs(10));
    assert!(bench.arrive(HOST, false, &nameless.write()).is_some(), "later it is said anew");
    let probe = Packet::new("urn:uuid:7", Message::Resolve(CAMERA.to_owned())).write();
    assert_eq!(bench.arrive(HOST, false, &probe), None, "others' questions");
}

#[test]
fn garbage_finds_nothing() {
    let mut bench = Bench::new();
    bench.probe();
    let name = bench.name(0);
    let whole = matches(Some(&name), vec![target(CAMERA, &here("/"))]);
    let huge = vec![b'<'; 65_535];
    let dtd = [b"<!DOCTYPE a>".as_slice(), &whole].concat();
    let fault = oriel_soap::Fault::action("no").to_envelope(None);
    for datagram in [b"".as_slice(), b"\0", b"HTTP/1.1 200 OK\r\n\r\n", &huge, &whole[..whole.len() / 2], &dtd, &fault]
    {
        bench.answer(HOST, datagram);
        assert_eq!(bench.arrive(HOST, false, datagram), None);
    }
    assert_eq!(bench.found(), []);
}

#[test]
fn one_host_does_not_fill_the_list() {
    let mut bench = Bench::new();
    bench.probe();
    let name = bench.name(0);
    for host in 0..12 {
        for round in 0..10 {
            let many = (0..50).map(|n| target(&format!("urn:{host}-{round}-{n}"), "")).collect();
            bench.answer(&format!("198.51.100.{host}"), &matches(Some(&name), many));
            bench.pass(Duration::from_millis(10));
        }
    }
    bench.answer(HOST, &matches(Some(&name), vec![target(CAMERA, &here("/"))]));
    let found = bench.found();
    let of = |host: &str| found.iter().filter(|found| found.source.ip().to_string() == host).count();
    assert_eq!((found.len(), of("198.51.100.0")), (2048, 256));
}

#[test]
fn many_who_answer_at_once_are_all_heard() {
    let mut bench = Bench::new();
    bench.probe();
    let name = bench.name(0);
    for n in 0..500 {
        let host = format!("10.0.{}.{}", n / 250, n % 250);
        let xaddr = format!("http://{host}/onvif/device_service");
        for _ in 0..4 {
            bench.answer(&host, &matches(Some(&name), vec![target(&format!("urn:{n}"), &xaddr)]));
        }
        bench.pass(Duration::from_millis(1));
    }
    let found = bench.found();
    assert_eq!(found.len(), 500);
    assert!(found.iter().all(|found| found.address().is_some()));
}

#[test]
fn an_address_counts_only_when_its_host_named_it() {
    let found = |source: &str, xaddrs: &str| {
        Found::new(target(CAMERA, xaddrs), SocketAddr::new(source.parse().unwrap(), 3702), "eth0")
    };
    let address = |source: &str, xaddrs: &str| found(source, xaddrs).address().map(ToString::to_string);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(address(HOST, "http://192.0.2.7/onvif/device_service"), some("http://192.0.2.7/onvif/device_service"));
    assert_eq!(address(HOST, "https://192.0.2.7/a http://192.0.2.7:8080/b"), some("http://192.0.2.7:8080/b"));
    assert_eq!(address("2001:db8::7", "http://192.0.2.7/ http://[2001:db8::7]/"), some("http://[2001:db8::7]/"));
    assert_eq!(address("::ffff:192.0.2.7", "http://192.0.2.7/"), some("http://192.0.2.7/"));
    assert_eq!(address("127.0.0.1", "http://127.0.0.1:8080/"), some("http://127.0.0.1:8080/"), "it came over loopback");
    let elsewhere = [
        "http://192.0.2.8/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://0.0.0.0/",
        "http://169.254.169.254/latest/meta-data",
        "http://3232235777/",
        "http://camera.example/",
        "http://192.0.2.7@192.0.2.8/",
        "http://admin:secret@192.0.2.7/",
        "ftp://192.0.2.7/",
        "file:///etc/passwd",
        "192.0.2.7",
        "http://",
        "/onvif/device_service",
    ];
    for xaddr in elsewhere {
        assert_eq!(address(HOST, xaddr), None, "{xaddr}");
    }
    assert_eq!(address("fe80::7", "http://[fe80::7]/"), None, "which link, a URL cannot tell");
}

#[test]
fn what_another_host_says_of_an_endpoint_is_kept_apart() {
    let at = |source: &str, target: Target| Found::new(target, SocketAddr::new(source.parse().unwrap(), 1), "eth0");
    let mut camera = at(HOST, target(CAMERA, &here("/")));
    let mut liar = target(CAMERA, "http://192.0.2.66/ http://192.0.2.7/other");
    liar.scopes = vec!["onvif://www.onvif.org/name/Liar".to_owned()];
    liar.metadata_version = Some(99);
    camera.merge(at("192.0.2.66", liar));
    assert_eq!(camera.name().as_deref(), Some("Door"));
    assert_eq!((camera.metadata_version, camera.addresses.len(), camera.also.len()), (0, 1, 1));
    let candidates: Vec<_> = camera.candidates().iter().map(ToString::to_string).collect();
    assert_eq!(candidates, ["http://192.0.2.7/", "http://192.0.2.66/"], "no host names another's address");
    for last in 1..100 {
        camera.merge(at(&format!("198.51.100.{last}"), target(CAMERA, "")));
    }
    assert_eq!(camera.also.len(), 8);
}
