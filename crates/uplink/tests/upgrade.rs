//! The upgrade as bytes (Uplink §5.1.1): sent strictly, accepted tolerantly, refused with a reason.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use http::StatusCode;
use oriel_uplink::{
    Form,
    cloud::{Class, Limits, Refusal, SniffError, SniffLimits, Sniffed, sniff},
    device::{self, Closed, DialError, Layer, Stop, dial_over},
    frames::PREFACE,
    upgrade::{
        request::{self, Judged},
        response,
    },
};
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

fn judged(head: &str) -> Judged {
    request::parse(head.as_bytes())
}

fn uplink(head: &str) -> request::UpgradeRequest {
    match judged(head) {
        Judged::Uplink(request, used) => {
            assert_eq!(used, head.len());
            *request
        }
        other => panic!("{head:?}: {other:?}"),
    }
}

fn broken(head: &str) -> u16 {
    match judged(head) {
        Judged::Broken(error) => error.status,
        other => panic!("{head:?}: {other:?}"),
    }
}

const NATIVE: &str =
    "GET /up?x=1 HTTP/1.1\r\nHost: cloud.example\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n";

#[tokio::test]
async fn the_native_request_is_these_bytes_in_one_write_and_nothing_more_before_the_answer() {
    let (near, mut far) = duplex(4096);
    let dialled = tokio::spawn(async move {
        let address = "https://cloud.example:8443/a/b?c=d".parse().unwrap();
        dial_over(near, &address, Some(&token("abc.def")), S(5)).await.map(|_| ())
    });
    let mut bytes = vec![0; 4096];
    let n = far.read(&mut bytes).await.unwrap();
    let want = "GET /a/b?c=d HTTP/1.1\r\nHost: cloud.example:8443\r\nAuthorization: Bearer abc.def\r\n\
                Connection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n";
    assert_eq!(std::str::from_utf8(&bytes[..n]).unwrap(), want);
    let more = tokio::time::timeout(Duration::from_millis(20), far.read(&mut bytes)).await;
    assert!(more.is_err(), "nothing before the 101");
    drop(far);
    assert!(dialled.await.unwrap().is_err());
}

#[tokio::test]
async fn the_websocket_request_names_the_subprotocol() {
    let (near, mut far) = duplex(4096);
    tokio::spawn(async move {
        let _ = dial_over(near, &"wss://cloud.example".parse().unwrap(), None, S(5)).await;
    });
    let head = read_head(&mut far).await;
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let want = format!(
        "GET / HTTP/1.1\r\nHost: cloud.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: h2c-reverse\r\n\r\n"
    );
    assert_eq!(head, want);
    assert_eq!(key.len(), 24);
}

#[tokio::test]
async fn the_101_is_exactly_three_lines_flushed_alone_and_then_preface_and_settings() {
    let (mut near, far) = duplex(4096);
    near.write_all(NATIVE.as_bytes()).await.unwrap();
    let incoming = incoming(far).await;
    let accepted = tokio::spawn(async move { incoming.accept(&Limits::default()).await.unwrap() });
    let mut bytes = vec![0; 4096];
    let n = near.read(&mut bytes).await.unwrap();
    let want = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n";
    assert!(std::str::from_utf8(&bytes[..want.len()]).unwrap() == want && n >= want.len());
    let (_tunnel, driver) = accepted.await.unwrap();
    tokio::spawn(driver);
    let mut rest = bytes[want.len()..n].to_vec();
    while rest.len() < PREFACE.len() + 9 {
        rest.push(near.read_u8().await.unwrap());
    }
    assert!(rest.starts_with(PREFACE));
    assert_eq!(rest[PREFACE.len() + 3], 4, "SETTINGS");
}

