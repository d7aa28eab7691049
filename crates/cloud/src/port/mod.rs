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

use oriel_trust::{ClientAuth, ReloadingIdentity, server_config};
use oriel_uplink::ReadAhead;
use oriel_uplink::cloud::{SniffLimits, Sniffed, sniff};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificate::Challenges;
use crate::metrics::Turned;
use crate::{Api, Shared};

mod admission;
mod http;
mod proxy_protocol;
pub(crate) mod revocation;
mod unread;

pub(crate) use http::Peer;

/// From the first byte to the end of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection may be silent before TCP asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The protocol of connections that validate a name (RFC 8737 §6.2).
const ACME_TLS: &[u8] = b"acme-tls/1";

/// TLS for either kind of client.
#[derive(Debug)]
pub(crate) struct Tls {
    /// For clients that offer h2: they are not asked for a certificate, since a browser would then ask its user.
    browser: Arc<ServerConfig>,
    /// For everybody else, uplinks among them.
    other: Arc<ServerConfig>,
    /// For an ACME authority that looks whether a name is ours (RFC 8737).
    acme: Option<Arc<ServerConfig>>,
}

impl Tls {
    pub(crate) fn new(
        identity: &Arc<ReloadingIdentity>,
        challenges: Option<Arc<Challenges>>,
    ) -> Result<Self, oriel_trust::TrustError> {
        let acme = challenges.map(|challenges| {
            let mut config = server_config(challenges, ClientAuth::No)?;
            config.alpn_protocols = vec![ACME_TLS.to_vec()];
            Ok::<_, oriel_trust::TrustError>(Arc::new(config))
        });
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
            acme: acme.transpose()?,
        })
    }
}

/// Accepts until the cloud drains, then drops the listener and returns: connections go on in tasks of their own.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>, api: Api) {
    let handshakes = Arc::new(Semaphore::new(shared.config.limits.handshakes));
    while let Some(permit) = shared.draining.run_until_cancelled(Arc::clone(&handshakes).acquire_owned()).await {
        // The kernel's queue holds those for whom there is no room yet.
        let Ok(permit) = permit else { return };
        let Some(accepted) = shared.draining.run_until_cancelled(listener.accept()).await else { return };
        match accepted {
            Ok((tcp, peer)) => {
                let (owner, api) = (Arc::clone(&shared), api.clone());
                shared.spawn(&shared.tasks, async move {
                    if let Err((cause, error)) = connection(tcp, peer, &owner, api, permit).await {
                        owner.metrics.turned(cause);
                        tracing::debug!(%peer, %error, "connection ended before its first request");
                    }
                });
            }
            Err(error) => {
                // Out of descriptors, most often: nothing to gain by asking again at once.
                tracing::warn!(%error, "cannot accept a connection");
                shared.metrics.turned(Turned::Accept);
                shared.draining.run_until_cancelled(tokio::time::sleep(Duration::from_millis(100))).await;
            }
        }
    }
}

/// One connection up to the point where it is known for what it is; what follows runs as a task of its own, so that this future's memory is free.
/// Each step is boxed: as one future they would take 16 KiB from the accept on, and leave as much of the heap touched behind every tunnel.
async fn connection(
    tcp: TcpStream,
    peer: SocketAddr,
    shared: &Arc<Shared>,
    api: Api,
    permit: OwnedSemaphorePermit,
) -> Result<(), (Turned, io::Error)> {
    let deadline = tokio::time::Instant::now() + HANDSHAKE;
    let slow = || (Turned::Slow, io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long"));
    let (tls, source) =
        tokio::time::timeout_at(deadline, Box::pin(handshake(tcp, peer, shared))).await.map_err(|_| slow())??;
    drop(permit);
    // Held by clients to their end, by uplinks until they are admitted.
    let full = |_| (Turned::Full, io::Error::new(io::ErrorKind::QuotaExceeded, "too many connections of clients"));
    let place = Arc::clone(&shared.connections).try_acquire_owned().map_err(full)?;
    let (_, session) = tls.get_ref();
    if session.alpn_protocol() == Some(b"h2") {
        http::serve_h2(tls, Peer { source }, shared, api, place);
        return Ok(());
    }
    let chain = session.peer_certificates().map(<[_]>::to_vec);
    let head = |error| (Turned::Head, error);
    match Box::pin(sniff(tls, &SniffLimits::default())).await.map_err(|error| head(io::Error::other(error)))? {
        Sniffed::Uplink(incoming) => {
            Box::pin(admission::admit(incoming, chain.as_deref(), source, shared)).await.map_err(head)
        }
        Sniffed::Other(stream) => {
            http::serve_h1(stream, Peer { source }, shared, api, place);
            Ok(())
        }
    }
}

/// PROXY header and TLS. Returns the stream and where it truly comes from.
async fn handshake(
    mut tcp: TcpStream,
    peer: SocketAddr,
    shared: &Shared,
) -> Result<(TlsStream<ReadAhead<TcpStream>>, IpAddr), (Turned, io::Error)> {
    let lost = |error| (Turned::Tls, error);
    let source = announced(&mut tcp, peer, shared).await?;
    let hello = LazyConfigAcceptor::new(Acceptor::default(), ReadAhead::new(tcp)).await.map_err(lost)?;
    let only_acme = hello.client_hello().alpn().is_some_and(|names| names.eq([ACME_TLS]));
    if let Some(config) = shared.tls.acme.as_ref().filter(|_| only_acme) {
        // The handshake is all there is to it.
        let _proved = hello.into_stream(Arc::clone(config)).await.map_err(lost)?;
        return Err((Turned::Acme, io::Error::other("a certificate authority looked whether the name is ours")));
    }
    let h2 = hello.client_hello().alpn().is_some_and(|mut names| names.any(|name| name == b"h2"));
    let config = if h2 { &shared.tls.browser } else { &shared.tls.other };
    Ok((hello.into_stream(Arc::clone(config)).await.map_err(lost)?, source))
}

/// Where the connection truly comes from: the PROXY header's word, from listed peers.
async fn announced(tcp: &mut TcpStream, peer: SocketAddr, shared: &Shared) -> Result<IpAddr, (Turned, io::Error)> {
    watch_for_loss(tcp).map_err(|error| (Turned::Accept, error))?;
    let source = peer.ip().to_canonical();
    if !shared.config.proxy_protocol.iter().any(|net| net.contains(&source)) {
        return Ok(source);
    }
    let told = proxy_protocol::read(tcp).await.map_err(|error| (Turned::Proxy, error))?;
    Ok(told.unwrap_or(source).to_canonical())
}

fn watch_for_loss(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    // A peer that vanished is noticed even where nothing is sent, and where nothing that is sent is acknowledged.
    let socket = SockRef::from(tcp);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4).with_retries(4))?;
    socket.set_tcp_user_timeout(Some(2 * KEEPALIVE))
}
