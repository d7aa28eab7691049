//! A bridge is no way into the LAN: whatever a request or a camera's answer names, the bridge speaks to that one camera alone.

use http::{Method, Request, StatusCode, Uri};
use oriel_onvif::ns;
use oriel_soap::access::Level;

use super::lan::{Counts, LanCamera, Says, response, services, soap as answered, with_digest};
use super::site::{DEVICE, Site, element, get, soap};

const PTZ: &str = "http://www.onvif.org/ver20/ptz/wsdl";
const EVENTS: &str = "http://www.onvif.org/ver10/events/wsdl";
const MEDIA: &str = "http://www.onvif.org/ver10/media/wsdl";
const WSA: &str = "http://www.w3.org/2005/08/addressing";

/// Somebody else on the LAN, whom nobody shall ask.
async fn neighbour() -> LanCamera {
    LanCamera::start(|_| Says::Bytes(answered("<r:FromTheNeighbour xmlns:r=\"urn:r\"/>"))).await
}

/// Ways to write where the neighbour is.
fn places(port: u16) -> Vec<String> {
    vec![
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f000001:{port}"),
        format!("127.1:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[::ffff:7f00:1]:{port}"),
        format!("camera@127.0.0.1:{port}"),
        format!("0.0.0.0:{port}"),
    ]
}

/// Asks, and requires that nothing came from the neighbour.
async fn ask(site: &Site, neighbour: &LanCamera, what: &str, request: Request<Vec<u8>>) -> StatusCode {
    let answer = site.ask(Level::Administrator, request).await;
    assert_eq!(neighbour.counts(), Counts::default(), "{what} reached the neighbour: {answer:?}");
    assert!(!answer.text.contains("FromTheNeighbour"), "{what}: {answer:?}");
    answer.status
}

#[tokio::test]
async fn a_target_with_another_host_in_it_leads_nowhere_else() {
    let (camera, neighbour) = (LanCamera::plain().await, neighbour().await);
    let site = Site::with(&camera, |_, common| common.camera_pages = true).await;
    let mut asked = 0;
    for place in places(neighbour.port) {
        let targets = [
            format!("http://{place}{DEVICE}"),
            format!("https://{place}{DEVICE}"),
            format!("//{place}{DEVICE}"),
            format!("/{place}{DEVICE}"),
            format!("/@{place}{DEVICE}"),
            format!("/onvif/http://{place}{DEVICE}"),
            format!("/onvif/..//{place}/"),
            format!("/%2f%2f{place}/"),
            format!("/?http://{place}/"),
        ];
        for target in targets {
            let Ok(uri) = target.parse::<Uri>() else { continue };
            for method in [Method::GET, Method::POST] {
                let mut request = soap("/", &element(ns::TDS.uri, "GetDeviceInformation"));
                (*request.method_mut(), *request.uri_mut()) = (method, uri.clone());
                ask(&site, &neighbour, &target, request).await;
                asked += 1;
            }
        }
    }
    assert!(asked > 80, "most targets could be asked for: {asked}");
    assert!(camera.counts().connections > 0, "some of them are paths on the camera");
}

#[tokio::test]
async fn a_header_with_another_host_in_it_leads_nowhere_else() {
    let (camera, neighbour) = (LanCamera::plain().await, neighbour().await);
    let site = Site::of(&camera).await;
    for place in places(neighbour.port) {
        for name in [
            "host",
            "x-forwarded-host",
            "forwarded",
            "x-original-url",
            "x-rewrite-url",
            "x-forwarded-prefix",
            "referer",
            "origin",
        ] {
            let value = match name {
                "forwarded" => format!("host=\"{place}\""),
                "x-original-url" | "x-rewrite-url" | "referer" | "origin" => format!("http://{place}/"),
                "x-forwarded-prefix" => format!("//{place}"),
                _ => place.clone(),
            };
            let mut request = soap(DEVICE, &element(ns::TDS.uri, "GetDeviceInformation"));
            request.headers_mut().insert(name, value.parse().unwrap());
            ask(&site, &neighbour, name, request).await;
            for asked in camera.take() {
                assert_eq!(asked.all("host"), [format!("127.0.0.1:{}", camera.port)], "{name}");
                assert_eq!(asked.target, DEVICE);
            }
        }
    }
}

