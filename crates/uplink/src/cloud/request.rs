//! Requests and extended CONNECT through a tunnel: one HTTP/2 stream each.

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::Bytes;
use h2::client::ResponseFuture;
use http::{
    HeaderMap, Method, Request, Response, Uri, Version,
    header::{self, HeaderName},
};
use http_body::Body as _;

use super::{
    Class, CloseReason, RequestError, Tunnel, TunnelStream,
    bodies::ResponseBody,
    gate::Slot,
    pump::{self, PumpGuard, Ready},
    tunnel::Shared,
};
use crate::{Body, body};

/// A body of at most this size that is complete already is handed over without a task.
const AT_ONCE: usize = 64 * 1024;

impl Tunnel {
    /// Sends a request and waits for its answer's head; both bodies stream, with back-pressure. Dropping the future, or
    /// the answer's body before its end, resets the stream. Headers that belong to one connection only are removed.
    ///
    /// # Errors
    /// See [`RequestError`]; [`RequestError::unprocessed`] tells whether the request may be repeated elsewhere.
    pub async fn request(&self, class: Class, request: Request<Body>) -> Result<Response<Body>, RequestError> {
        let slot = Arc::new(self.enter(class).await?);
        let (mut parts, mut body) = request.into_parts();
        strip_connection_headers(&mut parts.headers);
        set_version(&mut parts.version, &parts.uri);
        let ready = if body.is_end_stream() {
            Ready::Whole(Bytes::new())
        } else {
            poll_fn(|cx| Poll::Ready(pump::take_ready(&mut body, AT_ONCE, cx))).await.map_err(RequestError::Body)?
        };
        let empty = matches!(&ready, Ready::Whole(bytes) if bytes.is_empty());
        let (answer, mut stream) = self.open(Request::from_parts(parts, ()), empty)?;
        let guard = match ready {
            Ready::Whole(bytes) => {
                if !empty {
                    stream.send_data(bytes, true).map_err(|error| self.failed(&error))?;
                }
                None
            }
            Ready::Trailers(trailers) => {
                stream.send_trailers(trailers).map_err(|error| self.failed(&error))?;
                None
            }
            Ready::Part(first) => Some(pump::spawn(body, first, stream, Arc::clone(&slot))),
            Ready::Nothing => Some(pump::spawn(body, Bytes::new(), stream, Arc::clone(&slot))),
        };
        self.answer(answer, slot, guard).await
    }

    /// Opens an extended CONNECT stream (RFC 8441); waits for the device's SETTINGS if they have not come yet. An answer
    /// other than 2xx has its text in [`TunnelStream::into_body`].
    ///
    /// # Errors
    /// [`RequestError::NotOffered`] if the device does not offer it; otherwise as [`Tunnel::request`].
    pub async fn connect(&self, protocol: &str, request: Request<()>) -> Result<Response<TunnelStream>, RequestError> {
        self.settled().await?;
        if !self.send.is_extended_connect_protocol_enabled() {
            return Err(RequestError::NotOffered);
        }
        let slot = Arc::new(self.enter(Class::Bulk).await?);
        let (mut parts, ()) = request.into_parts();
        parts.method = Method::CONNECT;
        parts.uri = absolute(&parts.uri, &parts.headers)?;
        set_version(&mut parts.version, &parts.uri);
        strip_connection_headers(&mut parts.headers);
        parts.extensions.insert(h2::ext::Protocol::from(protocol));
        let (answer, stream) = self.open(Request::from_parts(parts, ()), false)?;
        let (head, recv) = answer.await.map_err(|error| self.failed(&error))?.into_parts();
        let stream = TunnelStream::new(stream, recv, slot, Arc::clone(&self.shared));
        Ok(Response::from_parts(head, stream))
    }

    async fn enter(&self, class: Class) -> Result<Slot, RequestError> {
        self.alive()?;
        let slot = self.shared.gate.enter(class).await?;
        self.alive()?;
        Ok(slot)
    }

