//! What is said on the control socket, by both sides.

use jiff::Timestamp;
use oriel_onvif::events::topics::{self, Description};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is asked of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// To tell that something happened.
    Tell(Tell),
    /// Which topics it offers.
    List {},
}

/// Something that happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tell {
    /// The topic, `tns1:VideoSource/MotionAlarm`; the prefix may be left out.
    pub topic: String,
    /// Items of the source, by name. What is left out the device fills in, where it has just one such component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub source: BTreeMap<String, String>,
    /// Items of the key, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key: BTreeMap<String, String>,
    /// Items of the data that are texts, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// Items of the data that are elements, by name, each as XML.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub elements: BTreeMap<String, String>,
    /// When it happened. Absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The property is no more.
    #[serde(default)]
    pub gone: bool,
}

/// What the device says to that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// It was told.
    Told(Told),
    /// The topics that it offers.
    Topics(Vec<Topic>),
    /// Nothing was done.
    Refused(Refusal),
}

/// That something was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Its topic, in full.
    pub topic: String,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What kind of thing is wrong.
    pub kind: RefusalKind,
    /// What is wrong, for people.
    pub text: String,
    /// What would have been known in its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The line is no request.
    Request,
    /// There is no such topic.
    Topic,
    /// The topic is not offered by this device.
    NotOffered,
    /// An item is missing, or is none of the topic's.
    Item,
    /// The value of an item is not of its type.
    Value,
    /// The device does not take it for another reason, such as its size.
    Device,
}

/// A topic, with what its messages look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The topic, in full.
    pub topic: String,
    /// It tells a property's state, and not something that passes.
    pub property: bool,
    /// Items of the source.
    pub source: Vec<Item>,
    /// Items of the key.
    pub key: Vec<Item>,
    /// Items of the data.
    pub data: Vec<Item>,
}

/// An item of a topic's messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Its type, such as `xs:boolean`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value is an element.
    pub element: bool,
    /// It may be left out.
    pub optional: bool,
}

impl From<&Description> for Topic {
    fn from(description: &Description) -> Self {
        let items = |items: &[topics::Item]| items.iter().map(Item::from).collect();
        Self {
            topic: prefixed(description),
            property: description.property,
            source: items(description.source),
            key: items(description.key),
            data: items(description.data),
        }
    }
}

impl From<&topics::Item> for Item {
    fn from(item: &topics::Item) -> Self {
        Self {
            name: item.name.to_owned(),
            kind: format!("{}:{}", item.kind.ns.prefix, item.kind.local),
            element: item.kind.element,
            optional: item.optional,
        }
    }
}

/// A topic of ONVIF's as people write it: `tns1:VideoSource/MotionAlarm`.
pub fn prefixed(description: &Description) -> String {
    format!("tns1:{}", description.topic)
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), known: Vec::new() }
    }

    pub(super) fn knowing(self, known: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { known: known.into_iter().map(Into::into).collect(), ..self }
    }
}
