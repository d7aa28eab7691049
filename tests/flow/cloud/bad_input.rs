//! What a client can get wrong: each case has the status and the fault that the specification names, and words that a person understands.

use http::{Request, StatusCode};
use oriel_cloud::records::DeviceId;
use oriel_onvif::device_mgmt::{CreateUsers, GetDeviceInformation};
use oriel_onvif::ns;
use oriel_soap::access::Level;

use super::camera::Camera;
use super::client::{bare, device_service, enveloped, message, soap};
use super::{House, me};

struct Case {
    name: &'static str,
    request: Request<Vec<u8>>,
    status: u16,
    /// What the fault is, by its code or one of its subcodes.
    fault: &'static str,
    /// What its text says, in any letter case.
    word: &'static str,
}

fn good() -> String {
    String::from_utf8(message(&GetDeviceInformation::default())).unwrap()
}

fn envelopes(id: &DeviceId, token: &str) -> Vec<Case> {
    let case = |name, body: String, status, fault, word| {
        let request = soap(&device_service(id), token, body);
        Case { name, request, status, fault, word }
    };
    let deep = format!("{}{}", "<a>".repeat(2000), "</a>".repeat(2000));
    let doctype = format!(
        "<!DOCTYPE a [<!ENTITY b \"c\">]>{}",
        good().trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
    );
    vec![
        case("not XML", "hello".to_owned(), 400, "WellFormed", "at 1:1"),
        case("nothing", String::new(), 400, "WellFormed", "does not have a root"),
        case("a tag that is not closed", good().replace("</", "<"), 400, "WellFormed", "never closed"),
        case("a DTD", doctype, 400, "WellFormed", "document type declaration is not allowed"),
        case("deep nesting", enveloped(&deep), 400, "WellFormed", "levels"),
        case("an undeclared prefix", enveloped("<x:GetUsers/>"), 400, "Namespace", "declared nowhere"),
        case("no envelope", "<a/>".to_owned(), 500, "VersionMismatch", "envelope"),
        case(
            "SOAP 1.1",
            good().replace("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"),
            500,
            "VersionMismatch",
            "1.2",
        ),
        case("an empty body", enveloped(""), 400, "", "body"),
        case(
            "a wrong namespace",
            bare("http://www.onvif.org/ver10/device", "GetDeviceInformation"),
            400,
            "UnknownAction",
            "GetDeviceInformation",
        ),
        case("an unknown operation", bare(ns::TDS.uri, "GetDeviceInfo"), 400, "UnknownAction", "GetDeviceInfo"),
        case(
            "an operation without its parts",
            String::from_utf8(message(&CreateUsers::default())).unwrap(),
            400,
            "",
            "user",
        ),
        case(
            "known, and not offered here",
            bare(ns::TDS.uri, "GetDPAddresses"),
            500,
            "ActionNotSupported",
            "GetDPAddresses",
        ),
    ]
}

async fn from_outside(house: &House, camera: &DeviceId, offline: &DeviceId, revoked: &DeviceId) -> Vec<Case> {
    let token = &house.administrator;
    let ask = |id: &str, token: &str| soap(&device_service(id), token, good());
    let case = |name, request, status, fault, word| Case { name, request, status, fault, word };
    let mut large = ask(camera, token);
    large.body_mut().resize(17 * 1024, b' ');
    let mut packed = ask(camera, token);
    packed.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    let mut charset = ask(camera, token);
    charset.headers_mut().insert("content-type", "application/soap+xml; charset=latin-1".parse().unwrap());
    vec![
        case("an oversized body", large, 413, "", "16 KiB"),
        case("a compressed body", packed, 415, "", "compressed"),
        case("another character set", charset, 415, "", "latin-1"),
        case("wrong credentials", ask(camera, "guessed"), 401, "NotAuthorized", "token"),
        case(
            "a level that is too low",
            soap(&device_service(camera), &house.token(Level::User).await, bare(ns::TDS.uri, "SystemReboot")),
            403,
            "NotAuthorized",
            "SystemReboot",
        ),
        case("an unknown device", ask("aaaaaaaaaaaaaaaa", token), 404, "", "no such device"),
        case("a revoked device", ask(revoked, token), 404, "", "no such device"),
        case("an offline device", ask(offline, token), 503, "Action", "offline"),
    ]
}

#[tokio::test]
async fn each_gets_its_status_its_fault_and_words() {
    let house = House::open_with(|config| config.limits.soap_body = 16 * 1024).await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let offline = super::presence::offline(&house).await;
    let revoked = house.scope().add_device(&me(), "revoked", None).await.unwrap().id.clone();
    house.scope().set_revoked(&me(), &revoked, true).await.unwrap();
    let mut wrong = Vec::new();
    let cases = envelopes(&camera.id, &house.administrator);
    for case in cases.into_iter().chain(from_outside(&house, &camera.id, &offline, &revoked).await) {
        let answer = house.ask(case.request).await;
        let fault = answer.fault();
        let text = fault.reason.to_lowercase();
        let named = case.fault.is_empty() || fault.to_string().contains(case.fault);
        if answer.status.as_u16() != case.status || !named || !text.contains(&case.word.to_lowercase()) {
            wrong.push(format!("{}: {} {fault}", case.name, answer.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // After all of it the device answers as ever.
    let answer = house.ask(soap(&device_service(&camera.id), &house.administrator, good())).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off_where_it_is_too_large() {
    let house = House::open_with(|config| config.limits.soap_body = 16 * 1024).await;
    let (puppet, seen) = house.witness().await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/soap+xml\r\nTransfer-Encoding: chunked\r\n\r\n",
        device_service(&puppet.id),
        house.administrator
    );
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    // Five chunks of 4 KiB, and no end.
    let answer = house.raw(format!("{head}{}", chunk.repeat(5)).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(seen.take().is_empty());
}
