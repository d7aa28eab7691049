//! A SOAP request: read whole, checked on our own parse, and sent on as written from that parse; and its reply.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, BodyStream, Collected, LengthLimitError, Limited, StreamBody};
use oriel_client::relay::addresses::addresses;
use oriel_client::relay::beginning;
use oriel_client::relay::check::{self, Checked, Parsed};
use oriel_client::trace::Tap;
use oriel_uplink::cloud::{Class, RequestError};
use oriel_uplink::{Body, BoxError, body};

use super::caller::{self, Shown};
use super::limits::Way;
use super::route::Route;
use super::{Call, Content, call, clock, hygiene, refused, timely, watched};
use crate::Shared;
use crate::port::Peer;
use crate::refusal::Refusal;
use crate::room;

/// How long a device may take to begin its answer: longer than the longest PullMessages.
const ANSWER: Duration = Duration::from_secs(150);
/// How long a client may take to send a body, and a device to send a short answer's body.
const SHORT_BODY: Duration = Duration::from_secs(30);
/// An answer of at most this length is taken off the tunnel at once, so that a slow client holds no stream of the device.
const SHORT_ANSWER: usize = 256 * 1024;
/// As much is read of who has not shown yet who it is.
const UNPROVEN: usize = 64 * 1024;

/// How long a body is read that nobody wants, for the sake of the answer.
const UNWANTED: Duration = Duration::from_secs(2);

/// Answers a SOAP request.
///
/// # Errors
/// Also what `shown` already is: the body is read all the same, since clients over HTTP/2 lose an answer that comes before they have sent it.
pub(super) async fn exchange(
    request: Request<Body>,
    shown: Result<Shown, Refusal>,
    route: Route,
    peer: Peer,
    shared: &Shared,
) -> Result<Response<Body>, Refusal> {
    let (mut parts, incoming) = request.into_parts();
    let asker = match shown.and_then(|shown| asker(shown, route, peer, shared)) {
        Ok(asker) => asker,
        Err(refusal) => {
            let _done_or_not = tokio::time::timeout(UNWANTED, discard(incoming)).await;
            return Err(refusal);
        }
    };
    let most = shared.config.limits.soap_body;
    let (most, _room) = match asker {
        Asker::Nobody(..) => {
            let most = UNPROVEN.min(most);
            (most, shared.gateway.unproven.take(peer.source, &parts.headers, most)?)
        }
        _ => (most, room::take(&shared.soap_room, &parts.headers, most)?),
    };
    let envelope = collect(incoming, most).await?;
    let (call, checked) = match understand(&parts.headers, &envelope, most, asker, shared)? {
        Understood::Told(response) => return Ok(response),
        Understood::Asked(call, checked) => (*call, checked),
    };
    call.place.moved(Way::In, envelope.len(), Instant::now());
    drop(envelope);
    check::set_headers(&mut parts.headers, &checked);
    let (head, ()) = hygiene::request(Request::from_parts(parts, ()), &call).into_parts();
    let tap = super::tap(&call, shared);
    if let Some(tap) = &tap {
        tap.asked(super::by(&call), &head.method, &head.uri, Some(&checked.envelope));
    }
    let answered = carried(&head, &checked, &call, tap.as_ref(), shared).await;
    if let (Some(tap), Err(refusal)) = (&tap, &answered) {
        tap.failed(refusal.detail.clone());
    }
    answered
}

/// Asks the device and reads its answer.
async fn carried(
    head: &http::request::Parts,
    checked: &Checked,
    call: &Call,
    tap: Option<&Tap>,
    shared: &Shared,
) -> Result<Response<Body>, Refusal> {
    let mut last = None;
    // A tunnel may close in the moment in which it is used; what the device has not seen goes to the next one.
    for _ in 0..3 {
        let again = Request::from_parts(head.clone(), body::full(checked.envelope.clone()));
        let way = shared.registry.find(&call.device).await.map_err(|_| Refusal::offline())?;
        let asked = Instant::now();
        match timely(ANSWER, way.request(Class::Soap, again)).await? {
            Ok(response) => {
                shared.metrics.exchanged(asked.elapsed());
                let response = hygiene::response(response, call, Content::Soap)?;
                return reply(response, call, checked.names_media, tap, shared).await;
            }
            // Its streams are all taken, and it was waited for already.
            Err(error @ RequestError::Busy(_)) => return Err(refused(&error)),
            Err(error) if error.unprocessed() => last = Some(error),
            Err(error) => return Err(refused(&error)),
        }
    }
    Err(last.map_or_else(Refusal::offline, |error| refused(&error)))
}

/// Who asks, as far as the head tells.
enum Asker {
    Bearer(Call),
    Key(Call),
    Nobody(Route, Peer),
}

