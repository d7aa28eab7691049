//! The answer to an upgrade as the device reads it (Uplink §5.1.1): a 101 or a refusal, wherever the bytes are cut.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use oriel_uplink::{
    Form,
    upgrade::{
        MAX_HEAD,
        response::{Answer, parse, snippet},
        tokens::H2C_REVERSE,
    },
};

/// The key of RFC 6455 §1.3; its answer is in the seeds.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    let seed = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    for step in 0..3 {
        let cut = (seed >> (step * 16)) as usize & 0xffff;
        let early = parse(&bytes[..cut % (bytes.len() + 1)]);
        assert!(early == Ok(None) || early == whole, "{early:?} became {whole:?}");
    }
    if whole == Ok(None) {
        assert!(bytes.len() < MAX_HEAD);
        return;
    }
    let mut longer = bytes.to_vec();
    longer.extend_from_slice(b"\0\0\x06\x04\0\0\0\0\0\r\n\r\n\xff");
    assert_eq!(parse(&longer), whole, "a judgement does not change when more bytes come");
    let Ok(Some((answer, used))) = whole else { return };
    assert!(bytes[..used].ends_with(b"\n\n") || bytes[..used].ends_with(b"\n\r\n"), "early bytes are kept exactly");
    check(&answer, &bytes[used..]);
});

fn check(answer: &Answer, body: &[u8]) {
    assert!((100..600).contains(&answer.status));
    let native = answer.verify(Form::Native, &H2C_REVERSE, KEY);
    let websocket = answer.verify(Form::WebSocket, &H2C_REVERSE, KEY);
    if websocket.is_ok() {
        assert!(answer.verify(Form::WebSocket, &H2C_REVERSE, "another key").is_err(), "the answer belongs to the key");
    }
    let _ = native;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let _ = (answer.retry_after(now), answer.content_length());
    let line = snippet(body);
    assert!(line.chars().count() <= 200);
    assert!(!line.chars().any(char::is_control), "a status text is one line");
    assert_eq!(line.trim(), line);
}
