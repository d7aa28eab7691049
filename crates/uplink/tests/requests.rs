//! Requests and extended CONNECT through a tunnel, both forms, both directions.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use oriel_uplink::{
    Form, body,
    cloud::{Class, CloseReason, Limits, RequestError},
    device,
};
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const FORMS: [Form; 2] = [Form::Native, Form::WebSocket];

#[tokio::test]
async fn a_request_goes_through_in_both_forms_by_its_path_alone() {
    for form in FORMS {
        let pair = pair(form).await;
        for path in ["/onvif/device_service", "/", "/a/b?c=d"] {
            let response = pair.tunnel.request(Class::Soap, get(path)).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(text(response).await, path.split('?').next().unwrap());
        }
        assert_eq!(pair.tunnel.open_streams(), 0);
        assert_eq!(pair.tunnel.stats().streams_opened, 3);
    }
}

#[tokio::test]
async fn ten_megabytes_go_both_ways_at_once_through_small_windows() {
    for form in FORMS {
        let limits = Limits { stream_window: 16 * 1024, boosted_window: 16 * 1024, ..Limits::default() };
        let device = device::Limits { stream_window: 16 * 1024, ..device::Limits::default() };
        let pair = pair_with(form, &limits, device, 8 * 1024).await;
        let response = pair.tunnel.request(Class::Bulk, post("/echo", down(10_000_000))).await.unwrap();
        let mut body = response.into_body();
        let mut got = 0;
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.iter().all(|byte| *byte == 7));
            got += data.len();
        }
        assert_eq!(got, 10_000_000);
        drop(body);
        assert_eq!(limits.budget.used(), 0);
    }
}

#[tokio::test]
async fn bodies_that_are_complete_and_bodies_that_are_not_arrive_alike() {
    let pair = pair(Form::Native).await;
    let pieces = |pieces: Vec<&'static str>| {
        let frames = pieces.into_iter().map(|p| Ok::<_, std::io::Error>(Frame::data(Bytes::from(p))));
        body::boxed(StreamBody::new(futures_util::stream::iter(frames)))
    };
    let bodies = [
        (body::empty(), ""),
        (body::full(""), ""),
        (body::full("hello"), "hello"),
        (pieces(vec![]), ""),
        (pieces(vec!["", ""]), ""),
        (pieces(vec!["hel", "", "lo"]), "hello"),
    ];
    for (body, want) in bodies {
        let response = pair.tunnel.request(Class::Soap, post("/echo", body)).await.unwrap();
        assert_eq!(text(response).await, want);
    }
    let big = "x".repeat(300_000);
    let response = pair.tunnel.request(Class::Soap, post("/echo", body::full(big.clone()))).await.unwrap();
    assert_eq!(text(response).await, big);
}

#[tokio::test]
async fn trailers_go_through_both_ways() {
    let pair = pair(Form::Native).await;
    for data in [vec![], vec!["data"]] {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "42".parse().unwrap());
        let frames: Vec<_> =
            data.iter().map(|d| Frame::data(Bytes::from(*d))).chain([Frame::trailers(trailers)]).collect();
        let frames = futures_util::stream::iter(frames.into_iter().map(Ok::<_, std::io::Error>));
        let request = post("/echo", body::boxed(StreamBody::new(frames)));
        let response = pair.tunnel.request(Class::Soap, request).await.unwrap();
        let got = response.into_body().collect().await.unwrap();
        assert_eq!(got.trailers().unwrap()["x-sum"], "42");
        assert_eq!(got.to_bytes(), data.concat());
    }
}

