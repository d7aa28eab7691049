//! The same message in every hand that clients have, for every operation; and whatever else an envelope or an HTTP request can be made to be.

mod envelopes;
mod exchange;
mod samples;
mod variants;

use super::*;
use oriel_device::Config;
use oriel_device::events::Occurrence;
use oriel_soap::envelope::Addressing;
use oriel_soap::xml::{Any, Element, parse};
use oriel_soap::{Envelope, Levels, ns};
use oriel_trust::Authority;
use oriel_uplink::body;
use samples::{Named, Step, Told, steps};
use std::collections::BTreeSet;
use variants::{Hand, Writer};

/// The way by which a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// On the LAN, with a UsernameToken.
    Lan,
    /// Through an uplink, without one.
    Uplink,
}

const WAYS: [Way; 2] = [Way::Lan, Way::Uplink];

/// What says who is asked, by a name that is the same with every device.
fn settings(config: &mut Config) {
    config.information.serial_number = Some("S-1 <&>".to_owned());
    config.call_out.allowed_by_uplink = config.call_out.allowed.clone();
    config.insecure_uplinks = true;
    config.insecure_event_brokers = true;
}

impl Camera {
    /// One request by one of the ways; what goes through an uplink has an administrator's level.
    async fn by(&self, way: Way, request: Request<Vec<u8>>) -> Answer {
        if way == Way::Lan {
            return self.send(request).await;
        }
        let serve = self.device.uplink_service("https://cloud.test/", Levels::ADMINISTRATOR);
        let (head, answered) = serve(request.map(body::full)).await.into_parts();
        let text = String::from_utf8(answered.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    }
}

/// A step's request in a hand.
fn message(step: &Step, told: &Told, way: Way, hand: Hand) -> Vec<u8> {
    let body = Any::from_xml(&step.body(told), &Limits::REQUEST).unwrap();
    let addressing = Addressing {
        action: Some(format!("{}/{}", step.service.uri.trim_end_matches('/'), step.name)),
        message_id: Some("urn:uuid:b5a4b3c6-0000-4000-8000-000000000001".to_owned()),
        ..Addressing::default()
    };
    let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
    let by_header = format!(
        "<o:Subscription xmlns:o='urn:oriel:events'>{}</o:Subscription>",
        told.get("Subscription").map_or("", String::as_str)
    );
    let blocks = (step.named == Named::ByHeader).then(|| Any::from_xml(&by_header, &Limits::REQUEST).unwrap());
    let headers = Headers {
        username_token: (way == Way::Lan).then_some(token),
        addressing: Some(addressing),
        blocks: blocks.into_iter().collect(),
    };
    let ours = envelope::request_raw(&body, &headers);
    if hand == Hand::Ours {
        return ours;
    }
    let document = parse(&ours, &Limits::REQUEST).unwrap();
    let written = Writer::write(document.root_element(), hand);
    let again = parse(written.as_bytes(), &Limits::REQUEST).unwrap_or_else(|error| panic!("{error}: {written}"));
    let (mut before, mut after) = (Vec::new(), Vec::new());
    list(document.root_element(), &|_, text| text.to_owned(), &mut before);
    list(again.root_element(), &|_, text| text.to_owned(), &mut after);
    assert_eq!(before, after, "it says the same in another hand: {written}");
    written.into_bytes()
}

/// Names, attributes and texts of an element and all below it, whatever its prefixes are.
fn list(element: Element<'_, '_>, shown: &dyn Fn(&str, &str) -> String, out: &mut Vec<String>) {
    let mut attributes: Vec<String> = element
        .attributes()
        .map(|one| {
            format!(" {}:{}={}", one.namespace().unwrap_or(""), one.name(), shown(one.name(), &local(one.value())))
        })
        .collect();
    attributes.sort_unstable();
    let text: String = element.children().filter(|node| node.is_text()).filter_map(|node| node.text()).collect();
    let (namespace, name) = (element.tag_name().namespace().unwrap_or(""), element.tag_name().name());
    let level = element.ancestors().count();
    out.push(format!("{level} {{{namespace}}}{name}{} {}", attributes.concat(), shown(name, &local(text.trim()))));
    // Why an uplink does not stand is told when it is known, and so are the topics that this machine can tell: a moment later.
    let lasting =
        |child: &Element<'_, '_>| child.is_element() && !["Error", "TopicSet"].contains(&child.tag_name().name());
    element.children().filter(lasting).for_each(|child| list(child, shown, out));
}

/// A value without the prefixes of the names in it: `tns1:Device//.` has one, `urn:x` and `http://x` have none.
fn local(value: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let mut out = String::new();
    let mut rest = value;
    while let Some(colon) = rest.find(':') {
        let start = rest[..colon]
            .rfind(|c| !is_name(c))
            .map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
        let (before, prefix, after) = (&rest[..start], &rest[start..colon], &rest[colon + 1..]);
        out += before;
        if prefix.is_empty() || prefix == "urn" || out.ends_with(':') || !after.starts_with(char::is_alphabetic) {
            out += prefix;
            out.push(':');
        }
        rest = after;
    }
    out + rest
}

/// What no two devices say alike, nor one device twice.
const OWN: [&str; 22] = [
    "KeyID",
    "CertificateID",
    "CertPathValidationPolicyID",
    "EstimatedCreationTime",
    "CertificateContent",
    "PKCS10CSR",
    "GUID",
    "Hour",
    "Minute",
    "Second",
    "Year",
    "Month",
    "Day",
    "DaylightSavings",
    "KeyStatus",
    "Status",
    "Address",
    "CurrentTime",
    "TerminationTime",
    "UtcTime",
    "Subscription",
    "hasPrivateKey",
];

fn shown(name: &str, text: &str) -> String {
    if OWN.contains(&name) { "…".to_owned() } else { text.to_owned() }
}

/// Checks what comes out whatever went in: SOAP 1.2 with its length, strictly well-formed, each element in its namespace, a fault with the status
/// that its code has. Gives its names and texts.
fn sound(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.headers["content-type"], envelope::CONTENT_TYPE, "{answer:?}");
    assert_eq!(answer.headers["content-length"], answer.text.len().to_string());
    assert!(answer.text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<"), "{}", answer.text);
    assert_eq!(answer.text.matches("<?").count(), 1, "{}", answer.text);
    let document =
        parse(answer.text.as_bytes(), &Limits::REPLY).unwrap_or_else(|error| panic!("{error}: {}", answer.text));
    for element in document.descendants().filter(Element::is_element) {
        // The steps of topics below the root are in none (WS-Topics §6.2).
        let topic = element.ancestors().any(|outer| outer.tag_name().name() == "TopicSet");
        let named = element.tag_name().namespace().is_some_and(|name| !name.is_empty());
        assert!(named || topic, "{element:?}: {}", answer.text);
        let undeclared = element.namespaces().any(|declared| declared.uri().is_empty());
        assert!(!undeclared, "{element:?}: {}", answer.text);
    }
    let message = Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap();
    match message.fault() {
        None => assert_eq!(answer.status, StatusCode::OK, "{}", answer.text),
        Some(_) if answer.status == StatusCode::UNAUTHORIZED => {}
        Some(fault) => assert_eq!(answer.status, fault.status(), "{fault}"),
    }
    let mut all = Vec::new();
    list(document.root_element(), &shown, &mut all);
    all
}

/// Asks every step in turn. What each was told, without what is never the same.
async fn transcript(way: Way, hand: Hand) -> Vec<(String, Vec<String>)> {
    let camera = Camera::start_with(settings).await;
    let mut told = Told::new();
    let pem = Authority::new("Devices").unwrap().certificate_pem();
    told.insert("certificate to upload".to_owned(), pem.lines().filter(|line| !line.starts_with('-')).collect());
    let offered: BTreeSet<(&str, &str)> = camera.device.operations().into_iter().collect();
    let topic = oriel_onvif::events::topics::catalogue()
        .iter()
        .find(|topic| topic.topic == "Device/HardwareFailure/FanFailure");
    let topic = topic.unwrap();
    camera.device.events().offer(&[topic]);
    let occurrence = Occurrence::of(topic).source("Token", "torture").data("Failed", "true");
    camera.device.events().tell(occurrence).unwrap();
    let mut transcript = Vec::new();
    let mut asked = BTreeSet::new();
    for step in steps().into_iter().filter(|step| offered.contains(&(step.service.uri, step.name))) {
        asked.insert((step.service.uri, step.name));
        let path = match step.named {
            Named::Not => DEVICE,
            Named::ByAddress => &told["Address"][told["Address"].find("/onvif/").unwrap()..],
            Named::ByHeader => "/onvif/event_service",
        };
        let answer = loop {
            let answer = camera.by(way, soap(path, message(&step, &told, way, hand))).await;
            if !step.while_told.is_some_and(|text| answer.text.contains(text)) {
                break answer;
            }
            tokio::task::yield_now().await;
        };
        let all = sound(&answer);
        let reply = Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap();
        let fault = reply.fault().map(|fault| name(&fault));
        assert_eq!(fault.as_deref(), step.fault, "{} {way:?} {hand:?}: {}", step.name, answer.text);
        let texts = reply.body().descendants().filter(|node| node.is_element());
        let texts = texts.filter_map(|node| Some((node.tag_name().name().to_owned(), node.text()?.to_owned())));
        // Messages have an address too, that of whoever made them.
        told.extend(texts.filter(|(name, text)| name != "Address" || text.contains("/onvif/subscription/")));
        transcript.push((step.name.to_owned(), all));
    }
    let missing: Vec<_> = offered.difference(&asked).collect();
    assert!(missing.is_empty(), "operations without a request in samples.rs: {missing:?}");
    transcript
}

#[tokio::test]
async fn every_operation_reads_every_hand_on_the_lan() {
    every_operation_reads_every_hand(Way::Lan).await;
}

#[tokio::test]
async fn every_operation_reads_every_hand_through_an_uplink() {
    every_operation_reads_every_hand(Way::Uplink).await;
}

async fn every_operation_reads_every_hand(way: Way) {
    let ours = transcript(way, Hand::Ours).await;
    for hand in Hand::OTHERS {
        for (told, expected) in transcript(way, hand).await.into_iter().zip(&ours) {
            assert_eq!(&told, expected, "{hand:?}");
        }
    }
}
