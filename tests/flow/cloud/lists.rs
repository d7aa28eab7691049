//! Lists that come in pages, and requests that are sent twice.

use http::{Method, StatusCode};
use oriel_cloud::records::NewDevice;
use serde_json::{Value, json};

use super::api::{DEVICES, TOKENS, call, create, sent};
use super::client::Answer;
use super::{House, me};

/// All ids of a list, a page at a time, and how many pages there were.
async fn walk(house: &House, path: &str, limit: usize) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = call(house, Method::GET, &format!("{path}{sign}limit={limit}{after}"), &Value::Null).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return (ids, pages),
        }
    }
}

#[tokio::test]
async fn a_list_is_whole_over_its_pages_and_nothing_comes_twice() {
    let house = House::open().await;
    let new = (0..25).map(|n| NewDevice { name: format!("camera {n}"), key: None }).collect();
    house.scope().add_devices(&me(), new).await.unwrap();
    let (ids, pages) = walk(&house, DEVICES, 10).await;
    assert_eq!((ids.len(), pages), (25, 3));
    let (all, pages) = walk(&house, DEVICES, 25).await;
    assert_eq!((&all, pages), (&ids, 1));
    // What changes behind and before the place moves nothing that is still to come.
    let page = call(&house, Method::GET, &format!("{DEVICES}?limit=10"), &Value::Null).await.json();
    let next = page["next"].as_str().unwrap().to_owned();
    house.scope().remove_devices(&me(), &[ids[9].clone(), ids[3].clone()].into()).await.unwrap();
    let rest = call(&house, Method::GET, &format!("{DEVICES}?limit=200&after={next}"), &Value::Null).await.json();
    let rest: Vec<&str> = rest["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(rest, ids[10..]);
}

#[tokio::test]
async fn devices_are_found_by_name_id_and_status() {
    let house = House::open().await;
    let (puppet, _) = house.witness().await;
    let scope = house.scope();
    let shut = scope.add_device(&me(), "Yard East", None).await.unwrap();
    scope.set_revoked(&me(), &shut.id, true).await.unwrap();
    let off = scope.add_device(&me(), "yard west", None).await.unwrap();
    for (query, expected) in [
        ("q=YARD", vec![&shut.id, &off.id]),
        ("q=west", vec![&off.id]),
        (&format!("q={}", puppet.id), vec![&puppet.id]),
        ("status=online", vec![&puppet.id]),
        ("status=offline", vec![&off.id]),
        ("status=revoked", vec![&shut.id]),
        ("status=revoked&q=west", vec![]),
    ] {
        let (mut found, _) = walk(&house, &format!("{DEVICES}?{query}"), 1).await;
        let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused() {
    let house = House::open().await;
    for query in ["limit=0", "limit=201", "limit=x", "limit=-1", "status=broken", "unknown=1", "limit=1&limit=2"] {
        let answer = call(&house, Method::GET, &format!("{DEVICES}?{query}"), &Value::Null).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {answer:?}");
        assert!(!answer.problem().is_empty());
    }
}

#[tokio::test]
async fn the_audit_log_is_read_newest_first_and_by_what_is_looked_for() {
    let house = House::open().await;
    let id = create(&house, DEVICES, &json!({ "name": "camera" })).await["id"].as_str().unwrap().to_owned();
    for action in ["revoke", "restore"] {
        call(&house, Method::POST, &format!("{DEVICES}/{id}/{action}"), &Value::Null).await;
    }
    let audit = format!("/api/v1/audit?target={id}");
    let all = call(&house, Method::GET, &audit, &Value::Null).await.json();
    let actions: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["device.restore", "device.revoke", "device.add"]);
    assert!(all["items"][0]["actor"].as_str().unwrap().starts_with("token:"));
    assert_eq!(all["items"][0]["address"], "127.0.0.1");
    let (ids, pages) = walk(&house, &audit, 1).await;
    assert_eq!((ids.len(), pages), (3, 3));
    let one = call(&house, Method::GET, &format!("{audit}&action=device.revoke"), &Value::Null).await.json();
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
}

async fn with_key(house: &House, path: &str, key: &str, body: &Value) -> Answer {
    let mut asked = sent(Method::POST, path, &house.administrator, body);
    asked.headers_mut().insert("idempotency-key", key.parse().unwrap());
    house.ask(asked).await
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_done_once() {
    let house = House::open().await;
    let body = json!({ "name": "once" });
    let first = with_key(&house, DEVICES, "one", &body).await;
    let again = with_key(&house, DEVICES, "one", &body).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.json(), again.json());
    assert!(again.headers.contains_key("idempotency-replayed") && !first.headers.contains_key("idempotency-replayed"));
    assert_eq!(house.scope().device_ids().len(), 1);
    let other = with_key(&house, DEVICES, "one", &json!({ "name": "another" })).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(other.problem().contains("another request"), "{other:?}");
    let path = with_key(&house, &format!("{DEVICES}/import"), "one", &body).await;
    assert_eq!(path.status, StatusCode::UNPROCESSABLE_ENTITY, "another address is another request");
    assert_eq!(with_key(&house, DEVICES, "two", &body).await.status, StatusCode::CREATED);
    assert_eq!(house.scope().device_ids().len(), 2);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free_and_a_bad_key_is_refused() {
    let house = House::open().await;
    assert_eq!(with_key(&house, DEVICES, "key", &json!({ "nane": "typo" })).await.status.as_u16(), 422);
    assert_eq!(with_key(&house, DEVICES, "key", &json!({ "name": "right" })).await.status, StatusCode::CREATED);
    for key in ["", "with space", &"x".repeat(129)] {
        let answer = with_key(&house, DEVICES, key, &json!({})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{key}");
    }
}

#[tokio::test]
async fn a_secret_is_not_repeated() {
    let house = House::open().await;
    let body = json!({ "role": "viewer", "name": "once" });
    let made = with_key(&house, TOKENS, "key", &body).await;
    let again = with_key(&house, TOKENS, "key", &body).await;
    assert_eq!((made.status, again.status), (StatusCode::CREATED, StatusCode::CONFLICT));
    let made = made.json();
    assert!(again.problem().contains(made["id"].as_str().unwrap()), "{again:?}");
    assert!(!again.text.contains(made["token"].as_str().unwrap()));
    let database = std::fs::read(house.folder.path().join("cloud/oriel.db")).unwrap();
    let log = std::fs::read(house.folder.path().join("cloud/oriel.db-wal")).unwrap_or_default();
    let secret = made["token"].as_str().unwrap().as_bytes();
    assert!([database, log].iter().all(|file| !file.windows(secret.len()).any(|window| window == secret)));
}

#[tokio::test]
async fn of_many_at_the_same_moment_one_is_done() {
    let house = House::open().await;
    let body = json!({ "name": "once" });
    let all = futures_util::future::join_all((0..8).map(|_| with_key(&house, DEVICES, "race", &body))).await;
    assert_eq!(house.scope().device_ids().len(), 1);
    for answer in all {
        assert!(matches!(answer.status, StatusCode::CREATED | StatusCode::CONFLICT), "{answer:?}");
    }
}
