//! Logging in, and all that a browser's session is held to: its origin, its token against forgery, its ends.

use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, ORIGIN, RETRY_AFTER, SET_COOKIE};
use http::{Method, StatusCode};
use oriel_cloud::records::Role;
use serde_json::{Value, json};

use super::api::DEVICES;
use super::people::{Browser, PASSWORD, REDEEM, SESSION, cookies, page};
use super::{House, me};

const EMAIL: &str = "somebody@example.org";

#[tokio::test]
async fn the_first_administrator_comes_in_by_the_link_that_was_printed_and_makes_a_token_without_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let mut cloud = oriel_cloud::Cloud::start(super::config(&folder), None).await.unwrap();
    let link = cloud.take_setup_link().unwrap().expose().to_owned();
    assert!(cloud.take_setup_link().is_none());
    let house = House::of(cloud, String::new(), folder);
    let no_address = house.redeem(&link, &Value::Null).await;
    assert_eq!(no_address.status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer = house.redeem(&link, &json!({ "email": "First@Example.org", "name": "First" })).await;
    let first = Browser::of(&answer);
    let view = answer.json();
    assert_eq!((&view["user"]["email"], &view["role"]), (&json!("first@example.org"), &json!("administrator")));
    assert_eq!((&view["instance"], &view["by"]), (&json!(true), &json!("session")));
    let again = house.redeem(&link, &json!({ "email": "second@example.org" })).await;
    assert_eq!((again.status, again.problem().contains("used already")), (StatusCode::GONE, true));
    let made = first.call(&house, Method::POST, super::api::TOKENS, &json!({ "role": "administrator" })).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let listed = house.ask(super::client::request(Method::GET, DEVICES, &token)).await;
    assert_eq!((listed.status, listed.json()), (StatusCode::OK, json!({ "items": [], "next": null })));
    house.cloud.drain().await;
    let again = oriel_cloud::Cloud::start(super::config(&house.folder), None).await.unwrap().take_setup_link();
    assert!(again.is_none(), "there is an administrator");
}

#[tokio::test]
async fn a_session_begins_with_the_password_and_ends_when_asked() {
    let house = House::open().await;
    house.person(EMAIL, Role::Operator).await;
    let answer = house.log_in("Somebody@Example.ORG", PASSWORD).await;
    for cookie in answer.headers.get_all(SET_COOKIE) {
        let text = cookie.to_str().unwrap();
        assert!(text.starts_with("__Host-oriel"), "{text}");
        for word in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age="] {
            assert!(text.contains(word), "{text}");
        }
        assert!(!text.contains("Domain"), "{text}");
    }
    let browser = Browser::of(&answer);
    let shown = browser.call(&house, Method::GET, SESSION, &Value::Null).await.json();
    assert_eq!(shown, answer.json());
    assert_eq!((&shown["user"]["email"], &shown["role"]), (&json!(EMAIL), &json!("operator")));
    let out = browser.call(&house, Method::DELETE, SESSION, &Value::Null).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.headers[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    let after = browser.call(&house, Method::GET, SESSION, &Value::Null).await;
    assert_eq!((after.status, after.problem().contains("log in again")), (StatusCode::UNAUTHORIZED, true));
}

#[tokio::test]
async fn whoever_is_wrong_is_told_the_same_whatever_was_wrong() {
    let house = House::open().await;
    house.person(EMAIL, Role::Viewer).await;
    house.scope().add_user(&me(), "invited@example.org", "", Role::Viewer).await.unwrap();
    let answers = [
        house.log_in(EMAIL, "a wrong password").await,
        house.log_in("nobody@example.org", PASSWORD).await,
        house.log_in("invited@example.org", PASSWORD).await,
    ];
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (StatusCode::UNAUTHORIZED, &answers[0].text));
        assert!(!answer.headers.contains_key(SET_COOKIE));
    }
}

