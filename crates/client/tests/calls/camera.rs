//! How cameras answer, and what becomes of their connections.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use oriel_client::camera::{Body, Camera, Reach};
use oriel_client::quirks::Quirks;
use oriel_client::{CallError, TransportError};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_soap::envelope;
use tokio::sync::Semaphore;

use super::information;
use super::rough::{Deed, Rough, SOON, answer, eve, say};

fn told() -> String {
    String::from_utf8(information().into_body().to_vec()).unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(sent("")).unwrap()
}

pub(super) fn sent(text: impl Into<bytes::Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body whose length is not known.
fn streamed(text: &'static str) -> Body {
    let frame = Ok(Frame::data(bytes::Bytes::from_static(text.as_bytes())));
    StreamBody::new(futures_util::stream::iter([frame])).boxed_unsync()
}

async fn text(body: Body) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Ways to say the same, and whether the connection is good for the next request.
fn forms(body: &str) -> Vec<(&'static str, Deed, bool)> {
    let length = body.len();
    let (first, second) = body.split_at(100);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{first}\r\n{:x};x=y\r\n{second}\r\n0\r\nA: b\r\n\r\n",
        length - 100
    );
    let last = |text: String| Deed::Last(text.into_bytes());
    vec![
        ("plain", say(answer("200 OK", "", body)), true),
        ("chunked", say(chunked), true),
        ("HTTP/1.0 with a length", last(format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")), false),
        ("HTTP/1.0 until it closes", last(format!("HTTP/1.0 200 OK\r\n\r\n{body}")), false),
        ("HTTP/1.1 until it closes", last(format!("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{body}")), false),
        ("says that it closes", Deed::Last(answer("200 OK", "Connection: close\r\n", body)), false),
        (
            "HTTP/1.0 that keeps",
            say(format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: {length}\r\n\r\n{body}")),
            true,
        ),
        ("100 first", say([&b"HTTP/1.1 100 Continue\r\n\r\n"[..], &answer("200 OK", "", body)].concat()), true),
        (
            "folded, spaced and broken headers",
            say(answer("200 OK", "Server : odd\r\nX-A: 1\r\n  2\r\nX B: c\r\n", body)),
            true,
        ),
        ("no reason", say(answer("200", "", body)), true),
    ]
}

#[tokio::test]
async fn an_answer_is_read_in_whatever_form_it_comes() {
    for index in 0..forms(&told()).len() {
        let rough = Rough::start(move |_| forms(&told()).swap_remove(index).1).await;
        let (name, _, kept) = forms(&told()).swap_remove(index);
        let client = rough.camera(Quirks::default()).client(None);
        for _ in 0..2 {
            let answer = client.call(GetDeviceInformation::default()).await;
            assert_eq!(answer.unwrap_or_else(|error| panic!("{name}: {error}")).serial_number, "7");
        }
        let connections: Vec<usize> = rough.heard().iter().map(|heard| heard.connection).collect();
        assert_eq!(connections, [0, usize::from(!kept)], "{name}");
    }
}

#[tokio::test]
async fn what_may_have_been_processed_is_not_sent_again() {
    let rough = Rough::start(|heard| match heard.number {
        0 => say(answer("200 OK", "", &told())),
        _ => Deed::Last(Vec::new()),
    })
    .await;
    let client = rough.camera(Quirks::default()).client(None);
    client.call(GetDeviceInformation::default()).await.unwrap();
    let error = client.call(GetDeviceInformation::default()).await.unwrap_err();
    assert!(matches!(&error, CallError::Transport(TransportError::Http(_))), "{error}");
    assert_eq!(rough.heard().len(), 2, "the camera took it, and nobody knows what it did");
}

#[tokio::test]
async fn a_camera_that_closes_while_nobody_asks_is_asked_on_a_new_connection() {
    let mut rough = Rough::start(|_| Deed::Last(answer("200 OK", "", &told()))).await;
    let client = rough.camera(Quirks::default()).client(None);
    for _ in 0..10 {
        client.call(GetDeviceInformation::default()).await.unwrap();
        rough.ended.recv().await.unwrap();
    }
    assert_eq!(rough.heard().len(), 10);
}

#[tokio::test]
async fn heads_are_bounded() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}\r\n", "y".repeat(100_000));
    let rough = Rough::start(move |_| Deed::Hang(endless.clone().into_bytes())).await;
    let error = rough.camera(Quirks::default()).fetch(get("/x"), None, SOON).await.unwrap_err();
    assert!(matches!(&error, TransportError::Http(_)), "{error}");
}

#[tokio::test]
async fn each_wait_has_an_end() {
    let rough = Rough::start(|_| Deed::Hang(Vec::new())).await;
    let camera = rough.camera(Quirks::default());
    let error = camera.fetch(get("/x"), None, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(&error, TransportError::Timeout(_)), "{error}");

    let rough = Rough::start(|_| Deed::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec())).await;
    let response = rough.camera(Quirks::default()).fetch(get("/x"), None, SOON).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    // From here on nothing moves but the clock.
    tokio::time::pause();
    assert!(body.frame().await.unwrap().unwrap_err().to_string().contains("stopped coming"));
}

