//! Few large reads beneath TLS: rustls asks for 4 KiB at a time, and each time would be a system call.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::forward::forward_writes;

/// Most bytes that are read at once: two full TLS records.
const AHEAD: usize = 33 * 1024;

/// A stream whose reads take what is there. What is held is given back when it was read, since most connections are idle.
#[derive(Debug)]
pub struct ReadAhead<IO> {
    io: IO,
    ahead: BytesMut,
}

impl<IO> ReadAhead<IO> {
    /// Reads ahead from `io`.
    pub fn new(io: IO) -> Self {
        Self { io, ahead: BytesMut::new() }
    }

    /// The stream beneath.
    pub fn get_ref(&self) -> &IO {
        &self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for ReadAhead<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &mut *self;
        if stream.ahead.is_empty() {
            if buf.remaining() >= AHEAD {
                return Pin::new(&mut stream.io).poll_read(cx, buf);
            }
            let mut ahead = BytesMut::with_capacity(AHEAD);
            ready!(pin!(stream.io.read_buf(&mut ahead)).poll(cx))?;
            stream.ahead = ahead;
        }
        let n = stream.ahead.len().min(buf.remaining());
        buf.put_slice(&stream.ahead[..n]);
        stream.ahead.advance(n);
        if stream.ahead.is_empty() {
            stream.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

forward_writes!(ReadAhead);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_once_and_in_order_and_nothing_is_held_at_the_end() {
        let sent: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        for size in [1, 100, 4096, AHEAD - 1, AHEAD, 2 * AHEAD] {
            let mut stream = ReadAhead::new(&sent[..]);
            let (mut got, mut buf) = (Vec::new(), vec![0; size]);
            loop {
                let n = stream.read(&mut buf).await.unwrap();
                if n == 0 {
                    break;
                }
                got.extend_from_slice(&buf[..n]);
            }
            assert!(got == sent, "{size}");
            assert_eq!(stream.ahead.capacity(), 0);
        }
    }
}
