//! Writing a datagram (WS-Discovery §4 to §6), in the form that most clients send: what naive cameras search for as text is there.

use super::read::action_of;
use super::{AppSequence, Message, Packet, Probe, Target};
use crate::ns;
use oriel_soap::Fault;
use oriel_soap::ns::{ENV, WSADIS};
use oriel_soap::xml::{List, QName, Writer};

/// Whoever hears it (WS-Discovery §4.1).
const EVERYBODY: &str = "urn:schemas-xmlsoap-org:ws:2005:04:discovery";
/// Whoever asked (WS-Addressing of August 2004, §2.3).
const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";

pub(super) fn fault(message_id: &str, relates_to: Option<&str>, fault: &Fault) -> Vec<u8> {
    let mut writer = Writer::document();
    writer.start(ENV, "Envelope");
    writer.use_prefix(ns::WSD);
    writer.start(ENV, "Header");
    understood("Action", &action_of("fault"), &mut writer);
    writer.element(WSADIS, "MessageID", message_id);
    if let Some(id) = relates_to {
        writer.element(WSADIS, "RelatesTo", id);
    }
    understood("To", ANONYMOUS, &mut writer);
    writer.end();
    writer.start(ENV, "Body");
    writer.element(ENV, "Fault", fault);
    writer.finish().into_bytes()
}

fn understood(local: &'static str, text: &str, writer: &mut Writer) {
    writer.start(WSADIS, local);
    writer.attribute(Some(ENV), "mustUnderstand", "1");
    writer.value(text);
    writer.end();
}

pub(super) fn packet(packet: &Packet) -> Vec<u8> {
    let mut writer = Writer::document();
    writer.start(ENV, "Envelope");
    // A type's prefix stands in text: these are the ones that everybody uses.
    writer.use_prefix(ns::DN);
    writer.use_prefix(ns::TDS);
    writer.start(ENV, "Header");
    headers(packet, &mut writer);
    writer.end();
    writer.start(ENV, "Body");
    writer.start(ns::WSD, packet.message.name());
    match &packet.message {
        Message::Hello(target) => write_target(target, &mut writer),
        Message::Bye(endpoint) | Message::Resolve(endpoint) => write_endpoint(endpoint, &mut writer),
        Message::Probe(probe) => write_probe(probe, &mut writer),
        Message::ProbeMatches(targets) => {
            targets.iter().for_each(|target| write_match("ProbeMatch", target, &mut writer));
        }
        Message::ResolveMatches(target) => {
            target.iter().for_each(|target| write_match("ResolveMatch", target, &mut writer));
        }
    }
    writer.finish().into_bytes()
}

fn headers(packet: &Packet, writer: &mut Writer) {
    understood("Action", &action_of(packet.message.name()), writer);
    if let Some(id) = &packet.message_id {
        writer.element(WSADIS, "MessageID", id);
    }
    if let Some(id) = &packet.relates_to {
        writer.element(WSADIS, "RelatesTo", id);
    }
    // It says what holds without it, but there are cameras that miss it in a probe. In a Resolve there are devices that take its address for the endpoint's.
    if matches!(packet.message, Message::Probe(_)) {
        writer.start(WSADIS, "ReplyTo");
        writer.element(WSADIS, "Address", ANONYMOUS);
        writer.end();
    }
    understood("To", if packet.message.is_answer() { ANONYMOUS } else { EVERYBODY }, writer);
    if let Some(sequence) = &packet.sequence {
        write_sequence(sequence, writer);
    }
}

fn write_sequence(sequence: &AppSequence, writer: &mut Writer) {
    writer.start(ns::WSD, "AppSequence");
    writer.attribute(None, "InstanceId", &sequence.instance_id);
    if let Some(id) = &sequence.sequence_id {
        writer.attribute(None, "SequenceId", id);
    }
    writer.attribute(None, "MessageNumber", &sequence.message_number);
    writer.end();
}

fn write_match(local: &str, target: &Target, writer: &mut Writer) {
    writer.start(ns::WSD, local);
    write_target(target, writer);
    writer.end();
}

fn write_target(target: &Target, writer: &mut Writer) {
    write_endpoint(&target.endpoint, writer);
    write_types(&target.types, writer);
    write_words("Scopes", &target.scopes, writer);
    write_words("XAddrs", &target.xaddrs, writer);
    // Required in all that a target says of itself (WS-Discovery §4.1); 1 where nothing ever changes.
    writer.element(ns::WSD, "MetadataVersion", &target.metadata_version.unwrap_or(1));
}

fn write_endpoint(endpoint: &str, writer: &mut Writer) {
    writer.start(WSADIS, "EndpointReference");
    writer.element(WSADIS, "Address", endpoint);
    writer.end();
}

fn write_probe(probe: &Probe, writer: &mut Writer) {
    write_types(&probe.types, writer);
    if !probe.scopes.is_empty() {
        writer.start(ns::WSD, "Scopes");
        if let Some(rule) = &probe.match_by {
            writer.attribute(None, "MatchBy", rule);
        }
        writer.value(&probe.scopes.join(" "));
        writer.end();
    }
}

fn write_types(types: &[QName], writer: &mut Writer) {
    if !types.is_empty() {
        writer.element(ns::WSD, "Types", &List(types.to_vec()));
    }
}

fn write_words(local: &str, words: &[String], writer: &mut Writer) {
    if !words.is_empty() {
        writer.element(ns::WSD, local, &words.join(" "));
    }
}
