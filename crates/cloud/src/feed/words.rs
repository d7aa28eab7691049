//! A feed's questions and a device's answers (Core §9.1, §9.8). Answers are read with patience: one message that cannot be read is left out, and the others are
//! kept; everything has a bound, since a camera may mean ill.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use jiff::{SignedDuration, Timestamp};
use oriel_onvif::device_mgmt::{GetCapabilities, GetServices};

use oriel_onvif::events::{
    CreatePullPointSubscription, GetServiceCapabilities, PullMessages, Seek, SetSynchronizationPoint,
};
use oriel_onvif::notification::{AbsoluteOrRelativeTime, Renew, Unsubscribe};
use oriel_onvif::ns;
use oriel_soap::envelope::{self, Addressing, Envelope, Headers};
use oriel_soap::ns::WSA;
use oriel_soap::xml::{Any, Duration, Element, FromText as _, Limits, Ns, read};
use oriel_soap::{Fault, Operation as _, With as _};
use url::{Position, Url};

use super::entry::{ElementItem, Items, Message, Operation};

/// The longest answer that is read.
pub(crate) const LONGEST: usize = 1 << 20;
/// What one answer may hold.
const LIMITS: Limits = Limits { bytes: LONGEST, nodes: 100_000, depth: 64 };
/// The longest address of a pull point, and the longest of its reference parameters.
const ADDRESS: usize = 2048;
/// Reference parameters of a pull point.
const PARAMETERS: usize = 8;
/// The longest topic and the longest name of an item, in bytes.
const NAME: usize = 256;
/// The longest value of an item.
const VALUE: usize = 1024;
/// The longest XML of an item.
const XML: usize = 4096;
/// Items of a message, of each of its lists.
const ITEMS: usize = 64;
/// Bytes of one message, its texts together.
const MESSAGE: usize = 16 * 1024;
/// The topics of ONVIF.
const TNS1: &str = "http://www.onvif.org/ver10/topics";
/// Where every device takes the first questions (Core §5.2).
const DEVICE_SERVICE: &str = "/onvif/device_service";
/// The interface of pull points, of which their actions are.
const PULL_POINT: &str = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription";
const MANAGER: &str = "http://docs.oasis-open.org/wsn/bw-2";

/// A pull point as the device named it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PullPoint {
    /// Its address.
    pub(crate) address: String,
    /// Its reference parameters, each an element.
    pub(crate) parameters: Vec<String>,
}

/// A question to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Where its event service is.
    Services,
    /// The same, of a device of before ONVIF 2.0.
    OldServices,
    /// What its event service can.
    Capabilities { service: String },
    /// For a pull point; for how many seconds, where it is said.
    Create { service: String, seconds: Option<i64> },
    /// To go back to a time.
    Seek { at: PullPoint, time: Timestamp },
    /// For the states of all properties.
    Synchronise { at: PullPoint },
    /// For messages, within so many seconds.
    Pull { at: PullPoint, seconds: i64, limit: i32 },
    /// To live longer.
    Renew { at: PullPoint, seconds: i64 },
    /// To be no more.
    Unsubscribe { at: PullPoint },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The path of the event service, if there is one.
    Services(Option<String>),
    /// Whether it keeps messages.
    Capabilities { keeps: bool },
    /// A pull point, and how long it lives if the device tells it sensibly.
    Created { at: PullPoint, clock: Option<Timestamp>, life: Option<SignedDuration> },
    /// Messages.
    Pulled(Pulled),
    /// It lives longer.
    Renewed { life: Option<SignedDuration> },
    /// Nothing but yes.
    Done,
}

/// What a pull brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pulled {
    /// The device's clock.
    pub(crate) clock: Option<Timestamp>,
    /// How much longer the pull point lives.
    pub(crate) life: Option<SignedDuration>,
    /// The messages in their order.
    pub(crate) messages: Vec<Message>,
    /// Before which of the messages the device said that its store begins there (Core, BeginOfBuffer).
    pub(crate) begins: Option<usize>,
    /// Messages that could not be read.
    pub(crate) unreadable: usize,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The device has not seen the question.
    Unsent(String),
    /// It may have seen it, and no whole answer came.
    Lost(String),
    /// The answer is longer than is read.
    TooLong,
    /// The answer cannot be read.
    Unreadable(String),
    /// The device says no.
    Fault(No),
}

impl Failure {
    /// For people.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Unsent(why) | Self::Lost(why) => Cow::Borrowed(why),
            Self::TooLong => Cow::Owned(format!("its answer is longer than {} KiB", LONGEST / 1024)),
            Self::Unreadable(why) => Cow::Owned(format!("its answer cannot be read: {why}")),
            Self::Fault(no) => Cow::Owned(format!("it refuses: {}", no.reason)),
        }
    }
}

