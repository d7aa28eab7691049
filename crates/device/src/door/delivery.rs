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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Events, Kind, Occurrence, Wanted};
    use oriel_onvif::events::{Selection, topics};
    use oriel_soap::{Caller, Level, Levels, Via};
    use oriel_uplink::body;
    use std::time::Duration;

    #[tokio::test]
    async fn messages_of_an_answer_that_the_connection_never_took_go_back() {
        let events = Events::new("urn:uuid:0".to_owned(), None);
        let topic = topics::find("Device/OperationMode/ShutdownInitiated").unwrap();
        events.offer(&[topic]);
        let via = Via::Lan { peer: ([127, 0, 0, 1], 1).into() };
        let caller = Caller { levels: Levels::of(Level::User), user: Some("user".to_owned()), via };
        let selection = Selection::default();
        let wanted = Wanted { selection, changed_only: false, until: None, kind: Kind::PullPoint };
        let point = events.subscribe(&caller, wanted).unwrap().id;
        events.tell(Occurrence::of(topic)).unwrap();
        for (taken, expected) in [(false, 1), (false, 1), (true, 1), (true, 0)] {
            let pull = events.pull(&point, &caller, Duration::ZERO, 10).unwrap();
            let pulled = pull.answer().await.unwrap();
            assert_eq!(pulled.messages.len(), expected);
            let delivering = Delivering::default();
            delivering.put(pulled.delivery);
            let response = delivering.follow(Response::new(body::full("an answer")));
            if taken {
                response.into_body().collect().await.unwrap();
            }
        }
    }
}
