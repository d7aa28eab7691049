//! Access keys of ONVIF clients: HTTP Digest and WS-UsernameToken, verified at the cloud, and gone before the device sees anything (Core §5.9.1).

use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use oriel_client::{Auth, Client};
use oriel_cloud::records::{DeviceId, Role};
use oriel_onvif::device_mgmt::{
    GetDeviceInformation, GetServices, GetSystemDateAndTime, GetSystemDateAndTimeResponse, GetUsers,
};
use oriel_onvif::ns;
use oriel_soap::auth::{DigestClient, UsernameToken};
use oriel_soap::envelope::{self, Headers};
use oriel_soap::xml::Limits;
use oriel_soap::{Envelope, Operation};

use super::camera::{Camera, Seen};
use super::client::{Answer, device_service, message, request, soap};
use super::{House, me};

/// An access key: user name, password, and the device it is for.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) device: DeviceId,
}

impl House {
    /// A key of `role` for a device; made by an administrator, whose role caps no more than that.
    pub(super) async fn key(&self, device: &DeviceId, role: Role) -> Key {
        let scope = self.scope();
        let email = format!("{}@example.org", scope.users(None, 200).len());
        let user = scope.add_user(&me(), &email, "somebody", Role::Administrator).await.unwrap().0;
        let (key, password) = scope.add_access_key(&me(), &user.id, device, "a recorder", role, None).await.unwrap();
        Key { name: key.id.to_string(), password: password.expose().to_owned(), device: device.clone() }
    }

    /// Asks as a client of HTTP Digest does: first without, then with the answer to the challenge.
    pub(super) async fn ask_by_digest(&self, key: &Key, mut asked: Request<Vec<u8>>) -> Answer {
        asked.headers_mut().remove(AUTHORIZATION);
        let refused = self.ask(asked.clone()).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{refused:?}");
        let mut client = DigestClient::new(&key.name, &key.password);
        let uri = asked.uri().to_string();
        let answer = answer_to(&mut client, &refused, asked.method().as_str(), &uri);
        asked.headers_mut().insert(AUTHORIZATION, answer.parse().unwrap());
        self.ask(asked).await
    }
}

/// The client's answer to the first challenge it can answer.
pub(super) fn answer_to(client: &mut DigestClient, refused: &Answer, method: &str, uri: &str) -> String {
    let challenges = refused.headers.get_all(WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap());
    client.answer(challenges, method, uri).unwrap()
}

/// The envelope of an operation, signed with a key.
pub(super) fn signed<O: Operation>(operation: &O, token: UsernameToken) -> Vec<u8> {
    envelope::request(operation, &Headers { username_token: Some(token), ..Headers::default() })
}

fn digest_of(key: &Key) -> UsernameToken {
    UsernameToken::digest(&key.name, &key.password, Timestamp::now())
}

/// SOAP to a device without anything in the head.
pub(super) fn bare_soap(path: &str, message: impl Into<Vec<u8>>) -> Request<Vec<u8>> {
    let mut asked = soap(path, "", message);
    asked.headers_mut().remove(AUTHORIZATION);
    asked
}

fn no_credentials(seen: &Seen, key: &Key, count: usize) {
    let asked = seen.take();
    assert_eq!(asked.len(), count);
    for asked in asked {
        assert!(!asked.headers.contains_key(AUTHORIZATION), "{asked:?}");
        let all = format!("{asked:?}");
        assert!(!all.contains(&key.name) && !all.contains(&key.password) && !all.contains("Security"), "{all}");
    }
}

#[tokio::test]
async fn both_ways_to_show_a_key_hold_and_neither_reaches_the_device() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let key = house.key(&puppet.id, Role::Viewer).await;
    let path = device_service(&puppet.id);
    let plain = message(&GetDeviceInformation::default());
    let by_digest = house.ask_by_digest(&key, bare_soap(&path, plain.clone())).await;
    assert_eq!(by_digest.status, StatusCode::OK, "{by_digest:?}");
    let text = UsernameToken::text(&key.name, &key.password);
    for token in [digest_of(&key), text] {
        let answer = house.ask(bare_soap(&path, signed(&GetDeviceInformation::default(), token))).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let both = bare_soap(&path, signed(&GetDeviceInformation::default(), digest_of(&key)));
    // Asked for the time without a head, it is we who answer: this one has both at once.
    let refused = house.ask(bare_soap(&path, plain)).await;
    let mut client = DigestClient::new(&key.name, &key.password);
    let mut asked = both;
    asked.headers_mut().insert(AUTHORIZATION, answer_to(&mut client, &refused, "POST", &path).parse().unwrap());
    assert_eq!(house.ask(asked).await.status, StatusCode::OK);
    no_credentials(&seen, &key, 4);
}

