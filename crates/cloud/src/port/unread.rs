//! What is left of a request's body when the answer is there (RFC 9112 §9.3): read to its end where that is near, so that the connection goes on; else the
//! answer says that the connection ends. Without this a client that sends its next request on it may find it closed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

/// How much of it is read, in bytes, and for how long.
const MOST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a body goes that was not read to its end by whoever had it.
#[derive(Clone, Default)]
pub(super) struct Rest(Arc<Mutex<Option<Incoming>>>);

/// A request's body, which comes back to [`Rest`] when it is dropped before its end.
pub(super) struct Read {
    body: Option<Incoming>,
    rest: Rest,
}

impl Rest {
    /// The body, to be read by whoever answers.
    pub(super) fn of(&self, body: Incoming) -> Read {
        Read { body: Some(body), rest: self.clone() }
    }

    /// To be called when the answer is there; a body that is still being read then is not touched. `asks_first`: the client waits to be told that it may
    /// send the body at all.
    pub(super) async fn settle(&self, asks_first: bool, answer: &mut HeaderMap) {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(body) = left else { return };
        let read = tokio::time::timeout(PATIENCE, Limited::new(body, MOST).collect());
        if asks_first || !matches!(read.await, Ok(Ok(_))) {
            answer.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl http_body::Body for Read {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.rest.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
