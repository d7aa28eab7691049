//! Flow control: stalled readers never block a small call, windows grow only while media flows, and the budget holds.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use http_body_util::BodyExt;
use oriel_uplink::{
    Form,
    cloud::{Budget, Class, Limits, RequestError, Tunnel},
    device,
};
use support::*;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};

/// 200 small calls; the time of the slowest but one.
async fn p99(tunnel: &Tunnel) -> Duration {
    let mut times = Vec::new();
    for _ in 0..200 {
        let at = std::time::Instant::now();
        let response = tunnel.request(Class::Soap, post("/echo", oriel_uplink::body::full("soap"))).await.unwrap();
        assert_eq!(text(response).await, "soap");
        times.push(at.elapsed());
    }
    times.sort();
    times[198]
}

#[tokio::test]
async fn as_many_stalled_downloads_as_there_are_streams_do_not_block_a_small_call() {
    for form in [Form::Native, Form::WebSocket] {
        let limits = Limits::default();
        let pair = pair_with(form, &limits, device::Limits::default(), 64 * 1024).await;
        pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap();
        let mut stalled = Vec::new();
        for _ in 0..limits.max_streams - limits.soap_reserve {
            stalled.push(pair.tunnel.request(Class::Bulk, get("/down/100000000")).await.unwrap());
        }
        let slow = p99(&pair.tunnel).await;
        assert!(slow < Duration::from_millis(50), "{slow:?}");
        assert_eq!(pair.tunnel.open_streams(), stalled.len());
    }
}

#[tokio::test]
async fn as_many_stalled_uploads_as_there_are_streams_do_not_block_a_small_call() {
    for form in [Form::Native, Form::WebSocket] {
        let limits = Limits::default();
        let pair = pair_with(form, &limits, device::Limits::default(), 64 * 1024).await;
        pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap();
        for _ in 0..limits.max_streams - limits.soap_reserve {
            let tunnel = pair.tunnel.clone();
            tokio::spawn(
                async move { tunnel.request(Class::Bulk, post("/stall", down(100_000_000))).await.map(|_| ()) },
            );
        }
        while pair.tunnel.open_streams() < (limits.max_streams - limits.soap_reserve) as usize {
            tokio::task::yield_now().await;
        }
        let slow = p99(&pair.tunnel).await;
        assert!(slow < Duration::from_millis(50), "{slow:?}");
    }
}

