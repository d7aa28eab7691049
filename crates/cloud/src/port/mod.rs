//! The one TLS port: who is there, and whom the connection is for.
//!
//! ```text
//! accept ─► PROXY header, from listed peers ─► ClientHello ─┬─ offers h2: browsers and API clients ──────────► HTTP/2
//!                                                          └─ else, asked for a certificate ─► first head ─┬─► admission of an uplink
//!                                                                                                          └─► HTTP/1.1
//! ```

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use oriel_trust::{ClientAuth, Fingerprint, ReloadingIdentity, server_config};
use oriel_uplink::cloud::{SniffLimits, Sniffed, sniff};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::{Api, Shared};

mod admission;
mod http;
mod proxy_protocol;

pub(crate) use http::Peer;

/// From the first byte to the end of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// TLS for either kind of client.
#[derive(Debug)]
pub(crate) struct Tls {
    /// For clients that offer h2: they are not asked for a certificate, since a browser would then ask its user.
    browser: Arc<ServerConfig>,
    /// For everybody else, uplinks among them.
    other: Arc<ServerConfig>,
}

impl Tls {
    pub(crate) fn new(identity: &Arc<ReloadingIdentity>) -> Result<Self, oriel_trust::TrustError> {
        let make = |clients, alpn: &[&[u8]]| {
            let mut config = server_config(Arc::clone(identity) as _, clients)?;
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            // Ten thousand devices that come back at once resume; one ticket each is enough.
            config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
            config.send_tls13_tickets = 1;
            Ok::<_, oriel_trust::TrustError>(Arc::new(config))
        };
        Ok(Self {
            browser: make(ClientAuth::No, &[b"h2", b"http/1.1"])?,
            other: make(ClientAuth::Optional, &[b"http/1.1"])?,
        })
    }
}

/// Accepts until the cloud drains, then drops the listener and returns: connections go on in tasks of their own.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>, api: Api) {
    let handshakes = Arc::new(Semaphore::new(shared.config.limits.handshakes));
    loop {
        // The kernel's queue holds those for whom there is no room yet.
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.draining.cancelled() => return,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let (owner, api) = (Arc::clone(&shared), api.clone());
                shared.spawn(&shared.tasks, async move {
                    if let Err(error) = connection(tcp, peer, &owner, api).await {
                        tracing::debug!(%peer, %error, "connection ended before its first request");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, most often: nothing to gain by asking again at once.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection up to the point where it is known for what it is; what follows runs as a task of its own, so that this future's memory is free.
async fn connection(tcp: TcpStream, peer: SocketAddr, shared: &Arc<Shared>, api: Api) -> io::Result<()> {
    let deadline = tokio::time::Instant::now() + HANDSHAKE;
    let timely = || io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long");
    let (tls, source) =
        tokio::time::timeout_at(deadline, handshake(tcp, peer, shared)).await.map_err(|_| timely())??;
    let (_, session) = tls.get_ref();
    if session.alpn_protocol() == Some(b"h2") {
        http::serve_h2(tls, Peer { source }, shared, api);
        return Ok(());
    }
    let key = session.peer_certificates().and_then(<[_]>::first).map(Fingerprint::of).transpose();
    let key = key.map_err(io::Error::other)?;
    match sniff(tls, &SniffLimits::default()).await.map_err(io::Error::other)? {
        Sniffed::Uplink(incoming) => admission::admit(incoming, key, source, shared).await,
        Sniffed::Other(stream) => {
            http::serve_h1(stream, Peer { source }, shared, api);
            Ok(())
        }
    }
}

/// PROXY header and TLS. Returns the stream and where it truly comes from.
async fn handshake(
    mut tcp: TcpStream,
    peer: SocketAddr,
    shared: &Shared,
) -> io::Result<(TlsStream<TcpStream>, IpAddr)> {
    tcp.set_nodelay(true)?;
    let mut source = peer.ip().to_canonical();
    if shared.config.proxy_protocol.iter().any(|net| net.contains(&source)) {
        source = proxy_protocol::read(&mut tcp).await?.unwrap_or(source).to_canonical();
    }
    let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
    let h2 = hello.client_hello().alpn().is_some_and(|mut names| names.any(|name| name == b"h2"));
    let config = if h2 { &shared.tls.browser } else { &shared.tls.other };
    Ok((hello.into_stream(Arc::clone(config)).await?, source))
}

/// Looks for changed certificate files now and then.
pub(crate) async fn reload(identity: Arc<ReloadingIdentity>, every: Duration, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        match identity.reload() {
            Ok(true) => tracing::info!("serving a new certificate"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the certificate files cannot be used; the old certificate stays"),
        }
    }
}
