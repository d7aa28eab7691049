//! Watches HTTP/2 frame boundaries in a byte stream (RFC 9113 §4.1) without parsing HTTP/2. Pure.
//!
//! Three things need it that no HTTP/2 library offers: the device must see the cloud's GOAWAY while its server keeps the
//! connection open (a client's GOAWAY bars only pushes, but `h2` closes at the next idle moment), the cloud must send a
//! GOAWAY and keep using the tunnel, and both bound the rate of control frames. A frame that the library shall not see is
//! given an unknown type in place: unknown frames are ignored (RFC 9113 §5.5).

/// Bytes of a frame's head.
pub const HEAD: usize = 9;
/// Bytes of the client's connection preface.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
/// A type that nobody uses: what is hidden is given it.
const HIDDEN: u8 = 0xfb;

const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Most bytes of a GOAWAY's text, read or written.
const MAX_TEXT: usize = 200;

/// Marks the payload of a ping of ours, so that its answer can be told from one to the library's ping.
const OUR_PING: u64 = 0x6f72_6900_0000_0000;
const OUR_PING_MASK: u64 = 0xffff_ff00_0000_0000;

/// Which end of HTTP/2 reads and writes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The cloud: writes the preface.
    Client,
    /// The device: reads the preface.
    Server,
}

/// What went by in one run of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames that carry no content: everything but DATA with bytes in it or an end, and HEADERS.
    pub control: u32,
    /// RST_STREAM, also counted in `control`.
    pub resets: u32,
    /// DATA frames.
    pub data: u32,
    /// HEADERS frames.
    pub headers: u32,
    /// SETTINGS that are no acknowledgement.
    pub settings: u32,
    /// The error code of a GOAWAY; its text is in [`Reader::goaway_text`].
    pub goaway: Option<u32>,
    /// What our own ping carried, as its answer brought it back.
    pub pong: Option<u64>,
    /// Streams that we reset, when written, because the peer sent more than their window.
    pub overruns: u32,
    /// Resets that we wrote to frames on streams that are over.
    pub strays: u32,
}

impl Tally {
    /// Both together; of what can be told once the later one counts.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            control: self.control + later.control,
            resets: self.resets + later.resets,
            data: self.data + later.data,
            headers: self.headers + later.headers,
            settings: self.settings + later.settings,
            goaway: later.goaway.or(self.goaway),
            pong: later.pong.or(self.pong),
            overruns: self.overruns + later.overruns,
            strays: self.strays + later.strays,
        }
    }
}

/// Watches what is read and hides what the library must not see.
#[derive(Debug, Clone)]
pub struct Reader {
    hide_goaway: bool,
    /// At the cloud's end the library never pings, so every answer is to a ping of ours.
    hide_pongs: bool,
    skip: u32,
    head: [u8; HEAD],
    have: u8,
    capture: Option<u8>,
    captured: [u8; 8],
    captured_len: u8,
    text: Vec<u8>,
}

impl Reader {
    /// A reader at the start of a connection.
    pub fn new(side: Side) -> Self {
        Self {
            hide_goaway: side == Side::Server,
            hide_pongs: side == Side::Client,
            skip: if side == Side::Server { PREFACE.len() as u32 } else { 0 },
            head: [0; HEAD],
            have: 0,
            capture: None,
            captured: [0; 8],
            captured_len: 0,
            text: Vec::new(),
        }
    }

    /// Whether the last frame's head left a header block open.
    pub fn in_header_block(&self) -> bool {
        matches!(self.head[3], HEADERS | CONTINUATION) && self.head[4] & END_HEADERS == 0
    }

    /// What the last GOAWAY said beside its code, at most 200 bytes.
    pub fn goaway_text(&self) -> &[u8] {
        &self.text
    }