#[tokio::test]
async fn the_challenge_offers_both_hashes_and_is_alike_for_whatever_is_asked() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let told = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        let offered = answer.headers.get_all(WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap().to_owned());
        // The nonce is another each time.
        let blank = |offer: String| match offer.find("nonce=\"") {
            Some(at) => format!("{}{}", &offer[..at + 7], &offer[at + 7 + 64..]),
            None => offer,
        };
        (offered.map(blank).collect::<Vec<_>>(), answer.text.clone())
    };
    let unknown: DeviceId = "abcdefghijklmnop".into();
    let mut all = Vec::new();
    for id in [&puppet.id, &unknown] {
        for body in [message(&GetDeviceInformation::default()), message(&GetServices::default()), b"no XML".to_vec()] {
            all.push(told(&house.ask(bare_soap(&device_service(id), body)).await));
        }
    }
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    let (offered, text) = &all[0];
    assert_eq!(offered[0], "Digest realm=\"oriel\", qop=\"auth\", algorithm=MD5, nonce=\"\"");
    assert_eq!(offered[1], "Digest realm=\"oriel\", qop=\"auth\", algorithm=SHA-256, nonce=\"\"");
    assert_eq!(offered[2], "Bearer realm=\"oriel\"");
    assert!(text.contains("NotAuthorized"));
    let mut asked = request(Method::GET, &format!("/d/{unknown}/x"), "");
    asked.headers_mut().remove(AUTHORIZATION);
    assert_eq!(told(&house.ask(asked).await).0, *offered);
    assert!(seen.take().is_empty());
}

#[tokio::test]
async fn a_key_is_for_its_device_alone_and_others_answer_like_none() {
    let house = House::open().await;
    let (mine, _) = house.witness().await;
    let (other, seen) = house.witness().await;
    let key = house.key(&mine.id, Role::Administrator).await;
    let unknown: DeviceId = "abcdefghijklmnop".into();
    let mut answers = Vec::new();
    for id in [&other.id, &unknown] {
        let path = device_service(id);
        let answer = house.ask_by_digest(&key, bare_soap(&path, message(&GetDeviceInformation::default()))).await;
        answers.push((answer.status, answer.text));
        let answer = house.ask(bare_soap(&path, signed(&GetDeviceInformation::default(), digest_of(&key)))).await;
        answers.push((answer.status, answer.text));
        let answer = house.ask_by_digest(&key, request(Method::GET, &format!("/d/{id}/x"), "")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    assert!(seen.take().is_empty());
}

#[tokio::test]
async fn the_role_of_the_key_the_role_of_its_user_and_the_level_of_the_uplink_all_cap() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let path = device_service(&puppet.id);
    let may = async |key: &Key, body: Vec<u8>| house.ask_by_digest(key, bare_soap(&path, body)).await;
    let administrator = house.key(&puppet.id, Role::Administrator).await;
    assert_eq!(may(&administrator, message(&GetUsers::default())).await.status, StatusCode::OK);
    let viewer = house.key(&puppet.id, Role::Viewer).await;
    let refused = may(&viewer, message(&GetUsers::default())).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.fault().is("NotAuthorized") && refused.fault().reason.contains("GetUsers"), "{refused:?}");
    let written = bare_soap(&path, signed(&GetUsers::default(), digest_of(&viewer)));
    assert_eq!(house.ask(written).await.status, StatusCode::FORBIDDEN);
    assert_eq!(seen.take().len(), 1, "the viewer's request went no further");
    // The user is made a viewer, then shut out, and so is the key.
    let scope = house.scope();
    let owner = scope.access_keys(None, 10, |key| *key.id == *administrator.name)[0].user.clone();
    let change = oriel_cloud::records::UserChange { role: Some(Role::Viewer), ..Default::default() };
    scope.change_user(&me(), &owner, change).await.unwrap();
    assert_eq!(may(&administrator, message(&GetUsers::default())).await.status, StatusCode::FORBIDDEN);
    assert_eq!(may(&administrator, message(&GetDeviceInformation::default())).await.status, StatusCode::OK);
    let change = oriel_cloud::records::UserChange { disabled: Some(true), ..Default::default() };
    scope.change_user(&me(), &owner, change).await.unwrap();
    assert_eq!(may(&administrator, message(&GetDeviceInformation::default())).await.status, StatusCode::UNAUTHORIZED);
    scope.remove_access_key(&me(), &viewer.name).await.unwrap();
    assert_eq!(may(&viewer, message(&GetDeviceInformation::default())).await.status, StatusCode::UNAUTHORIZED);
    // The device gives this cloud no more than User, whoever asks.
    let camera = Camera::connected(&house, "https", "User").await;
    let key = house.key(&camera.id, Role::Administrator).await;
    let asked = bare_soap(&device_service(&camera.id), message(&GetUsers::default()));
    assert!(house.ask_by_digest(&key, asked).await.fault().is("NotAuthorized"));
}

