//! Calls against a device made for the purpose: how credentials are found out, what is kept between calls, and how failures read.

#![allow(clippy::unwrap_used)] // A test panics.

mod camera;
mod letting_in;
mod oddities;
mod provision;
mod rough;
mod server;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use oriel_client::{Auth, CallError, TransportError};
use oriel_onvif::device_mgmt::{
    Date, DateTime, GetDeviceInformation, GetDeviceInformationResponse, GetServicesResponse,
    GetSystemDateAndTimeResponse, Service, Time,
};
use oriel_onvif::ns;
use oriel_onvif::uplink::{GetUplinks, GetUplinksResponse};
use oriel_soap::auth::{Account, Accounts, Attempt, AuthOptions, Authenticator, Refusal, Secret};
use oriel_soap::envelope::Envelope;
use oriel_soap::xml::Limits;
use oriel_soap::{Fault, Levels, With as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use server::{Server, fault, reply, text};

struct OneAccount;

impl Accounts for OneAccount {
    fn lookup(&self, user: &str) -> Option<Account> {
        let secret = Secret::Password("secret".to_owned());
        (user == "eve").then_some(Account { secret, levels: Levels::ADMINISTRATOR })
    }
}

fn eve(password: &str) -> Auth {
    Auth::Password { user: "eve".to_owned(), password: password.to_owned() }
}

pub(crate) fn information() -> Response<Bytes> {
    let answer = GetDeviceInformationResponse::with(|answer| answer.serial_number = "7".to_owned());
    reply(ns::TDS, "GetDeviceInformationResponse", &answer)
}

/// A device that wants HTTP Digest.
async fn digest_device() -> Server {
    let authenticator = Authenticator::new(&AuthOptions::new("camera"));
    Server::start(move |_, request| {
        let shown = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap());
        let uri = request.uri().to_string();
        let attempt = Attempt { authorization: shown, method: "POST", uri: &uri, token: None };
        let now = Timestamp::now();
        let challenges = match authenticator.authenticate(&attempt, &OneAccount, now) {
            Ok(Some(_)) => return information(),
            Err(Refusal::Challenge(challenges)) => challenges,
            _ => authenticator.challenges(now, false),
        };
        let mut response = text(StatusCode::UNAUTHORIZED, "");
        for challenge in challenges {
            response.headers_mut().append(WWW_AUTHENTICATE, challenge.parse().unwrap());
        }
        response
    })
    .await
}

#[tokio::test]
async fn digest_costs_one_refusal_and_then_none() {
    let device = digest_device().await;
    let client = device.client(eve("secret"));
    assert_eq!(client.call(GetDeviceInformation::default()).await.unwrap().serial_number, "7");
    assert_eq!(device.seen(), ["GetDeviceInformation 401", "GetDeviceInformation 200"]);
    client.call(GetDeviceInformation::default()).await.unwrap();
    assert_eq!(device.seen(), ["GetDeviceInformation 200"]);
}

#[tokio::test]
async fn a_wrong_password_is_a_refusal_after_one_try() {
    let device = digest_device().await;
    let error = device.client(eve("wrong")).call(GetDeviceInformation::default()).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    assert_eq!(device.seen(), ["GetDeviceInformation 401", "GetDeviceInformation 401"]);
}

/// A device that wants a UsernameToken and whose clock is three hours behind.
async fn token_device(status: StatusCode) -> Server {
    let tokens = Authenticator::new(&AuthOptions::new("camera"));
    Server::start(move |name, request| {
        let now = Timestamp::now() - SignedDuration::from_hours(3);
        if name == "GetSystemDateAndTime" {
            return clock(now);
        }
        assert_eq!(request.headers().get(AUTHORIZATION), None);
        let message = Envelope::parse(request.body(), &Limits::REQUEST).unwrap();
        let Some(token) = message.username_token().unwrap() else {
            return fault(status, &Fault::not_authorized("who are you"));
        };
        let uri = request.uri().to_string();
        let attempt = Attempt { authorization: None, method: "POST", uri: &uri, token: Some(&token) };
        match tokens.authenticate(&attempt, &OneAccount, now) {
            Ok(Some(_)) => information(),
            Err(Refusal::Fault(refused)) => fault(status, &refused),
            other => panic!("{other:?}"),
        }
    })
    .await
}

