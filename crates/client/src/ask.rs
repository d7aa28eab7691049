//! One SOAP request, and what it takes to be let in: the driver of [`Attempt`](crate::credentials::Attempt).

use std::pin::Pin;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use oriel_onvif::device_mgmt::{DateTime, GetSystemDateAndTime, GetSystemDateAndTimeResponse};
use oriel_soap::envelope::{self, Envelope, Headers};
use oriel_soap::fault::{Code, Fault};
use oriel_soap::xml::Limits;

use crate::TransportError;
use crate::body::{After, Body, beginning, full, whole};
use crate::credentials::Credentials;

/// A refusal is no longer than this; what is longer is passed on unread.
const REFUSAL: usize = 64 * 1024;
/// With a status that says that all is well, a fault is no longer than this.
const SHORT: usize = 8 * 1024;

/// A request's way and back, with a body that may still be coming.
pub(crate) type Streaming<'w> = Pin<Box<dyn Future<Output = Result<Response<Body>, TransportError>> + Send + 'w>>;

/// A way for requests to one device.
pub(crate) trait Way: Send + Sync {
    /// Sends a request whose URI is a path.
    fn send(&self, request: Request<Bytes>) -> Streaming<'_>;

    /// Path and query of the device service.
    fn entry(&self) -> String;

    /// The headers of HTTP for an envelope: that it is SOAP, and its action if that was given.
    fn head(&self, action: Option<&str>, _envelope: &[u8], headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, content_type(action));
    }
}

/// The content type of SOAP 1.2, with the action as its parameter (RFC 3902); one that is no header value is left out.
pub(crate) fn content_type(action: Option<&str>) -> HeaderValue {
    let with = |action: &str| HeaderValue::try_from(format!("{}; action=\"{action}\"", envelope::CONTENT_TYPE)).ok();
    let quotable = action.filter(|action| !action.contains(['"', '\\']));
    quotable.and_then(with).unwrap_or(HeaderValue::from_static(envelope::CONTENT_TYPE))
}

/// What is asked: by POST, at a path.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    /// Path and query.
    pub(crate) target: &'q str,
    pub(crate) action: Option<&'q str>,
    /// Writes the envelope, with these headers besides its own.
    pub(crate) write: &'q (dyn Fn(&Headers) -> Vec<u8> + Send + Sync),
}

impl Question<'_> {
    /// Asks once.
    pub(crate) async fn post(
        &self,
        way: &dyn Way,
        headers: &Headers,
        authorization: Option<&str>,
    ) -> Result<Response<Body>, TransportError> {
        let bad = |error: http::Error| TransportError::Address(error.to_string());
        let message = Bytes::from((self.write)(headers));
        let mut request = Request::builder().method(Method::POST).uri(self.target).body(message).map_err(bad)?;
        let mut fields = std::mem::take(request.headers_mut());
        way.head(self.action, request.body(), &mut fields);
        if let Some(authorization) = authorization {
            fields.insert(AUTHORIZATION, sensitive(authorization)?);
        }
        *request.headers_mut() = fields;
        way.send(request).await
    }

    /// Asks as often as the device wants to be shown something else.
    pub(crate) async fn ask(&self, way: &dyn Way, credentials: &Credentials) -> Result<Response<Body>, TransportError> {
        let mut attempt = credentials.attempt();
        if attempt.wants_clock() {
            attempt.clock(clock_offset(way).await?);
        }
        loop {
            let (authorization, headers) = attempt.show("POST", self.target, Timestamp::now());
            let response = self.post(way, &headers, authorization.as_deref()).await?;
            let (response, verdict) = verdict(response).await?;
            if verdict == Verdict::Done {
                attempt.helped();
            }
            if verdict != Verdict::Refused {
                attempt.welcome(next_nonce(&response));
                return Ok(response);
            }
            if !attempt.refused(&challenges(&response), "POST", self.target) {
                return Ok(response);
            }
            if attempt.wants_clock() && !attempt.clock(clock_offset(way).await?) {
                return Ok(response);
            }
        }
    }
}

