//! What is sent differently to a camera that is odd.

use std::time::Duration;

use oriel_client::camera::Camera;
use oriel_client::quirks::{Action, HttpVersion, Profile, Quirks};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_soap::envelope::{self, Headers};

use super::rough::{Deed, Heard, Rough, SOON, answer, say};

const TYPE: &str = "application/soap+xml; charset=utf-8";
const MADE: &str = "http://www.onvif.org/ver10/device/wsdl/GetDeviceInformation";

fn with(change: impl FnOnce(&mut Quirks)) -> Quirks {
    let mut quirks = Quirks::default();
    change(&mut quirks);
    quirks
}

async fn ask(camera: &Camera, action: Option<&str>, answer: Duration) -> bool {
    let write = |headers: &Headers| envelope::request(&GetDeviceInformation::default(), headers);
    let asked = camera.ask("/onvif/x", action, &write, None, answer).await;
    match asked {
        Ok(response) => {
            use http_body_util::BodyExt as _;
            response.into_body().collect().await.unwrap();
            true
        }
        Err(_) => false,
    }
}

/// Asks twice; what was heard.
async fn heard(quirks: Quirks, action: Option<&str>) -> Vec<Heard> {
    let rough = Rough::start(|_| say(answer("200 OK", "", "x"))).await;
    let camera = rough.camera(quirks);
    for _ in 0..2 {
        assert!(ask(&camera, action, SOON).await);
    }
    rough.heard()
}

#[tokio::test]
async fn a_plain_camera_is_asked_plainly() {
    let heard = heard(Quirks::default(), None).await;
    let lines: Vec<&str> = heard[1].head.lines().collect();
    assert_eq!(lines[0], "POST /onvif/x HTTP/1.1");
    assert_eq!(heard[1].header("Content-Type"), Some(&*format!("{TYPE}; action=\"{MADE}\"")));
    assert!(heard[1].header("Host").unwrap().starts_with("127.0.0.1:"));
    assert!(heard[1].header("Content-Length").is_some(), "{lines:?}");
    assert_eq!(lines.len(), 4, "and nothing else: {lines:?}");
    assert_eq!(heard[1].connection, 0);
}

#[tokio::test]
async fn the_action_stands_where_the_camera_looks_for_it() {
    let parameter = |action: &str| format!("{TYPE}; action=\"{action}\"");
    let table = [
        (Action::Given, None, TYPE.to_owned(), None),
        (Action::Given, Some("urn:a"), parameter("urn:a"), None),
        (Action::Given, Some("a\"; x=\"b"), TYPE.to_owned(), None),
        (Action::Never, Some("urn:a"), TYPE.to_owned(), None),
        (Action::Always, Some("urn:a"), parameter("urn:a"), None),
        (Action::Always, None, parameter(MADE), None),
        (Action::Header, None, parameter(MADE), Some(format!("\"{MADE}\""))),
    ];
    for (action, given, content_type, header) in table {
        let heard = heard(with(|quirks| quirks.action = action), given).await;
        assert_eq!(heard[0].header("Content-Type"), Some(&*content_type), "{action:?} {given:?}");
        assert_eq!(heard[0].header("Soapaction").map(str::to_owned), header, "{action:?} {given:?}");
    }
}

#[tokio::test]
async fn host_version_and_connection_are_as_the_camera_has_to_have_them() {
    let named = heard(with(|quirks| quirks.authority = Some("cam.local:81".to_owned())), None).await;
    assert_eq!(named[0].header("Host"), Some("cam.local:81"));
    let old = heard(with(|quirks| quirks.http_version = HttpVersion::Http10), None).await;
    assert!(old[0].head.starts_with("POST /onvif/x HTTP/1.0\r\n"), "{old:?}");
    assert!(old[0].header("Content-Length").is_some());
    let once = heard(with(|quirks| quirks.keep_alive = false), None).await;
    assert_eq!(once[0].header("Connection"), Some("close"));
    assert_eq!((once[0].connection, once[1].connection), (0, 1));
}

#[tokio::test]
async fn patience_goes_before_the_askers() {
    let rough = Rough::start(|_| Deed::Hang(Vec::new())).await;
    assert!(!ask(&rough.camera(Quirks::default()), None, Duration::ZERO).await);
    let rough = Rough::start(|_| say(answer("200 OK", "", "x"))).await;
    assert!(ask(&rough.camera(with(|quirks| quirks.patience_s = 20)), None, Duration::ZERO).await);
}

#[tokio::test]
async fn each_profile_gets_an_answer_from_a_camera_of_its_kind() {
    for profile in Profile::all() {
        let heard = heard(profile.quirks.clone(), Some("urn:a")).await;
        let again = heard[1].connection == heard[0].connection;
        assert_eq!(again, profile.quirks.keep_alive, "{}", profile.name);
    }
}
