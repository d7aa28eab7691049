//! Messages whose answer is on its way out: they are theirs who asked once the connection has the answer, and not before.

use crate::events::Delivery;
use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use oriel_uplink::{Body, BoxError};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

/// Where a handler leaves what has to be known of its answer's way out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delivering(Arc<Mutex<Option<Delivery>>>);

impl Delivering {
    /// Leaves it.
    pub(crate) fn put(&self, delivery: Delivery) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(delivery);
    }

    /// The answer, that tells when it left.
    pub(super) fn follow(self, response: Response<Body>) -> Response<Body> {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(delivery) = left else { return response };
        response.map(|body| Followed { body, delivery: Some(delivery) }.boxed_unsync())
    }
}

/// A body that tells when the connection has taken all of it. Dropped before, it has not left.
struct Followed {
    body: Body,
    delivery: Option<Delivery>,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.delivery.take().into_iter().for_each(Delivery::done);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
