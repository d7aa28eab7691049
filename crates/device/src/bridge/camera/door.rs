//! The door of one camera: who asks, and what for; our own services are answered here (Core §5.8.2.4, §5.9).

use super::refusal::Language;
use super::remembered::Remembered;
use super::way::Way;
use super::{Common, Contact};
use crate::bridge::CameraEntry;
use crate::device::DeviceError;
use crate::door::{Base, Origin, Refused, answered, challenge, lookup, shown, span};
use crate::services::{Service, Shared};
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use oriel_client::relay::{check, clock};
use oriel_soap::auth::{Account, Accounts, AuthOptions, Authenticator};
use oriel_soap::{Caller, Envelope};
use oriel_uplink::Body;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Below it are the paths of our own services, where no camera's can be taken for them.
pub(super) const OURS: &str = "/oriel/";
/// Where clients look for every device service (Core §5.1.1); a camera's own may be elsewhere.
pub(super) const DEVICE_SERVICE: &str = "/onvif/device_service";

/// The door.
pub(super) struct Door {
    pub(super) common: Arc<Common>,
    pub(super) shared: Arc<Shared>,
    pub(super) way: Way,
    pub(super) remembered: Remembered,
    authenticator: Authenticator,
    /// Why nothing is passed on, if that is so.
    held: Mutex<Option<Arc<str>>>,
}

/// One request on its way through the door.
pub(super) struct Asked {
    pub(super) head: Parts,
    /// What it asks for, at the virtual device: path and query.
    pub(super) target: PathAndQuery,
    pub(super) origin: Origin,
    /// What the path began with, before it was taken off.
    prefix: String,
    /// What the addresses in the answer begin with.
    pub(super) base: Base,
}

impl Asked {
    /// Whether it asks for the time by which we check a UsernameToken: on the LAN, that of this box and not the camera's. HTTP Digest holds no time, and through
    /// an uplink nobody shows anything, so those are told the camera's.
    pub(super) fn wants_our_clock(&self, envelope: &Envelope<'_>) -> bool {
        let by_digest = self.head.headers.contains_key(AUTHORIZATION);
        matches!(self.origin, Origin::Lan { .. }) && !by_digest && clock::is_asked(envelope)
    }
}

impl Door {
    pub(super) fn new(
        entry: CameraEntry,
        shared: Arc<Shared>,
        common: Arc<Common>,
        remembered: Remembered,
    ) -> Result<Self, DeviceError> {
        let mut options = AuthOptions::new(format!("oriel-{}", shared.store.state().uuid));
        options.skew = common.clock_tolerance.try_into().unwrap_or(options.skew);
        let way = Way::new(entry, &common)?;
        Ok(Self {
            common,
            shared,
            way,
            remembered,
            authenticator: Authenticator::new(&options),
            held: Mutex::default(),
        })
    }

    pub(super) fn entry(&self) -> Arc<CameraEntry> {
        Arc::clone(&self.way.current().entry)
    }

    pub(super) fn change(&self, entry: CameraEntry) -> Result<(), DeviceError> {
        self.way.change(entry, &self.common)
    }

    pub(super) fn watch(&self) -> watch::Receiver<Contact> {
        self.way.watch()
    }

    pub(super) fn hold(&self, why: Option<Arc<str>>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Whether whoever asks may be led to the camera; the bridge itself always is, or it would never learn that all is well again.
    pub(super) fn may_pass(&self, origin: &Origin, language: Language) -> Result<(), Refused> {
        let is_own = matches!(origin, Origin::Uplink { tunnel, .. } if !tunnel.leads_out());
        match &*self.held.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) if !is_own => Err(language.say(StatusCode::SERVICE_UNAVAILABLE, &**why)),
            _ => Ok(()),
        }
    }

    /// Serves one request. `prefix` was taken off its path.
    pub(super) async fn serve(&self, request: Request<Body>, origin: Origin, prefix: &str) -> Response<Body> {
        // One program has many of them.
        let camera = tracing::error_span!("camera", name = self.entry().name);
        let span = camera.in_scope(|| span(request.headers(), &origin, self.common.join_trace));
        let answer = self.answer(request, origin, prefix);
        answered(async { answer.await.unwrap_or_else(|refused| *refused) }, span).await
    }

    async fn answer(&self, request: Request<Body>, origin: Origin, prefix: &str) -> Result<Response<Body>, Refused> {
        let base = Base::of(&request, &origin).below(prefix);
        let (head, body) = request.into_parts();
        let is_soap = head.method == Method::POST && check::is_soap(&head.headers);
        let language = if is_soap { Language::Soap } else { Language::Plain };
        // Whatever else a target may name, such as another host, is not looked at: the camera is at one place.
        let target = head.uri.path_and_query().filter(|target| target.as_str().starts_with('/')).cloned();
        let target = target.ok_or_else(|| language.say(StatusCode::BAD_REQUEST, "a path is asked for here"))?;
        if head.method == Method::CONNECT || wants_another_protocol(&head.headers) {
            let text = "the bridge does not pass WebSockets or other protocols to a camera; ask the camera itself";
            return Err(language.say(StatusCode::NOT_IMPLEMENTED, text));
        }
        let without_type = head.method == Method::POST && !head.headers.contains_key(CONTENT_TYPE);
        let is_soap = is_soap || (without_type && self.is_service(&target));
        let asked = Asked { head, target, origin, prefix: prefix.to_owned(), base };
        if is_soap { self.exchange(asked, body).await } else { self.fetch(asked, body).await }
    }

    fn is_service(&self, target: &PathAndQuery) -> bool {
        target.path().starts_with(OURS) || self.way.known().is_service(target)
    }

    /// Who asks; whoever shows nothing that holds is nobody in particular, where `is_for_all` says that nobody has to.
    pub(super) fn caller(
        &self,
        asked: &Asked,
        envelope: Option<&Envelope<'_>>,
        is_for_all: bool,
    ) -> Result<Caller, Refused> {
        let via = asked.origin.via();
        if let Origin::Uplink { tunnel, .. } = &asked.origin {
            // Uplink §5.3: the configured level counts, and nothing that the request may bring along.
            return Ok(Caller { levels: tunnel.levels(), user: None, via });
        }
        let target = format!("{}{}", asked.prefix, asked.target);
        match shown(&self.authenticator, &Users(self.entry()), envelope, &asked.head, &target) {
            Ok(Some(found)) => Ok(Caller { levels: found.levels, user: Some(found.user), via }),
            // A client whose clock is wrong must be able to read the camera's.
            Ok(None) | Err(_) if is_for_all => Ok(Caller::anonymous(via)),
            Ok(None) => Err(self.challenge()),
            Err(refused) => Err(refused),
        }
    }

    /// Asks the caller who it is.
    pub(super) fn challenge(&self) -> Refused {
        challenge(self.authenticator.challenges(Timestamp::now(), false), None)
    }
}

/// Where a service of ours is asked.
pub(super) fn path(service: &Service) -> String {
    format!("{OURS}{}", service.path.rsplit('/').next().unwrap_or_default())
}

fn wants_another_protocol(headers: &HeaderMap) -> bool {
    let mut connection = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    headers.contains_key(UPGRADE)
        && connection.any(|value| value.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade")))
}

/// The accounts of the entry.
struct Users(Arc<CameraEntry>);

impl Accounts for Users {
    fn lookup(&self, user: &str) -> Option<Account> {
        lookup(&self.0.accounts, user)
    }
}
