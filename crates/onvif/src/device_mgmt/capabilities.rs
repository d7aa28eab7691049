//! Capabilities and services (Core §8.1).

use super::legacy_capabilities;
use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, List, XmlRead, XmlWrite};

/// Asks where the WSDL of this product is; deprecated since 20.12.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetWsdlUrl {}

/// Where the WSDL of this product is.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetWsdlUrlResponse {
    /// The address.
    #[xml(token)]
    pub wsdl_url: String,
}

/// Asks for the services (§8.1.2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetServices {
    /// With the capabilities of each.
    pub include_capability: bool,
}

/// The services.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetServicesResponse {
    /// One entry a service.
    pub service: Vec<Service>,
}

/// A service.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct Service {
    /// Its namespace.
    #[xml(token)]
    pub namespace: String,
    /// Its address.
    #[xml(token)]
    pub x_addr: String,
    /// The answer of its GetServiceCapabilities.
    pub capabilities: Option<ServiceCapabilities>,
    /// Version of its schema.
    pub version: OnvifVersion,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// The capabilities of one service, an element of its own namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct ServiceCapabilities {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// A version: 26.06 is Major 26, Minor 6.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct OnvifVersion {
    /// Before the point.
    pub major: i32,
    /// After the point.
    pub minor: i32,
}

/// Asks what the service can do (§8.1.2.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetServiceCapabilities {}

/// What the service can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetServiceCapabilitiesResponse {
    /// The capabilities.
    pub capabilities: DeviceServiceCapabilities,
}

/// What the device management service can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct DeviceServiceCapabilities {
    /// Network.
    pub network: NetworkCapabilities,
    /// Security.
    pub security: SecurityCapabilities,
    /// System.
    pub system: SystemCapabilities,
    /// Everything else.
    pub misc: Option<MiscCapabilities>,
}

