//! Two parsers, one request: what the gateway checked is what the device gets, or the device gets nothing.

use std::sync::Mutex;

use http::StatusCode;
use oriel_cloud::records::Role;
use oriel_onvif::ns;
use oriel_soap::access::Level;
use oriel_soap::auth::DigestClient;
use oriel_soap::xml::Limits;
use oriel_soap::{Envelope, envelope::ContentType};

use super::House;
use super::access_keys::{answer_to, bare_soap};
use super::camera::{Asked, Puppet, Seen};
use super::client::{device_service, enveloped};

/// What a User may ask, and what not.
pub(crate) const ALLOWED: &str = "GetDeviceInformation";
pub(crate) const FORBIDDEN: &str = "SystemReboot";

pub(crate) struct Trick {
    pub(crate) name: &'static str,
    /// Header lines in place of an ordinary Content-Type.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// None: it passes, cleaned.
    pub(crate) refused: Option<u16>,
}

fn trick(name: &'static str, headers: &str, body: impl Into<Vec<u8>>, refused: Option<u16>) -> Trick {
    Trick { name, headers: headers.to_owned(), body: body.into(), refused }
}

const SOAP: &str = "Content-Type: application/soap+xml; charset=utf-8\r\n";

fn element(name: &str) -> String {
    format!("<t:{name} xmlns:t=\"{}\"/>", ns::TDS.uri)
}

fn good() -> String {
    enveloped(&element(ALLOWED))
}

pub(crate) fn action(name: &str) -> String {
    format!("{}/{name}", ns::TDS.uri)
}

