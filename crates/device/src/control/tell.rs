//! From what somebody writes to what is told: the topic has to be one, its items those of its description, and their values of their types
//! (Core §9.4.3).

use super::words::{Refusal, RefusalKind, Tell, prefixed};
use crate::config::Sources;
use crate::events::Occurrence;
use crate::monitoring::occurrences::topic;
use oriel_onvif::events::message::ElementItem;
use oriel_onvif::events::topics::{self, Description, Item, Kind};
use oriel_soap::xml::{Any, Limits};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What stands in for items that are left out: the components that the device has one of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defaults {
    /// The first video source.
    pub(crate) video_source: Option<String>,
    /// The first digital input.
    pub(crate) digital_input: Option<String>,
    /// The first relay output.
    pub(crate) relay_output: Option<String>,
    /// The device's own name.
    pub(crate) uuid: String,
}

impl Defaults {
    /// Those of a device with these sources.
    pub(crate) fn new(sources: &Sources, uuid: Uuid) -> Self {
        let first = |tokens: &[String]| tokens.first().cloned();
        Self {
            video_source: first(&sources.video_sources),
            digital_input: first(&sources.digital_inputs),
            relay_output: first(&sources.relay_outputs),
            uuid: uuid.to_string(),
        }
    }

    fn of(&self, topic: &str, item: &str) -> Option<&str> {
        match (topic, item) {
            (topic::PROCESSOR_USAGE, "Token") => Some("cpu"),
            (topic::DIGITAL_INPUT, "InputToken") => self.digital_input.as_deref(),
            (topic::RELAY, "RelayToken") => self.relay_output.as_deref(),
            ("Monitoring/CloudFirmwareUpgrade/Completed", "UUID") => Some(&self.uuid),
            // The device has one place.
            ("Monitoring/GeoLocation", "Token") => Some("device"),
            (topic, "Source") if topic.starts_with("VideoSource/") => self.video_source.as_deref(),
            _ => None,
        }
    }
}

/// Finds the topic that somebody means.
pub(super) fn topic(text: &str) -> Result<&'static Description, Refusal> {
    topics::find(text.strip_prefix("tns1:").unwrap_or(text)).ok_or_else(|| {
        Refusal::new(RefusalKind::Topic, format!("there is no topic {:?}", short(text)))
            .knowing(topics::catalogue().iter().map(prefixed))
    })
}

/// What is to be told.
pub(super) fn occurrence(tell: Tell, defaults: &Defaults) -> Result<Occurrence, Refusal> {
    let description = topic(&tell.topic)?;
    if tell.gone && !description.property {
        let text = format!("{} is no property, so it cannot be gone", prefixed(description));
        return Err(Refusal::new(RefusalKind::Request, text));
    }
    let group = |name, items| Group { description, name, items };
    let mut told = Occurrence::of(description);
    for (item, value) in group("source", description.source).texts(tell.source, defaults, true)? {
        told = told.source(item, value);
    }
    for (item, value) in group("key", description.key).texts(tell.key, defaults, true)? {
        told = told.key(item, value);
    }
    // Of what is no more there is no state to tell (§9.4.2.1).
    let data = group("data", description.data);
    for (item, value) in data.texts(tell.data, defaults, !tell.gone)? {
        told = told.data(item, value);
    }
    told.data.element_item = data.elements(tell.elements, !tell.gone)?;
    told.time = tell.time;
    Ok(if tell.gone { told.gone() } else { told })
}

/// The items of one group, as they are described.
struct Group {
    description: &'static Description,
    name: &'static str,
    items: &'static [Item],
}

impl Group {
    /// The texts in the order of the description; `complete` if none may be missing.
    fn texts(
        &self,
        mut given: BTreeMap<String, String>,
        defaults: &Defaults,
        complete: bool,
    ) -> Result<Vec<(&'static str, String)>, Refusal> {
        let mut texts = Vec::new();
        for item in self.items.iter().filter(|item| !item.kind.element) {
            let default = || defaults.of(self.description.topic, item.name).map(str::to_owned);
            match given.remove(item.name).or_else(default) {
                Some(value) if is_fit(item.kind, &value) => texts.push((item.name, value)),
                Some(value) => return Err(self.unfit(item, &format!("{:?} is none", short(&value)))),
                None if item.optional || !complete => {}
                None => return Err(self.missing(item)),
            }
        }
        given.into_keys().next().map_or(Ok(texts), |name| Err(self.unknown(&name)))
    }

