//! Network (Core §8.2).

use super::legacy_capabilities::Extension;
use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, XmlRead, XmlWrite};

/// Asks for the host name (§8.2.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetHostname {}

/// The host name.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetHostnameResponse {
    /// The host name.
    pub hostname_information: HostnameInformation,
}

/// The host name.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct HostnameInformation {
    /// It comes by DHCP.
    #[xml(name = "FromDHCP")]
    pub from_dhcp: bool,
    /// The name.
    #[xml(token)]
    pub name: Option<String>,
    /// More.
    pub extension: Option<Extension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Asks for the network interfaces (§8.2.10).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetNetworkInterfaces {}

/// The network interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetNetworkInterfacesResponse {
    /// One entry an interface.
    pub network_interfaces: Vec<NetworkInterface>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct NetworkInterface {
    /// Its key.
    #[xml(attr, name = "token")]
    pub token: String,
    /// It is on.
    pub enabled: bool,
    /// What it is.
    pub info: Option<NetworkInterfaceInfo>,
    /// Its link.
    pub link: Option<NetworkInterfaceLink>,
    /// IPv4.
    #[xml(name = "IPv4")]
    pub ipv4: Option<Ipv4NetworkInterface>,
    /// IPv6.
    #[xml(name = "IPv6")]
    pub ipv6: Option<Ipv6NetworkInterface>,
    /// More.
    pub extension: Option<NetworkInterfaceExtension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What the interface is.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct NetworkInterfaceInfo {
    /// Name.
    pub name: Option<String>,
    /// Hardware address.
    #[xml(token)]
    pub hw_address: String,
    /// Largest packet, in bytes.
    #[xml(name = "MTU")]
    pub mtu: Option<i32>,
}

/// The link of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct NetworkInterfaceLink {
    /// As configured.
    pub admin_settings: NetworkInterfaceConnectionSetting,
    /// As negotiated.
    pub oper_settings: NetworkInterfaceConnectionSetting,
    /// Type by IANA's number; 6 is Ethernet.
    pub interface_type: i32,
}

/// How a link runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct NetworkInterfaceConnectionSetting {
    /// Negotiated.
    pub auto_negotiation: bool,
    /// Mbit/s.
    pub speed: i32,
    /// Duplex.
    pub duplex: Duplex,
}

/// Duplex of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum Duplex {
    /// Both ways at once.
    #[default]
    Full,
    /// One way at a time.
    Half,
}

/// IPv4 of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Ipv4NetworkInterface {
    /// It is on.
    pub enabled: bool,
    /// Its addresses.
    pub config: Ipv4Configuration,
}

/// IPv4 addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Ipv4Configuration {
    /// Set by hand.
    pub manual: Vec<PrefixedIpAddress>,
    /// Link-local.
    pub link_local: Option<PrefixedIpAddress>,
    /// By DHCP.
    #[xml(name = "FromDHCP")]
    pub from_dhcp: Option<PrefixedIpAddress>,
    /// DHCP is on.
    #[xml(name = "DHCP")]
    pub dhcp: bool,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// An address and the length of its prefix (`tt:PrefixedIPv4Address`, `tt:PrefixedIPv6Address`).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct PrefixedIpAddress {
    /// The address.
    #[xml(token)]
    pub address: String,
    /// Bits.
    pub prefix_length: i32,
}

/// IPv6 of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Ipv6NetworkInterface {
    /// It is on.
    pub enabled: bool,
    /// Its addresses.
    pub config: Option<Ipv6Configuration>,
}

/// IPv6 addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Ipv6Configuration {
    /// Takes router advertisements.
    pub accept_router_advert: Option<bool>,
    /// DHCP.
    #[xml(name = "DHCP")]
    pub dhcp: Ipv6DhcpConfiguration,
    /// Set by hand.
    pub manual: Vec<PrefixedIpAddress>,
    /// Link-local.
    pub link_local: Vec<PrefixedIpAddress>,
    /// By DHCP.
    #[xml(name = "FromDHCP")]
    pub from_dhcp: Vec<PrefixedIpAddress>,
    /// By router advertisement.
    #[xml(name = "FromRA")]
    pub from_ra: Vec<PrefixedIpAddress>,
    /// More.
    pub extension: Option<Extension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// How IPv6 DHCP is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum Ipv6DhcpConfiguration {
    /// As the router says.
    Auto,
    /// Stateful.
    Stateful,
    /// Stateless.
    Stateless,
    /// Not used.
    #[default]
    Off,
}

/// More about an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct NetworkInterfaceExtension {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Type by IANA's number.
    pub interface_type: i32,
    /// IEEE 802.3.
    pub dot3: Vec<Dot3Configuration>,
    /// IEEE 802.11.
    pub dot11: Vec<Dot11Configuration>,
    /// More.
    pub extension: Option<Extension>,
}

/// IEEE 802.3.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Dot3Configuration {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// A wireless network.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Dot11Configuration {
    /// Name of the network, in hexadecimal.
    #[xml(token, name = "SSID")]
    pub ssid: String,
    /// How it is joined.
    pub mode: Dot11StationMode,
    /// Name of the configuration.
    pub alias: String,
    /// 0 to 31.
    pub priority: i32,
    /// How it is secured.
    pub security: Dot11SecurityConfiguration,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// How a wireless network is joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum Dot11StationMode {
    /// Station to station.
    #[xml(name = "Ad-hoc")]
    AdHoc,
    /// By an access point.
    #[default]
    Infrastructure,
    /// Otherwise.
    Extended,
}

/// How a wireless network is secured; the key is never read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Dot11SecurityConfiguration {
    /// Mode.
    pub mode: Dot11SecurityMode,
    /// Cipher.
    pub algorithm: Option<String>,
    /// IEEE 802.1X configuration.
    #[xml(name = "Dot1X")]
    pub dot1x: Option<String>,
    /// More.
    pub extension: Option<Extension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Mode of wireless security.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum Dot11SecurityMode {
    /// Open.
    #[default]
    None,
    /// WEP.
    #[xml(name = "WEP")]
    Wep,
    /// Shared key.
    #[xml(name = "PSK")]
    Psk,
    /// IEEE 802.1X.
    Dot1X,
    /// Otherwise.
    Extended,
}
