//! Server-sent events: what becomes of devices, told to whoever listens and may.

use std::time::Duration;

use http::header::COOKIE;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use oriel_cloud::records::{NewToken, Role};
use serde_json::{Value, json};

use super::api::{DEVICES, call, create};
use super::client::{H2, request};
use super::{House, me};

const EVENTS: &str = "/api/v1/events";

/// One event as a browser reads it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) data: Value,
}

/// A stream that is read event by event.
pub(super) struct Stream {
    body: Incoming,
    text: String,
    _connection: H2,
}

impl Stream {
    pub(super) async fn open(house: &House, asked: Request<Vec<u8>>) -> Self {
        let mut client = house.h2().await;
        let response = client.send_request(house.absolute(asked).map(oriel_uplink::body::full)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { body: response.into_body(), text: String::new(), _connection: client }
    }

    /// With a bearer token, perhaps from where it was before.
    async fn with(house: &House, token: &str, last: Option<&str>) -> Self {
        let mut asked = request(Method::GET, EVENTS, token);
        if let Some(last) = last {
            asked.headers_mut().insert("last-event-id", last.parse().unwrap());
        }
        Self::open(house, asked).await
    }

    /// The next event; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                if !field("event").is_empty() {
                    let data = serde_json::from_str(&field("data")).unwrap();
                    return Some(Event { kind: field("event"), id: field("id"), data });
                }
            }
            let frame =
                tokio::time::timeout(Duration::from_secs(20), self.body.frame()).await.expect("an event in time");
            let data = frame?.ok()?.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    /// The next change of a device: its id and what it is.
    async fn change(&mut self) -> (String, String) {
        let event = self.next().await.unwrap();
        assert_eq!(event.kind, "device", "{event:?}");
        let text = |name: &str| event.data[name].as_str().unwrap().to_owned();
        (text("id"), text("status"))
    }
}

#[tokio::test]
async fn a_listener_hears_of_each_change_of_a_device() {
    let house = House::open().await;
    let mut stream = Stream::with(&house, &house.administrator, None).await;
    let snapshot = stream.next().await.unwrap();
    assert_eq!((snapshot.kind.as_str(), &snapshot.data["cursor"]), ("snapshot", &json!(snapshot.id)));
    let identity = oriel_trust::Identity::self_signed("puppet", &[]).unwrap();
    let body = json!({ "name": "Gate", "fingerprint": identity.fingerprint().to_string() });
    let id = create(&house, DEVICES, &body).await["id"].as_str().unwrap().to_owned();
    let added = stream.next().await.unwrap();
    assert_eq!((&added.data["name"], &added.data["status"]), (&json!("Gate"), &json!("offline")));
    assert!(added.data["reason"].as_str().unwrap().contains("not connected"), "{added:?}");
    let uplink = house.dial_as(&identity, "https", |_| async { super::camera::soap_ok() });
    assert_eq!(stream.change().await, (id.clone(), "online".to_owned()));
    uplink.drain(Duration::from_secs(5)).await;
    let gone = stream.next().await.unwrap();
    assert_eq!((&gone.data["status"], gone.data["reason"].is_string()), (&json!("offline"), true));
    let history = super::api::show(&house, &id).await["history"].clone();
    assert_eq!((&history[0]["reason"], &history[0]["form"]), (&gone.data["reason"], &json!("native")));
    for (method, path, status) in [
        (Method::POST, format!("{DEVICES}/{id}/revoke"), "revoked"),
        (Method::POST, format!("{DEVICES}/{id}/restore"), "offline"),
        (Method::DELETE, format!("{DEVICES}/{id}"), "removed"),
    ] {
        assert!(call(&house, method, &path, &Value::Null).await.status.is_success());
        assert_eq!(stream.change().await, (id.clone(), status.to_owned()));
    }
}

#[tokio::test]
async fn who_comes_back_hears_what_it_missed_or_that_it_missed_something() {
    let house = House::open().await;
    let mut stream = Stream::with(&house, &house.administrator, None).await;
    let cursor = stream.next().await.unwrap().id;
    drop(stream);
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        ids.push(create(&house, DEVICES, &json!({ "name": name })).await["id"].as_str().unwrap().to_owned());
    }
    let mut stream = Stream::with(&house, &house.administrator, Some(&cursor)).await;
    assert_eq!(stream.change().await.0, ids[0]);
    assert_eq!(stream.change().await.0, ids[1]);
    let mut lost = Stream::with(&house, &house.administrator, Some("another-7")).await;
    assert_eq!(lost.next().await.unwrap().kind, "reset");
}

#[tokio::test]
async fn nobody_hears_of_what_is_not_theirs() {
    let house = House::open().await;
    let theirs = house.cloud.records().add_organisation(&me(), "theirs", "chief@theirs.example").await.unwrap().0;
    let scope = house.cloud.records().within(&theirs.id);
    let (_, secret) = scope.add_token(&me(), NewToken::of(Role::Administrator, "theirs")).await.unwrap();
    let one = house.scope().add_device(&me(), "one", None).await.unwrap().id.clone();
    let new = NewToken { devices: Some([one.clone()].into()), ..NewToken::of(Role::Viewer, "narrow") };
    let (_, narrow) = house.scope().add_token(&me(), new).await.unwrap();
    let mut theirs = Stream::with(&house, secret.expose(), None).await;
    let mut narrow = Stream::with(&house, narrow.expose(), None).await;
    for stream in [&mut theirs, &mut narrow] {
        assert_eq!(stream.next().await.unwrap().kind, "snapshot");
    }
    create(&house, DEVICES, &json!({ "name": "ours" })).await;
    call(&house, Method::POST, &format!("{DEVICES}/{one}/revoke"), &Value::Null).await;
    assert_eq!(narrow.change().await, (one.to_string(), "revoked".to_owned()));
    let body = json!({ "name": "theirs" });
    house.ask(super::api::sent(Method::POST, DEVICES, secret.expose(), &body)).await;
    assert_eq!(theirs.next().await.unwrap().data["name"], "theirs", "the first that it hears");
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_it_and_with_the_cloud() {
    let house = House::open().await;
    let browser = house.person("somebody@example.org", Role::Viewer).await;
    let mut asked = browser.request(&house, Method::GET, EVENTS, &Value::Null);
    asked.headers_mut().insert(COOKIE, browser.cookies.parse().unwrap());
    let mut watched = Stream::open(&house, asked).await;
    let (token, secret) = house.scope().add_token(&me(), NewToken::of(Role::Viewer, "screen")).await.unwrap();
    let mut screen = Stream::with(&house, secret.expose(), None).await;
    let mut staying = Stream::with(&house, &house.administrator, None).await;
    for stream in [&mut watched, &mut screen, &mut staying] {
        assert_eq!(stream.next().await.unwrap().kind, "snapshot");
    }
    house.scope().remove_token(&me(), &token.id).await.unwrap();
    assert_eq!(screen.next().await, None);
    browser.call(&house, Method::DELETE, "/api/v1/session", &Value::Null).await;
    assert_eq!(watched.next().await, None);
    create(&house, DEVICES, &json!({ "name": "camera" })).await;
    assert_eq!(staying.next().await.unwrap().kind, "device");
    house.cloud.drain().await;
    assert_eq!(staying.next().await, None);
}
