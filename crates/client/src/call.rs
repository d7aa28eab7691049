//! Calls: the envelope out, credentials as the device asks for them, the answer or the fault back.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use oriel_onvif::device_mgmt::{DateTime, GetServices, GetSystemDateAndTime, Service};
use oriel_onvif::ns;
use oriel_soap::Operation;
use oriel_soap::auth::{DigestClient, UsernameToken};
use oriel_soap::envelope::{self, Envelope, Headers, ReplyError};
use oriel_soap::xml::{Any, Limits, Ns};
use tokio::sync::Mutex;
use url::{Position, Url};

use crate::transport::{Direct, Transport};
use crate::{CallError, TransportError};

/// What the caller shows.
#[derive(Clone)]
pub enum Auth {
    /// Nothing.
    None,
    /// A device's account: HTTP Digest, or WS-UsernameToken where the device does not ask for Digest (Core §5.9).
    Password {
        /// Name of the account.
        user: String,
        /// Its password.
        password: String,
    },
    /// A cloud's token, in the header.
    Bearer(String),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password { .. } => "Password",
            Self::Bearer(_) => "Bearer",
        })
    }
}

/// What was learnt of the device's wishes.
#[derive(Default)]
struct Learnt {
    digest: Option<DigestClient>,
    /// The device's clock less ours, once it asked for a UsernameToken.
    token_offset: Option<SignedDuration>,
    /// Namespace and path of each service, until a call there fails: a device may move them when it restarts.
    services: Option<Vec<(String, String)>>,
}

/// A client of one device.
pub struct Client {
    transport: Arc<dyn Transport>,
    /// Path and query of the device service; those of other services are asked for.
    entry: String,
    auth: Auth,
    learnt: Mutex<Learnt>,
}

impl Client {
    /// A client of the device whose device service is at `url`.
    ///
    /// # Errors
    /// [`TransportError::Address`].
    pub fn new(url: &Url, tls: Option<rustls::ClientConfig>, auth: Auth) -> Result<Self, TransportError> {
        let entry = match target(url) {
            "" | "/" => "/onvif/device_service".to_owned(),
            target => target.to_owned(),
        };
        Ok(Self::over(Arc::new(Direct::new(url, tls)?), entry, auth))
    }

    /// A client over any transport; `entry` is the path of the device service.
    #[must_use]
    pub fn over(transport: Arc<dyn Transport>, entry: String, auth: Auth) -> Self {
        Self { transport, entry, auth, learnt: Mutex::default() }
    }

