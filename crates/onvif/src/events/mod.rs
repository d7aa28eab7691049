//! The event service: pull points and brokers (Core chapter 9). What it takes from WS-BaseNotification is in [`crate::notification`].

mod broker;
mod capabilities;
pub mod content;
pub mod description;
pub mod expression;
pub mod message;
mod selection;
pub mod topics;
mod words;

pub use broker::{
    AddEventBroker, AddEventBrokerResponse, ConnectionStatus, DeleteEventBroker, DeleteEventBrokerResponse,
    EventBrokerConfig, EventBrokerProtocol, GetEventBrokers, GetEventBrokersResponse,
};
pub use capabilities::{Capabilities, GetServiceCapabilities, GetServiceCapabilitiesResponse};
pub use content::ContentFilter;
pub use expression::Expression;
pub use message::{ElementItem, ItemList, Message, PropertyOperation, SimpleItem};
pub use selection::{BadFilter, Selection};
pub use topics::Description;
pub use words::{BadExpression, LONGEST};

use crate::notification::{AbsoluteOrRelativeTime, EndpointReference, NotificationMessage};
use crate::ns;
use jiff::Timestamp;
use oriel_soap::operations;
use oriel_soap::xml::{Any, AnyAttribute, Duration, QName, XmlRead, XmlWrite};

operations! {
    /// The operations of the event service under its own namespace.
    ns::TEV =>
    // §9.1
    CreatePullPointSubscription ReadMedia -> CreatePullPointSubscriptionResponse,
    PullMessages                ReadMedia -> PullMessagesResponse,
    Seek                        ReadMedia -> SeekResponse,
    // §9.5
    SetSynchronizationPoint     ReadMedia -> SetSynchronizationPointResponse,
    // §9.7
    GetEventProperties          ReadMedia -> GetEventPropertiesResponse,
    // §9.8
    GetServiceCapabilities      PreAuth -> GetServiceCapabilitiesResponse,
    // §9.12
    AddEventBroker              WriteSystem -> AddEventBrokerResponse,
    DeleteEventBroker           WriteSystem -> DeleteEventBrokerResponse,
    GetEventBrokers             ReadMedia -> GetEventBrokersResponse,
}

/// Asks for a pull point (§9.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct CreatePullPointSubscription {
    /// Which messages. Absent: all.
    pub filter: Option<Filter>,
    /// Until when it is to last.
    pub initial_termination_time: Option<AbsoluteOrRelativeTime>,
    /// How messages are chosen beyond that.
    pub subscription_policy: Option<SubscriptionPolicy>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Which messages: expressions of topics and of contents.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Filter {
    /// The content.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// How messages are chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SubscriptionPolicy {
    /// The content.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// The policy of a subscription that wants neither the states at its beginning nor deletions (§9.1.1).
pub const CHANGED_ONLY: QName = QName::of(ns::TEV, "ChangedOnly");

/// The pull point.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct CreatePullPointSubscriptionResponse {
    /// Where to pull, to renew and to unsubscribe.
    pub subscription_reference: EndpointReference,
    /// The device's clock.
    #[xml(ns = ns::WSNT)]
    pub current_time: Timestamp,
    /// Until when it lasts.
    #[xml(ns = ns::WSNT)]
    pub termination_time: Timestamp,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Asks for messages, and waits for the first (§9.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct PullMessages {
    /// How long to wait.
    pub timeout: Duration,
    /// How many at most.
    pub message_limit: i32,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// The messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct PullMessagesResponse {
    /// The device's clock.
    pub current_time: Timestamp,
    /// Until when the pull point lasts.
    pub termination_time: Timestamp,
    /// The messages, oldest first.
    #[xml(ns = ns::WSNT)]
    pub notification_message: Vec<NotificationMessage>,
}

/// What a fault of PullMessages carries when the timeout was too long (§9.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct PullMessagesFaultResponse {
    /// The longest timeout.
    pub max_timeout: Duration,
    /// Most messages at once.
    pub max_message_limit: i32,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Goes to another place in the messages that were kept (§9.1.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct Seek {
    /// The place: messages of this time and later, or of this time and earlier.
    pub utc_time: Timestamp,
    /// Backwards from there. Absent: forwards.
    pub reverse: Option<bool>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Messages come from there now.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SeekResponse {}

/// Asks for the state of all properties once more (§9.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SetSynchronizationPoint {}

/// The states are on their way.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SetSynchronizationPointResponse {}

/// Asks which topics there are (§9.7).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetEventProperties {}

/// The topics, and the dialects to name them in.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct GetEventPropertiesResponse {
    /// Where the namespaces of topics are described.
    #[xml(token)]
    pub topic_namespace_location: Vec<String>,
    /// The topics never change.
    #[xml(ns = ns::WSNT)]
    pub fixed_topic_set: bool,
    /// The topics, as a tree.
    #[xml(ns = ns::WSTOP)]
    pub topic_set: TopicSet,
    /// Dialects of topic expressions.
    #[xml(ns = ns::WSNT, token)]
    pub topic_expression_dialect: Vec<String>,
    /// Dialects of filters on contents.
    #[xml(token)]
    pub message_content_filter_dialect: Vec<String>,
    /// Dialects of filters on producers.
    #[xml(token)]
    pub producer_properties_filter_dialect: Vec<String>,
    /// Where the contents are described.
    #[xml(token)]
    pub message_content_schema_location: Vec<String>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Topics as a tree: an element a step; one that is a topic has the attribute `wstop:topic`.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct TopicSet {
    /// The root topics.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}