#[tokio::test]
async fn wsa_headers_name_nobody_who_is_called() {
    let (camera, neighbour) = (LanCamera::plain().await, neighbour().await);
    let site = Site::of(&camera).await;
    let url = format!("http://127.0.0.1:{}{DEVICE}", neighbour.port);
    for header in [
        format!("<a:To xmlns:a=\"{WSA}\">{url}</a:To>"),
        format!("<a:ReplyTo xmlns:a=\"{WSA}\"><a:Address>{url}</a:Address></a:ReplyTo>"),
        format!("<a:FaultTo xmlns:a=\"{WSA}\"><a:Address>{url}</a:Address></a:FaultTo>"),
        format!("<a:From xmlns:a=\"{WSA}\"><a:Address>{url}</a:Address></a:From>"),
        format!("<a:ReplyTo xmlns:a=\"{WSA}\"><a:Address>{url}/anonymous</a:Address></a:ReplyTo>"),
        format!(
            "<a:ReplyTo xmlns:a=\"{WSA}\"><v:Address xmlns:v=\"urn:v\">{WSA}/anonymous</v:Address><a:Address>{url}</a:Address></a:ReplyTo>"
        ),
    ] {
        let request = soap(DEVICE, &element(ns::TDS.uri, "GetDeviceInformation"));
        let message = String::from_utf8(request.body().clone()).unwrap();
        let message = message.replace("<s:Body>", &format!("<s:Header>{header}</s:Header><s:Body>"));
        ask(&site, &neighbour, &header, request.map(|_| message.into_bytes())).await;
    }
    for asked in camera.take() {
        let to = asked.body.contains(":To>").then(|| asked.body.contains(&format!("127.0.0.1:{}", neighbour.port)));
        assert_ne!(to, Some(true), "To is somebody else: {}", asked.body);
        for name in ["ReplyTo", "FaultTo", "From"] {
            assert!(!asked.body.contains(name), "the camera would answer to somebody else: {}", asked.body);
        }
    }
}

