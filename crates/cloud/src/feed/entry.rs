//! What a feed keeps: a device's messages (Core §9.4) as JSON within bounds, and the gaps between them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry of a device's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[schema(as = FeedEntry)]
pub(crate) enum Entry {
    /// Something happened, or a property changed.
    Event(Message),
    /// A property as it is, told when it came to be or when the feed began; what changed it was not heard.
    State(Message),
    /// Messages may be missing here.
    Gap(Gap),
}

/// One message of the device. Texts are the device's own; what is longer than the bounds is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FeedMessage)]
pub(crate) struct Message {
    /// The topic; ONVIF's own are below the prefix `tns1`, other namespaces stand in braces.
    pub(crate) topic: String,
    /// When it happened by the device's clock, as the device wrote it.
    pub(crate) utc_time: String,
    /// The same in Unix milliseconds.
    pub(crate) time: u64,
    /// Of a property: what became of it.
    pub(crate) operation: Option<Operation>,
    /// What it is about.
    pub(crate) source: Items,
    /// Which of several.
    pub(crate) key: Items,
    /// What is told.
    pub(crate) data: Items,
    /// Items that are XML and no text.
    pub(crate) elements: Vec<ElementItem>,
    /// Something of it was left out or shortened: it was too long, or had names twice.
    pub(crate) cut: bool,
}

/// Name and value.
pub(crate) type Items = BTreeMap<String, String>;

/// An item that is XML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FeedElement)]
pub(crate) struct ElementItem {
    /// Its name.
    pub(crate) name: String,
    /// The XML, as text.
    pub(crate) xml: String,
}

/// What became of a property (Core §9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = PropertyOperation)]
pub(crate) enum Operation {
    /// It is there; also how the device tells what is, when a feed begins.
    Initialized,
    /// It has another value.
    Changed,
    /// It is no more.
    Deleted,
}

/// A stretch of time of which the device could not tell everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FeedGap)]
pub(crate) struct Gap {
    /// When the cloud last knew that nothing was missing, in Unix milliseconds by the cloud's clock.
    pub(crate) from: u64,
    /// From when on nothing is missing again.
    pub(crate) to: u64,
    /// Why.
    pub(crate) reason: Reason,
}

/// Why messages may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GapReason)]
pub(crate) enum Reason {
    /// The device keeps no messages, and its pull point was gone when the cloud came back.
    NotKept,
    /// The device keeps no messages, and an answer of its pull point was lost on the way.
    AnswerLost,
    /// What the device keeps begins later.
    BeginOfBuffer,
    /// The device says that it keeps messages, and did not go back to them.
    SeekRefused,
    /// The device's answer was longer than is read.
    TooLong,
    /// The device's answer could not be read.
    Unreadable,
}

impl Reason {
    pub(crate) const ALL: [Self; 6] =
        [Self::NotKept, Self::AnswerLost, Self::BeginOfBuffer, Self::SeekRefused, Self::TooLong, Self::Unreadable];

    /// As the API and the metrics say it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotKept => "not_kept",
            Self::AnswerLost => "answer_lost",
            Self::BeginOfBuffer => "begin_of_buffer",
            Self::SeekRefused => "seek_refused",
            Self::TooLong => "too_long",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Which property: topic, source and key.
pub(crate) type PropertyKey = [u8; 16];

impl Message {
    /// The entry that it is.
    pub(crate) fn entry(self) -> Entry {
        if self.operation == Some(Operation::Initialized) { Entry::State(self) } else { Entry::Event(self) }
    }

    /// What tells it from any other message: all of it.
    pub(crate) fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.topic, &self.utc_time, self.operation, &self.source, &self.key).hash(&mut hasher);
        hasher.write_u64(self.state());
        hasher.finish()
    }

    /// What tells the state of a property from any other.
    pub(crate) fn state(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.data.hash(&mut hasher);
        self.elements.iter().for_each(|item| (&item.name, &item.xml).hash(&mut hasher));
        hasher.finish()
    }

    /// The property that it is about. It is kept, so it must not depend on the program's version.
    pub(crate) fn property(&self) -> PropertyKey {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut add = |text: &str| {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        };
        add(&self.topic);
        for items in [&self.source, &self.key] {
            add(&items.len().to_string());
            for (name, value) in items {
                add(name);
                add(value);
            }
        }
        let digest = context.finish();
        std::array::from_fn(|at| digest.as_ref()[at])
    }
}

impl Entry {
    /// The topic; a gap is of none.
    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::Event(message) | Self::State(message) => &message.topic,
            Self::Gap(_) => "",
        }
    }

    /// When, in Unix milliseconds: by the device's clock, for a gap by ours.
    pub(crate) fn time(&self) -> u64 {
        match self {
            Self::Event(message) | Self::State(message) => message.time,
            Self::Gap(gap) => gap.to,
        }
    }

    /// As the records keep it.
    pub(crate) fn content(&self) -> String {
        serde_json::to_string(self).expect("plain fields are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_its_topic_source_and_key_and_its_kept_name_never_changes() {
        let message = |operation, value: &str| Message {
            topic: "tns1:VideoSource/MotionAlarm".to_owned(),
            utc_time: "2026-11-21T21:00:00Z".to_owned(),
            time: 0,
            operation: Some(operation),
            source: [("Source".to_owned(), "1".to_owned())].into(),
            key: Items::new(),
            data: [("State".to_owned(), value.to_owned())].into(),
            elements: Vec::new(),
            cut: false,
        };
        let (one, other) = (message(Operation::Initialized, "true"), message(Operation::Changed, "false"));
        assert_eq!(one.property(), other.property());
        assert_ne!((one.mark(), one.state()), (other.mark(), other.state()));
        let mut elsewhere = one.clone();
        elsewhere.source.insert("Source".to_owned(), "2".to_owned());
        assert_ne!(elsewhere.property(), one.property());
        let mut moved = one.clone();
        (moved.key, moved.source) = (moved.source, Items::new());
        assert_ne!(moved.property(), one.property());
        let kept: String = one.property().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(kept.len(), 32);
    }

    #[test]
    fn the_words_of_reasons_are_those_of_the_api() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.word());
        }
    }
}
