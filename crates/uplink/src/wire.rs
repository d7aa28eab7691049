//! The byte stream beneath HTTP/2, watched: bytes and times for [`crate::liveness`], frames for [`crate::frames`], and a
//! place to put frames of our own between the library's.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::{
    frames::{self, Bucket, Reader, Side, Tally, Writer},
    liveness::View,
    packed::Packed,
    upgrade::response::snippet,
};

const NOT_BLOCKED: u64 = u64::MAX;

const SEND_PING: u8 = 1;
const SEND_GOAWAY: u8 = 2;
const SEND_BYE: u8 = 4;
const MUTE: u8 = 8;

const SAW_GOAWAY: u8 = 1;
const SAW_FLOOD: u8 = 2;
const SAW_RESETS: u8 = 4;
const IN_BLOCK: u8 = 8;
const SAW_OVERRUN: u8 = 16;
const SAW_STRAYS: u8 = 32;

/// What a tunnel's byte stream shows to the outside, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Meter {
    start: Instant,
    read: AtomicU64,
    written: AtomicU64,
    last_read_ms: AtomicU64,
    blocked_ms: AtomicU64,
    rtt_us: AtomicU64,
    settings: AtomicU32,
    goaway_code: AtomicU32,
    goaway_text: Mutex<String>,
    bye: OnceLock<(u32, String)>,
    wanted: AtomicU8,
    seen: AtomicU8,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            last_read_ms: AtomicU64::new(0),
            blocked_ms: AtomicU64::new(NOT_BLOCKED),
            rtt_us: AtomicU64::new(0),
            settings: AtomicU32::new(0),
            goaway_code: AtomicU32::new(0),
            goaway_text: Mutex::new(String::new()),
            bye: OnceLock::new(),
            wanted: AtomicU8::new(0),
            seen: AtomicU8::new(0),
        }
    }

    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    pub(crate) fn bytes_written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        match self.rtt_us.load(Relaxed) {
            0 => None,
            us => Some(Duration::from_micros(us)),
        }
    }

    /// How many SETTINGS the peer sent.
    pub(crate) fn settings(&self) -> u32 {
        self.settings.load(Relaxed)
    }

    pub(crate) fn view(&self) -> View {
        let blocked = self.blocked_ms.load(Relaxed);
        View {
            last_read: Duration::from_millis(self.last_read_ms.load(Relaxed)),
            blocked_since: (blocked != NOT_BLOCKED).then(|| Duration::from_millis(blocked)),
            settings: self.settings() > 0,
        }
    }

    /// The code of the peer's GOAWAY, once there was one.
    pub(crate) fn goaway(&self) -> Option<u32> {
        (self.seen.load(Relaxed) & SAW_GOAWAY != 0).then(|| self.goaway_code.load(Relaxed))
    }

    /// What the peer's GOAWAY said, fit for a person.
    pub(crate) fn goaway_text(&self) -> String {
        self.goaway_text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn flooded(&self) -> bool {
        self.seen.load(Relaxed) & SAW_FLOOD != 0
    }

    pub(crate) fn reset_too_often(&self) -> bool {
        self.seen.load(Relaxed) & SAW_RESETS != 0
    }

    /// What the peer did to flow control or to streams that are over, if it did more than happens by chance. `h2` resets the stream alone
    /// and goes on reading what is sent to it, without an end.
    pub(crate) fn violation(&self) -> Option<&'static str> {
        let seen = self.seen.load(Relaxed);
        if seen & SAW_OVERRUN != 0 {
            Some("flow-control protocol violated: more DATA than the window of its stream")
        } else if seen & SAW_STRAYS != 0 {
            Some("more frames than are allowed on streams that are over")
        } else {
            None
        }
    }

    /// Whether a header block was open when the last frame was seen.
    pub(crate) fn in_header_block(&self) -> bool {
        self.seen.load(Relaxed) & IN_BLOCK != 0
    }

    /// Asks for a ping at the next frame boundary. The connection has to be polled for it to leave.
    pub(crate) fn send_ping(&self) {
        self.wanted.fetch_or(SEND_PING, Relaxed);
    }

    /// Asks for GOAWAY(NO_ERROR), after which the connection goes on.
    pub(crate) fn send_goaway(&self) {
        self.wanted.fetch_or(SEND_GOAWAY, Relaxed);
    }

    /// Asks for a last GOAWAY; nothing is read any more.
    pub(crate) fn send_bye(&self, code: u32, text: String) {
        self.bye.get_or_init(|| (code, text));
        self.wanted.fetch_or(SEND_BYE | MUTE, Relaxed);
    }

    fn note(&self, tally: &Tally, goaway_text: &[u8], now: Duration) {
        if tally.settings > 0 {
            self.settings.fetch_add(tally.settings, Relaxed);
        }
        if let Some(code) = tally.goaway {
            self.goaway_code.store(code, Relaxed);
            *self.goaway_text.lock().unwrap_or_else(PoisonError::into_inner) = snippet(goaway_text);
            self.seen.fetch_or(SAW_GOAWAY, Relaxed);
        }
        if let Some(stamp) = tally.pong {
            let us = (now.as_micros() as u64).wrapping_sub(stamp) & 0xff_ffff_ffff;
            self.rtt_us.store(us.max(1), Relaxed);
        }
    }
}

