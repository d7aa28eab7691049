//! Event brokers: where a device publishes its events by MQTT (Core §9.12).

use super::Filter;
use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, XmlRead, XmlWrite};
use std::fmt;

/// One broker (§9.12.1.1); its address is its key.
#[derive(Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct EventBrokerConfig {
    /// Where it is: `mqtts://host:port`, a path for WebSocket alone.
    #[xml(token)]
    pub address: String,
    /// What all topics begin with; never empty.
    pub topic_prefix: String,
    /// Who the device is to the broker.
    pub user_name: Option<String>,
    /// With what it shows that; never in an answer.
    pub password: Option<String>,
    /// The certificate to show.
    #[xml(name = "CertificateID", token)]
    pub certificate_id: Option<String>,
    /// Which events. Absent or empty: all.
    pub publish_filter: Option<Filter>,
    /// How surely a message arrives: 0 at most once, 1 at least once, 2 exactly once.
    #[xml(name = "QoS")]
    pub qos: Option<i32>,
    /// How the device stands with the broker; ignored when written.
    pub status: Option<ConnectionStatus>,
    /// The policy that the broker's certificate is checked by.
    #[xml(name = "CertPathValidationPolicyID")]
    pub cert_path_validation_policy_id: Option<String>,
    /// Which metadata. Absent or empty: all.
    pub metadata_filter: Option<Filter>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

impl fmt::Debug for EventBrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBrokerConfig")
            .field("address", &self.address)
            .field("topic_prefix", &self.topic_prefix)
            .field("user_name", &self.user_name)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("certificate_id", &self.certificate_id)
            .field("publish_filter", &self.publish_filter)
            .field("qos", &self.qos)
            .field("status", &self.status)
            .field("cert_path_validation_policy_id", &self.cert_path_validation_policy_id)
            .field("metadata_filter", &self.metadata_filter)
            .finish_non_exhaustive()
    }
}

/// A form of the connection.
#[derive(Debug, Clone, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum EventBrokerProtocol {
    /// MQTT over TCP.
    #[xml(name = "mqtt")]
    Mqtt,
    /// MQTT over TLS.
    #[xml(name = "mqtts")]
    Mqtts,
    /// MQTT over WebSocket.
    #[xml(name = "ws")]
    Ws,
    /// MQTT over WebSocket over TLS.
    #[xml(name = "wss")]
    Wss,
    /// One that the schema does not list.
    #[xml(other)]
    Other(String),
}

/// How the device stands with a broker.
#[derive(Debug, Clone, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum ConnectionStatus {
    /// Not connected, and not trying at this moment.
    Offline,
    /// Trying.
    Connecting,
    /// Connected.
    Connected,
    /// One that the schema does not list.
    #[xml(other)]
    Other(String),
}

/// Adds a broker, or changes the one of that address (§9.12.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct AddEventBroker {
    /// The broker.
    pub event_broker: EventBrokerConfig,
}

/// It is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct AddEventBrokerResponse {}

/// Removes a broker (§9.12.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct DeleteEventBroker {
    /// Its address.
    #[xml(token)]
    pub address: String,
}

/// It is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct DeleteEventBrokerResponse {}

/// Asks for the brokers (§9.12.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct GetEventBrokers {
    /// The one of this address alone. Absent: all.
    #[xml(token)]
    pub address: Option<String>,
}

/// The brokers.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TEV)]
#[non_exhaustive]
pub struct GetEventBrokersResponse {
    /// The brokers, without passwords.
    pub event_broker: Vec<EventBrokerConfig>,
}
