//! What happened, as its source tells it, and as everybody hears of it (Core §9.4).

use jiff::Timestamp;
use oriel_onvif::events::expression::CONCRETE_SET;
use oriel_onvif::events::{Description, ItemList, Message, SimpleItem};
use oriel_onvif::notification::{EndpointReference, Topic};
use oriel_onvif::ns;
use oriel_soap::With;
use oriel_soap::xml::{Any, Writer, XmlWrite};
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;

/// The largest message: what its names and values come to in bytes.
pub(super) const LARGEST: usize = 16 * 1024;

/// What happened, as its source tells it. Of a property: its state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occurrence {
    /// What it is about.
    pub topic: Topic,
    /// Which component it comes from.
    pub source: Vec<SimpleItem>,
    /// Which of the component's properties it is, where the source does not say.
    pub key: Vec<SimpleItem>,
    /// What happened, or the state.
    pub data: ItemList,
    /// When. Absent: now.
    pub time: Option<Timestamp>,
    /// The property is no more.
    pub gone: bool,
}

impl Occurrence {
    /// Of this topic, with nothing said yet.
    pub fn of(topic: &Description) -> Self {
        Self::at_topic(Topic::of(topic))
    }

    /// Of a topic that is known by its name.
    pub fn at_topic(topic: Topic) -> Self {
        Self { topic, source: Vec::new(), key: Vec::new(), data: ItemList::default(), time: None, gone: false }
    }

    /// With an item of the source.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.source.push(SimpleItem::new(name, value));
        self
    }

    /// With an item of the key.
    #[must_use]
    pub fn key(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.key.push(SimpleItem::new(name, value));
        self
    }

    /// With an item of the data.
    #[must_use]
    pub fn data(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.data.simple_item.push(SimpleItem::new(name, value));
        self
    }

    /// At this time.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.time = Some(time);
        self
    }

    /// The property is no more.
    #[must_use]
    pub fn gone(mut self) -> Self {
        self.gone = true;
        self
    }

    /// What names and values come to in bytes.
    pub(super) fn size(&self) -> usize {
        let items = self.source.iter().chain(&self.key).map(|item| item.name.len() + item.value.len());
        items.sum::<usize>() + of_list(&self.data)
    }
}

fn of_list(list: &ItemList) -> usize {
    let simple = list.simple_item.iter().map(|item| item.name.len() + item.value.len());
    let elements = list
        .element_item
        .iter()
        .flat_map(|item| std::iter::once(item.name.len()).chain(item.any.iter().map(|any| any.as_xml().len())));
    simple.sum::<usize>() + elements.sum::<usize>()
}

/// Why nobody hears of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Untold {
    /// The topic is not offered.
    #[error("the topic {0} is not offered by this device")]
    NotOffered(String),
    /// An item that the topic's description does not have.
    #[error("{topic} has no item {item} in its {group}")]
    UnknownItem {
        /// The topic.
        topic: &'static str,
        /// Source, key or data.
        group: &'static str,
        /// The item.
        item: String,
    },
    /// An item that the topic's description has, and the occurrence has not.
    #[error("{topic} needs the item {item} in its {group}")]
    MissingItem {
        /// The topic.
        topic: &'static str,
        /// Source, key or data.
        group: &'static str,
        /// The item.
        item: &'static str,
    },
    /// A value that is none of the item's type.
    #[error("{topic}: {value:?} is no value of the item {item}, which wants {kind}")]
    BadValue {
        /// The topic.
        topic: &'static str,
        /// The item.
        item: String,
        /// The value.
        value: String,
        /// The name of the type.
        kind: &'static str,
    },
    /// An item that is there twice.
    #[error("{topic}: the item {item} is there twice")]
    TwiceItem {
        /// The topic.
        topic: &'static str,
        /// The item.
        item: String,
    },
    /// Something that is no property cannot be gone.
    #[error("{0} is no property, so it cannot be gone")]
    NoProperty(&'static str),
    /// Too large.
    #[error("a message has {LARGEST} bytes at most, this one has {0}")]
    TooLarge(usize),
    /// Too many properties.
    #[error("the device keeps the states of {0} properties at most")]
    TooManyProperties(usize),
}

/// What a message with so many bytes of text takes in memory, about: its parts, and the same again in XML.
pub(super) fn weight_of(texts: usize) -> usize {
    640 + 2 * texts
}

/// One message as it goes to all who want it: shared, and written once.
#[derive(Debug)]
#[non_exhaustive]
pub struct Notification {
    /// Its place in the device's life. What tells a state again has the number of the change.
    pub number: u64,
    /// What it is about.
    pub topic: Topic,
    /// What happened.
    pub message: Message,
    /// Which property it is about.
    pub(super) property: Option<u64>,
    weight: usize,
    xml: OnceLock<Any>,
    /// In how many queues it waits.
    pub(super) queues: AtomicUsize,
}

impl Notification {
    /// A message that was told once.
    pub fn new(number: u64, topic: Topic, message: Message) -> Self {
        let texts = message.groups().map(of_list).sum::<usize>();
        let weight = weight_of(texts + topic.0.iter().map(|step| step.local.len()).sum::<usize>());
        Self { number, topic, message, property: None, weight, xml: OnceLock::new(), queues: AtomicUsize::new(0) }
    }

    /// The same, about a property.
    pub(super) fn about(self, property: Option<u64>) -> Self {
        Self { property, ..self }
    }

    /// What it takes in memory, about, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// It as a `wsnt:NotificationMessage`, complete in itself, that names who made it.
    pub fn xml(&self, producer: &str) -> &Any {
        self.xml.get_or_init(|| {
            let parts = Parts { topic: &self.topic, producer, message: &self.message };
            Any::of(ns::WSNT, "NotificationMessage", &parts)
        })
    }
}

/// What is in a `wsnt:NotificationMessage`.
struct Parts<'a> {
    topic: &'a Topic,
    producer: &'a str,
    message: &'a Message,
}

impl XmlWrite for Parts<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.start(ns::WSNT, "Topic");
        writer.attribute(None, "Dialect", CONCRETE_SET);
        writer.value(self.topic);
        writer.end();
        let producer = EndpointReference::with(|reference| reference.address = self.producer.to_owned());
        writer.element(ns::WSNT, "ProducerReference", &producer);
        writer.start(ns::WSNT, "Message");
        writer.element(ns::TT, "Message", self.message);
        writer.end();
    }
}