#[test]
fn what_published_devices_send_is_accepted() {
    let request = uplink(NATIVE);
    assert_eq!((request.form, request.target.as_str()), (Form::Native, "/up?x=1"));
    assert_eq!(request.host.as_deref(), Some("cloud.example"));
    for head in [
        // The request line in lower case, header names in any case.
        "GET /x http/1.1\r\nhost: c\r\nCONNECTION: upgrade\r\nuPgRaDe: H2C-Reverse\r\n\r\n",
        // Comma lists and repeats.
        "GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: foo, h2c-reverse\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: upgrade\r\nUpgrade: foo\r\nUpgrade: h2c-reverse\r\n\r\n",
        // Bare line feeds, no space after the colon, an empty body announced.
        "GET / HTTP/1.1\nConnection:Upgrade\nUpgrade:h2c-reverse\nContent-Length: 0\n\n",
    ] {
        assert_eq!(uplink(head).form, Form::Native);
    }
}

#[test]
fn anybody_elses_request_is_told_from_an_uplink() {
    for head in [
        "GET / HTTP/1.1\r\nHost: c\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: webrtc.onvif.org\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nbroken head\r\n\r\n",
        "POST ",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01",
    ] {
        assert_eq!(judged(head), Judged::Other, "{head:?}");
    }
    assert_eq!(judged("GE"), Judged::Partial);
}

#[test]
fn the_decision_is_the_same_wherever_the_head_is_cut() {
    for cut in 0..NATIVE.len() {
        assert_eq!(judged(&NATIVE[..cut]), Judged::Partial, "cut at {cut}");
    }
    let early = format!("{NATIVE}\0\0\0\x04\0\0\0\0\0");
    assert!(matches!(judged(&early), Judged::Uplink(_, used) if used == NATIVE.len()));
}

#[test]
fn wrong_uplinks_are_told_what_is_wrong() {
    let with = |more: &str| NATIVE.replace("\r\n\r\n", &format!("\r\n{more}\r\n\r\n"));
    assert_eq!(broken(&NATIVE.replace("Connection: Upgrade\r\n", "")), 400);
    assert_eq!(broken(&NATIVE.replace("HTTP/1.1", "HTTP/1.0")), 505);
    assert_eq!(broken(&with("Content-Length: 5")), 400);
    assert_eq!(broken(&with("Transfer-Encoding: chunked")), 400);
    assert_eq!(broken(&with("Host: other")), 400);
    assert_eq!(broken(&with("bad header")), 400);
    assert_eq!(broken(&with("Authorization: Bearer a\r\nAuthorization: Bearer b")), 400);
    assert_eq!(broken(&with("Authorization: Bearer a b")), 400);
    for control in ["\0", "\t", "\r", "\u{1b}[2J", "\u{9b}2J"] {
        assert_eq!(broken(&NATIVE.replacen(" HTTP", &format!("{control} HTTP"), 1)), 400, "{control:?}");
    }
    let large = with(&format!("X-Large: {}", "x".repeat(9000)));
    assert_eq!(broken(&large), 431);
    // An ordinary request of that size is the HTTP server's business.
    assert_eq!(judged(&large.replace("h2c-reverse", "h2c")), Judged::Other);
}

#[test]
fn a_token_comes_by_header_or_in_the_websocket_form_by_query_but_never_by_both() {
    let web = |target: &str, more: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nHost: c\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: foo, h2c-reverse\r\n{more}\r\n"
        )
    };
    let request = uplink(&web("/a?x=1&access_token=s3%2Ecret&y", ""));
    assert_eq!(request.token.as_ref().unwrap().reveal(), "s3.cret");
    assert_eq!(request.target, "/a?x=1&y");
    assert!(!format!("{request:?}").contains("cret"));
    assert_eq!(uplink(&web("/a?access_token=t", "")).target, "/a");
    assert_eq!(uplink(&web("/", "authorization: bearer abc\r\n")).token.unwrap().reveal(), "abc");
    assert_eq!(uplink(&web("/", "Authorization: Basic abc\r\n")).token, None);
    assert_eq!(broken(&web("/?access_token=a", "Authorization: Bearer b\r\n")), 400);
    assert_eq!(broken(&web("/?access_token=a&access_token=b", "")), 400);
    assert_eq!(broken(&web("/?access%5ftoken=", "")), 400);
    // The native form has one method only; what stands in its query is no token, but is not logged either.
    let native = uplink(&NATIVE.replace("x=1", "access_token=t"));
    assert_eq!((native.token, native.target.as_str()), (None, "/up"));
    assert_eq!(broken(&web("/", "").replace("Version: 13", "Version: 8")), 426);
    assert_eq!(broken(&web("/", "").replace("dGhlIHNhbXBsZSBub25jZQ==", "short")), 400);
}

