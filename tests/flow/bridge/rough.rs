//! Cameras that hang, break off, say two things at once or never end: who asked is told so in time, and what the bridge keeps of it is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use jiff::{Span, Timestamp};
use oriel_onvif::ns;
use oriel_soap::access::Level;
use oriel_soap::auth::UsernameToken;
use tokio::time::timeout;

use super::lan::{LanCamera, Says, envelope, response, soap as answered, with_digest};
use super::site::{Answer, DEVICE, Site, element, get, soap};

/// No answer of a test takes so long, unless something waits for ever.
const LONG: Duration = Duration::from_secs(60);

fn information() -> String {
    element(ns::TDS.uri, "GetDeviceInformation")
}

async fn asked(site: &Site) -> Answer {
    timeout(LONG, site.call(Level::User, &information())).await.expect("an answer")
}

/// The clock goes on, and nobody waited.
async fn after(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

#[tokio::test]
async fn what_is_no_proper_answer_is_a_bad_gateway() {
    let good = envelope("<r:R xmlns:r=\"urn:r\"/>");
    let kind = "Content-Type: application/soap+xml\r\n";
    let length = good.len();
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{kind}{lines}\r\n").into_bytes();
    let with = |lines: &str| [head(lines), good.clone().into_bytes()].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("half a head", b"HTTP/1.1 200 OK\r\nContent-Type: appl".to_vec()),
        ("half a body", with(&format!("Content-Length: {}\r\n", length * 2))),
        ("half a chunk", [head("Transfer-Encoding: chunked\r\n"), b"ffff\r\nhalf".to_vec()].concat()),
        (
            "no last chunk",
            [head("Transfer-Encoding: chunked\r\n"), format!("{length:x}\r\n{good}\r\n").into_bytes()].concat(),
        ),
        ("a chunk without a size", [head("Transfer-Encoding: chunked\r\n"), b"wrong\r\n".to_vec()].concat()),
        ("two lengths", with(&format!("Content-Length: {length}\r\nContent-Length: 5\r\n"))),
        ("two lengths in one", with(&format!("Content-Length: {length}, 5\r\n"))),
        ("a length that is none", with("Content-Length: -1\r\n")),
        ("no HTTP", b"220 camera FTP server ready\r\n\r\n".to_vec()),
        ("TLS", b"\x15\x03\x01\x00\x02\x02\x28".to_vec()),
        (
            "HTTP/2",
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05".to_vec(),
        ),
        ("a status of four figures", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("another protocol", b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n".to_vec()),
        ("a header with a NUL", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n".to_vec()),
    ];
    let mut wrong = Vec::new();
    for (name, bytes) in cases {
        let camera = LanCamera::start(with_digest(move |_| Says::Last(bytes.clone()))).await;
        let site = Site::of(&camera).await;
        let answer = asked(&site).await;
        if answer.status != StatusCode::BAD_GATEWAY || !answer.whole {
            wrong.push(format!("{name}: {answer:?}"));
        }
        // The same, where nothing is read as SOAP: the head may have been passed on, but not as if it were the whole.
        let page = Site::with(&camera, |_, common| common.camera_pages = true).await;
        let answer = timeout(LONG, page.ask(Level::Administrator, get("/picture"))).await.expect("an answer");
        if answer.status.is_success() && answer.whole {
            wrong.push(format!("{name} as a page: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn two_ways_to_say_where_an_answer_ends_hide_no_second_answer() {
    let second = response(
        "200 OK",
        "Content-Type: application/soap+xml\r\n",
        envelope("<r:Smuggled xmlns:r=\"urn:r\"/>").as_bytes(),
    );
    let first = envelope("<r:R xmlns:r=\"urn:r\"/>");
    let chunked = format!("{:x}\r\n{first}\r\n0\r\n\r\n", first.len());
    for lines in [
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", chunked.len() + second.len()),
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", 4),
        "Transfer-Encoding: chunked\r\n".to_owned(),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n{lines}\r\n{chunked}");
        let bytes = [head.into_bytes(), second.clone()].concat();
        let camera = LanCamera::start(with_digest(move |_| Says::Bytes(bytes.clone()))).await;
        let site = Site::of(&camera).await;
        for _ in 0..3 {
            // One who asks next must not get what was left over.
            let answer = asked(&site).await;
            assert!(!answer.text.contains("Smuggled"), "{lines}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_camera_that_never_answers_is_a_timeout_and_does_not_keep_its_connection() {
    let camera = LanCamera::start(with_digest(|_| Says::Nothing)).await;
    let site = Arc::new(Site::of(&camera).await);
    let asking = tokio::spawn({
        let site = Arc::clone(&site);
        async move { site.call(Level::User, &information()).await }
    });
    camera.when("the question", |counts| counts.requests == 2).await;
    after(Duration::from_secs(120)).await;
    let answer = timeout(LONG, asking).await.expect("an answer").unwrap();
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{answer:?}");
    camera.when("the end of the connection", |counts| counts.open == 0).await;
}

#[tokio::test]
async fn endless_heads_and_bodies_of_soap_are_cut() {
    const PART: usize = 64 << 10;
    let kind = "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n";
    let line = format!("X-Endless: {}\r\n", "x".repeat(1000)).repeat(64);
    let cases: [(&str, Vec<u8>, Vec<u8>); 5] = [
        ("a head", kind.into(), line.into_bytes()),
        ("a line of a head", format!("{kind}X: ").into(), vec![b'x'; PART]),
        ("a body", format!("{kind}\r\n").into(), vec![b' '; PART]),
        (
            "chunks",
            format!("{kind}Transfer-Encoding: chunked\r\n\r\n").into(),
            [b"1000\r\n", &[b' '; 0x1000][..], b"\r\n"].concat(),
        ),
        ("provisional answers", Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)),
    ];
    for (name, first, rest) in cases {
        let camera = LanCamera::start(with_digest(move |_| Says::Endless(first.clone(), rest.clone()))).await;
        let site = Site::of(&camera).await;
        let asking = async { asked(&site).await };
        tokio::pin!(asking);
        let answer = tokio::select! {
            answer = &mut asking => answer,
            // What is read and thrown away for ever has a deadline, too.
            () = async {
                camera.when("many provisional answers", |counts| counts.endless > 2 << 20).await;
                after(Duration::from_secs(120)).await;
                std::future::pending::<()>().await;
            }, if name == "provisional answers" => unreachable!(),
        };
        let refused = answer.status.is_server_error();
        assert!(refused || (name.contains("body") || name == "chunks") && !answer.whole, "{name}: {}", answer.status);
        camera.when("the end of the connection", |counts| counts.open == 0).await;
        let taken = camera.counts().endless;
        // A long answer, such as a recording's index, is passed on as it comes, and has an end, too.
        assert!(taken < 80 << 20, "{name}: {taken} bytes were taken");
    }
}

#[tokio::test]
async fn an_endless_picture_flows_as_fast_as_it_is_read_and_ends_with_its_reader() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n";
    let camera = LanCamera::start(with_digest(move |_| Says::Endless(head.into(), vec![0xff; 64 << 10]))).await;
    let site = Site::with(&camera, |_, common| common.camera_pages = true).await;
    let mut answer = site.head(Level::Administrator, get("/stream.mjpeg")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    for _ in 0..10 {
        answer.body_mut().frame().await.unwrap().unwrap();
    }
    let mut taken = 0;
    // Until the camera's writes stand still: what lies between it and the reader is full.
    while camera.counts().endless != taken {
        taken = camera.counts().endless;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(taken < 16 << 20, "{taken} bytes are kept for a reader who does not read");
    drop(answer);
    camera.when("the end of the connection", |counts| counts.open == 0).await;
}

#[tokio::test]
async fn a_camera_whose_clock_is_wrong_gets_tokens_by_its_clock() {
    for offset in [400_i64, -400, 86_400 * 365] {
        let wrong = Arc::new(AtomicUsize::new(0));
        let refused = Arc::clone(&wrong);
        let camera = LanCamera::start(move |asked| {
            let now = Timestamp::now().checked_add(Span::new().seconds(offset)).unwrap();
            if asked.operation() == "GetSystemDateAndTime" {
                return Says::Bytes(answered(&clock(now)));
            }
            let message = oriel_soap::Envelope::parse(asked.body.as_bytes(), &oriel_soap::xml::Limits::REQUEST).unwrap();
            let right = message.username_token().ok().flatten().is_some_and(|token| in_time(&token, now));
            if right {
                return Says::Bytes(answered("<r:LetIn xmlns:r=\"urn:r\"/>"));
            }
            refused.fetch_add(1, Ordering::Relaxed);
            let fault = "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:e=\"http://www.onvif.org/ver10/error\">\
                         e:NotAuthorized</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en\">no</s:Text></s:Reason></s:Fault>";
            Says::Bytes(response("400 Bad Request", "Content-Type: application/soap+xml\r\n", envelope(fault).as_bytes()))
        })
        .await;
        let site = Site::of(&camera).await;
        for _ in 0..3 {
            let answer = asked(&site).await;
            assert!(answer.text.contains("LetIn"), "{offset} s: {answer:?}");
        }
        assert!(wrong.load(Ordering::Relaxed) <= 3, "{offset} s: the offset is not remembered");
    }
}

fn in_time(token: &UsernameToken, now: Timestamp) -> bool {
    let created = token.created.as_deref().and_then(|created| created.parse::<Timestamp>().ok());
    created.is_some_and(|created| now.duration_since(created).abs() < jiff::SignedDuration::from_secs(60))
}

fn clock(now: Timestamp) -> String {
    let utc = now.to_zoned(jiff::tz::TimeZone::UTC);
    let (tds, tt) = (ns::TDS.uri, ns::TT.uri);
    format!(
        "<d:GetSystemDateAndTimeResponse xmlns:d=\"{tds}\" xmlns:t=\"{tt}\"><d:SystemDateAndTime><t:DateTimeType>Manual</t:DateTimeType>\
         <t:DaylightSavings>false</t:DaylightSavings><t:UTCDateTime><t:Time><t:Hour>{}</t:Hour><t:Minute>{}</t:Minute><t:Second>{}</t:Second>\
         </t:Time><t:Date><t:Year>{}</t:Year><t:Month>{}</t:Month><t:Day>{}</t:Day></t:Date></t:UTCDateTime></d:SystemDateAndTime>\
         </d:GetSystemDateAndTimeResponse>",
        utc.hour(),
        utc.minute(),
        utc.second(),
        utc.year(),
        utc.month(),
        utc.day()
    )
}

#[tokio::test]
async fn a_connection_that_the_camera_closed_without_a_word_costs_no_answer() {
    // Cameras close after each answer, or after a while, and say nothing of it; what was never read there is asked again elsewhere.
    let camera = LanCamera::start(with_digest(|_| Says::Last(answered("<r:R xmlns:r=\"urn:r\"/>")))).await;
    let site = Site::of(&camera).await;
    for round in 0..30 {
        let answer = asked(&site).await;
        assert_eq!(answer.status, StatusCode::OK, "round {round}: {answer:?}");
    }
}

#[tokio::test]
async fn a_question_that_the_camera_read_is_not_asked_twice() {
    let moves = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&moves);
    let camera = LanCamera::start(with_digest(move |asked| match asked.operation().as_str() {
        "SystemReboot" => {
            counted.fetch_add(1, Ordering::Relaxed);
            Says::Last(Vec::new())
        }
        _ => Says::Bytes(answered("<r:R xmlns:r=\"urn:r\"/>")),
    }))
    .await;
    let site = Site::of(&camera).await;
    for round in 1..=5 {
        assert_eq!(asked(&site).await.status, StatusCode::OK);
        let answer = site.call(Level::Administrator, &element(ns::TDS.uri, "SystemReboot")).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{answer:?}");
        assert_eq!(moves.load(Ordering::Relaxed), round, "asked again");
    }
}

#[tokio::test]
async fn http_1_0_and_answers_that_end_with_the_connection_are_understood() {
    let body = envelope("<r:Old xmlns:r=\"urn:r\"/>");
    for head in [
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n",
        "HTTP/1.1 200\r\n",
        "HTTP/1.1 200 OK\r\nconnection: Keep-Alive, close\r\n",
    ] {
        let bytes = format!("{head}content-type:application/soap+xml;charset=utf-8\r\n\r\n{body}").into_bytes();
        let camera = LanCamera::start(with_digest(move |_| Says::Last(bytes.clone()))).await;
        let site = Site::of(&camera).await;
        for _ in 0..2 {
            let answer = asked(&site).await;
            assert!(answer.status == StatusCode::OK && answer.text.contains("Old"), "{head}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_the_camera_does_not_want_is_no_obstacle() {
    // Refuses by its head alone, and closes before it has read the body.
    let camera = LanCamera::start(|asked| match asked.user() {
        None => Says::Last(super::lan::challenge()),
        Some(_) => Says::Bytes(answered("<r:R xmlns:r=\"urn:r\"/>")),
    })
    .await;
    let site = Site::of(&camera).await;
    let large =
        format!("<o:SetHostname xmlns:o=\"{}\"><o:Name>{}</o:Name></o:SetHostname>", ns::TDS.uri, "x".repeat(200_000));
    let answer = timeout(LONG, site.ask(Level::Administrator, soap(DEVICE, &large))).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}
