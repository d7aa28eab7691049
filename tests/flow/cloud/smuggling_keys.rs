//! Two readings of one UsernameToken: whoever it was checked for is who asks, or nobody does; and what stood beside it goes no further.

use http::StatusCode;
use jiff::Timestamp;
use oriel_cloud::records::Role;
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetUsers};
use oriel_onvif::ns;
use oriel_soap::auth::UsernameToken;

use super::House;
use super::access_keys::{Key, bare_soap, signed};
use super::client::device_service;

/// A viewer's request, well signed.
fn request(key: &Key) -> String {
    let token = UsernameToken::digest(&key.name, &key.password, Timestamp::now());
    String::from_utf8(signed(&GetDeviceInformation::default(), token)).unwrap()
}

/// The security header of a message.
fn security(message: &str) -> &str {
    let (from, to) = (message.find("<wsse:Security").unwrap(), message.find("</wsse:Security>").unwrap());
    &message[from..to + "</wsse:Security>".len()]
}

#[tokio::test]
async fn a_token_that_can_be_read_in_two_ways_is_none() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let viewer = house.key(&puppet.id, Role::Viewer).await;
    let administrator = house.key(&puppet.id, Role::Administrator).await;
    let path = device_service(&puppet.id);
    let named = |message: String, name: &str| message.replace(&format!(">{}<", viewer.name), &format!(">{name}<"));
    let mut tricks = Vec::new();
    let good = request(&viewer);
    let body = format!("<x:GetUsers xmlns:x=\"{}\"/>", ns::TDS.uri);
    let bare = security(&good).to_owned();
    tricks.push(("two tokens", good.replace(&bare, &format!("{bare}{bare}"))));
    let good = request(&viewer);
    let token =
        good[good.find("<wsse:UsernameToken").unwrap()..].split_inclusive("</wsse:UsernameToken>").next().unwrap();
    tricks.push((
        "two tokens in one header",
        good.replace(token, &format!("{token}{}", token.replace(&viewer.name, &administrator.name))),
    ));
    let good = request(&viewer);
    let moved = good.replace(security(&good), "").replace("</env:Body>", &format!("{}</env:Body>", security(&good)));
    tricks.push(("a token in the body", moved));
    let good = request(&viewer);
    let alone = security(&good).to_owned();
    tricks.push(("a token outside of a header", good.replace(&format!("<env:Header>{alone}</env:Header>"), &alone)));
    tricks.push(("another's name", named(request(&viewer), &administrator.name)));
    tricks.push((
        "another's name and a comment",
        named(request(&viewer), &format!("{}<!--{}-->", administrator.name, viewer.name)),
    ));
    tricks.push(("another operation under the token", {
        let good = request(&viewer);
        let from = good.find("<env:Body>").unwrap();
        format!("{}<env:Body>{body}</env:Body></env:Envelope>", &good[..from])
    }));
    for (name, message) in tricks {
        let answer = house.ask(bare_soap(&path, message.clone())).await;
        assert!(answer.status.is_client_error(), "{name}: {answer:?} {message}");
        assert!(seen.take().is_empty(), "{name} reached the device");
    }
    // A comment in the middle of the right name changes nothing for either reader.
    let (half, rest) = viewer.name.split_at(4);
    let split = named(request(&viewer), &format!("{half}<!-- -->{rest}"));
    let answer = house.ask(bare_soap(&path, split)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(!seen.take()[0].body.contains("Security"));
}

#[tokio::test]
async fn the_token_of_one_does_not_lend_the_right_of_another() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let viewer = house.key(&puppet.id, Role::Viewer).await;
    let administrator = house.key(&puppet.id, Role::Administrator).await;
    let path = device_service(&puppet.id);
    // A viewer's bearer token, and an administrator's key in the envelope: the envelope is not looked at.
    let token = house.token(oriel_soap::access::Level::User).await;
    let in_envelope = UsernameToken::digest(&administrator.name, &administrator.password, Timestamp::now());
    let asked = super::client::soap(&path, &token, signed(&GetUsers::default(), in_envelope.clone()));
    assert_eq!(house.ask(asked).await.status, StatusCode::FORBIDDEN);
    // A viewer's Digest, and the same.
    let mut asked = bare_soap(&path, signed(&GetUsers::default(), in_envelope));
    let refused = house.ask(bare_soap(&path, "")).await;
    let mut client = oriel_soap::auth::DigestClient::new(&viewer.name, &viewer.password);
    let shown = super::access_keys::answer_to(&mut client, &refused, "POST", &path);
    asked.headers_mut().insert("authorization", shown.parse().unwrap());
    let answer = house.ask(asked).await;
    assert!(answer.fault().reason.contains("different users"), "{answer:?}");
    assert!(seen.take().is_empty());
}