#[tokio::test]
async fn bytes_after_the_request_reach_http2() {
    // The device's SETTINGS come in the same write as its request.
    let (mut near, far) = duplex(1 << 16);
    let mut early = NATIVE.as_bytes().to_vec();
    early.extend(frame(4, 0, 0, &[0, 3, 0, 0, 0, 5]));
    near.write_all(&early).await.unwrap();
    let (tunnel, driver) = incoming(far).await.accept(&Limits::default()).await.unwrap();
    tokio::spawn(driver);
    read_head(&mut near).await;
    near.read_exact(&mut [0; 24]).await.unwrap();
    let asked = tokio::spawn(async move { tunnel.request(Class::Soap, get("/")).await.map(|r| r.status()) });
    let (flags, _, _) = read_frame(&mut near, 4).await;
    assert_eq!(flags, 0, "its own SETTINGS first");
    let (_, stream, _) = read_frame(&mut near, 1).await;
    near.write_all(&frame(1, 5, stream, &[0x88])).await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn the_101_may_be_split_anywhere_and_joined_with_the_preface() {
    let mut answer =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n".to_vec();
    answer.extend(PREFACE);
    answer.extend(frame(4, 0, 0, &[]));
    // GET on stream 1 or 3: `:method: GET`, `:scheme: http`, `:path: /`, and no `:authority`.
    for first in [1, 3] {
        let mut whole = answer.clone();
        whole.extend(frame(1, 5, first, &[0x82, 0x86, 0x84]));
        for cut in (0..=whole.len()).step_by(if first == 1 { 1 } else { 37 }) {
            let (near, mut far) = duplex(1 << 16);
            let served = tokio::spawn(async move {
                let link = dial_over(near, &address(Form::Native), None, S(5)).await.unwrap();
                link.serve(service, &device::Limits::default(), Stop::new()).await
            });
            read_head(&mut far).await;
            far.write_all(&whole[..cut]).await.unwrap();
            tokio::task::yield_now().await;
            far.write_all(&whole[cut..]).await.unwrap();
            let (_, stream, _) = read_frame(&mut far, 1).await;
            assert_eq!(stream, first, "cut at {cut}");
            assert_eq!(read_frame(&mut far, 0).await.2, b"/");
            drop(far);
            served.await.unwrap();
        }
    }
}

#[tokio::test]
async fn interim_answers_before_the_101_are_passed_over() {
    let (near, mut far) = duplex(4096);
    let dialled = tokio::spawn(async move { dial_over(near, &address(Form::Native), None, S(5)).await.map(|_| ()) });
    read_head(&mut far).await;
    far.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 x\r\nupgrade: H2C-REVERSE\r\n\r\n").await.unwrap();
    dialled.await.unwrap().unwrap();
}

async fn answered(form: Form, answer: &[u8]) -> DialError {
    let (near, mut far) = duplex(1 << 16);
    let dialled = tokio::spawn(async move { dial_over(near, &address(form), Some(&token("t")), S(5)).await });
    read_head(&mut far).await;
    far.write_all(answer).await.unwrap();
    drop(far);
    dialled.await.unwrap().unwrap_err()
}

#[tokio::test]
async fn refusals_bring_their_status_text_and_retry_after() {
    let error = answered(Form::Native, b"HTTP/1.1 401 x\r\nContent-Length: 7\r\n\r\nexpired+").await;
    assert_eq!(error.layer(), Layer::Token);
    assert_eq!(error.to_string(), "token: the cloud answered 401: expired");
    let html = b"HTTP/1.1 403 x\r\n\r\n<html><h1>Not\n\n you</h1>";
    assert_eq!(answered(Form::Native, html).await.to_string(), "upgrade: the cloud answered 403: Not you");
    let error = answered(Form::WebSocket, b"HTTP/1.1 429 x\r\nRetry-After: 17\r\n\r\n").await;
    assert_eq!(error.to_string(), "upgrade: the cloud answered 429 (again in 17 s)");
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + S(100));
    let error = answered(Form::Native, format!("HTTP/1.1 503 x\r\nRetry-After: {date}\r\n\r\n").as_bytes()).await;
    let DialError::Refused { status: 503, retry_after: Some(after), .. } = error else { panic!("{error}") };
    assert!(after > S(90) && after <= S(100));
    let long = format!("HTTP/1.1 500 x\r\n\r\n{}", "y".repeat(5000));
    let error = answered(Form::Native, long.as_bytes()).await.to_string();
    assert!(error.len() < 300, "{error}");
}