pub(crate) fn clock(now: Timestamp) -> Response<Bytes> {
    let at = now.to_zoned(jiff::tz::TimeZone::UTC);
    let mut date_time = DateTime::default();
    date_time.date = Date::with(|date| {
        (date.year, date.month, date.day) = (at.year().into(), at.month().into(), at.day().into());
    });
    date_time.time = Time::with(|time| {
        (time.hour, time.minute, time.second) = (at.hour().into(), at.minute().into(), at.second().into());
    });
    let answer =
        GetSystemDateAndTimeResponse::with(|answer| answer.system_date_and_time.utc_date_time = Some(date_time));
    reply(ns::TDS, "GetSystemDateAndTimeResponse", &answer)
}

#[tokio::test]
async fn a_username_token_is_made_by_the_devices_clock() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED] {
        let device = token_device(status).await;
        let client = device.client(eve("secret"));
        client.call(GetDeviceInformation::default()).await.unwrap();
        let first = format!("GetDeviceInformation {}", status.as_u16());
        assert_eq!(device.seen(), [&first, "GetSystemDateAndTime 200", "GetDeviceInformation 200"]);
        client.call(GetDeviceInformation::default()).await.unwrap();
        assert_eq!(device.seen(), ["GetDeviceInformation 200"]);
        let error = device.client(eve("wrong")).call(GetDeviceInformation::default()).await.unwrap_err();
        assert!(error.is_refusal(), "{error}");
    }
}

#[tokio::test]
async fn a_token_is_shown_as_bearer_with_every_call() {
    let device = Server::start(|_, request| {
        let shown = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
        if shown == Some(b"Bearer abc") { information() } else { text(StatusCode::UNAUTHORIZED, "") }
    })
    .await;
    let client = device.client(Auth::Bearer("abc".to_owned()));
    client.call(GetDeviceInformation::default()).await.unwrap();
    let error = device.client(Auth::Bearer("other".to_owned())).call(GetDeviceInformation::default()).await;
    assert!(error.unwrap_err().is_refusal());
    assert_eq!(device.seen(), ["GetDeviceInformation 200", "GetDeviceInformation 401"], "a token is not tried twice");
}

async fn asked(answer: fn() -> Response<Bytes>) -> CallError {
    let device = Server::start(move |_, _| answer()).await;
    device.client(Auth::None).call(GetDeviceInformation::default()).await.unwrap_err()
}

#[tokio::test]
async fn failures_are_told_apart() {
    let error = asked(|| fault(StatusCode::BAD_REQUEST, &Fault::invalid_arg_val("so not"))).await;
    assert!(matches!(&error, CallError::Fault { status: StatusCode::BAD_REQUEST, fault } if fault.is("InvalidArgVal")));
    assert!(!error.is_refusal() && error.to_string().contains("so not"), "{error}");

    let error = asked(|| fault(StatusCode::BAD_REQUEST, &Fault::not_authorized("no"))).await;
    assert!(error.is_refusal(), "{error}");

    let error = asked(|| text(StatusCode::BAD_GATEWAY, "<html>nginx")).await;
    assert!(matches!(&error, CallError::Status { status: StatusCode::BAD_GATEWAY, text } if text == "<html>nginx"));
    assert!(!error.is_refusal());

    let error = asked(|| text(StatusCode::FORBIDDEN, "")).await;
    assert!(error.is_refusal(), "{error}");

    let error = asked(|| text(StatusCode::OK, "welcome")).await;
    assert!(matches!(&error, CallError::Unreadable(_)), "{error}");

    let error = asked(|| reply(ns::TUP, "GetUplinksResponse", &GetUplinksResponse::default())).await;
    assert!(matches!(&error, CallError::Unreadable(_)), "{error}");
}

#[tokio::test]
async fn nobody_there_is_the_layer_tcp() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let client = oriel_client::Client::new(&url, None, Auth::None).unwrap();
    let error = client.call(GetDeviceInformation::default()).await.unwrap_err();
    assert!(matches!(&error, CallError::Transport(TransportError::Tcp { .. })), "{error}");
}

/// A device whose uplink service is at an address that only its query tells from others, and moves.
async fn device_of_two_services() -> (Server, Arc<Mutex<&'static str>>) {
    let place = Arc::new(Mutex::new("/onvif/services?id=uplink"));
    let told = Arc::clone(&place);
    let device = Server::start(move |name, request: &Request<Bytes>| {
        let place = *told.lock().unwrap();
        match name {
            "GetServices" => {
                let service = Service::with(|service| {
                    service.namespace = ns::TUP.uri.to_owned();
                    service.x_addr = format!("http://192.0.2.1{place}");
                });
                let answer = GetServicesResponse::with(|answer| answer.service = vec![service]);
                reply(ns::TDS, "GetServicesResponse", &answer)
            }
            _ if request.uri() == place => reply(ns::TUP, "GetUplinksResponse", &GetUplinksResponse::default()),
            _ => text(StatusCode::NOT_FOUND, "not here"),
        }
    })
    .await;
    (device, place)
}

