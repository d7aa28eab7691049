//! Who may ask what: the tables' access classes, decided at the gateway before a device sees anything (Core §5.9.4).

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, StatusCode};
use oriel_cloud::records::{DeviceId, NewToken, Role};
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetUsers};
use oriel_onvif::ns;
use oriel_soap::access::{Level, Levels, allowed};
use oriel_uplink::body;
use std::collections::BTreeSet;

use super::camera::{Camera, LEVELS, Puppet, Seen};
use super::client::{Answer, bare, device_service, message, request, soap, whole};
use super::{House, me};

#[tokio::test]
async fn every_operation_of_the_tables_is_for_the_levels_of_its_access_class() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let (mut client, path) = (house.h2().await, device_service(&puppet.id));
    let mut decided = BTreeSet::new();
    for level in LEVELS {
        let (levels, secret) = (Levels::from(level), house.token(level).await);
        for row in oriel_onvif::tables().iter().flat_map(|table| table.rows) {
            let asked = soap(&path, &secret, bare(row.service.uri, row.name));
            let answer = whole(client.send_request(house.absolute(asked).map(body::full)).await.unwrap()).await;
            let saw = seen.take();
            decided.insert((levels.to_string(), row.access.name(), allowed(levels, row.access)));
            if allowed(levels, row.access) {
                assert_eq!(answer.status, StatusCode::OK, "{levels} {row:?}: {answer:?}");
                assert_eq!(saw.len(), 1, "{levels} {row:?}");
                assert!(saw[0].body.contains(row.name));
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{levels} {row:?}: {answer:?}");
                assert!(answer.fault().is("NotAuthorized"), "{levels} {row:?}");
                assert!(answer.fault().reason.contains(row.name), "{answer:?}");
                assert!(saw.is_empty(), "{levels} {row:?} reached the device");
            }
        }
    }
    // Every level met every class that any operation has, and this is what Core's default access policy says of them.
    let refused: Vec<_> =
        decided.iter().filter(|(.., may)| !may).map(|(levels, class, _)| (&levels[..], *class)).collect();
    let expected = [
        ("Operator", "READ_SYSTEM_SECRET"),
        ("Operator", "UNRECOVERABLE"),
        ("Operator", "WRITE_SYSTEM"),
        ("User", "ACTUATE"),
        ("User", "READ_SYSTEM_SECRET"),
        ("User", "UNRECOVERABLE"),
        ("User", "WRITE_SYSTEM"),
    ];
    assert_eq!(refused, expected);
    assert_eq!(
        decided.len(),
        LEVELS.len() * 7,
        "all classes but READ_SYSTEM_SENSITIVE, which no operation has: {decided:?}"
    );
}

#[tokio::test]
async fn what_is_in_no_table_is_for_administrators() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let unknown = [
        (ns::TDS.uri, "LaunchRockets"),
        ("http://www.onvif.org/ver10/thermal/wsdl", "GetConfiguration"),
        ("", "GetUsers"),
    ];
    for level in LEVELS {
        let token = house.token(level).await;
        for (namespace, name) in unknown {
            let body = if namespace.is_empty() {
                super::client::enveloped(&format!("<{name}/>"))
            } else {
                bare(namespace, name)
            };
            let answer = house.ask(soap(&device_service(&puppet.id), &token, body)).await;
            if level == Level::Administrator {
                assert_eq!(answer.status, StatusCode::OK, "{name}: {answer:?}");
                assert_eq!(seen.take().len(), 1);
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{level} {name}: {answer:?}");
                assert!(answer.fault().is("NotAuthorized"));
                assert!(seen.take().is_empty());
            }
        }
    }
}

