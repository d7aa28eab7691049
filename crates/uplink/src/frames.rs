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
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0, (payload.len() >> 8) as u8, payload.len() as u8, kind, flags, 0, 0, 0, 1];
        out.extend_from_slice(payload);
        out
    }

    fn sum(a: Tally, b: Tally) -> Tally {
        Tally {
            control: a.control + b.control,
            resets: a.resets + b.resets,
            data: a.data + b.data,
            headers: a.headers + b.headers,
            settings: a.settings + b.settings,
            goaway: a.goaway.or(b.goaway),
            pong: a.pong.or(b.pong),
            overruns: a.overruns + b.overruns,
            strays: a.strays + b.strays,
        }
    }

    fn sample() -> Vec<u8> {
        let mut all = PREFACE.to_vec();
        all.extend(frame(SETTINGS, 0, &[0; 6]));
        all.extend(frame(HEADERS, END_HEADERS, b"abc"));
        all.extend(goaway(0, "drain"));
        all.extend(frame(DATA, 0, b"hello"));
        all.extend(frame(RST_STREAM, 0, &[0; 4]));
        all.extend(frame(SETTINGS, ACK, &[]));
        all
    }

    #[test]
    fn a_goaway_is_seen_and_hidden_wherever_the_bytes_are_cut() {
        let whole = sample();
        let at = whole.windows(5).position(|w| w == b"drain").unwrap() - 17 + 3;
        for cut in 0..=whole.len() {
            let mut reader = Reader::new(Side::Server);
            let mut bytes = whole.clone();
            let (a, b) = bytes.split_at_mut(cut);
            let mut goaway_text = Vec::new();
            let mut tally = Tally::default();
            for part in [a, b] {
                let seen = reader.pass(part);
                tally = sum(tally, seen);
            }
            goaway_text.extend_from_slice(reader.goaway_text());
            let want = Tally {
                control: 4,
                resets: 1,
                data: 1,
                headers: 1,
                settings: 1,
                goaway: Some(0),
                pong: None,
                ..Tally::default()
            };
            assert_eq!(tally, want, "cut at {cut}");
            assert_eq!(goaway_text, b"drain", "cut at {cut}");
            assert_eq!(bytes[at], HIDDEN);
            bytes[at] = GOAWAY;
            assert_eq!(bytes, whole, "nothing else is touched");
        }
    }

    #[test]
    fn the_client_side_leaves_a_goaway_to_the_library_but_tells_its_code() {
        let whole = goaway(11, "calm");
        let mut bytes = whole.clone();
        let tally = Reader::new(Side::Client).pass(&mut bytes);
        assert_eq!((tally.goaway, bytes), (Some(11), whole));
    }

    #[test]
    fn our_ping_comes_back_and_the_librarys_is_left_alone() {
        let mut ours = ping(123_456);
        ours[4] = ACK;
        let mut reader = Reader::new(Side::Server);
        reader.pass(&mut PREFACE.to_vec());
        assert_eq!(reader.pass(&mut ours).pong, Some(123_456));
        assert_eq!(ours[3], HIDDEN);
        let mut theirs = frame(PING, ACK, b"12345678");
        assert_eq!(reader.pass(&mut theirs).pong, None);
        assert_eq!(theirs[3], PING);
        let mut asked = ping(1);
        assert_eq!(reader.pass(&mut asked).pong, None);
        assert_eq!(asked[3], PING, "a ping that wants an answer reaches the library");
    }

    #[test]
    fn at_the_clouds_end_an_answer_to_a_ping_is_hidden_even_when_its_payload_comes_later() {
        let whole = frame(PING, ACK, &ping(7)[HEAD..]);
        let mut reader = Reader::new(Side::Client);
        let (mut head, mut payload) = (whole[..HEAD].to_vec(), whole[HEAD..].to_vec());
        reader.pass(&mut head);
        assert_eq!(head[3], HIDDEN);
        assert_eq!(reader.pass(&mut payload).pong, Some(7));
    }

    #[test]
    fn an_empty_data_frame_is_hidden_unless_it_ends_the_stream() {
        let mut reader = Reader::new(Side::Client);
        let mut empty = frame(DATA, 0, b"");
        let tally = reader.pass(&mut empty);
        assert_eq!((empty[3], tally.control), (HIDDEN, 1));
        let mut last = frame(DATA, END_STREAM, b"");
        let tally = reader.pass(&mut last);
        assert_eq!((last[3], tally.control), (DATA, 0));
    }

    #[test]
    fn a_frame_may_be_put_in_between_frames_but_not_inside_one_or_a_header_block() {
        let mut all = PREFACE.to_vec();
        let mut boundaries = vec![all.len()];
        all.extend(frame(SETTINGS, 0, &[0; 6]));
        boundaries.push(all.len());
        all.extend(frame(HEADERS, 0, b"abc"));
        all.extend(frame(CONTINUATION, 0, b"def"));
        all.extend(frame(CONTINUATION, END_HEADERS, b"def"));
        boundaries.push(all.len());
        all.extend(frame(DATA, 0, &[7; 300]));
        boundaries.push(all.len());
        let mut writer = Writer::new(Side::Client);
        let mut found = Vec::new();
        for (at, byte) in all.iter().enumerate() {
            writer.advance(std::slice::from_ref(byte));
            if writer.at_boundary() {
                found.push(at + 1);
            }
        }
        assert_eq!(found, boundaries);
        let tally = Writer::new(Side::Client).advance(&all);
        assert_eq!((tally.data, tally.headers), (1, 1));
    }

    #[test]
    fn the_bucket_lets_a_burst_and_a_rate_through_and_no_more() {
        let mut bucket = Bucket::new(100, 500);
        assert!(bucket.take(0, 500) && !bucket.take(0, 1));
        assert!(bucket.take(1000, 100) && !bucket.take(1000, 1));
        bucket.credit(40);
        assert!(bucket.take(1000, 40) && !bucket.take(1000, 1));
        assert!(bucket.take(1_000_000, 500) && !bucket.take(1_000_000, 1));
    }

    #[test]
    fn the_reason_of_our_own_resets_is_read_however_it_is_cut() {
        let reset = |code: u8| frame(RST_STREAM, 0, &[0, 0, 0, code]);
        // CANCEL is ours to use, whatever the peer did.
        let all = [PREFACE.to_vec(), reset(3), frame(DATA, 0, &[3; 7]), reset(8), reset(5), reset(5)].concat();
        for cut in 0..all.len() {
            let mut writer = Writer::new(Side::Client);
            let tally = sum(writer.advance(&all[..cut]), writer.advance(&all[cut..]));
            assert_eq!((tally.overruns, tally.strays, tally.data), (1, 2, 1), "cut at {cut}");
            assert!(writer.at_boundary());
        }
    }
}
