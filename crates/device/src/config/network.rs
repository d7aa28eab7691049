//! Which addresses the device may dial: one policy for every call-out.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads a range such as `10.0.0.0/8`; one address is a range of one.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// What the device may dial beside the public internet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallOut {
    /// Ranges open to what was set on the LAN or in the configuration.
    pub allowed: Vec<IpNet>,
    /// Ranges open to what came in by an uplink: a cloud must not lead the camera into the network it stands in.
    pub allowed_by_uplink: Vec<IpNet>,
}

impl CallOut {
    /// Whether the device may dial the address.
    ///
    /// # Errors
    /// The kind of address that is refused, for the text of the error.
    pub fn check(&self, address: IpAddr, by_uplink: bool) -> Result<(), &'static str> {
        let allowed = if by_uplink { &self.allowed_by_uplink } else { &self.allowed };
        match inner_address(address) {
            Some(kind) if !allowed.iter().any(|network| network.contains(&unmapped(address))) => Err(kind),
            _ => Ok(()),
        }
    }
}

/// An IPv4 address in IPv6 clothes is the IPv4 address.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The kind of an address that is not of the public internet.
fn inner_address(address: IpAddr) -> Option<&'static str> {
    match unmapped(address) {
        IpAddr::V4(v4) => inner_v4(v4),
        IpAddr::V6(v6) => inner_v6(v6),
    }
}

fn inner_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [first, second, ..] = address.octets();
    match (first, second) {
        (0, _) => Some("an unspecified address"),
        (127, _) => Some("a loopback address"),
        // Includes 169.254.169.254, where clouds keep the secrets of their machines.
        (169, 254) => Some("a link-local address"),
        (10, _) | (192, 168) => Some("a private address"),
        (172, 16..=31) => Some("a private address"),
        (100, 64..=127) => Some("a carrier's private address"),
        (192, 0) if address.octets()[2] == 0 => Some("a special address"),
        (198, 18..=19) => Some("a test address"),
        (224..=239, _) => Some("a multicast address"),
        (240.., _) => Some("a reserved address"),
        _ => None,
    }
}

fn inner_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    match segments[0] {
        _ if address.is_loopback() => Some("a loopback address"),
        // Unspecified, and the retired forms that carry an IPv4 address.
        0 => Some("an unspecified address"),
        // NAT64 and 6to4 lead to an IPv4 address, which is what counts; a network's own NAT64 has it in one of several places (RFC 8215).
        0x64 if segments[1] == 0xff9b && segments[2] != 0 => Some("a private address"),
        0x64 if segments[1] == 0xff9b => inner_v4(embedded(segments[6], segments[7])),
        0x2002 => inner_v4(embedded(segments[1], segments[2])),
        // Teredo, and below any prefix ISATAP (RFC 5214 §6.1): tunnels to an IPv4 address.
        0x2001 if segments[1] == 0 => Some("a tunnel's address"),
        _ if segments[5] == 0x5efe && segments[4] & !0x200 == 0 => inner_v4(embedded(segments[6], segments[7])),
        0xfc00..=0xfdff => Some("a private address"),
        0xfe80..=0xfebf => Some("a link-local address"),
        0xfec0..=0xfeff => Some("a private address"),
        0xff00..=0xffff => Some("a multicast address"),
        _ => None,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_addresses_are_refused_in_all_their_clothes() {
        let none = CallOut::default();
        let inner = "0.0.0.0 127.0.0.1 127.9.9.9 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.8 198.18.0.1 \
            224.0.0.1 239.255.255.250 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 \
            64:ff9b::10.0.0.1 64:ff9b::127.0.0.1 64:ff9b:1::8.8.8.8 2002:7f00:1::1 2002:c0a8:101:: 2001::1 2606:4700::5efe:10.0.0.1";
        for address in inner.split_whitespace() {
            assert!(none.check(address.parse().unwrap(), false).is_err(), "{address}");
        }
        for address in
            "1.1.1.1 172.32.0.1 172.15.0.1 100.128.0.1 192.1.0.1 2606:4700::1 64:ff9b::8.8.8.8 2002:808:808:: 2001:4860:4860::8888 2606:4700::5efe:8.8.8.8"
                .split_whitespace()
        {
            assert_eq!(none.check(address.parse().unwrap(), true), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_came_in_by_an_uplink_has_its_own_list() {
        let policy = CallOut { allowed: vec![parse("127.0.0.0/8").unwrap()], allowed_by_uplink: Vec::new() };
        let loopback = "127.0.0.1".parse().unwrap();
        assert_eq!(policy.check(loopback, false), Ok(()));
        assert_eq!(policy.check(loopback, true), Err("a loopback address"));
        assert_eq!(policy.check("::ffff:127.0.0.1".parse().unwrap(), false), Ok(()));
        assert!(policy.check("10.0.0.1".parse().unwrap(), false).is_err());
    }

    #[test]
    fn ranges() {
        let contains = |network, address: &str| parse(network).unwrap().contains(&address.parse::<IpAddr>().unwrap());
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("::1", "::1") && !contains("::1", "::2"));
        assert!(contains("192.168.1.1", "192.168.1.1") && !contains("192.168.1.1", "192.168.1.2"));
        for text in ["", "10.0.0.0/33", "10/8", "::/129", "host", "10.0.0.0/-1", "10.0.0.0/"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
