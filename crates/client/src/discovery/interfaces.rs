//! Which interfaces of this machine to ask on, and by which addresses.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use if_addrs::IfAddr;

use super::Options;

/// Addresses of one family on one interface that are asked by. A camera answers an IPv6 address of the link by one of its own, and a wider one by a wider.
const ADDRESSES: usize = 4;
/// Interfaces.
const INTERFACES: usize = 32;

/// `IFF_LOOPBACK` and `IFF_MULTICAST` of Linux.
const LOOPBACK: u32 = 0x8;
const MULTICAST: u32 = 0x1000;

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    /// Its addresses; those of IPv6 that hold on the link first.
    pub(super) addresses: Vec<IpAddr>,
}

/// The interfaces that the options mean, as far as they are there.
pub(super) fn interfaces(options: &Options) -> io::Result<Vec<Interface>> {
    let addresses = if_addrs::get_if_addrs()?;
    let found = addresses.into_iter().map(|found| (found.name, found.index.unwrap_or(0), found.addr));
    Ok(choose(options, found, can_multicast))
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
    options: &Options,
    found: impl Iterator<Item = (String, u32, IfAddr)>,
    can_multicast: impl Fn(&str) -> bool,
) -> Vec<Interface> {
    let mut chosen: BTreeMap<String, Interface> = BTreeMap::new();
    for (name, index, address) in found {
        let wanted = match address {
            IfAddr::V4(_) => options.ipv4,
            IfAddr::V6(_) => options.ipv6,
        };
        if wanted {
            let new = || Interface { name: name.clone(), index, addresses: Vec::new() };
            chosen.entry(name.clone()).or_insert_with(new).addresses.push(address.ip());
        }
    }
    let named = |interface: &Interface| options.interfaces.contains(&interface.name);
    let able = |interface: &Interface| {
        let loopback = interface.addresses.iter().all(IpAddr::is_loopback);
        options.interfaces.is_empty() && !loopback && can_multicast(&interface.name)
    };
    let chosen = chosen.into_values().filter(|interface| named(interface) || able(interface)).take(INTERFACES);
    chosen.map(|interface| Interface { addresses: few(interface.addresses), ..interface }).collect()
}

fn few(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_by_key(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    let of = |v6: bool| addresses.iter().filter(move |address| address.is_ipv6() == v6).take(ADDRESSES);
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

    fn names(options: &Options) -> Vec<String> {
        let found = [
            address("lo", "127.0.0.1"),
            address("lo", "::1"),
            address("eth0", "192.0.2.1"),
            address("eth0", "2001:db8::1"),
            address("eth0", "fe80::1"),
            address("tun0", "198.51.100.1"),
            address("wlan0", "fe80::2"),
        ];
        let chosen = choose(options, found.into_iter(), |name| name != "tun0");
        chosen.into_iter().map(|one| format!("{} {:?}", one.name, one.addresses)).collect()
    }

    #[test]
    fn those_that_can_multicast_are_taken_unless_some_are_named() {
        let mut options = Options::default();
        assert_eq!(names(&options), ["eth0 [192.0.2.1, fe80::1, 2001:db8::1]", "wlan0 [fe80::2]"]);
        options.ipv6 = false;
        assert_eq!(names(&options), ["eth0 [192.0.2.1]"]);
        options.interfaces = vec!["lo".to_owned(), "tun0".to_owned(), "eth7".to_owned()];
        assert_eq!(names(&options), ["lo [127.0.0.1]", "tun0 [198.51.100.1]"], "what is named is taken as it is");
    }

    #[test]
    fn an_interface_has_few_addresses() {
        let many = (0..40).map(|last| address("eth0", &format!("192.0.2.{last}")));
        assert_eq!(choose(&Options::default(), many, |_| true)[0].addresses.len(), ADDRESSES);
        let many = (0..40).map(|number| address(&format!("eth{number}"), "192.0.2.1"));
        assert_eq!(choose(&Options::default(), many, |_| true).len(), INTERFACES);
    }
}
