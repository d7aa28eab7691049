//! A byte stream with bytes put back in front: what followed a head in the same segment is read again first.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use crate::forward::forward_writes;

/// `io` with `early` bytes read before it.
#[derive(Debug)]
pub struct Rewound<IO> {
    early: Bytes,
    io: IO,
}

impl<IO> Rewound<IO> {
    /// Puts `early` in front of `io`.
    pub fn new(io: IO, early: Bytes) -> Self {
        Self { early, io }
    }

    /// The stream beneath, without what was put back.
    pub fn get_ref(&self) -> &IO {
        &self.io
    }

    /// What was put back and not read yet, and the stream beneath.
    pub fn into_parts(self) -> (IO, Bytes) {
        (self.io, self.early)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Rewound<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let n = self.early.len().min(buf.remaining());
        buf.put_slice(&self.early[..n]);
        self.early.advance(n);
        if self.early.is_empty() {
            // Lets go of the buffer that the head was read into.
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

forward_writes!(Rewound);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn early_bytes_come_first_whatever_the_size_of_the_reads() {
        for size in 1..9 {
            let mut io = Rewound::new(&b"later"[..], Bytes::from_static(b"early "));
            let mut got = Vec::new();
            let mut buf = vec![0; size];
            loop {
                let n = io.read(&mut buf).await.unwrap();
                if n == 0 {
                    break;
                }
                got.extend_from_slice(&buf[..n]);
            }
            assert_eq!(got, b"early later");
        }
    }
}
