//! WebSockets to a device: HTTP/1.1's upgrade or HTTP/2's extended CONNECT outside, extended CONNECT in the tunnel (RFC 8441), bytes in between.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use oriel_uplink::cloud::TunnelStream;
use oriel_uplink::{Body, body};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::limits::{MeteredIo, Place, Way};
use super::{Call, Content, OTHER_ANSWER, fetch, hygiene, refused, timely, watched};
use crate::Shared;
use crate::records::{Principal, Records};
use crate::refusal::Refusal;

/// How often a right is looked at that ends by the clock.
const LOOK: Duration = Duration::from_secs(30);
const COPY_BUFFER: usize = 16 * 1024;

/// Whether the request wants a WebSocket, in either version of HTTP.
pub(super) fn is_websocket(request: &Request<Body>) -> bool {
    if request.method() == Method::CONNECT {
        return request.extensions().get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket");
    }
    let upgrade = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    request.method() == Method::GET && upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Opens the device's WebSocket first, so that a refusal of the device is one to the client.
///
/// # Errors
/// As [`fetch::permitted`] for administrators; a WebSocket carries what we cannot check.
pub(super) async fn open(mut request: Request<Body>, call: &Call, shared: &Shared) -> Result<Response<Body>, Refusal> {
    fetch::permitted(&Method::CONNECT, call, shared)?;
    let key = request.headers().get(SEC_WEBSOCKET_KEY).cloned();
    let extended = request.method() == Method::CONNECT;
    if !extended && key.is_none() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "a WebSocket request needs Sec-WebSocket-Key"));
    }
    let client = hyper::upgrade::on(&mut request);
    let mut inner = hygiene::request(request.map(drop), call);
    inner.headers_mut().remove(SEC_WEBSOCKET_KEY);
    let way = shared.registry.find(&call.device).await.map_err(|_| Refusal::offline())?;
    let tap = super::tap(call, shared);
    tap.iter().for_each(|tap| tap.asked(super::by(call), &Method::CONNECT, inner.uri(), None));
    let answer = timely(OTHER_ANSWER, way.connect("websocket", inner)).await;
    let answer = answer.and_then(|answer| answer.map_err(|error| refused(&error)));
    tap.iter().for_each(|tap| tap.ended(&answer, None, |refusal| refusal.detail.clone()));
    let (parts, stream) = answer?.into_parts();
    if !parts.status.is_success() {
        return Ok(hygiene::response(Response::from_parts(parts, stream.into_body()), call, Content::Resource)?
            .map(|body| watched(body, call, shared)));
    }
    let mut response = hygiene::response(Response::from_parts(parts, body::empty()), call, Content::Resource)?;
    if let (false, Some(key)) = (extended, key) {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept.expect("base64 text is a header value"));
    }
    let ended = right_ended(Arc::clone(&shared.records), call.caller.clone());
    shared.spawn(&shared.tasks, splice(client, stream, Arc::clone(&call.place), ended));
    Ok(response)
}

/// Resolves when the caller's right is withdrawn or over.
async fn right_ended(records: Arc<Records>, caller: Principal) {
    let mut changes = records.changes();
    while records.stands(&caller) {
        // A right ends by the clock as well.
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, changes.changed()).await {
            return;
        }
    }
}

/// Carries bytes both ways until either side ends, or the caller's right does.
async fn splice(client: OnUpgrade, device: TunnelStream, place: Arc<Place>, right_ended: impl Future<Output = ()>) {
    let Ok(upgraded) = client.await else { return };
    let mut client = MeteredIo::new(TokioIo::new(upgraded), Arc::clone(&place), Way::In);
    let mut device = MeteredIo::new(device, place, Way::Out);
    let copied = tokio::select! {
        copied = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut device, COPY_BUFFER, COPY_BUFFER) => copied,
        () = right_ended => return,
    };
    if let Err(error) = copied {
        tracing::debug!(%error, "a WebSocket to a device broke off");
    }
}
