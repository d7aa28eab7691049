//! Bodies on their way through: what holds a place of the camera as long as it flows, and ends when nobody moves it.

use super::way::Permit;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use oriel_uplink::{Body, BoxError, body};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// A client that sends nothing of its body for this long holds a place of the camera no longer.
const STALL: Duration = Duration::from_secs(30);

/// An answer that holds its place until it is through, or nobody wants it any more.
pub(super) fn held(body: Body, permit: Permit) -> Body {
    if body.is_end_stream() {
        return body;
    }
    body::boxed(Held { first: None, body, left: u64::MAX, _permit: permit })
}

/// The same, of which `first` was read already and which has `most` bytes at most.
pub(super) fn continued(first: Bytes, body: Body, most: u64, permit: Permit) -> Body {
    body::boxed(Held { first: Some(first), body, left: most, _permit: permit })
}

/// A client's body on its way to the camera.
pub(super) fn sent(body: Body) -> Body {
    body::boxed(Sent { body, patience: None })
}

struct Held {
    first: Option<Bytes>,
    body: Body,
    left: u64,
    _permit: Permit,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            let Some(left) = self.left.checked_sub(length) else {
                return Poll::Ready(Some(Err("the camera's answer is longer than is passed on".into())));
            };
            self.left = left;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}

struct Sent {
    body: Body,
    patience: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.patience = None;
            return Poll::Ready(frame);
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(Some(Err("the client sent nothing for too long".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
