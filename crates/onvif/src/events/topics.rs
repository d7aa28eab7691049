//! The topics that a device of ours may offer, and what a message of each has in it: facts of Core §8.9 (§8.8 in edition 19.06), §9.11 and the chapters named
//! beside them, as one table (§9.6).

use super::TopicSet;
use super::description::MessageDescription;
use crate::notification::Topic;
use crate::ns;
use jiff::Timestamp;
use oriel_soap::ns::ENV;
use oriel_soap::xml::{Any, Ns, QName, Writer, XmlWrite};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a message of a topic has in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// The steps from the root on with `/` between, in ONVIF's namespace.
    pub topic: &'static str,
    /// It tells a property's state, and not something that passes.
    pub property: bool,
    /// Which component it comes from.
    pub source: &'static [Item],
    /// Which of the component's properties it is.
    pub key: &'static [Item],
    /// What happened, or the state.
    pub data: &'static [Item],
}

/// An item of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// It may be left out.
    pub optional: bool,
}

/// The type of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Namespace.
    pub ns: Ns,
    /// Name in it.
    pub local: &'static str,
    /// The value is an element, and not a text.
    pub element: bool,
}

/// The longest `tt:ReferenceToken` and `tas:KeyID` in characters.
const TOKEN_LENGTH: usize = 64;

impl Kind {
    /// `tt:ReferenceToken`.
    pub const TOKEN: Self = Self::simple(ns::TT, "ReferenceToken");
    /// `xs:string`.
    pub const STRING: Self = Self::simple(ns::XS, "string");
    /// `xs:boolean`.
    pub const BOOLEAN: Self = Self::simple(ns::XS, "boolean");
    /// `xs:float`.
    pub const FLOAT: Self = Self::simple(ns::XS, "float");
    /// `xs:dateTime`.
    pub const TIME: Self = Self::simple(ns::XS, "dateTime");
    /// `tt:IPv4Address`.
    pub const IPV4: Self = Self::simple(ns::TT, "IPv4Address");
    /// `tt:IPv6Address`.
    pub const IPV6: Self = Self::simple(ns::TT, "IPv6Address");
    /// `tt:RelayLogicalState`.
    pub const RELAY: Self = Self::simple(ns::TT, "RelayLogicalState");
    /// `tas:KeyID`.
    pub const KEY_ID: Self = Self::simple(ns::TAS, "KeyID");
    /// `tas:KeyStatus`.
    pub const KEY_STATUS: Self = Self::simple(ns::TAS, "KeyStatus");
    /// `tt:NetworkInterfaceConnectionSetting`.
    pub const CONNECTION: Self = Self::element(ns::TT, "NetworkInterfaceConnectionSetting");
    /// `tt:ArrayOfFileProgress`.
    pub const FILES: Self = Self::element(ns::TT, "ArrayOfFileProgress");
    /// A SOAP fault.
    pub const FAULT: Self = Self::element(ENV, "Fault");
    /// `tt:GeoLocation`.
    pub const LOCATION: Self = Self::element(ns::TT, "GeoLocation");

    const fn simple(ns: Ns, local: &'static str) -> Self {
        Self { ns, local, element: false }
    }

    const fn element(ns: Ns, local: &'static str) -> Self {
        Self { ns, local, element: true }
    }

    /// The type's name.
    #[must_use]
    pub const fn name(&self) -> QName {
        QName::of(self.ns, self.local)
    }

    /// Whether a text is a value of the type; no text is an element.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        // No two of them have one local name.
        match self.local {
            _ if self.element => false,
            "string" => true,
            "ReferenceToken" | "KeyID" => value.chars().count() <= TOKEN_LENGTH,
            "boolean" => matches!(value, "true" | "false" | "1" | "0"),
            "float" => is_float(value),
            // Core §8.9.4: with the Z of UTC.
            "dateTime" => value.ends_with('Z') && value.parse::<Timestamp>().is_ok(),
            "IPv4Address" => value.parse::<Ipv4Addr>().is_ok(),
            "IPv6Address" => value.parse::<Ipv6Addr>().is_ok(),
            "RelayLogicalState" => matches!(value, "active" | "inactive"),
            "KeyStatus" => matches!(value, "ok" | "generating" | "corrupt"),
            _ => false,
        }
    }
}

/// Rust reads more than XML Schema has.
fn is_float(value: &str) -> bool {
    let plain = value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    matches!(value, "INF" | "-INF" | "NaN") || plain && value.parse::<f32>().is_ok()
}

impl Description {
    const EMPTY: Self = Self { topic: "", property: false, source: &[], key: &[], data: &[] };

