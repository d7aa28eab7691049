//! Many small writes as few large ones: what HTTP/2 writes while its connection is polled leaves together.
//!
//! `h2` flushes after each frame, so that each response becomes a TLS record and a system call of its own. [`Packed`] gathers frames into full records, and
//! [`Deferred`] puts flushing off until whoever polls the connection says that this was all ([`drive`]).

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The payload of a full TLS record.
const RECORD: usize = 16 * 1024;
/// Most slices that are passed on at once.
const SLICES: usize = 16;

/// Gathers small writes until they fill a TLS record or are flushed.
#[derive(Debug)]
pub struct Packed<IO> {
    io: IO,
    /// Less than a record. Given back whenever it is empty, since most connections are idle.
    small: BytesMut,
    handed: u64,
}

impl<IO> Packed<IO> {
    /// Packs what is written to `io`.
    pub fn new(io: IO) -> Self {
        Self { io, small: BytesMut::new(), handed: 0 }
    }

    /// Bytes that `io` has taken: what was written, less what is held back.
    pub fn handed(&self) -> u64 {
        self.handed
    }
}

impl<IO: AsyncWrite + Unpin> Packed<IO> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.small.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.small))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.small.advance(n);
            self.handed += n as u64;
        }
        self.small = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Takes from `bufs`: into the buffer while there is room for all, else through it.
    fn poll_take(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        loop {
            if self.small.len() + total < RECORD {
                bufs.iter().for_each(|buf| self.small.extend_from_slice(buf));
                return Poll::Ready(Ok(total));
            }
            let before = self.small.len();
            let n = if before == 0 {
                ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?
            } else {
                let mut all = [IoSlice::new(&[]); SLICES];
                all[0] = IoSlice::new(&self.small);
                let used = all[1..].iter_mut().zip(bufs).map(|(slot, buf)| *slot = IoSlice::new(buf)).count();
                ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &all[..=used]))?
            };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.handed += n as u64;
            self.small.advance(n.min(before));
            if n > before {
                return Poll::Ready(Ok(n - before));
            }
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Packed<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Packed<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_take(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_take(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A stream in two hands: HTTP/2 reads and writes, and whoever drives HTTP/2 flushes.
#[derive(Debug)]
pub struct Deferred<IO>(Arc<Mutex<Shared<IO>>>);

#[derive(Debug)]
struct Shared<IO> {
    io: IO,
    unflushed: bool,
    /// What a flush met: told with the next read or write, since the flush was nobody's.
    failed: Option<io::Error>,
}

impl<IO> Clone for Deferred<IO> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<IO> Deferred<IO> {
    /// Shares `io` between its clones.
    pub fn new(io: IO) -> Self {
        Self(Arc::new(Mutex::new(Shared { io, unflushed: false, failed: None })))
    }

    fn lock(&self) -> MutexGuard<'_, Shared<IO>> {
        // Both hands are one task's: a panic ends both.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<IO> Shared<IO> {
    fn healthy(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl<IO: AsyncWrite + Unpin> Deferred<IO> {
    /// To be called whenever the poll of the connection was pending: flushes what it wrote. `waited` is the caller's memory from call to call.
    pub fn settle(&self, cx: &mut Context<'_>, waited: &mut bool) {
        let mut shared = self.lock();
        if shared.unflushed && !*waited {
            // Others that have something to send are ready to run at this moment: one turn for them.
            *waited = true;
            cx.waker().wake_by_ref();
            return;
        }
        *waited = false;
        shared.flush(cx);
    }

    /// Flushes at once, as far as the stream takes it without waiting.
    pub fn flush_now(&self, cx: &mut Context<'_>) {
        self.lock().flush(cx);
    }
}

impl<IO: AsyncWrite + Unpin> Shared<IO> {
    fn flush(&mut self, cx: &mut Context<'_>) {
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(error)) => {
                self.unflushed = false;
                self.failed = Some(error);
                cx.waker().wake_by_ref();
            }
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Deferred<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.lock();
        shared.healthy()?;
        Pin::new(&mut shared.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Deferred<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.lock();
        shared.healthy()?;
        shared.unflushed = true;
        Pin::new(&mut shared.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut shared = self.lock();
        shared.healthy()?;
        shared.unflushed = true;
        Pin::new(&mut shared.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.lock().io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().io).poll_shutdown(cx)
    }
}

/// Polls `connection` to its end, and flushes `stream` whenever nothing more is to be written at the moment.
pub async fn drive<F: Future, IO: AsyncWrite + Unpin>(connection: F, stream: Deferred<IO>) -> F::Output {
    let mut connection = pin!(connection);
    let mut waited = false;
    poll_fn(move |cx| {
        let polled = connection.as_mut().poll(cx);
        if polled.is_pending() {
            stream.settle(cx, &mut waited);
        } else {
            stream.flush_now(cx);
        }
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Takes at most `most` bytes a write, and counts the writes.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        writes: usize,
        most: usize,
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            let n = buf.len().min(self.most);
            self.taken.extend_from_slice(&buf[..n]);
            self.writes += 1;
            Poll::Ready(Ok(n))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn every_byte_arrives_once_and_in_order_however_it_is_cut() {
        for most in [1, 7, 1000, RECORD, 10 * RECORD] {
            let mut packed = Packed::new(Slow { most, ..Slow::default() });
            let mut expected = Vec::new();
            for (n, size) in [3, RECORD - 1, 1, 5 * RECORD, 0, 40, RECORD, 2].into_iter().enumerate() {
                let bytes = vec![n as u8; size];
                packed.write_all(&bytes).await.unwrap();
                expected.extend(bytes);
            }
            packed.flush().await.unwrap();
            assert!(packed.io.taken == expected, "{most}");
            assert_eq!((packed.handed(), packed.small.capacity()), (expected.len() as u64, 0));
        }
    }

    #[tokio::test]
    async fn small_writes_leave_together() {
        let mut packed = Packed::new(Slow { most: usize::MAX, ..Slow::default() });
        for _ in 0..100 {
            packed.write_all(&[1; 100]).await.unwrap();
        }
        assert_eq!(packed.io.writes, 0);
        packed.flush().await.unwrap();
        assert_eq!(packed.io.writes, 1);
    }

    #[tokio::test]
    async fn what_a_connection_writes_leaves_when_it_rests() {
        let (near, mut far) = tokio::io::duplex(64);
        let stream = Deferred::new(Packed::new(near));
        let mut writer = stream.clone();
        let connection = async move {
            writer.write_all(b"together").await.unwrap();
            writer.flush().await.unwrap();
            std::future::pending::<()>().await;
        };
        let mut bytes = [0; 8];
        tokio::select! {
            () = drive(connection, stream) => unreachable!("it never ends"),
            read = far.read_exact(&mut bytes) => assert_eq!(read.unwrap(), 8),
        }
        assert_eq!(&bytes, b"together");
    }

    #[tokio::test]
    async fn a_flush_that_fails_fails_the_next_read() {
        let (near, far) = tokio::io::duplex(64);
        drop(far);
        let stream = Deferred::new(Packed::new(near));
        let mut hand = stream.clone();
        hand.write_all(b"lost").await.unwrap();
        stream.flush_now(&mut Context::from_waker(std::task::Waker::noop()));
        assert_eq!(hand.read(&mut [0; 4]).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