    /// Looks at the next bytes, wherever they were cut, and rewrites the types of hidden frames in place.
    pub fn pass(&mut self, bytes: &mut [u8]) -> Tally {
        let mut tally = Tally::default();
        let mut at = 0;
        while at < bytes.len() {
            if self.skip > 0 {
                let n = (self.skip as usize).min(bytes.len() - at);
                self.payload(&bytes[at..at + n], &mut tally);
                at += n;
                continue;
            }
            let rest = &mut bytes[at..];
            if self.have == 0 && rest.len() >= HEAD {
                self.head.copy_from_slice(&rest[..HEAD]);
                if self.hides(&rest[HEAD..]) {
                    rest[3] = HIDDEN;
                }
                at += HEAD;
            } else {
                let byte = rest[0];
                self.head[usize::from(self.have)] = byte;
                if self.have == 3 && byte == GOAWAY && self.hide_goaway {
                    rest[0] = HIDDEN;
                }
                self.have += 1;
                at += 1;
                if usize::from(self.have) < HEAD {
                    continue;
                }
            }
            self.have = 0;
            self.begin(&mut tally);
        }
        tally
    }

    /// Whether the frame whose head is complete shall be hidden; `payload` is as much of it as is there.
    fn hides(&self, payload: &[u8]) -> bool {
        match self.head[3] {
            GOAWAY => self.hide_goaway,
            // `h2` closes a connection after 100 empty frames in its whole life; some cameras send many.
            DATA => self.empty_data(),
            PING if self.head[4] & ACK != 0 => {
                // Some peers write head and payload apart.
                self.hide_pongs
                    || payload.first_chunk::<8>().is_some_and(|p| u64::from_be_bytes(*p) & OUR_PING_MASK == OUR_PING)
            }
            _ => false,
        }
    }

    fn empty_data(&self) -> bool {
        self.head[3] == DATA && length(&self.head) == 0 && self.head[4] & END_STREAM == 0
    }

    fn begin(&mut self, tally: &mut Tally) {
        self.skip = length(&self.head);
        let (kind, flags) = (self.head[3], self.head[4]);
        match kind {
            DATA => tally.data += 1,
            HEADERS => tally.headers += 1,
            SETTINGS if flags & ACK == 0 => tally.settings += 1,
            RST_STREAM => tally.resets += 1,
            _ => {}
        }
        if (kind != DATA && kind != HEADERS) || self.empty_data() {
            tally.control += 1;
        }
        self.capture = (kind == GOAWAY || (kind == PING && flags & ACK != 0)).then_some(kind);
        self.captured_len = 0;
        if kind == GOAWAY {
            self.text.clear();
        }
        if self.skip == 0 {
            self.finish(tally);
        }
    }

    fn payload(&mut self, bytes: &[u8], tally: &mut Tally) {
        if self.capture.is_some() {
            let from = usize::from(self.captured_len);
            let n = bytes.len().min(self.captured.len() - from);
            self.captured[from..from + n].copy_from_slice(&bytes[..n]);
            self.captured_len += n as u8;
            if self.capture == Some(GOAWAY) {
                let rest = &bytes[n..];
                self.text.extend_from_slice(&rest[..rest.len().min(MAX_TEXT - self.text.len())]);
            }
        }
        self.skip -= bytes.len() as u32;
        if self.skip == 0 {
            self.finish(tally);
        }
    }

    fn finish(&mut self, tally: &mut Tally) {
        let Some(kind) = self.capture.take() else { return };
        let payload = u64::from_be_bytes(self.captured);
        let whole = usize::from(self.captured_len) == self.captured.len();
        match kind {
            // A GOAWAY too short to hold a code counts as a protocol error.
            GOAWAY => tally.goaway = Some(if whole { payload as u32 } else { 1 }),
            _ if whole && payload & OUR_PING_MASK == OUR_PING => tally.pong = Some(payload & !OUR_PING_MASK),
            _ => {}
        }
    }
}

/// Watches what is written, to know where a frame of our own may be put in.
#[derive(Debug, Clone)]
pub struct Writer {
    skip: u32,
    head: [u8; HEAD],
    have: u8,
    in_block: bool,
    /// The last four bytes of a payload that matters: the error code of RST_STREAM.
    code: [u8; 4],
}

impl Writer {
    /// A writer at the start of a connection.
    pub fn new(side: Side) -> Self {
        let skip = if side == Side::Client { PREFACE.len() as u32 } else { 0 };
        Self { skip, head: [0; HEAD], have: 0, in_block: false, code: [0; 4] }
    }

