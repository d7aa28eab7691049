//! Both ends of a tunnel on a pipe, and raw peers that speak bytes.
#![allow(dead_code, unreachable_pub)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use oriel_uplink::{
    AccessToken, Body, Form, RemoteAddress, body,
    cloud::{self, CloseReason, Incoming, SniffLimits, Sniffed, Tunnel, sniff},
    device::{self, Closed, Connect, DialError, Link, Stop, dial_over},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    task::JoinHandle,
};

pub const S: fn(u64) -> Duration = Duration::from_secs;

pub fn address(form: Form) -> RemoteAddress {
    format!("{}://cloud.example/up", form.scheme()).parse().unwrap()
}

pub fn token(text: &str) -> AccessToken {
    AccessToken::new(text).unwrap()
}

/// Answers what the tests ask: `/echo` with the request's body, `/down/N` with N bytes, `/hang` never, else the path.
pub async fn service(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if request.method() == http::Method::CONNECT {
        return echo_upgrade(request);
    }
    if path == "/echo" {
        return Response::new(request.into_body());
    }
    if path == "/hang" {
        std::future::pending::<()>().await;
    }
    if path == "/sink" {
        let mut body = request.into_body();
        let mut sum = 0;
        while let Some(frame) = body.frame().await {
            sum += frame.unwrap().into_data().map_or(0, |data| data.len());
        }
        return Response::new(body::full(sum.to_string()));
    }
    if path == "/stall" {
        // Takes the request's body, but never reads it.
        let _body = request.into_body();
        std::future::pending::<()>().await;
    }
    if let Some(n) = path.strip_prefix("/down/") {
        return Response::new(down(n.parse().unwrap()));
    }
    Response::new(body::full(path))
}

/// `n` bytes in pieces of 16 KiB.
pub fn down(n: usize) -> Body {
    let piece = Bytes::from(vec![7; 16 * 1024]);
    let stream = futures_util::stream::unfold(n, move |left| {
        let part = piece.slice(..left.min(piece.len()));
        async move {
            if left == 0 {
                None
            } else {
                Some((Ok::<_, std::io::Error>(http_body::Frame::data(part.clone())), left - part.len()))
            }
        }
    });
    body::boxed(http_body_util::StreamBody::new(stream))
}

fn echo_upgrade(mut request: Request<Body>) -> Response<Body> {
    let protocol = request.extensions().get::<hyper::ext::Protocol>().map(|p| p.as_str().to_owned());
    if protocol.as_deref() != Some("websocket") {
        let mut refused = Response::new(body::full("only websocket"));
        *refused.status_mut() = StatusCode::NOT_IMPLEMENTED;
        return refused;
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let stream = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
        let (mut read, mut write) = tokio::io::split(stream);
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.shutdown().await.unwrap();
    });
    Response::new(body::empty())
}

/// The two ends of a standing tunnel.
pub struct Pair {
    pub tunnel: Tunnel,
    pub cloud: JoinHandle<CloseReason>,
    pub device: JoinHandle<Closed>,
    pub stop: Stop,
}

pub async fn incoming(io: DuplexStream) -> Incoming<DuplexStream> {
    match sniff(io, &SniffLimits::default()).await.unwrap() {
        Sniffed::Uplink(incoming) => incoming,
        Sniffed::Other(_) => panic!("not an uplink"),
    }
}

pub async fn pair_with(form: Form, cloud: &cloud::Limits, device: device::Limits, pipe: usize) -> Pair {
    let (near, far) = duplex(pipe);
    pair_over(form, cloud, device, near, far).await
}

pub async fn pair_over(
    form: Form,
    cloud: &cloud::Limits,
    device: device::Limits,
    near: DuplexStream,
    far: DuplexStream,
) -> Pair {
    let stop = Stop::new();
    let asked = stop.clone();
    let device = tokio::spawn(async move {
        let link = dial_over(near, &address(form), None, S(5)).await.unwrap();
        link.serve(service, &device, asked).await
    });
    let (tunnel, driver) = incoming(far).await.accept(cloud).await.unwrap();
    Pair { tunnel, cloud: tokio::spawn(driver), device, stop }
}

pub async fn pair(form: Form) -> Pair {
    pair_with(form, &cloud::Limits::default(), device::Limits::default(), 64 * 1024).await
}

pub fn get(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(body::empty()).unwrap()
}

pub fn post(path: &str, body: Body) -> Request<Body> {
    Request::builder().method("POST").uri(path).body(body).unwrap()
}

pub async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// A frame of HTTP/2, byte by byte.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// A device of bytes: upgraded, SETTINGS sent, the rest is the test's.
pub async fn raw_device(limits: &cloud::Limits) -> (DuplexStream, Tunnel, JoinHandle<CloseReason>) {
    let (mut near, far) = duplex(1 << 20);
    near.write_all(b"GET / HTTP/1.1\r\nHost: c\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n").await.unwrap();
    near.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    let (tunnel, driver) = incoming(far).await.accept(limits).await.unwrap();
    (near, tunnel, tokio::spawn(driver))
}

/// A cloud of bytes: reads the upgrade, answers 101, sends preface and SETTINGS.
pub async fn raw_cloud(io: &mut DuplexStream) {
    read_head(io).await;
    let mut answer =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n".to_vec();
    answer.extend(oriel_uplink::frames::PREFACE);
    answer.extend(frame(4, 0, 0, &[]));
    io.write_all(&answer).await.unwrap();
}

pub async fn read_head(io: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Reads frames until one of `kind` comes; gives flags, stream and payload.
pub async fn read_frame(io: &mut DuplexStream, kind: u8) -> (u8, u32, Vec<u8>) {
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        io.read_exact(&mut payload).await.unwrap();
        if head[3] == kind {
            return (head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload);
        }
    }
}

/// A connector whose connections come out at the other end, for the test to be the cloud.
pub struct Pipes {
    pub form: Form,
    pub token: Option<AccessToken>,
    pub out: mpsc::UnboundedSender<(DuplexStream, bool)>,
    pub attempts: Arc<AtomicUsize>,
}

impl Connect for Pipes {
    fn connect(&self, refresh: bool) -> device::BoxFuture<'_, Result<Link, DialError>> {
        Box::pin(async move {
            self.attempts.fetch_add(1, Ordering::SeqCst);
            let (near, far) = duplex(64 * 1024);
            let broken = |_| DialError::Tcp { target: "pipe".into(), text: "nobody listens".into() };
            self.out.send((far, refresh)).map_err(broken)?;
            dial_over(near, &address(self.form), self.token.as_ref(), S(5)).await
        })
    }
}
