//! Headers that must not pass: those meant for us, those that lie about who asked, and those by which a camera would reach beyond its device.

use http::header::{self, HeaderName};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};

use super::Call;
use crate::refusal::Refusal;

/// Meant for one connection (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Meant for us, or a claim about the caller that only we may make.
const NOT_FOR_DEVICES: [HeaderName; 14] = [
    header::VIA,
    header::EXPECT,
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-http-method-override"),
    header::HOST,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::FORWARDED,
    HeaderName::from_static("client-cert"),
    HeaderName::from_static("client-cert-chain"),
    HeaderName::from_static("x-real-ip"),
];

/// By these a camera would touch what else lives at our origin.
const NOT_FROM_DEVICES: [HeaderName; 14] = [
    header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("authentication-info"),
    HeaderName::from_static("reporting-endpoints"),
    HeaderName::from_static("set-cookie2"),
    header::SET_COOKIE,
    header::STRICT_TRANSPORT_SECURITY,
    header::WWW_AUTHENTICATE,
    header::ALT_SVC,
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("public-key-pins"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("nel"),
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The request as the device gets it.
pub(super) fn request<B>(mut request: Request<B>, call: &Call) -> Request<B> {
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    NOT_FOR_DEVICES.iter().for_each(|name| drop(headers.remove(name)));
    let forwarded: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-forwarded-")).cloned().collect();
    forwarded.iter().for_each(|name| drop(headers.remove(name)));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    if let Ok(authority) = HeaderValue::try_from(call.authority.as_str()) {
        headers.insert(X_FORWARDED_HOST, authority);
    }
    if let Ok(prefix) = HeaderValue::try_from(format!("/d/{}", call.device)) {
        headers.insert(X_FORWARDED_PREFIX, prefix);
    }
    if let Ok(source) = HeaderValue::try_from(call.peer.source.to_string()) {
        headers.insert(X_FORWARDED_FOR, source);
    }
    let mut target = http::uri::Parts::default();
    target.scheme = Some(Scheme::HTTPS);
    target.authority = Some(call.authority.clone());
    target.path_and_query = Some(call.target.clone());
    *request.uri_mut() = Uri::from_parts(target).expect("scheme, authority and path together are an address");
    request.extensions_mut().clear();
    request
}

/// Where the client asked us: the device's idea of its own address, and the beginning of every address in its replies.
pub(super) fn authority<B>(request: &Request<B>) -> Option<Authority> {
    // RFC 9113 §8.3.1: no user information; in an address that we hand out it would mislead.
    let plain = |authority: &Authority| !authority.as_str().contains('@');
    if let Some(authority) = request.uri().authority() {
        return Some(authority.clone()).filter(plain);
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok().filter(plain),
        _ => None,
    }
}

/// The device's answer as the client gets it.
///
/// # Errors
/// The device wants to be convinced, although in its uplink the configured level counts (Uplink §5.3): the client could not do that, and must not read the
/// status as our word about its token.
pub(super) fn response<B>(mut response: Response<B>) -> Result<Response<B>, Refusal> {
    if response.status() == StatusCode::UNAUTHORIZED {
        let detail = "the device asks for credentials of its own, which an uplink does not carry";
        return Err(Refusal::new(StatusCode::BAD_GATEWAY, detail));
    }
    *response.version_mut() = http::Version::default();
    let headers = response.headers_mut();
    strip_hop_by_hop(headers);
    NOT_FROM_DEVICES.iter().for_each(|name| drop(headers.remove(name)));
    let cors: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    cors.iter().for_each(|name| drop(headers.remove(name)));
    // Nothing of a device's runs at our origin.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.extensions_mut().clear();
    Ok(response)
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    named.iter().chain(&HOP_BY_HOP).for_each(|name| drop(headers.remove(name)));
}
