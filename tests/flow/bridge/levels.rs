//! Levels on a camera that knows nothing of them: the bridge decides, and the camera sees the account of the caller's level (Core §5.9.4).

use http::StatusCode;
use oriel_device::store::Role;
use oriel_onvif::ns;
use oriel_soap::access::Level;

use super::lan::{LanCamera, Says, response, services, soap as answered, with_digest};
use super::site::{ACCOUNTS, LEVELS, Site, account, element, get, soap};

const PTZ: &str = "http://www.onvif.org/ver20/ptz/wsdl";
const MEDIA: &str = "http://www.onvif.org/ver10/media/wsdl";
const VENDOR: &str = "http://vendor.example/wsdl";

/// Namespace, operation, and the lowest level that may.
fn table() -> [(&'static str, &'static str, Level); 12] {
    [
        (ns::TDS.uri, "GetDeviceInformation", Level::User),
        (PTZ, "GetStatus", Level::User),
        (MEDIA, "GetProfiles", Level::User),
        (PTZ, "ContinuousMove", Level::Operator),
        (PTZ, "GotoPreset", Level::Operator),
        (ns::TDS.uri, "SetHostname", Level::Administrator),
        (ns::TDS.uri, "GetUsers", Level::Administrator),
        (ns::TDS.uri, "SystemReboot", Level::Administrator),
        (ns::TDS.uri, "Invented", Level::Administrator),
        (VENDOR, "GetStatus", Level::Administrator),
        (PTZ, "getStatus", Level::Administrator),
        ("http://www.onvif.org/ver20/ptz/wsdl/", "GetStatus", Level::Administrator),
    ]
}

fn may(level: Level, lowest: Level) -> bool {
    LEVELS.iter().position(|one| *one == level) >= LEVELS.iter().position(|one| *one == lowest)
}

fn account_of(level: Level) -> &'static str {
    ["view", "oper", "root"][LEVELS.iter().position(|one| *one == level).unwrap()]
}

#[tokio::test]
async fn what_a_level_does_not_allow_never_reaches_the_camera_and_the_rest_comes_by_the_account_of_the_level() {
    let camera = LanCamera::plain().await;
    let site = Site::of(&camera).await;
    for level in LEVELS {
        for (namespace, name, lowest) in table() {
            camera.take();
            let answer = site.call(level, &element(namespace, name)).await;
            let asked = camera.take();
            if may(level, lowest) {
                assert_eq!(answer.status, StatusCode::OK, "{name} by {level:?}: {answer:?}");
                let signed: Vec<_> = asked.iter().filter_map(super::lan::Asked::user).collect();
                assert_eq!(signed, [account_of(level)], "{name}");
                assert_eq!(asked.last().unwrap().operation(), name);
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name} by {level:?}: {answer:?}");
                let other = asked.iter().find(|asked| asked.operation() == name);
                assert!(other.is_none(), "{name} by {level:?} reached the camera: {other:?}");
            }
        }
    }
}

#[tokio::test]
async fn without_an_account_of_its_own_a_level_has_the_next_higher_one() {
    for (accounts, expected) in [
        (&ACCOUNTS[..1], ["root", "root", "root"]),
        (&ACCOUNTS[..2], ["oper", "oper", "root"]),
        (&[("root", Role::Administrator), ("view", Role::User)][..], ["view", "root", "root"]),
    ] {
        let camera = LanCamera::plain().await;
        let given = accounts.iter().map(|(name, level)| account(name, *level)).collect();
        let site = Site::with(&camera, |entry, _| entry.accounts = given).await;
        for (level, user) in LEVELS.into_iter().zip(expected) {
            camera.take();
            site.call(level, &element(ns::TDS.uri, "GetDeviceInformation")).await;
            let signed: Vec<_> = camera.take().iter().filter_map(super::lan::Asked::user).collect();
            assert_eq!(signed, [user], "{level:?} with {} accounts", accounts.len());
        }
    }
}