#[tokio::test]
async fn so_many_connections_and_no_more() {
    for most in [2, Quirks::default().connections] {
        let places = usize::from(most);
        let rough = Rough::start({
            let go = Arc::new(Semaphore::new(0));
            move |heard| {
                // So many at a time: all wait for the last one.
                go.add_permits(if (heard.number + 1) % places == 0 { places } else { 0 });
                Deed::When(Arc::clone(&go), answer("200 OK", "", "x"))
            }
        })
        .await;
        let mut quirks = Quirks::default();
        quirks.connections = most;
        let camera = rough.camera(quirks);
        let asked: Vec<_> = (0..3 * places)
            .map(|_| {
                let camera = Arc::clone(&camera);
                tokio::spawn(async move { text(camera.fetch(get("/x"), None, SOON).await.unwrap().into_body()).await })
            })
            .collect();
        for asked in asked {
            assert_eq!(asked.await.unwrap(), "x");
        }
        let mut connections: Vec<usize> = rough.heard().iter().map(|heard| heard.connection).collect();
        connections.sort_unstable();
        connections.dedup();
        assert_eq!(connections, (0..places).collect::<Vec<_>>(), "each used again");
    }
}

#[tokio::test]
async fn a_connection_that_idles_is_closed() {
    let mut rough = Rough::start(|_| say(answer("200 OK", "", "x"))).await;
    let camera = rough.camera(Quirks::default());
    text(camera.fetch(get("/x"), None, SOON).await.unwrap().into_body()).await;
    tokio::time::pause();
    rough.ended.recv().await.unwrap();
    tokio::time::resume();
    text(camera.fetch(get("/x"), None, SOON).await.unwrap().into_body()).await;
    drop(camera);
    rough.ended.recv().await.unwrap();
}

#[tokio::test]
async fn a_camera_that_moved_is_asked_where_it_is_and_what_is_under_way_finishes() {
    let word = Arc::new(Semaphore::new(0));
    let waited = Arc::clone(&word);
    let old = Rough::start(move |_| Deed::When(Arc::clone(&waited), answer("200 OK", "", "old"))).await;
    let new = Rough::start(|_| say(answer("200 OK", "", "new"))).await;
    let camera = old.camera(Quirks::default());
    let under_way = tokio::spawn({
        let camera = Arc::clone(&camera);
        async move { text(camera.fetch(get("/x"), None, SOON).await.unwrap().into_body()).await }
    });
    while old.heard.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    camera.move_to(new.url.clone()).unwrap();
    assert_eq!(camera.address(), new.url);
    assert_eq!(text(camera.fetch(get("/x"), None, SOON).await.unwrap().into_body()).await, "new");
    word.add_permits(1);
    assert_eq!(under_way.await.unwrap(), "old");
    camera.move_to("https://camera/".parse().unwrap()).unwrap_err();
    assert_eq!(camera.address(), new.url, "where it cannot be asked, it is not");
}

#[tokio::test]
async fn a_redirect_is_handed_back() {
    let rough = Rough::start(|_| say(answer("302 Found", "Location: http://192.0.2.1/\r\n", ""))).await;
    let response = rough.camera(Quirks::default()).fetch(get("/x"), Some(&eve()), SOON).await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(rough.heard().len(), 1);
}

#[tokio::test]
async fn an_absolute_address_leads_to_the_camera_all_the_same() {
    let rough = Rough::start(|_| say(answer("200 OK", "", "x"))).await;
    let camera = rough.camera(Quirks::default());
    camera.fetch(get("http://192.0.2.1:81/snap?x=1"), None, SOON).await.unwrap();
    let write = |headers: &envelope::Headers| envelope::request(&GetDeviceInformation::default(), headers);
    camera.ask("http://192.0.2.1:81/onvif/x", None, &write, None, SOON).await.unwrap();
    let lines: Vec<_> = rough.heard().iter().map(|heard| heard.head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["GET /snap?x=1 HTTP/1.1", "POST /onvif/x HTTP/1.1"]);
}

