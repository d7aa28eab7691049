//! WebSockets through the gateway: HTTP/1.1's upgrade and HTTP/2's extended CONNECT outside, extended CONNECT in the tunnel (RFC 8441).

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use oriel_soap::access::Level;
use oriel_uplink::{Body, body};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::House;
use super::camera::{Seen, soap_ok};
use super::client::request;
use super::raw::read_head;

/// The example of RFC 6455 §1.3.
const KEY: (&str, &str) = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

/// Sends back what comes, and after the end of it a last word.
pub(super) async fn echo(mut request: Request<Body>) -> Response<Body> {
    let named = request.extensions().get::<hyper::ext::Protocol>().map(|protocol| protocol.as_str().to_owned());
    if request.method() != Method::CONNECT || named.as_deref() != Some("websocket") {
        return Response::builder().status(501).body(body::full("no WebSocket")).unwrap();
    }
    if request.uri().path() == "/closed" {
        return Response::builder().status(403).body(body::full("not in here")).unwrap();
    }
    let protocol = request.headers().get("sec-websocket-protocol").cloned();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.write_all(b"; that was all").await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut response = Response::new(body::empty());
    if let Some(protocol) = protocol {
        response.headers_mut().insert("sec-websocket-protocol", protocol);
    }
    response
}

fn upgrade(path: &str, token: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: rtsp.onvif.org\r\nSec-WebSocket-Key: {}\r\n\r\n",
        KEY.0
    )
}

#[tokio::test]
async fn an_http_1_client_upgrades_and_each_direction_closes_by_itself() {
    let house = House::open().await;
    for scheme in ["https", "wss"] {
        let puppet = house.puppet(scheme, echo).await;
        let mut stream = house.connect(&["http/1.1"]).await;
        let hello = upgrade(&format!("/d/{}/live?track=1", puppet.id), &house.administrator);
        // Bytes right behind the head belong to the WebSocket.
        stream.write_all(format!("{hello}early, ").as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await.to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(head.contains(&format!("sec-websocket-accept: {}", KEY.1).to_lowercase()), "{head}");
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        assert!(head.contains("sec-websocket-protocol: rtsp.onvif.org"), "{head}");
        let mut early = [0; 7];
        stream.read_exact(&mut early).await.unwrap();
        assert_eq!(&early, b"early, ");
        stream.write_all(b"late").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "late; that was all", "{scheme}");
    }
}

#[tokio::test]
async fn an_http_2_client_connects_and_each_direction_closes_by_itself() {
    let house = House::open().await;
    let puppet = house.puppet("https", echo).await;
    let stream = house.connect(&["h2"]).await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    super::until("the offer of extended CONNECT", || client.is_extended_connect_protocol_enabled()).await;
    let mut asked = house.absolute(request(Method::CONNECT, &format!("/d/{}/live", puppet.id), &house.administrator));
    asked.extensions_mut().insert(h2::ext::Protocol::from("websocket"));
    let (response, mut send) = client.send_request(asked.map(drop), false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut receive = response.into_body();
    send.send_data("a word".into(), false).unwrap();
    assert_eq!(receive.data().await.unwrap().unwrap(), "a word");
    send.send_data("".into(), true).unwrap();
    let mut rest = Vec::new();
    while let Some(bytes) = receive.data().await {
        rest.extend_from_slice(&bytes.unwrap());
    }
    assert_eq!(rest, b"; that was all");
}

#[tokio::test]
async fn a_megabyte_goes_there_and_back_at_once() {
    let house = House::open().await;
    let puppet = house.puppet("wss", echo).await;
    let mut stream = house.connect(&["http/1.1"]).await;
    stream.write_all(upgrade(&format!("/d/{}/", puppet.id), &house.administrator).as_bytes()).await.unwrap();
    read_head(&mut stream).await;
    let sent: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[1] ^ n.to_le_bytes()[0]).collect();
    let (mut read, mut write) = tokio::io::split(stream);
    let copy = sent.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&copy).await.unwrap();
        write.shutdown().await.unwrap();
        write
    });
    let mut got = Vec::new();
    read.read_to_end(&mut got).await.unwrap();
    writer.await.unwrap();
    assert_eq!(got.len(), sent.len() + "; that was all".len());
    assert!(got.starts_with(&sent));
}