#[tokio::test]
async fn a_change_needs_the_token_against_forgery_and_an_origin_of_ours() {
    let house = House::open().await;
    let browser = house.person(EMAIL, Role::Administrator).await;
    let body = json!({ "name": "camera" });
    let asked = || browser.request(&house, Method::POST, DEVICES, &body);
    assert_eq!(house.ask(asked()).await.status, StatusCode::CREATED);
    let foreign = ["https://evil.example", "https://localhost:1", "http://localhost", "null"];
    let mut forged: Vec<_> = foreign
        .iter()
        .map(|origin| {
            let mut asked = asked();
            asked.headers_mut().insert(ORIGIN, origin.parse().unwrap());
            asked
        })
        .collect();
    for (name, value) in
        [("x-oriel-csrf", "nonsense"), ("sec-fetch-site", "same-site"), ("sec-fetch-site", "cross-site")]
    {
        let mut asked = asked();
        asked.headers_mut().insert(name, value.parse().unwrap());
        forged.push(asked);
    }
    for name in ["x-oriel-csrf", "origin"] {
        let mut asked = asked();
        asked.headers_mut().remove(name);
        forged.push(asked);
    }
    for asked in forged {
        let answer = house.ask(asked.clone()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{:?}", asked.headers());
        assert!(!answer.problem().is_empty());
    }
    assert_eq!(house.scope().device_ids().len(), 1, "nothing of it was done");
    // A camera's page on a host below ours is of our site, and may not even look.
    let mut looking = browser.request(&house, Method::GET, DEVICES, &Value::Null);
    looking.headers_mut().insert("sec-fetch-site", "same-site".parse().unwrap());
    assert_eq!(house.ask(looking).await.status, StatusCode::FORBIDDEN);
    // Nor does another's page log a browser in.
    let mut login = page(&house, Method::POST, SESSION, &json!({ "email": EMAIL, "password": PASSWORD }));
    login.headers_mut().insert(ORIGIN, "https://evil.example".parse().unwrap());
    assert_eq!(house.ask(login).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_bearer_token_goes_before_a_cookie_and_needs_no_page() {
    let house = House::open().await;
    let browser = house.person(EMAIL, Role::Administrator).await;
    let mut asked = browser.request(&house, Method::POST, DEVICES, &json!({}));
    asked.headers_mut().remove("x-oriel-csrf");
    asked.headers_mut().insert(AUTHORIZATION, format!("Bearer {}", house.administrator).parse().unwrap());
    assert_eq!(house.ask(asked.clone()).await.status, StatusCode::CREATED);
    asked.headers_mut().insert(AUTHORIZATION, "Bearer nonsense".parse().unwrap());
    assert_eq!(house.ask(asked).await.status, StatusCode::UNAUTHORIZED, "a bad token is not made good by a cookie");
}

#[tokio::test]
async fn sessions_end_by_themselves_when_idle_or_old() {
    let house = House::open().await;
    house.person(EMAIL, Role::Viewer).await;
    let clock = house.cloud.records().clock();
    let status = async |browser: &Browser| browser.call(&house, Method::GET, SESSION, &Value::Null).await.status;
    let idle = Browser::of(&house.log_in(EMAIL, PASSWORD).await);
    clock.shift(Duration::from_secs(3500));
    assert_eq!(status(&idle).await, StatusCode::OK);
    clock.shift(Duration::from_secs(3700));
    assert_eq!(status(&idle).await, StatusCode::UNAUTHORIZED);
    let busy = Browser::of(&house.log_in(EMAIL, PASSWORD).await);
    for _ in 0..12 {
        assert_eq!(status(&busy).await, StatusCode::OK);
        clock.shift(Duration::from_secs(3599));
    }
    clock.shift(Duration::from_secs(60));
    assert_eq!(status(&busy).await, StatusCode::UNAUTHORIZED, "twelve hours are the most");
}

#[tokio::test]
async fn sessions_end_with_the_user_and_by_the_administrator_and_by_a_new_password() {
    let house = House::open().await;
    let chief = house.person("chief@example.org", Role::Administrator).await;
    let browser = house.person(EMAIL, Role::Viewer).await;
    let other = Browser::of(&house.log_in(EMAIL, PASSWORD).await);
    let status = async |browser: &Browser| browser.call(&house, Method::GET, SESSION, &Value::Null).await.status;
    // One's own sessions are listed, and a new password ends the others.
    let sessions = format!("/api/v1/users/{}/sessions", browser.user);
    let listed = browser.call(&house, Method::GET, &sessions, &Value::Null).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!((&listed["items"][0]["current"], &listed["items"][1]["current"]), (&json!(true), &json!(false)));
    let password = format!("{SESSION}/password");
    let wrong = json!({ "old": "not the old one", "new": "another long password" });
    assert_eq!(browser.call(&house, Method::PUT, &password, &wrong).await.status, StatusCode::FORBIDDEN);
    let weak = json!({ "old": PASSWORD, "new": "short" });
    assert_eq!(browser.call(&house, Method::PUT, &password, &weak).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let right = json!({ "old": PASSWORD, "new": "another long password" });
    assert_eq!(browser.call(&house, Method::PUT, &password, &right).await.status, StatusCode::NO_CONTENT);
    assert_eq!((status(&browser).await, status(&other).await), (StatusCode::OK, StatusCode::UNAUTHORIZED));
    assert_eq!(house.log_in(EMAIL, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    // An administrator ends them all.
    let other = Browser::of(&house.log_in(EMAIL, "another long password").await);
    assert_eq!(chief.call(&house, Method::DELETE, &sessions, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!((status(&browser).await, status(&other).await), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    // Who is shut out is out.
    let again = Browser::of(&house.log_in(EMAIL, "another long password").await);
    let user = format!("/api/v1/users/{}", browser.user);
    assert_eq!(chief.call(&house, Method::PATCH, &user, &json!({ "disabled": true })).await.status, StatusCode::OK);
    assert_eq!(status(&again).await, StatusCode::UNAUTHORIZED);
    assert_eq!(house.log_in(EMAIL, "another long password").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_by_a_link_once() {
    let house = House::open().await;
    let browser = house.person(EMAIL, Role::Viewer).await;
    let path = format!("/api/v1/users/{}/link", browser.user);
    let first = super::api::create(&house, &path, &Value::Null).await;
    let second = super::api::create(&house, &path, &Value::Null).await;
    let link = second["link"].as_str().unwrap();
    assert!(link.starts_with(&format!("https://localhost:{}/#/redeem/", house.address.port())), "{link}");
    let old = house.redeem(first["link"].as_str().unwrap(), &Value::Null).await;
    assert_eq!(old.status, StatusCode::GONE, "a new link takes the old one's place");
    let new = json!({ "password": "a password set by link" });
    let redeemed = Browser::of(&house.redeem(link, &new).await);
    assert_eq!(redeemed.user, browser.user);
    assert_eq!(house.redeem(link, &new).await.status, StatusCode::GONE);
    assert_eq!(browser.call(&house, Method::GET, SESSION, &Value::Null).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.log_in(EMAIL, "a password set by link").await.status, StatusCode::OK);
    let late = super::api::create(&house, &path, &Value::Null).await;
    house.cloud.records().clock().shift(Duration::from_secs(25 * 3600));
    assert_eq!(house.redeem(late["link"].as_str().unwrap(), &new).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn guessing_is_slowed_and_whoever_was_here_before_is_not_shut_out_by_others_guesses() {
    let house = House::open().await;
    house.person(EMAIL, Role::Viewer).await;
    let known = cookies(&house.log_in(EMAIL, PASSWORD).await);
    for _ in 0..10 {
        assert_eq!(house.log_in(EMAIL, "a wrong password").await.status, StatusCode::UNAUTHORIZED);
    }
    let refused = house.log_in(EMAIL, PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "not even the right one is looked at");
    let wait: u64 = refused.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    assert!(refused.problem().contains("wait"));
    let mut asked = page(&house, Method::POST, SESSION, &json!({ "email": EMAIL, "password": PASSWORD }));
    asked.headers_mut().insert(COOKIE, known.parse().unwrap());
    assert_eq!(house.ask(asked.clone()).await.status, StatusCode::OK);
    // The proof is for this account alone.
    *asked.body_mut() = json!({ "email": "other@example.org", "password": PASSWORD }).to_string().into_bytes();
    assert_eq!(house.ask(asked).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn links_are_not_tried_without_end() {
    let house = House::open().await;
    let body = json!({ "link": "nonsense", "password": PASSWORD });
    let mut statuses = Vec::new();
    for _ in 0..61 {
        statuses.push(house.ask(page(&house, Method::POST, REDEEM, &body)).await.status);
    }
    assert!(statuses[..60].iter().all(|status| *status == StatusCode::GONE));
    assert_eq!(statuses[60], StatusCode::TOO_MANY_REQUESTS);
}
