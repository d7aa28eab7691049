//! Headers that must not pass: those meant for us, those that lie about who asked, and those by which a camera would reach beyond its device.

use std::mem;

use http::header::{self, HeaderName};
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use oriel_client::relay;

use super::{Call, Content};
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

/// The request as the device gets it.
pub(super) fn request<B>(mut request: Request<B>, call: &Call) -> Request<B> {
    let mut headers = relay::headers::of_request(mem::take(request.headers_mut()), 4);
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
    let mut came = mem::take(response.headers_mut());
    let led = came.remove(header::LOCATION);
    let mut headers = relay::headers::of_response(came, 6);
    if let Some(led) = led {
        let led = relay::addresses::location(&call.route.target, &led).map(|led| format!("{}{led}", call.route.base()));
        let Some(Ok(led)) = led.map(HeaderValue::try_from) else {
            return bad("the device redirects to what is no page of its own");
        };
        headers.insert(header::LOCATION, led);
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