#[tokio::test]
async fn the_devices_refusal_is_the_clients_and_so_are_the_gateways() {
    let house = House::open().await;
    let puppet = house.puppet("https", echo).await;
    let ask = async |path: &str, token: &str| {
        let mut stream = house.connect(&["http/1.1"]).await;
        let hello = upgrade(&format!("/d/{}{path}", puppet.id), token)
            .replace("Connection: Upgrade", "Connection: Upgrade, close");
        stream.write_all(hello.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A cloud that closes without close_notify has closed, too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    let refused = ask("/closed", &house.administrator).await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("not in here"), "{refused}");
    let refused = ask("/live", &house.token(Level::Operator).await).await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("only an administrator"), "{refused}");
    let refused = ask("/live", "unknown").await;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
}

#[tokio::test]
async fn a_device_without_websockets_says_so() {
    let house = House::open().await;
    // Of bytes: its SETTINGS offer no extended CONNECT.
    let device = house.raw_device().await;
    let mut asked = request(Method::GET, &format!("/d/{}/live", device.id), &house.administrator);
    for (name, value) in [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", KEY.0)] {
        asked.headers_mut().insert(name, value.parse().unwrap());
    }
    let answer = house.ask(asked.clone()).await;
    assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED);
    assert!(answer.problem().contains("does not offer WebSockets"), "{answer:?}");
    asked.headers_mut().remove("sec-websocket-key");
    let answer = house.ask(asked).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.problem().contains("Sec-WebSocket-Key"), "{answer:?}");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_stream_at_the_device() {
    let house = House::open().await;
    let (gone, mut ended) = tokio::sync::mpsc::channel::<usize>(1);
    let puppet = house
        .puppet("https", move |mut request: Request<Body>| {
            let gone = gone.clone();
            async move {
                let upgraded = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let mut stream = TokioIo::new(upgraded.await.unwrap());
                    let mut words = [0; 5];
                    gone.send(stream.read_exact(&mut words).await.unwrap()).await.unwrap();
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    gone.send(0).await.unwrap();
                });
                Response::new(body::empty())
            }
        })
        .await;
    let mut stream = house.connect(&["http/1.1"]).await;
    stream.write_all(upgrade(&format!("/d/{}/", puppet.id), &house.administrator).as_bytes()).await.unwrap();
    read_head(&mut stream).await;
    stream.write_all(b"words").await.unwrap();
    assert_eq!(ended.recv().await, Some(5));
    drop(stream);
    assert_eq!(ended.recv().await, Some(0));
    // The stream is free again, and the tunnel stands.
    let held = house.cloud.registry().presence(&puppet.id).tunnels;
    super::until("the end of the stream", || held[0].tunnel.open_streams() == 0).await;
    assert!(!held[0].tunnel.is_closed());
}

#[tokio::test]
async fn what_is_no_websocket_reaches_the_device_as_an_ordinary_request() {
    let house = House::open().await;
    let seen = Seen::default();
    let puppet = house.puppet("https", seen.service(|_| soap_ok())).await;
    let mut asked = request(Method::GET, &format!("/d/{}/snapshot", puppet.id), &house.administrator);
    asked.headers_mut().insert("upgrade", "h2c".parse().unwrap());
    asked.headers_mut().insert("connection", "upgrade".parse().unwrap());
    let answer = house.ask(asked).await;
    assert_eq!(answer.status, StatusCode::OK);
    let asked = seen.take();
    assert_eq!((asked[0].method.as_str(), asked[0].uri.path()), ("GET", "/snapshot"));
    assert!(!asked[0].headers.contains_key("upgrade"));
    // CONNECT to anything but a WebSocket is no way into the device's network.
    let mut client = house.h2().await;
    let mut tunnel = house.absolute(request(Method::CONNECT, &format!("/d/{}/live", puppet.id), &house.administrator));
    tunnel.extensions_mut().insert(hyper::ext::Protocol::from_static("connect-udp"));
    let answer = client.send_request(tunnel.map(oriel_uplink::body::full)).await;
    if let Ok(answer) = answer {
        assert!(!answer.status().is_success(), "{:?}", answer.into_body().collect().await);
    }
    assert!(seen.take().is_empty());
}
