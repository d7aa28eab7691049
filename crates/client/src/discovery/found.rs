//! What was found, and which of its addresses may be used.

use std::net::{IpAddr, SocketAddr};

use oriel_onvif::discovery::{DEVICE, NETWORK_VIDEO_TRANSMITTER, Target, values};
use oriel_soap::xml::QName;
use url::{Host, Url};

/// Hosts that are remembered for one endpoint, and addresses of each.
const FEW: usize = 8;

/// A device that answered or said hello. What it says of itself is kept as the first host said it; other hosts that say they are the same endpoint are in `also`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The address of its endpoint reference, as sent.
    pub endpoint: String,
    /// What it is.
    pub types: Vec<QName>,
    /// More about it.
    pub scopes: Vec<String>,
    /// Where its device service is, by its own words: not to be asked without a look at [`Self::address`].
    pub addresses: Vec<Url>,
    /// Grows with each change; 0 when it is not told.
    pub metadata_version: u32,
    /// Where the message came from.
    pub source: SocketAddr,
    /// The interface that it came by.
    pub interface: String,
    /// Other hosts with this endpoint reference: the device's other interfaces and families, or somebody who claims to be it.
    pub also: Vec<Sighting>,
}

/// An endpoint as another host shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The addresses that it named.
    pub addresses: Vec<Url>,
    /// Where the message came from.
    pub source: SocketAddr,
    /// The interface that it came by.
    pub interface: String,
}

impl Found {
    pub(super) fn new(target: Target, source: SocketAddr, interface: &str) -> Self {
        let addresses: Vec<Url> = target.xaddrs.iter().filter_map(|text| usable(text)).take(FEW).collect();
        Self {
            endpoint: target.endpoint,
            types: target.types,
            scopes: target.scopes,
            addresses,
            metadata_version: target.metadata_version.unwrap_or(0),
            source,
            interface: interface.to_owned(),
            also: Vec::new(),
        }
    }

    /// Adds what another message said of the same endpoint.
    pub(super) fn merge(&mut self, other: Self) {
        if other.source.ip() == self.source.ip() {
            add(&mut self.addresses, other.addresses);
            if other.metadata_version > self.metadata_version || self.scopes.is_empty() {
                (self.types, self.scopes) = (other.types, other.scopes);
                self.metadata_version = self.metadata_version.max(other.metadata_version);
            }
            return;
        }
        let room = self.also.len() < FEW;
        match self.also.iter_mut().find(|sighting| sighting.source.ip() == other.source.ip()) {
            Some(sighting) => add(&mut sighting.addresses, other.addresses),
            None if room => {
                let Self { addresses, source, interface, .. } = other;
                self.also.push(Sighting { addresses, source, interface });
            }
            None => {}
        }
    }

    /// The address to use: the first of [`Self::candidates`].
    #[must_use]
    pub fn address(&self) -> Option<&Url> {
        self.candidates().first().copied()
    }

    /// The addresses whose host is the very host that named them, so that nobody sends us elsewhere, to loopback least of all: IPv4 first, http before https. Where hosts
    /// differ, one of them may be somebody else: only the device service there can show who it is, by its serial number.
    ///
    /// Left out are names, which are not resolved, and IPv6 addresses of the link, since a URL cannot tell the interface.
    #[must_use]
    pub fn candidates(&self) -> Vec<&Url> {
        let first = self.addresses.iter().map(|url| (url, self.source.ip()));
        let also = self.also.iter().flat_map(|seen| seen.addresses.iter().map(|url| (url, seen.source.ip())));
        let mut own: Vec<&Url> =
            first.chain(also).filter(|(url, source)| is_of(url, *source)).map(|(url, _)| url).collect();
        own.sort_by_key(|url| (!matches!(url.host(), Some(Host::Ipv4(_))), url.scheme() != "http"));
        own
    }

    /// Whether it says that it is an ONVIF device, by type or by scope. Windows and printers speak WS-Discovery too.
    #[must_use]
    pub fn is_onvif(&self) -> bool {
        let scope = |scope: &String| scope.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("onvif://"));
        self.types.contains(&DEVICE) || self.types.contains(&NETWORK_VIDEO_TRANSMITTER) || self.scopes.iter().any(scope)
    }

    /// Its name, by its scopes.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        values(&self.scopes, "name").next()
    }

    /// What hardware it is, by its scopes.
    #[must_use]
    pub fn hardware(&self) -> Option<String> {
        values(&self.scopes, "hardware").next()
    }

    /// Where it hangs, by its scopes: all of them.
    #[must_use]
    pub fn location(&self) -> Option<String> {
        Some(values(&self.scopes, "location").collect::<Vec<_>>().join(", ")).filter(|all| !all.is_empty())
    }

    /// Its hardware address, by its scopes, as it writes it.
    #[must_use]
    pub fn mac(&self) -> Option<String> {
        values(&self.scopes, "MAC").chain(values(&self.scopes, "MacAddress")).next()
    }
}

/// http or https, with a host, and without an account.
fn usable(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && plain).then_some(url)
}

fn is_of(url: &Url, source: IpAddr) -> bool {
    match (url.host(), source.to_canonical()) {
        (Some(Host::Ipv4(host)), IpAddr::V4(source)) => host == source,
        (Some(Host::Ipv6(host)), source @ IpAddr::V6(_)) => {
            !host.is_unicast_link_local() && host.to_canonical() == source
        }
        _ => false,
    }
}

fn add(addresses: &mut Vec<Url>, more: Vec<Url>) {
    for url in more {
        if addresses.len() < FEW && !addresses.contains(&url) {
            addresses.push(url);
        }
    }
}