/// What the head says beside the body, or of it.
pub(crate) fn by_head() -> Vec<Trick> {
    let other = action(FORBIDDEN);
    let typed = |more: &str| format!("Content-Type: application/soap+xml; charset=utf-8{more}\r\n");
    vec![
        trick("SOAPAction of another operation", &format!("{SOAP}SOAPAction: \"{other}\"\r\n"), good(), Some(400)),
        trick("an action parameter of another operation", &typed(&format!("; action=\"{other}\"")), good(), Some(400)),
        trick(
            "a right action parameter and a wrong SOAPAction",
            &format!("{}SOAPAction: \"{other}\"\r\n", typed(&format!("; action=\"{}\"", action(ALLOWED)))),
            good(),
            Some(415),
        ),
        trick(
            "two SOAPActions",
            &format!("{SOAP}SOAPAction: \"{}\"\r\nSOAPAction: \"{other}\"\r\n", action(ALLOWED)),
            good(),
            Some(400),
        ),
        trick(
            "two action parameters",
            &typed(&format!("; action=\"{}\"; action=\"{other}\"", action(ALLOWED))),
            good(),
            Some(415),
        ),
        trick("a right SOAPAction", &format!("{SOAP}SOAPAction: \"{}\"\r\n", action(ALLOWED)), good(), None),
        trick("two content types", &format!("{SOAP}Content-Type: text/xml\r\n"), good(), Some(400)),
        trick(
            "MTOM",
            "Content-Type: multipart/related; type=\"application/xop+xml\"; boundary=b\r\n",
            good(),
            Some(403),
        ),
        trick(
            "MTOM with the request as its root",
            "Content-Type: multipart/related; type=\"application/xop+xml\"; start=\"<r>\"; start-info=\"application/soap+xml\"; boundary=b\r\n",
            format!(
                "--b\r\nContent-ID: <r>\r\nContent-Type: application/xop+xml\r\n\r\n{}\r\n--b--",
                good().replace(ALLOWED, FORBIDDEN)
            ),
            Some(403),
        ),
        trick(
            "SOAP and MTOM at once",
            "Content-Type: application/soap+xml, multipart/related; boundary=b\r\n",
            good(),
            Some(403),
        ),
        trick("XOP", "Content-Type: application/xop+xml; type=\"application/soap+xml\"\r\n", good(), Some(403)),
        trick("a form", "Content-Type: application/x-www-form-urlencoded\r\n", good(), Some(403)),
        trick("no content type", "X-Nothing: 1\r\n", good(), Some(403)),
        trick("a compressed body", &format!("{SOAP}Content-Encoding: gzip\r\n"), good(), Some(415)),
        trick(
            "a body that is not encoded, and says so",
            &format!("{SOAP}Content-Encoding: identity\r\n"),
            good(),
            Some(415),
        ),
        trick("UTF-16 by charset", &typed("").replace("utf-8", "utf-16"), utf16(&good()), Some(415)),
        trick("UTF-7 by charset", &typed("").replace("utf-8", "utf-7"), good(), Some(415)),
    ]
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// What the body says to one parser and not to the other.
pub(crate) fn by_body() -> Vec<Trick> {
    let (yes, no) = (element(ALLOWED), element(FORBIDDEN));
    let (open, close) = (format!("<t:{ALLOWED} xmlns:t=\"{}\">", ns::TDS.uri), format!("</t:{ALLOWED}>"));
    let case = |name, body: String, refused| trick(name, SOAP, enveloped(&body), refused);
    let plain = |name, body: String, refused| trick(name, SOAP, body, refused);
    let addressed = good().replace(
        "<s:Body>",
        &format!(
            "<s:Header><a:Action xmlns:a=\"http://www.w3.org/2005/08/addressing\">{}</a:Action></s:Header><s:Body>",
            action(FORBIDDEN)
        ),
    );
    vec![
        case("two requests in one body", format!("{yes}{no}"), Some(400)),
        plain("two bodies", good().replace("</s:Envelope>", &format!("<s:Body>{no}</s:Body></s:Envelope>")), Some(400)),
        plain(
            "a body before the body",
            good().replace("<s:Body>", &format!("<s:Body>{no}</s:Body><s:Body>")),
            Some(400),
        ),
        plain("two envelopes", format!("{}{}", good(), good().replace(ALLOWED, FORBIDDEN)), Some(400)),
        plain("text behind the envelope", format!("{}{no}", good()), Some(400)),
        case("a request in a comment", format!("<!--{no}-->{yes}<!-- {no} -->"), None),
        case("a comment in the request", format!("{open}<!-- {no} -->{close}"), None),
        case("a request in a processing instruction", format!("{yes}<?request {no}?>"), None),
        case("a processing instruction in the request", format!("{open}<?{FORBIDDEN} now?>{close}"), None),
        case(
            "a comment in the name",
            format!("<t:Get<!-- -->DeviceInformation xmlns:t=\"{}\"/>", ns::TDS.uri),
            Some(400),
        ),
        case("a request as character data", format!("<![CDATA[{no}]]>{yes}"), Some(400)),
        case(
            "the name in another namespace",
            yes.replace(ns::TDS.uri, "http://www.onvif.org/ver10/other/wsdl"),
            Some(403),
        ),
        case("the name without a namespace", format!("<{ALLOWED}/>"), Some(403)),
        case(
            "the name with a space in its namespace",
            yes.replace(ns::TDS.uri, &format!("{} ", ns::TDS.uri)),
            Some(403),
        ),
        case("another letter case", yes.replace(ALLOWED, "getDeviceInformation"), Some(403)),
        plain("an action header of another operation", addressed, Some(400)),
        plain("an entity", format!("<!DOCTYPE x [<!ENTITY e '{no}'>]>{}", good().replace(&yes, "&e;")), Some(400)),
        plain("UTF-16 without a charset", String::from_utf8_lossy(&utf16(&good())).into_owned(), Some(400)),
        plain(
            "a declaration of another encoding",
            format!("<?xml version=\"1.0\" encoding=\"utf-7\"?>{}", good()),
            None,
        ),
        plain("an order mark", format!("\u{feff}{}", good()), None),
        plain(
            "SOAP 1.1",
            good().replace("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"),
            Some(500),
        ),
        plain("NUL in between", good().replace("<s:Body>", "<s:Body>\0"), Some(400)),
    ]
}

/// How a client comes: by which address, with what in its hand.
struct Way {
    name: &'static str,
    host: String,
    path: String,
    proof: Proof,
}

enum Proof {
    Bearer(String),
    Digest(Mutex<DigestClient>),
}

impl Way {
    /// Request line, host and credentials.
    fn head(&self) -> String {
        let (path, host) = (&self.path, &self.host);
        let authorization = match &self.proof {
            Proof::Bearer(token) => format!("Bearer {token}"),
            Proof::Digest(client) => client.lock().unwrap().again("POST", path).unwrap(),
        };
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n")
    }
}

async fn house() -> House {
    House::open_with(|config| config.domain = Some("cams.localhost".to_owned())).await
}

/// Both routes, both kinds of credentials, all of a User.
async fn ways(house: &House, puppet: &Puppet) -> Vec<Way> {
    let key = house.key(&puppet.id, Role::Viewer).await;
    let places = [
        ("localhost".to_owned(), device_service(&puppet.id)),
        (format!("{}.cams.localhost", puppet.id), "/onvif/device_service".to_owned()),
    ];
    let mut ways = Vec::new();
    for (name, (host, path)) in ["path", "host"].into_iter().zip(places) {
        let token = house.token(Level::User).await;
        ways.push(Way { name, host: host.clone(), path: path.clone(), proof: Proof::Bearer(token) });
        let mut asked = bare_soap(&path, good());
        asked.headers_mut().insert("host", host.parse().unwrap());
        let refused = house.ask(asked).await;
        let mut client = DigestClient::new(&key.name, &key.password);
        answer_to(&mut client, &refused, "POST", &path);
        ways.push(Way { name, host, path, proof: Proof::Digest(Mutex::new(client)) });
    }
    ways
}

/// Sends it, and gives status and answer.
async fn send(house: &House, way: &Way, trick: &Trick) -> (u16, String) {
    let head =
        format!("{}Connection: close\r\n{}Content-Length: {}\r\n\r\n", way.head(), trick.headers, trick.body.len());
    let answer = house.raw(&[head.as_bytes(), &trick.body].concat()).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{}: {answer:?}", trick.name)), answer)
}

/// The device got one request, and whoever reads it in any way finds the allowed one alone.
fn only_the_allowed(asked: &[Asked], name: &str) {
    assert_eq!(asked.len(), 1, "{name}");
    let Asked { headers, body, .. } = &asked[0];
    assert!(!body.contains(FORBIDDEN) && !body.contains("<!") && !body[5..].contains("<?"), "{name}: {body}");
    let message = Envelope::parse(body.as_bytes(), &Limits::REQUEST).unwrap();
    assert_eq!(message.operation(), (ns::TDS.uri, ALLOWED), "{name}");
    assert!(!headers.contains_key("soapaction"), "{name}");
    assert_eq!(headers.get_all("content-type").iter().count(), 1);
    let kind = ContentType::parse(headers["content-type"].to_str().ok(), None).unwrap();
    assert!(kind.action.is_none_or(|told| told == action(ALLOWED)), "{name}");
    let lengths: Vec<_> = headers.get_all("content-length").iter().collect();
    assert_eq!(lengths, [body.len().to_string().as_str()], "{name}");
    assert!(!headers.contains_key("transfer-encoding") && !headers.contains_key("content-encoding"), "{name}");
}

async fn each(tricks: Vec<Trick>) {
    let house = house().await;
    let (puppet, seen) = house.witness().await;
    let mut wrong = Vec::new();
    for way in ways(&house, &puppet).await {
        for trick in &tricks {
            let (status, answer) = send(&house, &way, trick).await;
            let asked = seen.take();
            if status == trick.refused.unwrap_or(200) {
                if trick.refused.is_some() {
                    assert!(asked.is_empty(), "{} reached the device: {asked:?}", trick.name);
                } else {
                    only_the_allowed(&asked, trick.name);
                }
            } else {
                let last = answer.lines().last().unwrap_or_default();
                wrong.push(format!("{} by {}: {status}, not {:?}: {last}", trick.name, way.name, trick.refused));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_head_that_says_something_else_than_the_body_gets_nowhere() {
    each(by_head()).await;
}

#[tokio::test]
async fn a_body_that_two_parsers_could_read_in_two_ways_gets_nowhere() {
    each(by_body()).await;
}

/// One framing of the allowed request; the forbidden one may hide behind it.
async fn framed(house: &House, seen: &Seen, head: &str, rest: &str) -> bool {
    let answer = house.raw(format!("{head}\r\n{rest}").as_bytes()).await;
    let asked = seen.take();
    if asked.is_empty() {
        let status = answer.split(' ').nth(1).unwrap_or("closed");
        assert!(["400", "501", "closed"].contains(&status), "{head}: {answer}");
    } else {
        only_the_allowed(&asked, head);
        // What follows the first request is one of its own, without credentials.
        assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 1, "{head}: {answer}");
        assert!(!answer.contains("HTTP/1.1 401 ") || answer.matches("HTTP/1.1 ").count() == 2, "{head}: {answer}");
    }
    !asked.is_empty()
}

#[tokio::test]
async fn a_length_that_can_be_read_in_two_ways_hides_no_second_request() {
    let house = house().await;
    let (puppet, seen) = house.witness().await;
    for way in ways(&house, &puppet).await {
        let head = |lines: &str| format!("{}{SOAP}{lines}", way.head());
        let (yes, no) = (good(), good().replace(ALLOWED, FORBIDDEN));
        let chunked = format!("{:x}\r\n{yes}\r\n0\r\n\r\n", yes.len());
        // Whoever reads past the end finds a request without credentials.
        let second = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{SOAP}Content-Length: {}\r\n\r\n{no}",
            way.path,
            way.host,
            no.len()
        );
        for lines in lengths(yes.len(), yes.len() + second.len()) {
            framed(&house, &seen, &head(&lines), &format!("{yes}{second}")).await;
        }
        for lines in codings(chunked.len() + second.len()) {
            framed(&house, &seen, &head(&lines), &format!("{chunked}{second}")).await;
        }
        // The two that can be read in one way only.
        let length = format!("Content-Length: {}\r\n", yes.len());
        assert!(framed(&house, &seen, &head(&length), &format!("{yes}{second}")).await);
        assert!(framed(&house, &seen, &head("Transfer-Encoding: chunked\r\n"), &format!("{chunked}{second}")).await);
    }
}

pub(crate) fn lengths(length: usize, all: usize) -> Vec<String> {
    vec![
        format!("Content-Length: {length}\r\nContent-Length: {all}\r\n"),
        format!("Content-Length: {all}\r\nContent-Length: {length}\r\n"),
        format!("Content-Length: {length}, {all}\r\n"),
        format!("Content-Length: +{length}\r\n"),
        format!("Content-Length: 0x{length:x}\r\n"),
        format!("Content-Length : {length}\r\n"),
    ]
}

pub(crate) fn codings(all: usize) -> Vec<String> {
    vec![
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {all}\r\n"),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(),
        "Transfer-Encoding: identity, chunked\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding:\x0bchunked\r\n".to_owned(),
    ]
}

#[tokio::test]
async fn a_path_stays_with_its_device() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let (other, other_seen) = house.witness().await;
    let only_one = house.token_for(Level::Administrator, Some(&[&puppet.id])).await;
    for rest in [
        format!("/../{}/onvif/device_service", other.id),
        format!("/..%2f{}/onvif/device_service", other.id),
        format!("/%2e%2e/{}/x", other.id),
        "/../../api/v1/devices".to_owned(),
        "//onvif/device_service".to_owned(),
        "?path=/onvif/device_service".to_owned(),
        String::new(),
    ] {
        let head = format!(
            "GET /d/{}{rest} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {only_one}\r\nConnection: close\r\n\r\n",
            puppet.id
        );
        let answer = house.raw(head.as_bytes()).await;
        let asked = seen.take();
        assert!(other_seen.take().is_empty(), "{rest}");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{rest}: {answer}");
        let expected = if rest.starts_with('/') { rest.clone() } else { format!("/{rest}") };
        assert_eq!(asked[0].uri.path_and_query().unwrap().as_str(), expected);
    }
    // The other device by a part of its name, or the name in other letters, is no device.
    for name in [&other.id[..8], &other.id.to_uppercase(), &format!("{}%00", other.id)] {
        let answer =
            house.ask(super::client::request(http::Method::GET, &format!("/d/{name}/x"), &house.administrator)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
    }
}
