//! How a request reaches a device: HTTP/1.1 over TCP or TLS, one connection that is kept.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use url::Url;

use crate::origin::Origin;
use crate::pool::Pool;

/// For an answer, PullMessages included.
pub(crate) const ANSWER: Duration = Duration::from_secs(150);
/// The longest answer that is read.
pub(crate) const LONGEST: usize = 16 * 1024 * 1024;

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

/// HTTP/1.1 to one origin, one request at a time.
pub struct Direct {
    pool: Arc<Pool<Full<Bytes>>>,
}

impl Direct {
    /// To the origin of `url`; https needs `tls`.
    ///
    /// # Errors
    /// [`TransportError::Address`] for another scheme, or an address without host.
    pub fn new(url: &Url, tls: Option<ClientConfig>) -> Result<Self, TransportError> {
        Ok(Self { pool: Arc::new(Pool::new(Origin::new(url, tls)?, 1, Arc::new(Semaphore::new(1)))) })
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (parts, body) = self.pool.send(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(TransportError::Body)?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

impl Transport for Direct {
    fn send(&self, mut request: Request<Bytes>) -> Answer<'_> {
        Box::pin(async move {
            let host = self.pool.origin().host()?;
            request.headers_mut().insert(http::header::HOST, host);
            let answer = tokio::time::timeout(ANSWER, self.exchange(request)).await;
            answer.map_err(|_| TransportError::Timeout("HTTP"))?
        })
    }
}
