//! What the gateway takes off a request and off an answer: what was meant for it, what lies about who asks, what reaches beyond the device.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{Method, Request, Response};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_soap::auth::UsernameToken;
use oriel_soap::envelope::{self, Headers};
use oriel_uplink::body;

use super::House;
use super::camera::{Seen, soap_ok};
use super::client::{device_service, message, request, soap};

/// Header fields that must not reach a device, with what a client might claim in them.
const NEVER_IN: [(&str, &str); 20] = [
    ("cookie", "session=1"),
    ("forwarded", "for=192.0.2.1;host=evil.example"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-port", "81"),
    ("x-forwarded-user", "admin"),
    ("x-real-ip", "192.0.2.1"),
    ("client-cert", ":AAAA:"),
    ("client-cert-chain", ":AAAA:"),
    ("proxy-authorization", "Basic AAAA"),
    ("via", "1.1 nobody"),
    ("x-original-url", "/evil"),
    ("x-rewrite-url", "/evil"),
    ("x-http-method-override", "DELETE"),
    ("te", "trailers"),
    ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"),
    ("x-private", "listed in Connection"),
];

fn claimed(mut request: Request<Vec<u8>>, h1: bool) -> Request<Vec<u8>> {
    for (name, value) in NEVER_IN {
        let hop_by_hop = ["te", "keep-alive", "proxy-connection", "x-private"].contains(&name);
        if h1 || !hop_by_hop {
            request.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
        }
    }
    if h1 {
        request.headers_mut().insert("connection", "keep-alive, x-private, te".parse().unwrap());
    }
    request.headers_mut().insert("x-kept", "as it is".parse().unwrap());
    request
}

#[tokio::test]
async fn what_a_client_claims_never_reaches_the_device() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let requests = [
        soap(&device_service(&puppet.id), &house.administrator, message(&GetDeviceInformation::default())),
        request(Method::GET, &format!("/d/{}/picture", puppet.id), &house.administrator),
    ];
    for asked in requests {
        house.ask(claimed(asked.clone(), true)).await;
        house.ask_h2(claimed(asked, false)).await;
    }
    let saw = seen.take();
    assert_eq!(saw.len(), 4);
    for asked in saw {
        for (name, claim) in NEVER_IN {
            assert!(asked.headers.get_all(name).iter().all(|value| value != claim), "{name}: {asked:?}");
        }
        assert!(!asked.headers.contains_key("authorization"), "{asked:?}");
        assert!(!asked.headers.contains_key("connection"), "{asked:?}");
        assert!(!format!("{asked:?}").contains(&house.administrator));
        assert_eq!(asked.headers["x-kept"], "as it is");
        // What stands there instead is the gateway's own word.
        assert_eq!(asked.headers["x-forwarded-proto"], "https");
        assert_eq!(asked.headers["x-forwarded-host"], format!("localhost:{}", house.cloud.address().port()));
        assert_eq!(asked.headers["x-forwarded-prefix"], format!("/d/{}", puppet.id));
        assert_eq!(asked.headers["x-forwarded-for"], "127.0.0.1");
    }
}

#[tokio::test]
async fn credentials_in_the_envelope_stay_at_the_gateway() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let token = UsernameToken::digest("admin", "of the camera", jiff::Timestamp::now());
    let headers = Headers { username_token: Some(token), ..Headers::default() };
    let message = envelope::request(&GetDeviceInformation::default(), &headers);
    assert!(String::from_utf8_lossy(&message).contains("UsernameToken"));
    house.ask(soap(&device_service(&puppet.id), &house.administrator, message)).await;
    let asked = seen.take();
    assert!(!asked[0].body.contains("UsernameToken") && !asked[0].body.contains("admin"), "{}", asked[0].body);
}

/// Header fields by which a camera would reach beyond its device.
const NEVER_OUT: [(&str, &str); 14] = [
    ("set-cookie", "session=camera"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("service-worker-allowed", "/"),
    ("www-authenticate", "Basic realm=\"your password, please\""),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("access-control-expose-headers", "*"),
    ("alt-svc", "h3=\"evil.example:443\""),
    ("clear-site-data", "\"*\""),
    ("public-key-pins", "pin-sha256=\"AAAA\""),
    ("report-to", "{}"),
    ("nel", "{}"),
    ("content-security-policy", "default-src *"),
    ("x-content-type-options", "anything"),
];

#[tokio::test]
async fn what_a_camera_claims_never_reaches_the_client() {
    let house = House::open().await;
    let seen = Seen::default();
    let service = seen.service(|asked| {
        let html = Response::builder().header(CONTENT_TYPE, "text/html").body(body::full("<script>"));
        let mut response = if asked.method == Method::GET { html.unwrap() } else { soap_ok() };
        for (name, value) in NEVER_OUT {
            response.headers_mut().append(HeaderName::from_static(name), value.parse().unwrap());
        }
        response.headers_mut().insert("server", "as it is".parse().unwrap());
        response.headers_mut().insert("x-sendfile", "/etc/passwd".parse().unwrap());
        response
    });
    let puppet = house.puppet("https", service).await;
    let requests = [
        soap(&device_service(&puppet.id), &house.administrator, message(&GetDeviceInformation::default())),
        request(Method::GET, &format!("/d/{}/index.html", puppet.id), &house.administrator),
    ];
    for asked in requests {
        for answer in [house.ask(asked.clone()).await, house.ask_h2(asked.clone()).await] {
            for (name, claim) in NEVER_OUT {
                assert!(answer.headers.get_all(name).iter().all(|value| value != claim), "{name}: {answer:?}");
            }
            assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
            assert_eq!(answer.headers.get_all("content-security-policy").iter().count(), 1);
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers["server"], "as it is");
            assert!(!answer.headers.contains_key("x-sendfile"), "what nobody has looked at stays behind");
        }
    }
}

#[tokio::test]
async fn a_camera_that_asks_for_a_password_is_not_passed_on_as_our_word() {
    let house = House::open().await;
    let seen = Seen::default();
    let service = seen.service(|_| Response::builder().status(401).body(body::full("who are you?")).unwrap());
    let puppet = house.puppet("https", service).await;
    let answer = house.ask(request(Method::GET, &format!("/d/{}/", puppet.id), &house.administrator)).await;
    assert_eq!(answer.status, 502);
    assert!(answer.problem().contains("credentials of its own"), "{answer:?}");
}

#[tokio::test]
async fn a_redirect_of_a_camera_is_shown_and_not_followed() {
    let house = House::open().await;
    let seen = Seen::default();
    let service = seen.service(|_| {
        let moved = Response::builder().status(302).header("location", "http://169.254.169.254/latest");
        moved.body(body::empty()).unwrap()
    });
    let puppet = house.puppet("https", service).await;
    let answer = house.ask(request(Method::GET, &format!("/d/{}/", puppet.id), &house.administrator)).await;
    assert_eq!(answer.status, 302);
    let here = format!("https://localhost:{}/d/{}/latest", house.cloud.address().port(), puppet.id);
    assert_eq!(answer.headers["location"], here, "the camera itself, whatever it named");
    assert_eq!(seen.take().len(), 1);
}