    /// Whether it describes this topic.
    #[must_use]
    pub fn is(&self, topic: &Topic) -> bool {
        topic.steps().eq(self.topic.split('/').map(|step| (ns::TNS1.uri, step)))
    }

    /// All items, with the group that each is in.
    pub fn items(&self) -> impl Iterator<Item = &'static Item> {
        self.source.iter().chain(self.key).chain(self.data)
    }
}

impl Topic {
    /// The topic that is described.
    #[must_use]
    pub fn of(description: &Description) -> Self {
        let mut steps = description.topic.split('/');
        let root = QName::new(ns::TNS1.uri, steps.next().unwrap_or_default());
        Self(std::iter::once(root).chain(steps.map(|step| QName::new("", step))).collect())
    }
}

/// Every topic of the table.
#[must_use]
pub fn catalogue() -> &'static [Description] {
    CATALOGUE
}

/// What the messages of a topic look like, if it is one of the table.
#[must_use]
pub fn describe(topic: &Topic) -> Option<&'static Description> {
    CATALOGUE.iter().find(|description| description.is(topic))
}

/// The description with these steps: `Monitoring/ProcessorUsage`.
#[must_use]
pub fn find(steps: &str) -> Option<&'static Description> {
    CATALOGUE.iter().find(|description| description.topic == steps)
}

/// Topics as a tree, each with the description of its messages (§9.6.2).
pub fn topic_set<'a>(topics: impl IntoIterator<Item = &'a Description>) -> TopicSet {
    let mut root = Node::default();
    for description in topics {
        let place = description.topic.split('/').fold(&mut root, Node::child);
        place.description = Some(*description);
    }
    let any = root.children.iter().map(|child| Any::of(ns::TNS1, child.name, child)).collect();
    TopicSet { any, any_attributes: Vec::new() }
}

/// A step of the tree; as deep as the longest topic of the table.
#[derive(Default)]
struct Node<'a> {
    name: &'a str,
    description: Option<Description>,
    children: Vec<Self>,
}

impl<'a> Node<'a> {
    fn child(&mut self, name: &'a str) -> &mut Self {
        let found = self.children.iter().position(|child| child.name == name).unwrap_or_else(|| {
            self.children.push(Self { name, ..Self::default() });
            self.children.len() - 1
        });
        &mut self.children[found]
    }
}

impl XmlWrite for Node<'_> {
    fn write(&self, writer: &mut Writer) {
        if let Some(description) = &self.description {
            writer.attribute(Some(ns::WSTOP), "topic", "true");
            description.items().for_each(|item| writer.use_prefix(item.kind.ns));
            writer.element(ns::TT, "MessageDescription", &MessageDescription::from(description));
        }
        for child in &self.children {
            writer.element(Ns::NONE, child.name, child);
        }
    }
}

/// Rows `"Steps" property|event group("Name": KIND optional, …)…;`.
macro_rules! topics {
    (@form property) => { true };
    (@form event) => { false };
    (@optional) => { false };
    (@optional optional) => { true };
    (@items $($name:literal : $kind:ident $($optional:ident)?),*) => {
        &[$(Item { name: $name, kind: Kind::$kind, optional: topics!(@optional $($optional)?) }),*]
    };
    ($($topic:literal $form:ident $($group:ident($($items:tt)*))*;)*) => {
        &[$(Description {
            topic: $topic,
            property: topics!(@form $form),
            $($group: topics!(@items $($items)*),)*
            ..Description::EMPTY
        }),*]
    };
}