#[tokio::test]
async fn a_subscription_makes_the_camera_call_nobody_on_the_lan() {
    let (camera, neighbour) = (LanCamera::plain().await, neighbour().await);
    let site = Site::of(&camera).await;
    let subscribe = |address: &str| {
        format!(
            "<n:Subscribe xmlns:n=\"{}\"><n:ConsumerReference><a:Address xmlns:a=\"{WSA}\">{address}</a:Address></n:ConsumerReference>\
             </n:Subscribe>",
            ns::WSNT.uri
        )
    };
    let mut inside: Vec<String> = places(neighbour.port).iter().map(|place| format!("http://{place}/")).collect();
    inside.extend(["http://192.168.1.1/", "http://router.lan/", "http://example.com/"].map(str::to_owned));
    for address in &inside {
        for level in [Level::Operator, Level::Administrator] {
            let answer = site.ask(level, soap("/onvif/events", &subscribe(address))).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{address}: {answer:?}");
        }
    }
    assert!(camera.take().is_empty());
    let answer = site.ask(Level::Operator, soap("/onvif/events", &subscribe("https://8.8.8.8/hook"))).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn connect_and_upgrades_are_not_for_a_bridge() {
    let (camera, neighbour) = (LanCamera::plain().await, neighbour().await);
    let site = Site::of(&camera).await;
    for place in places(neighbour.port) {
        let Ok(uri) = place.parse::<Uri>() else { continue };
        let request = Request::builder().method(Method::CONNECT).uri(uri).body(Vec::new()).unwrap();
        let status = ask(&site, &neighbour, "CONNECT", request).await;
        assert!(!status.is_success(), "CONNECT {place}: {status}");
    }
    let mut request = get("/onvif/device_service");
    for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_ne!(ask(&site, &neighbour, "an upgrade", request).await, StatusCode::SWITCHING_PROTOCOLS);
    for asked in camera.take() {
        assert!(asked.all("upgrade").is_empty() && asked.method != "CONNECT", "{asked:?}");
    }
}

#[tokio::test]
async fn an_address_that_the_camera_names_is_a_path_on_the_camera() {
    let neighbour = neighbour().await;
    let port = neighbour.port;
    for place in places(port) {
        let camera = LanCamera::start(with_digest({
            let place = place.clone();
            move |asked| match asked.operation().as_str() {
                "GetServices" => Says::Bytes(answered(&services(&[
                    (ns::TDS.uri, &format!("http://{place}{DEVICE}")),
                    (PTZ, &format!("http://{place}/ptz")),
                    (EVENTS, &format!("https://{place}/events")),
                    (MEDIA, &format!("http://{place}//media")),
                ]))),
                "CreatePullPointSubscription" => Says::Bytes(answered(&format!(
                    "<e:CreatePullPointSubscriptionResponse xmlns:e=\"{EVENTS}\"><e:SubscriptionReference>\
                     <a:Address xmlns:a=\"{WSA}\">http://{place}/pull?Idx=1</a:Address></e:SubscriptionReference>\
                     </e:CreatePullPointSubscriptionResponse>"
                ))),
                "GetSnapshotUri" => Says::Bytes(answered(&format!(
                    "<m:GetSnapshotUriResponse xmlns:m=\"{MEDIA}\" xmlns:t=\"{}\"><m:MediaUri><t:Uri>http://{place}/snap</t:Uri>\
                     </m:MediaUri></m:GetSnapshotUriResponse>",
                    ns::TT.uri
                ))),
                _ => Says::Bytes(answered("<r:FromTheCamera xmlns:r=\"urn:r\"/>")),
            }
        }))
        .await;
        let site = Site::of(&camera).await;
        for (namespace, name) in
            [(ns::TDS.uri, "GetServices"), (EVENTS, "CreatePullPointSubscription"), (MEDIA, "GetSnapshotUri")]
        {
            let answer = site.call(Level::Administrator, &element(namespace, name)).await;
            assert_eq!(answer.status, StatusCode::OK, "{name} of {place}: {answer:?}");
            assert!(!answer.text.contains(&port.to_string()), "{name} of {place} is not led through us: {answer:?}");
        }
        camera.take();
        for (path, namespace, name) in [("/ptz", PTZ, "GetStatus"), ("/pull?Idx=1", EVENTS, "PullMessages")] {
            ask(&site, &neighbour, &place, soap(path, &element(namespace, name))).await;
        }
        ask(&site, &neighbour, &place, get("/snap")).await;
        let targets: Vec<_> = camera.take_signed().into_iter().map(|asked| asked.target).collect();
        assert_eq!(targets, ["/ptz", "/pull?Idx=1", "/snap"], "{place}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_not_passed_on() {
    let neighbour = neighbour().await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 Choices"] {
        for location in [
            format!("http://127.0.0.1:{}{DEVICE}", neighbour.port),
            format!("//127.0.0.1:{}/", neighbour.port),
            "/onvif/elsewhere".to_owned(),
        ] {
            let line = format!("Location: {location}\r\nRefresh: 0; url={location}\r\n");
            let camera = LanCamera::start(with_digest(move |_| Says::Bytes(response(status, &line, b"moved")))).await;
            let site = Site::with(&camera, |_, common| common.camera_pages = true).await;
            for request in [soap(DEVICE, &element(ns::TDS.uri, "GetDeviceInformation")), get("/page")] {
                let answer = site.ask(Level::Administrator, request).await;
                assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{status} to {location}: {answer:?}");
                for name in ["location", "refresh"] {
                    assert!(!answer.headers.contains_key(name), "{status} to {location}: {answer:?}");
                }
            }
            assert_eq!(neighbour.counts(), Counts::default(), "{status} to {location} was followed");
            assert!(camera.take().iter().all(|asked| asked.target != "/onvif/elsewhere"), "{status} was followed");
        }
    }
}

#[tokio::test]
async fn a_redirect_of_one_who_is_not_let_in_yet_is_not_followed_either() {
    let neighbour = neighbour().await;
    let line = format!(
        "Location: http://127.0.0.1:{}{DEVICE}\r\nWWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n\", domain=\"http://127.0.0.1:{}/\"\r\n",
        neighbour.port, neighbour.port
    );
    for status in ["302 Found", "401 Unauthorized"] {
        let line = line.clone();
        let camera = LanCamera::start(move |_| Says::Bytes(response(status, &line, b"no"))).await;
        let site = Site::of(&camera).await;
        let answer = site.call(Level::User, &element(ns::TDS.uri, "GetDeviceInformation")).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{status}: {answer:?}");
        assert!(
            !answer.headers.contains_key("www-authenticate") && !answer.headers.contains_key("location"),
            "{answer:?}"
        );
        assert_eq!(neighbour.counts(), Counts::default(), "{status}");
        assert!(camera.counts().requests <= 4, "{status}: asked over and over: {:?}", camera.counts());
    }
}
