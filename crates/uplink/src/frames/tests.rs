//! Frames' heads, wherever the bytes are cut.

use super::*;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0, (payload.len() >> 8) as u8, payload.len() as u8, kind, flags, 0, 0, 0, 1];
    out.extend_from_slice(payload);
    out
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
            tally = Tally::and(tally, seen);
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
        let tally = Tally::and(writer.advance(&all[..cut]), writer.advance(&all[cut..]));
        assert_eq!((tally.overruns, tally.strays, tally.data), (1, 2, 1), "cut at {cut}");
        assert!(writer.at_boundary());
    }
}
