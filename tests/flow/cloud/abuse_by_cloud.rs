//! Clouds of bytes against our device: each bound is broken once, that tunnel ends with a reason that names the bound, and the one beside it does not notice.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use oriel_trust::{
    Authority, ClientAuth, Identity, Policy, ReloadingIdentity, Validation, client_config, server_config,
};
use oriel_uplink::device::{Credentials, Timeouts, Uplink, UplinkConfig};
use oriel_uplink::{Body, body};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::House;
use super::client::request;
use super::raw::*;

/// A TLS port that devices dial, with an authority of its own.
pub(super) struct Liar {
    pub(super) authority: Authority,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

const WELCOME: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Liar {
    pub(super) async fn listen() -> Self {
        let authority = Authority::new("A liar").unwrap();
        let identity = authority.issue_server(&["127.0.0.1".to_owned()]).unwrap();
        let mut tls = server_config(Arc::new(ReloadingIdentity::fixed(&identity)), ClientAuth::Optional).unwrap();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Self { authority, listener, acceptor: TlsAcceptor::from(Arc::new(tls)) }
    }

    pub(super) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}{path}", self.listener.local_addr().unwrap().port())
    }

    /// Does `each` with every connection, for ever.
    pub(super) async fn serve<F>(self, each: impl Fn(TlsStream<TcpStream>) -> F + Send)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        while let Ok((tcp, _)) = self.listener.accept().await {
            if let Ok(tls) = self.acceptor.accept(tcp).await {
                tokio::spawn(each(tls));
            }
        }
    }

    /// The next device, before its head was read.
    async fn accept(&self) -> TlsStream<TcpStream> {
        let (tcp, _) = self.listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        self.acceptor.accept(tcp).await.unwrap()
    }
}

/// A device with a tunnel to a house and another to a liar.
struct Between {
    house: House,
    liar: Liar,
    id: oriel_cloud::records::DeviceId,
    _good: Uplink,
    bad: Uplink,
}

async fn service(request: Request<Body>) -> Response<Body> {
    if request.uri().path() == "/endless" {
        let piece = bytes::Bytes::from_static(&[7; 16 * 1024]);
        let endless = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(Frame::data(piece.clone())));
        return Response::new(body::boxed(StreamBody::new(endless)));
    }
    if request.uri().path() == "/unread" {
        let _unread = request.into_body();
        return std::future::pending().await;
    }
    Response::new(body::full("well"))
}

impl Between {
    /// The bounds that are times are short.
    async fn start() -> Self {
        let (house, liar) = (House::open().await, Liar::listen().await);
        let identity = Identity::self_signed("between", &[]).unwrap();
        let id = house.register(identity.fingerprint()).await;
        let good = house.dial_as(&identity, "https", service);
        house.online(&id).await;
        let anchors = Policy::from_pem(liar.authority.certificate_pem().as_bytes()).unwrap();
        let tls = Arc::new(client_config(&Validation::Policy(anchors), Some(&identity)).unwrap());
        let address = liar.url("https", "/up").parse().unwrap();
        let mut config = UplinkConfig::new(address, Credentials { tls, token: None }, 1);
        config.limits.first_settings = Duration::from_millis(300);
        config.limits.write_stall = Duration::from_millis(500);
        config.timeouts = Timeouts { upgrade: Duration::from_millis(500), ..Timeouts::default() };
        let bad = Uplink::start(config, service);
        Self { house, liar, id, _good: good, bad }
    }

    /// The liar's end of a tunnel that was accepted, SETTINGS with large windows sent.
    async fn tunnel(&self) -> TlsStream<TcpStream> {
        let mut io = self.liar.accept().await;
        read_head(&mut io).await;
        // SETTINGS_INITIAL_WINDOW_SIZE, and as much for the connection.
        let settings = frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
        let window = frame(8, 0, 0, &[0x7f, 0xff, 0, 0]);
        io.write_all(&[WELCOME, PREFACE, &settings, &window, &frame(SETTINGS, 1, 0, &[])].concat()).await.unwrap();
        io
    }

    /// Waits until the bad uplink says `word`, and asks through the good one all the while.
    async fn says(&mut self, word: &str) {
        let mut status = self.bad.status();
        let (house, id) = (&self.house, &self.id);
        let told = status.wait_for(|status| {
            let all = [status.error.as_deref(), status.last_close.as_deref()];
            all.iter().flatten().any(|text| text.contains(word))
        });
        let mut told = Box::pin(tokio::time::timeout(Duration::from_secs(20), told));
        loop {
            let healthy = async {
                let answer = house.ask(request(Method::GET, &format!("/d/{id}/"), &house.administrator)).await;
                assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "well"), "while {word}");
            };
            tokio::select! {
                biased;
                found = &mut told => match found {
                    Ok(found) => return drop(found.unwrap()),
                    Err(_) => break,
                },
                () = healthy => {}
            }
        }
        drop(told);
        panic!("not {word:?}: {:?}", *self.bad.status().borrow());
    }
}

