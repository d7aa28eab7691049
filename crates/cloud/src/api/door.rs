//! The one place where a caller of the API is recognised and let through: a bearer token (RFC 6750 §2.1) or a browser's session, then the table of rights.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{ALLOW, AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Collected, LengthLimitError, Limited};
use oriel_uplink::BoxError;

use super::input::Caller;
use super::rights::{self, Denied, Needs, Row};
use super::{idempotency, session};
use crate::Shared;
use crate::port::Peer;
use crate::records::Principal;
use crate::refusal::Refusal;
use crate::room::{self, Room};

/// How long a caller may take to send a body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Lets a request through to its handler, or refuses it.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    // No route at all: the fallback says so.
    let Some(matched) = matched else { return next.run(request).await };
    let Some(row) = rights::row(matched.as_str(), request.method()) else { return not_in_table(&matched) };
    let (mut parts, body) = request.into_parts();
    let caller = match admit(row, &parts, &shared) {
        Ok(caller) => caller,
        Err(refusal) => return refusal.answer(),
    };
    if let Some(caller) = &caller {
        parts.extensions.insert(caller.clone());
    }
    // Held until the request is answered.
    let (body, _room) = match take(row, &parts, body, &shared).await {
        Ok(taken) => taken,
        Err(refusal) => return refusal.answer(),
    };
    let request = Request::from_parts(parts, body);
    match caller {
        Some(caller) if row.repeat != rights::Repeat::Unkept => {
            idempotency::once(row, caller, Arc::clone(&shared), request, next).await
        }
        _ => next.run(request).await,
    }
}

/// The request's body, whole, within its bounds: its length, its time, and the room that all bodies have together. What takes none gets none.
async fn take<'s>(
    row: &Row,
    parts: &Parts,
    body: Body,
    shared: &'s Shared,
) -> Result<(Body, Option<Room<'s>>), Refusal> {
    if row.method == Method::GET {
        return Ok((Body::empty(), None));
    }
    let room = match (row.needs, parts.extensions.get::<Peer>()) {
        (Needs::Anyone, Some(peer)) => shared.strangers.take(peer.source, &parts.headers, row.longest)?,
        _ => room::take(&shared.soap_room, &parts.headers, row.longest)?,
    };
    let slow = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request's body came too slowly");
    let taken = tokio::time::timeout(BODY_TIME, gather(body, row.longest)).await.map_err(slow)?;
    Ok((Body::from(taken?), Some(room)))
}

/// Boxed: within an `async fn` the compiler cannot see that the plain future is `Send`.
fn gather(body: Body, longest: usize) -> BoxFuture<'static, Result<Bytes, Refusal>> {
    let failed = move |error: BoxError| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("length limit exceeded: {} KiB are taken here", longest / 1024),
        ),
        None => Refusal::new(StatusCode::BAD_REQUEST, "the request's body broke off"),
    };
    let gathered = Limited::new(body, longest).collect();
    gathered.map(move |gathered| gathered.map(Collected::to_bytes).map_err(failed)).boxed()
}

/// Refuses what no row allows: a path that is in none, or a method that its rows do not name.
fn not_in_table(matched: &MatchedPath) -> Response {
    let mut methods: Vec<&str> = rights::rows(matched.as_str()).map(|row| row.method.as_str()).collect();
    if methods.is_empty() {
        tracing::error!(route = matched.as_str(), "a route is missing in the table of rights");
        return super::nothing_here().answer();
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    let mut response = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not know that method").answer();
    if let Ok(allowed) = HeaderValue::try_from(methods.join(", ")) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// The decision. `None`: nobody in particular, and the route is for anyone.
fn admit(row: &Row, parts: &Parts, shared: &Shared) -> Result<Option<Caller>, Refusal> {
    let source = parts.extensions.get::<Peer>().map(|peer| peer.source);
    let source =
        source.ok_or_else(|| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the request comes from nowhere"))?;
    if row.needs == Needs::Anyone {
        // Nobody logs a browser in from another page than ours.
        if row.method != Method::GET && parts.headers.contains_key(ORIGIN) {
            from_our_page(parts)?;
        }
        return Ok(None);
    }
    let principal = recognise(parts, shared)?.map(Arc::new);
    if let Some(principal) = &principal {
        crate::request::is_from(principal);
    }
    match rights::decide(row, principal.as_deref()) {
        Ok(()) => Ok(principal.map(|principal| Caller { principal, source })),
        Err(denied) => Err(refused(denied)),
    }
}

fn refused(denied: Denied) -> Refusal {
    let detail = match denied {
        Denied::Unknown => return Refusal::unauthorized(),
        Denied::Role(role) => format!("this needs the role of {role}"),
        Denied::Instance => "this needs the right to manage organisations".to_owned(),
        Denied::Narrow => "a token that is limited to some devices may not do this".to_owned(),
    };
    Refusal::new(StatusCode::FORBIDDEN, detail)
}

/// Who calls. A bearer token goes before a cookie.
///
/// # Errors
/// 401 when what is shown is not good, 403 when a browser sends it from a page that is not ours.
fn recognise(parts: &Parts, shared: &Shared) -> Result<Option<Principal>, Refusal> {
    if parts.headers.contains_key(AUTHORIZATION) {
        return crate::auth::bearer(&parts.headers, &shared.records).map(Some);
    }
    let Some(secret) = cookie(&parts.headers, session::COOKIE)? else { return Ok(None) };
    let now = shared.records.clock().now();
    let standing = shared.records.session(secret).filter(|(session, _)| shared.sessions.touch(session, now));
    let ended = || Refusal::new(StatusCode::UNAUTHORIZED, "this session has ended; log in again");
    let (_, principal) = standing.ok_or_else(ended)?;
    if parts.method.is_safe() {
        // A camera's page may share our site, and its requests our cookie, but not our origin.
        from_our_origin(parts)?;
    } else {
        from_our_page(parts)?;
        let shown = parts.headers.get(session::CSRF).map(HeaderValue::as_bytes).unwrap_or_default();
        if !session::csrf_matches(secret, shown) {
            let detail = format!("send the header {}, with what GET /session says", session::CSRF);
            return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
        }
    }
    Ok(Some(principal))
}

/// The value of a cookie, however the headers are cut.
///
/// # Errors
/// 401 when there are two of that name: one of them is somebody else's.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refusal> {
    let headers = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = headers.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Refusal::unauthorized()),
    }
}

