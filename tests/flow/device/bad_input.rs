//! What a device gets to see that no client should send: each has its status or fault, with a text that a person understands.

use super::*;
use oriel_onvif::device_mgmt::GetSystemDateAndTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ENV: &str = "http://www.w3.org/2003/05/soap-envelope";
const TDS: &str = "http://www.onvif.org/ver10/device/wsdl";

fn message(body: &str) -> String {
    format!("<s:Envelope xmlns:s=\"{ENV}\" xmlns:t=\"{TDS}\"><s:Body>{body}</s:Body></s:Envelope>")
}

#[tokio::test]
async fn prefixes_are_free() {
    let camera = Camera::start().await;
    let variants = [
        message("<t:GetSystemDateAndTime/>"),
        message(&format!("<GetSystemDateAndTime xmlns=\"{TDS}\"/>")),
        message(&format!("<s:GetSystemDateAndTime xmlns:s=\"{TDS}\"/>")),
        format!(
            "<Envelope xmlns=\"{ENV}\"><Body><a:GetSystemDateAndTime xmlns:a=\"{TDS}\" xmlns:b=\"{TDS}\"></a:GetSystemDateAndTime></Body></Envelope>"
        ),
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- hello -->\n{}",
            message("\n  <t:GetSystemDateAndTime />\n")
        ),
        format!(
            "<s:Envelope xmlns:s=\"{ENV}\"><s:Header/><s:Body xmlns=\"{TDS}\"><GetSystemDateAndTime/></s:Body></s:Envelope>"
        ),
    ];
    for variant in variants {
        let answer = camera.post(DEVICE, variant.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{variant}: {}", answer.text);
    }
}

