//! One consumer: where it is, what it wants in each header, and one `Notify` sent to it by HTTP (Core §9.3, WS-Addressing 1.0 SOAP binding §2.1).

use super::delivery::Outcome;
use crate::call_out::{Dialler, Target};
use crate::events::Notification;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use oriel_onvif::notification::{EndpointReference, NOTIFY_ACTION};
use oriel_onvif::ns;
use oriel_soap::envelope::{self, Addressing, CONTENT_TYPE, Headers};
use oriel_soap::ns::{ENV, WSA};
use oriel_soap::xml::{Any, Writer, XmlWrite};
use rustls::ClientConfig;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// A consumer has so long to take a message, from the first byte to its answer.
const WITHIN: Duration = Duration::from_secs(15);
/// The body of an answer means nothing: so much of it is read, for so long, so that the connection can be used again.
const ANSWER: usize = 16 * 1024;
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A connection that was not used for so long may be gone at the other end; what was sent on it then would perhaps be sent twice.
const KEPT: Duration = Duration::from_secs(5);
/// The largest head of an answer.
const HEAD: usize = 16 * 1024;

/// What a consumer is dialled with.
pub(super) struct Means {
    pub(super) dialler: Dialler,
    /// Whom to believe.
    pub(super) tls: Box<dyn Fn() -> Result<ClientConfig, String> + Send + Sync>,
    /// The same, made once: the system's authorities take memory.
    pub(super) made: OnceLock<Arc<ClientConfig>>,
}

impl Means {
    /// Whom to believe.
    ///
    /// # Errors
    /// Why nobody can be.
    pub(super) fn tls(&self) -> Result<&Arc<ClientConfig>, String> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let mut tls = (self.tls)()?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(self.made.get_or_init(|| Arc::new(tls)))
    }
}

/// Who gets the messages of one subscription.
#[derive(Debug)]
pub(super) struct Consumer {
    target: Target,
    /// Whether the subscription came in by an uplink.
    by_uplink: bool,
    address: String,
    /// Headers of each message.
    parameters: Vec<Any>,
    kept: Option<Kept>,
}

/// An open connection that is used for nothing.
#[derive(Debug)]
struct Kept {
    send: SendRequest<Full<Bytes>>,
    /// What moves its bytes; ends with it.
    _driver: JoinSet<()>,
    since: Instant,
}

impl Consumer {
    pub(super) fn new(target: Target, reference: &EndpointReference, by_uplink: bool) -> Self {
        // Ours are the headers of WS-Addressing.
        let foreign = |any: &&Any| any.name().namespace != WSA.uri && any.name().namespace != ENV.uri;
        let given = reference.reference_parameters.iter().flat_map(|parameters| &parameters.any);
        let marked = |any: &Any| any.with_attribute(WSA, "IsReferenceParameter", "true");
        Self {
            target,
            by_uplink,
            address: reference.address.trim().to_owned(),
            parameters: given.filter(foreign).map(marked).collect(),
            kept: None,
        }
    }

    /// Where it is, without what may be secret.
    pub(super) fn shown(&self) -> String {
        self.target.to_string()
    }

    /// The messages as one `Notify`.
    pub(super) fn envelope(&self, messages: &[Arc<Notification>], producer: &str) -> Vec<u8> {
        let addressing = Addressing {
            action: Some(NOTIFY_ACTION.to_owned()),
            message_id: Some(format!("urn:uuid:{}", Uuid::new_v4())),
            to: Some(self.address.clone()),
            ..Addressing::default()
        };
        let headers = Headers { addressing: Some(addressing), blocks: self.parameters.clone(), ..Headers::default() };
        envelope::request_raw(&Any::of(ns::WSNT, "Notify", &Together { messages, producer }), &headers)
    }

    /// Sends a message.
    pub(super) async fn post(&mut self, message: Vec<u8>, means: &Means) -> Outcome {
        let kept = self.kept.take().filter(|kept| kept.since.elapsed() < KEPT && !kept.send.is_closed());
        let exchange = self.exchange(kept, message.into(), means);
        match timeout(WITHIN, exchange).await {
            Ok(Ok((outcome, kept))) => {
                self.kept = kept;
                outcome
            }
            Ok(Err(problem)) => Outcome::Away(problem, None),
            Err(_) => Outcome::Away(format!("no answer within {} s", WITHIN.as_secs()), None),
        }
    }

    async fn exchange(
        &self,
        kept: Option<Kept>,
        message: Bytes,
        means: &Means,
    ) -> Result<(Outcome, Option<Kept>), String> {
        let mut kept = match kept {
            Some(kept) => kept,
            None => self.open(means).await?,
        };
        let request = self.request(message)?;
        let answer = kept.send.send_request(request).await.map_err(|error| format!("HTTP: {error}"))?;
        let outcome = outcome(&answer);
        let whole = matches!(timeout(ANSWER_WITHIN, read(answer)).await, Ok(true));
        kept.since = Instant::now();
        Ok((outcome, (whole && !kept.send.is_closed()).then_some(kept)))
    }

    async fn open(&self, means: &Means) -> Result<Kept, String> {
        let tls = self.target.tls.then(|| means.tls()).transpose()?;
        let dialled = means.dialler.dial(&self.target, self.by_uplink, tls, "the consumer");
        let connection = dialled.await.map_err(|error| error.to_string())?;
        let opened = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(connection)).await;
        let (send, connection) = opened.map_err(|error| format!("HTTP: {error}"))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Whoever sends is told.
            let _ = connection.await;
        });
        Ok(Kept { send, _driver: driver, since: Instant::now() })
    }

    fn request(&self, message: Bytes) -> Result<Request<Full<Bytes>>, String> {
        Request::post(&self.target.path)
            .header(header::HOST, self.target.authority())
            .header(header::CONTENT_TYPE, format!("{CONTENT_TYPE}; action=\"{NOTIFY_ACTION}\""))
            .header(header::USER_AGENT, concat!("Oriel/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(message))
            .map_err(|error| format!("HTTP: {error}"))
    }
}

/// The content of a `Notify`.
struct Together<'a> {
    messages: &'a [Arc<Notification>],
    producer: &'a str,
}

impl XmlWrite for Together<'_> {
    fn write(&self, writer: &mut Writer) {
        self.messages.iter().for_each(|message| writer.any(message.xml(self.producer)));
    }
}

/// What an answer means. A redirection is followed nowhere: it would be the consumer who says what the device dials.
fn outcome(answer: &Response<Incoming>) -> Outcome {
    let status = answer.status();
    let again = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    if status.is_success() {
        return Outcome::Taken;
    }
    if again.contains(&status) {
        let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        return Outcome::Away(format!("it answers {}", status.as_u16()), after.map(Duration::from_secs));
    }
    Outcome::Refused(status.as_u16())
}

/// Reads an answer to its end; false if that is too far away.
async fn read(mut answer: Response<Incoming>) -> bool {
    let mut left = ANSWER;
    while let Some(frame) = answer.body_mut().frame().await {
        let Ok(frame) = frame else { return false };
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}
