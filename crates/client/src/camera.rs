//! One camera's HTTP side: a bounded number of connections to one origin, and what was learnt of its wishes.
//!
//! Whatever addresses a camera gives, only their path is followed, at the host and port that it was reached at (SSRF; and its own idea of its host may lead
//! nowhere). A camera whose services are at another port is therefore named by that port.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use oriel_soap::envelope::{self, Envelope};
use oriel_soap::xml::Limits;
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use url::Url;

use crate::ask::{Question, Streaming, Way, challenges, content_type, next_nonce, sensitive, settled};
use crate::body::{Patient, full};
use crate::call::{self, Client};
use crate::credentials::Credentials;
use crate::origin::Origin;
use crate::pool::Pool;
use crate::quirks::{Action, HttpVersion, Quirks};
use crate::transport::{ANSWER, TransportError};

pub use crate::body::Body;
pub use crate::credentials::Account;

/// Accounts whose ways are remembered: one a level, and those of before a change.
const ACCOUNTS: usize = 8;
/// How long the body of an answer may stop coming.
const STALL: Duration = Duration::from_secs(60);
/// A body of at most this length is kept, so that it can be sent again after a challenge.
const SENT_AGAIN: u64 = 64 * 1024;
const EVENTS: &str = "http://www.onvif.org/ver10/events/wsdl";
const NOTIFICATION: &str = "http://docs.oasis-open.org/wsn/b-2";
/// Headers of a body that is not sent.
const NOT_OF_NOTHING: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, EXPECT];

/// Where a camera is and how it is spoken to.
#[derive(Clone)]
pub struct Reach {
    /// Address of its device service.
    pub address: Url,
    /// Whom to believe, for https.
    pub tls: Option<ClientConfig>,
    /// What is odd about it.
    pub quirks: Quirks,
}

/// One camera. Idle, it holds no connection and a few hundred bytes.
pub struct Camera {
    quirks: Quirks,
    tls: Option<ClientConfig>,
    /// One for each connection in use, to whatever address.
    places: Arc<Semaphore>,
    accounts: Mutex<Vec<Arc<Credentials>>>,
    place: Mutex<Arc<Place>>,
}

/// Where the camera is at present.
struct Place {
    address: Url,
    host: HeaderValue,
    pool: Arc<Pool<Body>>,
}

impl Camera {
    /// The camera at this address; nothing is sent yet.
    ///
    /// # Errors
    /// [`TransportError::Address`]: neither http nor https, no host, https without TLS, or an authority that is no header value.
    pub fn new(reach: Reach) -> Result<Self, TransportError> {
        let Reach { address, tls, quirks } = reach;
        let places = Arc::new(Semaphore::new(usize::from(quirks.connections).max(1)));
        let place = Mutex::new(place(address, tls.as_ref(), &quirks, &places)?);
        Ok(Self { quirks, tls, places, accounts: Mutex::default(), place })
    }

    /// Asks by SOAP at `target`, a path with its query. `write` makes the envelope with these headers besides its own; it is called again when the camera
    /// wants to be shown something else. Without an account nothing is shown, ever. The answer's head comes within `answer`, its body streams.
    ///
    /// # Errors
    /// [`TransportError`]; a refusal of the camera is an answer.
    pub async fn ask(
        &self,
        target: &str,
        action: Option<&str>,
        write: &(dyn Fn(&envelope::Headers) -> Vec<u8> + Send + Sync),
        account: Option<&Account>,
        answer: Duration,
    ) -> Result<Response<Body>, TransportError> {
        let question = Question { target, action, write };
        let credentials = account.map(|account| self.credentials(account));
        self.in_time(answer, async {
            match &credentials {
                Some(credentials) => question.ask(self, credentials).await,
                None => question.post(self, &envelope::Headers::default(), None).await,
            }
        })
        .await
    }

    /// Sends anything else: a snapshot, an upload, a page of the vendor's. HTTP Digest is answered; a body that is too long to be kept is sent once,
    /// after a HEAD that asks for the challenge. Redirects are handed back.
    ///
    /// # Errors
    /// [`TransportError`]; a refusal of the camera is an answer.
    pub async fn fetch(
        &self,
        request: Request<Body>,
        account: Option<&Account>,
        answer: Duration,
    ) -> Result<Response<Body>, TransportError> {
        let credentials = account.map(|account| self.credentials(account));
        self.in_time(answer, async {
            match &credentials {
                Some(credentials) => self.fetch_as(request, credentials).await,
                None => self.exchange(request).await,
            }
        })
        .await
    }

    /// Typed calls over the same connections, with what was learnt of the account.
    #[must_use]
    pub fn client(self: &Arc<Self>, account: Option<Account>) -> Client {
        let credentials = account.map(|account| self.credentials(&account));
        Client::of(Arc::new(Typed(Arc::clone(self))), credentials)
    }

