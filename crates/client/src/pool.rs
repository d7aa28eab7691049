//! Connections to one origin, kept for a short time while they idle.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::TransportError;
use crate::connection::{Connection, Sent};
use crate::origin::Origin;

/// Servers close what idles for longer, and a request that crosses that on its way would be lost.
const FRESH: Duration = Duration::from_secs(15);

/// Connections to one origin.
pub(crate) struct Pool<B> {
    origin: Origin,
    /// Idle connections that are kept.
    most: usize,
    /// One for each connection in use.
    places: Arc<Semaphore>,
    idle: Mutex<Idle<B>>,
}

struct Idle<B> {
    connections: Vec<(Connection<B>, Instant)>,
    /// Closes what idled for too long; there is one while anything idles.
    sweeper: Option<AbortHandle>,
}

impl<B> Drop for Pool<B> {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.lock().sweeper {
            sweeper.abort();
        }
    }
}

impl<B> Pool<B> {
    /// Keeps `most` idle connections; each request takes one of the `places`.
    pub(crate) fn new(origin: Origin, most: usize, places: Arc<Semaphore>) -> Self {
        Self { origin, most, places, idle: Mutex::new(Idle { connections: Vec::new(), sweeper: None }) }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lock(&self) -> MutexGuard<'_, Idle<B>> {
        self.idle.lock().expect("no holder panics")
    }

    fn take(&self) -> Option<Connection<B>> {
        let mut idle = self.lock();
        while let Some((connection, since)) = idle.connections.pop() {
            if since.elapsed() < FRESH && !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    /// Closes what is too old; false when nothing is left.
    fn sweep(&self) -> bool {
        let mut idle = self.lock();
        idle.connections.retain(|(connection, since)| since.elapsed() < FRESH && !connection.is_closed());
        if idle.connections.is_empty() {
            idle.connections = Vec::new();
            idle.sweeper = None;
        }
        !idle.connections.is_empty()
    }
}

impl<B: Send + 'static> Pool<B> {
    fn put(self: &Arc<Self>, connection: Connection<B>) {
        let mut idle = self.lock();
        idle.connections.retain(|(connection, since)| since.elapsed() < FRESH && !connection.is_closed());
        if idle.connections.len() >= self.most || connection.is_closed() {
            return;
        }
        idle.connections.push((connection, Instant::now()));
        if idle.sweeper.is_none() {
            idle.sweeper = Some(tokio::spawn(sweep(Arc::downgrade(self))).abort_handle());
        }
    }
}

async fn sweep<B>(pool: Weak<Pool<B>>) {
    loop {
        tokio::time::sleep(FRESH).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.sweep() {
            return;
        }
    }
}

impl<B> Pool<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    /// Sends on a connection of its own until the answer's body is read. A request goes again only if not a byte of it left.
    pub(crate) async fn send(self: &Arc<Self>, request: Request<B>) -> Result<Response<Kept<B>>, TransportError> {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("it is never closed");
        let mut request = request;
        let (connection, response) = loop {
            let Some(idle) = self.take() else {
                break Connection::open(&self.origin).await?.send(request).await?.answered()?;
            };
            match idle.send(request).await? {
                Sent::Answered(connection, response) => break (connection, response),
                Sent::Unsent(again) => request = again,
            }
        };
        Ok(response.map(|body| Kept {
            body,
            ended: false,
            connection: Some(connection),
            pool: Arc::clone(self),
            _place: place,
        }))
    }
}

/// An answer's body, with the connection that it comes on.
pub(crate) struct Kept<B: Send + 'static> {
    body: Incoming,
    /// A chunked body does not say so by itself.
    ended: bool,
    connection: Option<Connection<B>>,
    pool: Arc<Pool<B>>,
    _place: OwnedSemaphorePermit,
}

impl<B: Send + 'static> Body for Kept<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Send + 'static> Drop for Kept<B> {
    fn drop(&mut self) {
        // A body that was not read to its end takes its connection with it.
        if let Some(connection) = self.connection.take().filter(|_| self.is_end_stream()) {
            self.pool.put(connection);
        }
    }
}