#[tokio::test]
async fn what_is_used_up_altered_or_too_old_does_not_hold() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let key = house.key(&puppet.id, Role::Viewer).await;
    let path = device_service(&puppet.id);
    let asked = bare_soap(&path, message(&GetDeviceInformation::default()));
    let refused = house.ask(asked.clone()).await;
    let mut client = DigestClient::new(&key.name, &key.password);
    let first = answer_to(&mut client, &refused, "POST", &path);
    let with = async |authorization: &str, path: &str| {
        let mut asked = asked.clone();
        *asked.uri_mut() = path.parse().unwrap();
        asked.headers_mut().insert(AUTHORIZATION, authorization.parse().unwrap());
        house.ask(asked).await
    };
    assert_eq!(with(&first, &path).await.status, StatusCode::OK);
    let replayed = with(&first, &path).await;
    assert_eq!(replayed.status, StatusCode::UNAUTHORIZED);
    assert!(replayed.headers[WWW_AUTHENTICATE].to_str().unwrap().contains("stale=true"), "worth another try");
    let next = client.again("POST", &path).unwrap();
    assert_eq!(with(&next, &format!("{path}?x")).await.status, StatusCode::UNAUTHORIZED, "for another address");
    assert_eq!(with(&next, &path).await.status, StatusCode::OK, "the next count holds");
    seen.take();
    // Tokens: once, and near our time.
    let token = digest_of(&key);
    let once = bare_soap(&path, signed(&GetDeviceInformation::default(), token));
    assert_eq!(house.ask(once.clone()).await.status, StatusCode::OK);
    let again = house.ask(once).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.fault().reason.contains("used before"), "{again:?}");
    let old = UsernameToken::digest(&key.name, &key.password, Timestamp::now() - SignedDuration::from_hours(1));
    let old = house.ask(bare_soap(&path, signed(&GetDeviceInformation::default(), old))).await;
    assert!(old.fault().is("NotAuthorized") && old.fault().reason.contains("behind the clock here"), "{old:?}");
    // Both shown, and of two people.
    let other = house.key(&puppet.id, Role::Viewer).await;
    let mut two = bare_soap(&path, signed(&GetDeviceInformation::default(), digest_of(&other)));
    let third = client.again("POST", &path).unwrap();
    two.headers_mut().insert(AUTHORIZATION, third.parse().unwrap());
    assert!(house.ask(two).await.fault().reason.contains("different users"));
    assert_eq!(seen.take().len(), 1);
}

fn told(answer: &Answer) -> GetSystemDateAndTimeResponse {
    let envelope = Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap();
    envelope.read(ns::TDS, GetSystemDateAndTime::RESPONSE).unwrap()
}

#[tokio::test]
async fn whoever_has_to_make_a_token_is_told_our_time_and_nothing_else() {
    let house = House::open_with(|config| config.domain = Some("cams.localhost".to_owned())).await;
    let (puppet, seen) = house.witness().await;
    let key = house.key(&puppet.id, Role::Viewer).await;
    let unknown: DeviceId = "abcdefghijklmnop".into();
    let time = message(&GetSystemDateAndTime::default());
    let mut answers = Vec::new();
    for id in [&puppet.id, &unknown] {
        for path in [device_service(id), format!("/d/{id}/anything?x")] {
            answers.push(house.ask(bare_soap(&path, time.clone())).await);
        }
        let mut by_host = bare_soap("/onvif/device_service", time.clone());
        by_host.headers_mut().insert("host", format!("{id}.cams.localhost").parse().unwrap());
        answers.push(house.ask(by_host).await);
    }
    let with_token = signed(&GetSystemDateAndTime::default(), digest_of(&key));
    answers.push(house.ask(bare_soap(&device_service(&puppet.id), with_token)).await);
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let told = told(answer).system_date_and_time.utc_date_time.unwrap();
        let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        assert_eq!(told.date.year, i32::from(today.year()), "{told:?}");
    }
    assert!(seen.take().is_empty(), "the camera was not asked");
    // Who needs no time for its credentials is told the camera's.
    house.ask_by_digest_of_time(&key).await;
    house.ask(soap(&device_service(&puppet.id), &house.administrator, time)).await;
    assert_eq!(seen.take().len(), 2);
}