/// How many uninvited frames a peer may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameRates {
    pub control: u32,
    pub control_burst: u32,
    pub resets: u32,
    pub resets_burst: u32,
}

/// The watched stream.
#[derive(Debug)]
pub(crate) struct Wire<IO> {
    io: Packed<IO>,
    handed: u64,
    side: Side,
    reader: Reader,
    writer: Writer,
    control: Bucket,
    resets: Bucket,
    meter: Arc<Meter>,
    ours: Vec<u8>,
    ours_at: usize,
}

impl<IO> Wire<IO> {
    pub(crate) fn new(io: IO, side: Side, rates: FrameRates, meter: Arc<Meter>) -> Self {
        Self {
            io: Packed::new(io),
            handed: 0,
            side,
            reader: Reader::new(side),
            writer: Writer::new(side),
            control: Bucket::new(rates.control, rates.control_burst),
            resets: Bucket::new(rates.resets, rates.resets_burst),
            meter,
            ours: Vec::new(),
            ours_at: 0,
        }
    }

    fn read_some(&mut self, bytes: &mut [u8]) {
        let now = self.meter.now();
        let ms = now.as_millis() as u64;
        self.meter.last_read_ms.store(ms, Relaxed);
        self.meter.read.fetch_add(bytes.len() as u64, Relaxed);
        let tally = self.reader.pass(bytes);
        if tally.control > 0 || tally.headers > 0 || tally.goaway.is_some() || tally.pong.is_some() {
            self.meter.note(&tally, self.reader.goaway_text(), now);
            if self.reader.in_header_block() {
                self.meter.seen.fetch_or(IN_BLOCK, Relaxed);
            } else if self.meter.in_header_block() {
                self.meter.seen.fetch_and(!IN_BLOCK, Relaxed);
            }
            // On the cloud's side HEADERS are answers, and an answer's interim heads must not flood either.
            let uninvited = if self.side == Side::Client { tally.control + tally.headers } else { tally.control };
            if self.side == Side::Server {
                self.control.credit(tally.headers);
                self.resets.credit(tally.headers);
            }
            if !self.control.take(ms, uninvited) {
                self.meter.seen.fetch_or(SAW_FLOOD, Relaxed);
            }
            if tally.resets > 0 && !self.resets.take(ms, tally.resets) {
                self.meter.seen.fetch_or(SAW_RESETS, Relaxed);
            }
        }
    }

    fn wrote_some(&mut self, n: usize) {
        self.meter.written.fetch_add(n as u64, Relaxed);
        self.progressed();
    }

