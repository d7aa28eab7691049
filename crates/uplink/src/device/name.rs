//! From a host to addresses that may be called, and to a TCP connection with one of them: the way by which a device dials anything.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{AddressPolicy, BoxFuture, DialError, Layer, Timeouts};
use crate::Host;

/// Most addresses of one name that are tried.
const MAX_TRIED: usize = 6;

type Lookup = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Who says at which addresses a name is.
#[derive(Clone)]
pub struct Resolver(Arc<Lookup>);

impl Resolver {
    /// The system's.
    pub fn system() -> Self {
        Self::new(|name, port| Box::pin(async move { Ok(lookup_host((name.as_str(), port)).await?.collect()) }))
    }

    /// One of the caller's.
    pub fn new(
        lookup: impl Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(lookup))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Resolves once and connects to the very addresses that the policy saw: a name that changes its mind in between gains
/// nothing.
///
/// # Errors
/// [`DialError`] of the layers name, address and TCP.
pub async fn connect(
    (host, port): (&Host, u16),
    resolver: &Resolver,
    policy: &AddressPolicy,
    timeouts: &Timeouts,
) -> Result<TcpStream, DialError> {
    let all = resolve(host, port, resolver, timeouts).await?;
    let allowed: Vec<_> = all.iter().filter(|to| policy.allows(canonical(to.ip()))).take(MAX_TRIED).collect();
    if allowed.is_empty() {
        let address_refused = all.first().map_or(IpAddr::from([0, 0, 0, 0]), |to| canonical(to.ip()));
        return Err(DialError::Address { host: host.to_string(), address: address_refused });
    }
    let mut last = None;
    for to in allowed {
        match timeout(timeouts.tcp, TcpStream::connect(*to)).await {
            Ok(Ok(stream)) => {
                // Requests are small and wait for each other's answers.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(DialError::Tcp { target: to.to_string(), text: error.to_string() }),
            Err(_) => last = Some(DialError::Timeout { layer: Layer::Tcp, after: timeouts.tcp }),
        }
    }
    Err(last.unwrap_or(DialError::Timeout { layer: Layer::Tcp, after: timeouts.tcp }))
}

async fn resolve(
    host: &Host,
    port: u16,
    resolver: &Resolver,
    timeouts: &Timeouts,
) -> Result<Vec<SocketAddr>, DialError> {
    let name = match host {
        Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, port)]),
        Host::Name(name) => name,
    };
    let failed = |text: String| DialError::Name { host: name.clone(), text };
    let found = timeout(timeouts.name, (resolver.0)(name.clone(), port))
        .await
        .map_err(|_| DialError::Timeout { layer: Layer::Name, after: timeouts.name })?
        .map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("the name has no address".into())) } else { Ok(found) }
}

/// `::ffff:10.0.0.1` is judged as 10.0.0.1.
fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
