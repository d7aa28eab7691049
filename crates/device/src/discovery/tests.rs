//! Transcripts in virtual time: who hears what, when, and who hears nothing.

use super::links::links;
use super::machine::{Arrival, LONGEST, Machine, Output, Told};
use oriel_onvif::discovery::{DEVICE, Message, NETWORK_VIDEO_TRANSMITTER, Packet, Probe, Target};
use oriel_soap::udp::Interface;
use oriel_soap::xml::QName;
use oriel_soap::{Envelope, With as _, xml::Limits};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

const OURS: &str = "urn:uuid:11223344-5566-7788-99aa-bbccddeeff00";
const NAME: &str = "onvif://www.onvif.org/name/Door";
const ASKER: &str = "192.0.2.9:40000";

fn interface(name: &str, index: u32, addresses: &[(&str, u8)]) -> Interface {
    let addresses = addresses.iter().map(|(address, prefix)| (address.parse().unwrap(), *prefix));
    let mut interface = Interface::default();
    (interface.name, interface.index, interface.addresses) = (name.to_owned(), index, addresses.collect());
    interface
}

fn eth0() -> Interface {
    interface("eth0", 2, &[("192.0.2.7", 24), ("fe80::7", 64), ("2001:db8::7", 64)])
}

fn eth1() -> Interface {
    interface("eth1", 3, &[("198.51.100.7", 24)])
}

fn told(interfaces: Vec<Interface>, scopes: &[&str], metadata_version: u32) -> Told {
    let links = links(interfaces, &["[::]:8080".parse().unwrap()], true);
    Told { links, scopes: scopes.iter().map(ToString::to_string).collect(), metadata_version }
}

/// A machine on a bench: time passes when told, randomness counts up.
struct Bench {
    machine: Machine,
    begun: Instant,
    now: Instant,
    bits: u128,
    asked: u32,
    sent: Vec<(Duration, Output)>,
}

impl Bench {
    /// A device that says nothing yet.
    fn new() -> Self {
        let now = Instant::now();
        let machine = Machine::new(now, OURS.to_owned(), 7);
        Self { machine, begun: now, now, bits: 0x5eed, asked: 0, sent: Vec::new() }
    }

    /// One on eth0 whose Hello is over.
    fn known() -> Self {
        let mut bench = Self::new();
        bench.tell(told(vec![eth0()], &[NAME], 3));
        bench.pass(5000);
        bench.sent.clear();
        bench
    }

    fn tell(&mut self, told: Told) {
        let bits = &mut self.bits;
        self.machine.tell(self.now, told, &mut || random(bits));
    }

    fn leave(&mut self) {
        let bits = &mut self.bits;
        self.machine.leave(self.now, &mut || random(bits));
    }

    fn pass(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        loop {
            while let Some(output) = self.machine.poll(self.now) {
                self.sent.push((self.now - self.begun, output));
            }
            match self.machine.due() {
                Some(due) if due <= end => self.now = due,
                _ => break,
            }
        }
        self.now = end;
    }

    fn hear(&mut self, interface: &str, source: &str, asked: Option<&str>, datagram: &[u8]) {
        let asked: Option<IpAddr> = asked.map(|address| address.parse().unwrap());
        let arrival = Arrival { source: source.parse().unwrap(), interface, asked };
        let bits = &mut self.bits;
        self.machine.received(self.now, arrival, datagram, &mut || random(bits));
    }

    /// A question to everybody on eth0; what was answered within a second, sendings of one message as one.
    fn ask(&mut self, message: Message) -> Vec<Packet> {
        let name = self.name();
        self.hear("eth0", ASKER, None, &Packet::new(name, message).write());
        self.answers()
    }

    fn answers(&mut self) -> Vec<Packet> {
        self.sent.clear();
        self.pass(1500);
        let mut packets: Vec<Packet> = Vec::new();
        for (_, output) in &self.sent {
            assert!(output.to.is_some(), "an answer goes to who asked");
            let packet = Packet::parse(&output.datagram).unwrap();
            if !packets.contains(&packet) {
                packets.push(packet);
            }
        }
        packets
    }

