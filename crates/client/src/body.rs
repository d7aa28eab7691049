//! Bodies: the one type that callers see, and those that are looked into before they are passed on.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, Sleep};

use crate::TransportError;

/// An error of any kind, as bodies carry it.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A streaming body of bytes.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body that is complete already.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// All of a body, which may have `most` bytes.
pub(crate) async fn whole(mut body: Body, most: usize) -> Result<Bytes, TransportError> {
    match beginning(&mut body, most).await.map_err(TransportError::Body)? {
        (bytes, true) => Ok(bytes),
        (_, false) => Err(TransportError::Body("it is longer than is read".into())),
    }
}

/// The beginning of a body until its end, or until it is longer than `most`; and whether that is the whole.
pub(crate) async fn beginning<B>(body: &mut B, most: usize) -> Result<(Bytes, bool), B::Error>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        bytes.extend_from_slice(&frame?.into_data().unwrap_or_default());
        if bytes.len() > most {
            return Ok((bytes.into(), false));
        }
    }
    Ok((bytes.into(), true))
}

pin_project_lite::pin_project! {
    /// A body of which the beginning was read already.
    pub(crate) struct After<B> {
        first: Option<Bytes>,
        #[pin]
        rest: B,
    }
}

impl<B> After<B> {
    pub(crate) fn new(first: Bytes, rest: B) -> Self {
        Self { first: Some(first), rest }
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for After<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => this.rest.poll_frame(cx),
        }
    }
}

pin_project_lite::pin_project! {
    /// A body that fails when nothing comes of it for a while.
    pub(crate) struct Patient<B> {
        #[pin]
        body: B,
        patience: Duration,
        // In a box, so that a body that comes at once needs none.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<B> Patient<B> {
    pub(crate) fn new(body: B, patience: Duration) -> Self {
        Self { body, patience, timer: None }
    }
}

impl<B: http_body::Body<Data = Bytes, Error: Into<BoxError>>> http_body::Body for Patient<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            *this.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let end = Instant::now() + *this.patience;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err("the answer's body stopped coming".into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
