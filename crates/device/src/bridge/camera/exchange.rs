//! A SOAP request: checked on our own parse, answered here where it is ours, and else sent to the camera as written from that parse; and the camera's reply
//! (Core §5.9.4, §8.1.2; Event §9).

use super::called::{ANONYMOUS, answers_here, consumer};
use super::door::{Asked, DEVICE_SERVICE, Door, OURS};
use super::refusal::{Language, refused, unfit};
use super::relayed;
use super::way::{Current, Kind, Permit, Question};
use crate::door::{Origin, Refused, faulty, plain, read, soap};
use crate::services::{Call, bridged};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use memchr::memmem;
use oriel_client::camera::Account;
use oriel_client::quirks::Profile;
use oriel_client::relay::addresses::addresses;
use oriel_client::relay::beginning;
use oriel_client::relay::check::{self, Parsed};
use oriel_client::relay::clock;
use oriel_client::relay::headers;
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetServices};
use oriel_onvif::{notification, ns};
use oriel_soap::envelope::{self, Addressing, Headers};
use oriel_soap::xml::{self, Limits, read as element};
use oriel_soap::{AccessClass, Caller, Envelope, Fault, Level, Operation as _, Reply};
use oriel_uplink::{Body, body};
use std::time::Duration;

/// How long a camera may take to begin its answer.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// How much longer than it was asked to wait for messages.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that messages are waited for, that included.
const LONGEST: Duration = Duration::from_secs(150);
/// How long the body of a short answer may take.
pub(super) const SHORT_BODY: Duration = Duration::from_secs(30);
/// An answer of at most this length is read whole, and its addresses are made to lead through us.
pub(super) const SHORT_ANSWER: usize = 256 * 1024;
/// A longer one is passed on as it comes, up to this length.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// Bounds on what we wrote from a parse that had closer ones; its length is that of what is there already.
const WRITTEN: Limits = Limits { bytes: usize::MAX, ..Limits::REPLY };

/// A request that goes to the camera.
pub(super) struct Passing {
    operation: String,
    /// Written from our parse.
    pub(super) envelope: Bytes,
    action: Option<String>,
    /// Path and query at the camera.
    pub(super) target: String,
    pub(super) account: Option<Account>,
    caller: Caller,
    /// It needs no account, at any device.
    is_for_all: bool,
    names_media: bool,
    /// GetServices: with the capabilities of each, or without.
    services: Option<bool>,
    /// GetDeviceInformation.
    tells_kind: bool,
    /// The headers of its answer, if that should become ours.
    pub(super) answering: Option<Addressing>,
    kind: Kind,
    answer: Duration,
}

impl Passing {
    /// As the camera is asked; `write` writes the envelope.
    pub(super) fn question<'q>(&'q self, write: &'q (dyn Fn(&Headers) -> Vec<u8> + Send + Sync)) -> Question<'q> {
        Question {
            target: &self.target,
            action: self.action.as_deref(),
            write,
            account: self.account.as_ref(),
            is_for_all: self.is_for_all,
            kind: self.kind,
            answer: self.answer,
        }
    }

    /// Whether it comes from one who showed nothing, and may be asked to.
    pub(super) fn is_nobody(&self, asked: &Asked) -> bool {
        self.caller.levels.is_anonymous() && matches!(asked.origin, Origin::Lan { .. })
    }
}

/// What a request came to.
enum Understood<F> {
    /// It is ours to answer.
    Ours(F),
    /// It is answered already.
    Told(Reply),
    /// It is the camera's.
    Passing(Box<Passing>),
}

impl Door {
    /// Answers a SOAP request.
    pub(super) async fn exchange(&self, asked: Asked, incoming: Body) -> Result<Response<Body>, Refused> {
        let message = read(incoming, self.common.max_body).await?;
        if message.is_empty() {
            // Core §5.8.2.4: no SOAP message, so no SOAP fault.
            return Err(plain(StatusCode::BAD_REQUEST, "there is no SOAP message in the request"));
        }
        // Nothing that borrows from the message lives across an await.
        let understood = self.understand(&asked, &message)?;
        drop(message);
        match understood {
            Understood::Ours(reply) => Ok(soap(reply.await)),
            Understood::Told(reply) => Ok(soap(reply)),
            Understood::Passing(passing) => {
                self.may_pass(&asked.origin, Language::Soap)?;
                self.pass(&asked, &passing).await
            }
        }
    }