/// Writes `one` for as long as the device takes it.
async fn flood(io: TlsStream<TcpStream>, one: impl Fn(u32) -> Vec<u8>) {
    let (mut read, mut write) = tokio::io::split(io);
    let sink = tokio::spawn(async move {
        let mut bytes = vec![0; 4096];
        while read.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
    });
    for n in 0.. {
        if sink.is_finished() || write.write_all(&one(n)).await.is_err() {
            break;
        }
    }
    sink.abort();
}

/// One abuse of an accepted tunnel.
async fn abused(one: impl Fn(u32) -> Vec<u8>, word: &str) {
    let mut between = Between::start().await;
    let io = between.tunnel().await;
    tokio::join!(flood(io, one), between.says(word));
}

/// GET / over the https scheme, by the static table; no authority.
const GET: [u8; 3] = [0x82, 0x87, 0x84];

/// A GET of `path`.
fn get(path: &str) -> Vec<u8> {
    [&[0x82, 0x87, 0x04, u8::try_from(path.len()).unwrap()], path.as_bytes()].concat()
}

#[tokio::test]
async fn control_frames_are_bounded() {
    abused(|_| frame(PING, 0, 0, &[0; 8]), "control frames").await;
    abused(|_| frame(SETTINGS, 0, 0, &[]), "control frames").await;
    abused(|_| frame(PRIORITY, 0, 1, &[0; 5]), "control frames").await;
}

#[tokio::test]
async fn rapid_resets_are_bounded() {
    let reset = |n: u32| [frame(HEADERS, 5, 2 * n + 1, &GET), frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat();
    abused(reset, "excessive load").await;
}

#[tokio::test]
async fn empty_frames_are_bounded() {
    let open = [frame(HEADERS, 4, 1, &get("/unread")), frame(DATA, 0, 1, &[])].concat();
    abused(move |n| if n == 0 { open.clone() } else { frame(DATA, 0, 1, &[]) }, "control frames").await;
}

#[tokio::test]
async fn small_frames_that_nobody_reads_are_bounded() {
    let open = frame(HEADERS, 4, 1, &get("/unread"));
    abused(move |n| if n == 0 { open.clone() } else { frame(DATA, 0, 1, b"x") }, "excessive load").await;
}

#[tokio::test]
async fn an_endless_header_block_is_bounded() {
    let open = frame(HEADERS, 0, 1, &GET);
    abused(move |n| if n == 0 { open.clone() } else { frame(CONTINUATION, 0, 1, b"\0\x01a\x01b") }, "excessive load")
        .await;
}

#[tokio::test]
async fn windows_are_kept() {
    let open = frame(HEADERS, 4, 1, &get("/unread"));
    abused(move |n| if n == 0 { open.clone() } else { frame(DATA, 0, 1, &[0; 16 * 1024]) }, "flow-control").await;
    // A window beyond 2^31 - 1.
    abused(|_| frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), "flow-control").await;
}

#[tokio::test]
async fn a_cloud_that_never_starts_http_2_is_left() {
    let mut between = Between::start().await;
    let mut io = between.liar.accept().await;
    read_head(&mut io).await;
    io.write_all(WELCOME).await.unwrap();
    between.says("did not start HTTP/2").await;
}

#[tokio::test]
async fn a_slow_and_an_endless_welcome_are_bounded() {
    let mut between = Between::start().await;
    let mut io = between.liar.accept().await;
    read_head(&mut io).await;
    io.write_all(b"HTTP/1.1 101 Swi").await.unwrap();
    between.says("upgrade").await;
    drop(io);

    let mut between = Between::start().await;
    let mut io = between.liar.accept().await;
    read_head(&mut io).await;
    io.write_all(b"HTTP/1.1 101 Switching Protocols\r\n").await.unwrap();
    tokio::join!(flood(io, |n| format!("X-{n}: {}\r\n", "y".repeat(100)).into_bytes()), between.says("upgrade"));
}

#[tokio::test]
async fn a_cloud_that_takes_no_bytes_is_left_though_it_talks() {
    let mut between = Between::start().await;
    let io = between.tunnel().await;
    let (_unread, mut write) = tokio::io::split(io);
    write.write_all(&frame(HEADERS, 5, 1, &get("/endless"))).await.unwrap();
    let talking = tokio::spawn(async move {
        while write.write_all(&frame(0xaa, 0, 0, &[])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    between.says("takes no more bytes").await;
    talking.abort();
}

#[tokio::test]
async fn a_header_list_beyond_the_bound_fails_its_request_alone() {
    let between = Between::start().await;
    let mut io = between.tunnel().await;
    let mut bytes = frame(HEADERS, 1, 1, &GET);
    bytes.extend(too_many_headers());
    bytes.extend(frame(HEADERS, 5, 3, &GET));
    io.write_all(&bytes).await.unwrap();
    let mut answered = Vec::new();
    while answered.len() < 2 {
        let (kind, _, stream, payload) = read_frame(&mut io).await.unwrap();
        if kind == HEADERS {
            answered.push((stream, payload[0]));
        } else if kind == RST_STREAM {
            answered.push((stream, 0));
        }
    }
    answered.sort_unstable();
    // `:status: 200` of the static table for the second; anything but that for the first.
    assert_eq!((answered[0].0, answered[1]), (1, (3, 0x88)));
    assert_ne!(answered[0].1, 0x88);
}
