//! The interfaces of this machine to speak on, and by which addresses.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use if_addrs::IfAddr;

/// Addresses of one family on one interface that are spoken by. A camera answers an IPv6 address of the link by one of its own, and a wider one by a wider.
const ADDRESSES: usize = 4;
/// Interfaces.
const INTERFACES: usize = 32;

/// `IFF_LOOPBACK` and `IFF_MULTICAST` of Linux.
const LOOPBACK: u32 = 0x8;
const MULTICAST: u32 = 0x1000;

/// Which of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// Names; none: every one that is up and can multicast, but for loopback.
    pub names: Vec<String>,
    /// With addresses of IPv4.
    pub ipv4: bool,
    /// With addresses of IPv6.
    pub ipv6: bool,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number, by which the system knows it.
    pub index: u32,
    /// Its addresses with the lengths of their prefixes, IPv4 first; those of IPv6 that hold on the link before the wider ones.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// The interfaces that are meant, as far as they are there.
///
/// # Errors
/// The system does not tell them.
pub fn interfaces(select: &Select) -> io::Result<Vec<Interface>> {
    let addresses = if_addrs::get_if_addrs()?;
    let found = addresses.into_iter().map(|found| (found.name, found.index.unwrap_or(0), found.addr));
    Ok(choose(select, found, can_multicast))
}

/// By what the kernel shows of it; where it shows nothing, it can.
fn can_multicast(name: &str) -> bool {
    let read = |file: &str| std::fs::read_to_string(format!("/sys/class/net/{name}/{file}"));
    // A port of a bridge is asked on by the bridge.
    if read("brport/port_id").is_ok() {
        return false;
    }
    let flags = read("flags").ok();
    let flags = flags.and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
    flags.is_none_or(|flags| flags & MULTICAST != 0 && flags & LOOPBACK == 0)
}

fn choose(
    select: &Select,
    found: impl Iterator<Item = (String, u32, IfAddr)>,
    can_multicast: impl Fn(&str) -> bool,
) -> Vec<Interface> {
    let mut chosen: BTreeMap<String, Interface> = BTreeMap::new();
    for (name, index, address) in found {
        let (wanted, prefix) = match &address {
            IfAddr::V4(v4) => (select.ipv4, v4.prefixlen),
            IfAddr::V6(v6) => (select.ipv6, v6.prefixlen),
        };
        if wanted {
            let new = || Interface { name: name.clone(), index, addresses: Vec::new() };
            chosen.entry(name.clone()).or_insert_with(new).addresses.push((address.ip(), prefix));
        }
    }
    let named = |interface: &Interface| select.names.contains(&interface.name);
    let able = |interface: &Interface| {
        let loopback = interface.addresses.iter().all(|(address, _)| address.is_loopback());
        select.names.is_empty() && !loopback && can_multicast(&interface.name)
    };
    let chosen = chosen.into_values().filter(|interface| named(interface) || able(interface)).take(INTERFACES);
    chosen.map(|interface| Interface { addresses: few(interface.addresses), ..interface }).collect()
}

fn few(mut addresses: Vec<(IpAddr, u8)>) -> Vec<(IpAddr, u8)> {
    addresses.sort_by_key(|(address, _)| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    let of = |v6: bool| addresses.iter().filter(move |(address, _)| address.is_ipv6() == v6).take(ADDRESSES);
    of(false).chain(of(true)).copied().collect()
}

#[cfg(test)]
mod tests {
    use if_addrs::{Ifv4Addr, Ifv6Addr};
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn address(name: &str, ip: &str) -> (String, u32, IfAddr) {
        let address = match ip.parse().unwrap() {
            IpAddr::V4(ip) => {
                IfAddr::V4(Ifv4Addr { ip, netmask: Ipv4Addr::UNSPECIFIED, prefixlen: 24, broadcast: None })
            }
            IpAddr::V6(ip) => {
                IfAddr::V6(Ifv6Addr { ip, netmask: Ipv6Addr::UNSPECIFIED, prefixlen: 64, broadcast: None })
            }
        };
        (name.to_owned(), u32::from(name.as_bytes()[0]), address)
    }

    fn everything() -> Select {
        Select { names: Vec::new(), ipv4: true, ipv6: true }
    }

    fn names(select: &Select) -> Vec<String> {
        let found = [
            address("lo", "127.0.0.1"),
            address("lo", "::1"),
            address("eth0", "192.0.2.1"),
            address("eth0", "2001:db8::1"),
            address("eth0", "fe80::1"),
            address("tun0", "198.51.100.1"),
            address("wlan0", "fe80::2"),
        ];
        let chosen = choose(select, found.into_iter(), |name| name != "tun0");
        let told = |(address, prefix): &(IpAddr, u8)| format!(" {address}/{prefix}");
        let told = |one: Interface| one.name + &one.addresses.iter().map(told).collect::<String>();
        chosen.into_iter().map(told).collect()
    }

    #[test]
    fn those_that_can_multicast_are_taken_unless_some_are_named() {
        let mut select = everything();
        assert_eq!(names(&select), ["eth0 192.0.2.1/24 fe80::1/64 2001:db8::1/64", "wlan0 fe80::2/64"]);
        select.ipv6 = false;
        assert_eq!(names(&select), ["eth0 192.0.2.1/24"]);
        select.names = vec!["lo".to_owned(), "tun0".to_owned(), "eth7".to_owned()];
        assert_eq!(names(&select), ["lo 127.0.0.1/24", "tun0 198.51.100.1/24"], "what is named is taken as it is");
    }

    #[test]
    fn an_interface_has_few_addresses() {
        let many = (0..40).map(|last| address("eth0", &format!("192.0.2.{last}")));
        assert_eq!(choose(&everything(), many, |_| true)[0].addresses.len(), ADDRESSES);
        let many = (0..40).map(|number| address(&format!("eth{number}"), "192.0.2.1"));
        assert_eq!(choose(&everything(), many, |_| true).len(), INTERFACES);
    }
}