    fn name(&mut self) -> String {
        self.asked += 1;
        format!("urn:uuid:00000000-0000-4000-8000-{:012}", self.asked)
    }

    /// What everybody was told: the address it came by, its repetitions and what it was.
    fn told(&self) -> Vec<(String, usize, Packet)> {
        let mut told: Vec<(String, usize, Packet)> = Vec::new();
        for (_, output) in self.sent.iter().filter(|(_, output)| output.to.is_none()) {
            let packet = Packet::parse(&output.datagram).unwrap();
            let by = format!("{} {}", output.interface, output.by);
            match told.iter_mut().find(|(known, _, same)| *known == by && *same == packet) {
                Some((_, times, _)) => *times += 1,
                None => told.push((by, 1, packet)),
            }
        }
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    }
}

fn random(bits: &mut u128) -> u128 {
    *bits += 0x1_0000_0000_0001;
    *bits
}

fn probe(types: &[QName], scopes: &[&str], rule: Option<&str>) -> Message {
    Message::Probe(Probe::with(|probe| {
        probe.types = types.to_vec();
        probe.scopes = scopes.iter().map(ToString::to_string).collect();
        probe.match_by = rule.map(|rule| format!("http://schemas.xmlsoap.org/ws/2005/04/discovery/{rule}"));
    }))
}