    /// Whether the last byte written ended a frame, and no header block is open (RFC 9113 §4.3).
    pub fn at_boundary(&self) -> bool {
        self.skip == 0 && self.have == 0 && !self.in_block
    }

    /// Takes note of bytes that were written, wherever they were cut.
    pub fn advance(&mut self, mut bytes: &[u8]) -> Tally {
        let mut tally = Tally::default();
        while !bytes.is_empty() {
            if self.skip > 0 {
                let n = (self.skip as usize).min(bytes.len());
                self.skip -= n as u32;
                if self.head[3] == RST_STREAM {
                    self.reset(&bytes[..n], &mut tally);
                }
                bytes = &bytes[n..];
                continue;
            }
            let from = usize::from(self.have);
            let n = bytes.len().min(HEAD - from);
            self.head[from..from + n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            self.have += n as u8;
            if usize::from(self.have) < HEAD {
                break;
            }
            self.have = 0;
            self.skip = length(&self.head);
            match self.head[3] {
                DATA => tally.data += 1,
                HEADERS => tally.headers += 1,
                _ => {}
            }
            if matches!(self.head[3], HEADERS | PUSH_PROMISE | CONTINUATION) {
                self.in_block = self.head[4] & END_HEADERS == 0;
            }
        }
        tally
    }

    /// Why we reset a stream tells what the peer did to it.
    fn reset(&mut self, bytes: &[u8], tally: &mut Tally) {
        for byte in bytes {
            self.code.rotate_left(1);
            self.code[3] = *byte;
        }
        if self.skip == 0 {
            match u32::from_be_bytes(self.code) {
                FLOW_CONTROL_ERROR => tally.overruns += 1,
                STREAM_CLOSED => tally.strays += 1,
                _ => {}
            }
        }
    }
}

fn length(head: &[u8; HEAD]) -> u32 {
    u32::from_be_bytes([0, head[0], head[1], head[2]])
}

/// A ping that carries `stamp` (40 bits) there and back.
pub fn ping(stamp: u64) -> [u8; HEAD + 8] {
    let mut frame = [0; HEAD + 8];
    frame[2] = 8;
    frame[3] = PING;
    frame[HEAD..].copy_from_slice(&(OUR_PING | (stamp & !OUR_PING_MASK)).to_be_bytes());
    frame
}

/// A GOAWAY with no stream of the peer's accepted: pushes are off, so there are none.
pub fn goaway(code: u32, text: &str) -> Vec<u8> {
    let text = &text.as_bytes()[..text.len().min(MAX_TEXT)];
    let mut frame = vec![0, 0, 0, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    frame[1..3].copy_from_slice(&(8 + text.len() as u16).to_be_bytes());
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(text);
    frame
}

/// Bounds frames that nobody asked for: a bucket that refills by time and by what we sent ourselves, since each of our
/// DATA and HEADERS frames rightly brings WINDOW_UPDATE, RST_STREAM and the like back.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: u32,
    burst: u32,
    level: u32,
    at_ms: u64,
}

impl Bucket {
    /// Frames a second and at once.
    pub fn new(rate: u32, burst: u32) -> Self {
        Self { rate, burst, level: burst, at_ms: 0 }
    }

    /// What was written gives credit, up to a thousand times the rate.
    pub fn credit(&mut self, frames: u32) {
        let most = self.rate.saturating_mul(1000).max(self.burst);
        self.level = self.level.saturating_add(frames).min(most);
    }

    /// Takes `frames`; `false` if they are too many.
    pub fn take(&mut self, now_ms: u64, frames: u32) -> bool {
        let grown = now_ms.saturating_sub(self.at_ms).saturating_mul(u64::from(self.rate)) / 1000;
        if grown > 0 {
            self.at_ms = now_ms;
            if self.level < self.burst {
                self.level = u64::from(self.level).saturating_add(grown).min(u64::from(self.burst)) as u32;
            }
        }
        match self.level.checked_sub(frames) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
