//! HTTP under the envelope: what a connection to the LAN may carry, byte by byte, and what the door says where there is no SOAP (Core §5.8.2.4).

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TDS: &str = "http://www.onvif.org/ver10/device/wsdl";

fn asking(operation: &str) -> String {
    format!("<s:Envelope xmlns:s=\"{}\"><s:Body><{operation} xmlns=\"{TDS}\"/></s:Body></s:Envelope>", ns::ENV.uri)
}

fn time() -> String {
    asking("GetSystemDateAndTime")
}

/// A request with these further lines in its head.
fn head(version: &str, target: &str, lines: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} {version}\r\nHost: camera.test:80\r\nContent-Type: application/soap+xml\r\nContent-Length: {length}\r\n{lines}\r\n{body}"
    )
}

/// A connection, byte by byte.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    async fn to(camera: &Camera) -> Self {
        Self { stream: TcpStream::connect(camera.address()).await.unwrap(), buffer: Vec::new() }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// More bytes; false when there are no more.
    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.buffer).await.unwrap() > 0
    }

    /// The next head: its first line and its fields, with names in lower case.
    async fn head(&mut self) -> Option<(String, Vec<(String, String)>)> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            if !self.fill().await {
                assert!(self.buffer.is_empty(), "cut off: {:?}", String::from_utf8_lossy(&self.buffer));
                return None;
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().lines().map(str::to_owned);
        let first = lines.next().unwrap();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Some((first, fields.collect()))
    }

    /// The next answer: its status, and whether it was SOAP's answer to a question for the time.
    async fn answer(&mut self) -> Option<(u16, String)> {
        let (first, fields) = self.head().await?;
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let length =
            fields.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, length)| length.parse().unwrap());
        while self.buffer.len() < length {
            assert!(self.fill().await, "cut off in the middle of a body");
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        Some((status, String::from_utf8(body).unwrap()))
    }

    async fn status(&mut self) -> Option<u16> {
        self.answer().await.map(|(status, _)| status)
    }
}

#[tokio::test]
async fn requests_that_follow_without_waiting_are_answered_in_their_order() {
    let camera = Camera::start_with(settings).await;
    let mut wire = Wire::to(&camera).await;
    let one = |operation: &str| head("HTTP/1.1", DEVICE, "", &asking(operation));
    let operations = ["GetSystemDateAndTime", "GetWsdlUrl", "MakeCoffee", "GetEndpointReference", "GetUsers"];
    let bytes = operations.map(one).concat().repeat(10);
    // In pieces that end anywhere.
    for piece in bytes.as_bytes().chunks(701) {
        wire.send(piece).await;
    }
    for (number, operation) in operations.iter().cycle().take(50).enumerate() {
        let (status, body) = wire.answer().await.unwrap();
        let (expected, word) = match *operation {
            "MakeCoffee" => (400, "UnknownAction".to_owned()),
            "GetUsers" => (401, "NotAuthorized".to_owned()),
            operation => (200, format!("{operation}Response")),
        };
        assert!(status == expected && body.contains(&word), "{number}: {status} {body}");
    }
}

