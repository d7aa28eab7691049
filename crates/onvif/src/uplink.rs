//! The uplink service: which clouds a device dials, and how it stands with them (Uplink chapter 6).

use crate::ns;
use oriel_soap::operations;
use oriel_soap::xml::{Any, AnyAttribute, List, XmlRead, XmlWrite};

operations! {
    /// The operations of the uplink service.
    ns::TUP =>
    GetServiceCapabilities PreAuth     -> GetServiceCapabilitiesResponse, // §6.5
    GetUplinks             ReadSystem  -> GetUplinksResponse,             // §6.2
    SetUplink              WriteSystem -> SetUplinkResponse,              // §6.3
    DeleteUplink           WriteSystem -> DeleteUplinkResponse,           // §6.4
}

/// Asks what the service can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetServiceCapabilities {}

/// What the service can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TUP)]
#[non_exhaustive]
pub struct GetServiceCapabilitiesResponse {
    /// The capabilities.
    pub capabilities: Capabilities,
}

/// What the service can do (§6.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Capabilities {
    /// Most uplinks that can be configured.
    #[xml(attr)]
    pub max_uplinks: Option<i32>,
    /// Forms of the tunnel.
    #[xml(attr)]
    pub protocols: Option<List<Protocol>>,
    /// Ways to show who the device is.
    #[xml(attr)]
    pub authorization_modes: Option<List<AuthorizationMode>>,
    /// Media can be streamed through the tunnel.
    #[xml(attr)]
    pub streaming_over_uplink: Option<bool>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// A form of the tunnel (§5.1.1).
#[derive(Debug, Clone, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum Protocol {
    /// Native h2c-reverse.
    #[xml(name = "https")]
    Https,
    /// h2c-reverse over WebSocket.
    #[xml(name = "wss")]
    Wss,
    /// One that the schema does not list.
    #[xml(other)]
    Other(String),
}

/// A way to show who the device is (§5.3).
#[derive(Debug, Clone, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum AuthorizationMode {
    /// The certificate of the TLS client.
    #[xml(name = "mTLS")]
    MutualTls,
    /// A token of an authorization server; earlier editions of the schema say `JWT`.
    #[xml(alias = "JWT")]
    AccessToken,
    /// One that the schema does not list.
    #[xml(other)]
    Other(String),
}

/// How the device stands with the cloud.
#[derive(Debug, Clone, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum ConnectionStatus {
    /// Not connected, and not trying at this moment.
    Offline,
    /// Trying.
    Connecting,
    /// The tunnel is up; the text of edition 25.12 says `Online`.
    #[xml(alias = "Online")]
    Connected,
    /// One that the schema does not list.
    #[xml(other)]
    Other(String),
}

/// One uplink (§6.1); its address is its key.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TUP)]
#[non_exhaustive]
pub struct Configuration {
    /// Where the cloud is.
    #[xml(token)]
    pub remote_address: String,
    /// The certificate to show. Present: the device authenticates by TLS.
    #[xml(name = "CertificateID")]
    pub certificate_id: Option<String>,
    /// Levels or roles that callers through this uplink have.
    pub user_level: List<String>,
    /// How the device stands with the cloud; ignored when written.
    pub status: Option<ConnectionStatus>,
    /// The policy that the cloud's certificate is checked by.
    #[xml(name = "CertPathValidationPolicyID")]
    pub cert_path_validation_policy_id: Option<String>,
    /// The authorization server. Present: the device authenticates by an access token.
    pub authorization_server: Option<String>,
    /// What went wrong, for people; read-only.
    pub error: Option<String>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Asks for all uplinks.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetUplinks {}

/// All uplinks.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TUP)]
#[non_exhaustive]
pub struct GetUplinksResponse {
    /// One entry an uplink.
    pub configuration: Vec<Configuration>,
}

/// Adds an uplink, or changes the one with this address.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TUP)]
#[non_exhaustive]
pub struct SetUplink {
    /// The uplink.
    pub configuration: Configuration,
}

/// Done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SetUplinkResponse {}

/// Removes an uplink.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TUP)]
#[non_exhaustive]
pub struct DeleteUplink {
    /// Its address.
    #[xml(token)]
    pub remote_address: String,
}

/// Done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct DeleteUplinkResponse {}