fn asker(shown: Shown, route: Route, peer: Peer, shared: &Shared) -> Result<Asker, Refusal> {
    Ok(match shown {
        Shown::Bearer(caller) => Asker::Bearer(to_service(call(route, caller, peer, shared)?, shared)?),
        Shown::Key(caller) => Asker::Key(to_service(call(route, caller, peer, shared)?, shared)?),
        Shown::Nothing => Asker::Nobody(route, peer),
    })
}

/// What a request came to.
enum Understood {
    /// It was answered here.
    Told(Response<Body>),
    /// It goes to the device.
    Asked(Box<Call>, Checked),
}

fn understand(
    headers: &HeaderMap,
    envelope: &[u8],
    most: usize,
    asker: Asker,
    shared: &Shared,
) -> Result<Understood, Refusal> {
    let parsed = check::parse(headers, envelope, most);
    let (call, parsed) = match asker {
        Asker::Bearer(call) => (call, parsed?),
        Asker::Key(call) => {
            let parsed = parsed?;
            if let Some(token) = parsed.envelope.username_token()? {
                caller::of_token(&token, Some(&call.caller), call.peer, shared)?;
                if clock::is_asked(&parsed.envelope) {
                    return Ok(told(&parsed, shared));
                }
            }
            (call, parsed)
        }
        Asker::Nobody(route, peer) => {
            // What cannot be read shows nothing.
            let challenge = || caller::challenge(headers, &route, shared, false);
            let parsed = parsed.map_err(|_| challenge())?;
            let Some(token) = parsed.envelope.username_token()? else {
                return if clock::is_asked(&parsed.envelope) { Ok(told(&parsed, shared)) } else { Err(challenge()) };
            };
            let caller = caller::of_token(&token, None, peer, shared)?;
            let call = to_service(call(route, caller, peer, shared)?, shared)?;
            if clock::is_asked(&parsed.envelope) {
                return Ok(told(&parsed, shared));
            }
            (call, parsed)
        }
    };
    let checked = parsed.check(call.caller.levels())?;
    Ok(Understood::Asked(Box::new(call), checked))
}

fn told(parsed: &Parsed<'_>, shared: &Shared) -> Understood {
    Understood::Told(clock::tell(&parsed.envelope, caller::now(shared)))
}

/// Whether SOAP may go where this goes.
fn to_service(call: Call, shared: &Shared) -> Result<Call, Refusal> {
    if call.is_administrator() || shared.given_out.is_service(&call.device, &call.route.target) {
        return Ok(call);
    }
    let detail =
        "only an administrator may send SOAP to a path that is not below /onvif/ and that the device did not name";
    Err(Refusal::new(StatusCode::FORBIDDEN, detail))
}

/// Takes a short answer off the tunnel and makes its addresses lead through us; a long one is passed on as it comes.
async fn reply(
    response: Response<Body>,
    call: &Call,
    names_media: bool,
    tap: Option<&Tap>,
    shared: &Shared,
) -> Result<Response<Body>, Refusal> {
    let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > SHORT_ANSWER) {
        tap.inspect(|tap| tap.answered(&response, None));
        return Ok(response.map(|body| watched(body, call, shared)));
    }
    let (parts, mut incoming) = response.into_parts();
    let broken = || Refusal::new(StatusCode::BAD_GATEWAY, "the device broke off its answer");
    let (beginning, whole) = timely(SHORT_BODY, beginning(&mut incoming, SHORT_ANSWER)).await?.ok_or_else(broken)?;
    if !whole {
        let first = futures_util::stream::once(std::future::ready(Ok(Frame::data(beginning))));
        let body = body::boxed(StreamBody::new(first.chain(BodyStream::new(incoming))));
        let response = Response::from_parts(parts, watched(body, call, shared));
        tap.inspect(|tap| tap.answered(&response, None));
        return Ok(response);
    }
    let response = Response::from_parts(parts, beginning);
    tap.inspect(|tap| tap.answered(&response, Some(response.body())));
    let (mut parts, beginning) = response.into_parts();
    let mut found = addresses(&beginning, &call.route.base());
    let bytes = found.rewritten.take().map_or(beginning, Bytes::from);
    shared.given_out.remember(&call.device, found, names_media);
    call.place.moved(Way::Out, bytes.len(), Instant::now());
    parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
    Ok(Response::from_parts(parts, body::full(bytes)))
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

/// Reads and forgets, up to what is read of anybody.
async fn discard(mut body: Body) {
    let mut left = UNPROVEN;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(less) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
        left = less;
    }
}

async fn collect(incoming: Body, most: usize) -> Result<Bytes, Refusal> {
    let gathered = tokio::time::timeout(SHORT_BODY, gather(incoming, most)).await;
    let slow = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request's body came too slowly");
    gathered.map_err(slow)?.map_err(|ungathered| match ungathered {
        Ungathered::TooLong => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "a SOAP request may have {} KiB here, without credentials in its head {} KiB",
                most / 1024,
                UNPROVEN / 1024
            ),
        ),
        Ungathered::BrokeOff => Refusal::new(StatusCode::BAD_REQUEST, "the request's body broke off"),
    })
}
