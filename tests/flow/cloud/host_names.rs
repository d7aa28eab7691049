//! A host name for each device: the same gateway as below `/d/`, at an origin where nothing else lives.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use oriel_cloud::records::Role;
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetServices, GetServicesResponse};
use oriel_onvif::ns;
use oriel_soap::access::Level;
use oriel_soap::xml::Limits;
use oriel_soap::{Envelope, Operation as _};
use oriel_uplink::body;
use tokio_rustls::TlsConnector;

use super::House;
use super::access_keys::bare_soap;
use super::camera::{Camera, Puppet, Seen, soap_ok};
use super::client::{Answer, bare, message, request, soap};

const SNAPSHOT: &str = "http://www.onvif.org/ver10/media/wsdl";

async fn house() -> House {
    House::open_with(|config| config.domain = Some("cams.localhost".to_owned())).await
}

/// The same request at a host.
fn at(host: &str, mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
    request.headers_mut().insert(HOST, host.parse().unwrap());
    request
}

fn host(id: &str) -> String {
    format!("{id}.cams.localhost")
}

#[tokio::test]
async fn a_device_names_itself_by_the_host_that_it_was_asked_at() {
    let house = house().await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let host = format!("{}:{}", host(&camera.id), house.cloud.address().port());
    let asked = soap("/onvif/device_service", &house.administrator, message(&GetServices::default()));
    let answer = house.ask(at(&host, asked)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let envelope = Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap();
    let services: GetServicesResponse = envelope.read(ns::TDS, GetServices::RESPONSE).unwrap();
    assert!(!services.service.is_empty());
    for service in services.service {
        assert!(service.x_addr.starts_with(&format!("https://{host}/onvif/")), "{}", service.x_addr);
    }
}

#[tokio::test]
async fn a_device_that_knows_its_lan_alone_is_made_to_name_the_host() {
    let house = house().await;
    let seen = Seen::default();
    let puppet = house
        .puppet(
            "https",
            seen.service(|_| {
                let text = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body>\
                    <XAddr xmlns='http://www.onvif.org/ver10/device/wsdl'>http://10.0.0.9/onvif/x</XAddr></s:Body></s:Envelope>";
                Response::builder().header(CONTENT_TYPE, "application/soap+xml").body(body::full(text)).unwrap()
            }),
        )
        .await;
    let asked = soap("/onvif/device_service?a", &house.administrator, message(&GetServices::default()));
    let answer = house.ask(at(&host(&puppet.id), asked)).await;
    assert!(answer.text.contains(&format!(">https://{}/onvif/x<", host(&puppet.id))), "{answer:?}");
    let asked = seen.take().remove(0);
    assert_eq!(asked.uri.path_and_query().unwrap().as_str(), "/onvif/device_service?a");
    assert_eq!(asked.headers["x-forwarded-host"], host(&puppet.id));
    assert!(!asked.headers.contains_key("x-forwarded-prefix"), "{asked:?}");
}

#[tokio::test]
async fn the_clouds_certificate_is_good_for_every_devices_name() {
    let house = house().await;
    for name in ["abcdefghijklmnop.cams.localhost", "localhost"] {
        let connector = TlsConnector::from(Arc::new(house.tls(None)));
        let tcp = house.tcp(super::HERE).await;
        connector.connect(name.try_into().unwrap(), tcp).await.unwrap();
    }
    let connector = TlsConnector::from(Arc::new(house.tls(None)));
    let tcp = house.tcp(super::HERE).await;
    connector.connect("a.b.cams.localhost".try_into().unwrap(), tcp).await.unwrap_err();
}

#[tokio::test]
async fn dashboard_and_api_are_not_at_a_devices_name_and_no_device_at_theirs() {
    let house = house().await;
    let (puppet, seen) = house.witness().await;
    for path in ["/", "/api/v1/health", "/api/v1/devices", "/assets/app.js", "/d/other/x"] {
        for name in [host(&puppet.id), host("abcdefghijklmnop"), host("a.b")] {
            let mut asked = at(&name, request(Method::GET, path, &house.administrator));
            let answer = house.ask(asked.clone()).await;
            let saw = seen.take();
            if name == host(&puppet.id) {
                assert_eq!((answer.status, saw.len()), (StatusCode::OK, 1), "{path}: the device's own");
                assert_eq!(saw[0].uri.path(), path);
            } else {
                assert_eq!((answer.status, saw.len()), (StatusCode::NOT_FOUND, 0), "{path} at {name}");
            }
            asked.headers_mut().remove(AUTHORIZATION);
            assert_eq!(house.ask(asked).await.status, StatusCode::UNAUTHORIZED, "{path} at {name}");
        }
        assert_eq!(house.ask(at("cams.localhost", request(Method::GET, path, ""))).await.status, 421, "{path}");
    }
    let asked = at("localhost", request(Method::GET, "/onvif/device_service", &house.administrator));
    assert_ne!(house.ask(asked).await.status, StatusCode::OK);
    assert!(seen.take().is_empty());
    // HTTP/2 says it by :authority, and a Host beside it must not say otherwise.
    let mut client = house.h2().await;
    let uri = format!("https://{}/x", host(&puppet.id));
    let asked = Request::get(&uri).header(AUTHORIZATION, format!("Bearer {}", house.administrator));
    let answer = client.send_request(asked.body(body::empty()).unwrap()).await.unwrap();
    assert_eq!((answer.status(), seen.take().len()), (StatusCode::OK, 1));
    let asked = Request::get(&uri).header(AUTHORIZATION, format!("Bearer {}", house.administrator));
    let two = asked.header(HOST, "localhost").body(body::empty()).unwrap();
    let answer = client.send_request(two).await.unwrap();
    assert_eq!((answer.status(), seen.take().len()), (StatusCode::BAD_REQUEST, 0));
}

/// A camera that names a snapshot, a log and an upload, and has a page beside them.
async fn naming(house: &House) -> (Puppet, Seen) {
    let seen = Seen::default();
    let service = seen.service(|asked| {
        let named = |name: &str, path: &str| {
            let text = format!(
                "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body>\
                 <{name} xmlns='http://www.onvif.org/ver10/schema'>http://10.0.0.9{path}</{name}></s:Body></s:Envelope>"
            );
            Response::builder().header(CONTENT_TYPE, "application/soap+xml").body(body::full(text)).unwrap()
        };
        match &asked.body {
            body if body.contains("GetSnapshotUri") => named("Uri", "/snap?ch=1"),
            body if body.contains("GetSystemUris") => named("Uri", "/log"),
            body if body.contains("StartFirmwareUpgrade") => named("UploadUri", "/firmware"),
            _ if asked.method == Method::GET => {
                Response::builder().header(CONTENT_TYPE, "text/html").body(body::full("<script>")).unwrap()
            }
            _ => soap_ok(),
        }
    });
    (house.puppet("https", service).await, seen)
}

#[tokio::test]
async fn what_a_camera_named_may_be_fetched_and_nothing_else() {
    let house = House::open_with(|config| {
        config.domain = Some("cams.localhost".to_owned());
        config.camera_pages = false;
    })
    .await;
    let (puppet, _seen) = naming(&house).await;
    let host = host(&puppet.id);
    let fetched =
        async |method: Method, path: &str, token: &str| house.ask(at(&host, request(method, path, token))).await.status;
    let (viewer, all) = (house.token(Level::User).await, &house.administrator);
    for path in ["/snap?ch=1", "/log", "/firmware", "/"] {
        assert_eq!(fetched(Method::GET, path, all).await, StatusCode::FORBIDDEN, "{path} before it was named");
    }
    for (namespace, name) in
        [(SNAPSHOT, "GetSnapshotUri"), (ns::TDS.uri, "GetSystemUris"), (ns::TDS.uri, "StartFirmwareUpgrade")]
    {
        let asked = soap("/onvif/x", all, bare(namespace, name));
        assert_eq!(house.ask(at(&host, asked)).await.status, StatusCode::OK, "{name}");
    }
    let (yes, no) = (StatusCode::OK, StatusCode::FORBIDDEN);
    for (method, path, for_viewer, for_all) in [
        (Method::GET, "/snap?ch=1", yes, yes),
        (Method::HEAD, "/snap?ch=1", yes, yes),
        (Method::POST, "/snap?ch=1", no, yes),
        (Method::GET, "/snap?ch=2", no, no),
        (Method::GET, "/snap", no, no),
        (Method::GET, "/log", no, yes),
        (Method::PUT, "/firmware", no, yes),
        (Method::GET, "/", no, no),
    ] {
        assert_eq!(fetched(method.clone(), path, &viewer).await, for_viewer, "a viewer: {method} {path}");
        assert_eq!(fetched(method.clone(), path, all).await, for_all, "an administrator: {method} {path}");
    }
    // Below /d/ the same, and with a key.
    let key = house.key(&puppet.id, Role::Viewer).await;
    let by_path = |path: &str| request(Method::GET, &format!("/d/{}{path}", puppet.id), "");
    assert_eq!(house.ask_by_digest(&key, by_path("/snap?ch=1")).await.status, yes);
    assert_eq!(house.ask_by_digest(&key, by_path("/log")).await.status, no);
    let sandboxed = house.ask_by_digest(&key, by_path("/snap?ch=1")).await;
    assert_eq!(sandboxed.headers["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(sandboxed.headers["cache-control"], "private, no-cache");
}

fn policy(answer: &Answer) -> &str {
    answer.headers["content-security-policy"].to_str().unwrap()
}

#[tokio::test]
async fn a_page_runs_at_the_devices_own_origin_and_nowhere_else() {
    let house = house().await;
    let (puppet, _seen) = naming(&house).await;
    let key = house.key(&puppet.id, Role::Administrator).await;
    let own = at(&host(&puppet.id), request(Method::GET, "/index.htm", ""));
    let page = house.ask_by_digest(&key, own.clone()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(policy(&page).contains("default-src 'self'") && !policy(&page).contains("sandbox"), "{page:?}");
    assert!(policy(&page).contains("frame-ancestors 'self'") && policy(&page).contains("form-action 'self'"));
    let below = house.ask_by_digest(&key, request(Method::GET, &format!("/d/{}/index.htm", puppet.id), "")).await;
    assert_eq!(policy(&below), "sandbox; default-src 'none'");
    // An operator sees no pages, and no page of another origin uses the key that the browser keeps.
    let operator = house.key(&puppet.id, Role::Operator).await;
    assert_eq!(house.ask_by_digest(&operator, own.clone()).await.status, StatusCode::FORBIDDEN);
    let mut crossed = own.clone();
    crossed.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(house.ask_by_digest(&key, crossed).await.status, StatusCode::FORBIDDEN);
    let mut worker = own;
    worker.headers_mut().insert("service-worker", "script".parse().unwrap());
    worker.headers_mut().insert(AUTHORIZATION, format!("Bearer {}", house.administrator).parse().unwrap());
    assert_eq!(house.ask(worker).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_browser_is_asked_for_a_key_at_the_devices_name_alone() {
    let house = house().await;
    let (puppet, _seen) = house.witness().await;
    let offered = async |asked: Request<Vec<u8>>| {
        let mut asked = asked;
        asked.headers_mut().remove(AUTHORIZATION);
        asked.headers_mut().insert("sec-fetch-mode", "navigate".parse().unwrap());
        let answer = house.ask(asked).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        answer.headers.get_all("www-authenticate").iter().any(|offer| offer.to_str().unwrap().starts_with("Digest"))
    };
    assert!(offered(at(&host(&puppet.id), request(Method::GET, "/", ""))).await);
    assert!(!offered(request(Method::GET, &format!("/d/{}/", puppet.id), "")).await);
    // Cookies are nobody's credentials, on either route.
    for mut asked in [
        at(&host(&puppet.id), bare_soap("/onvif/x", message(&GetDeviceInformation::default()))),
        bare_soap(&format!("/d/{}/onvif/x", puppet.id), message(&GetDeviceInformation::default())),
    ] {
        asked.headers_mut().insert("cookie", format!("__Host-oriel={}", house.administrator).parse().unwrap());
        assert_eq!(house.ask(asked).await.status, StatusCode::UNAUTHORIZED);
    }
}
