//! Every bound of a tunnel is broken once, by a device of bytes: the tunnel closes with a reason that names the bound.
#![allow(clippy::unwrap_used)]

mod support;

use oriel_uplink::{
    Form,
    cloud::{Class, CloseReason, Limits, Tunnel},
    device::{self, Closed, Stop, dial_over},
    frames::PREFACE,
};
use support::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, sleep},
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Sends the same frame until the tunnel closes; what the cloud sends is thrown away.
async fn flood(one: Vec<u8>) -> CloseReason {
    let (io, tunnel, _task) = raw_device(&Limits::default()).await;
    send_until_closed(io, tunnel, one).await
}

async fn send_until_closed(io: DuplexStream, tunnel: Tunnel, one: Vec<u8>) -> CloseReason {
    let (mut read, mut write) = tokio::io::split(io);
    let sink = tokio::spawn(async move {
        let mut bytes = vec![0; 4096];
        while read.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
    });
    for _ in 0..200_000 {
        if write.write_all(&one).await.is_err() || tunnel.is_closed() {
            break;
        }
    }
    let reason = tunnel.closed().await;
    sink.abort();
    reason
}

/// A device of bytes with one request open on stream 1, its answer's head sent.
async fn one_request() -> (DuplexStream, Tunnel, JoinHandle<http::Response<oriel_uplink::Body>>) {
    let (mut io, tunnel, _driver) = raw_device(&Limits::default()).await;
    let asked = tokio::spawn({
        let tunnel = tunnel.clone();
        async move { tunnel.request(Class::Bulk, get("/")).await.unwrap() }
    });
    read_head(&mut io).await;
    io.read_exact(&mut [0; 24]).await.unwrap();
    let (_, stream, _) = read_frame(&mut io, HEADERS).await;
    assert_eq!(stream, 1);
    io.write_all(&frame(HEADERS, 4, 1, &[0x88])).await.unwrap();
    (io, tunnel, asked)
}

#[tokio::test(start_paused = true)]
async fn control_frames_are_bounded() {
    assert_eq!(flood(frame(PING, 0, 0, &[0; 8])).await, CloseReason::ControlFlood);
    assert_eq!(flood(frame(PING, 1, 0, &[0; 8])).await, CloseReason::ControlFlood);
    assert_eq!(flood(frame(SETTINGS, 0, 0, &[])).await, CloseReason::ControlFlood);
    assert_eq!(flood(frame(PRIORITY, 0, 1, &[0; 5])).await, CloseReason::ControlFlood);
    assert_eq!(flood(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])).await, CloseReason::ControlFlood);
    assert_eq!(flood(frame(0xaa, 0, 0, b"unknown")).await, CloseReason::ControlFlood);
}