    /// Where it is asked: its device service.
    #[must_use]
    pub fn address(&self) -> Url {
        self.place().address.clone()
    }

    /// The camera was found elsewhere: idle connections and what was learnt are dropped, requests under way finish.
    ///
    /// # Errors
    /// As [`Camera::new`]; then it stays where it is.
    pub fn move_to(&self, address: Url) -> Result<(), TransportError> {
        let moved = place(address, self.tls.as_ref(), &self.quirks, &self.places)?;
        *self.place.lock().expect("no holder panics") = moved;
        self.accounts().iter().for_each(|credentials| credentials.forget());
        Ok(())
    }

    /// The camera restarted, perhaps: as [`Camera::move_to`], to where it is.
    pub fn forget(&self) {
        self.move_to(self.address()).expect("it is there already");
    }

    fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place.lock().expect("no holder panics"))
    }

    fn accounts(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Credentials>>> {
        self.accounts.lock().expect("no holder panics")
    }

    fn credentials(&self, account: &Account) -> Arc<Credentials> {
        let mut accounts = self.accounts();
        if let Some(known) = accounts.iter().find(|known| known.account() == account) {
            return Arc::clone(known);
        }
        if accounts.len() >= ACCOUNTS {
            accounts.remove(0);
        }
        let new = Arc::new(Credentials::new(account.clone(), &self.quirks));
        accounts.push(Arc::clone(&new));
        new
    }

    async fn in_time<T>(
        &self,
        answer: Duration,
        asking: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        let patience = answer.max(Duration::from_secs(self.quirks.patience_s));
        tokio::time::timeout(patience, asking).await.map_err(|_| TransportError::Timeout("HTTP"))?
    }

    /// One request and its answer, as the camera likes it.
    async fn exchange(&self, mut request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let place = self.place();
        let headers = request.headers_mut();
        headers.insert(HOST, place.host.clone());
        if !self.quirks.keep_alive {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        *request.version_mut() = Version::HTTP_11;
        if self.quirks.http_version == HttpVersion::Http10 {
            let known = request.headers().contains_key(CONTENT_LENGTH) || request.body().size_hint().exact().is_some();
            if !known {
                return Err(TransportError::Body("HTTP/1.0 takes no body of unknown length".into()));
            }
            *request.version_mut() = Version::HTTP_10;
        }
        let target = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        *request.uri_mut() = target.into();
        let response = place.pool.send(request).await?;
        Ok(response.map(|body| Patient::new(body, STALL).boxed_unsync()))
    }

    async fn fetch_as(
        &self,
        request: Request<Body>,
        credentials: &Credentials,
    ) -> Result<Response<Body>, TransportError> {
        if request.body().size_hint().exact().is_none_or(|length| length > SENT_AGAIN) {
            return self.fetch_once(request, credentials).await;
        }
        let method = request.method().to_string();
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        let (head, body) = request.into_parts();
        let mut attempt = credentials.attempt_by_digest();
        let content = body.collect().await.map_err(TransportError::Body)?.to_bytes();
        loop {
            let (authorization, _) = attempt.show(&method, &target, Timestamp::now());
            let request = Request::from_parts(head.clone(), full(content.clone()));
            let response = self.exchange(with(request, authorization)?).await?;
            if response.status() != StatusCode::UNAUTHORIZED {
                attempt.welcome(next_nonce(&response));
                return Ok(response);
            }
            let response = settled(response).await;
            if !attempt.refused(&challenges(&response), &method, &target) {
                return Ok(response);
            }
        }
    }

    /// A body that can be sent once only. The challenge is asked for by a HEAD, which does nothing: an upload's address may be good for one request, and one
    /// without the body would be that. Where the HEAD is not challenged, a nonce that was kept is what there is.
    async fn fetch_once(
        &self,
        request: Request<Body>,
        credentials: &Credentials,
    ) -> Result<Response<Body>, TransportError> {
        let method = request.method().to_string();
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        let mut attempt = credentials.attempt_by_digest();
        let mut question = Request::new(full(Bytes::new()));
        *question.method_mut() = Method::HEAD;
        *question.uri_mut() = request.uri().clone();
        *question.headers_mut() = request.headers().clone();
        NOT_OF_NOTHING.iter().for_each(|name| drop(question.headers_mut().remove(name)));
        match self.exchange(question).await {
            Ok(answer) => {
                let answer = settled(answer).await;
                attempt.refused(&challenges(&answer), &method, &target);
            }
            // Not every camera knows HEAD.
            Err(TransportError::Http(_) | TransportError::Closed) => {}
            Err(error) => return Err(error),
        }
        let (authorization, _) = attempt.show(&method, &target, Timestamp::now());
        let response = self.exchange(with(request, authorization)?).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            attempt.welcome(next_nonce(&response));
            return Ok(response);
        }
        // The body is gone; what the next request has to show is known.
        let response = settled(response).await;
        attempt.refused(&challenges(&response), &method, &target);
        Ok(response)
    }

    /// The headers of HTTP for an envelope.
    fn soap_head(&self, action: Option<&str>, message: &[u8], headers: &mut HeaderMap) {
        let made = || {
            let envelope = Envelope::parse(message, &Limits::REQUEST).ok()?;
            let (namespace, name) = envelope.operation();
            Some(declared(namespace, name))
        };
        let action = match self.quirks.action {
            Action::Given => action.map(str::to_owned),
            Action::Never => None,
            Action::Always | Action::Header => action.map(str::to_owned).or_else(made),
        };
        headers.insert(CONTENT_TYPE, content_type(action.as_deref()));
        if let (Action::Header, Some(action)) = (self.quirks.action, action)
            && let Ok(value) = format!("\"{action}\"").try_into()
        {
            headers.insert(HeaderName::from_static("soapaction"), value);
        }
    }
}