/// The value of `Authorization`, which no log shows.
pub(crate) fn sensitive(authorization: &str) -> Result<HeaderValue, TransportError> {
    let mut value = HeaderValue::try_from(authorization)
        .map_err(|_| TransportError::Address("the account or the token is no header value".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The fields `WWW-Authenticate` of a 401.
pub(crate) fn challenges<B>(response: &Response<B>) -> Vec<&str> {
    if response.status() != StatusCode::UNAUTHORIZED {
        return Vec::new();
    }
    // A realm may be in any language; one that is no UTF-8 could not be given back as it came.
    let fields = response.headers().get_all(WWW_AUTHENTICATE).iter();
    fields.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).collect()
}

/// `Authentication-Info`, by which a server may name the next nonce.
pub(crate) fn next_nonce<B>(response: &Response<B>) -> Option<&str> {
    response.headers().get("authentication-info").and_then(|info| std::str::from_utf8(info.as_bytes()).ok())
}

/// What an answer says of what was shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The device did as it was asked.
    Done,
    /// It did not, for another reason; perhaps it cannot read what was shown.
    Failed,
    /// It did not let us in.
    Refused,
}

/// A refusal is a 401, or a fault that says so with whatever status, since some send it with 200.
async fn verdict(response: Response<Body>) -> Result<(Response<Body>, Verdict), TransportError> {
    if response.status() == StatusCode::UNAUTHORIZED {
        return Ok((settled(response).await, Verdict::Refused));
    }
    let (most, otherwise) =
        if response.status().is_success() { (SHORT, Verdict::Done) } else { (REFUSAL, Verdict::Failed) };
    let (head, mut body) = response.into_parts();
    if body.size_hint().lower() > most as u64 {
        return Ok((Response::from_parts(head, body), otherwise));
    }
    let (first, whole) = beginning(&mut body, most).await.map_err(TransportError::Body)?;
    let verdict = match fault(&first).filter(|_| whole) {
        Some(fault) if says_not_authorized(&fault) => Verdict::Refused,
        Some(_) => Verdict::Failed,
        None => otherwise,
    };
    let body = if whole { full(first) } else { After::new(first, body).boxed_unsync() };
    Ok((Response::from_parts(head, body), verdict))
}

/// A refusal with its text read, so that its connection can be used again; a text that breaks off takes nothing from it.
pub(crate) async fn settled(response: Response<Body>) -> Response<Body> {
    let (head, mut body) = response.into_parts();
    let body = match beginning(&mut body, REFUSAL).await {
        Ok((text, true)) => full(text),
        Ok((first, false)) => After::new(first, body).boxed_unsync(),
        Err(_) => full(Bytes::new()),
    };
    Response::from_parts(head, body)
}

/// Most answers are none: the word is looked for before anything is parsed.
fn fault(message: &[u8]) -> Option<Fault> {
    if !String::from_utf8_lossy(message).contains("Fault") {
        return None;
    }
    Envelope::parse(message, &Limits::REPLY).ok().and_then(|answer| answer.fault())
}

fn says_not_authorized(fault: &Fault) -> bool {
    const WORDS: [&str; 2] = ["NotAuthorized", "FailedAuthentication"];
    // Some name no subcode, and say it to people alone.
    const TOLD: [&str; 4] = ["ws-security", "usernametoken", "authenti", "authori"];
    let reason = fault.reason.to_lowercase();
    let told = || fault.code == Code::Sender && TOLD.iter().any(|word| reason.contains(word));
    fault.subcodes.iter().any(|subcode| WORDS.contains(&&*subcode.local)) || (fault.subcodes.is_empty() && told())
}

/// The device's clock less ours; it needs no credentials (Core §8.3.8 is PRE_AUTH for this reason). A device that wants some all the same tells its time in
/// `Date`, or is taken to have ours.
async fn clock_offset(way: &dyn Way) -> Result<SignedDuration, TransportError> {
    let write = |headers: &Headers| envelope::request(&GetSystemDateAndTime::default(), headers);
    let question = Question { target: &way.entry(), action: None, write: &write };
    let response = question.post(way, &Headers::default(), None).await?;
    let dated = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    let dated = dated.and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    let body = whole(response.into_body(), REFUSAL).await?;
    let answer = envelope::read_reply::<GetSystemDateAndTime>(&body, &Limits::REPLY).ok();
    let told = answer.and_then(|answer| offset(&answer, Timestamp::now()));
    Ok(told.or_else(|| Some(dated?.duration_since(Timestamp::now()))).unwrap_or(SignedDuration::ZERO))
}

/// A device's clock less ours, if it told its time.
pub(crate) fn offset(answer: &GetSystemDateAndTimeResponse, now: Timestamp) -> Option<SignedDuration> {
    answer.system_date_and_time.utc_date_time.as_ref().and_then(timestamp).map(|theirs| theirs.duration_since(now))
}

/// None for a date that is none.
fn timestamp(at: &DateTime) -> Option<Timestamp> {
    let (date, time) = (&at.date, &at.time);
    let date = Date::new(date.year.try_into().ok()?, date.month.try_into().ok()?, date.day.try_into().ok()?).ok()?;
    // A leap second is the second before it.
    let (hour, minute, second) = (time.hour.try_into().ok()?, time.minute.try_into().ok()?, time.second.min(59));
    let time = Time::new(hour, minute, second.try_into().ok()?, 0).ok()?;
    TimeZone::UTC.to_timestamp(date.to_datetime(time)).ok()
}
