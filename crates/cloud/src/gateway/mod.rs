//! The way in for clients: `/d/{device}/…` becomes a request on the device's tunnel (Uplink §5.1.1.4).
//!
//! Token, device, rights, hygiene, way: in this order, and a device that the caller may not see answers like one that does not exist.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use http::header::CONTENT_LENGTH;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, BodyStream, Collected, LengthLimitError, Limited, StreamBody};
use oriel_soap::access::{Level, Levels};
use oriel_uplink::cloud::{Class, RequestError};
use oriel_uplink::{Body, BoxError, body};
use tokio::sync::SemaphorePermit;

use crate::Shared;
use crate::port::Peer;
use crate::records::{DeviceId, Principal};
use crate::refusal::{Language, Refusal};
use stall::Upload;

mod addresses;
mod hygiene;
pub(crate) mod paths;
mod soap;
pub(crate) mod stall;
mod websocket;

/// How long a device may take to begin its answer to SOAP: longer than the longest PullMessages.
const SOAP_ANSWER: Duration = Duration::from_secs(150);
/// How long a device may take to begin any other answer.
const OTHER_ANSWER: Duration = Duration::from_secs(30);
/// How long a client may take to send a SOAP body, and a device to send a short answer's body.
const SHORT_BODY: Duration = Duration::from_secs(30);
/// An answer of at most this length is taken off the tunnel at once, so that a slow client holds no stream of the device.
const SHORT_ANSWER: usize = 256 * 1024;

/// A request that found its device and its rights.
struct Call {
    device: DeviceId,
    /// Where the client asked us.
    authority: Authority,
    /// `/onvif/device_service?x`: the path as the device sees it.
    target: PathAndQuery,
    levels: Levels,
    caller: Principal,
    peer: Peer,
}

/// Answers a request below `/d/`.
pub(crate) async fn answer(request: Request<Body>, peer: Peer, shared: &Shared) -> Response<Body> {
    let language = if soap::is_soap(request.headers()) { Language::Soap } else { Language::Problem };
    match forward(request, peer, shared).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(language),
    }
}

async fn forward(request: Request<Body>, peer: Peer, shared: &Shared) -> Result<Response<Body>, Refusal> {
    let caller = crate::auth::bearer(request.headers(), &shared.records)?;
    crate::request::is_from(&caller);
    let call = route(&request, caller, peer, shared)?;
    crate::request::is_for(&call.device);
    if websocket::is_websocket(&request) {
        administrators_only(&call)?;
        return websocket::open(request, &call, shared).await;
    }
    if request.method() == Method::CONNECT {
        return Err(Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "CONNECT leads to WebSockets of a device alone (RFC 8441)",
        ));
    }
    if request.method() == Method::POST && soap::is_soap(request.headers()) {
        return exchange(request, &call, shared).await;
    }
    administrators_only(&call)?;
    let way = shared.registry.find(&call.device).await.map_err(|_| Refusal::offline())?;
    let (head, incoming) = hygiene::request(request, &call).into_parts();
    let (upload, ended) = Upload::new(incoming);
    let answer = way.request(Class::Bulk, Request::from_parts(head, body::boxed(upload)));
    // A device answers an upload when it has it: its time begins then.
    let late = async {
        let _ended_or_dropped = ended.await;
        tokio::time::sleep(OTHER_ANSWER).await;
    };
    let answer = tokio::select! {
        answer = answer => answer.map_err(|error| refused(&error))?,
        () = late => return Err(too_late(OTHER_ANSWER)),
    };
    Ok(hygiene::response(answer)?.map(|body| watched(body, &call, shared)))
}

/// A long answer ends when the client does not take it, and with the token that it was asked with.
fn watched(body: Body, call: &Call, shared: &Shared) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let (records, caller) = (Arc::clone(&shared.records), call.caller.clone());
    body::boxed(stall::Answer::new(body, shared.records.changes(), move || records.stands(&caller)))
}

fn route(request: &Request<Body>, caller: Principal, peer: Peer, shared: &Shared) -> Result<Call, Refusal> {
    let path = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
    let rest = path.strip_prefix("/d/").ok_or_else(Refusal::unknown_device)?;
    let (id, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let device = shared
        .records
        .within(&caller.organisation)
        .device(id)
        .filter(|device| !device.revoked && caller.reaches(&device.id));
    let device = device.ok_or_else(Refusal::unknown_device)?;
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let bad = |what: &str| Refusal::new(StatusCode::BAD_REQUEST, what);
    let target = target.parse().map_err(|_| bad("the path cannot be passed on"))?;
    let authority = hygiene::authority(request).ok_or_else(|| bad("the request does not say which host it is for"))?;
    Ok(Call { device: device.id.clone(), authority, target, levels: caller.levels(), caller, peer })
}

/// What is no SOAP carries no access class that we could check.
fn administrators_only(call: &Call) -> Result<(), Refusal> {
    if call.levels.contains(Level::Administrator) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "only an administrator's token may ask a device for anything but SOAP"))
}