    fn alive(&self) -> Result<(), RequestError> {
        if let Some(reason) = self.shared.reason.get() {
            return Err(RequestError::NotSent(reason.clone()));
        }
        if self.is_going_away() { Err(RequestError::GoingAway) } else { Ok(()) }
    }

    /// Waits until the device's SETTINGS have come; the tunnel's own deadline bounds the wait.
    async fn settled(&self) -> Result<(), RequestError> {
        loop {
            let settled = self.shared.settled.notified();
            self.alive()?;
            if self.shared.meter.settings() > 0 {
                return Ok(());
            }
            settled.await;
        }
    }

    fn open(&self, request: Request<()>, end: bool) -> Result<(ResponseFuture, h2::SendStream<Bytes>), RequestError> {
        // A clone has no stream of its own pending, so it is ready without being asked.
        self.send.clone().send_request(request, end).map_err(|error| match error.reason() {
            _ if error.is_reset() || error.is_go_away() || error.is_io() => self.failed(&error),
            _ => {
                let text = error.to_string();
                if text.contains("stream ID overflowed") {
                    // Every number was used: the device dials anew.
                    self.close(CloseReason::Local(text));
                    return RequestError::GoingAway;
                }
                RequestError::Invalid(text)
            }
        })
    }

    async fn answer(
        &self,
        answer: ResponseFuture,
        slot: Arc<Slot>,
        guard: Option<PumpGuard>,
    ) -> Result<Response<Body>, RequestError> {
        let (head, recv) = answer.await.map_err(|error| self.failed(&error))?.into_parts();
        let body = if recv.is_end_stream() {
            if let Some(guard) = guard {
                guard.let_go();
            }
            body::empty()
        } else {
            let length = content_length(&head.headers);
            body::boxed(ResponseBody::new(recv, slot, Arc::clone(&self.shared), guard, length))
        };
        Ok(Response::from_parts(head, body))
    }

    fn failed(&self, error: &h2::Error) -> RequestError {
        failed(&self.shared, error)
    }
}

fn failed(shared: &Shared, error: &h2::Error) -> RequestError {
    if let Some(reason) = shared.reason.get() {
        return RequestError::Closed(reason.clone());
    }
    if error.is_reset() {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        return RequestError::Reset { text: error.to_string(), refused };
    }
    // The device named a last stream, and ours is beyond it (RFC 9113 §6.8): it was not begun.
    if error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR) {
        return RequestError::GoingAway;
    }
    RequestError::Closed(CloseReason::of(error, shared.meter.in_header_block()))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `h2` wants HTTP/1.1 on a request without scheme and authority; it then leaves `:authority` out.
fn set_version(version: &mut Version, uri: &Uri) {
    *version = if uri.authority().is_none() { Version::HTTP_11 } else { Version::HTTP_2 };
}

/// RFC 8441 §4 wants scheme and authority on an extended CONNECT.
fn absolute(uri: &Uri, headers: &HeaderMap) -> Result<Uri, RequestError> {
    if uri.authority().is_some() {
        return Ok(uri.clone());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("device");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder()
        .scheme("http")
        .authority(host)
        .path_and_query(path)
        .build()
        .map_err(|error| RequestError::Invalid(error.to_string()))
}

/// Removes what belongs to one connection only (RFC 9113 §8.2.2).
fn strip_connection_headers(headers: &mut HeaderMap) {
    if let Some(named) = headers.remove(header::CONNECTION) {
        for name in named.to_str().unwrap_or_default().split(',') {
            if let Ok(name) = name.trim().parse::<HeaderName>() {
                headers.remove(name);
            }
        }
    }
    for name in ["keep-alive", "proxy-connection", "http2-settings"] {
        headers.remove(name);
    }
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::UPGRADE);
    if headers.get(header::TE).is_some_and(|te| te != "trailers") {
        headers.remove(header::TE);
    }
}