fn with(mut request: Request<Body>, authorization: Option<String>) -> Result<Request<Body>, TransportError> {
    if let Some(authorization) = authorization {
        request.headers_mut().insert(AUTHORIZATION, sensitive(&authorization)?);
    }
    Ok(request)
}

/// The action of a request as the WSDL files have it: those of events name their port types.
fn declared(namespace: &str, name: &str) -> String {
    let port = match (namespace, name) {
        (EVENTS, "PullMessages" | "Seek" | "SetSynchronizationPoint") => "PullPointSubscription",
        (EVENTS, _) => "EventPortType",
        (NOTIFICATION, "Subscribe" | "GetCurrentMessage") => "NotificationProducer",
        (NOTIFICATION, _) => "SubscriptionManager",
        _ => return format!("{}/{name}", namespace.trim_end_matches('/')),
    };
    let namespace = if namespace == NOTIFICATION { "http://docs.oasis-open.org/wsn/bw-2" } else { namespace };
    format!("{namespace}/{port}/{name}Request")
}

fn place(
    address: Url,
    tls: Option<&ClientConfig>,
    quirks: &Quirks,
    places: &Arc<Semaphore>,
) -> Result<Arc<Place>, TransportError> {
    let origin = Origin::new(&address, tls.filter(|_| address.scheme() == "https").cloned())?;
    let host = match &quirks.authority {
        Some(authority) => authority
            .try_into()
            .map_err(|_| TransportError::Address(format!("the authority `{authority}` is no header value")))?,
        None => origin.host()?,
    };
    // As many as are in use at once: answers that end together would else close connections that the next requests open again.
    let idle = if quirks.keep_alive { usize::from(quirks.connections) } else { 0 };
    Ok(Arc::new(Place { address, host, pool: Arc::new(Pool::new(origin, idle, Arc::clone(places))) }))
}

impl Way for Camera {
    fn send(&self, request: Request<Bytes>) -> Streaming<'_> {
        Box::pin(self.exchange(request.map(full)))
    }

    fn entry(&self) -> String {
        call::entry(&self.place().address)
    }

    fn head(&self, action: Option<&str>, envelope: &[u8], headers: &mut HeaderMap) {
        self.soap_head(action, envelope, headers);
    }
}

/// The way of typed calls, each of which has its own time.
struct Typed(Arc<Camera>);

impl Way for Typed {
    fn send(&self, request: Request<Bytes>) -> Streaming<'_> {
        Box::pin(self.0.in_time(ANSWER, self.0.exchange(request.map(full))))
    }

    fn entry(&self) -> String {
        self.0.entry()
    }

    fn head(&self, action: Option<&str>, envelope: &[u8], headers: &mut HeaderMap) {
        self.0.soap_head(action, envelope, headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_those_that_the_wsdl_files_declare() {
        for (namespace, name, expected) in [
            ("http://www.onvif.org/ver20/ptz/wsdl", "Stop", "http://www.onvif.org/ver20/ptz/wsdl/Stop"),
            (
                EVENTS,
                "GetEventProperties",
                "http://www.onvif.org/ver10/events/wsdl/EventPortType/GetEventPropertiesRequest",
            ),
            (
                EVENTS,
                "PullMessages",
                "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest",
            ),
            (NOTIFICATION, "Renew", "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/RenewRequest"),
            (NOTIFICATION, "Subscribe", "http://docs.oasis-open.org/wsn/bw-2/NotificationProducer/SubscribeRequest"),
        ] {
            assert_eq!(declared(namespace, name), expected);
        }
    }
}