    /// The elements in the order of the description.
    fn elements(&self, mut given: BTreeMap<String, String>, complete: bool) -> Result<Vec<ElementItem>, Refusal> {
        let mut elements = Vec::new();
        for item in self.items.iter().filter(|item| item.kind.element) {
            match given.remove(item.name) {
                Some(xml) => elements.push(ElementItem::new(item.name, self.element(item, &xml)?)),
                None if item.optional || !complete => {}
                None => return Err(self.missing(item)),
            }
        }
        given.into_keys().next().map_or(Ok(elements), |name| Err(self.unknown(&name)))
    }

    fn element(&self, item: &Item, xml: &str) -> Result<Any, Refusal> {
        let any = Any::from_xml(xml, &Limits::REQUEST)
            .map_err(|error| self.unfit(item, &format!("this is none: {error}")))?;
        let wanted = item.kind.name();
        if *any.name() == wanted {
            return Ok(any);
        }
        Err(self.unfit(item, &format!("this is {}, and not {wanted}", any.name())))
    }

    fn refusal(&self, kind: RefusalKind, text: &str) -> Refusal {
        let known = |item: &Item| {
            let optional = if item.optional { ", optional" } else { "" };
            format!("{} ({}{optional})", item.name, kind_name(item.kind))
        };
        Refusal::new(kind, format!("{}: {text}", prefixed(self.description))).knowing(self.items.iter().map(known))
    }

    fn unknown(&self, name: &str) -> Refusal {
        self.refusal(RefusalKind::Item, &format!("there is no item {:?} in the {}", short(name), self.name))
    }

    fn missing(&self, item: &Item) -> Refusal {
        self.refusal(RefusalKind::Item, &format!("the item {} of the {} is missing", item.name, self.name))
    }

    fn unfit(&self, item: &Item, why: &str) -> Refusal {
        self.refusal(RefusalKind::Value, &format!("{} has to be {}; {why}", item.name, wanted(item.kind)))
    }
}

/// Whether the text is a value of the type, and of use: a token names something.
fn is_fit(kind: Kind, value: &str) -> bool {
    let names = kind == Kind::TOKEN || kind == Kind::KEY_ID;
    kind.accepts(value) && !(names && value.is_empty())
}

fn kind_name(kind: Kind) -> String {
    format!("{}:{}", kind.ns.prefix, kind.local)
}

/// What a value of the type looks like.
fn wanted(kind: Kind) -> String {
    if kind.element {
        return format!("an element {}", kind_name(kind));
    }
    // No two types have one local name.
    let like = match kind.local {
        "boolean" => "true or false",
        "float" => "a number such as 36.6",
        "dateTime" => "a time such as 2026-01-31T12:00:00Z",
        "ReferenceToken" | "KeyID" => "a token of 1 to 64 characters",
        "RelayLogicalState" => "active or inactive",
        "KeyStatus" => "ok, generating or corrupt",
        "IPv4Address" => "an address such as 192.0.2.1",
        "IPv6Address" => "an address such as 2001:db8::1",
        _ => return kind_name(kind),
    };
    like.to_owned()
}