fn target(packet: &Packet) -> &Target {
    match &packet.message {
        Message::Hello(target) | Message::ResolveMatches(Some(target)) => target,
        Message::ProbeMatches(targets) if targets.len() == 1 => &targets[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn hello_is_said_by_each_family_on_each_interface_four_times_after_a_pause() {
    let mut bench = Bench::new();
    bench.tell(told(vec![eth0(), eth1()], &[NAME], 3));
    assert!(bench.sent.is_empty());
    bench.pass(5000);
    let said = bench.told();
    let by: Vec<_> = said.iter().map(|(by, times, _)| (by.as_str(), *times)).collect();
    assert_eq!(by, [("eth0 192.0.2.7", 4), ("eth0 2001:db8::7", 4), ("eth1 198.51.100.7", 4)]);
    let first = bench.sent.iter().map(|(at, _)| *at).min().unwrap();
    assert!(first <= Duration::from_millis(500), "{first:?}");
    let mut numbers = Vec::new();
    for (by, _, packet) in &said {
        let Message::Hello(hello) = &packet.message else { panic!("{packet:?}") };
        assert_eq!((hello.endpoint.as_str(), hello.metadata_version), (OURS, Some(3)));
        assert_eq!(hello.types, [NETWORK_VIDEO_TRANSMITTER, DEVICE]);
        assert_eq!(hello.scopes, [NAME]);
        let own = by.split_once(' ').unwrap().1;
        assert!(hello.xaddrs[0].contains(own), "{by}: {:?}", hello.xaddrs);
        assert!(
            !hello.xaddrs.iter().any(|xaddr| xaddr.contains("198.51") != by.starts_with("eth1")),
            "{by}: {hello:?}"
        );
        let sequence = packet.sequence.as_ref().unwrap();
        assert_eq!(sequence.instance_id, 7);
        numbers.push(sequence.message_number);
        assert_eq!(packet.relates_to, None);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn addresses_are_those_of_the_interface_the_one_that_speaks_first() {
    let link = &links(vec![eth0()], &["0.0.0.0:80".parse().unwrap(), "[2001:db8::7]:8443".parse().unwrap()], false)[0];
    let port = "http://192.0.2.7/onvif/device_service";
    let other = "http://[2001:db8::7]:8443/onvif/device_service";
    assert_eq!(link.xaddrs("192.0.2.7".parse().unwrap()), [port, other]);
    assert_eq!(link.xaddrs("2001:db8::7".parse().unwrap()), [other, port]);
    let all = &told(vec![eth0()], &[], 1).links[0];
    let local = all.xaddrs("fe80::7".parse().unwrap());
    assert_eq!(local[0], "http://[fe80::7]:8080/onvif/device_service", "without a zone");
    assert_eq!(local.len(), 3);
    assert_eq!(links(vec![eth0()], &["127.0.0.1:80".parse().unwrap()], true), [], "nobody there reaches it");
    assert_eq!(links(vec![eth1()], &["[::]:80".parse().unwrap()], false), [], "IPv6 alone");
    let both = ["192.0.2.7:80".parse().unwrap(), "192.0.2.7:8080".parse().unwrap()];
    assert_eq!(links(vec![eth0()], &both, true)[0].xaddrs("192.0.2.7".parse().unwrap()).len(), 2);
}

#[test]
fn a_probe_is_answered_by_unicast_after_a_pause_with_the_question_named() {
    let mut bench = Bench::known();
    let name = bench.name();
    let begun = bench.now - bench.begun;
    bench.hear("eth0", ASKER, None, &Packet::new(name.clone(), probe(&[DEVICE], &[], None)).write());
    bench.pass(1500);
    assert_eq!(bench.sent.len(), 2, "twice");
    let (at, output) = &bench.sent[0];
    let pause = *at - begun;
    assert!(pause > Duration::ZERO && pause <= Duration::from_millis(500), "{pause:?}");
    assert_eq!((output.to, output.by.to_string()), (Some(ASKER.parse().unwrap()), "192.0.2.7".to_owned()));
    assert_eq!(output.datagram, bench.sent[1].1.datagram);
    let packet = Packet::parse(&output.datagram).unwrap();
    assert_eq!(packet.relates_to, Some(name.clone()));
    assert!(packet.message_id.as_ref().is_some_and(|own| own.starts_with("urn:uuid:") && *own != name));
    assert_eq!(packet.sequence.as_ref().unwrap().instance_id, 7);
    let found = target(&packet);
    assert_eq!((found.endpoint.as_str(), found.metadata_version), (OURS, Some(3)));
    assert_eq!(found.xaddrs[0], "http://192.0.2.7:8080/onvif/device_service");
}

#[test]
fn who_is_asked_for_by_types_and_scopes() {
    let mut bench = Bench::known();
    type Case<'a> = (&'a [QName], &'a [&'a str], Option<&'a str>, bool);
    let cases: [Case<'_>; 14] = [
        (&[], &[], None, true),
        (&[DEVICE], &[], None, true),
        (&[NETWORK_VIDEO_TRANSMITTER], &[], None, true),
        (&[NETWORK_VIDEO_TRANSMITTER, DEVICE], &["onvif://www.onvif.org"], None, true),
        (&[QName::new("urn:other", "Device")], &[], None, false),
        (&[DEVICE, QName::new("urn:other", "Device")], &[], None, false),
        (&[], &["onvif://www.onvif.org/name"], Some("rfc3986"), true),
        (&[], &["ONVIF://WWW.ONVIF.ORG/name/Door/"], Some("rfc2396"), true),
        (&[], &["onvif://www.onvif.org/name/Doo"], Some("rfc3986"), false),
        (&[], &["onvif://www.onvif.org/name", "onvif://www.onvif.org/location"], None, false),
        (&[], &[NAME], Some("strcmp0"), true),
        (&[], &["onvif://www.onvif.org/name"], Some("strcmp0"), false),
        (&[], &[NAME], Some("uuid"), true),
        // Core §7.3.6: to everybody there is no fault.
        (&[], &["ldap:///ou=cameras"], Some("ldap"), false),
    ];
    for (types, scopes, rule, answered) in cases {
        let answers = bench.ask(probe(types, scopes, rule));
        assert_eq!(answers.len(), usize::from(answered), "{types:?} {scopes:?} {rule:?}");
        bench.pass(5000);
    }
}

#[test]
fn one_endpoint_is_resolved_at_once_and_no_other() {
    let mut bench = Bench::known();
    let begun = bench.now - bench.begun;
    let answers = bench.ask(Message::Resolve(OURS.to_uppercase().replace("URN:UUID", "uuid")));
    assert_eq!(bench.sent[0].0, begun);
    assert_eq!(answers.len(), 1);
    assert_eq!(target(&answers[0]).xaddrs[0], "http://192.0.2.7:8080/onvif/device_service");
    assert!(bench.ask(Message::Resolve("urn:uuid:0".to_owned())).is_empty());
}

#[test]
fn a_question_to_us_alone_is_answered_at_once_and_faults_are_said_to_it_only() {
    let mut bench = Bench::known();
    let begun = bench.now - bench.begun;
    let name = bench.name();
    bench.hear("eth0", ASKER, Some("192.0.2.7"), &Packet::new(name, probe(&[], &[], None)).write());
    assert_eq!(bench.answers().len(), 1);
    assert_eq!(bench.sent[0].0, begun, "nobody else answers it");
    let refused = Packet::new(bench.name(), probe(&[], &["ldap:///x"], Some("ldap"))).write();
    bench.sent.clear();
    bench.hear("eth0", ASKER, Some("192.0.2.7"), &refused);
    bench.pass(1500);
    assert_eq!(bench.sent.len(), 2);
    let envelope = Envelope::parse(&bench.sent[0].1.datagram, &Limits::REPLY).unwrap();
    let fault = envelope.fault().unwrap();
    assert!(fault.subcodes.iter().any(|subcode| subcode.local == "MatchingRuleNotSupported"), "{fault}");
    assert_eq!(envelope.addressing().relates_to, Packet::parse(&refused).unwrap().message_id);
    let silent = Packet::new(bench.name(), probe(&[QName::new("urn:other", "Printer")], &[], None)).write();
    bench.hear("eth0", ASKER, Some("192.0.2.7"), &silent);
    assert!(bench.answers().is_empty());
}

#[test]
fn what_is_repeated_is_answered_once_by_each_way_that_it_came() {
    let mut bench = Bench::known();
    let datagram = Packet::new(bench.name(), probe(&[DEVICE], &[], None)).write();
    for _ in 0..4 {
        bench.hear("eth0", ASKER, None, &datagram);
    }
    assert_eq!(bench.answers().len(), 1);
    bench.hear("eth0", ASKER, None, &datagram);
    assert!(bench.answers().is_empty());
    // The asker's other address; one who asks on other networks too is answered there by what is there.
    bench.hear("eth0", "[fe80::9]:40000", None, &datagram);
    let answers = bench.answers();
    assert_eq!(target(&answers[0]).xaddrs[0], "http://[fe80::7]:8080/onvif/device_service");
    bench.pass(10_000);
    bench.hear("eth0", ASKER, None, &datagram);
    assert_eq!(bench.answers().len(), 1, "names are not kept for ever");
}

#[test]
fn nothing_goes_to_an_address_that_is_not_of_the_network() {
    let mut bench = Bench::known();
    let strangers = [
        "203.0.113.1:53",
        "198.51.100.9:40000",
        "192.0.2.255:40000",
        "192.0.2.0:40000",
        "192.0.2.9:0",
        "0.0.0.0:40000",
        "127.0.0.1:40000",
        "239.255.255.250:3702",
        "[2001:db8:1::9]:40000",
        "[::1]:40000",
        "[ff02::c]:3702",
        "[::ffff:203.0.113.1]:53",
    ];
    for source in strangers {
        for asked in [None, Some("192.0.2.7")] {
            let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
            bench.hear("eth0", source, asked, &datagram);
            assert!(bench.answers().is_empty(), "{source}");
        }
    }
    let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
    bench.hear("eth7", ASKER, None, &datagram);
    assert!(bench.answers().is_empty(), "an interface that is none of ours");
    assert_eq!(bench.machine.take_dropped().strangers, 25);
    for source in [ASKER, "[2001:db8::9]:1024", "[fe80::9]:3702"] {
        let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
        bench.hear("eth0", source, None, &datagram);
        let answers = bench.answers();
        assert_eq!(answers.len(), 1, "{source}");
        assert_eq!(bench.sent[0].1.to, Some(source.parse().unwrap()));
    }
}

#[test]
fn a_question_that_found_no_room_is_answered_when_it_is_repeated() {
    let mut bench = Bench::known();
    let refused = loop {
        let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
        bench.hear("eth0", ASKER, None, &datagram);
        if bench.machine.take_dropped().excess > 0 {
            break datagram;
        }
    };
    bench.answers();
    bench.hear("eth0", ASKER, None, &refused);
    assert_eq!(bench.answers().len(), 1);
}

#[test]
fn a_storm_gets_few_answers_and_silences_nobody_else() {
    let mut bench = Bench::known();
    for round in 0..20_000_u32 {
        let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
        bench.hear("eth0", ASKER, None, &datagram);
        if round % 5 == 0 {
            bench.pass(1);
        }
    }
    // Four seconds: a burst, and what comes back in that time; each goes twice.
    assert!((20..120).contains(&bench.sent.len()), "{}", bench.sent.len());
    let bytes: usize = bench.sent.iter().map(|(_, output)| output.datagram.len()).sum();
    assert!(bytes < (64 << 10) + 5 * (16 << 10), "{bytes}");
    let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
    let other = "192.0.2.10:40000";
    bench.hear("eth0", other, None, &datagram);
    bench.answers();
    assert_eq!(bench.sent.iter().filter(|(_, output)| output.to == Some(other.parse().unwrap())).count(), 2);
    // From every address of the network at once, none of them real.
    bench.pass(60_000);
    bench.sent.clear();
    for round in 0..20_000_u32 {
        let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
        bench.hear("eth0", &format!("192.0.2.{}:{}", 1 + round % 254, 1024 + round), None, &datagram);
    }
    assert!(bench.machine.due().is_some());
    bench.pass(3000);
    let bytes: usize = bench.sent.iter().map(|(_, output)| output.datagram.len()).sum();
    assert!(bytes <= 256 << 10, "{bytes}");
    assert!(bench.machine.take_dropped().excess > 30_000);
}

#[test]
fn what_is_no_question_is_dropped() {
    let mut bench = Bench::known();
    let mut nameless = Packet::new("", probe(&[], &[], None));
    nameless.message_id = None;
    let other = Target::with(|target| target.endpoint = "urn:uuid:1".to_owned());
    let own = Target::with(|target| target.endpoint = OURS.to_owned());
    let padded = [Packet::new("urn:uuid:9", probe(&[], &[], None)).write(), vec![b' '; LONGEST]].concat();
    let probe = Packet::new("urn:uuid:8", probe(&[], &[], None)).write();
    let cut = probe[..probe.len() / 2].to_vec();
    let dtd = [b"<!DOCTYPE a [<!ENTITY b 'c'>]>".as_slice(), &probe].concat();
    let datagrams = [
        Vec::new(),
        vec![0; 1000],
        b"M-SEARCH * HTTP/1.1\r\n\r\n".to_vec(),
        (0..=255).collect(),
        vec![b'<'; LONGEST],
        b"<a>".repeat(2000),
        cut,
        dtd,
        padded,
        nameless.write(),
        Packet::new("urn:uuid:2", Message::Hello(other.clone())).write(),
        Packet::new("urn:uuid:3", Message::Bye(OURS.to_owned())).write(),
        Packet::new("urn:uuid:4", Message::ProbeMatches(vec![own])).write(),
        Packet::new("urn:uuid:5", Message::ResolveMatches(Some(other))).write(),
        oriel_soap::Fault::action("no").to_envelope(None),
    ];
    for datagram in datagrams {
        for asked in [None, Some("192.0.2.7")] {
            bench.hear("eth0", ASKER, asked, &datagram);
            assert!(bench.answers().is_empty(), "{:?}", String::from_utf8_lossy(&datagram));
        }
    }
    assert!(bench.machine.take_dropped().garbage >= 18);
    assert_eq!(bench.ask(self::probe(&[], &[], None)).len(), 1, "and nothing is the worse for it");
}

#[test]
fn a_change_is_said_with_a_higher_version_and_answers_have_it_at_once() {
    let mut bench = Bench::known();
    bench.tell(told(vec![eth0()], &[NAME], 3));
    bench.pass(5000);
    assert!(bench.sent.is_empty(), "nothing has changed");
    let gate = "onvif://www.onvif.org/name/Gate";
    let early = Packet::new(bench.name(), probe(&[], &[], None)).write();
    bench.hear("eth0", ASKER, None, &early);
    bench.tell(told(vec![eth0()], &[gate], 4));
    bench.pass(5000);
    let hellos = bench.told();
    assert_eq!(hellos.len(), 2);
    assert_eq!(
        (target(&hellos[0].2).scopes.as_slice(), target(&hellos[0].2).metadata_version),
        (&[gate.to_owned()][..], Some(4))
    );
    let answer = bench.sent.iter().find(|(_, output)| output.to.is_some()).unwrap();
    assert_eq!(
        target(&Packet::parse(&answer.1.datagram).unwrap()).metadata_version,
        Some(4),
        "what holds when it goes"
    );
    assert_eq!(bench.ask(probe(&[], &[gate], None)).len(), 1);
    assert!(bench.ask(probe(&[], &[NAME], None)).is_empty());
    // Again and again, quicker than Hello goes: the last one counts, and no queue grows.
    bench.sent.clear();
    for version in 5..500 {
        bench.tell(told(vec![eth0()], &[gate], version));
    }
    bench.pass(5000);
    let hellos = bench.told();
    assert_eq!(
        hellos.iter().map(|(_, times, hello)| (*times, target(hello).metadata_version)).collect::<Vec<_>>(),
        [(4, Some(499)); 2]
    );
}

#[test]
fn interfaces_come_and_go() {
    let mut bench = Bench::known();
    bench.tell(told(vec![eth0(), eth1()], &[NAME], 3));
    bench.pass(5000);
    let hellos = bench.told();
    assert_eq!(hellos.iter().map(|(by, ..)| by.as_str()).collect::<Vec<_>>(), ["eth1 198.51.100.7"]);
    let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
    bench.hear("eth1", "198.51.100.9:40000", None, &datagram);
    bench.hear("eth0", ASKER, None, &datagram);
    let answers = bench.answers();
    let mut first: Vec<_> = answers.iter().map(|packet| target(packet).xaddrs[0].as_str()).collect();
    first.sort_unstable();
    assert_eq!(first, ["http://192.0.2.7:8080/onvif/device_service", "http://198.51.100.7:8080/onvif/device_service"]);
    // What waits to be said where nothing is any more is not said.
    let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
    bench.hear("eth1", "198.51.100.9:40000", None, &datagram);
    bench.tell(told(vec![eth0()], &[NAME], 3));
    assert!(bench.answers().is_empty());
}

#[test]
fn who_is_not_to_be_discovered_is_silent_from_then_on() {
    let mut bench = Bench::known();
    let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
    bench.hear("eth0", ASKER, None, &datagram);
    bench.tell(Told::default());
    assert!(bench.ask(probe(&[], &[], None)).is_empty());
    bench.leave();
    bench.pass(5000);
    assert!(bench.sent.is_empty(), "no Bye either");
    bench.tell(told(vec![eth0()], &[NAME], 3));
    bench.pass(5000);
    assert_eq!(bench.told().len(), 2, "found again, it says Hello");
}

#[test]
fn bye_is_the_last_that_is_heard() {
    let mut bench = Bench::known();
    let datagram = Packet::new(bench.name(), probe(&[], &[], None)).write();
    bench.hear("eth0", ASKER, None, &datagram);
    let begun = bench.now - bench.begun;
    bench.leave();
    bench.pass(5000);
    assert_eq!(bench.sent[0].0, begun, "at once");
    assert!(bench.sent.iter().all(|(_, output)| output.to.is_none()));
    let byes = bench.told();
    assert_eq!(byes.iter().map(|(_, times, _)| *times).collect::<Vec<_>>(), [4, 4]);
    assert!(byes.iter().all(|(.., bye)| bye.message == Message::Bye(OURS.to_owned())));
    let last = bench.sent.last().unwrap().0 - begun;
    assert!(last < super::FAREWELL, "{last:?}");
}

#[test]
fn a_source_is_where_the_datagram_came_from() {
    // Whoever names somebody else in ReplyTo is answered itself.
    let mut bench = Bench::known();
    let text = String::from_utf8(Packet::new(bench.name(), probe(&[], &[], None)).write()).unwrap();
    let anonymous = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
    assert!(text.contains(anonymous));
    bench.hear("eth0", ASKER, None, text.replace(anonymous, "soap.udp://203.0.113.1:53").as_bytes());
    bench.answers();
    let asker: SocketAddr = ASKER.parse().unwrap();
    assert!(!bench.sent.is_empty() && bench.sent.iter().all(|(_, output)| output.to == Some(asker)));
}
