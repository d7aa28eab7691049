//! A local HTTP port that leads to one device behind a cloud, for programs that can do neither host names nor bearer tokens.
//!
//! What comes in by the port goes to the cloud's gateway with our token, and addresses in the answers come back as addresses of the port. Whoever reaches
//! the port has the token's rights, so it is for this machine alone unless the caller decides otherwise; a web page is kept out either way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::TransportError;
use crate::origin::Origin;
use crate::pool::Pool;

mod exchange;
mod guard;
mod headers;

/// Connections at one time; further ones wait in the system's queue.
const CONNECTIONS: usize = 128;
/// Idle connections to the cloud that are kept.
const IDLE: usize = 8;
/// How long a request's head may take, and how long a connection may idle between requests.
const HEAD: Duration = Duration::from_secs(60);
/// How long answers on their way may take at the end.
const GRACE: Duration = Duration::from_secs(5);

/// A device behind a cloud, as the cloud's gateway leads to it.
pub struct Gateway {
    pool: Arc<Pool<Incoming>>,
    /// `https://cloud.example/d/camera`: the beginning of the device's addresses, as the cloud builds them.
    base: String,
    /// `/d/camera`.
    prefix: String,
    host: HeaderValue,
    bearer: HeaderValue,
}

impl Gateway {
    /// The device at `url`, `https://cloud.example/d/camera`; what stands behind the device's id is ignored.
    ///
    /// # Errors
    /// [`TransportError::Address`] for an address that is none of a device behind a cloud, and for a token that is no header value.
    pub fn new(url: &Url, tls: rustls::ClientConfig, token: &str) -> Result<Self, TransportError> {
        let bad = |why: &str| TransportError::Address(format!("{url} {why}"));
        let mut segments = url.path_segments().into_iter().flatten();
        let device = match (url.scheme(), segments.next(), segments.next()) {
            ("https", Some("d"), Some(device)) if !device.is_empty() => device.to_owned(),
            _ => return Err(bad("is not a cloud's address of a device, https://…/d/…")),
        };
        let origin = Origin::new(url, Some(tls))?;
        let host = origin.host()?;
        let mut bearer: HeaderValue =
            format!("Bearer {token}").parse().map_err(|_| TransportError::Address("the token is none".to_owned()))?;
        bearer.set_sensitive(true);
        let prefix = format!("/d/{device}");
        let base = format!("https://{}{prefix}", host.to_str().map_err(|_| bad("has no host that HTTP can name"))?);
        Ok(Self {
            pool: Arc::new(Pool::new(origin, IDLE, Arc::new(Semaphore::new(CONNECTIONS)))),
            base,
            prefix,
            host,
            bearer,
        })
    }
}

/// A port that forwards until it is dropped.
pub struct Forward {
    address: SocketAddr,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forward {
    /// Listens on `listen`. With `exposed`, requests by any host name are taken, else those that name an address or `localhost` alone.
    ///
    /// # Errors
    /// The system's, when it does not let us listen there.
    pub async fn start(listen: SocketAddr, gateway: Gateway, exposed: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (closing, closed) = watch::channel(false);
        let port = Arc::new(Port { gateway, exposed, address });
        Ok(Self { address, closing, task: tokio::spawn(accept(listener, port, closed)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, and lets answers on their way arrive, for five seconds.
    pub async fn stop(mut self) {
        self.closing.send_replace(true);
        // On a timeout, dropping us ends what is left.
        let _late = tokio::time::timeout(GRACE, &mut self.task).await;
    }
}

/// What every connection needs to know.
struct Port {
    gateway: Gateway,
    exposed: bool,
    address: SocketAddr,
}

async fn accept(listener: TcpListener, port: Arc<Port>, mut closed: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Ends its connections when this task is dropped.
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closed.wait_for(|closed| *closed) => break,
        };
        let Ok((tcp, _)) = accepted else {
            // Out of files: those who leave make room.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (port, closed) = (Arc::clone(&port), closed.clone());
        connections.spawn(async move {
            let _place = place;
            serve(tcp, port, closed).await;
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(tcp: TcpStream, port: Arc<Port>, mut closed: watch::Receiver<bool>) {
    let _slower = tcp.set_nodelay(true);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 * 1024);
    let answered = closed.clone();
    let service = service_fn(move |request| {
        let (port, closed) = (Arc::clone(&port), answered.clone());
        async move { Ok::<_, std::convert::Infallible>(exchange::answer(request, &port, closed).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(tcp), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closed.wait_for(|closed| *closed) => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}