/// What a device's fault means here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct No {
    /// The device's own words.
    pub(crate) reason: String,
    /// There is no such pull point (any more).
    pub(crate) unknown: bool,
    /// We may not.
    pub(crate) forbidden: bool,
    /// The device does not know the question.
    pub(crate) unsupported: bool,
    /// The longest timeout that it takes, in seconds.
    pub(crate) longest: Option<i64>,
}

impl Ask {
    /// Where it goes.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Services | Self::OldServices => DEVICE_SERVICE.to_owned(),
            Self::Capabilities { service } | Self::Create { service, .. } => service.clone(),
            Self::Seek { at, .. }
            | Self::Synchronise { at }
            | Self::Pull { at, .. }
            | Self::Renew { at, .. }
            | Self::Unsubscribe { at } => path(&at.address).unwrap_or_else(|| DEVICE_SERVICE.to_owned()),
        }
    }

    /// The envelope.
    pub(crate) fn message(&self) -> Vec<u8> {
        let plain = Headers::default();
        match self {
            Self::Services => envelope::request(&GetServices::default(), &plain),
            Self::OldServices => envelope::request(&GetCapabilities::default(), &plain),
            Self::Capabilities { .. } => envelope::request(&GetServiceCapabilities::default(), &plain),
            Self::Create { seconds, .. } => {
                let request = CreatePullPointSubscription::with(|asked| {
                    asked.initial_termination_time = seconds.map(|span| AbsoluteOrRelativeTime::In(seconds_of(span)));
                });
                envelope::request(&request, &plain)
            }
            Self::Seek { at, time } => {
                let request = Seek::with(|asked| asked.utc_time = *time);
                envelope::request(&request, &at.headers(PULL_POINT, Seek::NAME))
            }
            Self::Synchronise { at } => {
                let headers = at.headers(PULL_POINT, SetSynchronizationPoint::NAME);
                envelope::request(&SetSynchronizationPoint::default(), &headers)
            }
            Self::Pull { at, seconds, limit } => {
                let request = PullMessages::with(|asked| {
                    asked.timeout = seconds_of(*seconds);
                    asked.message_limit = *limit;
                });
                envelope::request(&request, &at.headers(PULL_POINT, PullMessages::NAME))
            }
            Self::Renew { at, seconds } => {
                let request = Renew::with(|asked| {
                    asked.termination_time = Some(AbsoluteOrRelativeTime::In(seconds_of(*seconds)));
                });
                envelope::request(&request, &at.headers(&format!("{MANAGER}/SubscriptionManager"), Renew::NAME))
            }
            Self::Unsubscribe { at } => {
                let headers = at.headers(&format!("{MANAGER}/SubscriptionManager"), Unsubscribe::NAME);
                envelope::request(&Unsubscribe::default(), &headers)
            }
        }
    }

    /// Reads the answer.
    pub(crate) fn read(&self, message: &[u8]) -> Result<Answer, Failure> {
        let unreadable = |fault: Fault| Failure::Unreadable(brief(&fault.reason, 200).into_owned());
        let envelope = Envelope::parse(message, &LIMITS).map_err(unreadable)?;
        if let Some(fault) = envelope.fault() {
            return Err(Failure::Fault(no(&fault)));
        }
        let body = envelope.body();
        match self {
            Self::Services => expected(body, ns::TDS, "GetServicesResponse").map(services),
            Self::OldServices => expected(body, ns::TDS, "GetCapabilitiesResponse").map(old_services),
            Self::Capabilities { .. } => {
                let body = expected(body, ns::TEV, "GetServiceCapabilitiesResponse")?;
                let told = read::child(body, ns::TEV, "Capabilities");
                let keeps = told.and_then(|told| told.attribute("PersistentNotificationStorage"));
                Ok(Answer::Capabilities { keeps: keeps.is_some_and(|word| matches!(word.trim(), "true" | "1")) })
            }
            Self::Create { .. } => created(expected(body, ns::TEV, "CreatePullPointSubscriptionResponse")?),
            Self::Pull { .. } => {
                expected(body, ns::TEV, "PullMessagesResponse").map(|body| Answer::Pulled(pulled(body)))
            }
            Self::Renew { .. } => {
                let body = expected(body, ns::WSNT, "RenewResponse")?;
                Ok(Answer::Renewed { life: life(body, ns::WSNT) })
            }
            // Whatever they answer that is no fault is a yes.
            Self::Seek { .. } | Self::Synchronise { .. } | Self::Unsubscribe { .. } => Ok(Answer::Done),
        }
    }
}

