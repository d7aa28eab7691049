//! The ports to the LAN: HTTP/1.1 with a bound on everything a client can be slow or big with.

use super::stall::Stalling;
use crate::device::DeviceError;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use oriel_uplink::device::BoxFuture;
use oriel_uplink::{Body, body};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// A head that takes longer than this ends its connection; so does a connection that stays idle for as long.
const HEAD: Duration = Duration::from_secs(15);
/// The largest head in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The most header fields.
const MAX_FIELDS: usize = 64;
/// How long the answers that are on their way have when the device stops.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait when the system has no file for another connection.
const NO_FILES: Duration = Duration::from_millis(100);

/// Answers a request that came from the first address to the second, which is ours.
pub(crate) type Answer =
    Arc<dyn Fn(Request<Body>, SocketAddr, SocketAddr) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// Opens ports; port 0 is one that the system chooses.
///
/// # Errors
/// [`DeviceError::Listen`].
pub(crate) async fn listen(addresses: &[SocketAddr]) -> Result<Vec<(SocketAddr, TcpListener)>, DeviceError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        listeners.push(bound.map_err(|source| DeviceError::Listen { address: *address, source })?);
    }
    Ok(listeners)
}

/// The listening ports. Dropping it closes them and every connection at once.
pub(crate) struct Lan {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Lan {
    /// Answers on listeners that are already bound.
    pub(crate) fn start(listeners: Vec<(SocketAddr, TcpListener)>, answer: &Answer, max_connections: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(max_connections));
        let addresses = listeners.iter().map(|(address, _)| *address).collect();
        let serve =
            |(_, listener)| tokio::spawn(accept(listener, Arc::clone(answer), Arc::clone(&places), stopped.clone()));
        Self { addresses, stop, tasks: listeners.into_iter().map(serve).collect() }
    }

    /// Where the LAN reaches the device.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no more connections, finishes the answers that are on their way, and returns when all is closed.
    pub(crate) async fn stop(mut self) {
        self.close().await;
    }

    /// As [`Self::stop`], for an owner that goes on.
    pub(crate) async fn close(&mut self) {
        self.stop.send_replace(true);
        for task in &mut self.tasks {
            // An error means that the task is already gone.
            let _ = task.await;
        }
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, answer: Answer, places: Arc<Semaphore>, mut stopped: watch::Receiver<bool>) {
    // Its own task for each connection; all end with this one.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            // Who comes when all places are taken waits in the kernel's queue.
            accepted = async { (Arc::clone(&places).acquire_owned().await, listener.accept().await) } => accepted,
            () = told_to_stop(&mut stopped) => break,
        };
        match accepted {
            (Ok(place), Ok((stream, peer))) => {
                let connection = serve(stream, peer, Arc::clone(&answer), stopped.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            (_, Err(error)) => {
                tracing::warn!(%error, "a LAN connection cannot be accepted");
                tokio::time::sleep(NO_FILES).await;
            }
            (Err(_), _) => break,
        }
    }
    drop(listener);
    // What does not finish in time is cut off when the set is dropped.
    let finished = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, finished).await;
}

async fn serve(stream: TcpStream, peer: SocketAddr, answer: Answer, mut stopped: watch::Receiver<bool>) {
    let Ok(local) = stream.local_addr() else { return };
    // Without it the last bytes of a small answer wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let answered = answer(request.map(body::boxed), peer, local);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(MAX_FIELDS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Stalling::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told_to_stop(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a LAN connection ended early");
    }
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that the device is gone, which says the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