#[tokio::test]
async fn the_address_of_a_service_is_asked_for_once_and_again_after_a_failure() {
    let (device, place) = device_of_two_services().await;
    let client = device.client(Auth::None);
    client.call(GetUplinks::default()).await.unwrap();
    client.call(GetUplinks::default()).await.unwrap();
    assert_eq!(device.seen(), ["GetServices 200", "GetUplinks 200", "GetUplinks 200"]);
    *place.lock().unwrap() = "/onvif/services?id=moved";
    client.call(GetUplinks::default()).await.unwrap_err();
    client.call(GetUplinks::default()).await.unwrap();
    assert_eq!(device.seen(), ["GetUplinks 404", "GetServices 200", "GetUplinks 200"]);
}

#[tokio::test]
async fn a_service_that_the_device_lacks_is_named() {
    let device = Server::start(|_, _| reply(ns::TDS, "GetServicesResponse", &GetServicesResponse::default())).await;
    let error = device.client(Auth::None).call(GetUplinks::default()).await.unwrap_err();
    assert!(error.to_string().contains(ns::TUP.uri), "{error}");
}

#[tokio::test]
async fn an_old_device_tells_its_services_by_get_capabilities_and_some_leave_out_the_host() {
    use oriel_onvif::device_mgmt::GetCapabilitiesResponse;
    use oriel_onvif::device_mgmt::legacy_capabilities::{Capabilities, EventCapabilities, MediaCapabilities};
    use oriel_onvif::media::{GetProfiles, GetProfilesResponse};

    for address in ["/onvif/media?x=1", "http://192.0.2.1:81/onvif/media?x=1"] {
        let device = Server::start(move |name, request: &Request<Bytes>| match name {
            "GetServices" => fault(StatusCode::INTERNAL_SERVER_ERROR, &Fault::action_not_supported("")),
            "GetCapabilities" => {
                let media = MediaCapabilities::with(|media| media.x_addr = address.to_owned());
                let events = EventCapabilities::with(|events| events.x_addr = "//192.0.2.1/onvif/events".to_owned());
                let capabilities = Capabilities::with(|told| (told.media, told.events) = (Some(media), Some(events)));
                let answer = GetCapabilitiesResponse::with(|answer| answer.capabilities = capabilities);
                reply(ns::TDS, "GetCapabilitiesResponse", &answer)
            }
            _ if request.uri() == "/onvif/media?x=1" => {
                reply(ns::TRT, "GetProfilesResponse", &GetProfilesResponse::default())
            }
            _ => text(StatusCode::NOT_FOUND, "not here"),
        })
        .await;
        let client = device.client(Auth::None);
        client.call(GetProfiles::default()).await.unwrap();
        client.call(GetProfiles::default()).await.unwrap();
        assert_eq!(device.seen(), ["GetServices 500", "GetCapabilities 200", "GetProfiles 200", "GetProfiles 200"]);
        client.call(GetUplinks::default()).await.unwrap_err();
    }
}

/// Reads one request of a connection; false at its end.
async fn one_request(tcp: &mut tokio::net::TcpStream) -> bool {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return true;
            }
        }
        match tcp.read(&mut buffer).await {
            Ok(n) if n > 0 => read.extend_from_slice(&buffer[..n]),
            _ => return false,
        }
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_device_closed_is_replaced() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let (closed, mut is_closed) = tokio::sync::mpsc::unbounded_channel();
    let truncated = Arc::new(AtomicBool::new(false));
    let saw = Arc::clone(&truncated);
    let device = tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            saw.fetch_or(!one_request(&mut tcp).await, Ordering::Relaxed);
            let body = information().into_body();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            tcp.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
            drop(tcp); // Without a word: no `Connection: close`.
            closed.send(()).unwrap();
        }
    });
    let client = oriel_client::Client::new(&url, None, Auth::None).unwrap();
    for _ in 0..20 {
        client.call(GetDeviceInformation::default()).await.unwrap();
        is_closed.recv().await.unwrap();
    }
    assert!(!truncated.load(Ordering::Relaxed));
    device.abort();
}
