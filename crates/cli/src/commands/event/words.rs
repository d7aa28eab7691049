//! Short words for topics, and from what is typed to what is told.

use jiff::Timestamp;
use oriel_device::control::Tell;
use oriel_onvif::events::topics::{self, Description, Item, Kind};
use oriel_soap::xml::Any;

use super::super::call::Element;
use crate::exit::BadUsage;

/// A word for a topic.
pub(super) struct Word {
    pub(super) word: &'static str,
    topic: &'static str,
    pub(super) help: &'static str,
}

macro_rules! words {
    ($($word:literal $topic:literal $help:literal;)*) => {
        &[$(Word { word: $word, topic: $topic, help: $help }),*]
    };
}

/// The words, the usual ones first. Topics without one are told by their names.
pub(super) static WORDS: &[Word] = words! {
    "motion" "VideoSource/MotionAlarm" "something moves before a video source: on, off";
    "cell-motion" "RuleEngine/CellMotionDetector/Motion" "the cells of a rule show motion: on, off";
    "digital-input" "Device/Trigger/DigitalInput" "a digital input is active: on, off";
    "relay" "Device/Trigger/Relay" "a relay output is active: on, off";
    "signal-loss" "VideoSource/SignalLoss" "a video source gives no picture: on, off";
    "too-blurry" "VideoSource/ImageTooBlurry/ImagingService" "a picture is out of focus: on, off";
    "too-dark" "VideoSource/ImageTooDark/ImagingService" "a picture is black: on, off";
    "too-bright" "VideoSource/ImageTooBright/ImagingService" "a picture is white: on, off";
    "scene-change" "VideoSource/GlobalSceneChange/ImagingService" "a camera was turned or covered: on, off";
    "processor-usage" "Monitoring/ProcessorUsage" "percent";
    "link-status" "Monitoring/LinkStatus" "how a network link runs, by Link.AutoNegotiation, Link.Speed and Link.Duplex";
    "upload-status" "Monitoring/UploadStatus" "how far an upload is, in percent";
    "operation-status" "Monitoring/AsynchronousOperationStatus" "how far an operation is, from 0 to 1";
    "shutdown" "Device/OperationMode/ShutdownInitiated" "the device is about to stop";
    "upload" "Device/OperationMode/UploadInitiated" "an upload begins";
    "defined-limit" "Monitoring/OperatingTime/DefinedLimitReached" "it has worked as long as it is meant to: on, off";
    "mtbf-default-limit" "Monitoring/OperatingTime/MeanTimeBetweenFailuresDefaultLimitReached"
        "it has worked as long as its kind does: on, off";
    "mtbf-operation-limit" "Monitoring/OperatingTime/MeanTimeBetweenFailuresOperationLimitReached"
        "the same, as it is operated: on, off";
    "last-reset" "Monitoring/OperatingTime/LastReset" "a time, or now";
    "last-reboot" "Monitoring/OperatingTime/LastReboot" "a time, or now";
    "last-clock-synchronization" "Monitoring/OperatingTime/LastClockSynchronization" "a time, or now";
    "last-maintenance" "Monitoring/Maintenance/Last" "a time, or now";
    "next-maintenance" "Monitoring/Maintenance/NextScheduled" "a time";
    "last-backup" "Monitoring/Backup/Last" "a time, or now";
    "outside-certified-area" "Monitoring/AreaOfOperation/OutsideCertifiedArea" "on, off";
    "outside-configured-area" "Monitoring/AreaOfOperation/OutsideConfiguredArea" "on, off";
    "humidity" "Monitoring/EnvironmentalConditions/RelativeHumidity" "percent";
    "temperature" "Monitoring/EnvironmentalConditions/Temperature" "degrees Celsius";
    "battery" "Monitoring/BatteryCapacity" "percent that are left";
    "liquid-low" "Monitoring/Washer/LiquidLow" "the washer's tank is nearly empty: on, off";
    "fan-failure" "Device/HardwareFailure/FanFailure" "on, off";
    "power-supply-failure" "Device/HardwareFailure/PowerSupplyFailure" "on, off";
    "storage-failure" "Device/HardwareFailure/StorageFailure" "on, off";
    "temperature-critical" "Device/HardwareFailure/TemperatureCritical" "on, off";
    "geo-location" "Monitoring/GeoLocation" "by CurrentLocation.@lon and CurrentLocation.@lat";
    "firmware-upgrade" "Monitoring/CloudFirmwareUpgrade/Completed" "whether it went well (on, off), and a text";
    "temperature-high" "Device/Sensor/Temperature/High" "what a sensor shows, and its limit";
    "temperature-low" "Device/Sensor/Temperature/Low" "what a sensor shows, and its limit";
    "humidity-high" "Device/Sensor/RelativeHumidity/High" "what a sensor shows, and its limit";
    "humidity-low" "Device/Sensor/RelativeHumidity/Low" "what a sensor shows, and its limit";
    "absolute-humidity-high" "Device/Sensor/AbsoluteHumidity/High" "what a sensor shows, and its limit";
    "absolute-humidity-low" "Device/Sensor/AbsoluteHumidity/Low" "what a sensor shows, and its limit";
    "auth-failed" "Device/SecurityPolicy/AuthFailed" "somebody was not let in";
    "key-status" "Advancedsecurity/Keystore/KeyStatus" "the old and the new status: ok, generating, corrupt";
};

