//! How a request reaches a device: HTTP/1.1 over TCP or TLS, one connection that is kept.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::Url;

/// For name, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// For TCP to one address of several, so that one that swallows packets leaves time for the next.
const SHARE: Duration = Duration::from_secs(3);
/// For an answer, PullMessages included.
const ANSWER: Duration = Duration::from_secs(150);
/// The longest answer that is read.
const LONGEST: usize = 16 * 1024 * 1024;

/// Which layer failed, and how.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address cannot be used.
    #[error("address: {0}")]
    Address(String),
    /// The name leads nowhere.
    #[error("name: {host} cannot be resolved: {source}")]
    Name {
        /// The name.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// Nobody answers there.
    #[error("TCP: {address} does not take connections: {source}")]
    Tcp {
        /// The address that was tried last.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server's certificate is not one to believe.
    #[error("TLS: the server is not believed: {0}")]
    Untrusted(std::io::Error),
    /// TLS failed otherwise; perhaps the other side speaks none.
    #[error("TLS: {0}")]
    Tls(std::io::Error),
    /// The answer is no HTTP, or broke off.
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// The answer is longer than is read, or broke off.
    #[error("HTTP: the answer's body: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// The other side closed the connection before it took a request.
    #[error("HTTP: the other side closed the connection at once")]
    Closed,
    /// It took too long.
    #[error("{0}: no answer in time")]
    Timeout(&'static str),
}

/// A request's way and back.
pub type Answer<'t> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send + 't>>;

/// A way to a device: the LAN here, a tunnel elsewhere.
pub trait Transport: Send + Sync {
    /// Sends a request whose URI is a path and returns the whole answer.
    fn send(&self, request: Request<Bytes>) -> Answer<'_>;
}

/// HTTP/1.1 to one origin.
pub struct Direct {
    origin: Url,
    tls: Option<Arc<ClientConfig>>,
    connection: Mutex<Option<Connection>>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Direct {
    /// To the origin of `url`; https needs `tls`.
    ///
    /// # Errors
    /// [`TransportError::Address`] for another scheme, or an address without host.
    pub fn new(url: &Url, tls: Option<ClientConfig>) -> Result<Self, TransportError> {
        let bad = |why: &str| TransportError::Address(format!("{url} {why}"));
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some(Arc::new(tls.ok_or_else(|| bad("needs TLS, which was not set up"))?)),
            _ => return Err(bad("is neither http nor https")),
        };
        if url.host().is_none() {
            return Err(bad("names no host"));
        }
        Ok(Self { origin: url.clone(), tls, connection: Mutex::new(None) })
    }

    async fn connect(&self) -> Result<Connection, TransportError> {
        let end = Instant::now() + CONNECT;
        let host = self.origin.host_str().unwrap_or_default();
        let port = self.origin.port_or_known_default().unwrap_or(80);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let unresolved = |source| TransportError::Name { host: host.to_owned(), source };
        let found = timeout_at(end, tokio::net::lookup_host((bare, port))).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|_| TransportError::Timeout("name"))?.map_err(unresolved)?.collect();
        let mut last = unresolved(std::io::ErrorKind::NotFound.into());
        for (tried, address) in addresses.iter().enumerate() {
            let share = share(end.duration_since(Instant::now()), addresses.len() - tried);
            let connected = tokio::time::timeout(share, TcpStream::connect(address)).await;
            match connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
                Ok(tcp) => {
                    let done = timeout_at(end, self.over(tcp, bare)).await;
                    return done.map_err(|_| TransportError::Timeout("TLS"))?;
                }
                Err(source) => last = TransportError::Tcp { address: *address, source },
            }
        }
        Err(last)
    }

    async fn over(&self, tcp: TcpStream, host: &str) -> Result<Connection, TransportError> {
        tcp.set_nodelay(true).map_err(TransportError::Tls)?;
        let Some(config) = &self.tls else { return start(tcp).await };
        let name =
            host.to_owned().try_into().map_err(|_| TransportError::Address(format!("{host} is no name for TLS")))?;
        let tls = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await.map_err(of_tls)?;
        start(tls).await
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let mut slot = self.connection.lock().await;
        let request = request.map(Full::new);
        let (connection, response) = match slot.take() {
            Some(kept) => match kept.send(request).await? {
                Sent::Answered(kept, response) => (kept, response),
                // The other side closed it while it was idle; a request that never left may go again.
                Sent::Unsent(request) => self.connect().await?.send(request).await?.answered()?,
            },
            None => self.connect().await?.send(request).await?.answered()?,
        };
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(TransportError::Body)?.to_bytes();
        *slot = Some(connection);
        Ok(Response::from_parts(parts, body))
    }
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

/// What became of a request.
enum Sent {
    Answered(Connection, Response<Incoming>),
    /// Not a byte of it left, so that it may be sent again.
    Unsent(Request<Full<Bytes>>),
}

impl Sent {
    /// For a new connection, where there is no second try.
    fn answered(self) -> Result<(Connection, Response<Incoming>), TransportError> {
        match self {
            Self::Answered(connection, response) => Ok((connection, response)),
            Self::Unsent(_) => Err(TransportError::Closed),
        }
    }
}

impl Connection {
    async fn send(mut self, request: Request<Full<Bytes>>) -> Result<Sent, TransportError> {
        if self.sender.ready().await.is_err() {
            return Ok(Sent::Unsent(request));
        }
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(Sent::Answered(self, response)),
            Err(mut error) => match error.take_message() {
                Some(request) => Ok(Sent::Unsent(request)),
                None => Err(error.into_error().into()),
            },
        }
    }
}

async fn start<IO>(io: IO) -> Result<Connection, TransportError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, driver) = handshake(TokioIo::new(io)).await?;
    Ok(Connection { sender, driver: tokio::spawn(driver).abort_handle() })
}

impl Transport for Direct {
    fn send(&self, mut request: Request<Bytes>) -> Answer<'_> {
        let port = self.origin.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", self.origin.host_str().unwrap_or_default());
        Box::pin(async move {
            let host =
                host.try_into().map_err(|_| TransportError::Address("the host is no header value".to_owned()))?;
            request.headers_mut().insert(http::header::HOST, host);
            let answer = tokio::time::timeout(ANSWER, self.exchange(request)).await;
            answer.map_err(|_| TransportError::Timeout("HTTP"))?
        })
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