    fn understand(
        &self,
        asked: &Asked,
        message: &[u8],
    ) -> Result<Understood<impl Future<Output = Reply> + Send + use<>>, Refused> {
        let parsed = check::parse(&asked.head.headers, message, self.common.max_body).map_err(refused)?;
        let (namespace, name) = parsed.envelope.operation();
        let row = oriel_onvif::lookup(namespace, name);
        let is_for_all = row.is_some_and(|row| row.access == AccessClass::PreAuth);
        let caller = self.caller(asked, Some(&parsed.envelope), is_for_all)?;
        if bridged::SERVICES.iter().any(|service| service.namespace.uri == namespace) {
            let call = Call::new(caller, asked.base.clone(), std::sync::Arc::clone(&self.shared));
            return Ok(Understood::Ours(self.common.router.dispatch(&parsed.envelope, parsed.action.as_deref(), call)));
        }
        parsed.authorise(caller.levels).map_err(refused)?;
        if asked.wants_our_clock(&parsed.envelope) {
            let body = clock::tell(&parsed.envelope, Timestamp::now()).into();
            return Ok(Understood::Told(Reply { status: StatusCode::OK, body, fault: None }));
        }
        if asked.target.path().starts_with(OURS) {
            return Err(faulty(Fault::unknown_action(format!("the service at {} has no {name}", asked.target.path()))));
        }
        let is_service = self.way.known().is_service(&asked.target);
        if !is_service && !caller.levels.contains(Level::Administrator) {
            let text = "only an administrator may send SOAP to a path that is not below /onvif/ and that the camera did not name";
            return Err(Language::Soap.say(StatusCode::FORBIDDEN, text));
        }
        answers_here(&parsed.envelope).map_err(faulty)?;
        consumer(&parsed.envelope, &caller, &self.shared.call_out).map_err(faulty)?;
        Ok(Understood::Passing(Box::new(self.passing(asked, &parsed, caller, is_for_all)?)))
    }

    fn passing(
        &self,
        asked: &Asked,
        parsed: &Parsed<'_>,
        caller: Caller,
        is_for_all: bool,
    ) -> Result<Passing, Refused> {
        let current = self.way.current();
        let target = self.target(asked, &current);
        let to = parsed.envelope.addressing();
        let named = to.to.as_deref().is_some_and(|to| to != ANONYMOUS && to.contains("://"));
        let addressing = named.then(|| Addressing {
            to: Some(self.way.known().own_name(&target, &current.camera.address())),
            older: to.older,
            ..Addressing::default()
        });
        let (kind, answer) = patience(&parsed.envelope);
        let (namespace, name) = parsed.envelope.operation();
        let is_list = (namespace, name) == (GetServices::SERVICE.uri, GetServices::NAME);
        let asks_more = || parsed.envelope.request::<GetServices>().is_ok_and(|asked| asked.include_capability);
        let envelope = parsed.envelope.reserialise_with(&Headers { addressing, ..Headers::default() });
        // It is read again for each token, and what was within the bounds may be beyond them with the header that was added.
        Envelope::parse(&envelope, &WRITTEN).map_err(faulty)?;
        Ok(Passing {
            operation: name.to_owned(),
            envelope: envelope.into(),
            action: parsed.action.clone(),
            target,
            account: current.account(caller.levels),
            caller,
            is_for_all,
            names_media: parsed.names_media(),
            services: is_list.then(asks_more),
            tells_kind: (namespace, name) == (GetDeviceInformation::SERVICE.uri, GetDeviceInformation::NAME),
            answering: is_list.then(|| to.answering::<GetServices>()).flatten(),
            kind,
            answer,
        })
    }

    /// Where the camera has what was asked for here.
    fn target(&self, asked: &Asked, current: &Current) -> String {
        let usual = asked.target.as_str() == DEVICE_SERVICE && !self.way.known().names_usual();
        if usual { current.entry.address.path().to_owned() } else { asked.target.to_string() }
    }

    async fn pass(&self, asked: &Asked, passing: &Passing) -> Result<Response<Body>, Refused> {
        if let Some(include) = passing.services {
            return self.list(asked, passing, include).await;
        }
        let write = |headers: &Headers| written(&passing.envelope, headers);
        let asked_camera = Box::pin(self.way.ask(&passing.question(&write))).await;
        let (response, permit) = asked_camera.map_err(|failure| Language::Soap.failed(&failure))?;
        if let Some(why) = unfit(&response) {
            return Err(Language::Soap.say(StatusCode::BAD_GATEWAY, why));
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(self.shut_out(asked, passing, ""));
        }
        self.reply(asked, passing, response, permit).await
    }

