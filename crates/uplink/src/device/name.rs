//! From a host to addresses that may be called, and to a TCP connection with one of them.

use std::net::{IpAddr, SocketAddr};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{AddressPolicy, DialError, Layer, Timeouts};
use crate::{Host, RemoteAddress};

/// Most addresses of one name that are tried.
const MAX_TRIED: usize = 6;

/// Resolves once and connects to the very addresses that the policy saw: a name that changes its mind in between gains
/// nothing.
pub(super) async fn connect(
    address: &RemoteAddress,
    policy: &AddressPolicy,
    timeouts: &Timeouts,
) -> Result<TcpStream, DialError> {
    let all = resolve(address, timeouts).await?;
    let allowed: Vec<_> = all.iter().filter(|to| policy.allows(canonical(to.ip()))).take(MAX_TRIED).collect();
    if allowed.is_empty() {
        let address_refused = all.first().map_or(IpAddr::from([0, 0, 0, 0]), |to| canonical(to.ip()));
        return Err(DialError::Address { host: address.host().to_string(), address: address_refused });
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

async fn resolve(address: &RemoteAddress, timeouts: &Timeouts) -> Result<Vec<SocketAddr>, DialError> {
    let name = match address.host() {
        Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, address.port())]),
        Host::Name(name) => name,
    };
    let failed = |text: String| DialError::Name { host: name.clone(), text };
    let found = timeout(timeouts.name, lookup_host((name.as_str(), address.port())))
        .await
        .map_err(|_| DialError::Timeout { layer: Layer::Name, after: timeouts.name })?
        .map_err(|error| failed(error.to_string()))?;
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(failed("the name has no address".into())) } else { Ok(found) }
}

/// `::ffff:10.0.0.1` is judged as 10.0.0.1.
fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
