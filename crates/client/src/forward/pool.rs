//! Connections to the cloud, kept while they idle for a short time.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::TransportError;
use crate::connection::{Connection, Sent};
use crate::origin::Origin;

/// Idle connections that are kept.
const MOST: usize = 8;
/// Servers close what idles for longer, and a request that crosses that on its way would be lost.
const FRESH: Duration = Duration::from_secs(15);

/// Connections to one origin.
pub(super) struct Pool {
    origin: Origin,
    idle: Mutex<Vec<(Connection<Incoming>, Instant)>>,
}

impl Pool {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, idle: Mutex::default() }
    }

    /// Sends on a connection of its own until the answer's body is read.
    pub(super) async fn send(self: &Arc<Self>, request: Request<Incoming>) -> Result<Response<Kept>, TransportError> {
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
        Ok(response.map(|body| Kept { body, ended: false, connection: Some(connection), pool: Arc::clone(self) }))
    }

    fn take(&self) -> Option<Connection<Incoming>> {
        let mut idle = self.idle.lock().expect("no holder panics");
        while let Some((connection, since)) = idle.pop() {
            if since.elapsed() < FRESH && !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn put(&self, connection: Connection<Incoming>) {
        let mut idle = self.idle.lock().expect("no holder panics");
        idle.retain(|(connection, since)| since.elapsed() < FRESH && !connection.is_closed());
        if idle.len() < MOST && !connection.is_closed() {
            idle.push((connection, Instant::now()));
        }
    }
}

/// An answer's body, with the connection that it comes on.
pub(super) struct Kept {
    body: Incoming,
    /// A chunked body does not say so by itself.
    ended: bool,
    connection: Option<Connection<Incoming>>,
    pool: Arc<Pool>,
}

impl Body for Kept {
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

impl Drop for Kept {
    fn drop(&mut self) {
        // A body that was not read to its end takes its connection with it.
        if let Some(connection) = self.connection.take().filter(|_| self.is_end_stream()) {
            self.pool.put(connection);
        }
    }
}
