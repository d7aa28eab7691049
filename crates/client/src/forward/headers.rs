//! Headers that end at the port: those of one connection, what the client shows of itself, and what a cloud says to a browser at its own origin.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

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

/// A client's account is none of the cloud's; a compressed answer could not be read here; we answer `Expect` ourselves.
const NOT_UP: [HeaderName; 9] = [
    header::HOST,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
    header::ORIGIN,
    header::REFERER,
    header::FORWARDED,
];

const NOT_DOWN: [HeaderName; 4] = [
    header::SET_COOKIE,
    header::STRICT_TRANSPORT_SECURITY,
    header::ALT_SVC,
    HeaderName::from_static("access-control-allow-origin"),
];

/// For the cloud. Returns whether the client wants a WebSocket.
pub(super) fn up(headers: &mut HeaderMap) -> bool {
    let wanted = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    let websocket = wanted.is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    strip_hop_by_hop(headers);
    NOT_UP.iter().for_each(|name| drop(headers.remove(name)));
    if websocket {
        set_websocket(headers);
    }
    websocket
}

/// For the client.
pub(super) fn down(headers: &mut HeaderMap, websocket: bool) {
    strip_hop_by_hop(headers);
    NOT_DOWN.iter().for_each(|name| drop(headers.remove(name)));
    if websocket {
        set_websocket(headers);
    }
}

fn set_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
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
