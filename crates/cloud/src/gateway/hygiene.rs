//! Headers that must not pass: those meant for us, those that lie about who asked, and those by which a camera would reach beyond its device.

use std::mem;

use http::header::{self, HeaderName};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};

use super::{Call, Content, addresses};
use crate::refusal::Refusal;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Nothing of a device's runs, wherever it is shown.
const NOTHING_RUNS: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
/// A camera's own pages run at its own origin, and talk to nobody else. No worker of theirs outlives them.
const OWN_ORIGIN: HeaderValue = HeaderValue::from_static(
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; worker-src blob:; object-src 'none'; base-uri 'self'; \
     form-action 'self'; frame-ancestors 'self'",
);

/// Whether a client's header is passed on.
fn passes(name: &HeaderName) -> bool {
    match name.as_str() {
        // Meant for one connection (RFC 9110 §7.6.1).
        "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "transfer-encoding" | "upgrade" => false,
        // Meant for us.
        "host" | "authorization" | "proxy-authorization" | "cookie" | "expect" | "via" => false,
        // A claim about the caller or the request that only we may make.
        "forwarded" | "client-cert" | "client-cert-chain" | "x-real-ip" | "true-client-ip" => false,
        "x-original-url" | "x-rewrite-url" | "x-http-method-override" => false,
        other => !other.starts_with("x-forwarded-"),
    }
}

/// Whether a device's header is passed on: what it says of the content and of nothing beyond it. By all others, those still to be invented among them, it
/// might reach what else lives at our origin, or a proxy before us.
fn comes_back(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "accept-ranges"
            | "allow"
            | "content-disposition"
            | "content-encoding"
            | "content-language"
            | "content-length"
            | "content-range"
            | "content-type"
            | "date"
            | "etag"
            | "last-modified"
            | "retry-after"
            | "sec-websocket-extensions"
            | "sec-websocket-protocol"
            | "sec-websocket-version"
            | "server"
            | "vary"
    )
}

/// The request as the device gets it.
pub(super) fn request<B>(mut request: Request<B>, call: &Call) -> Request<B> {
    let came = mem::take(request.headers_mut());
    let nominated = nominated(&came);
    // One pass, and one table: each removal would be a search of its own.
    let mut headers = HeaderMap::with_capacity(came.len() + 4);
    let mut current = None;
    for (name, value) in came {
        if let Some(name) = name {
            current = Some(name).filter(|name| passes(name) && !nominated.contains(name));
        }
        if let Some(name) = &current {
            headers.append(name.clone(), value);
        }
    }
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    if let Ok(authority) = HeaderValue::try_from(call.route.authority.as_str()) {
        headers.insert(X_FORWARDED_HOST, authority);
    }
    // On a host of its own the device has no prefix.
    if let (false, Ok(prefix)) = (call.route.is_host(), HeaderValue::try_from(call.route.prefix.as_str())) {
        headers.insert(X_FORWARDED_PREFIX, prefix);
    }
    if let Ok(source) = HeaderValue::try_from(call.peer.source.to_string()) {
        headers.insert(X_FORWARDED_FOR, source);
    }
    *request.headers_mut() = headers;
    let mut target = http::uri::Parts::default();
    target.scheme = Some(Scheme::HTTPS);
    target.authority = Some(call.route.authority.clone());
    target.path_and_query = Some(call.route.target.clone());
    *request.uri_mut() = Uri::from_parts(target).expect("scheme, authority and path together are an address");
    request.extensions_mut().clear();
    request
}

/// The names in `Connection`: meant for one connection too.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// The device's answer as the client gets it.
///
/// # Errors
/// The device wants to be convinced, although in its uplink the configured level counts (Uplink §5.3): the client could not do that, and must not read the
/// status as our word about its credentials. Or it leads to where no device can be.
pub(super) fn response<B>(mut response: Response<B>, call: &Call, content: Content) -> Result<Response<B>, Refusal> {
    let bad = |detail: &str| Err(Refusal::new(StatusCode::BAD_GATEWAY, detail));
    if [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED].contains(&response.status()) {
        return bad("the device asks for credentials of its own, which an uplink does not carry");
    }
    let came = mem::take(response.headers_mut());
    let mut headers = HeaderMap::with_capacity(came.len().min(16) + 6);
    if let Some(led) = came.get(header::LOCATION) {
        let led = addresses::location(&call.route.target, led).map(|led| format!("{}{led}", call.route.base()));
        let Some(Ok(led)) = led.map(HeaderValue::try_from) else {
            return bad("the device redirects to what is no page of its own");
        };
        headers.insert(header::LOCATION, led);
    }
    // A name is given with the first of its values: what is there twice, with another meaning each time, is there once.
    for (name, value) in came.into_iter().filter_map(|(name, value)| Some((name?, value))) {
        if comes_back(&name) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = if content == Content::Page && call.route.is_host() { OWN_ORIGIN } else { NOTHING_RUNS };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if content != Content::Soap {
        // What was asked for with credentials is for nobody else, however public the device calls it.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers
            .insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    }
    *response.headers_mut() = headers;
    *response.version_mut() = http::Version::default();
    response.extensions_mut().clear();
    Ok(response)
}