/// As much of a text as is of use in an error.
fn short(text: &str) -> &str {
    text.char_indices().nth(80).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        Defaults { video_source: Some("v1".to_owned()), uuid: "u".to_owned(), ..Defaults::default() }
    }

    fn tell(topic: &str, source: &[(&str, &str)], data: &[(&str, &str)]) -> Tell {
        let map =
            |items: &[(&str, &str)]| items.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Tell { topic: topic.to_owned(), source: map(source), data: map(data), ..Tell::default() }
    }

    fn refused(tell: Tell) -> (RefusalKind, String, Vec<String>) {
        let refusal = occurrence(tell, &defaults()).unwrap_err();
        (refusal.kind, refusal.text, refusal.known)
    }

    #[test]
    fn a_topic_is_known_with_and_without_its_prefix_and_a_missing_source_is_filled_in() {
        for topic in ["tns1:VideoSource/MotionAlarm", "VideoSource/MotionAlarm"] {
            let told = occurrence(tell(topic, &[], &[("State", "true")]), &defaults()).unwrap();
            let source: Vec<_> = told.source.iter().map(|item| (item.name.as_str(), item.value.as_str())).collect();
            assert_eq!(source, [("Source", "v1")]);
            assert_eq!(told.data.value("State"), Some("true"));
        }
        let named = tell("VideoSource/MotionAlarm", &[("Source", "v2")], &[("State", "0")]);
        assert_eq!(occurrence(named, &defaults()).unwrap().source[0].value, "v2");
        // There is no digital input that could be meant.
        let (kind, text, known) = refused(tell("Device/Trigger/DigitalInput", &[], &[("LogicalState", "true")]));
        assert_eq!(kind, RefusalKind::Item);
        assert!(text.contains("InputToken of the source is missing"), "{text}");
        assert_eq!(known, ["InputToken (tt:ReferenceToken)"]);
    }

    #[test]
    fn what_is_no_topic_is_refused_with_those_that_are() {
        for topic in
            ["", "tns1:", "tns1:VideoSource", "tns2:VideoSource/MotionAlarm", "VideoSource/MotionAlarm/", "//."]
        {
            let (kind, text, known) = refused(tell(topic, &[], &[]));
            assert_eq!(kind, RefusalKind::Topic, "{topic}");
            assert!(text.len() < 200 && known.contains(&"tns1:VideoSource/MotionAlarm".to_owned()), "{text}");
        }
        assert!(refused(tell(&"x".repeat(60_000), &[], &[])).1.len() < 200);
    }

    #[test]
    fn items_that_the_description_does_not_have_are_refused_with_those_that_it_has() {
        let topic = "Monitoring/ProcessorUsage";
        let (kind, text, known) = refused(tell(topic, &[("Tokn", "x")], &[("Value", "1")]));
        assert_eq!((kind, known), (RefusalKind::Item, vec!["Token (tt:ReferenceToken)".to_owned()]));
        assert!(text.contains("no item \"Tokn\" in the source"), "{text}");
        let (kind, text, _) = refused(tell(topic, &[("Token", "x")], &[]));
        assert_eq!(kind, RefusalKind::Item);
        assert!(text.contains("Value of the data is missing"), "{text}");
        // An item of the data is none of the source.
        assert_eq!(refused(tell(topic, &[("Value", "1")], &[("Value", "1")])).0, RefusalKind::Item);
    }

    #[test]
    fn values_have_to_be_of_their_types() {
        let unfit = [
            ("Monitoring/ProcessorUsage", "Value", "much", "a number"),
            ("Monitoring/Washer/LiquidLow", "IsLow", "yes", "true or false"),
            ("Monitoring/Backup/Last", "Status", "yesterday", "a time"),
            ("Monitoring/Backup/Last", "Status", "2026-01-31T12:00:00+01:00", "a time"),
        ];
        for (topic, item, value, wanted) in unfit {
            let (kind, text, _) = refused(tell(topic, &[], &[(item, value)]));
            assert_eq!(kind, RefusalKind::Value, "{topic} {value}");
            assert!(text.contains(wanted) && text.contains(value), "{text}");
        }
        let empty = tell("VideoSource/MotionAlarm", &[("Source", "")], &[("State", "true")]);
        assert_eq!(refused(empty).0, RefusalKind::Value);
    }

    #[test]
    fn elements_are_of_their_type_and_well_formed() {
        let link = |xml: &str| Tell {
            elements: [("Link".to_owned(), xml.to_owned())].into(),
            ..tell("Monitoring/LinkStatus", &[("Token", "eth0")], &[])
        };
        let good = "<x:NetworkInterfaceConnectionSetting xmlns:x='http://www.onvif.org/ver10/schema'/>";
        let told = occurrence(link(good), &defaults()).unwrap();
        assert_eq!(told.data.element("Link").unwrap().name().local, "NetworkInterfaceConnectionSetting");
        for bad in ["", "<a", "<a/>", "<!DOCTYPE a><a/>", "text", &good.replace("ver10", "ver11")] {
            assert_eq!(refused(link(bad)).0, RefusalKind::Value, "{bad}");
        }
        let (kind, _, known) = refused(tell("Monitoring/LinkStatus", &[("Token", "eth0")], &[]));
        assert_eq!(kind, RefusalKind::Item);
        assert_eq!(known, ["Link (tt:NetworkInterfaceConnectionSetting)"]);
        // As a text it is not known.
        assert_eq!(
            refused(tell("Monitoring/LinkStatus", &[("Token", "eth0")], &[("Link", good)])).0,
            RefusalKind::Item
        );
    }

    #[test]
    fn a_property_that_goes_needs_no_state_and_an_event_cannot_go() {
        let gone = |topic: &str| Tell { gone: true, ..tell(topic, &[], &[]) };
        let told = occurrence(gone("VideoSource/MotionAlarm"), &defaults()).unwrap();
        assert!(told.gone && told.data.is_empty());
        assert_eq!(refused(gone("Device/OperationMode/ShutdownInitiated")).0, RefusalKind::Request);
    }
}