    /// Only what the stream beneath took is progress: what is held back to be packed may be stuck.
    fn progressed(&mut self) {
        let handed = self.io.handed();
        if self.handed != handed {
            self.handed = handed;
            self.meter.blocked_ms.store(NOT_BLOCKED, Relaxed);
        }
    }

    fn credit(&mut self, tally: &Tally) {
        if tally.data > 0 || tally.headers > 0 {
            self.control.credit(tally.data.saturating_mul(4).saturating_add(tally.headers.saturating_mul(8)));
            self.resets.credit(tally.headers);
        }
        if tally.overruns > 0 {
            self.meter.seen.fetch_or(SAW_OVERRUN, Relaxed);
        }
        if tally.strays > 0 && !self.resets.take(self.meter.now().as_millis() as u64, tally.strays) {
            self.meter.seen.fetch_or(SAW_STRAYS, Relaxed);
        }
    }

    fn blocked(&mut self) {
        self.progressed();
        if self.meter.blocked_ms.load(Relaxed) == NOT_BLOCKED {
            self.meter.blocked_ms.store(self.meter.now().as_millis() as u64, Relaxed);
        }
    }

    /// Composes what was asked for, if the last written byte ended a frame.
    fn compose(&mut self) {
        if self.meter.wanted.load(Relaxed) & !MUTE == 0 || !self.writer.at_boundary() {
            return;
        }
        let wanted = self.meter.wanted.fetch_and(MUTE, Relaxed);
        if wanted & SEND_PING != 0 {
            self.ours.extend_from_slice(&frames::ping(self.meter.now().as_micros() as u64));
        }
        if wanted & SEND_GOAWAY != 0 {
            self.ours.extend_from_slice(&frames::goaway(0, "drain"));
        }
        if wanted & SEND_BYE != 0 {
            let (code, text) = self.meter.bye.get().map_or((0, ""), |(code, text)| (*code, text));
            self.ours.extend_from_slice(&frames::goaway(code, text));
        }
    }
}

impl<IO: AsyncWrite + Unpin> Wire<IO> {
    /// Writes what is ours; ready once nothing of it is left.
    fn poll_ours(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ours.is_empty() {
            self.compose();
        }
        while self.ours_at < self.ours.len() {
            let n = match Pin::new(&mut self.io).poll_write(cx, &self.ours[self.ours_at..]) {
                Poll::Ready(n) => n?,
                Poll::Pending => {
                    self.blocked();
                    return Poll::Pending;
                }
            };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.ours_at += n;
            self.wrote_some(n);
        }
        if !self.ours.is_empty() {
            self.ours = Vec::new();
            self.ours_at = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Wire<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.meter.wanted.load(Relaxed) & MUTE != 0 {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let bytes = &mut buf.filled_mut()[before..];
        if !bytes.is_empty() {
            self.read_some(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Wire<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_ours(cx))?;
        let Poll::Ready(result) = Pin::new(&mut self.io).poll_write(cx, buf) else {
            self.blocked();
            return Poll::Pending;
        };
        let n = result?;
        let tally = self.writer.advance(&buf[..n]);
        self.credit(&tally);
        self.wrote_some(n);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ours(cx))?;
        let Poll::Ready(result) = Pin::new(&mut self.io).poll_write_vectored(cx, bufs) else {
            self.blocked();
            return Poll::Pending;
        };
        let n = result?;
        let mut left = n;
        for buf in bufs {
            let part = left.min(buf.len());
            let tally = self.writer.advance(&buf[..part]);
            self.credit(&tally);
            left -= part;
            if left == 0 {
                break;
            }
        }
        self.wrote_some(n);
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_ours(cx))?;
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(result) => {
                self.meter.blocked_ms.store(NOT_BLOCKED, Relaxed);
                Poll::Ready(result)
            }
            Poll::Pending => {
                self.blocked();
                Poll::Pending
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