#[tokio::test]
async fn headers_of_one_connection_are_removed() {
    let pair = pair(Form::Native).await;
    let mut request = get("/ok");
    let headers = request.headers_mut();
    for (name, value) in [
        ("connection", "keep-alive, x-hop"),
        ("keep-alive", "timeout=5"),
        ("x-hop", "1"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("x-stays", "1"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    // HTTP/2 refuses a message with any of them, so an answer at all is the proof.
    assert_eq!(text(pair.tunnel.request(Class::Soap, request).await.unwrap()).await, "/ok");
}

#[tokio::test]
async fn extended_connect_echoes_with_half_close() {
    for form in FORMS {
        let pair = pair(form).await;
        let request = Request::builder().uri("/rtsp").body(()).unwrap();
        let response = pair.tunnel.connect("websocket", request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let (mut read, mut write) = tokio::io::split(response.into_body());
        let sent = tokio::spawn(async move {
            for n in 0..200u32 {
                write.write_all(&vec![n as u8; 10_007]).await.unwrap();
            }
            write.shutdown().await.unwrap();
            write
        });
        let mut got = Vec::new();
        read.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len(), 200 * 10_007);
        assert!(got.chunks(10_007).enumerate().all(|(n, part)| part.iter().all(|byte| *byte == n as u8)));
        drop((read, sent.await.unwrap()));
        assert_eq!(pair.tunnel.open_streams(), 0);
    }
}

#[tokio::test]
async fn a_refused_connect_brings_its_text() {
    let pair = pair(Form::Native).await;
    let request = Request::builder().uri("/rtsp").body(()).unwrap();
    let response = pair.tunnel.connect("something-else", request).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    assert_eq!(text(response.map(oriel_uplink::cloud::TunnelStream::into_body)).await, "only websocket");
}

#[tokio::test]
async fn connect_is_not_offered_by_a_device_that_does_not_say_so() {
    let (_io, tunnel, _task) = raw_device(&Limits::default()).await;
    let request = Request::builder().uri("/rtsp").body(()).unwrap();
    assert!(matches!(tunnel.connect("websocket", request).await, Err(RequestError::NotOffered)));
}

#[tokio::test]
async fn dropping_an_answer_resets_its_stream_and_frees_its_place() {
    let pair = pair(Form::Native).await;
    let response = pair.tunnel.request(Class::Bulk, get("/down/100000000")).await.unwrap();
    assert_eq!(pair.tunnel.open_streams(), 1);
    drop(response);
    assert_eq!(pair.tunnel.open_streams(), 0);
    let before = pair.tunnel.stats().bytes_read;
    for _ in 0..20 {
        assert_eq!(text(pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap()).await, "/ok");
    }
    assert!(pair.tunnel.stats().bytes_read - before < 300_000, "the device stopped sending");
}

#[tokio::test]
async fn dropping_the_wait_for_an_answer_frees_its_place() {
    let pair = pair(Form::Native).await;
    let hang = tokio::time::timeout(
        std::time::Duration::from_millis(50),
        pair.tunnel.request(Class::Bulk, post("/hang", down(1 << 30))),
    );
    assert!(hang.await.is_err());
    while pair.tunnel.open_streams() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(text(pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap()).await, "/ok");
}

#[tokio::test]
async fn a_failing_request_body_resets_the_stream_and_not_the_tunnel() {
    let pair = pair(Form::Native).await;
    let frames = [Ok(Frame::data(Bytes::from("begin"))), Err(std::io::Error::other("the client went away"))];
    let request = post("/sink", body::boxed(StreamBody::new(futures_util::stream::iter(frames))));
    assert!(pair.tunnel.request(Class::Bulk, request).await.is_err());
    assert_eq!(text(pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap()).await, "/ok");
}

#[tokio::test]
async fn an_upload_goes_on_after_the_answer_has_ended() {
    // RTSP over HTTP: the POST's answer may come at once and means nothing.
    let (mut io, tunnel, _task) = raw_device(&Limits::default()).await;
    let (tx, rx) = tokio::sync::mpsc::channel::<Bytes>(4);
    let frames = futures_util::stream::unfold(rx, |mut rx| async {
        rx.recv().await.map(|data| (Ok::<_, std::io::Error>(Frame::data(data)), rx))
    });
    let request = post("/rtsp", body::boxed(StreamBody::new(frames)));
    let asked = tokio::spawn({
        let tunnel = tunnel.clone();
        async move { tunnel.request(Class::Bulk, request).await }
    });
    let mut preface = [0; 24];
    let head = read_head(&mut io).await;
    assert!(head.starts_with("HTTP/1.1 101"));
    io.read_exact(&mut preface).await.unwrap();
    let (_, stream, _) = read_frame(&mut io, 1).await;
    // `:status: 200`, END_STREAM and END_HEADERS.
    io.write_all(&frame(1, 5, stream, &[0x88])).await.unwrap();
    assert_eq!(text(asked.await.unwrap().unwrap()).await, "");
    tx.send(Bytes::from("later")).await.unwrap();
    assert_eq!(read_frame(&mut io, 0).await, (0, stream, b"later".to_vec()));
    assert_eq!(tunnel.open_streams(), 1);
    drop(tx);
    assert_eq!(read_frame(&mut io, 0).await, (1, stream, vec![]));
}

#[tokio::test]
async fn a_closed_tunnel_says_why() {
    let pair = pair(Form::Native).await;
    let hang = tokio::spawn({
        let tunnel = pair.tunnel.clone();
        async move { tunnel.request(Class::Soap, get("/hang")).await.map(|_| ()) }
    });
    pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap();
    pair.tunnel.close(CloseReason::Revoked);
    assert_eq!(pair.tunnel.closed().await, CloseReason::Revoked);
    assert_eq!(pair.cloud.await.unwrap(), CloseReason::Revoked);
    assert!(matches!(hang.await.unwrap(), Err(RequestError::Closed(CloseReason::Revoked))));
    let after = pair.tunnel.request(Class::Soap, get("/ok")).await;
    assert!(matches!(after, Err(RequestError::NotSent(CloseReason::Revoked))));
    pair.device.await.unwrap();
}

#[tokio::test]
async fn dropping_the_driver_ends_the_tunnel_and_dropping_every_clone_too() {
    let first = pair(Form::Native).await;
    first.cloud.abort();
    assert_eq!(first.tunnel.closed().await, CloseReason::Dropped);
    let second = pair(Form::Native).await;
    second.tunnel.request(Class::Soap, get("/ok")).await.unwrap();
    drop(second.tunnel);
    assert_eq!(second.cloud.await.unwrap(), CloseReason::Dropped);
    second.device.await.unwrap();
}
