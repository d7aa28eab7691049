//! The layers below HTTP one by one, for who has to say which of them is at fault: name, TCP, TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::TransportError;
use crate::origin::{self, CONNECT, Origin};

/// The way to one origin, layer by layer. Each has ten seconds.
pub struct Layers {
    origin: Origin,
}

impl Layers {
    /// To the origin of `url`; https needs `tls`, which says whom to believe.
    ///
    /// # Errors
    /// [`TransportError::Address`].
    pub fn new(url: &Url, tls: Option<ClientConfig>) -> Result<Self, TransportError> {
        Ok(Self { origin: Origin::new(url, tls)? })
    }

    /// The addresses of the host's name.
    ///
    /// # Errors
    /// [`TransportError::Name`], or no answer in time.
    pub async fn name(&self) -> Result<Vec<SocketAddr>, TransportError> {
        self.origin.resolve(Instant::now() + CONNECT).await
    }

    /// A connection with the first of these that takes one.
    ///
    /// # Errors
    /// [`TransportError::Tcp`] for the last of them.
    pub async fn tcp(&self, addresses: &[SocketAddr]) -> Result<TcpStream, TransportError> {
        origin::tcp(addresses, Instant::now() + CONNECT).await
    }

    /// The certificates that the host shows to who believes it by `tls`, its own first.
    ///
    /// # Errors
    /// [`TransportError::Untrusted`] when it is not believed, [`TransportError::Tls`], or no answer in time.
    pub async fn tls(&self, tcp: TcpStream, tls: ClientConfig) -> Result<Vec<CertificateDer<'static>>, TransportError> {
        let tls = Arc::new(tls);
        let done = timeout(CONNECT, self.origin.handshake(tcp, &tls)).await;
        let stream = done.map_err(|_| TransportError::Timeout("TLS"))??;
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        Ok(shown.iter().map(|certificate| certificate.clone().into_owned()).collect())
    }
}
