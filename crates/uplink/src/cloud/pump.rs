//! Sends a request's body into the tunnel, with back-pressure: the body is asked for more only when the device took some.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Body as _;
use tokio::task::AbortHandle;

use super::gate::Slot;
use crate::{Body, BoxError};

/// Stops a pump when the response that it belongs to is dropped unfinished.
#[derive(Debug)]
pub(super) struct PumpGuard(Option<AbortHandle>);

impl PumpGuard {
    /// The pump may go on by itself; it ends with its body or with the stream.
    pub(super) fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for PumpGuard {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            handle.abort();
        }
    }
}

/// What a body gave without being waited for.
pub(super) enum Ready {
    /// All of it.
    Whole(Bytes),
    /// A beginning; the rest is to be pumped.
    Part(Bytes),
    /// Nothing but trailers.
    Trailers(HeaderMap),
    /// Not even its first frame.
    Nothing,
}

/// Takes what is ready at once, so that a complete body of at most `max` bytes needs no task.
pub(super) fn take_ready(body: &mut Body, max: usize, cx: &mut Context<'_>) -> Result<Ready, BoxError> {
    if body.size_hint().upper().is_none_or(|upper| upper > max as u64) {
        return Ok(Ready::Nothing);
    }
    match Pin::new(&mut *body).poll_frame(cx) {
        Poll::Pending => Ok(Ready::Nothing),
        Poll::Ready(None) => Ok(Ready::Whole(Bytes::new())),
        Poll::Ready(Some(Err(error))) => Err(error),
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(bytes) if body.is_end_stream() => Ok(Ready::Whole(bytes)),
            Ok(bytes) => Ok(Ready::Part(bytes)),
            Err(frame) => Ok(frame.into_trailers().map_or(Ready::Nothing, Ready::Trailers)),
        },
    }
}

/// Starts the task that sends `first` and then the rest of `body`.
pub(super) fn spawn(body: Body, first: Bytes, stream: SendStream<Bytes>, slot: Arc<Slot>) -> PumpGuard {
    let task = tokio::spawn(async move {
        let _slot = slot;
        Pump { body, stream, chunk: first, body_done: false }.await;
    });
    PumpGuard(Some(task.abort_handle()))
}

struct Pump {
    body: Body,
    stream: SendStream<Bytes>,
    chunk: Bytes,
    body_done: bool,
}

impl Future for Pump {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let pump = &mut *self;
        if pump.stream.poll_reset(cx).is_ready() {
            return Poll::Ready(());
        }
        match ready!(pump.poll_send(cx)) {
            Ok(()) => {}
            Err(Failed::Stream) => {}
            Err(Failed::Body(error)) => {
                tracing::debug!(%error, "a request's body failed");
                pump.stream.send_reset(Reason::CANCEL);
            }
        }
        Poll::Ready(())
    }
}

enum Failed {
    Stream,
    Body(BoxError),
}

impl From<h2::Error> for Failed {
    fn from(_: h2::Error) -> Self {
        Self::Stream
    }
}

impl Pump {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        loop {
            while !self.chunk.is_empty() {
                if self.stream.capacity() == 0 {
                    self.stream.reserve_capacity(self.chunk.len());
                    match ready!(self.stream.poll_capacity(cx)) {
                        Some(granted) => granted?,
                        None => return Poll::Ready(Err(Failed::Stream)),
                    };
                    continue;
                }
                let n = self.stream.capacity().min(self.chunk.len());
                let part = self.chunk.split_to(n);
                let end = self.chunk.is_empty() && (self.body_done || self.body.is_end_stream());
                self.stream.send_data(part, end)?;
                if end {
                    return Poll::Ready(Ok(()));
                }
            }
            if self.body_done {
                self.stream.send_data(Bytes::new(), true)?;
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => self.body_done = true,
                Some(Err(error)) => return Poll::Ready(Err(Failed::Body(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.chunk = bytes,
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            self.stream.send_trailers(trailers)?;
                            return Poll::Ready(Ok(()));
                        }
                    }
                },
            }
        }
    }
}
