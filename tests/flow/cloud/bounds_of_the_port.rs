//! Those who never get as far as a tunnel: heads that are too large or too slow, and TLS that does not begin.

use std::time::Duration;

use http::{Request, StatusCode};
use oriel_trust::Identity;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{HERE, House};

async fn well(house: &House) {
    let answer = house.ask(Request::get("/api/v1/health").body(Vec::new()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// All that comes until the cloud closes.
async fn rest(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let _ = io.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let house = House::open().await;
    let identity = Identity::self_signed("large", &[]).unwrap();
    house.register(identity.fingerprint()).await;
    let mut io = house.tls_as(Some(&identity), HERE).await;
    let head = format!(
        "GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\nX: {}\r\n\r\n",
        "y".repeat(9000)
    );
    io.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut io).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    well(&house).await;
}

#[tokio::test]
async fn a_head_that_is_too_slow_is_refused() {
    let house = House::open().await;
    let identity = Identity::self_signed("slow", &[]).unwrap();
    house.register(identity.fingerprint()).await;
    let mut io = house.tls_as(Some(&identity), HERE).await;
    io.write_all(b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n").await.unwrap();
    let answer = tokio::spawn(async move { rest(&mut io).await });
    while !answer.is_finished() {
        super::after(Duration::from_secs(1)).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("too long"), "{answer}");
    well(&house).await;
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let house = House::open_with(|config| config.limits.handshakes = 3).await;
    let mut silent = [house.tcp(HERE).await, house.tcp(HERE).await];
    let mut quiet = house.tls_as(None, HERE).await;
    // As many as there may be in their handshake: the next one waits for its turn.
    let door = house.door.clone();
    let next = tokio::spawn(async move { door.ask(Request::get("/api/v1/health").body(Vec::new()).unwrap()).await });
    while !next.is_finished() {
        super::after(Duration::from_secs(5)).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for io in &mut silent {
        assert_eq!(rest(io).await, "");
    }
    assert_eq!(rest(&mut quiet).await, "");
    assert_eq!(next.await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_listed_proxy_must_say_for_whom_it_speaks() {
    let house = House::open_with(|config| config.proxy_protocol = vec!["127.0.0.0/8".parse().unwrap()]).await;
    well(&house).await;
    let mut io = tokio::net::TcpStream::connect(house.cloud.address()).await.unwrap();
    io.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\0").await.unwrap();
    assert_eq!(rest(&mut io).await, "");
    let unlisted = House::open().await;
    let mut io = tokio::net::TcpStream::connect(unlisted.cloud.address()).await.unwrap();
    io.write_all(b"PROXY TCP4 192.0.2.1 127.0.0.1 4000 443\r\n").await.unwrap();
    let answer = rest(&mut io).await;
    assert!(!answer.contains("HTTP"), "{answer}");
}