#[tokio::test]
async fn a_vendors_page_is_for_administrators_where_it_is_switched_on_and_for_nobody_elsewhere() {
    for pages in [false, true] {
        let camera =
            LanCamera::start(with_digest(|_| Says::Bytes(response("200 OK", "Content-Type: text/plain\r\n", b"OK"))))
                .await;
        let site = Site::with(&camera, |_, common| common.camera_pages = pages).await;
        for level in LEVELS {
            for path in ["/cgi-bin/reboot", "/cgi-bin/reboot?now=1", "/", "/onvif-http/snapshot?1"] {
                camera.take();
                let answer = site.ask(level, get(path)).await;
                let reached = camera.take().iter().any(|asked| asked.target == path);
                let allowed = pages && level == Level::Administrator;
                assert_eq!(
                    (answer.status == StatusCode::OK, reached),
                    (allowed, allowed),
                    "{path} by {level:?}: {answer:?}"
                );
            }
            // A path that takes SOAP and was named by nobody is none of theirs either.
            camera.take();
            let answer = site.ask(level, soap("/cgi-bin/soap", &element(PTZ, "GetStatus"))).await;
            let reached = camera.take().iter().any(|asked| asked.target == "/cgi-bin/soap");
            assert_eq!(reached, level == Level::Administrator, "SOAP at a vendor's page by {level:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_snapshot_is_for_who_may_read_media_once_the_camera_has_named_it() {
    const PICTURE: &str = "/onvif-http/snapshot?Profile_1";
    let camera = LanCamera::start(with_digest(|asked| match asked.operation().as_str() {
        "GetSnapshotUri" => {
            let uri = "<t:Uri>http://192.168.1.108/onvif-http/snapshot?Profile_1</t:Uri>";
            Says::Bytes(answered(&format!(
                "<m:GetSnapshotUriResponse xmlns:m=\"{MEDIA}\" xmlns:t=\"{}\"><m:MediaUri>{uri}</m:MediaUri></m:GetSnapshotUriResponse>",
                ns::TT.uri
            )))
        }
        "GetSystemUris" => Says::Bytes(answered(&format!(
            "<d:GetSystemUrisResponse xmlns:d=\"{}\"><d:SystemBackupUri>http://192.168.1.108/backup</d:SystemBackupUri></d:GetSystemUrisResponse>",
            ns::TDS.uri
        ))),
        _ => Says::Bytes(response("200 OK", "Content-Type: image/jpeg\r\nSet-Cookie: a=b\r\n", b"\xff\xd8picture\xff\xd9")),
    }))
    .await;
    let site = Site::of(&camera).await;
    assert_ne!(site.ask(Level::User, get(PICTURE)).await.status, StatusCode::OK, "nobody named it yet");
    let named = site.call(Level::User, &element(MEDIA, "GetSnapshotUri")).await;
    assert!(!named.text.contains("192.168.1.108"), "{named:?}");
    for level in LEVELS {
        camera.take();
        let answer = site.ask(level, get(PICTURE)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert!(answer.whole && answer.text.contains("picture") && answer.headers["content-type"] == "image/jpeg");
        assert!(!answer.headers.contains_key("set-cookie"));
        let asked = camera.take_signed();
        assert_eq!(asked.last().unwrap().target, PICTURE);
        assert_eq!(asked.last().unwrap().user().as_deref(), Some(account_of(level)));
    }
    for other in ["/onvif-http/snapshot?Profile_2", "/onvif-http/snapshot", "/onvif-http/./snapshot?Profile_1"] {
        assert_ne!(site.ask(Level::Administrator, get(other)).await.status, StatusCode::OK, "{other}");
    }
    // What was named to administrators stays with them.
    site.call(Level::Administrator, &element(ns::TDS.uri, "GetSystemUris")).await;
    for level in LEVELS {
        let answer = site.ask(level, get("/backup")).await;
        assert_eq!(answer.status == StatusCode::OK, level == Level::Administrator, "{level:?}: {answer:?}");
    }
}

#[tokio::test]
async fn nothing_that_was_meant_for_us_reaches_the_camera() {
    let camera = LanCamera::plain().await;
    let site = Site::of(&camera).await;
    let mut request = soap("/onvif/device_service", &element(ns::TDS.uri, "GetDeviceInformation"));
    let told = [
        ("authorization", "Bearer a-secret-token"),
        ("cookie", "session=a-secret-token"),
        ("proxy-authorization", "Basic a-secret-token"),
        ("client-cert", ":a-secret-token:"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-host", "cloud.example"),
        ("x-forwarded-prefix", "/d/1"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=203.0.113.9"),
        ("x-request-id", "1234"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    for (name, value) in told {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    let token = format!(
        "<s:Header><w:Security xmlns:w=\"{wsse}\"><w:UsernameToken><w:Username>me</w:Username><w:Password>a-secret-token</w:Password>\
         </w:UsernameToken></w:Security></s:Header><s:Body>"
    );
    let body = String::from_utf8(request.body().clone()).unwrap().replace("<s:Body>", &token);
    *request.body_mut() = body.into_bytes();
    assert_eq!(site.ask(Level::User, request).await.status, StatusCode::OK);
    let asked = camera.take();
    assert!(!asked.is_empty());
    for asked in asked {
        let everything = format!("{asked:?}");
        assert!(!everything.contains("a-secret-token") && !everything.contains("203.0.113.9"), "{everything}");
        assert!(!asked.body.contains("Security"), "{everything}");
        for (name, _) in &told[1..] {
            assert!(asked.all(name).is_empty(), "{name}: {everything}");
        }
    }
}

#[tokio::test]
async fn our_own_services_are_ours_whatever_the_camera_says() {
    const TUP: &str = "http://www.onvif.org/ver10/uplink/wsdl";
    let camera = LanCamera::start(with_digest(|asked| match asked.operation().as_str() {
        "GetServices" => Says::Bytes(answered(&services(&[
            (ns::TDS.uri, "http://192.168.1.108/onvif/device_service"),
            (TUP, "http://192.168.1.108/onvif/uplink_of_the_camera"),
            (PTZ, "http://192.168.1.108/onvif/ptz?x=1"),
        ]))),
        _ => Says::Bytes(answered("<r:AnsweredByTheCamera xmlns:r=\"urn:r\"/>")),
    }))
    .await;
    let site = Site::of(&camera).await;
    let answer = site.call(Level::Administrator, &element(ns::TDS.uri, "GetServices")).await;
    assert_eq!(answer.text.matches(TUP).count(), 1, "{answer:?}");
    assert!(!answer.text.contains("uplink_of_the_camera") && !answer.text.contains("192.168.1.108"), "{answer:?}");
    camera.take();
    for path in ["/onvif/device_service", "/onvif/uplink_of_the_camera", "/oriel/uplink_service"] {
        let answer = site.ask(Level::Administrator, soap(path, &element(TUP, "GetUplinks"))).await;
        assert!(!answer.text.contains("AnsweredByTheCamera"), "{path}: {answer:?}");
        assert!(camera.take().iter().all(|asked| asked.operation() != "GetUplinks"), "{path}");
    }
    // PTZ is where the camera said, with its query.
    let answer = site.ask(Level::User, soap("/onvif/ptz?x=1", &element(PTZ, "GetStatus"))).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(camera.take().last().unwrap().target, "/onvif/ptz?x=1");
}
