//! WS-Discovery (Core chapter 7): any datagram is read within bounds or refused, and a message that was read is written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_onvif::discovery::{MatchingRule, Message, Packet, Probe, Target, key, printable, same_name, values};

fuzz_target!(|datagram: &[u8]| {
    let Ok(mut packet) = Packet::parse(datagram) else { return };
    match &mut packet.message {
        Message::Hello(target) | Message::ResolveMatches(Some(target)) => bounded(target),
        Message::ProbeMatches(targets) => {
            assert!(targets.len() <= 64);
            targets.iter_mut().for_each(bounded);
        }
        Message::Bye(endpoint) | Message::Resolve(endpoint) => name(endpoint),
        Message::Probe(probe) => judged(probe),
        _ => {}
    }
    [&packet.message_id, &packet.relates_to].into_iter().flatten().for_each(|id| name(id));
    let written = packet.write();
    // What is taken may grow by its prefixes and escapes; what is longer than a datagram is nobody's to send.
    if written.len() <= oriel_onvif::discovery::LONGEST {
        assert_eq!(Packet::parse(&written).expect("what we write can be read"), packet);
    }
});

fn bounded(target: &mut Target) {
    name(&target.endpoint);
    assert!(target.scopes.len() <= 64 && target.xaddrs.len() <= 16 && target.types.len() <= 16);
    for word in target.scopes.iter().chain(&target.xaddrs) {
        assert!(!word.is_empty() && word.len() <= 1024 && !word.contains([' ', '\t', '\n', '\r']));
    }
    for category in ["name", "hardware", "location", "MAC"] {
        for value in values(&target.scopes, category) {
            assert!(!value.is_empty() && !value.chars().any(char::is_control));
            assert_eq!(printable(&value), value);
        }
    }
    for scope in &target.scopes {
        let own = MatchingRule::default().matches(scope, scope);
        assert!(
            own || scope.contains('.') || scope.contains('%'),
            "a scope matches itself, but for one that climbs: {scope}"
        );
    }
    // It is written as 1.
    target.metadata_version.get_or_insert(1);
}

fn name(name: &str) {
    assert!(!name.is_empty() && name.len() <= 256);
    assert!(same_name(name, &key(name)) && key(&key(name)) == key(name));
}

fn judged(probe: &mut Probe) {
    // A rule that names no scopes compares nothing.
    if probe.scopes.is_empty() {
        probe.match_by = None;
    }
    let mut all = Target::default();
    (all.types, all.scopes) = (probe.types.clone(), probe.scopes.clone());
    let _ = probe.matches(&all);
}
