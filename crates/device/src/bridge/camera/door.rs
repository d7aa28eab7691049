//! The door of one camera: who asks, what for, and who answers it (Core §5.8.2.4, §5.9).

use super::{Common, Contact};
use crate::bridge::CameraEntry;
use crate::device::DeviceError;
use crate::door::{Base, Origin, Refused, answered, challenge, faulty, lookup, plain, read, shown, soap, span};
use crate::services::{Call, Service, Shared, bridged};

use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use oriel_client::relay;
use oriel_client::relay::check::{self, Parsed};
use oriel_soap::auth::{Account, Accounts, AuthOptions, Authenticator};
use oriel_soap::{AccessClass, Caller};
use oriel_uplink::Body;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Below it are the paths of our own services, where no camera's can be taken for them.
const OURS: &str = "/oriel/";

/// The door.
pub(super) struct Door {
    common: Arc<Common>,
    shared: Arc<Shared>,
    authenticator: Authenticator,
    current: Mutex<Arc<CameraEntry>>,
    contact: watch::Sender<Contact>,
}

impl Door {
    pub(super) fn new(entry: CameraEntry, shared: Arc<Shared>, common: Arc<Common>) -> Result<Self, DeviceError> {
        let mut options = AuthOptions::new(format!("oriel-{}", shared.store.state().uuid));
        options.skew = common.clock_tolerance.try_into().unwrap_or(options.skew);
        Ok(Self {
            common,
            shared,
            authenticator: Authenticator::new(&options),
            current: Mutex::new(Arc::new(entry)),
            contact: watch::Sender::default(),
        })
    }

    pub(super) fn entry(&self) -> Arc<CameraEntry> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn change(&self, entry: CameraEntry) -> Result<(), DeviceError> {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(entry);
        Ok(())
    }

    pub(super) fn watch(&self) -> watch::Receiver<Contact> {
        self.contact.subscribe()
    }

    /// Serves one request. `prefix` was taken off its path.
    pub(super) async fn serve(&self, request: Request<Body>, origin: Origin, prefix: &str) -> Response<Body> {
        let span = span(request.headers(), &origin, self.common.join_trace);
        let answer = self.answer(request, origin, prefix);
        answered(async { answer.await.unwrap_or_else(|refused| *refused) }, span).await
    }

    async fn answer(&self, request: Request<Body>, origin: Origin, prefix: &str) -> Result<Response<Body>, Refused> {
        if request.method() == Method::POST && check::is_soap(request.headers()) {
            return self.exchange(request, &origin, prefix).await;
        }
        Err(plain(StatusCode::NOT_IMPLEMENTED, "the bridge passes SOAP alone"))
    }

    async fn exchange(&self, request: Request<Body>, origin: &Origin, prefix: &str) -> Result<Response<Body>, Refused> {
        let base = Base::of(&request, origin).below(prefix);
        let (head, incoming) = request.into_parts();
        let message = read(incoming, self.common.max_body).await?;
        if message.is_empty() {
            return Err(plain(StatusCode::BAD_REQUEST, "there is no SOAP message in the request"));
        }
        // Nothing that borrows from the message lives across an await.
        let reply = {
            let parsed = check::parse(&head.headers, &message, self.common.max_body).map_err(refused)?;
            let caller = self.caller(&parsed, &head, origin, prefix)?;
            let (namespace, _) = parsed.envelope.operation();
            if !bridged::SERVICES.iter().any(|service| service.namespace.uri == namespace) {
                return Err(plain(StatusCode::NOT_IMPLEMENTED, "nothing is passed on to the camera yet"));
            }
            let call = Call { caller, base, shared: Arc::clone(&self.shared) };
            self.common.router.dispatch(&parsed.envelope, parsed.action.as_deref(), call)
        };
        Ok(soap(reply.await))
    }

    /// Who asks.
    fn caller(&self, parsed: &Parsed<'_>, head: &Parts, origin: &Origin, prefix: &str) -> Result<Caller, Refused> {
        let via = origin.via();
        if let Origin::Uplink { tunnel, .. } = origin {
            // Uplink §5.3: the configured level counts, and nothing that the request may bring along.
            return Ok(Caller { levels: tunnel.levels(), user: None, via });
        }
        let (namespace, name) = parsed.envelope.operation();
        let is_for_all = oriel_onvif::lookup(namespace, name).is_some_and(|row| row.access == AccessClass::PreAuth);
        let target = format!("{prefix}{}", head.uri.path_and_query().map_or("/", |target| target.as_str()));
        let users = Users(self.entry());
        match shown(&self.authenticator, &users, Some(&parsed.envelope), head, &target) {
            Ok(Some(found)) => Ok(Caller { levels: found.levels, user: Some(found.user), via }),
            // Operations that need nobody ask for nobody: a client whose clock is wrong must be able to read the camera's.
            Ok(None) | Err(_) if is_for_all => Ok(Caller::anonymous(via)),
            Ok(None) => Err(challenge(self.authenticator.challenges(Timestamp::now(), false))),
            Err(refused) => Err(refused),
        }
    }
}

/// Where a service of ours is asked.
fn path(service: &Service) -> String {
    format!("{OURS}{}", service.path.rsplit('/').next().unwrap_or_default())
}

/// A refusal in SOAP's words.
fn refused(refused: relay::Refused) -> Refused {
    match refused {
        relay::Refused::Fault(fault) => faulty(*fault),
        relay::Refused::Status(status, detail) => plain(status, detail),
    }
}

/// The accounts of the entry.
struct Users(Arc<CameraEntry>);

impl Accounts for Users {
    fn lookup(&self, user: &str) -> Option<Account> {
        lookup(&self.0.accounts, user)
    }
}