#[tokio::test]
async fn bodies_in_chunks_and_bodies_that_wait_to_be_asked_for() {
    let camera = Camera::start_with(|config| config.max_body = 4096).await;
    let mut wire = Wire::to(&camera).await;
    let start = |more: &str| {
        format!(
            "POST {DEVICE} HTTP/1.1\r\nHost: c\r\nContent-Type: application/soap+xml\r\nTransfer-Encoding: chunked\r\n{more}\r\n"
        )
    };
    let chunks = |text: &str, size: usize| -> String {
        let one = |chunk: &[u8]| format!("{:X};q=1\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk));
        text.as_bytes().chunks(size).map(one).collect::<String>() + "0\r\n"
    };
    for size in [1, 7, 1000] {
        wire.send(start("") + &chunks(&time(), size) + "Trailer: x\r\n\r\n").await;
        assert_eq!(wire.status().await, Some(200), "chunks of {size}");
    }
    // The client sends its head, is told to go on, and only then sends its body.
    let body = time();
    let waiting = head("HTTP/1.1", DEVICE, "Expect: 100-continue\r\n", &body);
    wire.send(waiting.strip_suffix(&body).unwrap()).await;
    assert_eq!(wire.head().await.unwrap().0, "HTTP/1.1 100 Continue");
    wire.send(&body).await;
    assert_eq!(wire.status().await, Some(200));
    // One that is not wanted is not asked for.
    let refused = waiting.replace("application/soap+xml", "application/json");
    wire.send(refused.strip_suffix(&body).unwrap()).await;
    assert_eq!(wire.status().await, Some(415));

    // More than is taken, told before it is all there.
    let mut wire = Wire::to(&camera).await;
    wire.send(start("") + &format!("{:X}\r\n{}\r\n", 5000, " ".repeat(5000))).await;
    assert_eq!(wire.status().await, Some(413));
    let mut wire = Wire::to(&camera).await;
    wire.send(
        head("HTTP/1.1", DEVICE, "", &" ".repeat(5000)).split_once("\r\n\r\n").unwrap().0.to_owned() + "\r\n\r\n",
    )
    .await;
    assert_eq!(wire.status().await, Some(413));
}

#[tokio::test]
async fn older_clients_and_other_forms_of_the_target_are_served() {
    let camera = Camera::start_with(settings).await;
    let absolute = format!("http://camera.test:80{DEVICE}");
    let query = format!("{DEVICE}?wsdl=1");
    for target in [DEVICE, &absolute, &query] {
        let mut wire = Wire::to(&camera).await;
        wire.send(head("HTTP/1.1", target, "Connection: close\r\n", &time())).await;
        assert_eq!(wire.status().await, Some(200), "{target}");
        assert_eq!(wire.answer().await, None, "{target}: closed as asked");
    }
    // HTTP/1.0 closes, unless it is asked to stay.
    let mut wire = Wire::to(&camera).await;
    wire.send(head("HTTP/1.0", DEVICE, "", &time())).await;
    assert_eq!(wire.status().await, Some(200));
    assert_eq!(wire.answer().await, None);
    let mut wire = Wire::to(&camera).await;
    for _ in 0..3 {
        wire.send(head("HTTP/1.0", DEVICE, "Connection: keep-alive\r\n", &time())).await;
        assert_eq!(wire.status().await, Some(200));
    }
    // No Host at all: the address in the answer is the one that was dialled.
    let body = asking("GetServices").replace("/>", "><IncludeCapability>false</IncludeCapability></GetServices>");
    let mut wire = Wire::to(&camera).await;
    wire.send(head("HTTP/1.1", DEVICE, "", &body).replace("Host: camera.test:80\r\n", "")).await;
    let (status, text) = wire.answer().await.unwrap();
    assert!(status == 200 && text.contains(&format!(">http://{}{DEVICE}<", camera.address())), "{status} {text}");
}

fn ask(method: &str, path: &str, fields: &[(&'static str, &'static str)]) -> Request<Vec<u8>> {
    let mut request = Request::builder().method(method).uri(path).body(time().into_bytes()).unwrap();
    for (name, value) in fields {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn what_is_not_soap_gets_a_status_and_never_a_fault() {
    let camera = Camera::start_with(settings).await;
    let soap = ("content-type", "application/soap+xml");
    let cases: Vec<(Request<Vec<u8>>, u16)> = vec![
        (ask("GET", DEVICE, &[]), 405),
        (ask("GET", "/onvif/device_service?wsdl", &[]), 405),
        (ask("PUT", DEVICE, &[soap]), 405),
        (ask("post", DEVICE, &[soap]), 405),
        (ask("OPTIONS", DEVICE, &[]), 405),
        (ask("POST", "/onvif/Device_service", &[soap]), 404),
        (ask("POST", "/onvif/device%5Fservice", &[soap]), 404),
        (ask("POST", "/onvif/./device_service", &[soap]), 404),
        (ask("POST", "/ONVIF/DEVICE_SERVICE", &[soap]), 404),
        (ask("GET", "/", &[]), 404),
        (ask("POST", DEVICE, &[("content-type", "application/json")]), 415),
        (ask("POST", DEVICE, &[("content-type", "multipart/related; type=\"application/xop+xml\"")]), 415),
        (ask("POST", DEVICE, &[("content-type", "application/soap+xml; charset=utf-16")]), 415),
        (ask("POST", DEVICE, &[("content-type", "application/soap+xml; charset=\"ISO-8859-1\"")]), 415),
        (ask("POST", DEVICE, &[("content-type", "text/plain")]), 415),
        (ask("POST", DEVICE, &[("content-type", "")]), 415),
        (ask("POST", DEVICE, &[soap, ("content-encoding", "gzip")]), 415),
        (ask("POST", DEVICE, &[soap, ("content-encoding", "deflate, gzip")]), 415),
        (ask("POST", DEVICE, &[soap, ("content-type", "application/json")]), 415),
        (ask("POST", DEVICE, &[soap, ("soapaction", "\"a\""), ("soapaction", "\"b\"")]), 415),
        (ask("POST", DEVICE, &[("content-type", "application/soap+xml; action=\"a\""), ("soapaction", "b")]), 415),
        (ask("POST", DEVICE, &[]), 200),
        (ask("POST", DEVICE, &[("content-type", "TEXT/XML;CHARSET=UTF-8")]), 200),
        (ask("POST", DEVICE, &[("content-type", "application/soap+xml ; charset = utf-8 ; x = \"a;b\"")]), 200),
        (ask("POST", DEVICE, &[soap, ("content-encoding", "identity")]), 200),
        (ask("POST", DEVICE, &[soap, ("soapaction", "\"\"")]), 200),
        (ask("POST", DEVICE, &[soap, ("accept", "application/json"), ("accept-encoding", "br;q=1")]), 200),
    ];
    for (way, (request, status)) in WAYS.into_iter().flat_map(|way| cases.iter().map(move |case| (way, case))) {
        let answer = camera.by(way, request.clone()).await;
        assert_eq!(answer.status.as_u16(), *status, "{way:?} {request:?}: {}", answer.text);
        if *status == 200 {
            sound(&answer);
            continue;
        }
        assert!(!answer.text.contains('<') && answer.text.len() > 10, "{way:?} {request:?}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8", "{request:?}");
    }
}

/// The action beside the body names the request that is in it, or the request is refused (Core §5.8.2.2).
#[tokio::test]
async fn an_action_in_http_agrees_with_the_body_or_is_refused() {
    let camera = Camera::start_with(settings).await;
    let right = format!("{TDS}/GetSystemDateAndTime");
    let other = format!("{TDS}/SystemReboot");
    for way in WAYS {
        for (action, agrees) in
            [(right.as_str(), true), ("", true), ("GetSystemDateAndTime", true), (&other, false), ("urn:x", false)]
        {
            let mut in_type = soap(DEVICE, time());
            let kind = format!("application/soap+xml; charset=utf-8; action=\"{action}\"");
            in_type.headers_mut().insert("content-type", kind.parse().unwrap());
            let mut beside = soap(DEVICE, time());
            beside.headers_mut().insert("soapaction", format!("\"{action}\"").parse().unwrap());
            for request in [in_type, beside] {
                let answer = camera.by(way, request).await;
                sound(&answer);
                assert_eq!(answer.status == StatusCode::OK, agrees, "{way:?} {action}");
                assert!(agrees || fault_of(&answer).is("UnknownAction"), "{}", answer.text);
            }
        }
    }
}

/// After anything that leaves the connection usable, the next request on it is answered.
#[tokio::test]
async fn a_refusal_leaves_the_connection_in_step() {
    let camera = Camera::start_with(settings).await;
    let mut wire = Wire::to(&camera).await;
    let fine = head("HTTP/1.1", DEVICE, "", &time());
    let refused = [
        (fine.replace("application/soap+xml", "application/json"), 415),
        (fine.replace("POST", "PUT"), 405),
        (fine.replace(DEVICE, "/nothing"), 404),
        (head("HTTP/1.1", DEVICE, "", ""), 400),
        (head("HTTP/1.1", DEVICE, "", "<"), 400),
        (head("HTTP/1.1", DEVICE, "", &asking("GetUsers")), 401),
    ];
    for (request, status) in refused {
        wire.send(&request).await;
        assert_eq!(wire.status().await, Some(status), "{request}");
        wire.send(&fine).await;
        assert_eq!(wire.status().await, Some(200), "after {request}");
    }
}
