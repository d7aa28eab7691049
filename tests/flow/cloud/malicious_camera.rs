//! A camera that means ill, against the cloud, its users and the camera beside it: nothing that it answers reaches beyond its own device.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_uplink::{Body, body};
use tokio::io::AsyncWriteExt as _;

use super::House;
use super::camera::{Puppet, Seen};
use super::client::{Answer, device_service, message, request, soap};
use super::raw::{DATA, HEADERS, RST_STREAM, RawDevice, frame};

/// All that an answer of a device may say to a client.
const TOLD: [&str; 24] = [
    "accept-ranges",
    "allow",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "etag",
    "last-modified",
    "location",
    "referrer-policy",
    "retry-after",
    "server",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "x-request-id",
    "connection",
];

async fn house() -> House {
    House::open_with(|config| config.domain = Some("cams.localhost".to_owned())).await
}

/// The same request by the path and by the host name.
fn both_ways(house: &House, puppet: &Puppet, method: &Method, path: &str) -> [Request<Vec<u8>>; 2] {
    let mut by_host = request(method.clone(), path, &house.administrator);
    by_host.headers_mut().insert("host", format!("{}.cams.localhost", puppet.id).parse().unwrap());
    [request(method.clone(), &format!("/d/{}{path}", puppet.id), &house.administrator), by_host]
}

async fn still_works(house: &House, neighbour: &Puppet, seen: &Seen) {
    let asked = soap(&device_service(&neighbour.id), &house.administrator, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask(asked).await.status, StatusCode::OK, "the camera beside it");
    assert_eq!(seen.take().len(), 1);
}

