//! The one door to the device, for the LAN and for every uplink alike: HTTP in front of SOAP (Core §5.8.2.4, §5.9.1).
//!
//! ```text
//!  path ─► method ─► content type ─► body ─► envelope ─► who is it ─► router: known? allowed? readable? ─► handler
//!  404      405        415         413 408    fault     401 or fault            fault                       200 or fault
//! ```
//! Any service's operation is taken at any service's path: the namespace of the request names its service already, rights go by the
//! operation alone, and clients that send everything to the device service exist. A subscription has a path of its own
//! beside those of the services. Nothing is taken at other paths.

mod body;
mod delivery;
mod lan;
mod origin;
mod stall;
mod told;

pub(crate) use body::{Refused, plain, read};
pub(crate) use delivery::Delivering;
pub(crate) use lan::{Answer, Lan, listen};
pub(crate) use origin::{Base, Origin};
pub(crate) use told::{answered, span};

use crate::config::JoinTrace;
use crate::services::events::Addressed;
use crate::services::{Call, SERVICES, Shared};
use crate::store::State;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use oriel_soap::auth::{Account, Accounts, Attempt, AuthOptions, Authenticator, Identity, Refusal, Secret};
use oriel_soap::envelope::{CONTENT_TYPE, ContentType};
use oriel_soap::xml::Limits;
use oriel_soap::{AccessClass, Caller, Envelope, Level, Levels, Reply, Router};
use oriel_uplink::{Body, body as bodies};
use std::sync::Arc;

/// The door.
pub(crate) struct Door {
    shared: Arc<Shared>,
    router: Arc<Router<Call>>,
    authenticator: Authenticator,
    max_body: usize,
    join_trace: Option<JoinTrace>,
}

impl Door {
    pub(crate) fn new(shared: Arc<Shared>, router: Router<Call>, options: &AuthOptions, max_body: usize) -> Self {
        Self {
            shared,
            router: Arc::new(router),
            authenticator: Authenticator::new(options),
            max_body,
            join_trace: None,
        }
    }

    /// The same, whose spans join the traces of those who ask through tunnels.
    pub(crate) fn joining(mut self, join_trace: Option<JoinTrace>) -> Self {
        self.join_trace = join_trace;
        self
    }

    /// Serves one request.
    pub(crate) async fn serve(&self, request: Request<Body>, origin: Origin) -> Response<Body> {
        let span = span(request.headers(), &origin, self.join_trace);
        answered(async { self.answer(request, origin).await.unwrap_or_else(|refused| *refused) }, span).await
    }

    async fn answer(&self, request: Request<Body>, origin: Origin) -> Result<Response<Body>, Refused> {
        check_path(request.uri().path())?;
        if request.method() != Method::POST {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "SOAP is asked by POST");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return Err(response);
        }
        let kind = content_type(request.headers())?;
        let base = Base::of(&request, &origin);
        let (head, incoming) = request.into_parts();
        let message = read(incoming, self.max_body).await?;
        if message.is_empty() {
            // Core §5.8.2.4: no SOAP message, so no SOAP fault.
            return Err(plain(StatusCode::BAD_REQUEST, "there is no SOAP message in the request"));
        }
        // Nothing that borrows from the message lives across an await.
        let delivering = Delivering::default();
        let reply = {
            let limits = Limits { bytes: self.max_body, ..Limits::REQUEST };
            let envelope = Envelope::parse(&message, &limits).map_err(faulty)?;
            let caller = self.caller(&envelope, &head, &origin)?;
            let addressed = Addressed::of(head.uri.path(), &envelope);
            let (shared, delivering) = (Arc::clone(&self.shared), delivering.clone());
            let call = Call { caller, base, addressed, delivering, shared };
            self.router.dispatch(&envelope, kind.action.as_deref(), call)
        };
        Ok(delivering.follow(soap(reply.await)))
    }

    /// Who asks.
    fn caller(&self, envelope: &Envelope<'_>, head: &http::request::Parts, origin: &Origin) -> Result<Caller, Refused> {
        let via = origin.via();
        if let Origin::Uplink { tunnel, .. } = origin {
            // Uplink §5.3: the configured level counts, and nothing that the request may bring along.
            return Ok(Caller { levels: tunnel.levels(), user: None, via });
        }
        // Operations that need nobody ask for nobody: a client whose clock is wrong must be able to read ours. What no table has is
        // refused by the router.
        if self.router.row(envelope).is_none_or(|row| row.access == AccessClass::PreAuth) {
            return Ok(Caller::anonymous(via));
        }
        let users = Users(self.shared.store.state());
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        match shown(&self.authenticator, &users, Some(envelope), head, target)? {
            Some(found) => Ok(Caller { levels: found.levels, user: Some(found.user), via }),
            // Core §5.9.1: who shows nothing is asked for HTTP Digest.
            None => Err(challenge(self.authenticator.challenges(Timestamp::now(), false), Some(envelope))),
        }
    }
}

