//! Who may dial in, and how the one who may not is told (Uplink §5.3).

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_trust::Identity;
use oriel_uplink::AccessToken;
use oriel_uplink::cloud::CloseReason;
use oriel_uplink::device::{Dial, DialError, Limits, Link, Stop, dial};
use tokio::io::AsyncWriteExt as _;

use super::api::{create, show};
use super::camera::{Camera, soap_ok};
use super::client::{device_service, message, request, soap};
use super::raw::{UPGRADE, read_head};
use super::{HERE, House, me};

/// The device's word on why its uplink is down.
async fn error_of(camera: &Camera, word: &str) -> String {
    let error = || camera.device.uplinks().first().and_then(|uplink| uplink.error.clone()).unwrap_or_default();
    super::until(word, || error().contains(word)).await;
    error()
}

async fn attempt(
    house: &House,
    identity: Option<&Identity>,
    token: Option<&str>,
    scheme: &str,
) -> Result<Link, DialError> {
    let token = token.map(|token| AccessToken::new(token.to_owned()).unwrap());
    let tls = Arc::new(house.tls(identity));
    dial(&Dial { token, ..Dial::new(house.url(scheme).parse().unwrap(), tls) }).await
}

fn refusal(result: Result<Link, DialError>) -> (u16, String) {
    match result {
        Err(DialError::Refused { status, text, .. }) => (status, text),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the cloud took it in"),
    }
}

#[tokio::test]
async fn revoking_cuts_at_once_and_the_device_is_told_why() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "User").await;
    let held = house.cloud.registry().presence(&camera.id).tunnels.remove(0);
    let answer =
        house.ask(request(Method::POST, &format!("/api/v1/devices/{}/revoke", camera.id), &house.administrator)).await;
    assert_eq!((answer.status, answer.json()["revoked"].as_bool()), (StatusCode::OK, Some(true)));
    assert_eq!(held.tunnel.closed().await, CloseReason::Revoked);
    let asked = soap(&device_service(&camera.id), &house.administrator, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask(asked.clone()).await.status, StatusCode::NOT_FOUND);
    let error = error_of(&camera, "403").await;
    assert!(error.contains("revoked"), "{error}");
    // On the LAN the same is read through GetUplinks.
    let told = camera.lan().call(oriel_onvif::uplink::GetUplinks::default()).await.unwrap();
    assert!(told.configuration[0].error.as_ref().unwrap().contains("revoked"));
    house.ask(request(Method::POST, &format!("/api/v1/devices/{}/restore", camera.id), &house.administrator)).await;
    assert_eq!(show(&house, &camera.id).await["revoked"], false);
}

#[tokio::test]
async fn a_restored_device_may_come_back_and_a_removed_one_may_not() {
    let house = House::open().await;
    let identity = Identity::self_signed("restored", &[]).unwrap();
    let id = house.register(identity.fingerprint()).await;
    house.scope().set_revoked(&me(), &id, true).await.unwrap();
    let (status, text) = refusal(attempt(&house, Some(&identity), None, "https").await);
    assert_eq!(status, 403);
    assert!(text.contains("revoked"), "{text}");
    house.ask(request(Method::POST, &format!("/api/v1/devices/{id}/restore"), &house.administrator)).await;
    let link = attempt(&house, Some(&identity), None, "https").await.unwrap();
    let served =
        tokio::spawn(async move { link.serve(|_| async { soap_ok() }, &Limits::default(), Stop::new()).await });
    house.online(&id).await;
    let gone = house.ask(request(Method::DELETE, &format!("/api/v1/devices/{id}"), &house.administrator)).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    served.await.unwrap();
    let (status, text) = refusal(attempt(&house, Some(&identity), None, "https").await);
    assert_eq!(status, 403);
    assert!(text.contains("not registered"), "{text}");
}

#[tokio::test]
async fn a_key_that_nobody_registered_is_named_in_the_refusal() {
    let house = House::open().await;
    let camera = Camera::at(&house).await;
    house.scope().remove_devices(&me(), &[camera.id.to_string()].into()).await.unwrap();
    camera.dial(&house.url("https"), "User").await;
    let error = error_of(&camera, "not registered").await;
    assert!(error.contains("403") && error.contains(&camera.device.fingerprint().to_string()), "{error}");
}

#[tokio::test]
async fn nobody_without_certificate_and_token() {
    let house = House::open().await;
    for scheme in ["https", "wss"] {
        let (status, text) = refusal(attempt(&house, None, None, scheme).await);
        assert_eq!(status, 401, "{scheme}");
        assert!(text.contains("certificate") && text.contains("token"), "{text}");
        let (status, text) = refusal(attempt(&house, None, Some("guessed"), scheme).await);
        assert_eq!(status, 401, "{scheme}");
        assert!(text.contains("token is not known"), "{text}");
    }
    // A caller's token opens no uplink.
    assert_eq!(refusal(attempt(&house, None, Some(&house.administrator), "https").await).0, 401);
}

#[tokio::test]
async fn a_device_token_admits_in_either_form() {
    let house = House::open().await;
    let id = create(&house, "/api/v1/devices", &serde_json::json!({ "name": "by token" })).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let made = create(&house, &format!("/api/v1/devices/{id}/tokens"), &serde_json::Value::Null).await;
    let token = made["access_token"].as_str().unwrap();
    let stranger = Identity::self_signed("a stranger", &[]).unwrap();
    for (scheme, identity) in [("https", None), ("wss", None), ("https", Some(&stranger))] {
        let link = attempt(&house, identity, Some(token), scheme).await.unwrap();
        let stop = Stop::new();
        let stopped = stop.clone();
        let served =
            tokio::spawn(async move { link.serve(|_| async { soap_ok() }, &Limits::default(), stopped).await });
        super::until("the tunnel by token", || house.tunnels(&id) == 1).await;
        let asked = soap(&device_service(&id), &house.administrator, message(&GetDeviceInformation::default()));
        assert_eq!(house.ask(asked).await.status, StatusCode::OK, "{scheme}");
        stop.drain(Duration::from_secs(5));
        served.await.unwrap();
        super::until("its end", || house.cloud.registry().presence(&id).tunnels.is_empty()).await;
    }
    house.scope().set_revoked(&me(), &id, true).await.unwrap();
    assert_eq!(refusal(attempt(&house, None, Some(token), "https").await).0, 403);
}

#[tokio::test]
async fn a_token_in_the_address_counts_in_the_websocket_form_alone() {
    let house = House::open().await;
    let id = house.scope().add_device(&me(), "by query", None).await.unwrap().id.clone();
    let (_, token) = house.scope().add_device_token(&me(), &id).await.unwrap();
    let websocket = format!(
        "GET /up?access_token={} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: h2c-reverse\r\n\r\n",
        token.expose()
    );
    let mut io = house.tls_as(None, HERE).await;
    io.write_all(websocket.as_bytes()).await.unwrap();
    let head = read_head(&mut io).await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && head.contains("sec-websocket-protocol: h2c-reverse"), "{head}");
    super::until("the tunnel", || house.tunnels(&id) == 1).await;

    let native =
        String::from_utf8(UPGRADE.to_vec()).unwrap().replace("/up", &format!("/up?access_token={}", token.expose()));
    let answer = house.raw(native.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    // Two methods at once are none (RFC 6750 §2).
    let both = websocket.replace("Host:", &format!("Authorization: Bearer {}\r\nHost:", token.expose()));
    let answer = house.raw(both.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(house.tunnels(&id), 1);
}