/// A SOAP request: read whole, checked on our own parse, and sent on as written from that parse.
async fn exchange(request: Request<Body>, call: &Call, shared: &Shared) -> Result<Response<Body>, Refusal> {
    if !call.levels.contains(Level::Administrator) && !shared.given_out.is_service(&call.device, &call.target) {
        let detail = "only an administrator's token may send SOAP to a path that is not below /onvif/ and that the device did not name";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    let (mut parts, incoming) = request.into_parts();
    let _room = room(&parts.headers, shared)?;
    let envelope = collect(incoming, shared.config.limits.soap_body).await?;
    let checked = soap::check(&parts.headers, &envelope, call.levels, shared.config.limits.soap_body)?;
    soap::set_headers(&mut parts.headers, &checked);
    let (head, ()) = hygiene::request(Request::from_parts(parts, ()), call).into_parts();
    let mut last = None;
    // A tunnel may close in the moment in which it is used; what the device has not seen goes to the next one.
    for _ in 0..3 {
        let again = Request::from_parts(head.clone(), body::full(checked.envelope.clone()));
        let way = shared.registry.find(&call.device).await.map_err(|_| Refusal::offline())?;
        let asked = std::time::Instant::now();
        match timely(SOAP_ANSWER, way.request(Class::Soap, again)).await? {
            Ok(response) => {
                shared.metrics.exchanged(asked.elapsed());
                return reply(hygiene::response(response)?, call, shared).await;
            }
            // Its streams are all taken, and it was waited for already.
            Err(error @ RequestError::Busy(_)) => return Err(refused(&error)),
            Err(error) if error.unprocessed() => last = Some(error),
            Err(error) => return Err(refused(&error)),
        }
    }
    Err(last.map_or_else(Refusal::offline, |error| refused(&error)))
}

/// Takes a short answer off the tunnel and makes its addresses lead through us; a long one is passed on as it comes.
async fn reply(response: Response<Body>, call: &Call, shared: &Shared) -> Result<Response<Body>, Refusal> {
    let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > SHORT_ANSWER) {
        return Ok(response.map(|body| watched(body, call, shared)));
    }
    let (mut parts, mut incoming) = response.into_parts();
    let broken = || Refusal::new(StatusCode::BAD_GATEWAY, "the device broke off its answer");
    let (beginning, whole) = timely(SHORT_BODY, beginning(&mut incoming)).await?.ok_or_else(broken)?;
    if !whole {
        let first = futures_util::stream::once(std::future::ready(Ok(Frame::data(beginning))));
        let body = body::boxed(StreamBody::new(first.chain(BodyStream::new(incoming))));
        return Ok(Response::from_parts(parts, watched(body, call, shared)));
    }
    let found = addresses::addresses(&beginning, call);
    shared.given_out.remember(&call.device, found.services);
    let bytes = found.rewritten.map_or(beginning, Bytes::from);
    parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
    Ok(Response::from_parts(parts, body::full(bytes)))
}

/// The body and true, or its first [`SHORT_ANSWER`] bytes and a little more and false; `None` when it broke off.
async fn beginning(body: &mut Body) -> Option<(Bytes, bool)> {
    let (mut frames, mut length) = (Vec::new(), 0);
    let whole = loop {
        let data = match body.frame().await {
            None => break true,
            Some(Err(_)) => return None,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        length += data.len();
        frames.push(data);
        if length > SHORT_ANSWER {
            break false;
        }
    };
    // One frame, as most answers are, is passed on without a copy.
    let bytes = if frames.len() == 1 { frames.remove(0) } else { frames.concat().into() };
    Some((bytes, whole))
}

/// Room for a request's body in the one bound of the process, until it is answered.
fn room<'s>(headers: &http::HeaderMap, shared: &'s Shared) -> Result<SemaphorePermit<'s>, Refusal> {
    let most = shared.config.limits.soap_body;
    let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let kib = stated.unwrap_or(most).min(most) / 1024 + 1;
    let full = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests are on their way; try again");
    shared.soap_room.try_acquire_many(u32::try_from(kib).unwrap_or(u32::MAX)).map_err(full)
}

/// Why a body was not gathered.
enum Ungathered {
    TooLong,
    BrokeOff,
}

/// A body of at most `most` bytes. Boxed: within an `async fn` the compiler cannot see that the plain future is `Send`.
fn gather(body: Body, most: usize) -> BoxFuture<'static, Result<Bytes, Ungathered>> {
    let gathered = Limited::new(body, most).collect();
    let failed = |error: BoxError| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Ungathered::TooLong,
        None => Ungathered::BrokeOff,
    };
    gathered.map(move |gathered| gathered.map(Collected::to_bytes).map_err(failed)).boxed()
}

async fn collect(incoming: Body, most: usize) -> Result<Bytes, Refusal> {
    let gathered = tokio::time::timeout(SHORT_BODY, gather(incoming, most)).await;
    let slow = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request's body came too slowly");
    gathered.map_err(slow)?.map_err(|ungathered| match ungathered {
        Ungathered::TooLong => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a SOAP request may have {} KiB here", most / 1024))
        }
        Ungathered::BrokeOff => Refusal::new(StatusCode::BAD_REQUEST, "the request's body broke off"),
    })
}

async fn timely<F: Future>(limit: Duration, future: F) -> Result<F::Output, Refusal> {
    tokio::time::timeout(limit, future).await.map_err(|_| too_late(limit))
}

fn too_late(limit: Duration) -> Refusal {
    Refusal::new(StatusCode::GATEWAY_TIMEOUT, format!("the device did not answer within {} s", limit.as_secs()))
}

pub(crate) fn refused(error: &RequestError) -> Refusal {
    match error {
        RequestError::Busy(what) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("the device's tunnel is busy: {what}; try again"))
        }
        RequestError::NotOffered => {
            Refusal::new(StatusCode::NOT_IMPLEMENTED, "the device does not offer WebSockets in its tunnel (RFC 8441)")
        }
        RequestError::Closed(_) | RequestError::NotSent(_) | RequestError::GoingAway => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("the device's tunnel closed: {error}"))
        }
        RequestError::Invalid(_) => Refusal::new(StatusCode::BAD_REQUEST, error.to_string()),
        _ => Refusal::new(StatusCode::BAD_GATEWAY, format!("the device did not answer properly: {error}")),
    }
}