#[tokio::test]
async fn stalled_boosted_viewers_do_not_block_a_small_call_either() {
    let limits = Limits { boosted_window: 256 * 1024, ..Limits::default() };
    let pair = pair_with(Form::Native, &limits, device::Limits::default(), 64 * 1024).await;
    let mut bodies = Vec::new();
    for _ in 0..limits.max_streams - limits.soap_reserve {
        let mut body = pair.tunnel.request(Class::Bulk, get("/down/100000000")).await.unwrap().into_body();
        let mut taken = 0;
        while taken < 300_000 {
            taken += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
        bodies.push(body);
    }
    assert!(pair.tunnel.stats().boosted);
    let slow = p99(&pair.tunnel).await;
    assert!(slow < Duration::from_millis(50), "{slow:?}");
}

#[tokio::test(start_paused = true)]
async fn with_every_stream_taken_more_bulk_is_told_busy() {
    let limits = Limits { max_streams: 4, soap_reserve: 1, ..Limits::default() };
    let pair = pair_with(Form::Native, &limits, device::Limits::default(), 64 * 1024).await;
    let mut stalled = Vec::new();
    for _ in 0..3 {
        stalled.push(pair.tunnel.request(Class::Bulk, get("/down/1000000")).await.unwrap());
    }
    let at = Instant::now();
    let busy = pair.tunnel.request(Class::Bulk, get("/ok")).await;
    assert!(matches!(busy, Err(RequestError::Busy("all streams are in use"))));
    assert_eq!(at.elapsed(), limits.slot_wait);
    assert!(pair.tunnel.request(Class::Soap, get("/ok")).await.is_ok());
    drop(stalled.pop());
    assert!(pair.tunnel.request(Class::Bulk, get("/ok")).await.is_ok());
}

#[tokio::test]
async fn a_device_that_allows_few_streams_is_not_sent_more() {
    let device = device::Limits { max_concurrent_streams: 3, ..device::Limits::default() };
    let pair = pair_with(Form::Native, &Limits::default(), device, 64 * 1024).await;
    pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let tunnel = pair.tunnel.clone();
            tokio::spawn(async move { text(tunnel.request(Class::Soap, get("/ok")).await.unwrap()).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "/ok");
    }
}

/// A path with a one-way delay and no other limit.
fn delayed(delay: Duration) -> (DuplexStream, DuplexStream) {
    let (near, a) = duplex(1 << 20);
    let (b, far) = duplex(1 << 20);
    let (ar, aw) = tokio::io::split(a);
    let (br, bw) = tokio::io::split(b);
    tokio::spawn(carry(ar, bw, delay));
    tokio::spawn(carry(br, aw, delay));
    (near, far)
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin + Send + 'static, delay: Duration) {
    let (tx, mut rx) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((due, bytes)) = rx.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    loop {
        let mut bytes = vec![0; 256 * 1024];
        match from.read(&mut bytes).await {
            Ok(n) if n > 0 => bytes.truncate(n),
            _ => return,
        }
        if tx.send((Instant::now() + delay, bytes)).is_err() {
            return;
        }
    }
}

async fn drain_body(tunnel: Tunnel, bytes: usize) {
    let response = tunnel.request(Class::Bulk, get(&format!("/down/{bytes}"))).await.unwrap();
    let mut body = response.into_body();
    let mut got = 0;
    while let Some(frame) = body.frame().await {
        got += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(got, bytes);
}

/// Bytes a second over a path of 50 ms, in virtual time: what the windows allow.
async fn rate(streams: usize, bytes: usize, limits: &Limits) -> f64 {
    let (near, far) = delayed(Duration::from_millis(25));
    let pair = pair_over(Form::Native, limits, device::Limits::default(), near, far).await;
    pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap();
    let at = Instant::now();
    let all: Vec<_> = (0..streams).map(|_| tokio::spawn(drain_body(pair.tunnel.clone(), bytes))).collect();
    for one in all {
        one.await.unwrap();
    }
    (streams * bytes) as f64 / at.elapsed().as_secs_f64() / 1e6
}

#[tokio::test(start_paused = true)]
async fn sixteen_downloads_over_50_ms_reach_80_megabytes_a_second() {
    let got = rate(16, 16_000_000, &Limits::default()).await;
    assert!(got > 80.0, "{got} MB/s");
    let one = rate(1, 32_000_000, &Limits::default()).await;
    assert!(one > 10.0, "{one} MB/s");
    let flat = Limits { boosted_window: 64 * 1024, ..Limits::default() };
    let flat = rate(1, 2_000_000, &flat).await;
    assert!(flat < 2.0, "without raised windows it would be {flat} MB/s");
}

#[tokio::test(start_paused = true)]
async fn windows_fall_back_when_bulk_has_rested_and_the_budget_is_given_back() {
    let limits = Limits::default();
    let pair = pair_with(Form::Native, &limits, device::Limits::default(), 64 * 1024).await;
    drain_body(pair.tunnel.clone(), 2_000_000).await;
    assert!(pair.tunnel.stats().boosted);
    sleep(S(25)).await;
    assert!(!pair.tunnel.stats().boosted);
    assert_eq!(limits.budget.used(), 0);
    drain_body(pair.tunnel.clone(), 2_000_000).await;
    assert!(pair.tunnel.stats().boosted, "and rise again");
    drop(pair.tunnel);
    pair.cloud.await.unwrap();
    assert_eq!(limits.budget.used(), 0, "an ended tunnel holds nothing");
}

#[tokio::test(start_paused = true)]
async fn without_budget_windows_stay_small_and_streams_are_told_busy() {
    let limits = Limits { budget: Budget::new(3 * 64 * 1024), ..Limits::default() };
    let pair = pair_with(Form::Native, &limits, device::Limits::default(), 64 * 1024).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(pair.tunnel.request(Class::Bulk, get("/down/100000000")).await.unwrap());
    }
    drain_body(pair.tunnel.clone(), 2_000_000).await;
    assert!(!pair.tunnel.stats().boosted);
    held.push(pair.tunnel.request(Class::Bulk, get("/down/100000000")).await.unwrap());
    let busy = pair.tunnel.request(Class::Soap, get("/ok")).await;
    assert!(matches!(busy, Err(RequestError::Busy("no memory is left for another stream"))));
    drop(held);
    assert!(timeout(S(1), pair.tunnel.request(Class::Soap, get("/ok"))).await.unwrap().is_ok());
}
