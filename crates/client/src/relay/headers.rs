//! Header fields that must not pass: those meant for whoever relays, those that lie about who asked, and those by which a device would reach beyond itself.

use http::HeaderMap;
use http::header::{self, HeaderName};

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

/// What is left of a client's header fields, with room for `more`.
#[must_use]
pub fn of_request(came: HeaderMap, more: usize) -> HeaderMap {
    let nominated = nominated(&came);
    // One pass, and one table: each removal would be a search of its own.
    let mut headers = HeaderMap::with_capacity(came.len() + more);
    let mut current = None;
    for (name, value) in came {
        if let Some(name) = name {
            current = Some(name).filter(|name| passes(name) && !nominated.contains(name));
        }
        if let Some(name) = &current {
            headers.append(name.clone(), value);
        }
    }
    headers
}

/// The names in `Connection`: meant for one connection too.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// What is left of a device's header fields, with room for `more`.
#[must_use]
pub fn of_response(came: HeaderMap, more: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(came.len().min(16) + more);
    // A name is given with the first of its values: what is there twice, with another meaning each time, is there once.
    for (name, value) in came.into_iter().filter_map(|(name, value)| Some((name?, value))) {
        if comes_back(&name) {
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn what_was_meant_for_us_or_claims_to_be_ours_goes_no_further() {
        let came = map(&[
            ("accept", "a"),
            ("accept", "b"),
            ("authorization", "Digest x"),
            ("cookie", "c"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=1"),
            ("client-cert", ":x:"),
            ("if-none-match", "e"),
        ]);
        let left = of_request(came, 0);
        assert_eq!(left.get_all("accept").iter().count(), 2);
        assert_eq!(left.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept", "if-none-match"]);
    }

    #[test]
    fn a_device_speaks_of_its_content_alone() {
        let came = map(&[
            ("content-type", "image/jpeg"),
            ("content-length", "5"),
            ("content-length", "6"),
            ("set-cookie", "s=1"),
            ("strict-transport-security", "max-age=1"),
            ("service-worker-allowed", "/"),
            ("location", "/x"),
        ]);
        let left = of_response(came, 0);
        assert_eq!(left, map(&[("content-type", "image/jpeg"), ("content-length", "5")]));
    }
}
