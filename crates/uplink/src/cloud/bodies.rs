//! A response's body as it comes out of the tunnel, with back-pressure: a window opens as its bytes are taken.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Frame, SizeHint};

use super::{
    gate::{Class, Slot},
    pump::PumpGuard,
    tunnel::Shared,
};
use crate::BoxError;

/// Dropping it before its end resets the stream.
pub(super) struct ResponseBody {
    recv: RecvStream,
    // Let go of at the end, so that a kept but finished body does not occupy a stream.
    held: Option<Held>,
    seen: u64,
    length: Option<u64>,
    data_done: bool,
}

struct Held {
    slot: Arc<Slot>,
    shared: Arc<Shared>,
    pump: Option<PumpGuard>,
}

impl ResponseBody {
    pub(super) fn new(
        recv: RecvStream,
        slot: Arc<Slot>,
        shared: Arc<Shared>,
        pump: Option<PumpGuard>,
        length: Option<u64>,
    ) -> Self {
        Self { recv, held: Some(Held { slot, shared, pump }), seen: 0, length, data_done: false }
    }

    fn took(&mut self, bytes: &Bytes) -> Result<(), h2::Error> {
        self.recv.flow_control().release_capacity(bytes.len())?;
        let before = self.seen;
        self.seen += bytes.len() as u64;
        if let Some(held) = &self.held
            && held.slot.class() == Class::Bulk
        {
            let after = held.shared.gate.limits().boost_after;
            if before < after && self.seen >= after {
                held.shared.boost();
            }
        }
        Ok(())
    }

    /// The device has finished: the request's body may still go on, and is no longer ours to stop.
    fn finish(&mut self) {
        if let Some(held) = self.held.take()
            && let Some(pump) = held.pump
        {
            pump.let_go();
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = &mut *self;
        while !body.data_done {
            match ready!(body.recv.poll_data(cx)) {
                Some(Ok(bytes)) => {
                    body.took(&bytes)?;
                    if body.recv.is_end_stream() {
                        body.data_done = true;
                        body.finish();
                    }
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
                Some(Err(error)) => {
                    body.held = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => body.data_done = true,
            }
        }
        if body.recv.is_end_stream() {
            body.finish();
            return Poll::Ready(None);
        }
        let trailers = ready!(body.recv.poll_trailers(cx))?;
        body.finish();
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.recv.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.length.and_then(|length| length.checked_sub(self.seen)) {
            Some(rest) => SizeHint::with_exact(rest),
            None => SizeHint::default(),
        }
    }
}