#[tokio::test]
async fn soap_to_anything_but_a_service_is_for_administrators() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    for path in ["/", "/firmware", "/onvifx/device_service", "/../onvif/device_service", "/cgi-bin/onvif/"] {
        for level in LEVELS {
            let asked = soap(
                &format!("/d/{}{path}", puppet.id),
                &house.token(level).await,
                message(&GetDeviceInformation::default()),
            );
            let answer = house.ask(asked).await;
            let expected = if level == Level::Administrator { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(answer.status, expected, "{level} {path}: {answer:?}");
            assert_eq!(seen.take().len(), usize::from(level == Level::Administrator), "{level} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_no_soap_is_for_administrators() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let kinds = [
        (Method::GET, None),
        (Method::PUT, Some("application/soap+xml")),
        (Method::POST, Some("application/json")),
        (Method::DELETE, None),
        (Method::OPTIONS, None),
        (Method::POST, None),
        (Method::HEAD, None),
    ];
    for level in LEVELS {
        let token = house.token(level).await;
        for (method, kind) in &kinds {
            let mut asked = request(method.clone(), &format!("/d/{}/snapshot.jpg?n=1", puppet.id), &token);
            if let Some(kind) = kind {
                asked.headers_mut().insert("content-type", kind.parse().unwrap());
            }
            let answer = house.ask(asked).await;
            let saw = seen.take();
            if level == Level::Administrator {
                assert_eq!(answer.status, StatusCode::OK, "{method} {kind:?}: {answer:?}");
                assert_eq!(
                    (&saw[0].method, saw[0].uri.path_and_query().unwrap().as_str()),
                    (method, "/snapshot.jpg?n=1")
                );
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{level} {method} {kind:?}");
                assert!(saw.is_empty(), "{level} {method} {kind:?}");
            }
        }
    }
}

/// How a client asks a device, with a token.
type Ask = fn(&DeviceId, &str) -> Request<Vec<u8>>;

/// What an answer tells, the time of day and the request's own name aside.
fn told(answer: Answer) -> (StatusCode, HeaderMap, String) {
    let mut headers = answer.headers;
    headers.remove("date");
    headers.remove("x-request-id");
    (answer.status, headers, answer.text)
}

#[tokio::test]
async fn unknown_foreign_and_revoked_devices_answer_alike() {
    let house = House::open().await;
    let (mine, seen) = house.witness().await;
    let (foreign, foreign_seen) = house.witness().await;
    let revoked = house.scope().add_device(&me(), "revoked", None).await.unwrap().id.clone();
    house.scope().set_revoked(&me(), &revoked, true).await.unwrap();
    let unknown: DeviceId = "abcdefghijklmnop".into();
    let token = house.token_for(Level::Administrator, Some(&[&mine.id, &revoked])).await;
    let kinds: [Ask; 3] = [
        |id, token| soap(&device_service(id), token, message(&GetDeviceInformation::default())),
        |id, token| soap(&device_service(id), token, "no XML"),
        |id, token| request(Method::GET, &format!("/d/{id}/picture"), token),
    ];
    for ask in kinds {
        let first = told(house.ask(ask(&unknown, &token)).await);
        assert_eq!(first.0, StatusCode::NOT_FOUND);
        for id in [&foreign.id, &revoked] {
            assert_eq!(told(house.ask(ask(id, &token)).await), first);
        }
    }
    assert!(foreign_seen.take().is_empty() && seen.take().is_empty());
    let answer = house.ask(soap(&device_service(&mine.id), &token, message(&GetUsers::default()))).await;
    assert_eq!(answer.status, StatusCode::OK);
    for path in ["/d/", "/d//", "/d", "/d/../api"] {
        let answer = house.ask(request(Method::GET, path, &house.administrator)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

async fn refused(house: &House, puppet: &Puppet, seen: &Seen, authorization: &[&str]) {
    let mut asked = soap(&device_service(&puppet.id), "", message(&GetDeviceInformation::default()));
    asked.headers_mut().remove(AUTHORIZATION);
    for value in authorization {
        asked.headers_mut().append(AUTHORIZATION, value.parse().unwrap());
    }
    for answer in [house.ask(asked.clone()).await, house.ask_h2(asked.clone()).await] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{authorization:?}");
        let offered: Vec<_> = answer.headers.get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(*offered.last().unwrap(), "Bearer realm=\"oriel\"");
        assert!(answer.fault().is("NotAuthorized") && answer.fault().reason.contains("token"), "{answer:?}");
    }
    *asked.uri_mut() = "/api/v1/devices".parse().unwrap();
    *asked.method_mut() = Method::GET;
    assert_eq!(house.ask(asked).await.status, StatusCode::UNAUTHORIZED, "{authorization:?}");
    assert!(seen.take().is_empty());
}

#[tokio::test]
async fn nobody_gets_in_without_one_valid_token() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let good = format!("Bearer {}", house.administrator);
    let (_, device_token) = house.scope().add_device_token(&me(), &puppet.id).await.unwrap();
    let ended = house.scope().add_token(&me(), NewToken::of(Role::Administrator, "ended")).await.unwrap();
    house.scope().remove_token(&me(), &ended.0.id).await.unwrap();
    refused(&house, &puppet, &seen, &[]).await;
    refused(&house, &puppet, &seen, &["Bearer unknown"]).await;
    refused(&house, &puppet, &seen, &["Bearer "]).await;
    refused(&house, &puppet, &seen, &[&house.administrator]).await;
    refused(&house, &puppet, &seen, &["Basic YWRtaW46YWRtaW4="]).await;
    refused(&house, &puppet, &seen, &[&good, &good]).await;
    refused(&house, &puppet, &seen, &[&good, "Basic YWRtaW46YWRtaW4="]).await;
    refused(&house, &puppet, &seen, &[&format!("{good}, {good}")]).await;
    refused(&house, &puppet, &seen, &[&format!("Bearer {}", device_token.expose())]).await;
    refused(&house, &puppet, &seen, &[&format!("Bearer {}", ended.1.expose())]).await;
    // A token in the address, or in a cookie, is none.
    let path = format!("{}?access_token={}", device_service(&puppet.id), house.administrator);
    let mut asked = soap(&path, "", message(&GetDeviceInformation::default()));
    asked.headers_mut().remove(AUTHORIZATION);
    asked.headers_mut().insert("cookie", format!("token={}", house.administrator).parse().unwrap());
    assert_eq!(house.ask(asked).await.status, StatusCode::UNAUTHORIZED);
    // The scheme's letters are free (RFC 9110 §11.1).
    let mut asked = soap(&device_service(&puppet.id), "", message(&GetDeviceInformation::default()));
    asked.headers_mut().insert(AUTHORIZATION, format!("bEARER {}", house.administrator).parse().unwrap());
    assert_eq!(house.ask(asked).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_level_of_the_uplink_counts_behind_the_level_of_the_token() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "User").await;
    // The cloud lets an administrator pass; the device gives this cloud no more than User.
    let answer =
        house.ask(soap(&device_service(&camera.id), &house.administrator, message(&GetUsers::default()))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert!(answer.fault().is("NotAuthorized"));
    let answer = house
        .ask(soap(&device_service(&camera.id), &house.administrator, message(&GetDeviceInformation::default())))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// How long one request takes.
async fn times(house: &House, client: &mut super::client::H2, asked: &Request<Vec<u8>>) -> std::time::Duration {
    let begun = std::time::Instant::now();
    let answer = client.send_request(house.absolute(asked.clone()).map(body::full)).await.unwrap();
    assert_eq!(whole(answer).await.status, StatusCode::NOT_FOUND);
    begun.elapsed()
}

#[tokio::test]
async fn unknown_and_foreign_devices_take_the_same_time() {
    let house = House::open().await;
    let (mine, _seen) = house.witness().await;
    let (foreign, _foreign_seen) = house.witness().await;
    let token = house.token_for(Level::Administrator, Some(&[&mine.id])).await;
    let unknown: DeviceId = "abcdefghijklmnop".into();
    let ask = |id: &DeviceId| soap(&device_service(id), &token, message(&GetDeviceInformation::default()));
    let mut client = house.h2().await;
    // By turns, so that whatever else this machine does meets all of them alike; and one of them twice, which is the measure of noise.
    let asked = [ask(&unknown), ask(&foreign.id), ask(&unknown)];
    let mut taken: [Vec<_>; 3] = Default::default();
    for _ in 0..400 {
        for (asked, taken) in asked.iter().zip(&mut taken) {
            taken.push(times(&house, &mut client, asked).await);
        }
    }
    let [first, foreign, second] = taken.map(|mut taken| {
        taken.sort_unstable();
        // The quarter of the least disturbed, not the shortest alone.
        taken[taken.len() / 4]
    });
    let noise = first.abs_diff(second);
    let apart = foreign.abs_diff(first.min(second)).min(foreign.abs_diff(first.max(second)));
    println!("unknown {first:?} and {second:?}, foreign {foreign:?}");
    // A look into a store would take longer than this; what is left is the machine's.
    let least = (first / 10).max(std::time::Duration::from_micros(20));
    assert!(apart <= noise * 3 + least, "unknown {first:?} and {second:?}, foreign {foreign:?}");
}
