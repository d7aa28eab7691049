//! What holds for every request of a client, whatever it is for: a name that logs of cloud and device share, a span, a line in the log, a count.
//!
//! The line says who, what kind, how it ended and how long it took; never a path, which may name what is behind the device, nor a query, which may hold a
//! token. A request's name is ours: one that comes from outside is dropped, or a stranger would write into our log and into that of every device.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use oriel_uplink::Body;
use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span};

use crate::metrics::method_label;
use crate::port::Peer;
use crate::records::Principal;
use crate::{Api, Shared};

/// The request's name, to the client, and through the tunnel to the device.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context and Baggage: from outside they would join strangers' traces to ours.
const OF_TRACES: [HeaderName; 3] =
    [HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate"), HeaderName::from_static("baggage")];

/// How a request's span takes its place in a trace, when traces are on. The program gives it; the cloud knows no tracing protocol.
#[derive(Debug, Clone, Copy)]
pub struct Propagation {
    /// Makes the span a child of what the headers name.
    pub join: fn(&Span, &HeaderMap),
    /// Names the span in the headers.
    pub name: fn(&Span, &mut HeaderMap),
}

/// What a request is for, in logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A device, through its uplink.
    Device,
    /// The API.
    Api,
    /// The dashboard's pages.
    Page,
}

impl Route {
    /// By the path; whoever knows better puts the right one into the response's extensions.
    fn guess(path: &str) -> Self {
        if path.starts_with("/d/") {
            Self::Device
        } else if path.starts_with("/api/") {
            Self::Api
        } else {
            Self::Page
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Api => "api",
            Self::Page => "page",
        }
    }
}

/// Answers a request in a span of its own.
pub(crate) async fn answer(mut request: Request<Body>, peer: Peer, shared: &Arc<Shared>, api: &Api) -> Response<Body> {
    let (started, method) = (Instant::now(), request.method().clone());
    let (id, guess) = (fresh_id(), Route::guess(request.uri().path()));
    // Of the highest level, so that it is there with every filter: a warning without the request's name would be worth little.
    let span = tracing::error_span!(
        "request",
        id,
        method = method_label(&method),
        source = %peer.source,
        organisation = Empty,
        device = Empty,
        caller = Empty,
    );
    let id = HeaderValue::try_from(id).expect("hexadecimal digits are a header value");
    introduce(request.headers_mut(), &span, &id, shared);
    let mut response = crate::answer(request, peer, shared, api).instrument(span.clone()).await;
    let (status, route) = (response.status(), response.extensions().get().copied().unwrap_or(guess));
    shared.metrics.answered(route.label(), &method, status);
    let milliseconds = crate::clock::millis(started.elapsed());
    span.in_scope(|| tracing::info!(route = route.label(), status = status.as_u16(), milliseconds, "answered"));
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

/// Puts the request's name into its headers, by which it reaches the device.
fn introduce(headers: &mut HeaderMap, span: &Span, id: &HeaderValue, shared: &Shared) {
    let traces = &shared.config.traces;
    if let Some(propagation) = traces.propagation.filter(|_| traces.accept) {
        (propagation.join)(span, headers);
    }
    OF_TRACES.iter().for_each(|name| drop(headers.remove(name)));
    if let Some(propagation) = traces.propagation {
        (propagation.name)(span, headers);
    }
    headers.insert(X_REQUEST_ID, id.clone());
}

/// Says in the request's span who asks: the public name of a credential, never the credential.
pub(crate) fn is_from(caller: &Principal) {
    let label = caller.actor(None).label;
    Span::current().record("organisation", display(&caller.organisation)).record("caller", label);
}

/// Says in the request's span which device it is for.
pub(crate) fn is_for(device: &str) {
    Span::current().record("device", display(device));
}

/// 128 random bits, as text.
fn fresh_id() -> String {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        use std::fmt::Write as _;
        write!(text, "{byte:02x}").expect("a String takes every text");
        text
    })
}
