//! The requests, the answers, and the one handler behind every system: what is measured is the way to it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use oriel_soap::auth::UsernameToken;
use oriel_soap::ns;
use oriel_uplink::{Body, body};

/// SOAP bodies up to here are one piece; anything longer is streamed.
const LONGEST_SOAP: usize = 4 * 1024 * 1024;
/// A piece of a stream.
pub(crate) const PIECE: usize = 64 * 1024;

/// `application/soap+xml` as the tools of most vendors send it.
pub(crate) const SOAP: &str = "application/soap+xml; charset=utf-8";
/// What is no SOAP.
pub(crate) const OCTETS: &str = "application/octet-stream";

/// The account on cameras that ask who it is.
pub(crate) const CAMERA_USER: &str = "bridge";
pub(crate) const CAMERA_PASSWORD: &str = "bench-password";

/// A GetDeviceInformation of exactly `size` bytes, with the headers that ONVIF clients send.
pub(crate) fn request(size: usize) -> Bytes {
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action s:mustUnderstand="1">http://www.onvif.org/ver10/device/wsdl/GetDeviceInformation</a:Action><a:MessageID>urn:uuid:5a4f1f0e-93a5-4c2b-8a43-0a7e3c9d6f11</a:MessageID><a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo><b:Note xmlns:b="urn:example:bench">"#;
    let tail = r#"</b:Note></s:Header><s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>"#;
    padded(head, tail, size)
}

/// The same without the headers of WS-Addressing, which leaves room for a UsernameToken, if there is one.
pub(crate) fn signed(size: usize, token: Option<&UsernameToken>) -> Bytes {
    let security = token.map(security).unwrap_or_default();
    let head = format!(
        r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>{security}<b:Note xmlns:b="urn:b">"#
    );
    let tail = r#"</b:Note></s:Header><s:Body><GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>"#;
    padded(&head, tail, size)
}

/// The header that carries a token.
fn security(token: &UsernameToken) -> String {
    let (wsse, wsu) = (ns::WSSE.uri, ns::WSU.uri);
    let nonce = token.nonce.as_ref().map(|nonce| nonce.text.as_str()).unwrap_or_default();
    let password = token.password.as_ref();
    let kind = password.and_then(|password| password.kind.as_deref()).unwrap_or_default();
    format!(
        r#"<Security xmlns="{wsse}"><UsernameToken><Username>{}</Username><Password Type="{kind}">{}</Password><Nonce>{nonce}</Nonce><Created xmlns="{wsu}">{}</Created></UsernameToken></Security>"#,
        token.username,
        password.map(|password| password.text.as_str()).unwrap_or_default(),
        token.created.as_deref().unwrap_or_default(),
    )
}

/// A GetDeviceInformationResponse of exactly `size` bytes.
fn answer(size: usize) -> Bytes {
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><s:Body><tds:GetDeviceInformationResponse><tds:Manufacturer>Oriel</tds:Manufacturer><tds:Model>Bench</tds:Model><tds:FirmwareVersion>1.0</tds:FirmwareVersion><tds:SerialNumber>"#;
    let tail = r"</tds:SerialNumber><tds:HardwareId>bench</tds:HardwareId></tds:GetDeviceInformationResponse></s:Body></s:Envelope>";
    padded(head, tail, size)
}

fn padded(head: &str, tail: &str, size: usize) -> Bytes {
    let middle = size.saturating_sub(head.len() + tail.len());
    let padding: String = "0123456789abcdef".chars().cycle().take(middle).collect();
    [head, &padding, tail].concat().into()
}

/// The handler's answers, made once for each size.
#[derive(Clone, Default)]
pub(crate) struct Handler(Arc<Mutex<HashMap<usize, Bytes>>>);

impl Handler {
    fn soap(&self, size: usize) -> Bytes {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(size).or_insert_with(|| answer(size)).clone()
    }

    /// Reads all of the request and answers with as many bytes as its path says.
    pub(crate) async fn answer(self, request: Request<Body>) -> Response<Body> {
        let (answer, least) = sizes(request.uri().path());
        let mut incoming = request.into_body();
        let mut received = 0;
        while let Some(frame) = incoming.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(bytes)) => received += bytes.len(),
                Ok(Err(_)) => {}
                Err(_) => return status(StatusCode::BAD_REQUEST),
            }
        }
        if received < least {
            return status(StatusCode::BAD_REQUEST);
        }
        let (kind, body) =
            if answer > LONGEST_SOAP { (OCTETS, pieces(answer)) } else { (SOAP, body::full(self.soap(answer))) };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        headers.insert(header::CONTENT_LENGTH, answer.into());
        response
    }
}

/// The path that asks for `answer` bytes, in return for at least `sent`. Without a query: a gateway may let users no further than to plain service paths.
pub(crate) fn path(answer: u64, sent: usize) -> String {
    format!("/onvif/bench/{answer}/{sent}")
}

fn sizes(path: &str) -> (usize, usize) {
    let mut numbers = path.rsplit('/').map(|number| number.parse().unwrap_or(0));
    let sent = numbers.next().unwrap_or(0);
    (numbers.next().unwrap_or(0), sent)
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response
}

/// `size` bytes in pieces, as media comes.
fn pieces(size: usize) -> Body {
    let piece = Bytes::from(vec![b'm'; PIECE]);
    let frames = (0..size.div_ceil(PIECE))
        .map(move |n| Ok::<_, Infallible>(Frame::data(piece.slice(..PIECE.min(size - n * PIECE)))));
    body::boxed(StreamBody::new(stream::iter(frames)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_the_path() {
        assert_eq!(sizes(&path(1024, 900)), (1024, 900));
        assert_eq!(sizes("/d/x/onvif/device_service"), (0, 0));
    }

    #[test]
    fn a_user_may_send_the_request_and_sizes_are_exact() {
        use oriel_soap::access::{Level, allowed};
        use oriel_soap::{envelope::inspect, xml::Limits};
        for size in [1024, 1024 * 1024] {
            let request = request(size);
            assert_eq!((request.len(), answer(size).len()), (size, size));
            let limits = Limits { bytes: size, ..Limits::REQUEST };
            let envelope = inspect(&request, None, &limits).unwrap();
            assert_eq!(envelope.operation().1, "GetDeviceInformation");
        }
        assert!(allowed(Level::User.into(), oriel_soap::AccessClass::ReadSystem));
    }

    #[test]
    fn a_signed_request_is_as_long_as_one_that_is_not() {
        use oriel_soap::{envelope::inspect, xml::Limits};
        let token = UsernameToken::digest("abcdefghijklmnop", "secret", jiff::Timestamp::now());
        for signed in [signed(1024, None), signed(1024, Some(&token))] {
            assert_eq!(signed.len(), 1024);
            assert_eq!(inspect(&signed, None, &Limits::REQUEST).unwrap().operation().1, "GetDeviceInformation");
        }
    }
}
