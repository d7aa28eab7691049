//! Changes of devices as server-sent events (HTML Living Standard §9.2).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

use super::input::Caller;
use crate::Shared;
use crate::events::{Heard, Listener};
use crate::gateway::stall;
use crate::refusal::Refusal;

/// How often a quiet stream says that it still stands; proxies close silent ones.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon a browser comes back when the stream ends.
const RETRY_MS: u32 = 2000;

struct Stream {
    shared: Arc<Shared>,
    caller: Caller,
    listener: Listener,
    changes: tokio::sync::watch::Receiver<()>,
    /// What is said before anything happened.
    opening: Option<String>,
}

/// Streams the changes of devices: first a `snapshot` with nothing but an id to come back with, then a `device` for each change, and `reset` when changes
/// were missed and all devices have to be asked for again. Send the last id as `Last-Event-ID` to go on from there.
#[utoipa::path(get, path = "/events", tag = "devices", operation_id = "listenToEvents",
    params(("Last-Event-ID" = Option<String>, Header, description = "Where to go on.")), responses(
    (status = 200, description = "Server-sent events; the data of a `device` is a DeviceEvent.", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn listen(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let after = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let full = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many listen to this organisation already");
    let listener = shared.events.listen(&caller.principal.organisation, after).ok_or_else(full)?;
    let opening = match after {
        Some(_) => format!("retry: {RETRY_MS}\n\n"),
        None => {
            format!("retry: {RETRY_MS}\nevent: snapshot\nid: {0}\ndata: {{\"cursor\":\"{0}\"}}\n\n", listener.cursor())
        }
    };
    let changes = shared.records.changes();
    let news = changes.clone();
    let stream = Stream { shared, caller, listener, changes, opening: Some(opening) };
    Ok(streamed(stream::unfold(stream, |mut stream| async move { Some((stream.next().await?, stream)) }), news))
}

/// An answer of server-sent events. One who does not read is cut; the right to listen is looked after by whoever tells them, so that the stream ends and does
/// not break.
pub(super) fn streamed(
    events: impl futures_util::Stream<Item = String> + Send + 'static,
    news: tokio::sync::watch::Receiver<()>,
) -> Response {
    let frames = events.map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from(text))));
    let body = stall::Answer::new(oriel_uplink::body::boxed(StreamBody::new(frames)), news, || true);
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    response
}

impl Stream {
    /// What is said next; `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        loop {
            tokio::select! {
                biased;
                () = self.shared.draining.cancelled() => return None,
                changed = self.changes.changed() => {
                    changed.ok()?;
                    if !self.shared.records.stands(&self.caller.principal) {
                        return None;
                    }
                }
                heard = self.listener.next() => match heard {
                    Heard::End => return None,
                    Heard::Reset => return Some(format!("event: reset\nid: {}\ndata: {{}}\n\n", self.listener.cursor())),
                    Heard::Device(event) if self.caller.principal.reaches(&event.id) => {
                        let data = serde_json::to_string(&*event).ok()?;
                        return Some(format!("event: device\nid: {}\ndata: {data}\n\n", self.listener.cursor()));
                    }
                    Heard::Device(_) => {}
                },
                () = tokio::time::sleep(HEARTBEAT) => {
                    // Some rights end by the clock alone.
                    return self.shared.records.stands(&self.caller.principal).then(|| ": here\n\n".to_owned());
                }
            }
        }
    }
}
