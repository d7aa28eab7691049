//! Reading a datagram (WS-Discovery §4 to §6): by namespace and name, within bounds, and with patience for what cameras leave out.

use super::{AppSequence, LONGEST, Message, Packet, Probe, Target};
use crate::ns;
use oriel_soap::ns::{WSA, WSADIS};
use oriel_soap::xml::{Element, FromText as _, Limits, QName, read};
use oriel_soap::{Envelope, Fault};
use std::borrow::Cow;

const LIMITS: Limits = Limits { bytes: LONGEST, nodes: 4096, depth: 32 };
/// Devices in one answer.
const TARGETS: usize = 64;
/// Types, and addresses, of one device.
const FEW: usize = 16;
/// Scopes of one device.
const SCOPES: usize = 64;
/// The longest scope, address or local name in bytes; longer ones are left out.
const WORD: usize = 1024;
/// The longest name of an endpoint or of a message.
const NAME: usize = 256;

pub(super) fn packet(datagram: &[u8]) -> Result<Packet, Fault> {
    if datagram.len() > LONGEST {
        return Err(Fault::tag_mismatch("the message is longer than a datagram"));
    }
    let text = text_of(datagram);
    let envelope = Envelope::parse(text.as_bytes(), &LIMITS)?;
    let message = message(envelope.body())?;
    let headers = envelope.addressing();
    if let Some(action) = &headers.action
        && *action != action_of(message.name())
    {
        return Err(Fault::unknown_action(format!("the action {action} is not that of {}", message.name())));
    }
    let sequence = envelope.headers().find(|block| read::is(*block, ns::WSD, "AppSequence")).and_then(sequence);
    let name = |name: Option<String>| name.filter(|name| !name.is_empty() && name.len() <= NAME);
    Ok(Packet { message_id: name(headers.message_id), relates_to: name(headers.relates_to), sequence, message })
}

pub(super) fn action_of(name: &str) -> String {
    format!("{}/{name}", ns::WSD.uri)
}

/// Some cameras end the text with a zero byte, as C does, and some write a scope in their own character set.
fn text_of(datagram: &[u8]) -> Cow<'_, str> {
    let end = datagram.iter().rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
    String::from_utf8_lossy(&datagram[..end])
}

fn message(body: Element<'_, '_>) -> Result<Message, Fault> {
    let (namespace, local) = read::name(body);
    if namespace != ns::WSD.uri {
        return Err(Fault::unknown_action(format!("{} is no message of discovery", QName::new(namespace, local))));
    }
    let no_endpoint = || Fault::tag(format!("{local} names no endpoint"));
    Ok(match local {
        "Hello" => Message::Hello(target(body).ok_or_else(no_endpoint)?),
        "Bye" => Message::Bye(endpoint(body).ok_or_else(no_endpoint)?),
        "Probe" => Message::Probe(probe(body)),
        "ProbeMatches" => Message::ProbeMatches(targets(body, "ProbeMatch").collect()),
        "Resolve" => Message::Resolve(endpoint(body).ok_or_else(no_endpoint)?),
        "ResolveMatches" => Message::ResolveMatches(targets(body, "ResolveMatch").next()),
        other => return Err(Fault::unknown_action(format!("{other} is no message of discovery"))),
    })
}

fn targets<'a, 'input: 'a>(body: Element<'a, 'input>, local: &'static str) -> impl Iterator<Item = Target> {
    read::elements(body).filter(move |child| read::is(*child, ns::WSD, local)).take(TARGETS).filter_map(target)
}

/// A device without an endpoint reference is none.
fn target(element: Element<'_, '_>) -> Option<Target> {
    let version = read::child(element, ns::WSD, "MetadataVersion");
    Some(Target {
        endpoint: endpoint(element)?,
        types: types(element),
        scopes: words(element, "Scopes", SCOPES),
        xaddrs: words(element, "XAddrs", FEW),
        metadata_version: version.and_then(|version| read::value(version).ok()),
    })
}

fn probe(body: Element<'_, '_>) -> Probe {
    let scopes = read::child(body, ns::WSD, "Scopes");
    let rule = scopes.and_then(|scopes| scopes.attribute("MatchBy")).map(str::trim);
    Probe {
        types: types(body),
        scopes: words(body, "Scopes", SCOPES),
        match_by: rule.filter(|rule| !rule.is_empty() && rule.len() <= WORD).map(str::to_owned),
    }
}

/// The address of the endpoint reference, by either edition of WS-Addressing; some write one or both in the namespace of what is around them.
fn endpoint(parent: Element<'_, '_>) -> Option<String> {
    let within = |parent, local| [WSADIS, WSA, ns::WSD].into_iter().find_map(|ns| read::child(parent, ns, local));
    let address = within(within(parent, "EndpointReference")?, "Address")?;
    let address = read::text(address).ok()?.trim_ascii().to_owned();
    (!address.is_empty() && address.len() <= NAME).then_some(address)
}

fn words(parent: Element<'_, '_>, local: &str, most: usize) -> Vec<String> {
    let text = read::child(parent, ns::WSD, local).and_then(|list| read::text(list).ok()).unwrap_or_default();
    text.split_ascii_whitespace().filter(|word| word.len() <= WORD).take(most).map(str::to_owned).collect()
}

fn types(parent: Element<'_, '_>) -> Vec<QName> {
    let Some(list) = read::child(parent, ns::WSD, "Types") else { return Vec::new() };
    let text = read::text(list).unwrap_or_default();
    let words = text.split_ascii_whitespace().filter(|word| word.len() <= WORD);
    words.filter_map(|word| QName::from_text(word, list).ok().or_else(|| undeclared(word))).take(FEW).collect()
}

/// Some cameras write the usual prefixes of ONVIF's types and declare them nowhere.
fn undeclared(word: &str) -> Option<QName> {
    let (prefix, local) = word.split_once(':')?;
    let known = [ns::DN, ns::TDS].into_iter().find(|ns| ns.prefix == prefix)?;
    (!local.is_empty() && !local.contains(':')).then(|| QName::new(known.uri, local))
}

fn sequence(block: Element<'_, '_>) -> Option<AppSequence> {
    let number = |name: &str| block.attribute(name).and_then(|text| text.trim().parse().ok());
    let id = block.attribute("SequenceId").map(str::trim).filter(|id| !id.is_empty() && id.len() <= NAME);
    Some(AppSequence {
        instance_id: number("InstanceId")?,
        sequence_id: id.map(str::to_owned),
        message_number: number("MessageNumber")?,
    })
}
