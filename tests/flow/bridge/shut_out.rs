//! Cameras that do not take the bridge's account, or tell nothing of use: what is the virtual device's own goes on, and nobody is locked out by us.

use std::time::Duration;

use http::StatusCode;
use oriel_device::store::{Role, Secret};
use oriel_onvif::ns;
use oriel_soap::access::Level;

use super::lan::{LanCamera, Says, challenge, envelope, response, services, soap as answered, with_digest};
use super::site::{DEVICE, Site, account, element, soap};

fn information() -> String {
    element(ns::TDS.uri, "GetDeviceInformation")
}

fn list() -> String {
    element(ns::TDS.uri, "GetServices")
}

/// The fault of a camera that wants a UsernameToken, or another one.
fn not_authorized() -> Vec<u8> {
    let fault = "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:e=\"http://www.onvif.org/ver10/error\">\
                 e:NotAuthorized</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en\">no</s:Text></s:Reason></s:Fault>";
    response("400 Bad Request", "Content-Type: application/soap+xml\r\n", envelope(fault).as_bytes())
}

/// The clock goes on, and nobody waited.
async fn after(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_wrong_password_is_not_shown_with_every_question() {
    for says in [challenge as fn() -> Vec<u8>, not_authorized] {
        let camera = LanCamera::start(move |_| Says::Bytes(says())).await;
        let site = Site::of(&camera).await;
        let first = site.call(Level::User, &information()).await;
        assert_eq!(first.status, StatusCode::BAD_GATEWAY, "{first:?}");
        assert!(!camera.take().is_empty());
        for _ in 0..20 {
            let answer = site.call(Level::User, &information()).await;
            assert!(answer.status == StatusCode::BAD_GATEWAY && answer.text.contains("view"), "{answer:?}");
        }
        assert!(camera.take().is_empty(), "nothing is shown that was refused a moment ago");
        site.call(Level::Operator, &information()).await;
        assert!(!camera.take().is_empty(), "another account is another");

        after(Duration::from_secs(61)).await;
        for _ in 0..20 {
            site.call(Level::User, &information()).await;
        }
        assert!((1..=5).contains(&camera.take().len()), "one question tries again");

        let mut entry = (*site.bridged.entry()).clone();
        entry.accounts = vec![account("view", Role::User)];
        entry.accounts[0].password = Secret::new("it was changed 7!");
        site.bridged.change(entry).unwrap();
        site.call(Level::User, &information()).await;
        assert!(!camera.take().is_empty(), "a new password counts from the next question on");
    }
}

#[tokio::test]
async fn what_an_account_may_not_do_does_not_bar_it() {
    let camera = LanCamera::start(with_digest(|asked| match asked.operation().as_str() {
        "GetScopes" => Says::Bytes(not_authorized()),
        other => Says::Bytes(answered(&format!("<r:{other}Response xmlns:r=\"urn:r\"/>"))),
    }))
    .await;
    let site = Site::of(&camera).await;
    for _ in 0..20 {
        assert_eq!(site.call(Level::User, &information()).await.status, StatusCode::OK);
        let refused = site.call(Level::User, &element(ns::TDS.uri, "GetScopes")).await;
        assert_eq!(refused.status, StatusCode::BAD_GATEWAY);
    }
}

#[tokio::test]
async fn services_are_told_whatever_the_camera_says() {
    let long = format!("<r:GetServicesResponse xmlns:r=\"urn:r\">{}</r:GetServicesResponse>", " ".repeat(300 << 10));
    let cases: [(&str, Vec<u8>); 6] = [
        ("a challenge", challenge()),
        ("NotAuthorized", not_authorized()),
        ("a redirect", response("302 Found", "Location: /login\r\n", b"")),
        ("an error", response("500 Oops", "Content-Type: text/html\r\n", b"<html>no</html>")),
        ("no list", answered("<r:Other xmlns:r=\"urn:r\"/>")),
        ("a list that does not end", answered(&long)),
    ];
    for (name, says) in cases {
        let camera = LanCamera::start(move |_| Says::Bytes(says.clone())).await;
        let site = Site::of(&camera).await;
        for _ in 0..2 {
            let answer = site.call(Level::Administrator, &list()).await;
            assert_eq!(answer.status, StatusCode::OK, "{name}: {answer:?}");
            for path in [DEVICE, "/oriel/uplink_service", "/oriel/security_service"] {
                assert!(answer.text.contains(&format!("https://cloud.example{path}<")), "{name}: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn services_that_the_camera_named_are_known_after_a_restart_even_when_it_tells_nothing_any_more() {
    let told = std::sync::atomic::AtomicBool::new(false);
    let camera = LanCamera::start(with_digest(move |asked| {
        let first = || !told.swap(true, std::sync::atomic::Ordering::Relaxed);
        match asked.operation().as_str() {
            "GetServices" if first() => Says::Bytes(answered(&services(&[(ns::TPTZ.uri, "http://cam/ptz")]))),
            "GetServices" | "GetCapabilities" => Says::Bytes(challenge()),
            other => Says::Bytes(answered(&format!("<r:{other}Response xmlns:r=\"urn:r\"/>"))),
        }
    }))
    .await;
    let site = Site::of(&camera).await;
    let ptz = || soap("/ptz", &element(ns::TPTZ.uri, "GetNodes"));
    assert_eq!(site.ask(Level::User, ptz()).await.status, StatusCode::FORBIDDEN, "it is not named yet");
    assert!(site.call(Level::User, &list()).await.text.contains("/ptz<"));
    let site = site.again().await;
    let answer = site.ask(Level::User, ptz()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = site.call(Level::User, &list()).await;
    assert!(answer.text.contains("/ptz<") && answer.text.contains("/oriel/uplink_service<"), "{answer:?}");
}

#[tokio::test]
async fn a_request_longer_than_a_reply_may_be_gets_its_token() {
    let camera = LanCamera::start(|asked| {
        let shown = asked.body.contains("UsernameToken");
        Says::Bytes(if shown { answered("<r:LetIn xmlns:r=\"urn:r\"/>") } else { not_authorized() })
    })
    .await;
    let site = Site::with(&camera, |_, common| common.max_body = 16 << 20).await;
    let name = "x".repeat(9 << 20);
    let large = format!("<o:SetHostname xmlns:o=\"{}\"><o:Name>{name}</o:Name></o:SetHostname>", ns::TDS.uri);
    let answer = site.call(Level::Administrator, &large).await;
    assert!(answer.text.contains("LetIn"), "{}: {}", answer.status, answer.text);
}
