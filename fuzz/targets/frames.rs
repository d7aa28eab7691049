//! The watcher of HTTP/2 frame boundaries (RFC 9113 §4.1): it counts the same wherever the bytes are cut, and changes nothing but
//! the types of frames that it hides.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_uplink::frames::{HEAD, PREFACE, Reader, Side, Tally, Writer};

const DATA: u8 = 0;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let side = if first & 1 == 0 { Side::Client } else { Side::Server };
    let step = usize::from(first >> 1) + 1;
    reads(side, bytes, step);
    writes(side, bytes, step);
});

fn reads(side: Side, bytes: &[u8], step: usize) {
    let mut whole = bytes.to_vec();
    let tally = Reader::new(side).pass(&mut whole);
    let mut cut = bytes.to_vec();
    let mut reader = Reader::new(side);
    let summed = cut.chunks_mut(step).map(|piece| reader.pass(piece)).fold(Tally::default(), Tally::and);
    assert_eq!(summed, tally, "in pieces of {step} bytes");

    let skip = if side == Side::Server { PREFACE.len() } else { 0 };
    let heads = heads(bytes, skip);
    let data = heads.iter().filter(|at| bytes[**at + 3] == DATA).count();
    assert_eq!(usize::try_from(tally.data), Ok(data));
    assert!(tally.control >= tally.resets.max(tally.settings));
    only_hidden(side, bytes, &whole, &heads, skip);
    only_hidden(side, bytes, &cut, &heads, skip);
    if side == Side::Server {
        assert!(heads.iter().all(|at| cut[*at + 3] != GOAWAY && whole[*at + 3] != GOAWAY), "a GOAWAY is always hidden");
    }
}

/// Where the complete heads of frames are, by an independent walk.
fn heads(bytes: &[u8], mut at: usize) -> Vec<usize> {
    let mut heads = Vec::new();
    while at + HEAD <= bytes.len() {
        heads.push(at);
        at += HEAD + u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]]) as usize;
    }
    heads
}

fn only_hidden(side: Side, before: &[u8], after: &[u8], heads: &[usize], skip: usize) {
    let last = heads
        .last()
        .map_or(skip, |at| at + HEAD + u32::from_be_bytes([0, before[*at], before[*at + 1], before[*at + 2]]) as usize);
    for (at, (was, is)) in before.iter().zip(after).enumerate().filter(|(_, (was, is))| was != is) {
        let in_head = at >= 3 && heads.binary_search(&(at - 3)).is_ok();
        // The type of a head that has not come whole is hidden too.
        let begun = at == last + 3 && *was == GOAWAY;
        assert!(in_head || begun, "byte {at} is none of a type");
        assert_eq!(*is, 0xfb);
        assert!(*was == DATA || *was == PING || (*was == GOAWAY && side == Side::Server));
    }
}

fn writes(side: Side, bytes: &[u8], step: usize) {
    let mut whole = Writer::new(side);
    let tally = whole.advance(bytes);
    let mut cut = Writer::new(side);
    let summed = bytes.chunks(step).map(|piece| cut.advance(piece)).fold(Tally::default(), Tally::and);
    assert_eq!(summed, tally);
    assert_eq!(cut.at_boundary(), whole.at_boundary());
}