#[tokio::test]
async fn an_upload_is_sent_once_after_its_challenge() {
    let digest = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    let rough = Rough::start(move |heard| match heard.header("Authorization") {
        Some(_) => say(answer("200 OK", "", "thanks")),
        None => say(answer("401 Unauthorized", digest, if heard.head.starts_with("HEAD") { "" } else { "who?" })),
    })
    .await;
    let camera = rough.camera(Quirks::default());
    let upload = |body| Request::post("/upload").header("content-type", "x/y").body(body).unwrap();
    let long = "firmware".repeat(10_000);
    for (body, asked, first) in
        [(streamed("firmware"), "HEAD", ""), (sent(long), "HEAD", ""), (sent("firmware"), "POST", "firmware")]
    {
        camera.forget();
        let response = camera.fetch(upload(body), Some(&eve()), SOON).await.unwrap();
        assert_eq!(text(response.into_body()).await, "thanks");
        let heard = rough.heard();
        assert_eq!(heard.len(), 2);
        assert_eq!(heard[0].body, first, "{heard:?}");
        assert!(heard[0].head.starts_with(&format!("{asked} /upload HTTP/1.1\r\n")), "{heard:?}");
        assert_eq!(heard[0].head.contains("x/y"), asked == "POST", "{heard:?}");
        assert!(heard[1].body.contains("firmware") && heard[1].header("Authorization").is_some(), "{heard:?}");
        assert_eq!(heard[0].connection, heard[1].connection, "the refusal was read");
    }
    let response = camera.fetch(upload(sent("x")), None, SOON).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "nothing is shown without an account");
}

/// StartFirmwareUpgrade gives an address that is good once, and mostly wants no account.
#[tokio::test]
async fn the_address_of_an_upload_that_is_good_once_is_used_once() {
    for knows_head in [true, false] {
        let rough = Rough::start(move |heard| match heard.head.starts_with("POST") {
            true if heard.body.contains("firmware") => say(answer("200 OK", "", "thanks")),
            true => Deed::Last(answer("500 Internal Server Error", "", "an upload of nothing")),
            false if knows_head => say(answer("405 Method Not Allowed", "", "")),
            false => Deed::Last(Vec::new()),
        })
        .await;
        let camera = rough.camera(Quirks::default());
        let upload = Request::post("/upload?once").body(streamed("firmware")).unwrap();
        let response = camera.fetch(upload, Some(&eve()), SOON).await.unwrap();
        assert_eq!(text(response.into_body()).await, "thanks");
        let posts = rough.heard().into_iter().filter(|heard| heard.head.starts_with("POST")).count();
        assert_eq!(posts, 1);
    }
}

#[tokio::test]
async fn what_challenges_the_upload_alone_is_answered_at_the_next_one() {
    let digest = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    let rough = Rough::start(move |heard| match (heard.head.starts_with("POST"), heard.header("Authorization")) {
        (true, Some(_)) => say(answer("200 OK", "", "thanks")),
        (true, None) => say(answer("401 Unauthorized", digest, "who?")),
        (false, _) => say(answer("405 Method Not Allowed", "", "")),
    })
    .await;
    let camera = rough.camera(Quirks::default());
    for status in [StatusCode::UNAUTHORIZED, StatusCode::OK] {
        let upload = Request::post("/upload").body(streamed("firmware")).unwrap();
        assert_eq!(camera.fetch(upload, Some(&eve()), SOON).await.unwrap().status(), status);
    }
    assert_eq!(rough.heard().len(), 4, "each body went once");
}

#[test]
fn what_cannot_be_reached_is_refused_at_once() {
    for address in ["ftp://camera/", "https://camera/"] {
        let reach = Reach { address: address.parse().unwrap(), tls: None, quirks: Quirks::default() };
        assert!(matches!(Camera::new(reach), Err(TransportError::Address(_))), "{address}");
    }
}

#[test]
fn a_camera_that_nobody_asks_is_small() {
    // Connections have their own test: they are closed when they idle.
    assert!(size_of::<Camera>() < 1024, "{}", size_of::<Camera>());
}
