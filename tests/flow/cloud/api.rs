//! The API of an administrator: devices, their credentials, tokens.

use http::{Method, Request, StatusCode};
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetUsers};
use oriel_trust::Identity;
use serde_json::{Value, json};

use super::camera::Camera;
use super::client::{Answer, device_service, message, request, soap};
use super::{House, me};

pub(super) const DEVICES: &str = "/api/v1/devices";
pub(super) const TOKENS: &str = "/api/v1/tokens";

/// One request to the API; `Null` sends no body.
pub(super) async fn call(house: &House, method: Method, path: &str, body: &Value) -> Answer {
    house.ask(sent(method, path, &house.administrator, body)).await
}

pub(super) fn sent(method: Method, path: &str, token: &str, body: &Value) -> Request<Vec<u8>> {
    let mut asked = request(method, path, token);
    if !body.is_null() {
        asked.headers_mut().insert("content-type", "application/json".parse().unwrap());
        *asked.body_mut() = body.to_string().into_bytes();
    }
    asked
}

/// Makes something, and gives what the API said about it.
pub(super) async fn create(house: &House, path: &str, body: &Value) -> Value {
    let answer = call(house, Method::POST, path, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.json()
}

/// A device as the API shows it.
pub(super) async fn show(house: &House, id: &str) -> Value {
    let answer = call(house, Method::GET, &format!("{DEVICES}/{id}"), &Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn anybody_may_ask_whether_the_cloud_is_well() {
    let house = House::open().await;
    let asked = Request::get("/api/v1/health").body(Vec::new()).unwrap();
    for answer in [house.ask(asked.clone()).await, house.ask_h2(asked).await] {
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "status": "ok" })));
    }
}

#[tokio::test]
async fn a_device_is_registered_by_certificate_or_fingerprint_and_its_tunnels_are_shown() {
    let house = House::open().await;
    let camera = Camera::at(&house).await;
    house.scope().remove_devices(&me(), &[camera.id.to_string()].into()).await.unwrap();
    let pem = std::fs::read_to_string(camera.device.certificate()).unwrap();
    let made = create(&house, DEVICES, &json!({ "name": "Gate", "certificate": pem })).await;
    let id = made["id"].as_str().unwrap();
    let fingerprint = camera.device.fingerprint().to_string();
    assert_eq!((&made["name"], &made["fingerprints"]), (&json!("Gate"), &json!([fingerprint])));
    assert_eq!((&made["online"], &made["revoked"], &made["last_close"]), (&json!(false), &json!(false), &Value::Null));
    assert!(id.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit()));

    camera.dial(&house.url("wss"), "User").await;
    house.online(&id.into()).await;
    house.ask(soap(&device_service(id), &house.administrator, message(&GetDeviceInformation::default()))).await;
    let shown = show(&house, id).await;
    assert_eq!(shown["online"], true);
    let tunnel = &shown["tunnels"][0];
    assert_eq!((&tunnel["form"], &tunnel["source"]), (&json!("websocket"), &json!("127.0.0.1")));
    assert_eq!(
        (&tunnel["streams_opened"], &tunnel["open_streams"], &tunnel["draining"]),
        (&json!(1), &json!(0), &json!(false))
    );
    assert!(tunnel["bytes_read"].as_u64().unwrap() > 100 && tunnel["bytes_written"].as_u64().unwrap() > 100);
    let listed = call(&house, Method::GET, DEVICES, &Value::Null).await.json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["next"]), (1, &Value::Null));
    assert_eq!(listed["items"][0]["id"], id);

    let other = Identity::self_signed("other", &[]).unwrap().fingerprint().to_string();
    let made = create(&house, DEVICES, &json!({ "fingerprint": other })).await;
    assert_eq!((&made["name"], &made["fingerprints"]), (&json!(""), &json!([other])));
}

#[tokio::test]
async fn a_second_key_admits_as_well() {
    let house = House::open().await;
    let id = create(&house, DEVICES, &json!({ "name": "renewed" })).await["id"].as_str().unwrap().to_owned();
    let keys: Vec<Identity> = (0..2).map(|_| Identity::self_signed("renewed", &[]).unwrap()).collect();
    for key in &keys {
        let body = json!({ "fingerprint": key.fingerprint().to_string() });
        for _twice in 0..2 {
            let answer = call(&house, Method::POST, &format!("{DEVICES}/{id}/keys"), &body).await;
            assert_eq!(answer.status, StatusCode::OK);
        }
    }
    assert_eq!(show(&house, &id).await["fingerprints"].as_array().unwrap().len(), 2);
    for key in &keys {
        let uplink = house.dial_as(key, "https", |_| async { super::camera::soap_ok() });
        super::until("the tunnel", || house.tunnels(&id) == 1).await;
        uplink.drain(std::time::Duration::from_secs(5)).await;
        super::until("its end", || house.cloud.registry().presence(&id).tunnels.is_empty()).await;
    }
}

