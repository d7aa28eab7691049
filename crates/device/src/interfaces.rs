//! The network interfaces of this machine, as the system tells them.

use if_addrs::IfAddr;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

/// One interface with its addresses and their prefix lengths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Interface {
    pub(crate) name: String,
    /// The hardware address, as `02:00:00:00:00:01`; empty when it has none.
    pub(crate) mac: String,
    /// The largest packet in bytes.
    pub(crate) mtu: Option<u32>,
    pub(crate) v4: Vec<(Ipv4Addr, u8)>,
    pub(crate) v6: Vec<(Ipv6Addr, u8)>,
}

impl Interface {
    /// Whether it has an address that holds beyond its link.
    fn reaches_beyond_link(&self) -> bool {
        self.v4.iter().any(|(address, _)| !address.is_link_local())
            || self.v6.iter().any(|(address, _)| !address.is_unicast_link_local())
    }
}

/// The interfaces that have an address, those with one that holds beyond its link first; loopback only when there is no other.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    let addresses = if_addrs::get_if_addrs()?;
    Ok(group(addresses.into_iter().map(|found| (found.name, found.addr)), |name, file| {
        // Where there is no sysfs, hardware address and MTU are left out.
        std::fs::read_to_string(format!("/sys/class/net/{name}/{file}")).ok().map(|text| text.trim().to_owned())
    }))
}

fn group(
    addresses: impl Iterator<Item = (String, IfAddr)>,
    system: impl Fn(&str, &str) -> Option<String>,
) -> Vec<Interface> {
    let mut found: BTreeMap<String, (Interface, bool)> = BTreeMap::new();
    for (name, address) in addresses {
        let (interface, loopback) = found.entry(name).or_default();
        *loopback |= address.is_loopback();
        match address {
            IfAddr::V4(address) => interface.v4.push((address.ip, address.prefixlen)),
            IfAddr::V6(address) => interface.v6.push((address.ip, address.prefixlen)),
        }
    }
    let alone = found.values().all(|(_, loopback)| *loopback);
    let shown = found.into_iter().filter(|(_, (_, loopback))| alone || !loopback);
    let complete = |(name, (interface, _)): (String, (Interface, bool))| Interface {
        mac: system(&name, "address").unwrap_or_default(),
        mtu: system(&name, "mtu").and_then(|text| text.parse().ok()),
        name,
        ..interface
    };
    let mut shown: Vec<Interface> = shown.map(complete).collect();
    // Whoever asks for one means one that others reach.
    shown.sort_by_key(|interface| !interface.reaches_beyond_link());
    shown
}

/// The networks that an interface is in.
#[cfg(feature = "bridge")]
pub(crate) fn networks(interface: &Interface) -> Vec<ipnet::IpNet> {
    let v4 = interface.v4.iter().filter_map(|(address, prefix)| ipnet::IpNet::new((*address).into(), *prefix).ok());
    let v6 = interface.v6.iter().filter_map(|(address, prefix)| ipnet::IpNet::new((*address).into(), *prefix).ok());
    v4.chain(v6).collect()
}

/// The name of this machine; empty when it has none (Core §8.2.1).
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{Ifv4Addr, Ifv6Addr};

    fn v4(name: &str, ip: [u8; 4], prefixlen: u8) -> (String, IfAddr) {
        let address = Ifv4Addr { ip: ip.into(), netmask: Ipv4Addr::UNSPECIFIED, prefixlen, broadcast: None };
        (name.to_owned(), IfAddr::V4(address))
    }

    fn v6(name: &str, ip: &str, prefixlen: u8) -> (String, IfAddr) {
        let address = Ifv6Addr { ip: ip.parse().unwrap(), netmask: Ipv6Addr::UNSPECIFIED, prefixlen, broadcast: None };
        (name.to_owned(), IfAddr::V6(address))
    }

    fn system(name: &str, file: &str) -> Option<String> {
        let known = name == "eth0";
        known.then(|| if file == "mtu" { "1500".to_owned() } else { "02:00:00:00:00:01".to_owned() })
    }

    #[test]
    fn addresses_are_grouped_and_loopback_is_left_out() {
        let addresses = [
            v4("lo", [127, 0, 0, 1], 8),
            v4("eth0", [10, 0, 0, 2], 24),
            v6("eth0", "fe80::1", 64),
            v4("wlan0", [10, 1, 0, 2], 16),
        ];
        let found = group(addresses.into_iter(), system);
        let expected = Interface {
            name: "eth0".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            mtu: Some(1500),
            v4: vec![([10, 0, 0, 2].into(), 24)],
            v6: vec![("fe80::1".parse().unwrap(), 64)],
        };
        assert_eq!(found[0], expected);
        assert_eq!((found[1].name.as_str(), found[1].mtu, found[1].mac.as_str()), ("wlan0", None, ""));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn an_interface_with_addresses_of_its_link_alone_comes_last() {
        let addresses = [v6("docker0", "fe80::2", 64), v4("eth0", [169, 254, 1, 1], 16), v6("eth1", "2001:db8::1", 64)];
        let found = group(addresses.into_iter(), system);
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["eth1", "docker0", "eth0"]);
    }

    #[test]
    fn loopback_is_shown_when_it_is_all_there_is() {
        assert_eq!(group([v4("lo", [127, 0, 0, 1], 8)].into_iter(), system)[0].name, "lo");
    }

    #[test]
    fn this_machine_has_an_interface() {
        assert!(!interfaces().unwrap().is_empty());
    }
}