#[tokio::test]
async fn bad_messages_get_the_fault_that_core_names() {
    let camera = Camera::start().await;
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    let security = "<w:Security xmlns:w=\"urn:other\" s:mustUnderstand=\"1\"/>";
    let fine = "<t:GetSystemDateAndTime/>";
    let cases = [
        ("not XML", "hello".to_owned(), "env:Sender/ter:WellFormed"),
        ("cut off", message("<t:GetSystem"), "env:Sender/ter:WellFormed"),
        ("a DTD", format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{}", message(fine)), "env:Sender/ter:WellFormed"),
        ("deep nesting", message(&format!("<t:GetServices>{deep}</t:GetServices>")), "env:Sender/ter:WellFormed"),
        ("an undeclared prefix", message("<x:GetServices/>"), "env:Sender/ter:Namespace"),
        ("SOAP 1.1", message(fine).replace(ENV, "http://schemas.xmlsoap.org/soap/envelope/"), "env:VersionMismatch"),
        ("no envelope", "<html/>".to_owned(), "env:VersionMismatch"),
        ("no body", format!("<s:Envelope xmlns:s=\"{ENV}\"/>"), "env:Sender/ter:Tag"),
        ("an empty body", message(""), "env:Sender/ter:Tag"),
        ("two requests", message(&format!("{fine}{fine}")), "env:Sender/ter:TagMismatch"),
        ("a wrong namespace", message("<GetServices xmlns=\"urn:x\"/>"), "env:Sender/ter:UnknownAction"),
        ("a missing argument", message("<t:GetServices/>"), "env:Sender/ter:InvalidArgs"),
        (
            "a wrong type",
            message("<t:GetServices><t:IncludeCapability>maybe</t:IncludeCapability></t:GetServices>"),
            "env:Sender/ter:InvalidArgs",
        ),
        (
            "a header to be understood",
            message(fine).replace("<s:Body>", &format!("<s:Header>{security}</s:Header><s:Body>")),
            "env:MustUnderstand",
        ),
    ];
    for (what, message, expected) in cases {
        let answer = camera.post(DEVICE, message).await;
        let fault = fault_of(&answer);
        assert!(name(&fault).starts_with(expected), "{what}: {fault}");
        assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{what}: {}", answer.status);
        assert!(fault.reason.len() > 10, "{what}: {fault}");
    }
}

#[tokio::test]
async fn http_errors_stand_where_there_is_no_soap() {
    let camera = Camera::start_with(|config| config.max_body = 8192).await;
    let fine = message("<t:GetSystemDateAndTime/>");
    let with = |method: &str, path: &str, content_type: &str, body: &str| {
        let request =
            Request::builder().method(method).uri(path).header("host", "camera").header("content-type", content_type);
        camera.send(request.body(body.as_bytes().to_vec()).unwrap())
    };
    let kind = "application/soap+xml";
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer = with(method, DEVICE, kind, "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers["allow"], "POST");
    }
    for path in [
        "/",
        "/onvif",
        "/onvif/device_service/",
        "/onvif/media_service",
        "/onvif/../etc/passwd",
        "//onvif/device_service",
    ] {
        assert_eq!(with("POST", path, kind, &fine).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for content_type in ["application/json", "multipart/related", "application/soap+xml; charset=utf-16"] {
        let answer = with("POST", DEVICE, content_type, &fine).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
        assert!(answer.text.len() > 20 && !answer.text.contains('<'), "{}", answer.text);
    }
    for content_type in [kind, "text/xml", "application/soap+xml; charset=\"UTF-8\"; action=\"\""] {
        assert_eq!(with("POST", DEVICE, content_type, &fine).await.status, StatusCode::OK, "{content_type}");
    }
    assert_eq!(with("POST", DEVICE, kind, "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        with("POST", DEVICE, kind, &fine.replace("<s:Body>", &format!("<s:Body>{}", " ".repeat(9000)))).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let mut packed = soap(DEVICE, fine.clone());
    packed.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(camera.send(packed).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn an_action_beside_the_body_must_name_what_the_body_holds() {
    let camera = Camera::start().await;
    let with = |action: &str| {
        let mut request = soap(DEVICE, envelope::request(&GetSystemDateAndTime::default(), &Headers::default()));
        let kind = format!("application/soap+xml; charset=utf-8; action=\"{action}\"");
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        camera.send(request)
    };
    assert_eq!(with("http://www.onvif.org/ver10/device/wsdl/GetSystemDateAndTime").await.status, StatusCode::OK);
    let other = with("http://www.onvif.org/ver10/device/wsdl/SystemReboot").await;
    assert_eq!(name(&fault_of(&other)), "env:Sender/ter:UnknownAction");
}

/// Writes bytes, reads to the end, and gives back the first line.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The device may close before all is written, which is an answer too.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn heads_without_measure_are_refused_and_the_next_client_is_served() {
    let camera = Camera::start().await;
    let long = format!("POST {DEVICE} HTTP/1.1\r\nhost: c\r\nx: {}\r\n\r\n", "y".repeat(64 * 1024));
    assert_eq!(raw(camera.address(), long.as_bytes()).await, "HTTP/1.1 431 Request Header Fields Too Large");
    let many = format!("POST {DEVICE} HTTP/1.1\r\nhost: c\r\n{}\r\n", "a: b\r\n".repeat(500));
    assert_eq!(raw(camera.address(), many.as_bytes()).await, "HTTP/1.1 431 Request Header Fields Too Large");
    assert_eq!(raw(camera.address(), b"\x16\x03\x01\x02\x00 hello, TLS?\r\n\r\n").await, "HTTP/1.1 400 Bad Request");
    let both = format!("POST {DEVICE} HTTP/1.1\r\nhost: c\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello");
    assert_eq!(raw(camera.address(), both.as_bytes()).await, "HTTP/1.1 400 Bad Request");
    let claimed =
        format!("POST {DEVICE} HTTP/1.1\r\nhost: c\r\nconnection: close\r\ncontent-length: 99999999999\r\n\r\n");
    assert_eq!(raw(camera.address(), claimed.as_bytes()).await, "HTTP/1.1 413 Payload Too Large");
    let answer = camera.answer(As::Nobody, &GetSystemDateAndTime::default()).await;
    assert_eq!(answer.status, StatusCode::OK);
}
