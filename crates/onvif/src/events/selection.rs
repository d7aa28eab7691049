//! What a subscription wants: all filters of one `wsnt:Filter` together (WS-BaseNotification §4.2, Core §9.4.4, §9.6.3).

use super::content::{ContentFilter, ITEM_FILTER};
use super::expression::Expression;
use super::message::Message;
use super::words::{BadExpression, LONGEST};
use super::{Filter, SubscriptionPolicy};
use crate::notification::{FaultKind, Topic};
use crate::ns;
use oriel_soap::xml::{Any, Element, QName, XmlError, XmlRead, read};
use std::fmt;

/// Filters in one subscription.
const FILTERS: usize = 32;
/// Bytes of expressions in one subscription: each message is held against all of them.
const TEXT: usize = LONGEST;

/// What a subscription wants; by default everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    topics: Vec<Expression>,
    contents: Vec<ContentFilter>,
}

/// Why a filter cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadFilter {
    /// A filter that is none of WS-BaseNotification's, or too many of them.
    Unknown(QName),
    /// A topic expression of a dialect that is not known here.
    Dialect(BadExpression),
    /// A topic expression that is none.
    Topic(BadExpression),
    /// Topics that this device does not have.
    NotSupported,
    /// A filter on the producer's properties: no dialect for them is known here.
    Producer,
    /// A filter on contents that is none, or of an unknown dialect.
    Content(BadExpression),
}

impl BadFilter {
    /// The fault that says so.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Unknown(_) => FaultKind::InvalidFilter,
            Self::Dialect(_) => FaultKind::TopicExpressionDialectUnknown,
            Self::Topic(_) => FaultKind::InvalidTopicExpression,
            Self::NotSupported => FaultKind::TopicNotSupported,
            Self::Producer => FaultKind::InvalidProducerPropertiesExpression,
            Self::Content(_) => FaultKind::InvalidMessageContentExpression,
        }
    }
}

impl fmt::Display for BadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "{name} is no filter that is known here, or there are too many"),
            Self::Dialect(bad) | Self::Topic(bad) => write!(f, "the topic expression cannot be used: {bad}"),
            Self::NotSupported => f.write_str("the device has no topic that the expression means"),
            Self::Producer => f.write_str("there is no filter on properties of the producer"),
            Self::Content(bad) => write!(f, "the filter on contents cannot be used: {bad}"),
        }
    }
}

impl std::error::Error for BadFilter {}

impl Selection {
    /// Reads the filters of a subscription.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn read(filter: &Filter) -> Result<Self, BadFilter> {
        let (mut selection, mut room) = (Self::default(), TEXT);
        for any in &filter.any {
            let unknown = || BadFilter::Unknown(any.name().clone());
            if any.name().namespace != ns::WSNT.uri || selection.topics.len() + selection.contents.len() == FILTERS {
                return Err(unknown());
            }
            match any.name().local.as_ref() {
                "TopicExpression" => selection.topics.push(topics(any, &mut room)?),
                "MessageContent" => selection.contents.push(contents(any, &mut room).map_err(BadFilter::Content)?),
                "ProducerProperties" => return Err(BadFilter::Producer),
                _ => return Err(unknown()),
            }
        }
        Ok(selection)
    }

    /// The messages of topics.
    #[must_use]
    pub fn of_topics(expression: Expression) -> Self {
        Self { topics: vec![expression], contents: Vec::new() }
    }

    /// Whether messages of the topic can be wanted.
    #[must_use]
    pub fn wants_topic(&self, topic: &Topic) -> bool {
        self.topics.iter().all(|expression| expression.matches(topic))
    }

    /// Whether the message is wanted: all filters have to agree.
    #[must_use]
    pub fn wants(&self, topic: &Topic, message: &Message) -> bool {
        self.wants_topic(topic) && self.contents.iter().all(|filter| filter.matches(message))
    }

    /// Whether each topic expression means at least one of the topics that there are.
    ///
    /// # Errors
    /// [`BadFilter::NotSupported`].
    pub fn supported<'a>(&self, topics: impl IntoIterator<Item = &'a Topic>) -> Result<(), BadFilter> {
        let topics: Vec<&Topic> = topics.into_iter().collect();
        let there = |expression: &Expression| topics.iter().any(|topic| expression.matches(topic));
        if self.topics.iter().all(there) { Ok(()) } else { Err(BadFilter::NotSupported) }
    }
}

fn topics(any: &Any, room: &mut usize) -> Result<Expression, BadFilter> {
    let quoted = quoted(any, room).map_err(BadFilter::Topic)?;
    let dialect = quoted.dialect.as_deref().unwrap_or_default();
    Expression::parse(dialect, &quoted.text, |prefix| quoted.namespace(prefix)).map_err(|bad| match bad {
        BadExpression::Dialect(_) => BadFilter::Dialect(bad),
        _ => BadFilter::Topic(bad),
    })
}

fn contents(any: &Any, room: &mut usize) -> Result<ContentFilter, BadExpression> {
    let quoted = quoted(any, room)?;
    let dialect = quoted.dialect.as_deref().unwrap_or_default().trim();
    if dialect != ITEM_FILTER {
        return Err(BadExpression::Dialect(dialect.chars().take(200).collect()));
    }
    ContentFilter::parse(&quoted.text, |prefix| quoted.namespace(prefix))
}

fn quoted(any: &Any, room: &mut usize) -> Result<Quoted, BadExpression> {
    // The one thing that can be wrong: there are elements in it.
    let quoted: Quoted =
        any.to().map_err(|_| BadExpression::Syntax { at: 0, wanted: "an expression without elements" })?;
    *room = room.checked_sub(quoted.text.len()).ok_or(BadExpression::TooLarge("more text than is taken"))?;
    Ok(quoted)
}

/// An expression with what is needed to read it away from where it stood.
struct Quoted {
    dialect: Option<String>,
    text: String,
    namespaces: Vec<(String, String)>,
}

impl Quoted {
    fn namespace(&self, prefix: &str) -> Option<String> {
        self.namespaces.iter().find(|(known, _)| known == prefix).map(|(_, uri)| uri.clone())
    }
}

impl XmlRead for Quoted {
    fn read(element: Element<'_, '_>) -> Result<Self, XmlError> {
        let prefixed = element.namespaces().filter_map(|namespace| Some((namespace.name()?, namespace.uri())));
        Ok(Self {
            dialect: element.attribute("Dialect").map(str::to_owned),
            text: read::text(element)?.into_owned(),
            namespaces: prefixed.map(|(prefix, uri)| (prefix.to_owned(), uri.to_owned())).collect(),
        })
    }
}

impl SubscriptionPolicy {
    /// Whether an element is among the policies.
    #[must_use]
    pub fn has(&self, name: &QName) -> bool {
        self.any.iter().any(|any| any.name() == name)
    }

    /// The policies that are none of these: those that a device does not recognise.
    #[must_use]
    pub fn others(&self, known: &[QName]) -> Vec<QName> {
        self.any.iter().map(Any::name).filter(|name| !known.contains(name)).cloned().collect()
    }
}
