//! How the device stands in its network (Core §8.2). It tells; setting is the operating system's.

use super::super::Call;
use crate::interfaces::{self, Interface};
use oriel_onvif::device_mgmt::*;
use oriel_soap::{Fault, With};
use std::net::Ipv4Addr;

pub(super) async fn get_hostname(_: Call, _: GetHostname) -> Result<GetHostnameResponse, Fault> {
    Ok(GetHostnameResponse::with(|response| {
        // §8.2.1: an empty name when there is none.
        response.hostname_information.name = Some(interfaces::host_name());
    }))
}

pub(super) async fn get_network_interfaces(
    _: Call,
    _: GetNetworkInterfaces,
) -> Result<GetNetworkInterfacesResponse, Fault> {
    let found = interfaces::interfaces().map_err(|error| {
        tracing::warn!(%error, "the network interfaces cannot be listed");
        Fault::action("the network interfaces cannot be listed")
    })?;
    Ok(GetNetworkInterfacesResponse::with(|response| {
        response.network_interfaces = found.iter().map(show).collect();
    }))
}

fn show(interface: &Interface) -> NetworkInterface {
    let prefixed = |address: String, length: u8| {
        PrefixedIpAddress::with(|shown| (shown.address, shown.prefix_length) = (address, length.into()))
    };
    // Where an address came from is not known here, so all but the link-local ones count as set by hand.
    let (local, manual): (Vec<_>, Vec<_>) =
        interface.v4.iter().partition(|(address, _)| Ipv4Addr::is_link_local(address));
    let v6 = |link_local: bool| {
        let wanted = interface.v6.iter().filter(move |(address, _)| address.is_unicast_link_local() == link_local);
        wanted.map(|(address, length)| prefixed(address.to_string(), *length)).collect::<Vec<_>>()
    };
    NetworkInterface::with(|shown| {
        shown.token.clone_from(&interface.name);
        shown.enabled = true;
        shown.info = Some(NetworkInterfaceInfo::with(|info| {
            info.name = Some(interface.name.clone());
            info.hw_address.clone_from(&interface.mac);
            info.mtu = interface.mtu.and_then(|mtu| i32::try_from(mtu).ok());
        }));
        shown.ipv4 = (!interface.v4.is_empty()).then(|| {
            Ipv4NetworkInterface::with(|ipv4| {
                ipv4.enabled = true;
                ipv4.config.manual =
                    manual.iter().map(|(address, length)| prefixed(address.to_string(), *length)).collect();
                ipv4.config.link_local = local.first().map(|(address, length)| prefixed(address.to_string(), *length));
            })
        });
        shown.ipv6 = (!interface.v6.is_empty()).then(|| {
            Ipv6NetworkInterface::with(|ipv6| {
                ipv6.enabled = true;
                ipv6.config = Some(Ipv6Configuration::with(|config| {
                    config.manual = v6(false);
                    config.link_local = v6(true);
                }));
            })
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_with_their_prefix_lengths_and_link_local_ones_apart() {
        let shown = show(&Interface {
            name: "eth0".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            mtu: Some(1500),
            v4: vec![([10, 0, 0, 2].into(), 24), ([169, 254, 7, 7].into(), 16)],
            v6: vec![("fe80::1".parse().unwrap(), 64), ("2001:db8::1".parse().unwrap(), 56)],
        });
        let pair = |address: &PrefixedIpAddress| (address.address.clone(), address.prefix_length);
        assert_eq!((shown.token.as_str(), shown.enabled), ("eth0", true));
        let info = shown.info.unwrap();
        assert_eq!((info.hw_address.as_str(), info.mtu), ("02:00:00:00:00:01", Some(1500)));
        let v4 = shown.ipv4.unwrap().config;
        assert_eq!(v4.manual.iter().map(pair).collect::<Vec<_>>(), [("10.0.0.2".to_owned(), 24)]);
        assert_eq!(v4.link_local.as_ref().map(pair), Some(("169.254.7.7".to_owned(), 16)));
        let v6 = shown.ipv6.unwrap().config.unwrap();
        assert_eq!(v6.manual.iter().map(pair).collect::<Vec<_>>(), [("2001:db8::1".to_owned(), 56)]);
        assert_eq!(v6.link_local.iter().map(pair).collect::<Vec<_>>(), [("fe80::1".to_owned(), 64)]);
    }
}