#[tokio::test]
async fn many_are_registered_and_removed_at_once_or_none() {
    let house = House::open().await;
    let key = Identity::self_signed("one of many", &[]).unwrap().fingerprint().to_string();
    let mut devices: Vec<Value> = (0..100).map(|n| json!({ "name": format!("camera {n}") })).collect();
    devices[7]["fingerprint"] = json!(key);
    let made = create(&house, &format!("{DEVICES}/import"), &json!({ "devices": devices })).await;
    let ids = made["ids"].as_array().unwrap();
    assert_eq!(ids.len(), 100);
    let seventh = show(&house, ids[7].as_str().unwrap()).await;
    assert_eq!((&seventh["name"], &seventh["fingerprints"]), (&json!("camera 7"), &json!([key])));
    // The key is taken: the whole import fails.
    let again = call(&house, Method::POST, &format!("{DEVICES}/import"), &json!({ "devices": devices })).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.problem().contains("belongs to another device"), "{again:?}");
    assert_eq!(house.scope().device_ids().len(), 100);
    // One of them is not there: none is removed.
    let gone = json!({ "ids": [ids[0], "nobody"] });
    let answer = call(&house, Method::POST, &format!("{DEVICES}/remove"), &gone).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(house.scope().device_ids().len(), 100);
    let answer = call(&house, Method::POST, &format!("{DEVICES}/remove"), &json!({ "ids": ids })).await;
    assert_eq!(answer.json(), json!({ "removed": 100 }));
    assert!(house.scope().device_ids().is_empty());
}

#[tokio::test]
async fn a_token_is_made_used_listed_and_ended() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let made = create(&house, TOKENS, &json!({ "name": "wall", "role": "operator", "devices": [&*puppet.id] })).await;
    let secret = made["token"].as_str().unwrap();
    assert_eq!(
        (&made["name"], &made["role"], &made["devices"]),
        (&json!("wall"), &json!("operator"), &json!([&*puppet.id]))
    );
    let ask = |body: Vec<u8>| house.ask(soap(&device_service(&puppet.id), secret, body));
    assert_eq!(ask(message(&GetDeviceInformation::default())).await.status, StatusCode::OK);
    assert_eq!(ask(message(&GetUsers::default())).await.status, StatusCode::FORBIDDEN);
    assert_eq!(seen.take().len(), 1);
    let listed = call(&house, Method::GET, TOKENS, &Value::Null).await.json();
    let mut names: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["first administrator", "wall"]);
    let path = format!("{TOKENS}/{}", made["id"].as_str().unwrap());
    assert_eq!(call(&house, Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(message(&GetDeviceInformation::default())).await.status, StatusCode::UNAUTHORIZED);
    let again = call(&house, Method::DELETE, &path, &Value::Null).await;
    assert_eq!((again.status, again.problem().as_str()), (StatusCode::NOT_FOUND, "there is no such token"));
}

#[tokio::test]
async fn a_secret_is_shown_once_and_never_again() {
    let house = House::open().await;
    let id = create(&house, DEVICES, &json!({ "name": "camera" })).await["id"].as_str().unwrap().to_owned();
    let device = create(&house, &format!("{DEVICES}/{id}/tokens"), &Value::Null).await;
    let caller = create(&house, TOKENS, &json!({ "role": "viewer" })).await;
    let secrets = [device["access_token"].as_str().unwrap(), caller["token"].as_str().unwrap(), &house.administrator];
    let mut shown = String::new();
    for path in [DEVICES, &format!("{DEVICES}/{id}"), TOKENS, "/api/v1/health"] {
        shown += &call(&house, Method::GET, path, &Value::Null).await.text;
    }
    for action in ["revoke", "restore"] {
        shown += &call(&house, Method::POST, &format!("{DEVICES}/{id}/{action}"), &Value::Null).await.text;
    }
    for file in ["oriel.db", "oriel.db-wal"] {
        let bytes = std::fs::read(house.folder.path().join("cloud").join(file)).unwrap_or_default();
        shown += &String::from_utf8_lossy(&bytes);
    }
    for secret in secrets {
        assert!(secret.len() >= 43, "256 random bits");
        assert!(!shown.contains(secret));
    }
    assert!(shown.contains(&id));
}