impl Word {
    pub(super) fn description(&self) -> &'static Description {
        topics::find(self.topic).expect("each word stands for a topic of the table: a test goes through them")
    }
}

/// The word for a topic, if it has one.
pub(super) fn word_of(description: &Description) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.topic == description.topic)
}

/// The topic that a word, or its name, means.
pub(super) fn find(text: &str) -> anyhow::Result<&'static Description> {
    if let Some(word) = WORDS.iter().find(|word| word.word == text) {
        return Ok(word.description());
    }
    if let Some(description) = topics::find(text.strip_prefix("tns1:").unwrap_or(text)) {
        return Ok(description);
    }
    let wanted = text.rsplit(['/', ':']).next().unwrap_or_default().to_lowercase();
    let is_near = |known: &str| wanted.len() > 2 && known.to_lowercase().contains(&wanted);
    let words = WORDS.iter().map(|word| word.word).filter(|word| is_near(word)).map(str::to_owned);
    let names = topics::catalogue().iter().filter(|topic| is_near(topic.topic)).map(oriel_device::control::prefixed);
    let near: Vec<String> = words.chain(names).take(5).collect();
    Err(BadUsage::error(match near.as_slice() {
        [] => format!("`{text}` is no topic; `oriel device event --list` lists them"),
        near => format!("`{text}` is no topic; near it: {}", near.join(", ")),
    }))
}

/// What is to be told, from `NAME=VALUE` and from bare values, which are the data in the order of the description.
pub(super) fn tell(description: &'static Description, items: &[String], now: Timestamp) -> anyhow::Result<Tell> {
    let mut tell = Tell { topic: oriel_device::control::prefixed(description), ..Tell::default() };
    let mut elements: Vec<(&'static Item, Vec<String>)> = Vec::new();
    for text in items {
        let (path, value) = match named(description, text)? {
            Some((path, value)) => (path, value),
            None => (next_bare(description, &tell, text)?, text.as_str()),
        };
        let (name, inside) = path.split_once('.').map_or((path, None), |(name, inside)| (name, Some(inside)));
        let item = description.items().find(|item| item.name == name).ok_or_else(|| unknown(description, name))?;
        if item.kind.element && !value.starts_with('<') {
            let inside = inside.ok_or_else(|| {
                BadUsage::error(format!(
                    "{name} is an element: give its parts as {name}.Part=VALUE, or {name}='<xml…/>'"
                ))
            })?;
            let part = format!("{inside}={value}");
            match elements.iter_mut().find(|(known, _)| known.name == name) {
                Some((_, parts)) => parts.push(part),
                None => elements.push((item, vec![part])),
            }
            continue;
        }
        let group = |items: &[Item]| items.iter().any(|item| item.name == name);
        let values = match () {
            () if item.kind.element => &mut tell.elements,
            () if group(description.source) => &mut tell.source,
            () if group(description.key) => &mut tell.key,
            () => &mut tell.data,
        };
        if values.insert(name.to_owned(), spelled(item.kind, value, now)?).is_some() {
            return Err(BadUsage::error(format!("{name} is there twice")));
        }
    }
    for (item, parts) in elements {
        let element = Any::of(item.kind.ns, item.kind.local, &Element::root(item.kind.ns, &parts)?);
        if tell.elements.insert(item.name.to_owned(), element.as_xml().to_owned()).is_some() {
            return Err(BadUsage::error(format!("{} is there twice", item.name)));
        }
    }
    Ok(tell)
}

/// Name and value, if it is these and not a bare value that happens to have a `=` in it.
fn named<'a>(description: &'static Description, text: &'a str) -> anyhow::Result<Option<(&'a str, &'a str)>> {
    let Some((path, value)) = text.split_once('=') else { return Ok(None) };
    let name = path.split('.').next().unwrap_or_default();
    if description.items().any(|item| item.name == name) {
        return Ok(Some((path, value)));
    }
    let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if is_name { Err(unknown(description, name)) } else { Ok(None) }
}