/// Every header by which a page, a proxy or a browser was ever told to do something, and one of tomorrow.
fn poisoned() -> HeaderMap {
    [
        ("set-cookie", "__Host-oriel=evil; Secure; Path=/"),
        ("set-cookie2", "a=b"),
        ("clear-site-data", "\"*\""),
        ("service-worker-allowed", "/"),
        ("strict-transport-security", "max-age=0"),
        ("refresh", "0; url=https://evil.example/"),
        ("link", "</api/v1/session>; rel=preload"),
        ("access-control-allow-origin", "*"),
        ("content-security-policy", "default-src *"),
        ("content-security-policy-report-only", "report-uri https://evil.example/"),
        ("reporting-endpoints", "a=\"https://evil.example/\""),
        ("x-accel-redirect", "/etc/passwd"),
        ("x-sendfile", "/etc/passwd"),
        ("x-forwarded-host", "evil.example"),
        ("alt-svc", "h3=\"evil.example:443\""),
        ("nel", "{}"),
        ("origin-agent-cluster", "?0"),
        ("permissions-policy", "camera=*"),
        ("sourcemap", "/api/v1/users"),
        ("timing-allow-origin", "*"),
        ("speculation-rules", "\"/api/v1/session\""),
        ("authentication-info", "nextnonce=\"evil\""),
        ("content-location", "/api/v1/session"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("age", "0"),
        ("of-tomorrow", "yes"),
        ("content-type", "text/html"),
        ("x-content-type-options", "sniff"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("referrer-policy", "unsafe-url"),
    ]
    .into_iter()
    .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
    .collect()
}

#[tokio::test]
async fn a_page_of_a_camera_can_say_nothing_but_what_it_holds() {
    let house = house().await;
    let service = |_: Request<Body>| async {
        let mut response = Response::new(body::full("<script>fetch('/api/v1/session')</script>"));
        *response.headers_mut() = poisoned();
        response
    };
    let puppet = house.puppet("https", service).await;
    for (way, asked) in both_ways(&house, &puppet, &Method::GET, "/index.html").into_iter().enumerate() {
        for answer in [house.ask(asked.clone()).await, house.ask_h2_as_it_is(asked.clone()).await] {
            assert_eq!(answer.status, StatusCode::OK);
            for (name, value) in &answer.headers {
                assert!(TOLD.contains(&name.as_str()), "{name} came through");
                assert!(!value.to_str().unwrap().contains("evil"), "{name}: {value:?}");
            }
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert_eq!(policy.contains("sandbox"), way == 0, "at the dashboard's origin nothing runs: {policy}");
            assert!(!policy.contains('*') && !policy.contains("http"), "{policy}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers["cache-control"], "private, no-cache");
            assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin");
        }
    }
}

impl House {
    /// One request over HTTP/2 to the host that it names.
    async fn ask_h2_as_it_is(&self, mut asked: Request<Vec<u8>>) -> Answer {
        let Some(host) = asked.headers_mut().remove("host") else { return self.ask_h2(asked).await };
        let uri = format!("https://{}{}", host.to_str().unwrap(), asked.uri());
        *asked.uri_mut() = uri.parse().unwrap();
        let mut client = self.h2().await;
        super::client::whole(client.send_request(asked.map(body::full)).await.unwrap()).await
    }
}

#[tokio::test]
async fn a_redirect_leads_to_the_camera_itself_or_nowhere() {
    let house = house().await;
    let seen = Seen::default();
    let service = seen.service(|asked| {
        let to = asked.uri.query().unwrap_or_default().replace('~', "\\");
        Response::builder().status(307).header(LOCATION, to).body(body::empty()).unwrap()
    });
    let puppet = house.puppet("https", service).await;
    let own = [
        format!("https://localhost:{}/d/{}", house.cloud.address().port(), puppet.id),
        format!("https://{}.cams.localhost", puppet.id),
    ];
    for (to, expected) in [
        ("https://evil.example/login", Some("/login")),
        ("//evil.example/login", Some("/login")),
        ("~~evil.example/login", Some("/login")),
        ("/d/other/x", Some("/d/other/x")),
        ("../../../other/x", Some("/other/x")),
        ("/%2e%2e/%2e%2e/api/v1/session", Some("/api/v1/session")),
        ("http://169.254.169.254/latest", Some("/latest")),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("https://", None),
    ] {
        let all = both_ways(&house, &puppet, &Method::GET, &format!("/a/b?{to}"));
        for (base, asked) in own.iter().zip(all) {
            let answer = house.ask(asked).await;
            match expected {
                Some(path) => {
                    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{to}: {answer:?}");
                    assert_eq!(answer.headers[LOCATION], format!("{base}{path}"), "{to}");
                }
                None => assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{to}: {answer:?}"),
            }
        }
    }
    assert_eq!(seen.take().len(), 20, "none was followed");
}

#[tokio::test]
async fn an_address_in_a_reply_leads_to_no_other_device() {
    let house = house().await;
    let (neighbour, seen) = house.witness().await;
    let port = house.cloud.address().port();
    let names = [
        format!("https://localhost:{port}/d/{}/onvif/x", neighbour.id),
        format!("https://{}.cams.localhost/onvif/x", neighbour.id),
        format!("https://localhost:{port}/d/ME/../{}/onvif/x", neighbour.id),
        format!("https://localhost:{port}/d/ME/%2e%2e/{}/onvif/x", neighbour.id),
        "https://evil.example/onvif/x".to_owned(),
    ];
    for name in names {
        let told = name.clone();
        let service = move |request: Request<Body>| {
            let own = request.headers()["x-forwarded-prefix"].to_str().unwrap().replace("/d/", "");
            let text = format!(
                "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body>\
                 <XAddr xmlns='http://www.onvif.org/ver10/device/wsdl'>{}</XAddr></s:Body></s:Envelope>",
                told.replace("ME", &own)
            );
            let answer = Response::builder().header(CONTENT_TYPE, "application/soap+xml").body(body::full(text));
            std::future::ready(answer.unwrap())
        };
        let puppet = house.puppet("https", service).await;
        let asked = soap(&device_service(&puppet.id), &house.administrator, message(&GetDeviceInformation::default()));
        let answer = house.ask(asked).await;
        let from = answer.text.find("wsdl'>").unwrap() + 6;
        let address = &answer.text[from..answer.text.find("</XAddr>").unwrap()];
        assert!(address.starts_with(&format!("https://localhost:{port}/d/{}/", puppet.id)), "{name}: {address}");
        assert!(!address.contains("..") && !address.contains("%2e"), "{name}: {address}");
    }
    assert!(seen.take().is_empty());
}

/// A camera of bytes that got one request, and the client that waits for its answer.
async fn asked(house: &House, method: Method) -> (RawDevice, u32, tokio::task::JoinHandle<Result<Answer, String>>) {
    let mut device = house.raw_device().await;
    let asked = match method {
        Method::POST => {
            soap(&device_service(&device.id), &house.administrator, message(&GetDeviceInformation::default()))
        }
        method => request(method, &format!("/d/{}/x", device.id), &house.administrator),
    };
    let door = (**house).clone();
    let mut client = door.h2().await;
    let asked = door.absolute(asked).map(body::full);
    let answer = tokio::spawn(async move {
        let response = client.send_request(asked).await.map_err(|error| error.to_string())?;
        let (head, mut incoming) = response.into_parts();
        let mut text = Vec::new();
        while let Some(frame) = incoming.frame().await {
            text.extend_from_slice(&frame.map_err(|error| error.to_string())?.into_data().unwrap_or_default());
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Answer { status: head.status, version: head.version, headers: head.headers, text })
    });
    let stream = device.request().await;
    (device, stream, answer)
}

/// `:status 200`, and literal fields.
fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![0x88];
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

const SOAP: (&str, &str) = ("content-type", "application/soap+xml");

#[tokio::test]
async fn a_length_that_is_not_kept_ends_in_an_error_and_in_no_other_answer() {
    let house = house().await;
    let (neighbour, seen) = house.witness().await;
    for method in [Method::POST, Method::GET] {
        for (name, fields, data) in [
            ("too short", vec![SOAP, ("content-length", "10")], "abc"),
            ("too long", vec![SOAP, ("content-length", "3")], "abcdefghij"),
            ("no number", vec![SOAP, ("content-length", "3 ")], "abcdef"),
            ("chunked", vec![SOAP, ("transfer-encoding", "chunked")], "3\r\nabc\r\n0\r\n\r\n"),
            ("a connection's", vec![SOAP, ("connection", "close")], "abc"),
            ("in capitals", vec![SOAP, ("Set-Cookie", "a=b")], "abc"),
        ] {
            let (mut device, stream, answer) = asked(&house, method.clone()).await;
            let sent = [frame(HEADERS, 4, stream, &head(&fields)), frame(DATA, 1, stream, data.as_bytes())].concat();
            device.io.write_all(&sent).await.unwrap();
            match answer.await.unwrap() {
                Ok(answer) => assert!(answer.status.is_server_error(), "{name} {method}: {answer:?}"),
                // The head had gone out already.
                Err(error) => assert!(error.contains("error") || error.contains("reset"), "{name} {method}: {error}"),
            }
            still_works(&house, &neighbour, &seen).await;
        }
        // Two lengths: one of them at the most comes through.
        let (mut device, stream, answer) = asked(&house, method.clone()).await;
        let fields = [SOAP, ("content-length", "3"), ("content-length", "10")];
        device.io.write_all(&frame(HEADERS, 4, stream, &head(&fields))).await.unwrap();
        device.io.write_all(&frame(DATA, 1, stream, b"abc")).await.unwrap();
        if let Ok(answer) = answer.await.unwrap()
            && answer.status == StatusCode::OK
        {
            let lengths: Vec<_> = answer.headers.get_all("content-length").iter().collect();
            assert_eq!(lengths, ["3"], "{method}");
            assert_eq!(answer.text, "abc", "{method}");
        }
        still_works(&house, &neighbour, &seen).await;
    }
}

#[tokio::test]
async fn games_with_goaway_and_resets_end_in_an_answer_for_the_client() {
    let house = house().await;
    let (neighbour, seen) = house.witness().await;
    const GOAWAY: u8 = 7;
    for (name, bytes) in [
        ("GOAWAY that disowns the request", frame(GOAWAY, 0, 0, &[0; 8])),
        ("GOAWAY with an error", frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11])),
        (
            "GOAWAY twice, the second further",
            [frame(GOAWAY, 0, 0, &[0; 8]), frame(GOAWAY, 0, 0, &[0, 0, 0, 9, 0, 0, 0, 0])].concat(),
        ),
        ("a reset", frame(RST_STREAM, 0, 1, &[0, 0, 0, 2])),
        ("a reset that says it was never seen", frame(RST_STREAM, 0, 1, &[0, 0, 0, 7])),
        ("a reset that asks for HTTP/1.1", frame(RST_STREAM, 0, 1, &[0, 0, 0, 13])),
        (
            "a reset within the answer",
            [frame(HEADERS, 4, 1, &head(&[SOAP])), frame(RST_STREAM, 0, 1, &[0, 0, 0, 2])].concat(),
        ),
    ] {
        let (mut device, stream, answer) = asked(&house, Method::POST).await;
        assert_eq!(stream, 1);
        device.io.write_all(&bytes).await.unwrap();
        device.io.shutdown().await.unwrap();
        drop(device);
        let patience = std::time::Duration::from_secs(20);
        let answer = tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| panic!("{name}: no answer"));
        let answer = answer.unwrap().unwrap();
        assert!(answer.status.is_server_error(), "{name}: {answer:?}");
        still_works(&house, &neighbour, &seen).await;
    }
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn bodies_and_headers_without_end_take_no_memory_and_no_neighbour() {
    let house = house().await;
    let (neighbour, seen) = house.witness().await;
    let endless = |_: Request<Body>| async {
        let piece = Bytes::from(vec![b' '; 16 * 1024]);
        let frames = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(Frame::data(piece.clone())));
        let response = Response::builder().header(CONTENT_TYPE, "application/soap+xml");
        response.body(body::boxed(StreamBody::new(frames))).unwrap()
    };
    let puppet = house.puppet("https", endless).await;
    let before = resident();
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut client = house.h2_with_window(1024).await;
        let asked = soap(&device_service(&puppet.id), &house.administrator, message(&GetDeviceInformation::default()));
        let answer = client.send_request(house.absolute(asked).map(body::full)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        held.push((client, answer));
    }
    for _ in 0..20 {
        still_works(&house, &neighbour, &seen).await;
    }
    let taken = resident().saturating_sub(before);
    assert!(taken < 96 << 20, "{} MiB for eight answers that nobody reads", taken >> 20);
    // Who reads gets on, for as long as it likes.
    let (_, answer) = held.pop().unwrap();
    let mut body = answer.into_body();
    let mut read = 0;
    while read < 1 << 20 {
        read += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    drop(held);
    // Headers: as many and as long as HTTP/2 lets it, and one that is beyond.
    let long = |_: Request<Body>| async {
        let mut response = Response::new(body::empty());
        for n in 0..100 {
            let name = HeaderName::try_from(format!("x-{n}")).unwrap();
            response.headers_mut().insert(name, "y".repeat(100).parse().unwrap());
        }
        response.headers_mut().insert("server", "z".repeat(2000).parse().unwrap());
        response
    };
    let puppet = house.puppet("https", long).await;
    for asked in both_ways(&house, &puppet, &Method::GET, "/") {
        let answer = house.ask(asked).await;
        assert!(answer.headers.len() < 16, "{answer:?}");
    }
    still_works(&house, &neighbour, &seen).await;
}
