//! What every answer of the API has in common, and what it says of itself.

use http::{Method, Request, StatusCode};
use oriel_cloud::records::Role;
use serde_json::{Value, json};

use super::House;
use super::api::{DEVICES, call};
use super::camera::Camera;
use super::client::request;

#[tokio::test]
async fn every_answer_tells_browsers_to_do_nothing_with_it() {
    let house = House::open().await;
    for (method, path) in [
        (Method::GET, "/api/v1/health"),
        (Method::GET, DEVICES),
        (Method::GET, "/api/v1/devices/none"),
        (Method::GET, "/api/v1/nothing"),
        (Method::PUT, DEVICES),
        (Method::GET, "/api/v1/openapi.json"),
    ] {
        let answer = call(&house, method.clone(), path, &Value::Null).await;
        for (name, word) in [
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'"),
            ("content-security-policy", "frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=()"),
        ] {
            let value = answer.headers.get(name).unwrap_or_else(|| panic!("{method} {path}: no {name}"));
            assert!(value.to_str().unwrap().contains(word), "{method} {path}: {name}: {value:?}");
        }
        for name in ["server", "x-powered-by", "access-control-allow-origin"] {
            assert!(!answer.headers.contains_key(name), "{method} {path}: {name}");
        }
    }
}

#[tokio::test]
async fn the_description_is_the_kept_one() {
    let house = House::open().await;
    let served = house.ask(Request::get("/api/v1/openapi.json").body(Vec::new()).unwrap()).await.json();
    let kept: Value = serde_json::from_str(include_str!("../../../docs/ref/openapi.json")).unwrap();
    assert!(
        served == kept,
        "docs/ref/openapi.json is old: ORIEL_WRITE_DOCS=1 cargo test -p oriel-cloud the_kept_document"
    );
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[tokio::test]
async fn a_head_is_answered_as_its_get_without_a_body() {
    let house = House::open().await;
    let answer = call(&house, Method::HEAD, DEVICES, &Value::Null).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    let nobody = house.ask(request(Method::HEAD, DEVICES, "nobody's")).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_device_says_through_its_tunnel_what_it_is() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "User").await;
    let path = format!("{DEVICES}/{}/information", camera.id);
    let viewer = house.person("viewer@example.org", Role::Viewer).await;
    let answer = viewer.call(&house, Method::GET, &path, &Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let said = answer.json();
    assert!(!said["information"]["serial_number"].as_str().unwrap().is_empty());
    let uplink = &said["uplinks"][0];
    assert_eq!((&uplink["status"], &uplink["user_level"]), (&json!("Connected"), &json!(["User"])));
    assert_eq!(uplink["remote_address"], house.url("https"));
    camera.device.stop().await;
    super::until("the end of its tunnel", || house.tunnels(&camera.id) == 0).await;
    let refused = viewer.call(&house, Method::GET, &path, &Value::Null).await;
    assert_eq!((refused.status, refused.problem().contains("offline")), (StatusCode::SERVICE_UNAVAILABLE, true));
}

#[tokio::test]
async fn a_device_that_answers_nonsense_is_said_to() {
    let house = House::open().await;
    let (puppet, _) = house.witness().await;
    let answer = call(&house, Method::GET, &format!("{DEVICES}/{}/information", puppet.id), &Value::Null).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.problem().contains("cannot be used"), "{answer:?}");
}

#[tokio::test]
async fn a_refused_dial_is_told_where_the_device_is_shown() {
    let house = House::open().await;
    let identity = oriel_trust::Identity::self_signed("shut out", &[]).unwrap();
    let id = house.register(identity.fingerprint()).await;
    call(&house, Method::POST, &format!("{DEVICES}/{id}/revoke"), &Value::Null).await;
    let _uplink = house.dial_as(&identity, "https", |_| async { super::camera::soap_ok() });
    super::until("an attempt", || house.cloud.registry().presence(&id).attempts > 0).await;
    let shown = super::api::show(&house, &id).await;
    assert_eq!((&shown["status"], &shown["history"][0]["form"]), (&json!("revoked"), &Value::Null));
    assert!(shown["history"][0]["reason"].as_str().unwrap().contains("revoked"));
}
