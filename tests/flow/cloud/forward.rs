//! `oriel forward`'s port: a device behind the cloud for programs that know neither tokens nor TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use oriel_client::forward::{Forward, Gateway};
use oriel_client::{Auth, CallError, Client};
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetScopes, GetServices, GetUsers};
use oriel_soap::access::Level;
use oriel_uplink::{Body, body};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::House;
use super::camera::{Camera, Seen, soap_ok};
use super::client::{bare, message};
use super::raw::read_head;

/// The gateway's address of a device, by a name that the cloud's certificate has.
async fn port(house: &House, id: &str, token: &str) -> Forward {
    let url = format!("https://localhost:{}/d/{id}/onvif/device_service", house.cloud.address().port());
    let gateway = Gateway::new(&url.parse().unwrap(), house.tls(None), token).unwrap();
    Forward::start(([127, 0, 0, 1], 0).into(), gateway, false).await.unwrap()
}

fn client(address: SocketAddr, auth: Auth) -> Client {
    Client::new(&format!("http://{address}/onvif/device_service").parse().unwrap(), None, auth).unwrap()
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

/// One request as it is, `Host` added if there is none.
async fn ask(address: SocketAddr, request: Request<impl Into<Bytes>>) -> Answer {
    let (mut parts, body) = request.into_parts();
    parts.headers.entry("host").or_insert_with(|| address.to_string().parse().unwrap());
    let tcp = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(Request::from_parts(parts, Full::new(body.into()))).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

fn soap() -> http::request::Builder {
    Request::post("/onvif/device_service").header("content-type", "application/soap+xml")
}

#[tokio::test]
async fn any_account_and_none_reach_the_device_and_every_address_leads_through_the_port() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let port = port(&house, &camera.id, &house.administrator).await;
    let address = port.address();
    let accounts = [
        Auth::None,
        Auth::Password { user: "whoever".to_owned(), password: "whatever".to_owned() },
        Auth::Bearer("somebody else's".to_owned()),
    ];
    for auth in accounts {
        let client = client(address, auth);
        let services = client.call(GetServices::default()).await.unwrap().service;
        let base = format!("http://{address}/onvif/");
        assert!(!services.is_empty());
        assert!(services.iter().all(|service| service.x_addr.starts_with(&base)), "{services:?}");
        assert!(!client.call(GetUsers::default()).await.unwrap().user.is_empty());
    }
    // By the name that the client used.
    let named = soap().header("host", format!("localhost:{}", address.port()));
    let answer = ask(address, named.body(message(&GetServices::default())).unwrap()).await;
    assert!(
        answer.text.contains(&format!(">http://localhost:{}/onvif/device_service<", address.port())),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn addresses_of_a_device_that_knows_its_lan_alone_lead_through_the_port_too() {
    const REPLY: &str = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body><t:R xmlns:t='http://www.onvif.org/x'>\
        <t:XAddr>http://192.168.1.64/onvif/media</t:XAddr><t:Uri>rtsp://192.168.1.64/live</t:Uri><t:UploadUri>http://192.168.1.64/up?a=1&amp;b</t:UploadUri>\
        <a:Address xmlns:a='http://www.w3.org/2005/08/addressing'>http://192.168.1.64/sub/7</a:Address></t:R></s:Body></s:Envelope>";
    let house = House::open().await;
    let seen = Seen::default();
    let service = seen.service(|_| {
        Response::builder().header("content-type", "application/soap+xml").body(body::full(REPLY)).unwrap()
    });
    let puppet = house.puppet("https", service).await;
    let port = port(&house, &puppet.id, &house.administrator).await;
    let base = format!("http://{}", port.address());
    let request = Request::post("/onvif/device_service?a=b")
        .header("content-type", "application/soap+xml")
        .header("cookie", "a=b")
        .header("authorization", "Basic YTpi")
        .body(bare("http://www.onvif.org/x", "Q"));
    let answer = ask(port.address(), request.unwrap()).await;
    assert_eq!(answer.text, REPLY.replace("http://192.168.1.64", &base));
    let asked = seen.take().remove(0);
    assert_eq!(asked.uri.path_and_query().unwrap(), "/onvif/device_service?a=b");
    assert!(!asked.headers.contains_key("authorization") && !asked.headers.contains_key("cookie"), "{asked:?}");
}

#[tokio::test]
async fn a_client_that_sends_its_request_only_after_a_challenge_is_challenged() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let port = port(&house, &puppet.id, &house.administrator).await;
    let challenged = ask(port.address(), soap().body("").unwrap()).await;
    assert_eq!(challenged.status, StatusCode::UNAUTHORIZED);
    let challenge = challenged.headers["www-authenticate"].to_str().unwrap().to_owned();
    let mut digest = oriel_soap::auth::DigestClient::new("any", "account");
    let answer = digest.answer([challenge.as_str()], "POST", "/onvif/device_service").expect("a challenge to answer");
    assert!(seen.take().is_empty(), "the device was not troubled");
    let body = bare("http://www.onvif.org/x", "Q");
    let again = ask(port.address(), soap().header("authorization", answer).body(body).unwrap()).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    assert_eq!(seen.take().len(), 1);
}

#[tokio::test]
async fn what_fails_says_where() {
    let house = House::open().await;
    let camera = Camera::at(&house).await;
    let by = |token: String| {
        let (house, id) = (&house, &camera.id);
        async move { port(house, id, &token).await }
    };
    let refused = async |port: &Forward| {
        let error = client(port.address(), Auth::None).call(GetScopes::default()).await.unwrap_err();
        let CallError::Fault { status, fault } = error else { panic!("{error}") };
        (status.as_u16(), fault.reason)
    };
    let (status, reason) = refused(&by(house.administrator.clone()).await).await;
    assert!(status == 503 && reason.contains("offline"), "{status} {reason}");
    // Not 401, which would be a word about the client's own account.
    let (status, reason) = refused(&by("wrong".to_owned()).await).await;
    assert!(status == 502 && reason.contains("does not take this port's token"), "{status} {reason}");

    let port = by(house.administrator.clone()).await;
    let House { cloud, .. } = house;
    cloud.drain().await;
    let (status, reason) = refused(&port).await;
    assert!(status == 502 && reason.contains("between this port and the cloud: TCP: "), "{status} {reason}");
}

#[tokio::test]
async fn a_token_of_few_rights_stays_one() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let port = port(&house, &camera.id, &house.token(Level::User).await).await;
    let client = client(port.address(), Auth::Password { user: "admin".to_owned(), password: "x".to_owned() });
    client.call(GetDeviceInformation::default()).await.unwrap();
    let error = client.call(GetUsers::default()).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
}

#[tokio::test]
async fn a_web_page_and_a_path_out_of_the_device_do_not_get_through() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let port = port(&house, &puppet.id, &house.administrator).await;
    let get = |target: &str, name: &str, value: &str| Request::get(target).header(name, value).body("").unwrap();
    for (request, status) in [
        (get("/", "host", "evil.example"), 421),
        (get("/", "origin", "http://evil.example"), 403),
        (get("/", "sec-fetch-site", "cross-site"), 403),
        (get("/../../api/v1/devices", "accept", "*/*"), 400),
    ] {
        let target = request.uri().clone();
        assert_eq!(ask(port.address(), request).await.status.as_u16(), status, "{target}");
    }
    assert!(seen.take().is_empty());
    assert_eq!(ask(port.address(), get("/snap", "accept", "image/jpeg")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn long_bodies_pass_in_both_directions() {
    const LONG: usize = 3 * 1024 * 1024;
    let house = House::open().await;
    let seen = Seen::default();
    let service = seen.service(|asked| {
        let text = "z".repeat(asked.body.len());
        // No length, and a kind that is looked through: it is too long for that.
        Response::builder().header("content-type", "text/xml").body(chunked(&text)).unwrap()
    });
    let puppet = house.puppet("https", service).await;
    let port = port(&house, &puppet.id, &house.administrator).await;
    for length in [1000, LONG] {
        let answer = ask(port.address(), Request::put("/file").body("a".repeat(length)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text.len());
        assert_eq!(answer.text.len(), length);
    }
    assert_eq!(seen.take().iter().map(|asked| asked.body.len()).collect::<Vec<_>>(), [1000, LONG]);
}

fn chunked(text: &str) -> Body {
    let chunks: Vec<_> = text.as_bytes().chunks(10_000).map(Bytes::copy_from_slice).collect();
    let frames = futures_util::stream::iter(
        chunks.into_iter().map(|chunk| Ok::<_, oriel_uplink::BoxError>(http_body::Frame::data(chunk))),
    );
    body::boxed(http_body_util::StreamBody::new(frames))
}

#[tokio::test]
async fn a_websocket_passes() {
    let house = House::open().await;
    let puppet = house.puppet("https", super::websocket::echo).await;
    let port = port(&house, &puppet.id, &house.administrator).await;
    let mut stream = TcpStream::connect(port.address()).await.unwrap();
    let hello = format!(
        "GET /live HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly, ",
        port.address()
    );
    stream.write_all(hello.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await.to_lowercase();
    assert!(
        head.starts_with("http/1.1 101 ") && head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{head}"
    );
    let mut early = [0; 7];
    stream.read_exact(&mut early).await.unwrap();
    assert_eq!(&early, b"early, ");
    // The port's end is the connection's.
    port.stop().await;
    let mut rest = Vec::new();
    let _reset = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn an_answer_on_its_way_arrives_when_the_port_ends_and_nobody_else_is_let_in() {
    let house = House::open().await;
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, awaited) = (Arc::clone(&asked), Arc::clone(&go));
    let puppet = house
        .puppet("https", move |_| {
            let (asked, go) = (Arc::clone(&told), Arc::clone(&awaited));
            async move {
                asked.notify_one();
                go.notified().await;
                soap_ok()
            }
        })
        .await;
    let port = port(&house, &puppet.id, &house.administrator).await;
    let address = port.address();
    let request = Request::get("/slow").body("").unwrap();
    let answer = tokio::spawn(async move { ask(address, request).await });
    asked.notified().await;
    let mut stopped = tokio::spawn(port.stop());
    // It no longer listens, while it still waits for the answer.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(futures_util::poll!(&mut stopped).is_pending());
    go.notify_one();
    assert_eq!(answer.await.unwrap().status, StatusCode::OK);
    stopped.await.unwrap();
}
