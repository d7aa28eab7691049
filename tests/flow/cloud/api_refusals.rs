//! What the API refuses, each with a status and a text that a person understands, in problem+json (RFC 9457).

use http::{Method, StatusCode};
use oriel_trust::Identity;
use serde_json::{Value, json};

use super::House;
use super::api::{DEVICES, TOKENS, call, create};
use super::client::request;

/// Every route that names one thing, and is for administrators.
const ROUTES: [(Method, &str); 18] = [
    (Method::GET, "/api/v1/devices/x"),
    (Method::PATCH, "/api/v1/devices/x"),
    (Method::DELETE, "/api/v1/devices/x"),
    (Method::GET, "/api/v1/devices/x/information"),
    (Method::POST, "/api/v1/devices/x/revoke"),
    (Method::POST, "/api/v1/devices/x/restore"),
    (Method::POST, "/api/v1/devices/x/keys"),
    (Method::DELETE, "/api/v1/devices/x/keys/y"),
    (Method::DELETE, "/api/v1/devices/x/tokens/y"),
    (Method::POST, "/api/v1/devices/x/tokens"),
    (Method::DELETE, "/api/v1/tokens/x"),
    (Method::DELETE, "/api/v1/access-keys/x"),
    (Method::GET, "/api/v1/users/x"),
    (Method::PATCH, "/api/v1/users/x"),
    (Method::DELETE, "/api/v1/users/x"),
    (Method::POST, "/api/v1/users/x/link"),
    (Method::GET, "/api/v1/users/x/sessions"),
    (Method::DELETE, "/api/v1/users/x/sessions"),
];

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let house = House::open().await;
    for (method, path) in ROUTES {
        let body = match method {
            _ if path.ends_with("keys") => {
                json!({ "fingerprint": Identity::self_signed("k", &[]).unwrap().fingerprint().to_string() })
            }
            Method::PATCH => json!({ "name": "other" }),
            _ => Value::Null,
        };
        let answer = call(&house, method.clone(), path, &body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {answer:?}");
        assert!(answer.problem().contains("no such"), "{method} {path}: {answer:?}");
    }
    for path in
        ["/index.html", "/api", "/api/v1", "/api/v2/devices", "/api/v1/devices/", "/onvif/device_service", "/dx/"]
    {
        let answer = call(&house, Method::GET, path, &Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.problem().contains("/api/v1"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_method_that_an_address_does_not_know_is_named() {
    let house = House::open().await;
    for (method, path) in [
        (Method::PUT, DEVICES),
        (Method::DELETE, TOKENS),
        (Method::GET, "/api/v1/devices/x/revoke"),
        (Method::POST, "/api/v1/health"),
        (Method::PUT, "/api/v1/devices/x"),
        (Method::OPTIONS, DEVICES),
    ] {
        let answer = call(&house, method.clone(), path, &Value::Null).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(answer.problem().contains("method"), "{answer:?}");
        assert!(answer.headers.contains_key("allow"), "{method} {path}: RFC 9110 §15.5.6");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_used_is_refused_with_the_reason() {
    let house = House::open().await;
    let device = create(&house, DEVICES, &json!({ "name": "there" })).await["id"].as_str().unwrap().to_owned();
    let keys = format!("{DEVICES}/{device}/keys");
    let some = Identity::self_signed("some", &[]).unwrap();
    let (pem, fingerprint) = (some.to_pem().0, some.fingerprint().to_string());
    for (path, body, status, word) in [
        (DEVICES, json!({ "nane": "typo" }), 422, "unknown field `nane`"),
        (DEVICES, json!({ "name": 7 }), 422, "name: invalid type"),
        (DEVICES, json!([]), 422, "no list"),
        (DEVICES, json!({ "fingerprint": "AB:CD" }), 422, "fingerprint:"),
        (DEVICES, json!({ "certificate": "no PEM" }), 422, "certificate:"),
        (DEVICES, json!({ "certificate": pem, "fingerprint": fingerprint }), 422, "not both"),
        ("/api/v1/devices/import", json!({ "devices": [{ "id": "my own" }] }), 422, "unknown field `id`"),
        (
            "/api/v1/devices/import",
            json!({ "devices": [{ "fingerprint": fingerprint }, { "fingerprint": fingerprint }] }),
            409,
            "another device",
        ),
        ("/api/v1/devices/remove", json!({ "ids": [], "all": true }), 422, "unknown field `all`"),
        (&keys, json!({}), 422, "give a certificate or a fingerprint"),
        (&keys, json!({ "key": "x" }), 422, "unknown field `key`"),
        (TOKENS, json!({ "role": "viewer", "expires_in": 60.5 }), 422, "a minute to ten years"),
        (TOKENS, json!(["name", "viewer"]), 422, "no list"),
        ("/api/v1/devices/import", json!({ "devices": [["name"]] }), 422, "invalid type"),
        (TOKENS, json!({}), 422, "missing field `role`"),
        (TOKENS, json!({ "role": "root" }), 422, "unknown variant `root`"),
        (TOKENS, json!({ "role": "viewer", "devices": ["nobody"] }), 404, "no such device"),
        (TOKENS, json!({ "role": "viewer", "token": "my own" }), 422, "unknown field `token`"),
        (TOKENS, json!({ "role": "viewer", "name": "a\nb" }), 422, "control characters"),
        (TOKENS, json!({ "role": "viewer", "expires_in": 1 }), 422, "a minute to ten years"),
        ("/api/v1/users", json!({ "role": "viewer", "email": "nobody" }), 422, "no e-mail address"),
        ("/api/v1/access-keys", json!({ "device": device }), 403, "belongs to a user"),
    ] {
        let answer = call(&house, Method::POST, path, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body}: {answer:?}");
        assert!(answer.problem().contains(word), "{path} {body}: {answer:?}");
    }
    assert_eq!(
        (house.scope().device_ids().len(), house.scope().tokens(None, usize::MAX).len()),
        (1, 1),
        "nothing was changed"
    );
}

#[tokio::test]
async fn what_is_no_json_or_too_much_of_it_is_refused() {
    let house = House::open().await;
    let post = |kind: &str, body: Vec<u8>| {
        let mut asked = request(Method::POST, DEVICES, &house.administrator);
        asked.headers_mut().insert("content-type", kind.parse().unwrap());
        *asked.body_mut() = body;
        asked
    };
    let cases = [
        (post("text/plain", b"{}".to_vec()), 415, "Content-Type"),
        (post("application/json", b"{".to_vec()), 400, "parse"),
        (post("application/json", b"\xff".to_vec()), 400, "parse"),
        (post("application/json", vec![b' '; 5 << 20]), 413, "length limit"),
    ];
    for (asked, status, word) in cases {
        let answer = house.ask_h2(asked).await;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        assert!(answer.problem().to_lowercase().contains(&word.to_lowercase()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_change_that_cannot_be_stored_is_no_change() {
    let house = House::open().await;
    create(&house, DEVICES, &json!({ "name": "kept" })).await;
    house.cloud.records().give_up();
    let answer = call(&house, Method::POST, DEVICES, &json!({ "name": "lost" })).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.problem().contains("its successor answers") && answer.headers.contains_key("retry-after"),
        "{answer:?}"
    );
    let listed = call(&house, Method::GET, DEVICES, &Value::Null).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "what is there can be read");
}
