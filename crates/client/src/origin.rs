//! The way to one origin: name, TCP and TLS, and which of them failed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::TransportError;

/// For name, TCP and TLS together.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// For TCP to one address of several, so that one that swallows packets leaves time for the next.
const SHARE: Duration = Duration::from_secs(3);

/// A connection, in TLS or not.
pub(crate) type Stream = Box<dyn Io>;

pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send> Io for IO {}

/// Where to connect, and whom to believe there.
pub(crate) struct Origin {
    url: Url,
    tls: Option<Arc<ClientConfig>>,
}

impl Origin {
    /// The origin of `url`; https needs `tls`.
    pub(crate) fn new(url: &Url, tls: Option<ClientConfig>) -> Result<Self, TransportError> {
        let bad = |why: &str| TransportError::Address(format!("{url} {why}"));
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some(Arc::new(tls.ok_or_else(|| bad("needs TLS, which was not set up"))?)),
            _ => return Err(bad("is neither http nor https")),
        };
        if url.host().is_none() {
            return Err(bad("names no host"));
        }
        Ok(Self { url: url.clone(), tls })
    }

    /// What stands in `Host`.
    pub(crate) fn host(&self) -> Result<HeaderValue, TransportError> {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", self.url.host_str().unwrap_or_default());
        host.try_into().map_err(|_| TransportError::Address("the host is no header value".to_owned()))
    }

    /// Connects, within ten seconds.
    pub(crate) async fn connect(&self) -> Result<Stream, TransportError> {
        let end = Instant::now() + CONNECT;
        let tcp = tcp(&self.resolve(end).await?, end).await?;
        let done = timeout_at(end, self.over(tcp)).await;
        done.map_err(|_| TransportError::Timeout("TLS"))?
    }

    /// The addresses of the host, at least one.
    pub(crate) async fn resolve(&self, end: Instant) -> Result<Vec<SocketAddr>, TransportError> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(80);
        let unresolved = |source| TransportError::Name { host: host.to_owned(), source };
        let found = timeout_at(end, tokio::net::lookup_host((bare(host), port))).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|_| TransportError::Timeout("name"))?.map_err(unresolved)?.collect();
        match addresses.is_empty() {
            true => Err(unresolved(std::io::ErrorKind::NotFound.into())),
            false => Ok(addresses),
        }
    }

    async fn over(&self, tcp: TcpStream) -> Result<Stream, TransportError> {
        match &self.tls {
            None => Ok(Box::new(tcp)),
            Some(config) => Ok(Box::new(self.handshake(tcp, config).await?)),
        }
    }

    /// TLS with the host, by this configuration.
    pub(crate) async fn handshake(
        &self,
        tcp: TcpStream,
        config: &Arc<ClientConfig>,
    ) -> Result<TlsStream<TcpStream>, TransportError> {
        let host = bare(self.url.host_str().unwrap_or_default());
        let name =
            host.to_owned().try_into().map_err(|_| TransportError::Address(format!("{host} is no name for TLS")))?;
        TlsConnector::from(Arc::clone(config)).connect(name, tcp).await.map_err(of_tls)
    }
}

/// Connects with the first address that takes connections.
pub(crate) async fn tcp(addresses: &[SocketAddr], end: Instant) -> Result<TcpStream, TransportError> {
    let mut last = TransportError::Timeout("TCP");
    for (tried, address) in addresses.iter().enumerate() {
        let share = share(end.duration_since(Instant::now()), addresses.len() - tried);
        let connected = tokio::time::timeout(share, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(tcp) => {
                tcp.set_nodelay(true).map_err(|source| TransportError::Tcp { address: *address, source })?;
                return Ok(tcp);
            }
            Err(source) => last = TransportError::Tcp { address: *address, source },
        }
    }
    Err(last)
}

/// A host without the brackets of IPv6.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn of_tls(error: std::io::Error) -> TransportError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => TransportError::Untrusted(error),
        _ => TransportError::Tls(error),
    }
}

/// How long an address may take, with `left` for it and for the others that are not tried yet.
fn share(left: Duration, addresses: usize) -> Duration {
    match u32::try_from(addresses).unwrap_or(u32::MAX) {
        0 | 1 => left,
        several => (left / several).max(left.min(SHARE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_leaves_time_for_the_next_and_the_last_gets_the_rest() {
        let seconds = Duration::from_secs;
        assert_eq!(share(seconds(10), 1), seconds(10));
        assert_eq!(share(seconds(10), 2), seconds(5));
        assert_eq!(share(seconds(10), 8), seconds(3));
        assert_eq!(share(seconds(1), 8), seconds(1), "never beyond the end");
    }
}
