//! The interfaces that the device can be reached on, and what it tells of itself on each: addresses of that interface alone, with the real port.

use ipnet::IpNet;
use oriel_soap::udp::Interface;
use std::net::{IpAddr, SocketAddr};

/// Addresses of the device service in one message.
const XADDRS: usize = 8;

/// An interface with the addresses that the device is reached at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) interface: Interface,
    pub(super) reached: Vec<Reached>,
}

/// One address of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) address: IpAddr,
    /// The network that it is in.
    network: IpNet,
    ports: Vec<u16>,
}

/// The interfaces by which somebody reaches one of the listeners. `dual`: a listener on every address of IPv6 takes those of IPv4 too.
pub(super) fn links(interfaces: Vec<Interface>, listeners: &[SocketAddr], dual: bool) -> Vec<Link> {
    let takes = |listener: &SocketAddr, address: IpAddr| match listener.ip() {
        IpAddr::V4(any) if any.is_unspecified() => address.is_ipv4(),
        IpAddr::V6(any) if any.is_unspecified() => address.is_ipv6() || dual,
        one => one == address,
    };
    let reached = |(address, prefix): &(IpAddr, u8)| {
        let ports = listeners.iter().filter(|listener| takes(listener, *address)).map(SocketAddr::port);
        let (mut ports, network): (Vec<u16>, _) = (ports.collect(), IpNet::new(*address, *prefix).ok()?);
        ports.dedup();
        (!ports.is_empty()).then_some(Reached { address: *address, network, ports })
    };
    let link = |interface: Interface| {
        let reached: Vec<_> = interface.addresses.iter().filter_map(reached).collect();
        (!reached.is_empty()).then_some(Link { interface, reached })
    };
    interfaces.into_iter().filter_map(link).collect()
}

impl Link {
    /// The address to answer this source by: none where it is of no network of the interface, since nothing is sent beyond those that could hear the device anyway.
    /// `asked` is the address of ours that it asked; none if it asked everybody.
    pub(super) fn answers(&self, source: SocketAddr, asked: Option<IpAddr>) -> Option<IpAddr> {
        let ip = source.ip();
        if source.port() == 0 || ip.is_multicast() || ip.is_unspecified() {
            return None;
        }
        let near = self.reached.iter().find(|reached| reached.is_near(ip))?;
        Some(asked.filter(|asked| self.speaks_by(*asked)).unwrap_or(near.address))
    }

    /// Whether an address is one of those.
    pub(super) fn speaks_by(&self, address: IpAddr) -> bool {
        self.reached.iter().any(|reached| reached.address == address)
    }

    /// The address by which everybody is told, for each family: a wider one before one of the link, since a URL cannot tell the link.
    pub(super) fn voices(&self) -> impl Iterator<Item = IpAddr> + '_ {
        [true, false].into_iter().filter_map(|v4| {
            let family = self.reached.iter().map(|reached| reached.address).filter(move |one| one.is_ipv4() == v4);
            family.min_by_key(|address| is_of_link(*address))
        })
    }

    /// Where the device service is for whoever hears us by `by`: that very address first, IPv4 before IPv6, those of the link last.
    pub(super) fn xaddrs(&self, by: IpAddr) -> Vec<String> {
        let mut all: Vec<&Reached> = self.reached.iter().collect();
        let rank = |address: IpAddr| (address != by, is_of_link(address), address.is_ipv6());
        all.sort_by_key(|reached| rank(reached.address));
        let addresses = all.iter().flat_map(|reached| reached.ports.iter().map(|port| url(reached.address, *port)));
        addresses.take(XADDRS).collect()
    }
}

impl Reached {
    fn is_near(&self, source: IpAddr) -> bool {
        // The ends of a network of IPv4 are everybody.
        let everybody = self.network.addr().is_ipv4()
            && self.network.prefix_len() < 31
            && (source == self.network.network() || source == self.network.broadcast());
        self.network.contains(&source) && !everybody
    }
}

fn is_of_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Without the zone of an address of the link: a URI has none, and the asker's differs from ours.
fn url(address: IpAddr, port: u16) -> String {
    let host = match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    };
    let port = if port == 80 { String::new() } else { format!(":{port}") };
    format!("http://{host}{port}{}", crate::services::device_mgmt::PATH)
}
