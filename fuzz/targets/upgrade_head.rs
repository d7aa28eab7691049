//! The upgrade request as the cloud reads it (Uplink §5.1.1): one judgement, wherever the bytes are cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_uplink::{
    Form,
    upgrade::{
        MAX_HEAD,
        request::{Judged, UpgradeRequest, parse, parse_within},
    },
};

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    check(bytes, &whole);
    let seed = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    for step in 0..3 {
        let cut = (seed >> (step * 16)) as usize & 0xffff;
        grows(&bytes[..cut % (bytes.len() + 1)], &whole, MAX_HEAD);
    }
    // The same with a bound that short heads meet.
    let bound = 64 + (seed >> 48) as usize % 64;
    let bounded = parse_within(bytes, bound);
    grows(&bytes[..(seed >> 20) as usize % (bytes.len() + 1)], &bounded, bound);
    if whole != Judged::Partial {
        let mut longer = bytes.to_vec();
        longer.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nUpgrade: h2c-reverse\r\n\r\n\xff");
        assert_eq!(parse(&longer), whole, "a judgement does not change when more bytes come");
    }
});

fn grows(prefix: &[u8], whole: &Judged, bound: usize) {
    let early = parse_within(prefix, bound);
    assert!(early == Judged::Partial || early == *whole, "{early:?} at {} bytes became {whole:?}", prefix.len());
}

fn check(bytes: &[u8], judged: &Judged) {
    match judged {
        Judged::Uplink(request, used) => {
            assert!(*used <= bytes.len().min(MAX_HEAD));
            assert!(
                bytes[..*used].ends_with(b"\n\n") || bytes[..*used].ends_with(b"\n\r\n"),
                "early bytes are kept exactly"
            );
            assert_eq!(parse(&bytes[..*used]), *judged, "the head is all that was read");
            sound(request);
        }
        Judged::Partial => assert!(bytes.len() < MAX_HEAD),
        Judged::Broken(error) => assert!((400..600).contains(&error.status)),
        Judged::Other => {}
    }
}

fn sound(request: &UpgradeRequest) {
    assert!(!request.target.chars().any(char::is_control), "the target is fit for a log");
    assert_eq!(request.websocket_key.is_some(), request.form == Form::WebSocket);
    if let Some(token) = &request.token {
        assert!(token.reveal().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!token.reveal().is_empty());
    }
}