impl PullPoint {
    /// What stands in the header of a request to it (WS-Addressing 1.0 SOAP binding, §3).
    fn headers(&self, interface: &str, name: &str) -> Headers {
        let blocks = self.parameters.iter().filter_map(|xml| Any::from_xml(xml, &LIMITS).ok()).collect();
        let addressing = Addressing {
            action: Some(format!("{interface}/{name}Request")),
            to: Some(self.address.clone()),
            ..Addressing::default()
        };
        Headers { addressing: Some(addressing), blocks, ..Headers::default() }
    }
}

fn seconds_of(seconds: i64) -> Duration {
    Duration(SignedDuration::from_secs(seconds))
}

/// Path and query of an address that a device gave: its host is not followed.
fn path(address: &str) -> Option<String> {
    let address = address.trim();
    let path = match Url::parse(address) {
        Ok(url) => url[Position::BeforePath..Position::AfterQuery].to_owned(),
        Err(_) => (address.starts_with('/') && !address.starts_with("//")).then(|| address.to_owned())?,
    };
    (path.starts_with('/') && path.parse::<PathAndQuery>().is_ok()).then_some(path)
}

fn expected<'a, 'i>(body: Element<'a, 'i>, ns: Ns, local: &str) -> Result<Element<'a, 'i>, Failure> {
    if read::is(body, ns, local) {
        return Ok(body);
    }
    let found = brief(read::name(body).1, 80).into_owned();
    Err(Failure::Unreadable(format!("{local} expected, {found} found")))
}

fn services(body: Element<'_, '_>) -> Answer {
    let found = read::elements(body).filter(|service| read::is(*service, ns::TDS, "Service")).find_map(|service| {
        let text = |name| Some(read::text(read::child(service, ns::TDS, name)?).ok()?.trim().to_owned());
        (text("Namespace")? == ns::TEV.uri).then(|| text("XAddr")).flatten()
    });
    Answer::Services(found.filter(|address| address.len() <= ADDRESS).and_then(|address| path(&address)))
}

fn old_services(body: Element<'_, '_>) -> Answer {
    let address = || {
        let told = read::child(read::child(body, ns::TDS, "Capabilities")?, ns::TT, "Events")?;
        let address = read::text(read::child(told, ns::TT, "XAddr")?).ok()?.into_owned();
        path(&address).filter(|path| path.len() <= ADDRESS)
    };
    Answer::Services(address())
}

fn created(body: Element<'_, '_>) -> Result<Answer, Failure> {
    let missing = |what: &str| Failure::Unreadable(format!("the pull point has no usable {what}"));
    let reference = read::child(body, ns::TEV, "SubscriptionReference").ok_or_else(|| missing("reference"))?;
    let address = read::child(reference, WSA, "Address").and_then(|address| read::text(address).ok());
    let address = address.map(|address| address.trim().to_owned()).filter(|address| address.len() <= ADDRESS);
    let address = address.filter(|address| path(address).is_some()).ok_or_else(|| missing("address"))?;
    let parameters = read::child(reference, WSA, "ReferenceParameters").into_iter().flat_map(read::elements);
    let parameters: Vec<String> =
        parameters.take(PARAMETERS + 1).map(|block| Any::from_element(block).as_xml().to_owned()).collect();
    if parameters.len() > PARAMETERS || parameters.iter().any(|block| block.len() > ADDRESS) {
        return Err(missing("reference parameters"));
    }
    let clock = time(body, ns::WSNT, "CurrentTime");
    Ok(Answer::Created { at: PullPoint { address, parameters }, clock, life: life(body, ns::WSNT) })
}

fn time(body: Element<'_, '_>, ns: Ns, name: &str) -> Option<Timestamp> {
    let told = read::child(body, ns, name)?;
    Timestamp::from_text(&read::text(told).ok()?, told).ok()
}

/// How much longer a pull point lives, both times being the device's.
fn life(body: Element<'_, '_>, ns: Ns) -> Option<SignedDuration> {
    Some(time(body, ns, "TerminationTime")?.duration_since(time(body, ns, "CurrentTime")?))
}

fn pulled(body: Element<'_, '_>) -> Pulled {
    let mut pulled =
        Pulled { clock: time(body, ns::TEV, "CurrentTime"), life: life(body, ns::TEV), ..Pulled::default() };
    for told in read::elements(body).filter(|child| read::is(*child, ns::WSNT, "NotificationMessage")) {
        match message(told) {
            Some(message) if message.topic == "tns1:EventBuffer/Begin" => pulled.begins = Some(pulled.messages.len()),
            Some(message) => pulled.messages.push(message),
            None => pulled.unreadable += 1,
        }
    }
    pulled
}

