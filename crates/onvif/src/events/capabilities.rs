//! What the event service can do (Core §9.8).

use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, List, XmlRead, XmlWrite};

use super::EventBrokerProtocol;

/// Asks what the service can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetServiceCapabilities {}

/// What the service can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct GetServiceCapabilitiesResponse {
    /// The capabilities.
    pub capabilities: Capabilities,
}

/// What the service can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Capabilities {
    /// The policy of a subscription is obeyed.
    #[xml(attr, name = "WSSubscriptionPolicySupport")]
    pub ws_subscription_policy_support: Option<bool>,
    /// Subscriptions can be paused.
    #[xml(attr, name = "WSPausableSubscriptionManagerInterfaceSupport")]
    pub ws_pausable_subscription_manager_interface_support: Option<bool>,
    /// Most subscriptions whose messages the device sends.
    #[xml(attr)]
    pub max_notification_producers: Option<i32>,
    /// Most pull points.
    #[xml(attr)]
    pub max_pull_points: Option<i32>,
    /// Messages are kept, and Seek finds them.
    #[xml(attr)]
    pub persistent_notification_storage: Option<bool>,
    /// Forms of connections to brokers.
    #[xml(attr)]
    pub event_broker_protocols: Option<List<EventBrokerProtocol>>,
    /// Most brokers.
    #[xml(attr)]
    pub max_event_brokers: Option<i32>,
    /// Metadata goes to brokers too.
    #[xml(attr, name = "MetadataOverMQTT")]
    pub metadata_over_mqtt: Option<bool>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}
