//! What is no SOAP at a bridged camera: what it is sent, and what it asks of those who ask it.

use http::{Request, StatusCode};
use oriel_onvif::ns;
use oriel_soap::access::Level;
use oriel_uplink::body;

use super::lan::{LanCamera, Says, challenge, response, soap as answered, with_digest};
use super::site::{DEVICE, Site, element, soap};

/// A camera that takes its firmware at `/up?load=1`, and says so.
async fn with_upload() -> LanCamera {
    LanCamera::start(with_digest(|asked| match asked.operation().as_str() {
        "StartFirmwareUpgrade" => Says::Bytes(answered(&format!(
            "<d:StartFirmwareUpgradeResponse xmlns:d=\"{}\"><d:UploadUri>http://192.168.1.64/up?load=1</d:UploadUri>\
             <d:UploadDelay>PT1S</d:UploadDelay><d:ExpectedDownTime>PT1M</d:ExpectedDownTime></d:StartFirmwareUpgradeResponse>",
            ns::TDS.uri
        ))),
        _ => Says::Bytes(response("200 OK", "", b"taken")),
    }))
    .await
}

#[tokio::test]
async fn firmware_reaches_the_camera_whole_and_by_administrators_alone() {
    let (camera, firmware) = (with_upload().await, "firmware ".repeat(50_000));
    let site = Site::of(&camera).await;
    let upload = |content: &str| {
        let request = Request::post("/up?load=1").header("content-type", "application/octet-stream");
        request.header("host", "cloud.example").body(content.to_owned().into_bytes()).unwrap()
    };
    let early = site.ask(Level::Administrator, upload("x")).await;
    assert_eq!(early.status, StatusCode::FORBIDDEN, "the camera has not named it yet");
    let named = site.call(Level::Administrator, &element(ns::TDS.uri, "StartFirmwareUpgrade")).await;
    assert!(named.text.contains(">https://cloud.example/up?load=1<"), "{}", named.text);
    camera.take();
    for level in [Level::User, Level::Operator] {
        assert_eq!(site.ask(level, upload("x")).await.status, StatusCode::FORBIDDEN);
    }
    assert!(camera.take().is_empty());
    let done = site.ask(Level::Administrator, upload(&firmware)).await;
    assert_eq!((done.status, done.text.as_str()), (StatusCode::OK, "taken"));
    let asked = camera.take();
    let taken: Vec<_> = asked.iter().filter(|asked| !asked.body.is_empty()).collect();
    assert_eq!(taken.len(), 1, "it is sent once, when the camera has said what it wants to see");
    assert!(taken[0].body == firmware && taken[0].target == "/up?load=1");
    assert_eq!(taken[0].user().as_deref(), Some("root"));
}

#[tokio::test]
async fn a_camera_that_lets_nobody_in_says_so_of_the_bridges_account_and_not_of_the_callers() {
    let camera = LanCamera::start(|_| Says::Bytes(challenge())).await;
    let site = Site::of(&camera).await;
    let refused = site.call(Level::User, &element(ns::TDS.uri, "GetScopes")).await;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY);
    assert!(refused.text.contains("does not take the bridge's account \"view\""), "{}", refused.text);
    assert!(!refused.headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn a_camera_that_wants_to_know_who_asks_for_what_needs_nobody_has_the_caller_asked() {
    let camera = LanCamera::plain().await;
    let site = Site::of(&camera).await;
    let here = ([127, 0, 0, 1], 8080).into();
    let name = soap(DEVICE, &element(ns::TDS.uri, "GetHostname"));
    let asked = site.bridged.lan(name.map(body::full), here, here, "/gate").await;
    assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(asked.headers().get_all("www-authenticate").iter().count(), 2, "ours, MD5 and SHA-256");
    let realm = asked.headers()["www-authenticate"].to_str().unwrap();
    assert!(realm.contains(&format!("oriel-{}", site.bridged.status().uuid)), "{realm}");
    assert!(camera.take().iter().all(|asked| asked.user().is_none()), "no account was shown for nobody");
}
