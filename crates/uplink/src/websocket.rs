//! Binary WebSocket messages as a byte stream (Uplink §5.1.1.2, RFC 6455): what HTTP/2 runs over in the WebSocket form.
//!
//! Message boundaries mean nothing: frames span messages, messages hold many frames. Text is answered with close 1003.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::frames::Bucket;

pub use tokio_tungstenite::tungstenite::protocol::Role;

/// Most bytes in one message, in and out: a peer that packs more is closed.
pub const MAX_MESSAGE: usize = 1024 * 1024;
/// Most bytes that we put into one message.
const MAX_SENT: usize = 64 * 1024;

/// Pings, pongs and empty messages that are taken a second, and at once.
const IDLE_RATE: u32 = 20;
const IDLE_BURST: u32 = 200;

/// Small buffers: the defaults cost 145 KB for each idle connection.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(8192)
        .max_write_buffer_size(256 * 1024)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// The stream over an already upgraded connection.
#[derive(Debug)]
pub struct WebSocketBytes<IO> {
    socket: WebSocketStream<IO>,
    message: Bytes,
    refusing: Option<&'static str>,
    close_sent: bool,
    idle_words: Bucket,
    start: Instant,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> WebSocketBytes<IO> {
    /// Wraps a connection whose upgrade is done.
    pub async fn new(io: IO, role: Role) -> Self {
        Self::over(WebSocketStream::from_raw_socket(io, role, Some(config())).await)
    }

    /// What [`Self::new`] sets a WebSocket up with, for whoever makes the handshake as well.
    pub fn config() -> WebSocketConfig {
        config()
    }

    /// Wraps a WebSocket whose handshake somebody else made.
    pub fn over(socket: WebSocketStream<IO>) -> Self {
        let idle_words = Bucket::new(IDLE_RATE, IDLE_BURST);
        Self { socket, message: Bytes::new(), refusing: None, close_sent: false, idle_words, start: Instant::now() }
    }

    /// Bounds messages that carry nothing; what carries bytes is bounded by the layer above.
    fn idle_word(&mut self) {
        let now = self.start.elapsed().as_millis() as u64;
        if !self.idle_words.take(now, 1) {
            self.refusing = Some("more WebSocket control messages per second than are allowed");
        }
    }

    /// Says why no more is read (RFC 6455 §7.4.1: 1003, data of a type that cannot be accepted), then fails.
    fn poll_refusal(&mut self, cx: &mut Context<'_>, why: &'static str) -> Poll<io::Result<()>> {
        if !self.close_sent {
            let frame = CloseFrame { code: CloseCode::Unsupported, reason: why.into() };
            if ready!(Pin::new(&mut self.socket).poll_ready(cx)).is_ok() {
                // Failing to say it changes nothing: the connection ends anyway.
                let _ = Pin::new(&mut self.socket).start_send(Message::Close(Some(frame)));
            }
            self.close_sent = true;
        }
        let _ = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)))
    }

    fn send(&mut self, message: Bytes) -> io::Result<usize> {
        let n = message.len();
        Pin::new(&mut self.socket).start_send(Message::Binary(message)).map(|()| n).map_err(to_io)
    }
}

fn to_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketBytes<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(why) = self.refusing {
                return self.poll_refusal(cx, why);
            }
            if !self.message.is_empty() {
                let n = self.message.len().min(buf.remaining());
                buf.put_slice(&self.message[..n]);
                self.message.advance(n);
                if self.message.is_empty() {
                    self.message = Bytes::new();
                }
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) if bytes.is_empty() => self.idle_word(),
                Some(Ok(Message::Binary(bytes))) => self.message = bytes,
                Some(Ok(Message::Text(_))) => self.refusing = Some("only binary messages are spoken here"),
                // A ping was answered by the library; its answer leaves with the next flush.
                Some(Ok(Message::Ping(_))) => {
                    let _ = Pin::new(&mut self.socket).poll_flush(cx);
                    self.idle_word();
                }
                Some(Ok(Message::Pong(_) | Message::Frame(_))) => self.idle_word(),
                Some(Ok(Message::Close(_))) => {
                    let _ = Pin::new(&mut self.socket).poll_flush(cx);
                    return Poll::Ready(Ok(()));
                }
                // HTTP/2 has an end of its own; a connection that just ends is the end of the stream.
                None | Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(to_io(error))),
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketBytes<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(to_io)?;
        Poll::Ready(self.send(Bytes::copy_from_slice(&buf[..buf.len().min(MAX_SENT)])))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(to_io)?;
        let mut message = BytesMut::with_capacity(bufs.iter().map(|buf| buf.len()).sum::<usize>().min(MAX_SENT));
        for buf in bufs {
            let room = MAX_SENT - message.len();
            message.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        Poll::Ready(self.send(message.freeze()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(to_io)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.socket).poll_close(cx) {
            Poll::Ready(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => Poll::Ready(Ok(())),
            other => other.map_err(to_io),
        }
    }
}

/// Reads `bytes` as a whole connection and gives the byte stream inside, without a runtime: for fuzzing and transcripts.
pub fn decode(role: Role, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut cx = Context::from_waker(Waker::noop());
    let script = Script { input: bytes };
    let mut stream = match std::pin::pin!(WebSocketBytes::new(script, role)).poll(&mut cx) {
        Poll::Ready(stream) => stream,
        Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
    };
    let mut out = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let mut buf = ReadBuf::new(&mut chunk);
        match Pin::new(&mut stream).poll_read(&mut cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => return Ok(out),
            Poll::Ready(Ok(())) => out.extend_from_slice(buf.filled()),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// All input there at once, all output dropped.
struct Script<'a> {
    input: &'a [u8],
}

impl AsyncRead for Script<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_read(cx, buf)
    }
}

impl AsyncWrite for Script<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