    /// Calls an operation of our tables.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Response, CallError> {
        let write = |headers: &Headers| envelope::request(&operation, headers);
        let response = self.ask(O::SERVICE, &write).await?;
        match envelope::read_reply::<O>(response.body(), &Limits::REPLY) {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.unhappy(&response, error).await),
        }
    }

    /// Calls an operation by its request's element. Returns the answer's envelope.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call_raw(&self, service: Ns, request: &Any) -> Result<Bytes, CallError> {
        let write = |headers: &Headers| envelope::request_raw(request, headers);
        let response = self.ask(service, &write).await?;
        let fault = match Envelope::parse(response.body(), &Limits::REPLY) {
            Ok(answer) => answer.fault().map(ReplyError::Fault),
            Err(fault) => Some(ReplyError::Unreadable(fault.reason)),
        };
        match fault {
            Some(error) => Err(self.unhappy(&response, error).await),
            None => Ok(response.into_body()),
        }
    }

    async fn ask(
        &self,
        service: Ns,
        write: &(dyn Fn(&Headers) -> Vec<u8> + Sync),
    ) -> Result<Response<Bytes>, CallError> {
        let path = self.path_of(service).await?;
        let asked = self.exchange(&path, write).await;
        if asked.is_err() {
            self.learnt.lock().await.services = None;
        }
        asked
    }

    async fn unhappy(&self, response: &Response<Bytes>, error: ReplyError) -> CallError {
        self.learnt.lock().await.services = None;
        unhappy(response, error)
    }

    /// The path and query of a service: the device says them by GetServices, once; its host is not followed.
    async fn path_of(&self, service: Ns) -> Result<String, CallError> {
        if service == ns::TDS {
            return Ok(self.entry.clone());
        }
        let known = self.learnt.lock().await.services.clone();
        let services = match known {
            Some(services) => services,
            None => {
                let answer = Box::pin(self.call(GetServices::default())).await?;
                let place =
                    |entry: &Service| Some((entry.namespace.clone(), target(&entry.x_addr.parse().ok()?).to_owned()));
                answer.service.iter().filter_map(place).collect()
            }
        };
        let found = services.iter().find(|(namespace, _)| namespace == service.uri).map(|(_, path)| path.clone());
        // Remembered only where it helped: a device that lacks the service now is asked again.
        self.learnt.lock().await.services = found.is_some().then_some(services);
        found.ok_or_else(|| CallError::Unreadable(format!("the device offers no service {}", service.uri)))
    }

    /// One exchange, with what the device asks of us: nothing, then Digest, then a UsernameToken by the device's clock.
    async fn exchange(
        &self,
        path: &str,
        write: &(dyn Fn(&Headers) -> Vec<u8> + Sync),
    ) -> Result<Response<Bytes>, CallError> {
        let Auth::Password { user, password } = &self.auth else {
            return Ok(self.post(path, write(&Headers::default()), self.bearer()).await?);
        };
        let mut learnt = self.learnt.lock().await;
        let known = learnt.digest.as_mut().and_then(|digest| digest.again("POST", path));
        let headers = learnt.token_offset.map(|offset| token(user, password, offset)).unwrap_or_default();
        let response = self.post(path, write(&headers), known).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenges = response.headers().get_all(WWW_AUTHENTICATE);
            let mut digest = DigestClient::new(user, password);
            let texts = challenges.iter().filter_map(|value| value.to_str().ok());
            if let Some(answer) = digest.answer(texts, "POST", path) {
                let again = self.post(path, write(&Headers::default()), Some(answer)).await?;
                learnt.digest = Some(digest);
                return Ok(again);
            }
        }
        if learnt.token_offset.is_some() || !asks_for_token(&response) {
            return Ok(response);
        }
        let offset = self.clock_offset().await?;
        learnt.token_offset = Some(offset);
        Ok(self.post(path, write(&token(user, password, offset)), None).await?)
    }

    fn bearer(&self) -> Option<String> {
        match &self.auth {
            Auth::Bearer(token) => Some(format!("Bearer {token}")),
            _ => None,
        }
    }

    /// The device's clock less ours; it needs no credentials (Core §8.3.8 is PRE_AUTH for this reason).
    async fn clock_offset(&self) -> Result<SignedDuration, CallError> {
        let message = envelope::request(&GetSystemDateAndTime::default(), &Headers::default());
        let response = self.post(&self.entry, message, None).await?;
        let read = envelope::read_reply::<GetSystemDateAndTime>(response.body(), &Limits::REPLY);
        let answer = read.map_err(|error| unhappy(&response, error))?;
        let theirs = answer.system_date_and_time.utc_date_time.and_then(timestamp);
        Ok(theirs.map_or(SignedDuration::ZERO, |theirs| theirs.duration_since(Timestamp::now())))
    }

    async fn post(&self, path: &str, body: Vec<u8>, auth: Option<String>) -> Result<Response<Bytes>, TransportError> {
        let bad = |error: http::Error| TransportError::Address(error.to_string());
        let mut request = Request::builder().method(Method::POST).uri(path).body(Bytes::from(body)).map_err(bad)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(envelope::CONTENT_TYPE));
        if let Some(auth) = auth {
            let mut value = HeaderValue::try_from(auth).map_err(|error| bad(error.into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        self.transport.send(request).await
    }
}

/// What stands in the request line: path and query.
fn target(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}

/// None for a date that is none.
fn timestamp(at: DateTime) -> Option<Timestamp> {
    let (date, time) = (at.date, at.time);
    let date = Date::new(date.year.try_into().ok()?, date.month.try_into().ok()?, date.day.try_into().ok()?).ok()?;
    // A leap second is the second before it.
    let (hour, minute, second) = (time.hour.try_into().ok()?, time.minute.try_into().ok()?, time.second.min(59));
    let time = Time::new(hour, minute, second.try_into().ok()?, 0).ok()?;
    TimeZone::UTC.to_timestamp(date.to_datetime(time)).ok()
}

fn token(user: &str, password: &str, offset: SignedDuration) -> Headers {
    let created = Timestamp::now().checked_add(offset).unwrap_or_else(|_| Timestamp::now());
    Headers { username_token: Some(UsernameToken::digest(user, password, created)), ..Headers::default() }
}

/// Whether the device refused and did not say how to do better over HTTP.
fn asks_for_token(response: &Response<Bytes>) -> bool {
    let fault = Envelope::parse(response.body(), &Limits::REPLY).ok().and_then(|answer| answer.fault());
    response.status() == StatusCode::UNAUTHORIZED || fault.is_some_and(|fault| fault.is("NotAuthorized"))
}

fn unhappy(response: &Response<Bytes>, error: ReplyError) -> CallError {
    let status = response.status();
    match error {
        ReplyError::Fault(fault) => CallError::Fault { status, fault },
        ReplyError::Unreadable(why) if status.is_success() => CallError::Unreadable(why),
        ReplyError::Unreadable(_) => {
            let text = String::from_utf8_lossy(response.body()).chars().take(500).collect();
            CallError::Status { status, text }
        }
    }
}