static CATALOGUE: &[Description] = topics! {
    // Core §8.9.1 to §8.8.3
    "Monitoring/ProcessorUsage" property source("Token": TOKEN) data("Value": FLOAT);
    "Monitoring/LinkStatus" property source("Token": TOKEN) data("Link": CONNECTION);
    "Monitoring/UploadStatus" property data("Status": FLOAT);
    // Core §8.9.4
    "Monitoring/OperatingTime/DefinedLimitReached" property data("Status": BOOLEAN);
    "Monitoring/OperatingTime/MeanTimeBetweenFailuresDefaultLimitReached" property data("Status": BOOLEAN);
    "Monitoring/OperatingTime/MeanTimeBetweenFailuresOperationLimitReached" property data("Status": BOOLEAN);
    "Monitoring/OperatingTime/LastReset" property data("Status": TIME);
    "Monitoring/OperatingTime/LastReboot" property data("Status": TIME);
    "Monitoring/OperatingTime/LastClockSynchronization" property data("Status": TIME);
    "Monitoring/Maintenance/Last" property data("Status": TIME);
    "Monitoring/Maintenance/NextScheduled" property data("Status": TIME);
    "Monitoring/Backup/Last" property data("Status": TIME);
    "Monitoring/AreaOfOperation/OutsideCertifiedArea" property data("Status": BOOLEAN);
    "Monitoring/AreaOfOperation/OutsideConfiguredArea" property data("Status": BOOLEAN);
    // Core §8.9.5
    "Monitoring/EnvironmentalConditions/RelativeHumidity" property data("Status": FLOAT);
    "Monitoring/EnvironmentalConditions/Temperature" property data("Status": FLOAT);
    // Core §8.9.6
    "Monitoring/BatteryCapacity" property data("PercentageRemainingCapacity": FLOAT);
    // Core §8.9.7
    "Monitoring/AsynchronousOperationStatus" property
        source("Token": TOKEN, "OperationName": STRING, "ServiceName": STRING)
        data("Progress": FLOAT, "FileProgressStatus": FILES optional, "Error": FAULT optional, "Alias": STRING optional);
    // Core §8.9.8
    "Device/OperationMode/ShutdownInitiated" event;
    "Device/OperationMode/UploadInitiated" event;
    // Core §8.9.9
    "Monitoring/Washer/LiquidLow" property data("IsLow": BOOLEAN);
    // Core §8.9.10
    "Device/HardwareFailure/FanFailure" property source("Token": TOKEN) data("Failed": BOOLEAN);
    "Device/HardwareFailure/PowerSupplyFailure" property source("Token": TOKEN) data("Failed": BOOLEAN);
    "Device/HardwareFailure/StorageFailure" property source("Token": TOKEN) data("Failed": BOOLEAN);
    "Device/HardwareFailure/TemperatureCritical" property data("Critical": BOOLEAN);
    // Core §8.9.11
    "Monitoring/GeoLocation" property source("Token": TOKEN) data("CurrentLocation": LOCATION);
    // Core §8.9.12. Deviates: the text has element items of simple types, which §9.4.3 does not allow and no message could carry.
    "Monitoring/CloudFirmwareUpgrade/Completed" property
        source("UUID": STRING) data("Success": BOOLEAN, "Information": STRING);
    // Core §8.9.13
    "Device/Sensor/Temperature/High" event source("SensorID": STRING) data("Value": FLOAT, "Threshold": FLOAT);
    "Device/Sensor/Temperature/Low" event source("SensorID": STRING) data("Value": FLOAT, "Threshold": FLOAT);
    "Device/Sensor/RelativeHumidity/High" event source("SensorID": STRING) data("Value": FLOAT, "Threshold": FLOAT);
    "Device/Sensor/RelativeHumidity/Low" event source("SensorID": STRING) data("Value": FLOAT, "Threshold": FLOAT);
    "Device/Sensor/AbsoluteHumidity/High" event source("SensorID": STRING) data("Value": FLOAT, "Threshold": FLOAT);
    "Device/Sensor/AbsoluteHumidity/Low" event source("SensorID": STRING) data("Value": FLOAT, "Threshold": FLOAT);
    // Core §8.5
    "Device/SecurityPolicy/AuthFailed" event
        source("NetworkInterface": TOKEN) data("SourceIPv4": IPV4 optional, "SourceIPv6": IPV6 optional);
    // Core §9.11
    "EventBuffer/Begin" event;
    // Security §5.5.8.1: the old status is left out while the key is generated.
    "Advancedsecurity/Keystore/KeyStatus" event
        source("KeyID": KEY_ID) data("OldStatus": KEY_STATUS optional, "NewStatus": KEY_STATUS);
    // Device IO §5.10
    "Device/Trigger/DigitalInput" property source("InputToken": TOKEN) data("LogicalState": BOOLEAN);
    "Device/Trigger/Relay" property source("RelayToken": TOKEN) data("LogicalState": RELAY);
    // Imaging §5.5
    "VideoSource/MotionAlarm" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/SignalLoss" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooBlurry/AnalyticsService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooBlurry/ImagingService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooBlurry/RecordingService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooDark/AnalyticsService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooDark/ImagingService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooDark/RecordingService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooBright/AnalyticsService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooBright/ImagingService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/ImageTooBright/RecordingService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/GlobalSceneChange/AnalyticsService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/GlobalSceneChange/ImagingService" property source("Source": TOKEN) data("State": BOOLEAN);
    "VideoSource/GlobalSceneChange/RecordingService" property source("Source": TOKEN) data("State": BOOLEAN);
    // Analytics, annex on the motion detector of cells
    "RuleEngine/CellMotionDetector/Motion" property
        source("VideoSourceConfigurationToken": TOKEN, "VideoAnalyticsConfigurationToken": TOKEN, "Rule": STRING)
        data("IsMotion": BOOLEAN);
};