impl House {
    async fn ask_by_digest_of_time(&self, key: &Key) {
        let path = device_service(&key.device);
        let refused = self.ask(bare_soap(&path, message(&GetDeviceInformation::default()))).await;
        let mut client = DigestClient::new(&key.name, &key.password);
        let mut asked = bare_soap(&path, message(&GetSystemDateAndTime::default()));
        asked.headers_mut().insert(AUTHORIZATION, answer_to(&mut client, &refused, "POST", &path).parse().unwrap());
        assert_eq!(self.ask(asked).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn who_guesses_waits_and_the_answer_tells_nothing() {
    let house = House::open_with(|config| config.proxy_protocol = vec!["127.0.0.0/8".parse().unwrap()]).await;
    // It is not connected: whoever gets as far as the device is told so.
    let identity = oriel_trust::Identity::self_signed("offline", &[]).unwrap();
    let device = house.register(identity.fingerprint()).await;
    house.cloud.registry().find(&device).await.unwrap_err();
    let key = house.key(&device, Role::Viewer).await;
    let path = device_service(&device);
    let guess = async |name: &str| {
        let token = UsernameToken::digest(name, "a guess", Timestamp::now());
        house.ask(bare_soap(&path, signed(&GetDeviceInformation::default(), token))).await
    };
    let nobody = Key { name: "nobody".to_owned(), password: String::new(), device: device.clone() };
    for name in [&key.name, &nobody.name] {
        let mut answers = Vec::new();
        for _ in 0..25 {
            let answer = guess(name).await;
            answers.push((answer.status, answer.fault().reason));
        }
        assert!(answers[..20].iter().all(|(status, _)| *status == StatusCode::BAD_REQUEST), "{answers:?}");
        assert!(answers[20..].iter().all(|(status, _)| *status == StatusCode::TOO_MANY_REQUESTS), "{answers:?}");
    }
    // Whoever has the right password waits like everybody else, by either way.
    let right = house.ask(bare_soap(&path, signed(&GetDeviceInformation::default(), digest_of(&key)))).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = right.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let plain = bare_soap(&path, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask_by_digest(&key, plain.clone()).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(house.ask_by_digest(&nobody, plain).await.status, StatusCode::TOO_MANY_REQUESTS);
    // A token still works from here, and so does the key from elsewhere.
    let asked = soap(&path, &house.administrator, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask(asked).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let elsewhere = bare_soap(&path, signed(&GetDeviceInformation::default(), digest_of(&key)));
    assert_eq!(house.ask_from("198.51.100.7", elsewhere).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn much_is_read_only_of_those_who_have_shown_who_they_are() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let path = device_service(&puppet.id);
    let long = super::client::enveloped(&format!(
        "<t:GetDeviceInformation xmlns:t=\"{}\">{}</t:GetDeviceInformation>",
        ns::TDS.uri,
        " ".repeat(65 * 1024)
    ));
    let answer = house.ask(bare_soap(&path, long.clone())).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    let answer = house.ask(soap(&path, &house.administrator, long)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(seen.take().len(), 1);
}

#[tokio::test]
async fn an_onvif_client_needs_nothing_but_address_and_key() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let key = house.key(&camera.id, Role::Operator).await;
    let url = format!("https://localhost:{}{}", house.cloud.address().port(), device_service(&camera.id));
    let auth = Auth::Password { user: key.name, password: key.password };
    let client = Client::new(&url.parse().unwrap(), Some(house.tls(None)), auth).unwrap();
    for _ in 0..3 {
        assert!(!client.call(GetDeviceInformation::default()).await.unwrap().manufacturer.is_empty());
    }
    let services = client.call(GetServices::default()).await.unwrap();
    assert!(services.service.iter().all(|service| service.x_addr.starts_with(&url[..url.find("/onvif").unwrap()])));
    client.call(GetUsers::default()).await.unwrap_err();
}
