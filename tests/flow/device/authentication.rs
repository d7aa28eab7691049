//! Who is it: HTTP Digest, WS-UsernameToken, both, none (Core §5.9.1).

use super::*;
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetSystemDateAndTime};

#[tokio::test]
async fn who_shows_nothing_is_asked_for_digest_with_md5_first() {
    let camera = Camera::start().await;
    let answer = camera.answer(As::Nobody, &GetDeviceInformation::default()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let challenges = challenges(&answer);
    assert_eq!(challenges.len(), 2, "{challenges:?}");
    assert!(challenges[0].contains("algorithm=MD5") && challenges[1].contains("algorithm=SHA-256"), "{challenges:?}");
    assert_eq!(name(&fault_of(&answer)), "env:Sender/ter:NotAuthorized");
}

#[tokio::test]
async fn both_digest_algorithms_are_accepted() {
    let camera = Camera::start().await;
    let message = envelope::request(&GetDeviceInformation::default(), &Headers::default());
    for algorithm in ["MD5", "SHA-256"] {
        let refused = camera.post(DEVICE, message.clone()).await;
        let offered = challenges(&refused).into_iter().filter(|challenge| challenge.contains(algorithm));
        let mut client = DigestClient::new("user", password("user"));
        let mut request = soap(DEVICE, message.clone());
        let authorization = client.answer(offered, "POST", DEVICE).unwrap();
        assert!(authorization.contains(algorithm), "{authorization}");
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
        assert_eq!(camera.send(request).await.status, StatusCode::OK, "{algorithm}");
    }
}

#[tokio::test]
async fn a_digest_answer_is_good_once_and_for_one_request() {
    let camera = Camera::start().await;
    let message = envelope::request(&GetDeviceInformation::default(), &Headers::default());
    let refused = camera.post(DEVICE, message.clone()).await;
    let mut client = DigestClient::new("user", password("user"));
    let authorization = client.answer(challenges(&refused), "POST", DEVICE).unwrap();
    let with = |path: &str, authorization: &str| {
        let mut request = soap(path, message.clone());
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
        camera.send(request)
    };
    assert_eq!(with(UPLINK, &authorization).await.status, StatusCode::UNAUTHORIZED, "made for another path");
    assert_eq!(with(DEVICE, &authorization).await.status, StatusCode::OK);
    let replayed = with(DEVICE, &authorization).await;
    assert_eq!(replayed.status, StatusCode::UNAUTHORIZED);
    assert!(challenges(&replayed)[0].contains("stale=true"));
    let next = client.again("POST", DEVICE).unwrap();
    assert_eq!(with(DEVICE, &next).await.status, StatusCode::OK, "a counter higher");
}

#[tokio::test]
async fn wrong_credentials_are_refused_the_way_they_came() {
    let camera = Camera::start().await;
    let operation = GetDeviceInformation::default();
    let message = envelope::request(&operation, &Headers::default());
    let challenged = camera.post(DEVICE, message.clone()).await;
    for (user, password) in [("user", "not it"), ("nobody", "knows a secret 7!"), ("USER", "user knows a secret 7!")] {
        let mut client = DigestClient::new(user, password);
        let mut request = soap(DEVICE, message.clone());
        let authorization = client.answer(challenges(&challenged), "POST", DEVICE).unwrap();
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
        assert_eq!(camera.send(request).await.status, StatusCode::UNAUTHORIZED, "{user}");

        let token = UsernameToken::digest(user, password, Timestamp::now());
        let answer = camera.post(DEVICE, with_token(&operation, token)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{user}");
        assert_eq!(name(&fault_of(&answer)), "env:Sender/ter:NotAuthorized");
        assert!(!answer.text.contains("secret"));
    }
    for authorization in ["Basic dXNlcjp1c2Vy", "Bearer x", "Digest", "Digest username=\"user\"", "ß"] {
        let mut request = soap(DEVICE, message.clone());
        request.headers_mut().insert("authorization", http::HeaderValue::from_bytes(authorization.as_bytes()).unwrap());
        assert_eq!(camera.send(request).await.status, StatusCode::UNAUTHORIZED, "{authorization}");
    }
}

#[tokio::test]
async fn a_username_token_needs_nonce_and_time_and_is_good_once() {
    let camera = Camera::start().await;
    let operation = GetDeviceInformation::default();
    let token = || UsernameToken::digest("user", &password("user"), Timestamp::now());
    let fine = token();
    assert_eq!(camera.post(DEVICE, with_token(&operation, fine.clone())).await.status, StatusCode::OK);
    let mut no_nonce = token();
    no_nonce.nonce = None;
    let mut no_time = token();
    no_time.created = None;
    for (what, token) in [("replayed", fine), ("without nonce", no_nonce), ("without time", no_time)] {
        let answer = camera.post(DEVICE, with_token(&operation, token)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        assert_eq!(name(&fault_of(&answer)), "env:Sender/ter:NotAuthorized", "{what}");
    }
}

#[tokio::test]
async fn a_skewed_clock_is_told_and_the_time_can_be_read_all_the_same() {
    let camera = Camera::start().await;
    let token = |seconds| {
        UsernameToken::digest("user", &password("user"), Timestamp::now() - std::time::Duration::from_secs(seconds))
    };
    let answer = camera.post(DEVICE, with_token(&GetDeviceInformation::default(), token(3600))).await;
    assert_eq!(name(&fault_of(&answer)), "env:Sender/ter:NotAuthorized");
    assert!(fault_of(&answer).reason.contains("clock"), "{}", fault_of(&answer).reason);
    let within = camera.post(DEVICE, with_token(&GetDeviceInformation::default(), token(240))).await;
    assert_eq!(within.status, StatusCode::OK, "the tolerance is five minutes");
    let time = camera.post(DEVICE, with_token(&GetSystemDateAndTime::default(), token(3600))).await;
    assert_eq!(time.status, StatusCode::OK);
}

#[tokio::test]
async fn shown_both_ways_both_must_hold_and_name_one_user() {
    let camera = Camera::start().await;
    let operation = GetDeviceInformation::default();
    let cases = [
        ("user", "user", true, true, StatusCode::OK),
        ("user", "user", true, false, StatusCode::BAD_REQUEST),
        ("user", "user", false, true, StatusCode::UNAUTHORIZED),
        ("user", "administrator", true, true, StatusCode::BAD_REQUEST),
    ];
    for (http_user, wss_user, http_holds, wss_holds, expected) in cases {
        let secret = |user, holds| if holds { password(user) } else { "guessed".to_owned() };
        let token = UsernameToken::digest(wss_user, &secret(wss_user, wss_holds), Timestamp::now());
        let mut request = soap(DEVICE, with_token(&operation, token));
        let challenged = camera.answer(As::Nobody, &operation).await;
        let mut client = DigestClient::new(http_user, secret(http_user, http_holds));
        let authorization = client.answer(challenges(&challenged), "POST", DEVICE).unwrap();
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
        let answer = camera.send(request).await;
        assert_eq!(answer.status, expected, "{http_user} {http_holds}, {wss_user} {wss_holds}");
    }
}
