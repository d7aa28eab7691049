//! What handlers take from a request; each is refused with a text that says what is wrong.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::StatusCode;
use http::request::Parts;
use http_body_util::BodyExt as _;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;

use super::door;
use crate::Shared;
use crate::port::Peer;
use crate::records::{Actor, Principal, Scope, Secret};
use crate::refusal::Refusal;

/// A JSON body.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let rejected = |error: JsonRejection| Refusal::new(error.status(), error.body_text());
        let (parts, body) = request.into_parts();
        let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "the request's body broke off");
        let bytes = body.collect().await.map_err(broken)?.to_bytes();
        // Serde would take a list of a struct's fields, too.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "an object is asked for, and no list"));
        }
        let request = Request::from_parts(parts, Body::from(bytes));
        Json::from_request(request, shared).await.map(|Json(input)| Self(input)).map_err(rejected)
    }
}

/// For a field that is an object, and no list of an object's fields.
pub(super) fn optional_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Option::<Map<String, Value>>::deserialize(from)?.map(object).transpose().map_err(D::Error::custom)
}

/// For a field that is a list of such.
pub(super) fn objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Map<String, Value>>::deserialize(from)?;
    objects.into_iter().map(object).collect::<Result<_, _>>().map_err(D::Error::custom)
}

fn object<T: DeserializeOwned>(mut map: Map<String, Value>) -> Result<T, serde_json::Error> {
    for value in map.values_mut() {
        if let Some(number) = value.as_number().and_then(whole) {
            *value = number.into();
        }
    }
    serde_json::from_value(Value::Object(map))
}

/// A whole number, however it is written: to JSON, 60.0 is 60.
fn whole(number: &Number) -> Option<u64> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..9.2e18).contains(float));
    number.as_u64().or_else(|| float().map(|float| float as u64))
}

/// The query.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let query = Query::from_request_parts(parts, shared).await;
        query.map(|Query(asked)| Self(asked)).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.body_text()))
    }
}

/// What the path names.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Shared>> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        // Text that cannot be read names nothing.
        let nothing = |_| Refusal::new(StatusCode::NOT_FOUND, "the address names nothing that is here");
        Path::from_request_parts(parts, shared).await.map(|Path(named)| Self(named)).map_err(nothing)
    }
}

/// Who asks, as the door found it.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) principal: Arc<Principal>,
    pub(super) source: IpAddr,
}

impl Caller {
    /// The records that the caller may touch.
    pub(super) fn scope<'s>(&self, shared: &'s Shared) -> Scope<'s> {
        shared.records.within(&self.principal.organisation)
    }

    /// For the audit log.
    pub(super) fn actor(&self) -> Actor {
        self.principal.actor(Some(self.source))
    }
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Refusal> {
        let unknown = || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this route does not know who asks");
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

/// Where a request came from.
pub(super) struct Source(pub(super) IpAddr);

impl FromRequestParts<Arc<Shared>> for Source {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Refusal> {
        let unknown =
            || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this route does not know where from it is asked");
        parts.extensions.get::<Peer>().map(|peer| Self(peer.source)).ok_or_else(unknown)
    }
}

/// The authority under which the caller asked: the beginning of addresses that are handed out.
pub(super) struct Here(pub(super) String);

impl Here {
    /// The address at which a one-time link is redeemed. What follows the hash sign reaches no server and no log.
    pub(super) fn link(&self, secret: &Secret) -> String {
        format!("https://{}/#/redeem/{}", self.0, secret.expose())
    }
}

impl FromRequestParts<Arc<Shared>> for Here {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Refusal> {
        let unknown = || Refusal::new(StatusCode::BAD_REQUEST, "the request does not say which host it is for");
        door::asked_at(parts).map(|authority| Self(authority.to_string())).ok_or_else(unknown)
    }
}

/// Text of at most so many characters, as the field's `max_length` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct AtMost<const MOST: usize>(pub(super) String);

impl<const MOST: usize> TryFrom<String> for AtMost<MOST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.chars().count() > MOST { Err(format!("it has at most {MOST} characters")) } else { Ok(Self(text)) }
    }
}

/// Characters of a name.
const NAME: usize = 100;

/// A name for people; it may be empty.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(max_length = 100, pattern = r"^[^\u0000-\u001f\u007f]*$")]
pub(super) struct Label(pub(super) String);

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.chars().any(|letter| letter.is_ascii_control()) {
            return Err("a name has no control characters".to_owned());
        }
        if text.chars().count() > NAME {
            return Err(format!("a name has at most {NAME} characters"));
        }
        Ok(Self(text))
    }
}

/// A name for people that is not empty.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f]+$")]
pub(super) struct Name(pub(super) String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Label(text) = text.try_into()?;
        if text.is_empty() { Err("a name is asked for".to_owned()) } else { Ok(Self(text)) }
    }
}

/// An address to log in with, in lower case.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(min_length = 3, max_length = 254, pattern = r"^[!-?A-~]+@[!-?A-~]+$")]
pub(super) struct Email(pub(super) String);

impl TryFrom<String> for Email {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let part = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
        match text.split_once('@') {
            Some((name, host)) if part(name) && part(host) && text.len() <= 254 => Ok(Self(text.to_ascii_lowercase())),
            _ => Err("this is no e-mail address".to_owned()),
        }
    }
}

/// A password, as somebody typed it.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(format = Password, max_length = 1024)]
#[serde(try_from = "String")]
pub(super) struct Password(pub(super) String);

impl TryFrom<String> for Password {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.chars().count() > 1024 { Err("this is longer than any password".to_owned()) } else { Ok(Self(text)) }
    }
}

/// A lifetime in seconds.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "Number")]
#[schema(value_type = u64, minimum = 60, maximum = 315_360_000)]
pub(super) struct Lifetime(u64);

impl Lifetime {
    /// How long it is.
    pub(super) fn span(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// When it ends, in Unix milliseconds.
    pub(super) fn end(self, now: u64) -> u64 {
        now.saturating_add(self.0 * 1000)
    }
}

/// How many devices a code lets in.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "Number")]
#[schema(value_type = u64, minimum = 1, maximum = 1000)]
pub(super) struct Uses(u32);

impl Uses {
    /// The number.
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

impl Default for Uses {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<Number> for Uses {
    type Error = String;

    fn try_from(uses: Number) -> Result<Self, String> {
        let good = whole(&uses).and_then(|uses| u32::try_from(uses).ok()).filter(|uses| (1..=1000).contains(uses));
        good.map(Self).ok_or_else(|| "a code lets in 1 to 1000 devices".to_owned())
    }
}

impl TryFrom<Number> for Lifetime {
    type Error = String;

    fn try_from(seconds: Number) -> Result<Self, String> {
        let good = whole(&seconds).filter(|seconds| (60..=315_360_000).contains(seconds));
        good.map(Self).ok_or_else(|| "a lifetime is a minute to ten years, in seconds".to_owned())
    }
}
