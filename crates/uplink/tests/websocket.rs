//! Binary messages as a byte stream (Uplink §5.1.1.2): cut anywhere, joined anyhow, and closed on what is no byte stream.
#![allow(clippy::unwrap_used)]

mod support;

use oriel_uplink::{
    Form, Rewound,
    cloud::{Class, CloseReason, Limits},
    websocket::{MAX_MESSAGE, Role, WebSocketBytes, decode},
};
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A frame as a server sends it, unmasked.
fn message(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![opcode | if last { 0x80 } else { 0 }];
    match payload.len() {
        n @ 0..126 => out.push(n as u8),
        n @ 126..65536 => {
            out.push(126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(payload);
    out
}

/// The same as a client sends it, masked.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = message(opcode, true, payload);
    let at = out.len() - payload.len();
    out[1] |= 0x80;
    let mask = [1, 2, 3, 4];
    for (n, byte) in out[at..].iter_mut().enumerate() {
        *byte ^= mask[n % 4];
    }
    out.splice(at..at, mask);
    out
}

#[test]
fn messages_are_joined_wherever_they_were_cut() {
    let content: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
    for size in [1, 7, 125, 126, 999, 1000] {
        let bytes: Vec<u8> = content.chunks(size).flat_map(|part| message(2, true, part)).collect();
        assert_eq!(decode(Role::Client, &bytes).unwrap(), content, "messages of {size}");
        let bytes: Vec<u8> = content.chunks(size).flat_map(|part| masked(2, part)).collect();
        assert_eq!(decode(Role::Server, &bytes).unwrap(), content, "messages of {size}");
    }
}

#[test]
fn fragments_with_pings_between_them_and_empty_messages_are_one_stream() {
    let mut bytes = message(2, false, b"he");
    bytes.extend(message(9, true, b"are you there"));
    bytes.extend(message(0, false, b""));
    bytes.extend(message(0, true, b"llo"));
    bytes.extend(message(2, true, b""));
    bytes.extend(message(10, true, b"yes"));
    bytes.extend(message(2, true, b"!"));
    bytes.extend(message(8, true, &[3, 232]));
    assert_eq!(decode(Role::Client, &bytes).unwrap(), b"hello!");
}

#[test]
fn what_is_no_byte_stream_is_an_error() {
    for bad in [
        message(1, true, b"text"),
        message(3, true, b"reserved opcode"),
        message(0, true, b"continues nothing"),
        masked(2, b"a server must not mask"),
        // A reserved bit: compression, which was not asked for.
        {
            let mut bytes = message(2, true, b"x");
            bytes[0] |= 0x40;
            bytes
        },
        message(2, true, &vec![0; MAX_MESSAGE + 1]),
        message(9, true, &[0; 126]),
    ] {
        assert!(decode(Role::Client, &bad).is_err(), "{:02x?}", &bad[..bad.len().min(12)]);
    }
    assert!(decode(Role::Server, &message(2, true, b"a client must mask")).is_err());
}

async fn raw_websocket_device() -> (DuplexStream, oriel_uplink::cloud::Tunnel) {
    let (mut near, far) = duplex(1 << 16);
    near.write_all(
        b"GET /?access_token=abc HTTP/1.1\r\nHost: c\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
          Sec-WebSocket-Protocol: h2c-reverse\r\n\r\n",
    )
    .await
    .unwrap();
    // The device's SETTINGS in the same segment as its request.
    near.write_all(&masked(2, &frame(4, 0, 0, &[]))).await.unwrap();
    let incoming = incoming(far).await;
    assert_eq!((incoming.form(), incoming.token().unwrap().reveal()), (Form::WebSocket, "abc"));
    assert_eq!(incoming.target(), "/");
    let (tunnel, driver) = incoming.accept(&Limits::default()).await.unwrap();
    tokio::spawn(driver);
    let head = read_head(&mut near).await;
    assert!(head.contains("Sec-WebSocket-Protocol: h2c-reverse\r\n"), "{head}");
    assert!(!head.contains("Extensions"), "no compression");
    (near, tunnel)
}

/// Reads one message as a client does.
async fn read_message(io: &mut DuplexStream) -> (u8, Vec<u8>) {
    let opcode = io.read_u8().await.unwrap() & 0x0f;
    let length = match io.read_u8().await.unwrap() {
        126 => usize::from(io.read_u16().await.unwrap()),
        127 => io.read_u64().await.unwrap() as usize,
        n => usize::from(n),
    };
    let mut payload = vec![0; length];
    io.read_exact(&mut payload).await.unwrap();
    (opcode, payload)
}

#[tokio::test]
async fn a_text_message_is_answered_with_close_1003() {
    let (mut io, tunnel) = raw_websocket_device().await;
    io.write_all(&masked(1, b"hello")).await.unwrap();
    loop {
        let (opcode, payload) = read_message(&mut io).await;
        if opcode == 8 {
            assert_eq!(payload[..2], 1003u16.to_be_bytes());
            break;
        }
    }
    let reason = tunnel.closed().await;
    assert!(matches!(&reason, CloseReason::Io(text) if text.contains("binary")), "{reason:?}");
}

#[tokio::test]
async fn a_ping_is_answered_at_once() {
    let (mut io, tunnel) = raw_websocket_device().await;
    io.write_all(&masked(9, b"there?")).await.unwrap();
    loop {
        let (opcode, payload) = read_message(&mut io).await;
        if opcode == 10 {
            assert_eq!(payload, b"there?");
            break;
        }
    }
    assert!(!tunnel.is_closed());
}

#[tokio::test]
async fn messages_that_carry_nothing_are_bounded() {
    for one in [masked(9, b"ping"), masked(10, b"pong"), masked(2, b"")] {
        let (mut io, tunnel) = raw_websocket_device().await;
        for _ in 0..1000 {
            // Fails once the cloud has closed.
            let _ = io.write_all(&one).await;
        }
        let reason = tunnel.closed().await;
        assert!(matches!(&reason, CloseReason::Io(text) if text.contains("per second")), "{reason:?}");
    }
}

#[tokio::test]
async fn a_close_ends_the_tunnel() {
    let (mut io, tunnel) = raw_websocket_device().await;
    io.write_all(&masked(8, &1000u16.to_be_bytes())).await.unwrap();
    tunnel.closed().await;
}

#[tokio::test]
async fn http2_frames_may_span_messages_and_messages_hold_many() {
    let (mut io, tunnel) = raw_websocket_device().await;
    let asked = tokio::spawn(async move {
        let response = tunnel.request(Class::Soap, get("/")).await.unwrap();
        (text(response).await, tunnel)
    });
    let mut stream = Vec::new();
    // Until the request's HEADERS are there: preface, SETTINGS, WINDOW_UPDATE and an acknowledgement may precede it.
    while !stream.windows(9).any(|w: &[u8]| w[3] == 1 && w[5..] == [0, 0, 0, 1]) {
        let (opcode, payload) = read_message(&mut io).await;
        assert_eq!(opcode, 2);
        stream.extend(payload);
    }
    let mut answer = frame(1, 4, 1, &[0x88]);
    answer.extend(frame(0, 0, 1, b"hello "));
    answer.extend(frame(0, 1, 1, b"world"));
    for part in answer.chunks(5) {
        io.write_all(&masked(2, part)).await.unwrap();
    }
    assert_eq!(asked.await.unwrap().0, "hello world");
}

#[tokio::test]
async fn early_bytes_are_read_before_the_connection() {
    let (near, mut far) = duplex(4096);
    far.write_all(&message(2, true, b"second")).await.unwrap();
    far.shutdown().await.unwrap();
    let early = message(2, true, b"first ").into();
    let mut stream = WebSocketBytes::new(Rewound::new(near, early), Role::Client).await;
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    assert_eq!(got, b"first second");
}