#[tokio::test(start_paused = true)]
async fn empty_frames_and_interim_answers_are_bounded() {
    let (io, tunnel, asked) = one_request().await;
    let response = asked.await.unwrap();
    assert_eq!(send_until_closed(io, tunnel, frame(DATA, 0, 1, &[])).await, CloseReason::ControlFlood);
    drop(response);
    let (mut io, tunnel, _task) = raw_device(&Limits::default()).await;
    let asked = tokio::spawn({
        let tunnel = tunnel.clone();
        async move { tunnel.request(Class::Bulk, get("/")).await.map(|_| ()) }
    });
    read_head(&mut io).await;
    io.read_exact(&mut [0; 24]).await.unwrap();
    read_frame(&mut io, HEADERS).await;
    // `:status: 103`, literal and not indexed.
    let interim = frame(HEADERS, 4, 1, b"\x08\x03103");
    assert_eq!(send_until_closed(io, tunnel, interim).await, CloseReason::ControlFlood);
    assert!(asked.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn resets_are_bounded() {
    let (io, tunnel, asked) = one_request().await;
    let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    assert_eq!(send_until_closed(io, tunnel, reset).await, CloseReason::ResetFlood);
    asked.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn small_frames_that_nobody_reads_are_bounded() {
    let (io, tunnel, asked) = one_request().await;
    let response = asked.await.unwrap();
    let reason = send_until_closed(io, tunnel, frame(DATA, 0, 1, b"x")).await;
    assert!(matches!(reason, CloseReason::SmallFrames(_)), "{reason:?}");
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn small_frames_that_are_read_are_not() {
    // G.711 in RTP: 100,000 small packets, each taken.
    let (mut io, tunnel, asked) = one_request().await;
    let response = asked.await.unwrap();
    let sent = tokio::spawn(async move {
        for _ in 0..100_000 {
            io.write_all(&frame(DATA, 0, 1, &[1; 20])).await.unwrap();
            tokio::task::yield_now().await;
        }
        io.write_all(&frame(DATA, 1, 1, &[])).await.unwrap();
        io
    });
    assert_eq!(text(response).await.len(), 2_000_000);
    assert!(!tunnel.is_closed());
    sent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_empty_frames_over_a_life_are_forgiven() {
    // `h2` alone closes after 100 of them; a camera that sends one a second is no attacker.
    let (mut io, tunnel, asked) = one_request().await;
    let response = asked.await.unwrap();
    for _ in 0..1000 {
        io.write_all(&frame(DATA, 0, 1, &[])).await.unwrap();
        sleep(std::time::Duration::from_millis(100)).await;
    }
    io.write_all(&frame(DATA, 1, 1, b"end")).await.unwrap();
    assert_eq!(text(response).await, "end");
    assert!(!tunnel.is_closed());
}

#[tokio::test(start_paused = true)]
async fn an_endless_header_block_is_bounded() {
    let (mut io, tunnel, _task) = raw_device(&Limits::default()).await;
    let asked = tokio::spawn({
        let tunnel = tunnel.clone();
        async move { tunnel.request(Class::Bulk, get("/")).await.map(|_| ()) }
    });
    read_head(&mut io).await;
    io.read_exact(&mut [0; 24]).await.unwrap();
    read_frame(&mut io, HEADERS).await;
    io.write_all(&frame(HEADERS, 0, 1, &[0x88])).await.unwrap();
    let one = frame(CONTINUATION, 0, 1, b"\0\x01a\x01b");
    let reason = send_until_closed(io, tunnel, one).await;
    assert!(matches!(reason, CloseReason::HeaderFlood), "{reason:?}");
    assert!(asked.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_header_list_beyond_the_bound_fails_its_request() {
    let (mut io, tunnel, _task) = raw_device(&Limits::default()).await;
    let asked = tokio::spawn({
        let tunnel = tunnel.clone();
        async move { tunnel.request(Class::Bulk, get("/")).await.map(|_| ()) }
    });
    read_head(&mut io).await;
    io.read_exact(&mut [0; 24]).await.unwrap();
    read_frame(&mut io, HEADERS).await;
    io.write_all(&frame(HEADERS, 0, 1, &[0x88])).await.unwrap();
    // 10 fields of 8,000 bytes: literal, name `a`, length 0x7f + 7873 as a prefixed integer.
    let mut field = b"\0\x01a\x7f\xc1\x3d".to_vec();
    field.extend(vec![b'b'; 8000]);
    for n in 0..10 {
        io.write_all(&frame(CONTINUATION, if n == 9 { 4 } else { 0 }, 1, &field)).await.unwrap();
    }
    assert!(asked.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn missing_settings_and_garbage_close_with_their_own_reasons() {
    let (mut near, far) = duplex(1 << 16);
    near.write_all(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n").await.unwrap();
    let (tunnel, driver) = incoming(far).await.accept(&Limits::default()).await.unwrap();
    tokio::spawn(driver);
    let at = Instant::now();
    assert_eq!(tunnel.closed().await, CloseReason::NoSettings);
    assert!(at.elapsed() <= S(11));

    let (mut io, tunnel, _task) = raw_device(&Limits::default()).await;
    io.write_all(b"this is not HTTP/2 at all, whatever it may be").await.unwrap();
    let reason = tunnel.closed().await;
    assert!(matches!(reason, CloseReason::Protocol(_)), "{reason:?}");

    // A frame larger than SETTINGS_MAX_FRAME_SIZE.
    let (mut io, tunnel, _task) = raw_device(&Limits::default()).await;
    io.write_all(&frame(DATA, 0, 1, &[0; 20_000])).await.unwrap();
    let reason = tunnel.closed().await;
    assert!(matches!(reason, CloseReason::Protocol(_)), "{reason:?}");

    let (io, tunnel, _task) = raw_device(&Limits::default()).await;
    drop(io);
    let reason = tunnel.closed().await;
    assert!(matches!(reason, CloseReason::Peer | CloseReason::Io(_)), "{reason:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_takes_no_bytes_is_closed_though_it_talks() {
    let (mut near, far) = duplex(512);
    near.write_all(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n").await.unwrap();
    let (tunnel, driver) = incoming(far).await.accept(&Limits::default()).await.unwrap();
    tokio::spawn(driver);
    let (_unread, mut write) = tokio::io::split(near);
    tokio::spawn(async move {
        write.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        while write.write_all(&frame(0xaa, 0, 0, &[])).await.is_ok() {
            sleep(S(1)).await;
        }
    });
    let upload = tunnel.clone();
    tokio::spawn(async move { upload.request(Class::Bulk, post("/", down(1 << 20))).await.map(|_| ()) });
    let at = Instant::now();
    assert_eq!(tunnel.closed().await, CloseReason::WriteStalled);
    assert!(at.elapsed() <= S(31), "{:?}", at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_device_bounds_the_cloud_as_well() {
    let floods = [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[]), frame(PRIORITY, 0, 1, &[0; 5])];
    for one in floods {
        let (near, mut far) = duplex(1 << 20);
        let served = tokio::spawn(async move {
            let link = dial_over(near, &address(Form::Native), None, S(5)).await.unwrap();
            link.serve(service, &device::Limits::default(), Stop::new()).await
        });
        raw_cloud(&mut far).await;
        let (mut read, mut write) = tokio::io::split(far);
        tokio::spawn(async move {
            let mut bytes = vec![0; 4096];
            while read.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
        });
        while write.write_all(&one).await.is_ok() && !served.is_finished() {}
        assert_eq!(served.await.unwrap(), Closed::Flood);
    }
    // Requests that are reset before they were answered: either bound may strike first.
    let (near, mut far) = duplex(1 << 20);
    let served = tokio::spawn(async move {
        let link = dial_over(near, &address(Form::Native), None, S(5)).await.unwrap();
        link.serve(service, &device::Limits::default(), Stop::new()).await
    });
    read_head(&mut far).await;
    far.write_all(b"HTTP/1.1 101 x\r\nUpgrade: h2c-reverse\r\n\r\n").await.unwrap();
    far.write_all(PREFACE).await.unwrap();
    far.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let (mut read, mut write) = tokio::io::split(far);
    tokio::spawn(async move {
        let mut bytes = vec![0; 4096];
        while read.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
    });
    for stream in (1..200_000).step_by(2) {
        let mut pair = frame(HEADERS, 5, stream, &[0x82, 0x86, 0x84]);
        pair.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
        if write.write_all(&pair).await.is_err() || served.is_finished() {
            break;
        }
    }
    let closed = served.await.unwrap();
    assert!(matches!(&closed, Closed::Broken(text) if text.contains("excessive load")), "{closed:?}");
}