/// Who it is, by what a request shows; none if it shows nothing. `target` is what the client asked for: path and query.
///
/// # Errors
/// Something was shown that does not hold.
pub(crate) fn shown(
    authenticator: &Authenticator,
    accounts: &impl Accounts,
    envelope: Option<&Envelope<'_>>,
    head: &http::request::Parts,
    target: &str,
) -> Result<Option<Identity>, Refused> {
    let refused = |fault| refused(fault, envelope);
    let token = envelope.map(Envelope::username_token).transpose().map_err(refused)?.flatten();
    let authorization = head.headers.get(header::AUTHORIZATION);
    let attempt = Attempt {
        authorization: authorization.map(|value| value.to_str().unwrap_or_default()),
        method: head.method.as_str(),
        uri: target,
        token: token.as_ref(),
    };
    authenticator.authenticate(&attempt, accounts, Timestamp::now()).map_err(|refusal| match refusal {
        Refusal::Challenge(challenges) => challenge(challenges, envelope),
        Refusal::Fault(fault) => refused(fault),
    })
}

/// The accounts of this moment.
struct Users(Arc<State>);

impl Accounts for Users {
    fn lookup(&self, user: &str) -> Option<Account> {
        lookup(&self.0.users, user)
    }
}

/// The account of this name.
pub(crate) fn lookup(accounts: &[crate::store::Account], user: &str) -> Option<Account> {
    let account = accounts.iter().find(|account| account.name == user)?;
    Some(Account {
        secret: Secret::Password(account.password.reveal().to_owned()),
        levels: Levels::of(Level::from(account.level)),
    })
}

fn check_path(path: &str) -> Result<(), Refused> {
    if SERVICES.iter().any(|service| service.path == path) || Addressed::is_path(path) {
        return Ok(());
    }
    Err(plain(StatusCode::NOT_FOUND, format!("there is nothing here; the device service is at {}", SERVICES[0].path)))
}

fn content_type(headers: &HeaderMap) -> Result<ContentType, Refused> {
    let unsupported = |why: String| plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    let text = |name| {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        // Of two that differ, another reader might go by the other one.
        if values.any(|value| Some(value) != first) {
            return Err(unsupported(format!("{name} is there more than once")));
        }
        let text = first.map(HeaderValue::to_str).transpose();
        text.map_err(|_| unsupported(format!("{name} is not readable")))
    };
    if let Some(coding) = text("content-encoding")?.filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(unsupported(format!("the content coding {coding:?} is not supported")));
    }
    ContentType::parse(text("content-type")?, text("soapaction")?).map_err(|error| unsupported(error.to_string()))
}

pub(crate) fn faulty(fault: oriel_soap::Fault) -> Refused {
    Box::new(soap(Reply::of_fault(fault)))
}

/// The fault, related to the request if that was read.
fn refused(fault: oriel_soap::Fault, envelope: Option<&Envelope<'_>>) -> Refused {
    match envelope {
        Some(envelope) => Box::new(soap(Reply::refusing(fault, envelope))),
        None => faulty(fault),
    }
}

pub(crate) fn challenge(challenges: Vec<String>, envelope: Option<&Envelope<'_>>) -> Refused {
    let fault = oriel_soap::Fault::not_authorized("show who you are by HTTP Digest or WS-UsernameToken");
    let mut response = refused(fault, envelope);
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    for challenge in challenges {
        let value = HeaderValue::try_from(challenge).expect("a challenge is made of visible characters");
        response.headers_mut().append(header::WWW_AUTHENTICATE, value);
    }
    response
}

pub(crate) fn soap(reply: Reply) -> Response<Body> {
    let length = reply.body.len();
    let mut response = Response::new(bodies::full(reply.body));
    *response.status_mut() = reply.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    // Uplink peers expect it (HTTP/2 would do without).
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}