/// The authority under which the caller asked (RFC 9110 §7.2).
pub(super) fn asked_at(parts: &Parts) -> Option<Authority> {
    let plain = |authority: &Authority| !authority.as_str().contains('@');
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.clone()).filter(plain);
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok().filter(plain),
        _ => None,
    }
}

/// A request that changes something says where it comes from, and that is here.
fn from_our_page(parts: &Parts) -> Result<(), Refusal> {
    let mut origins = parts.headers.get_all(ORIGIN).iter();
    let origin = match (origins.next(), origins.next()) {
        (Some(origin), None) => origin.to_str().ok(),
        _ => None,
    };
    let host = asked_at(parts);
    let plain = |text: &str| text.strip_suffix(":443").unwrap_or(text).to_ascii_lowercase();
    let ours = match (origin.and_then(|origin| origin.strip_prefix("https://")), host) {
        (Some(origin), Some(host)) => plain(origin) == plain(host.as_str()),
        _ => false,
    };
    if ours { from_our_origin(parts) } else { Err(foreign()) }
}

/// What the browser says of the page, if it is one that says so (Fetch Metadata).
fn from_our_origin(parts: &Parts) -> Result<(), Refusal> {
    match parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(foreign()),
    }
}

fn foreign() -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "a browser's session is for this cloud's own pages alone")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::post("/api/v1/devices");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_page_of_ours_is_of_the_very_host_that_is_asked() {
        for (origin, host, ours) in [
            ("https://cloud.example", "cloud.example", true),
            ("https://Cloud.example:443", "cloud.example", true),
            ("https://cloud.example:8443", "cloud.example:8443", true),
            ("https://cloud.example:8443", "cloud.example", false),
            ("http://cloud.example", "cloud.example", false),
            ("https://camera.cloud.example", "cloud.example", false),
            ("null", "cloud.example", false),
        ] {
            assert_eq!(from_our_page(&parts(&[("origin", origin), ("host", host)])).is_ok(), ours, "{origin} {host}");
        }
        assert!(from_our_page(&parts(&[("host", "cloud.example")])).is_err());
        let twice = [("origin", "https://a"), ("origin", "https://a"), ("host", "a")];
        assert!(from_our_page(&parts(&twice)).is_err());
    }

    #[test]
    fn what_the_browser_says_of_the_page_counts() {
        for (site, ours) in
            [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false), ("", false)]
        {
            let headers = [("origin", "https://a"), ("host", "a"), ("sec-fetch-site", site)];
            assert_eq!(from_our_page(&parts(&headers)).is_ok(), ours, "{site}");
        }
    }

    #[test]
    fn a_cookie_is_found_however_the_headers_are_cut_and_two_are_refused() {
        let found =
            |headers: &[(&str, &str)]| cookie(&parts(headers).headers, "b").map(|value| value.map(str::to_owned));
        assert_eq!(found(&[("cookie", "a=1; b=2;c=3")]), Ok(Some("2".to_owned())));
        assert_eq!(found(&[("cookie", "a=1"), ("cookie", "b=2")]), Ok(Some("2".to_owned())));
        assert_eq!(found(&[("cookie", "ab=1")]), Ok(None));
        assert!(found(&[("cookie", "b=1; b=1")]).is_err());
        assert!(found(&[("cookie", "b=1"), ("cookie", "b=2")]).is_err());
    }
}