fn message(told: Element<'_, '_>) -> Option<Message> {
    let mut cut = Cut { room: MESSAGE, was: false };
    let topic = topic(read::child(told, ns::WSNT, "Topic")?, &mut cut)?;
    let message = read::child(read::child(told, ns::WSNT, "Message")?, ns::TT, "Message")?;
    let utc_time = message.attribute("UtcTime")?;
    let time = Timestamp::from_text(utc_time, message).ok()?;
    let operation = match message.attribute("PropertyOperation") {
        None => None,
        Some("Initialized") => Some(Operation::Initialized),
        Some("Changed") => Some(Operation::Changed),
        Some("Deleted") => Some(Operation::Deleted),
        Some(_) => return None,
    };
    let utc_time = cut.text(utc_time.trim(), 64);
    let mut elements = Vec::new();
    let [source, key, data] =
        ["Source", "Key", "Data"].map(|list| items(read::child(message, ns::TT, list), &mut elements, &mut cut));
    let time = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Some(Message { topic, utc_time, time, operation, source, key, data, elements, cut: cut.was })
}

/// Text within the bounds of one message.
struct Cut {
    room: usize,
    was: bool,
}

impl Cut {
    fn text(&mut self, text: &str, most: usize) -> String {
        let kept = brief(text, most.min(self.room));
        self.was |= kept.len() < text.len();
        self.room -= kept.len();
        kept.into_owned()
    }
}

/// The beginning of a text.
pub(crate) fn brief(text: &str, most: usize) -> Cow<'_, str> {
    let end = if text.len() <= most {
        text.len()
    } else {
        (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
    };
    Cow::Borrowed(&text[..end])
}

/// A topic with well-known prefixes, whatever the device's are; a step in another namespace than the one before says so.
fn topic(told: Element<'_, '_>, cut: &mut Cut) -> Option<String> {
    let text = read::text(told).ok()?;
    let text = text.trim();
    let mut written = String::new();
    for (place, step) in text.split('/').enumerate() {
        let (prefix, local) = step.split_once(':').map_or((None, step), |(prefix, local)| (Some(prefix), local));
        if local.is_empty() {
            return None;
        }
        if place > 0 {
            written.push('/');
        }
        match prefix.map(|prefix| told.lookup_namespace_uri(Some(prefix)).ok_or(prefix)) {
            None => {}
            Some(Ok(TNS1)) if place > 0 => {}
            Some(Ok(TNS1)) => written.push_str("tns1:"),
            Some(Ok(namespace)) => written.push_str(&format!("{{{namespace}}}")),
            // Not declared: the device's own word.
            Some(Err(prefix)) => written.push_str(&format!("{prefix}:")),
        }
        written.push_str(local);
        if written.len() > NAME {
            break;
        }
    }
    Some(cut.text(&written, NAME))
}

fn items(list: Option<Element<'_, '_>>, elements: &mut Vec<ElementItem>, cut: &mut Cut) -> Items {
    let mut items = Items::new();
    for item in list.into_iter().flat_map(read::elements) {
        let Some(name) = item.attribute("Name") else { continue };
        if items.len() + elements.len() >= ITEMS || cut.room == 0 {
            cut.was = true;
            break;
        }
        let name = cut.text(name, NAME);
        if read::is(item, ns::TT, "SimpleItem") {
            let value = cut.text(item.attribute("Value").unwrap_or_default(), VALUE);
            // A name is there once (Core §9.4).
            cut.was |= items.insert(name, value).is_some();
        } else if read::is(item, ns::TT, "ElementItem") {
            let xml = read::elements(item).next().map(|element| Any::from_element(element).as_xml().to_owned());
            let xml = cut.text(&xml.unwrap_or_default(), XML);
            elements.push(ElementItem { name, xml });
        }
    }
    items
}

/// What a fault means. Cameras put the same meaning into many words; those of WS-ResourceFramework and WS-BaseNotification are looked for in subcodes and in the
/// detail.
fn no(fault: &Fault) -> No {
    let named = |names: &[&str]| {
        let has = |local: &str| names.iter().any(|name| local.eq_ignore_ascii_case(name));
        fault.subcodes.iter().any(|subcode| has(&subcode.local))
            || fault.detail.iter().any(|any| has(&any.name().local))
    };
    let longest = fault.detail.iter().find_map(|detail| {
        let document = oriel_soap::xml::parse(detail.as_xml().as_bytes(), &LIMITS).ok()?;
        let told = document.descendants().find(|node| node.is_element() && node.tag_name().name() == "MaxTimeout")?;
        Duration::from_text(&read::text(told).ok()?, told).ok()
    });
    No {
        reason: brief(&fault.reason, 200).into_owned(),
        unknown: named(&["ResourceUnknownFault", "ResourceUnknown", "ResourceUnavailableFault", "NoSuchSubscription"]),
        forbidden: named(&["NotAuthorized", "OperationProhibited"]),
        unsupported: named(&["ActionNotSupported", "UnknownAction", "NoSuchService"]),
        longest: longest.map(|longest| longest.0.as_secs()).filter(|seconds| *seconds > 0),
    }
}

#[cfg(test)]
mod tests;
