//! One request: from the port to the cloud, and its answer back, with the addresses in it made to lead through the port.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use oriel_soap::{Fault, addresses};
use tokio::sync::watch;

use super::{Gateway, Port, guard, headers};
use crate::TransportError;
use crate::body::{After, beginning};

/// An answer's body from the cloud.
type Kept = crate::pool::Kept<Incoming>;
/// What the port answers with.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// For the answer to SOAP to begin: longer than the cloud waits for a device.
const SOAP_ANSWER: Duration = Duration::from_secs(160);
/// For any other answer to begin, with an upload before it.
const OTHER_ANSWER: Duration = Duration::from_secs(15 * 60);
/// An answer of at most this length is looked through for addresses; the longest that devices give are far shorter.
const LOOKED_THROUGH: usize = 1024 * 1024;
/// How long the rest of such an answer may take.
const REST: Duration = Duration::from_secs(60);
/// Any account is let in: the port's token is what counts.
const CHALLENGE: &str = "Digest realm=\"oriel forward\", qop=\"auth\", algorithm=MD5, nonce=\"any\"";

/// Answers a request at the port.
pub(super) async fn answer(request: Request<Incoming>, port: &Port, closed: watch::Receiver<bool>) -> Response<Body> {
    let soap = request.method() == Method::POST && is_xml(request.headers());
    let host = match guard::asked(&request, port.exposed) {
        Ok(host) => host,
        Err((status, why)) => return refusal(status, why, soap),
    };
    if request.method() == Method::CONNECT {
        return refusal(StatusCode::NOT_IMPLEMENTED, "this port leads to one device and is no proxy", soap);
    }
    if soap && wants_challenge(&request) {
        let mut challenge = refusal(StatusCode::UNAUTHORIZED, "show any account", soap);
        challenge.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        return challenge;
    }
    match forward(request, &port.gateway, &host, soap, closed).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(port = %port.address, %error, "a request did not get through to the cloud");
            let status = match error {
                TransportError::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            };
            refusal(status, &format!("between this port and the cloud: {error}"), soap)
        }
    }
}

/// Some clients send the head of a request alone, to be challenged, and the request itself with their answer to that.
fn wants_challenge(request: &Request<Incoming>) -> bool {
    request.body().is_end_stream() && !request.headers().contains_key(AUTHORIZATION)
}

async fn forward(
    mut request: Request<Incoming>,
    gateway: &Gateway,
    host: &Authority,
    soap: bool,
    closed: watch::Receiver<bool>,
) -> Result<Response<Body>, TransportError> {
    let websocket = headers::up(request.headers_mut());
    let path = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let target: Uri = format!("{}{path}", gateway.prefix)
        .parse()
        .map_err(|_| TransportError::Address(format!("{path} cannot be passed on")))?;
    let client = websocket.then(|| hyper::upgrade::on(&mut request));
    *request.uri_mut() = target;
    *request.version_mut() = http::Version::HTTP_11;
    request.headers_mut().insert(HOST, gateway.host.clone());
    request.headers_mut().insert(AUTHORIZATION, gateway.bearer.clone());
    let limit = if soap { SOAP_ANSWER } else { OTHER_ANSWER };
    let answer = tokio::time::timeout(limit, gateway.pool.send(request)).await;
    let mut response = answer.map_err(|_| TransportError::Timeout("HTTP"))??;
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    headers::down(response.headers_mut(), switched);
    if response.status() == StatusCode::UNAUTHORIZED {
        // It speaks of our token, and the client would take it for a word about its account.
        tracing::warn!("the cloud does not take the token");
        return Ok(refusal(StatusCode::BAD_GATEWAY, "the cloud does not take this port's token (401)", soap));
    }
    if let (true, Some(client)) = (switched, client) {
        let device = hyper::upgrade::on(&mut response);
        let (parts, body) = response.into_parts();
        tokio::spawn(splice(client, device, body, closed));
        return Ok(Response::from_parts(parts, empty()));
    }
    let local = format!("http://{host}");
    relocate(response.headers_mut(), &gateway.base, &local);
    if is_xml(response.headers()) {
        return readdress(response, &gateway.base, &local).await;
    }
    Ok(response.map(boxed))
}

