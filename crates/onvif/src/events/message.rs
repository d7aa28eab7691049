//! `tt:Message`: when something happened, where and what, as it stands in the notification of WS-BaseNotification (Core §9.4.1, §9.4.2).

use crate::{notification, ns};
use jiff::Timestamp;
use oriel_soap::xml::{Any, AnyAttribute, XmlError, XmlRead, XmlWrite};

/// The name of the element in the namespace [`ns::TT`].
pub const NAME: &str = "Message";

/// What happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Message {
    /// When it happened.
    #[xml(attr)]
    pub utc_time: Timestamp,
    /// What became of the property. Absent: it is no property.
    #[xml(attr)]
    pub property_operation: Option<PropertyOperation>,
    /// Which component of the device it comes from.
    pub source: Option<ItemList>,
    /// Which of the component's properties it is about, where the source alone does not say.
    pub key: Option<ItemList>,
    /// What happened, or the property's state.
    pub data: Option<ItemList>,
    /// The extension of the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What became of a property (§9.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
pub enum PropertyOperation {
    /// It is there: it was created, or a subscription begins or asked for its state.
    Initialized,
    /// It is no more.
    Deleted,
    /// Its state changed.
    Changed,
}

/// Items of one group, each with a name of its own in the whole message.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct ItemList {
    /// Items whose value is a text.
    pub simple_item: Vec<SimpleItem>,
    /// Items whose value is an element.
    pub element_item: Vec<ElementItem>,
    /// The extension of the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// An item whose value is a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
pub struct SimpleItem {
    /// Name.
    #[xml(attr)]
    pub name: String,
    /// Value; the topic's description says of which type.
    #[xml(attr)]
    pub value: String,
}

/// An item whose value is an element.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct ElementItem {
    /// Name.
    #[xml(attr)]
    pub name: String,
    /// The value: one element.
    #[xml(any)]
    pub any: Vec<Any>,
}

impl SimpleItem {
    /// An item.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl ElementItem {
    /// An item.
    pub fn new(name: impl Into<String>, value: Any) -> Self {
        Self { name: name.into(), any: vec![value] }
    }
}

impl ItemList {
    /// The value of a simple item.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.simple_item.iter().find(|item| item.name == name).map(|item| item.value.as_str())
    }

    /// The value of an element item.
    #[must_use]
    pub fn element(&self, name: &str) -> Option<&Any> {
        self.element_item.iter().find(|item| item.name == name).and_then(|item| item.any.first())
    }

    /// Nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl FromIterator<SimpleItem> for ItemList {
    fn from_iter<I: IntoIterator<Item = SimpleItem>>(items: I) -> Self {
        Self { simple_item: items.into_iter().collect(), ..Self::default() }
    }
}

impl Message {
    /// The groups that are there: source, key, data.
    pub fn groups(&self) -> impl Iterator<Item = &ItemList> {
        [&self.source, &self.key, &self.data].into_iter().flatten()
    }

    /// The value of a simple item, whichever group it is in: names are unique within a message.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.groups().find_map(|group| group.value(name))
    }

    /// The message as an element.
    #[must_use]
    pub fn to_any(&self) -> Any {
        Any::of(ns::TT, NAME, self)
    }
}

impl notification::Message {
    /// The message of ONVIF's that a notification carries, or nothing if it carries none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn onvif(&self) -> Result<Option<Message>, XmlError> {
        let is_message = |any: &&Any| any.name().namespace == ns::TT.uri && any.name().local == NAME;
        self.any.iter().find(is_message).map(Any::to).transpose()
    }
}

impl From<&Message> for notification::Message {
    fn from(message: &Message) -> Self {
        Self { any: vec![message.to_any()] }
    }
}