#[tokio::test]
async fn answers_that_are_no_upgrade_say_so() {
    let text = |answer: &'static [u8], form| async move { answered(form, answer).await.to_string() };
    assert_eq!(text(b"SSH-2.0-OpenSSH\r\n", Form::Native).await, "upgrade: the answer is not HTTP/1.1");
    assert!(text(b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n", Form::Native).await.contains("another protocol"));
    assert!(
        text(b"HTTP/1.1 101 x\r\nUpgrade: h2c-reverse\r\n\r\n", Form::WebSocket).await.contains("another protocol")
    );
    assert!(
        text(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", Form::WebSocket).await.contains("Sec-WebSocket-Accept")
    );
    assert!(text(b"HTTP/1.1 101", Form::Native).await.contains("the connection ended before the answer"));
    assert!(text(b"HTTP/1.1 99 x\r\n\r\n", Form::Native).await.contains("not HTTP"));
    let large = format!("HTTP/1.1 101 x\r\nX: {}", "x".repeat(9000));
    assert!(answered(Form::Native, large.as_bytes()).await.to_string().contains("8 KiB"));
}

#[test]
fn the_websocket_answer_is_checked_against_the_key_and_the_subprotocol() {
    // The sample of RFC 6455 §1.3.
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let protocol = &oriel_uplink::upgrade::tokens::H2C_REVERSE;
    let bytes = response::write_websocket(protocol, key);
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{text}");
    let verify = |text: &str| {
        let (answer, _) = response::parse(text.as_bytes()).unwrap().unwrap();
        answer.verify(Form::WebSocket, protocol, key).map_err(|error| error.to_string())
    };
    assert_eq!(verify(text), Ok(()));
    assert!(verify(&text.replace("s3p", "S3p")).unwrap_err().contains("Accept"));
    assert!(verify(&text.replace("Protocol: h2c-reverse", "Protocol: foo")).unwrap_err().contains("subprotocol"));
    let extended = text.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    assert!(verify(&extended).unwrap_err().contains("extension"));
}

#[tokio::test]
async fn the_cloud_refuses_with_a_text_and_closes() {
    let (near, far) = duplex(4096);
    let dialled =
        tokio::spawn(async move { dial_over(near, &address(Form::WebSocket), None, S(5)).await.unwrap_err() });
    incoming(far).await.refuse(Refusal::busy(Duration::from_millis(1500))).await.unwrap();
    let error = dialled.await.unwrap().to_string();
    assert_eq!(error, "upgrade: the cloud answered 503: the cloud takes no more uplinks at the moment (again in 2 s)");
}

async fn sniffed(parts: &[&[u8]], pause: Duration) -> (Result<Sniffed<tokio::io::DuplexStream>, SniffError>, Vec<u8>) {
    let (mut near, far) = duplex(1 << 16);
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
    let writer = tokio::spawn(async move {
        for part in parts {
            if near.write_all(&part).await.is_err() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        let mut answer = Vec::new();
        let _ = near.read_to_end(&mut answer).await;
        answer
    });
    match sniff(far, &SniffLimits::default()).await {
        Ok(sniffed) => (Ok(sniffed), Vec::new()),
        Err(error) => (Err(error), writer.await.unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn slow_and_oversized_uplink_heads_are_answered_and_closed() {
    let slow: Vec<&[u8]> = NATIVE.as_bytes().chunks(8).collect();
    let (result, answer) = sniffed(&slow, S(1)).await;
    assert!(matches!(result, Err(SniffError::Refused(error)) if error.status == 408) || answer.is_empty());
    let upgrade_first = NATIVE.replace("/up?x=1 HTTP/1.1\r\n", "/ HTTP/1.1\r\nUpgrade: h2c-reverse\r\n");
    let slow: Vec<&[u8]> = upgrade_first.as_bytes().chunks(12).collect();
    let (result, answer) = sniffed(&slow, S(1)).await;
    assert!(matches!(result, Err(SniffError::Refused(error)) if error.status == 408), "{result:?}");
    assert!(answer.starts_with(b"HTTP/1.1 408 "));
    let large = NATIVE.replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "x".repeat(9000)));
    let (result, answer) = sniffed(&[large.as_bytes()], S(0)).await;
    assert!(matches!(result, Err(SniffError::Refused(error)) if error.status == 431), "{result:?}");
    assert!(answer.starts_with(b"HTTP/1.1 431 "));
    let (result, _) = sniffed(&[], S(60)).await;
    assert!(matches!(result, Err(SniffError::Silent | SniffError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_client_keeps_every_byte_however_slow_or_large_its_head() {
    let large = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "c".repeat(20_000));
    for (parts, pause) in [
        (vec![&b"POST /onvif HTTP/1.1\r\n"[..]], S(0)),
        (vec![large.as_bytes()], S(0)),
        (large.as_bytes()[..40].chunks(4).collect::<Vec<_>>(), S(1)),
    ] {
        let want: Vec<u8> = parts.concat();
        let (result, _) = sniffed(&parts, pause).await;
        let Ok(Sniffed::Other(mut io)) = result else { panic!("{result:?}") };
        let mut got = vec![0; want.len().min(20)];
        io.read_exact(&mut got).await.unwrap();
        assert_eq!(got, want[..got.len()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_accepts_and_then_is_silent_is_given_up() {
    let (near, mut far) = duplex(4096);
    let served = tokio::spawn(async move {
        let link = dial_over(near, &address(Form::Native), None, S(5)).await.unwrap();
        link.serve(service, &device::Limits::default(), Stop::new()).await
    });
    read_head(&mut far).await;
    far.write_all(b"HTTP/1.1 101 x\r\nUpgrade: h2c-reverse\r\n\r\n").await.unwrap();
    assert_eq!(served.await.unwrap(), Closed::NoSettings);
    let (near, mut far) = duplex(4096);
    let dialled = tokio::spawn(async move { dial_over(near, &address(Form::Native), None, S(5)).await });
    read_head(&mut far).await;
    let error = dialled.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "upgrade: no answer within 5 s");
}

/// The next number of a small generator (SplitMix64), for inputs that are random but the same every time.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn whatever_comes_a_decision_once_made_is_kept_and_nothing_panics() {
    let answer = "HTTP/1.1 101 x\r\nUpgrade: h2c-reverse\r\nRetry-After: 5\r\n\r\nbody";
    let mut state = 1;
    for round in 0..20_000 {
        let seed = if round % 2 == 0 { NATIVE } else { answer };
        let mut bytes = seed.as_bytes().to_vec();
        for _ in 0..1 + next(&mut state) % 4 {
            let at = next(&mut state) as usize % bytes.len();
            match next(&mut state) % 3 {
                0 => bytes[at] = next(&mut state) as u8,
                1 => bytes.insert(at, b"\r\n: ,"[next(&mut state) as usize % 5]),
                _ => drop(bytes.remove(at)),
            }
        }
        let cut = next(&mut state) as usize % bytes.len();
        let early = request::parse(&bytes[..cut]);
        if early != Judged::Partial {
            assert_eq!(early, request::parse(&bytes), "{:?} cut at {cut}", String::from_utf8_lossy(&bytes));
        }
        if let Ok(Some(early)) = response::parse(&bytes[..cut]) {
            assert_eq!(Some(early), response::parse(&bytes).unwrap());
        }
        let _ = oriel_uplink::websocket::decode(oriel_uplink::websocket::Role::Client, &bytes);
    }
}
