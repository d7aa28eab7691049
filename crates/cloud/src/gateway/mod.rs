//! The way in for clients: `https://{cloud}/d/{device}/…` and `https://{device}.{domain}/…` become requests on the device's tunnel (Uplink §5.1.1.4).
//!
//! ```text
//! route ─► who is it ─► limits ─► which device ─► what is asked ─┬─ SOAP: own parse, access class, re-serialised ─┬─► hygiene ─► way ─► hygiene ─► client
//!  400     401 403 429    429         404                        └─ else: given out by the device, or its pages ──┘    403
//! ```
//! In this order: who shows no credentials learns nothing of devices, and a device that the caller may not see answers like one that does not exist. Only a
//! UsernameToken is looked at later, since it stands in the body.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use oriel_client::relay::check::is_soap;
use oriel_client::trace::Tap;
use oriel_soap::access::Level;
use oriel_soap::auth::Authenticator;
use oriel_uplink::cloud::RequestError;
use oriel_uplink::{Body, body};

use crate::Shared;
use crate::port::Peer;
use crate::records::{DeviceId, Principal};
use crate::refusal::{Language, Refusal};
use crate::room::Strangers;
use caller::Shown;
use limits::{Metered, Place, Usages, Way};
pub(crate) use route::Route;

mod browser;
mod caller;
mod clock;
mod exchange;
mod fetch;
mod guesses;
mod hygiene;
mod limits;
pub(crate) mod paths;
pub(crate) mod route;
pub(crate) mod stall;
mod websocket;

/// How long a device may take to begin its answer to anything but SOAP.
const OTHER_ANSWER: Duration = Duration::from_secs(30);

/// What the gateway keeps for the whole process.
pub(crate) struct Gateway {
    authenticator: Authenticator,
    /// What organisations use.
    pub(crate) usages: Usages,
    /// Attempts with a user name or password that is wrong.
    pub(crate) wrong: AtomicU64,
    /// KiB of SOAP requests of those who have not shown yet who they are: they take no room from those who have.
    unproven: Strangers,
}

impl Gateway {
    /// With room for `memory` bytes of requests.
    pub(crate) fn new(memory: usize) -> Self {
        Self {
            authenticator: caller::authenticator(),
            usages: Usages::default(),
            wrong: AtomicU64::new(0),
            unproven: Strangers::new(memory / 8),
        }
    }
}

/// A request that found its device and its rights.
struct Call {
    device: DeviceId,
    route: Route,
    caller: Principal,
    /// Its place among those of its organisation.
    place: Arc<Place>,
    peer: Peer,
}

impl Call {
    /// Whether the caller may do everything.
    fn is_administrator(&self) -> bool {
        self.caller.levels().contains(Level::Administrator)
    }
}

/// What a device answers with, as far as it matters for what a browser may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// SOAP.
    Soap,
    /// Something to look at or to store.
    Resource,
    /// A page of the camera, which may run.
    Page,
}

/// Answers a request to a device.
pub(crate) async fn answer(request: Request<Body>, route: Route, peer: Peer, shared: &Shared) -> Response<Body> {
    let language = language(&request);
    let served = serve(request, route, peer, shared).await;
    let mut response = served.unwrap_or_else(|refusal| refusal.into_response(language));
    // By a host name no path tells it.
    response.extensions_mut().insert(crate::request::Route::Device);
    response
}

/// In which language the client is answered.
pub(crate) fn language(request: &Request<Body>) -> Language {
    if is_soap(request.headers()) { Language::Soap } else { Language::Problem }
}

async fn serve(request: Request<Body>, route: Route, peer: Peer, shared: &Shared) -> Result<Response<Body>, Refusal> {
    browser::check(request.headers())?;
    let shown = caller::of_head(request.headers(), request.method(), &route, peer, shared);
    if request.method() == Method::POST && is_soap(request.headers()) {
        return exchange::exchange(request, shown, route, peer, shared).await;
    }
    let shown = shown?;
    let caller = match shown {
        Shown::Bearer(caller) | Shown::Key(caller) => caller,
        Shown::Nothing => return Err(caller::challenge(request.headers(), &route, shared, false)),
    };
    let call = call(route, caller, peer, shared)?;
    if websocket::is_websocket(&request) {
        return websocket::open(request, &call, shared).await;
    }
    fetch::fetch(request, &call, shared).await
}

/// The device behind a route, for a caller who reaches it.
fn call(route: Route, caller: Principal, peer: Peer, shared: &Shared) -> Result<Call, Refusal> {
    crate::request::is_from(&caller);
    let scope = shared.records.within(&caller.organisation);
    let own = scope.organisation().map(|(organisation, _)| organisation.limits).unwrap_or_default();
    let bounds = shared.config.limits.organisation.with(&own);
    let stands = |id: &str| shared.records.organisation(id).is_some();
    let place = shared.gateway.usages.enter(&caller.organisation, bounds, stands, Instant::now())?;
    let device = scope.device(&route.device).filter(|device| !device.revoked && caller.reaches(&device.id));
    let device = DeviceId::clone(&device.ok_or_else(Refusal::unknown_device)?.id);
    crate::request::is_for(&device);
    Ok(Call { device, route, caller, place, peer })
}

/// For who listens to the device.
fn tap(call: &Call, shared: &Shared) -> Option<Tap> {
    shared.taps.of(&call.device, shared.records.clock().now())
}

/// As whom the caller is told to those who listen.
fn by(call: &Call) -> String {
    format!("{} ({})", call.caller.actor(None).label, call.caller.levels())
}

/// A long answer is accounted for, and ends when the client does not take it, or with the right that it was asked with.
fn watched(body: Body, call: &Call, shared: &Shared) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let (records, caller) = (Arc::clone(&shared.records), call.caller.clone());
    let metered = body::boxed(Metered::new(body, Arc::clone(&call.place), Way::Out));
    body::boxed(stall::Answer::new(metered, shared.records.changes(), move || records.stands(&caller)))
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
