//! Credentials that are withdrawn: what they opened ends at once, and what others opened stays.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use oriel_cloud::records::{NewToken, Role};
use oriel_soap::access::Level;
use oriel_trust::Identity;
use oriel_uplink::cloud::CloseReason;
use oriel_uplink::device::{Credentials, Uplink, UplinkConfig};
use oriel_uplink::{AccessToken, Body, body};
use serde_json::{Value, json};

use super::api::{DEVICES, TOKENS, call, create, show};
use super::camera::soap_ok;
use super::client::request;
use super::{House, me};

#[tokio::test]
async fn a_key_or_a_token_that_is_taken_back_cuts_its_own_tunnels_alone() {
    let house = House::open().await;
    let id = create(&house, DEVICES, &json!({ "name": "three ways" })).await["id"].as_str().unwrap().to_owned();
    let keys: Vec<Identity> = (0..2).map(|_| Identity::self_signed("a way", &[]).unwrap()).collect();
    let mut uplinks = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        house.scope().add_key(&me(), &id, key.fingerprint(), None).await.unwrap();
        uplinks.push(house.dial_as(key, "https", |_| async { soap_ok() }));
        super::until("a tunnel by key", || house.tunnels(&id) == number + 1).await;
    }
    let made = create(&house, &format!("{DEVICES}/{id}/tokens"), &Value::Null).await;
    let token = AccessToken::new(made["access_token"].as_str().unwrap().to_owned()).unwrap();
    let credentials = Credentials { tls: Arc::new(house.tls(None)), token: Some(token) };
    let config = UplinkConfig::new(house.url("https").parse().unwrap(), credentials, 1);
    uplinks.push(Uplink::start(config, |_| async { soap_ok() }));
    super::until("a tunnel by token", || house.tunnels(&id) == 3).await;
    assert_eq!(tokens(&show(&house, &id).await), [made["id"].as_str().unwrap()]);

    let held: Vec<_> = house.cloud.registry().presence(&id).tunnels.into_iter().map(|held| held.tunnel).collect();
    let key = format!("{DEVICES}/{id}/keys/{}", keys[0].fingerprint());
    assert_eq!(call(&house, Method::DELETE, &key, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(held[0].closed().await, CloseReason::Revoked);
    assert_eq!(call(&house, Method::DELETE, &key, &Value::Null).await.status, StatusCode::NOT_FOUND);
    let token = format!("{DEVICES}/{id}/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(call(&house, Method::DELETE, &token, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(held[2].closed().await, CloseReason::Revoked);
    assert_eq!(call(&house, Method::DELETE, &token, &Value::Null).await.status, StatusCode::NOT_FOUND);
    assert!(!held[1].is_closed());
    let shown = show(&house, &id).await;
    assert_eq!(shown["fingerprints"], json!([keys[1].fingerprint().to_string()]));
    assert!(tokens(&shown).is_empty());
}

/// The ids of a device's access tokens.
fn tokens(shown: &Value) -> Vec<&str> {
    let credentials = shown["credentials"].as_array().unwrap().iter();
    credentials.filter(|held| held["kind"] == "token").map(|held| held["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_callers_token_that_is_taken_back_ends_what_it_watches() {
    let house = House::open().await;
    let puppet = house
        .puppet("https", |_: Request<Body>| async {
            let one =
                futures_util::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"picture")))]);
            Response::new(body::boxed(StreamBody::new(futures_util::StreamExt::chain(
                one,
                futures_util::stream::pending(),
            ))))
        })
        .await;
    let (token, secret) = house.scope().add_token(&me(), NewToken::of(Role::Administrator, "viewer")).await.unwrap();
    let mut client = house.h2().await;
    let live = format!("/d/{}/live", puppet.id);
    let asked = house.absolute(request(Method::GET, &live, secret.expose())).map(body::full);
    let mut watched = client.send_request(asked).await.unwrap().into_body();
    assert_eq!(watched.frame().await.unwrap().unwrap().into_data().unwrap(), "picture");
    let gone = call(&house, Method::DELETE, &format!("{TOKENS}/{}", token.id), &Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    // Broken off, not ended as if it were whole.
    assert!(watched.frame().await.is_none_or(|frame| frame.is_err()));
    let held = house.cloud.registry().presence(&puppet.id).tunnels;
    super::until("the end of the stream", || held[0].tunnel.open_streams() == 0).await;
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let house = House::open().await;
    let users = "/api/v1/users";
    let person = async |email: &str, role: &str| {
        let made = create(&house, users, &json!({ "email": email, "role": role })).await;
        format!("{users}/{}", made["id"].as_str().unwrap())
    };
    let first = person("first@example.org", "administrator").await;
    person("other@example.org", "operator").await;
    for body in [json!({ "role": "operator" }), json!({ "disabled": true })] {
        let refused = call(&house, Method::PATCH, &first, &body).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{body}");
        assert!(refused.problem().contains("last administrator"), "{refused:?}");
    }
    assert_eq!(call(&house, Method::DELETE, &first, &Value::Null).await.status, StatusCode::CONFLICT);
    person("third@example.org", "administrator").await;
    assert_eq!(call(&house, Method::DELETE, &first, &Value::Null).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_device_that_is_forgotten_leaves_the_tokens_that_named_it_without_reach() {
    let house = House::open().await;
    let device = house.scope().add_device(&me(), "one", None).await.unwrap().id.clone();
    let token = house.token_for(Level::User, Some(&[&device])).await;
    call(&house, Method::DELETE, &format!("{DEVICES}/{device}"), &Value::Null).await;
    let listed = call(&house, Method::GET, TOKENS, &Value::Null).await.json();
    let limited = listed["items"].as_array().unwrap().iter().find(|token| token["name"] == "test").unwrap();
    assert_eq!(limited["devices"], json!([]), "not null, which would be all devices");
    let (other, seen) = house.witness().await;
    let answer = house.ask(request(Method::GET, &format!("/d/{}/x", other.id), &token)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(seen.take().is_empty());
}