/// Carries a WebSocket's bytes both ways, until either side ends or the port does.
async fn splice(
    client: hyper::upgrade::OnUpgrade,
    device: hyper::upgrade::OnUpgrade,
    _connection: Kept,
    mut closed: watch::Receiver<bool>,
) {
    let (Ok(client), Ok(device)) = tokio::join!(client, device) else { return };
    let (mut client, mut device) = (TokioIo::new(client), TokioIo::new(device));
    tokio::select! {
        _ended = tokio::io::copy_bidirectional(&mut client, &mut device) => {}
        _ = closed.wait_for(|closed| *closed) => {}
    }
}

/// The address as the port gives it out, if it is one of the gateway's.
fn local(address: &str, base: &str, local: &str) -> Option<String> {
    let path = address.strip_prefix(base)?;
    (path.is_empty() || path.starts_with(['/', '?'])).then(|| format!("{local}{path}"))
}

fn relocate(headers: &mut HeaderMap, base: &str, to: &str) {
    let location = headers.get(LOCATION).and_then(|value| local(value.to_str().ok()?, base, to)?.try_into().ok());
    if let Some(location) = location {
        headers.insert(LOCATION, location);
    }
}

/// Makes the addresses of a short answer lead through the port; a long one is passed on as it comes.
async fn readdress(response: Response<Kept>, base: &str, to: &str) -> Result<Response<Body>, TransportError> {
    let (mut parts, mut body) = response.into_parts();
    let length = body.size_hint().lower();
    if usize::try_from(length).is_ok_and(|length| length <= LOOKED_THROUGH) {
        let read = tokio::time::timeout(REST, beginning(&mut body, LOOKED_THROUGH)).await;
        let (beginning, whole) = read.map_err(|_| TransportError::Timeout("HTTP"))??;
        if !whole {
            return Ok(Response::from_parts(parts, boxed(After::new(beginning, body))));
        }
        let rewritten = addresses::replace(&beginning, |_, address| local(address, base, to));
        let bytes = rewritten.map_or(beginning, Bytes::from);
        parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
        return Ok(Response::from_parts(parts, full(bytes)));
    }
    Ok(Response::from_parts(parts, boxed(body)))
}

fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(media.as_str(), "application/soap+xml" | "text/xml" | "application/xml")
}

fn boxed(body: impl http_body::Body<Data = Bytes, Error = hyper::Error> + Send + 'static) -> Body {
    UnsyncBoxBody::new(body.map_err(std::io::Error::other))
}

fn full(bytes: Bytes) -> Body {
    UnsyncBoxBody::new(Full::new(bytes).map_err(|never| match never {}))
}

fn empty() -> Body {
    full(Bytes::new())
}

/// The port's own word: a fault to a SOAP client, text to others.
fn refusal(status: StatusCode, why: &str, soap: bool) -> Response<Body> {
    let (kind, text) = if soap {
        let fault = if status == StatusCode::UNAUTHORIZED { Fault::not_authorized(why) } else { Fault::action(why) };
        (oriel_soap::envelope::CONTENT_TYPE, fault.to_envelope(None))
    } else {
        ("text/plain; charset=utf-8", format!("{why}\n").into_bytes())
    };
    let mut response = Response::new(full(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_addresses_alone_become_the_ports() {
        let base = "https://cloud.example:8443/d/cam";
        let made = |address| local(address, base, "http://127.0.0.1:9");
        assert_eq!(made("https://cloud.example:8443/d/cam/onvif/x?a=1").unwrap(), "http://127.0.0.1:9/onvif/x?a=1");
        assert_eq!(made(base).unwrap(), "http://127.0.0.1:9");
        for other in ["https://cloud.example:8443/d/camera2/x", "https://cloud.example/d/cam/x", "http://10.0.0.1/x"] {
            assert_eq!(made(other), None, "{other}");
        }
    }
}