/// What it can do with the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct NetworkCapabilities {
    /// Address filters.
    #[xml(attr, name = "IPFilter")]
    pub ip_filter: Option<bool>,
    /// Link-local addresses.
    #[xml(attr)]
    pub zero_configuration: Option<bool>,
    /// IPv6.
    #[xml(attr, name = "IPVersion6")]
    pub ip_version6: Option<bool>,
    /// Dynamic DNS.
    #[xml(attr, name = "DynDNS")]
    pub dyn_dns: Option<bool>,
    /// Wireless networks.
    #[xml(attr)]
    pub dot11_configuration: Option<bool>,
    /// Most IEEE 802.1X configurations.
    #[xml(attr)]
    pub dot1_x_configurations: Option<i32>,
    /// Host name by DHCP.
    #[xml(attr, name = "HostnameFromDHCP")]
    pub hostname_from_dhcp: Option<bool>,
    /// Most NTP servers.
    #[xml(attr, name = "NTP")]
    pub ntp: Option<i32>,
    /// Stateful IPv6 DHCP.
    #[xml(attr, name = "DHCPv6")]
    pub dhcp_v6: Option<bool>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What it can do for security.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SecurityCapabilities {
    /// TLS 1.0.
    #[xml(attr, name = "TLS1.0")]
    pub tls1_0: Option<bool>,
    /// TLS 1.1.
    #[xml(attr, name = "TLS1.1")]
    pub tls1_1: Option<bool>,
    /// TLS 1.2.
    #[xml(attr, name = "TLS1.2")]
    pub tls1_2: Option<bool>,
    /// Makes its own keys.
    #[xml(attr)]
    pub onboard_key_generation: Option<bool>,
    /// The access policy can be changed.
    #[xml(attr)]
    pub access_policy_config: Option<bool>,
    /// Follows the default access policy.
    #[xml(attr)]
    pub default_access_policy: Option<bool>,
    /// IEEE 802.1X.
    #[xml(attr, name = "Dot1X")]
    pub dot1x: Option<bool>,
    /// Remote users.
    #[xml(attr)]
    pub remote_user_handling: Option<bool>,
    /// WS-Security with X.509.
    #[xml(attr, name = "X.509Token")]
    pub x509_token: Option<bool>,
    /// WS-Security with SAML.
    #[xml(attr, name = "SAMLToken")]
    pub saml_token: Option<bool>,
    /// WS-Security with Kerberos.
    #[xml(attr)]
    pub kerberos_token: Option<bool>,
    /// WS-Security with UsernameToken.
    #[xml(attr)]
    pub username_token: Option<bool>,
    /// HTTP Digest.
    #[xml(attr)]
    pub http_digest: Option<bool>,
    /// WS-Security with REL.
    #[xml(attr, name = "RELToken")]
    pub rel_token: Option<bool>,
    /// JSON Web Token.
    #[xml(attr)]
    pub json_web_token: Option<bool>,
    /// EAP methods by number.
    #[xml(attr, name = "SupportedEAPMethods")]
    pub supported_eap_methods: Option<List<i32>>,
    /// Most users.
    #[xml(attr)]
    pub max_users: Option<i32>,
    /// Longest user name.
    #[xml(attr)]
    pub max_user_name_length: Option<i32>,
    /// Longest password.
    #[xml(attr)]
    pub max_password_length: Option<i32>,
    /// Policies for passwords and failures.
    #[xml(attr)]
    pub security_policies: Option<List<String>>,
    /// Most passwords remembered.
    #[xml(attr)]
    pub max_password_history: Option<i32>,
    /// Algorithms of Digest.
    #[xml(attr)]
    pub hashing_algorithms: Option<List<String>>,
    /// Most custom roles.
    #[xml(attr)]
    pub max_user_roles: Option<i32>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What it can do with itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SystemCapabilities {
    /// Answers Resolve.
    #[xml(attr)]
    pub discovery_resolve: Option<bool>,
    /// Sends Bye.
    #[xml(attr)]
    pub discovery_bye: Option<bool>,
    /// Remote discovery.
    #[xml(attr)]
    pub remote_discovery: Option<bool>,
    /// Backup by MTOM.
    #[xml(attr)]
    pub system_backup: Option<bool>,
    /// Logs by MTOM.
    #[xml(attr)]
    pub system_logging: Option<bool>,
    /// Firmware from the cloud.
    #[xml(attr)]
    pub cloud_firmware_upgrade: Option<bool>,
    /// Firmware by HTTP.
    #[xml(attr)]
    pub http_firmware_upgrade: Option<bool>,
    /// Backup by HTTP.
    #[xml(attr)]
    pub http_system_backup: Option<bool>,
    /// Logs by HTTP.
    #[xml(attr)]
    pub http_system_logging: Option<bool>,
    /// Support information by HTTP.
    #[xml(attr)]
    pub http_support_information: Option<bool>,
    /// Storage.
    #[xml(attr)]
    pub storage_configuration: Option<bool>,
    /// Most storage configurations.
    #[xml(attr)]
    pub max_storage_configurations: Option<i32>,
    /// Asks for renewed storage credentials.
    #[xml(attr)]
    pub storage_configuration_renewal: Option<bool>,
    /// Most geo locations.
    #[xml(attr)]
    pub geo_location_entries: Option<i32>,
    /// What it finds out by itself about its place.
    #[xml(attr)]
    pub auto_geo: Option<List<String>>,
    /// Kinds of storage.
    #[xml(attr)]
    pub storage_types_supported: Option<List<String>>,
    /// No discovery.
    #[xml(attr)]
    pub discovery_not_supported: Option<bool>,
    /// No network configuration.
    #[xml(attr)]
    pub network_config_not_supported: Option<bool>,
    /// No user configuration.
    #[xml(attr)]
    pub user_config_not_supported: Option<bool>,
    /// Add-ons.
    #[xml(attr)]
    pub addons: Option<List<String>>,
    /// Kind of hardware.
    #[xml(attr)]
    pub hardware_type: Option<String>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What else it can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct MiscCapabilities {
    /// Auxiliary commands.
    #[xml(attr)]
    pub auxiliary_commands: Option<List<String>>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Asks for capabilities in the manner before GetServices (§8.1.2.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetCapabilities {
    /// Which; all if none is given.
    pub category: Vec<CapabilityCategory>,
}

/// The capabilities.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetCapabilitiesResponse {
    /// The capabilities.
    pub capabilities: legacy_capabilities::Capabilities,
}

/// A part of the capabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum CapabilityCategory {
    /// Everything.
    #[default]
    All,
    /// Analytics.
    Analytics,
    /// Device management.
    Device,
    /// Events.
    Events,
    /// Imaging.
    Imaging,
    /// Media.
    Media,
    /// Pan, tilt, zoom.
    #[xml(name = "PTZ")]
    Ptz,
}
