//! The event service: pull points and brokers (Core chapter 9). What it takes from WS-BaseNotification is in [`crate::notification`].

use crate::notification::{AbsoluteOrRelativeTime, EndpointReference, NotificationMessage};
use crate::ns;
use jiff::Timestamp;
use oriel_soap::operations;
use oriel_soap::xml::{Any, AnyAttribute, Duration, XmlRead, XmlWrite};

operations! {
    /// The operations of the event service under its own namespace.
    ns::TEV =>
    // §9.1
    CreatePullPointSubscription ReadMedia -> CreatePullPointSubscriptionResponse,
    PullMessages                ReadMedia -> PullMessagesResponse,
    Seek                        ReadMedia;
    // §9.5
    SetSynchronizationPoint     ReadMedia;
    // §9.7
    GetEventProperties          ReadMedia -> GetEventPropertiesResponse,
    // §9.8
    GetServiceCapabilities      PreAuth;
    // §9.12
    AddEventBroker              WriteSystem;
    DeleteEventBroker           WriteSystem;
    GetEventBrokers             ReadMedia;
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