    /// The camera does not let us in. Who showed nothing, and asked for what needs nothing, is asked to show something after all.
    fn shut_out(&self, asked: &Asked, passing: &Passing, why: &str) -> Refused {
        if passing.is_nobody(asked) {
            return self.challenge();
        }
        Language::Soap.shut_out(passing.account.as_ref().map(|account| account.user.as_str()), why)
    }

    /// Reads a short answer, and makes its addresses lead through us; a long one is passed on as it comes.
    async fn reply(
        &self,
        asked: &Asked,
        passing: &Passing,
        response: Response<Body>,
        permit: Permit,
    ) -> Result<Response<Body>, Refused> {
        let (mut parts, mut incoming) = response.into_parts();
        parts.headers = headers::of_response(std::mem::take(&mut parts.headers), 2);
        parts.extensions.clear();
        parts.version = http::Version::default();
        let say = |text: &str| Language::Soap.say(StatusCode::BAD_GATEWAY, text);
        let read = tokio::time::timeout(SHORT_BODY, beginning(&mut incoming, SHORT_ANSWER)).await;
        let read = read.map_err(|_| say("the camera did not finish its answer in time"))?;
        let (bytes, is_whole) = read.ok_or_else(|| say("the camera broke off its answer"))?;
        if !is_whole {
            let body = relayed::continued(bytes, incoming, LONGEST_ANSWER, permit);
            return Ok(Response::from_parts(parts, body));
        }
        drop((incoming, permit));
        if let Some(fault) = refusal(parts.status, &bytes) {
            self.way.refused(passing.account.as_ref());
            return Err(self.shut_out(asked, passing, &format!(" for {} ({})", passing.operation, fault.reason)));
        }
        if passing.tells_kind && parts.status.is_success() {
            self.learn_kind(&bytes);
        }
        if parts.status.is_success() && !passing.is_for_all {
            self.way.taken(passing.account.as_ref());
        }
        Ok(self.lead(asked, passing, parts, bytes))
    }

    /// What is odd about the camera may be known by its make.
    fn learn_kind(&self, reply: &[u8]) {
        let Ok(told) = envelope::read_reply::<GetDeviceInformation>(reply, &Limits::REPLY) else { return };
        if let Some(kind) = Profile::of(&told.manufacturer, &told.model, &told.firmware_version) {
            self.way.is_of_kind(kind, &self.common);
        }
    }

    /// An answer whose addresses lead through us, and are remembered.
    pub(super) fn lead(&self, asked: &Asked, passing: &Passing, mut parts: Parts, bytes: Bytes) -> Response<Body> {
        let base = asked.base.to_string();
        let mut found = addresses(&bytes, &base);
        let bytes = found.rewritten.take().map_or(bytes, Bytes::from);
        self.way.known().remember(found, passing.names_media, &self.way.current().camera.address());
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        Response::from_parts(parts, body::full(bytes))
    }
}

/// What is sent: as it was checked, with these headers besides its own.
pub(super) fn written(envelope: &Bytes, headers: &Headers) -> Vec<u8> {
    if headers.username_token.is_none() && headers.addressing.is_none() {
        return envelope.to_vec();
    }
    let parsed = Envelope::parse(envelope, &WRITTEN).expect("it was read with these bounds before it was taken");
    parsed.reserialise_with(headers)
}

/// How long its answer may take, and its place with it.
fn patience(envelope: &Envelope<'_>) -> (Kind, Duration) {
    let (namespace, name) = envelope.operation();
    let pulls = (namespace == ns::TEV.uri && name == "PullMessages")
        || (namespace == notification::TABLE.service.uri && name == "GetMessages");
    if !pulls {
        return (Kind::Soon, ANSWER);
    }
    let timeout = element::elements(envelope.body()).find(|child| element::is(*child, ns::TEV, "Timeout"));
    let timeout = timeout.and_then(|timeout| <xml::Duration as xml::XmlRead>::read(timeout).ok());
    let timeout = timeout.and_then(|timeout| Duration::try_from(timeout.0).ok());
    (Kind::Long, timeout.map_or(LONGEST, |timeout| timeout.saturating_add(PATIENCE).min(LONGEST)))
}

/// The fault by which a camera says that it does not let us in; some say it with status 200.
pub(super) fn refusal(status: StatusCode, reply: &[u8]) -> Option<Fault> {
    if (status.is_success() && reply.len() > 8 * 1024) || memmem::find(reply, b"NotAuthorized").is_none() {
        return None;
    }
    let fault = Envelope::parse(reply, &Limits::REPLY).ok()?.fault()?;
    fault.is("NotAuthorized").then_some(fault)
}
