//! Calls: the envelope out, credentials as the device asks for them, the answer or the fault back.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use oriel_onvif::device_mgmt::{GetCapabilities, GetServices, GetSystemDateAndTime, Service};
use oriel_onvif::ns;
use oriel_soap::Operation;
use oriel_soap::envelope::{self, Envelope, Headers, ReplyError};
use oriel_soap::xml::{Any, Limits, Ns};
use tokio::sync::Mutex;
use url::{Position, Url};

use crate::ask::{Question, Streaming, Way, offset};
use crate::body::{full, whole};
use crate::credentials::{Account, Credentials};
use crate::quirks::Quirks;
use crate::transport::{Direct, LONGEST, Transport};
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

/// A client of one device.
pub struct Client {
    way: Arc<dyn Way>,
    shown: Shown,
    /// Namespace and path of each service, until a call there fails: a device may move them when it restarts.
    services: Mutex<Option<Vec<(String, String)>>>,
}

/// What goes with each request.
enum Shown {
    Nothing,
    Bearer(String),
    Account(Arc<Credentials>),
}

impl Client {
    /// A client of the device whose device service is at `url`.
    ///
    /// # Errors
    /// [`TransportError::Address`].
    pub fn new(url: &Url, tls: Option<rustls::ClientConfig>, auth: Auth) -> Result<Self, TransportError> {
        Ok(Self::over(Arc::new(Direct::new(url, tls)?), entry(url), auth))
    }

    /// A client over any transport; `entry` is the path of the device service.
    #[must_use]
    pub fn over(transport: Arc<dyn Transport>, entry: String, auth: Auth) -> Self {
        let shown = match auth {
            Auth::None => Shown::Nothing,
            Auth::Bearer(token) => Shown::Bearer(format!("Bearer {token}")),
            Auth::Password { user, password } => {
                Shown::Account(Arc::new(Credentials::new(Account { user, password }, &Quirks::default())))
            }
        };
        Self { way: Arc::new(Over { transport, entry }), shown, services: Mutex::default() }
    }

    /// A client of a camera.
    pub(crate) fn of(way: Arc<dyn Way>, credentials: Option<Arc<Credentials>>) -> Self {
        Self { way, shown: credentials.map_or(Shown::Nothing, Shown::Account), services: Mutex::default() }
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

    /// The device's clock less ours, to a second or so; none if it does not tell its time in UTC.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn clock(&self) -> Result<Option<jiff::SignedDuration>, CallError> {
        let answer = self.call(GetSystemDateAndTime::default()).await?;
        Ok(offset(&answer, jiff::Timestamp::now()))
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
        write: &(dyn Fn(&Headers) -> Vec<u8> + Send + Sync),
    ) -> Result<Response<Bytes>, CallError> {
        let path = self.path_of(service).await?;
        let asked = self.exchange(&path, write).await;
        if asked.is_err() {
            *self.services.lock().await = None;
        }
        asked
    }

    async fn unhappy(&self, response: &Response<Bytes>, error: ReplyError) -> CallError {
        *self.services.lock().await = None;
        unhappy(response, error)
    }

    /// The path and query of a service: the device says them by GetServices, once; its host is not followed.
    async fn path_of(&self, service: Ns) -> Result<String, CallError> {
        if service == ns::TDS {
            return Ok(self.way.entry());
        }
        let known = self.services.lock().await.clone();
        let services = match known {
            Some(services) => services,
            None => self.places().await?,
        };
        let found = services.iter().find(|(namespace, _)| namespace == service.uri).map(|(_, path)| path.clone());
        // Remembered only where it helped: a device that lacks the service now is asked again.
        *self.services.lock().await = found.is_some().then_some(services);
        found.ok_or_else(|| CallError::Unreadable(format!("the device offers no service {}", service.uri)))
    }

    /// Namespace and path of each service, by GetServices; by GetCapabilities from a device of before ONVIF 2.0, which knows no other way.
    async fn places(&self) -> Result<Vec<(String, String)>, CallError> {
        let refused = match Box::pin(self.call(GetServices::default())).await {
            Ok(answer) => {
                let place = |service: Service| Some((service.namespace, path(&service.x_addr)?));
                return Ok(answer.service.into_iter().filter_map(place).collect());
            }
            Err(error @ CallError::Fault { .. }) if !error.is_refusal() => error,
            Err(error) => return Err(error),
        };
        let Ok(answer) = Box::pin(self.call(GetCapabilities::default())).await else { return Err(refused) };
        let told = answer.capabilities;
        let places = [
            (ns::TEV, told.events.map(|service| service.x_addr)),
            (ns::TRT, told.media.map(|service| service.x_addr)),
            (ns::TPTZ, told.ptz.map(|service| service.x_addr)),
            (ns::TIMG, told.imaging.map(|service| service.x_addr)),
            (ns::TAN, told.analytics.map(|service| service.x_addr)),
        ];
        let place = |(service, address): (Ns, Option<String>)| Some((service.uri.to_owned(), path(&address?)?));
        Ok(places.into_iter().filter_map(place).collect())
    }

    async fn exchange(
        &self,
        path: &str,
        write: &(dyn Fn(&Headers) -> Vec<u8> + Send + Sync),
    ) -> Result<Response<Bytes>, CallError> {
        let question = Question { target: path, action: None, write };
        let way = &*self.way;
        let response = match &self.shown {
            Shown::Nothing => question.post(way, &Headers::default(), None).await?,
            Shown::Bearer(bearer) => question.post(way, &Headers::default(), Some(bearer)).await?,
            Shown::Account(credentials) => Box::pin(question.ask(way, credentials)).await?,
        };
        let (head, body) = response.into_parts();
        Ok(Response::from_parts(head, whole(body, LONGEST).await?))
    }
}

/// A transport, whose answers are whole.
struct Over {
    transport: Arc<dyn Transport>,
    entry: String,
}

impl Way for Over {
    fn send(&self, request: Request<Bytes>) -> Streaming<'_> {
        Box::pin(async move { Ok(self.transport.send(request).await?.map(full)) })
    }

    fn entry(&self) -> String {
        self.entry.clone()
    }
}

/// Path and query of the device service at this address.
pub(crate) fn entry(url: &Url) -> String {
    match target(url) {
        "" | "/" => "/onvif/device_service".to_owned(),
        target => target.to_owned(),
    }
}

/// Path and query of an address that a device gave; some leave out scheme and host.
fn path(address: &str) -> Option<String> {
    let address = address.trim();
    match address.parse::<Url>() {
        Ok(url) => Some(target(&url).to_owned()),
        Err(_) => (address.starts_with('/') && !address.starts_with("//")).then(|| address.to_owned()),
    }
}

/// What stands in the request line: path and query.
fn target(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
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
