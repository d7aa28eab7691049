//! `tt:Capabilities`, the answer of GetCapabilities (Core §8.1.2.4); clients from before GetServices live on it.

use super::OnvifVersion;
pub use super::later_capabilities::*;
use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, XmlRead, XmlWrite};

/// Capabilities by service; a service that is not there is not offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Capabilities {
    /// Analytics.
    pub analytics: Option<AnalyticsCapabilities>,
    /// Device management.
    pub device: Option<DeviceCapabilities>,
    /// Events.
    pub events: Option<EventCapabilities>,
    /// Imaging.
    pub imaging: Option<ImagingCapabilities>,
    /// Media.
    pub media: Option<MediaCapabilities>,
    /// Pan, tilt, zoom.
    #[xml(name = "PTZ")]
    pub ptz: Option<PtzCapabilities>,
    /// Services that came later.
    pub extension: Option<CapabilitiesExtension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Analytics.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct AnalyticsCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Rules.
    pub rule_support: bool,
    /// Modules.
    pub analytics_module_support: bool,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Device management.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct DeviceCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Network.
    pub network: Option<NetworkCapabilities>,
    /// System.
    pub system: Option<SystemCapabilities>,
    /// Inputs and outputs.
    #[xml(name = "IO")]
    pub io: Option<IoCapabilities>,
    /// Security.
    pub security: Option<SecurityCapabilities>,
    /// More.
    pub extension: Option<Extension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Elements that the schema leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Extension {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// What it can do with the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct NetworkCapabilities {
    /// Address filters.
    #[xml(name = "IPFilter")]
    pub ip_filter: Option<bool>,
    /// Link-local addresses.
    pub zero_configuration: Option<bool>,
    /// IPv6.
    #[xml(name = "IPVersion6")]
    pub ip_version6: Option<bool>,
    /// Dynamic DNS.
    #[xml(name = "DynDNS")]
    pub dyn_dns: Option<bool>,
    /// More.
    pub extension: Option<NetworkCapabilitiesExtension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// More about the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct NetworkCapabilitiesExtension {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Wireless networks.
    pub dot11_configuration: Option<bool>,
    /// More.
    pub extension: Option<Extension>,
}

/// What it can do with itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct SystemCapabilities {
    /// Answers Resolve.
    pub discovery_resolve: bool,
    /// Sends Bye.
    pub discovery_bye: bool,
    /// Remote discovery.
    pub remote_discovery: bool,
    /// Backup by MTOM.
    pub system_backup: bool,
    /// Logs by MTOM.
    pub system_logging: bool,
    /// Firmware by MTOM.
    pub firmware_upgrade: bool,
    /// Versions of the specification, the newest first.
    pub supported_versions: Vec<OnvifVersion>,
    /// More.
    pub extension: Option<SystemCapabilitiesExtension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// More about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct SystemCapabilitiesExtension {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Firmware by HTTP.
    pub http_firmware_upgrade: Option<bool>,
    /// Backup by HTTP.
    pub http_system_backup: Option<bool>,
    /// Logs by HTTP.
    pub http_system_logging: Option<bool>,
    /// Support information by HTTP.
    pub http_support_information: Option<bool>,
    /// More.
    pub extension: Option<Extension>,
}

/// Inputs and outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct IoCapabilities {
    /// Number of inputs.
    pub input_connectors: Option<i32>,
    /// Number of relays.
    pub relay_outputs: Option<i32>,
    /// More.
    pub extension: Option<IoCapabilitiesExtension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// More about inputs and outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct IoCapabilitiesExtension {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Auxiliary commands.
    pub auxiliary: Option<bool>,
    /// Their names.
    pub auxiliary_commands: Vec<String>,
    /// More; the schema requires it.
    pub extension: Extension,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What it can do for security.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct SecurityCapabilities {
    /// TLS 1.1.
    #[xml(name = "TLS1.1")]
    pub tls1_1: bool,
    /// TLS 1.2.
    #[xml(name = "TLS1.2")]
    pub tls1_2: bool,
    /// Makes its own keys.
    pub onboard_key_generation: bool,
    /// The access policy can be changed.
    pub access_policy_config: bool,
    /// WS-Security with X.509.
    #[xml(name = "X.509Token")]
    pub x509_token: bool,
    /// WS-Security with SAML.
    #[xml(name = "SAMLToken")]
    pub saml_token: bool,
    /// WS-Security with Kerberos.
    pub kerberos_token: bool,
    /// WS-Security with REL.
    #[xml(name = "RELToken")]
    pub rel_token: bool,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// More.
    pub extension: Option<SecurityCapabilitiesExtension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// More about security.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct SecurityCapabilitiesExtension {
    /// TLS 1.0.
    #[xml(name = "TLS1.0")]
    pub tls1_0: bool,
    /// More.
    pub extension: Option<SecurityCapabilitiesExtension2>,
}

/// Still more about security.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct SecurityCapabilitiesExtension2 {
    /// IEEE 802.1X.
    #[xml(name = "Dot1X")]
    pub dot1x: bool,
    /// EAP methods by number.
    #[xml(name = "SupportedEAPMethod")]
    pub supported_eap_method: Vec<i32>,
    /// Remote users.
    pub remote_user_handling: bool,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Events.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct EventCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Subscription policies.
    #[xml(name = "WSSubscriptionPolicySupport")]
    pub ws_subscription_policy_support: bool,
    /// Pull points.
    #[xml(name = "WSPullPointSupport")]
    pub ws_pull_point_support: bool,
    /// Subscriptions can pause.
    #[xml(name = "WSPausableSubscriptionManagerInterfaceSupport")]
    pub ws_pausable_subscription_manager_interface_support: bool,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Imaging.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct ImagingCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Media.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct MediaCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Streaming.
    pub streaming_capabilities: RealTimeStreamingCapabilities,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// More.
    pub extension: Option<MediaCapabilitiesExtension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Streaming.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct RealTimeStreamingCapabilities {
    /// RTP multicast.
    #[xml(name = "RTPMulticast")]
    pub rtp_multicast: Option<bool>,
    /// RTP over TCP.
    #[xml(name = "RTP_TCP")]
    pub rtp_tcp: Option<bool>,
    /// RTP in RTSP over TCP.
    #[xml(name = "RTP_RTSP_TCP")]
    pub rtp_rtsp_tcp: Option<bool>,
    /// More.
    pub extension: Option<Extension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// More about media.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct MediaCapabilitiesExtension {
    /// Profiles.
    pub profile_capabilities: ProfileCapabilities,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Profiles.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct ProfileCapabilities {
    /// Most profiles.
    pub maximum_number_of_profiles: i32,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Pan, tilt, zoom.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct PtzCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}