/// The first text of the data that has no value yet.
fn next_bare(description: &'static Description, tell: &Tell, text: &str) -> anyhow::Result<&'static str> {
    let texts = description.data.iter().filter(|item| !item.kind.element);
    let free = texts.map(|item| item.name).find(|name| !tell.data.contains_key(*name));
    free.ok_or_else(|| {
        BadUsage::error(format!("there is nothing that `{text}` could be the value of: {}", known(description)))
    })
}

/// A value as its type spells it.
fn spelled(kind: Kind, value: &str, now: Timestamp) -> anyhow::Result<String> {
    let wrong = |wanted: &str| BadUsage::error(format!("`{value}` has to be {wanted}"));
    // No two types have one local name.
    let spelled = match (kind.local, value) {
        ("boolean", "on" | "yes" | "true" | "1") => "true".to_owned(),
        ("boolean", "off" | "no" | "false" | "0") => "false".to_owned(),
        ("boolean", _) => return Err(wrong("on or off")),
        ("RelayLogicalState", "on" | "active") => "active".to_owned(),
        ("RelayLogicalState", "off" | "inactive") => "inactive".to_owned(),
        ("RelayLogicalState", _) => return Err(wrong("on or off")),
        ("dateTime", "now") => now.to_string(),
        // In any zone; told is UTC.
        ("dateTime", _) => {
            value.parse::<Timestamp>().map_err(|_| wrong("a time such as 2026-01-31T12:00:00Z, or now"))?.to_string()
        }
        ("float", _) if !kind.accepts(value) => return Err(wrong("a number such as 36.6")),
        ("KeyStatus", _) if !kind.accepts(value) => return Err(wrong("ok, generating or corrupt")),
        _ => value.to_owned(),
    };
    Ok(spelled)
}

fn unknown(description: &Description, name: &str) -> anyhow::Error {
    let topic = oriel_device::control::prefixed(description);
    BadUsage::error(format!("{topic} has no item `{name}`: {}", known(description)))
}

/// The items, for an error.
fn known(description: &Description) -> String {
    let names: Vec<&str> = description.items().map(|item| item.name).collect();
    if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> anyhow::Result<Tell> {
        let items: Vec<String> = words[1..].iter().map(ToString::to_string).collect();
        tell(find(words[0])?, &items, "2026-01-31T12:00:00.5Z".parse().unwrap())
    }

    fn map(items: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
        items.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn each_word_means_a_topic_and_each_monitoring_event_has_a_word() {
        for word in WORDS {
            assert_eq!(find(word.word).unwrap().topic, word.topic);
        }
        let monitoring = topics::catalogue().iter().filter(|topic| {
            ["Monitoring/", "Device/OperationMode/", "Device/HardwareFailure/", "Device/Sensor/", "Device/Trigger/"]
                .iter()
                .any(|branch| topic.topic.starts_with(branch))
        });
        let without: Vec<_> = monitoring.filter(|topic| word_of(topic).is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
        let mut words: Vec<_> = WORDS.iter().map(|word| word.word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), WORDS.len());
    }

    #[test]
    fn bare_values_are_the_data_in_order_and_names_go_to_their_groups() {
        let motion = told(&["motion", "on"]).unwrap();
        assert_eq!(motion.topic, "tns1:VideoSource/MotionAlarm");
        assert_eq!((motion.source, motion.data), (map(&[]), map(&[("State", "true")])));
        let usage = told(&["tns1:Monitoring/ProcessorUsage", "Token=cpu1", "Value=37.5"]).unwrap();
        assert_eq!((usage.source, usage.data), (map(&[("Token", "cpu1")]), map(&[("Value", "37.5")])));
        let upgrade = told(&["firmware-upgrade", "off", "Information=a=b, c"]).unwrap();
        assert_eq!(upgrade.data, map(&[("Success", "false"), ("Information", "a=b, c")]));
        let high = told(&["temperature-high", "70", "60", "SensorID=s"]).unwrap();
        assert_eq!((high.source, high.data), (map(&[("SensorID", "s")]), map(&[("Value", "70"), ("Threshold", "60")])));
    }

    #[test]
    fn values_are_spelled_as_their_types_want_it() {
        assert_eq!(told(&["relay", "on"]).unwrap().data, map(&[("LogicalState", "active")]));
        assert_eq!(told(&["last-backup", "now"]).unwrap().data, map(&[("Status", "2026-01-31T12:00:00.5Z")]));
        let zoned = told(&["last-backup", "2026-01-31T12:00:00+02:00"]).unwrap();
        assert_eq!(zoned.data, map(&[("Status", "2026-01-31T10:00:00Z")]));
        for wrong in [["motion", "maybe"], ["battery", "full"], ["last-backup", "yesterday"], ["relay", "true"]] {
            assert!(told(&wrong).unwrap_err().is::<BadUsage>(), "{wrong:?}");
        }
    }

    #[test]
    fn elements_come_by_their_parts_or_as_xml() {
        let link =
            told(&["link-status", "Token=eth0", "Link.AutoNegotiation=true", "Link.Speed=100", "Link.Duplex=Full"]);
        let xml = link.unwrap().elements.remove("Link").unwrap();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "NetworkInterfaceConnectionSetting");
        let parts: Vec<_> = root.children().map(|part| (part.tag_name().name(), part.text().unwrap())).collect();
        assert_eq!(parts, [("AutoNegotiation", "true"), ("Speed", "100"), ("Duplex", "Full")]);
        assert!(root.children().all(|part| part.tag_name().namespace() == root.tag_name().namespace()));
        let place = told(&["geo-location", "CurrentLocation.@lon=13.4", "CurrentLocation.@lat=52.5"]).unwrap();
        let place = &place.elements["CurrentLocation"];
        assert!(place.contains("lon=\"13.4\"") && place.contains("lat=\"52.5\""), "{place}");
        assert_eq!(told(&["link-status", "Link=<a/>"]).unwrap().elements, map(&[("Link", "<a/>")]));
        told(&["link-status", "Link=up"]).unwrap_err();
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        let refused = |words: &[&str]| {
            let error = told(words).unwrap_err();
            assert!(error.is::<BadUsage>(), "{words:?}: {error}");
            error.to_string()
        };
        let near = refused(&["motionalarm"]);
        assert!(near.contains("near it: tns1:VideoSource/MotionAlarm"), "{near}");
        assert!(refused(&["x"]).contains("--list"));
        let item = refused(&["motion", "on", "Sourc=a"]);
        assert!(item.contains("no item `Sourc`: it has Source, State"), "{item}");
        assert!(refused(&["motion", "on", "off"]).contains("nothing that `off`"));
        assert!(refused(&["motion", "State=on", "State=off"]).contains("twice"));
        assert!(refused(&["shutdown", "now"]).contains("it has none"));
    }
}
