//! An extended CONNECT stream (RFC 8441) as a byte stream: RTSP over WebSocket and the like through the tunnel.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{bodies::ResponseBody, gate::Slot, tunnel::Shared};
use crate::{Body, body};

/// Most bytes of one write that are copied into a frame.
const MAX_WRITE: usize = 16 * 1024;

/// Both directions of the stream. `shutdown` closes ours only; dropping it unfinished resets the stream.
pub struct TunnelStream {
    send: SendStream<Bytes>,
    recv: RecvStream,
    rest: Bytes,
    shut: bool,
    slot: Arc<Slot>,
    shared: Arc<Shared>,
    seen: u64,
}

impl TunnelStream {
    pub(super) fn new(send: SendStream<Bytes>, recv: RecvStream, slot: Arc<Slot>, shared: Arc<Shared>) -> Self {
        Self { send, recv, rest: Bytes::new(), shut: false, slot, shared, seen: 0 }
    }

    /// What comes from the device as an ordinary body: for a CONNECT that was refused with a text.
    pub fn into_body(mut self) -> Body {
        let _ = self.send.send_data(Bytes::new(), true);
        body::boxed(ResponseBody::new(self.recv, self.slot, self.shared, None, None))
    }
}

impl std::fmt::Debug for TunnelStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TunnelStream")
    }
}

fn to_io(error: h2::Error) -> io::Error {
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
    }
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

impl AsyncRead for TunnelStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &mut *self;
        while stream.rest.is_empty() {
            match ready!(stream.recv.poll_data(cx)) {
                Some(Ok(bytes)) => stream.rest = bytes,
                // A reset without an error is how some peers end a stream whose other half they ignore.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(to_io(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = stream.rest.len().min(buf.remaining());
        buf.put_slice(&stream.rest[..n]);
        stream.rest.advance(n);
        stream.recv.flow_control().release_capacity(n).map_err(to_io)?;
        let before = stream.seen;
        stream.seen += n as u64;
        let after = stream.shared.gate.limits().boost_after;
        if before < after && stream.seen >= after {
            stream.shared.boost();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let stream = &mut *self;
        if stream.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        while stream.send.capacity() == 0 {
            stream.send.reserve_capacity(buf.len().min(MAX_WRITE));
            match ready!(stream.send.poll_capacity(cx)) {
                Some(granted) => granted.map_err(to_io)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let n = stream.send.capacity().min(buf.len());
        stream.send.send_data(Bytes::copy_from_slice(&buf[..n]), false).map_err(to_io)?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.shut, true) {
            self.send.send_data(Bytes::new(), true).map_err(to_io)?;
        }
        Poll::Ready(Ok(()))
    }
}
