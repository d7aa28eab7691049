//! What the device dials: one policy and one way for uplinks, consumers of events and brokers (Uplink §5.2, Core §9.3, §9.12).
//!
//! ```text
//!   address ─► host, port ─► resolve, once ─► each address: config::CallOut ─► TCP to that very address ─► TLS, for the host's name
//! ```
//! What counts is the address that is dialled, so it makes no difference how it is written or what a name says a moment later. An address that is
//! written as a number is judged when it is set as well, so that whoever sets it is told.

use crate::config::CallOut;
use oriel_uplink::device::{AddressPolicy, DialError, Resolver, Timeouts, connect, secure};
use oriel_uplink::{Host, Io};
use rustls::ClientConfig;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The longest address that is taken.
const MAX_ADDRESS: usize = 2048;

/// Deadlines of a dial: there is always another attempt.
const TIMEOUTS: Timeouts = Timeouts {
    name: Duration::from_secs(5),
    tcp: Duration::from_secs(5),
    tls: Duration::from_secs(5),
    upgrade: Duration::from_secs(5),
    credentials: Duration::from_secs(5),
};

/// A scheme of an address: its name, whether it means TLS, and the port where none is given.
pub(crate) type Scheme = (&'static str, bool, u16);

/// Where to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// One of the schemes that were allowed.
    pub(crate) scheme: &'static str,
    /// Whether TLS is spoken.
    pub(crate) tls: bool,
    /// The host, a name or an address.
    pub(crate) host: Host,
    /// The port.
    pub(crate) port: u16,
    /// Path and query, `/` if there is none.
    pub(crate) path: String,
    default_port: u16,
}

/// Why a text is no address to dial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// Not a URL, or one without a host, or one with more than an address in it.
    #[error("{0}")]
    Address(String),
    /// A scheme that is not spoken here.
    #[error("the protocol {0:?} is not supported")]
    Scheme(String),
}

impl Target {
    /// Reads an address with one of these schemes.
    pub(crate) fn parse(text: &str, schemes: &[Scheme]) -> Result<Self, TargetError> {
        let wrong = |text: &str| TargetError::Address(text.to_owned());
        let text = text.trim_ascii();
        if text.len() > MAX_ADDRESS {
            return Err(wrong("the address is too long"));
        }
        let url = Url::parse(text).map_err(|error| TargetError::Address(format!("not an address: {error}")))?;
        let &(scheme, tls, default_port) = schemes
            .iter()
            .find(|(scheme, ..)| *scheme == url.scheme())
            .ok_or_else(|| TargetError::Scheme(url.scheme().to_owned()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("the address must not hold a user name or password"));
        }
        let path = match (url.path(), url.query()) {
            (path, Some(query)) => format!("{path}?{query}"),
            (path, None) => path.to_owned(),
        };
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        Ok(Self { scheme, tls, host: host(&url)?, port: url.port().unwrap_or(default_port), path, default_port })
    }

    /// Host, and port unless it is the scheme's: what `Host` carries.
    pub(crate) fn authority(&self) -> String {
        if self.port == self.default_port { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The address, if the host is written as one.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Ip(address) => Some(*address),
            Host::Name(_) => None,
        }
    }
}

impl fmt::Display for Target {
    /// Without the path, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// The host, read alike whatever the scheme: a number in any notation is an address.
fn host(url: &Url) -> Result<Host, TargetError> {
    let found = match url.host() {
        // `url` reads numbers in the web's schemes alone.
        Some(url::Host::Domain(name)) => url::Host::parse(name).map_err(|error| error.to_string()),
        Some(url::Host::Ipv4(address)) => Ok(url::Host::Ipv4(address)),
        Some(url::Host::Ipv6(address)) => Ok(url::Host::Ipv6(address)),
        None => Err("it has no host".to_owned()),
    };
    match found {
        Ok(url::Host::Domain(name)) if name.is_empty() => Err(TargetError::Address("the address has no host".into())),
        Ok(url::Host::Domain(name)) => Ok(Host::Name(name)),
        Ok(url::Host::Ipv4(address)) => Ok(Host::Ip(address.into())),
        Ok(url::Host::Ipv6(address)) => Ok(Host::Ip(address.into())),
        Err(problem) => Err(TargetError::Address(format!("not an address: {problem}"))),
    }
}

/// An open connection, TLS or not.
pub(crate) type Connection = Box<dyn Io>;

/// Dials.
#[derive(Debug, Clone)]
pub(crate) struct Dialler {
    policy: CallOut,
    resolver: Resolver,
}

impl Dialler {
    pub(crate) fn new(policy: CallOut) -> Self {
        Self { policy, resolver: Resolver::system() }
    }

    #[cfg(test)]
    pub(crate) fn with_resolver(policy: CallOut, resolver: Resolver) -> Self {
        Self { policy, resolver }
    }

    /// The kind of address that a target is written as, if that is refused. A name is judged when it is dialled.
    pub(crate) fn refused(&self, target: &Target, by_uplink: bool) -> Option<&'static str> {
        target.literal().and_then(|address| self.policy.check(address, by_uplink).err())
    }

    /// Dials; `by_uplink` says who named the target, and `tls` whom to believe and what to show, where the target means TLS.
    ///
    /// # Errors
    /// The layer that failed, and why.
    pub(crate) async fn dial(
        &self,
        target: &Target,
        by_uplink: bool,
        tls: Option<&Arc<ClientConfig>>,
        whom: &str,
    ) -> Result<Connection, DialError> {
        let policy = address_policy(&self.policy, by_uplink);
        let tcp = connect((&target.host, target.port), &self.resolver, &policy, &TIMEOUTS).await?;
        if !target.tls {
            return Ok(Box::new(tcp));
        }
        let tls = tls.ok_or_else(|| DialError::Tls { text: "it cannot be set up on this device".to_owned() })?;
        let connection = Box::pin(secure(tcp, &target.host, Arc::clone(tls), whom, TIMEOUTS.tls)).await?;
        Ok(Box::new(connection))
    }
}

/// The policy as what dials asks it.
pub(crate) fn address_policy(policy: &CallOut, by_uplink: bool) -> AddressPolicy {
    let policy = policy.clone();
    AddressPolicy::new(move |address| policy.check(address, by_uplink).is_ok())
}

#[cfg(test)]
mod tests;
