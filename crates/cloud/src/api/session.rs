//! Who calls: logging in and out, the own password, and one-time links.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::door::cookie;
use super::input::{AtMost, Caller, Email, Input, Label, Password, Source};
use crate::Shared;
use crate::records::{Actor, By, Id, LinkKind, Role, Session, User};
use crate::refusal::Refusal;
use crate::throttle::{Attempt, network};

/// The session's secret. `__Host-`: set by this very host, over TLS, for it alone.
pub(super) const COOKIE: &str = "__Host-oriel";
/// The proof of having logged in before, one for each browser.
const KNOWN: &str = "__Host-oriel-known";
/// What a page of ours sends with whatever changes something.
pub(super) const CSRF: &str = "X-Oriel-CSRF";

/// A session ends at the latest after a working day …
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// … and when nothing was asked for this long.
const IDLE: Duration = Duration::from_secs(3600);
/// A browser is known for a year.
const KNOWN_SECONDS: u32 = 365 * 86_400;
/// Sessions of one user; the oldest ends for one more.
const MOST: usize = 32;
/// Links that one source may try within [`TRIES_WITHIN`]: they cannot be guessed, but each try asks the database.
const TRIES: u32 = 60;
const TRIES_WITHIN: Duration = Duration::from_secs(900);

/// When each session was used last, in Unix milliseconds. In memory: a restart counts as a use.
#[derive(Debug)]
pub(crate) struct Sessions {
    began: u64,
    used: Mutex<HashMap<Id, u64>>,
}

impl Sessions {
    /// A process that began at `now`.
    pub(crate) fn new(now: u64) -> Self {
        Self { began: now, used: Mutex::default() }
    }

    /// Notes a use. False when the one before is too long ago.
    pub(super) fn touch(&self, session: &Session, now: u64) -> bool {
        let idle = crate::clock::millis(IDLE);
        let mut used = self.used.lock().expect("no holder panics");
        let last = used.get(&session.id).copied().unwrap_or(session.created.max(self.began));
        if now.saturating_sub(last) > idle {
            return false;
        }
        if used.len().is_power_of_two() {
            used.retain(|_, last| now.saturating_sub(*last) <= idle);
        }
        used.insert(Arc::clone(&session.id), now);
        true
    }
}

fn csrf_tag(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

/// What pages of this session have to show: derived from its secret, which they cannot read.
fn csrf(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&csrf_tag(secret), b"csrf"))
}

/// Whether a page showed it.
pub(super) fn csrf_matches(secret: &str, shown: &[u8]) -> bool {
    URL_SAFE_NO_PAD.decode(shown).is_ok_and(|tag| hmac::verify(&csrf_tag(secret), b"csrf", &tag).is_ok())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Login)]
pub(super) struct Login {
    email: Email,
    password: Password,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordChange)]
pub(super) struct PasswordChange {
    old: Password,
    new: Password,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Redemption)]
pub(super) struct Redemption {
    /// The secret of the link: what follows `#/redeem/`.
    #[schema(value_type = String, max_length = 256)]
    link: AtMost<256>,
    /// The password to set: 12 to 256 characters.
    password: Password,
    /// A name for people.
    name: Option<Label>,
    /// The address to log in with; the first administrator's link asks for it, others know it.
    email: Option<Email>,
}

/// A caller, as it sees itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct View {
    /// The user; null for a token that no user made.
    user: Option<Person>,
    organisation: Place,
    role: Role,
    /// Whether organisations may be managed.
    instance: bool,
    /// What to send as `X-Oriel-CSRF` with whatever changes something; null for tokens.
    csrf: Option<String>,
    by: Means,
    /// When the session ends at the latest, in Unix milliseconds; null for tokens.
    expires: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct Person {
    id: String,
    email: String,
    name: String,
    role: Role,
    instance: bool,
}

#[derive(Serialize, ToSchema)]
struct Place {
    id: String,
    name: String,
}

/// How a caller proves who it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Means {
    Session,
    Token,
}

impl View {
    fn of(caller: &Caller, secret: Option<&str>, expires: Option<u64>, shared: &Shared) -> Result<Self, Refusal> {
        let (principal, scope) = (&caller.principal, caller.scope(shared));
        let ended = || Refusal::new(StatusCode::UNAUTHORIZED, "this right has ended at this moment");
        let (organisation, _) = scope.organisation().ok_or_else(ended)?;
        let user = principal.user.as_ref().map(|id| scope.user(id).ok_or_else(ended)).transpose()?;
        Ok(Self {
            user: user.map(|user| Person {
                id: user.id.to_string(),
                email: user.email.clone(),
                name: user.name.clone(),
                role: user.role,
                instance: user.instance,
            }),
            organisation: Place { id: organisation.id.to_string(), name: organisation.name.clone() },
            role: principal.role,
            instance: principal.instance,
            csrf: secret.map(csrf),
            by: if matches!(principal.by, By::Session(_)) { Means::Session } else { Means::Token },
            expires,
        })
    }
}

fn wrong() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "the e-mail address or the password is wrong")
}

fn too_many(wait: Duration) -> Refusal {
    let detail = "too many attempts failed; wait, or ask an administrator for a link";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait)
}

/// Logs in.
#[utoipa::path(post, path = "/session", tag = "session", operation_id = "login", request_body = Login, responses(
    (status = 200, description = "A session begins; the cookie is in `Set-Cookie`.", body = View),
))]
pub(super) async fn login(
    State(shared): State<Arc<Shared>>,
    Source(source): Source,
    headers: HeaderMap,
    Input(Login { email: Email(email), password }): Input<Login>,
) -> Result<Response, Refusal> {
    let known = cookie(&headers, KNOWN).ok().flatten().and_then(|proof| shared.known_browsers.check(proof, &email));
    let facts = &*shared.facts;
    let attempt = Attempt::begin(facts, &email, source, known, Instant::now()).map_err(too_many)?;
    let user = shared.records.user_of_email(&email);
    let hash = user.as_ref().and_then(|user| user.password.clone());
    let right = match shared.passwords.verify(password.0, hash).await {
        Ok(right) => right,
        Err(busy) => {
            attempt.forgiven(facts, Instant::now());
            return Err(busy);
        }
    };
    match user {
        Some(user) if right => {
            attempt.forgiven(facts, Instant::now());
            begin(&shared, &user, source, &headers).await
        }
        Some(user) => {
            note_failure(&shared, &user, source);
            Err(wrong())
        }
        None => Err(wrong()),
    }
}

/// A wrong password is written down beside the answer: it must not take longer than that of nobody.
fn note_failure(shared: &Arc<Shared>, user: &Arc<User>, source: IpAddr) {
    let (owner, user) = (Arc::clone(shared), Arc::clone(user));
    shared.spawn(&shared.tasks, async move {
        let actor = Actor { label: "anybody".to_owned(), address: Some(source) };
        if let Err(error) = owner.records.within(&user.organisation).note(&actor, "session.refused", &user.id, "").await
        {
            tracing::warn!(%error, user = %user.id, %source, "a wrong password could not be noted");
        }
    });
}

/// A session of `user`, and its answer.
async fn begin(shared: &Shared, user: &User, source: IpAddr, headers: &HeaderMap) -> Result<Response, Refusal> {
    let scope = shared.records.within(&user.organisation);
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let mut standing = scope.sessions(&user.id);
    while standing.len() >= MOST {
        let oldest = standing.remove(0);
        // Gone already is as good.
        let _ended = scope.remove_session(&Actor::system(), &oldest.id).await;
    }
    let (session, secret) = scope.add_session(user, Some(source), agent, LIFETIME).await?;
    let (_, principal) = shared.records.session(secret.expose()).ok_or_else(Refusal::unauthorized)?;
    let caller = Caller { principal: Arc::new(principal), source };
    let view = View::of(&caller, Some(secret.expose()), Some(session.expires), shared)?;
    let mut response = Json(view).into_response();
    let proof = shared.known_browsers.issue(&user.email);
    for text in
        [set_cookie(COOKIE, secret.expose(), LIFETIME.as_secs()), set_cookie(KNOWN, &proof, KNOWN_SECONDS.into())]
    {
        let mut value = HeaderValue::try_from(text).expect("base64 is a header's text");
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
    Ok(response)
}

fn set_cookie(name: &str, value: &str, seconds: u64) -> String {
    format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict")
}

/// Says who calls.
#[utoipa::path(get, path = "/session", tag = "session", operation_id = "showSession", responses(
    (status = 200, description = "The caller.", body = View),
))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Json<View>, Refusal> {
    if matches!(caller.principal.by, By::Token(_)) {
        return View::of(&caller, None, None, &shared).map(Json);
    }
    let secret = cookie(&headers, COOKIE)?.ok_or_else(Refusal::unauthorized)?;
    let expires = shared.records.session(secret).map(|(session, _)| session.expires);
    View::of(&caller, Some(secret), expires, &shared).map(Json)
}

fn own_session(caller: &Caller) -> Result<&Id, Refusal> {
    match &caller.principal.by {
        By::Session(id) => Ok(id),
        _ => Err(Refusal::new(StatusCode::FORBIDDEN, "this is for sessions; a token ends by DELETE /tokens/{id}")),
    }
}

/// Logs out.
#[utoipa::path(delete, path = "/session", tag = "session", operation_id = "logout", responses(
    (status = 204, description = "The session has ended."),
))]
pub(super) async fn logout(State(shared): State<Arc<Shared>>, caller: Caller) -> Result<Response, Refusal> {
    let id = own_session(&caller)?;
    caller.scope(&shared).remove_session(&caller.actor(), id).await?;
    let headers =
        [(SET_COOKIE.as_str(), set_cookie(COOKIE, "", 0)), ("clear-site-data", "\"cache\", \"storage\"".to_owned())];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// Sets the own password. The user's other sessions end.
#[utoipa::path(put, path = "/session/password", tag = "session", operation_id = "changePassword", request_body = PasswordChange, responses(
    (status = 204, description = "It is set."),
))]
pub(super) async fn change_password(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Input(change): Input<PasswordChange>,
) -> Result<StatusCode, Refusal> {
    let session = own_session(&caller)?;
    let scope = caller.scope(&shared);
    let user = caller.principal.user.as_ref().and_then(|id| scope.user(id)).ok_or_else(Refusal::unauthorized)?;
    let facts = &*shared.facts;
    let attempt =
        Attempt::begin(facts, &user.email, caller.source, Some(&**session), Instant::now()).map_err(too_many)?;
    if !shared.passwords.verify(change.old.0, user.password.clone()).await? {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "the old password is wrong"));
    }
    attempt.forgiven(facts, Instant::now());
    let hash = shared.passwords.hash(change.new.0, &user.email).await?;
    scope.set_password(&caller.actor(), &user.id, &hash, Some(&**session)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Uses a one-time link: sets a password, and logs in.
#[utoipa::path(post, path = "/links/redeem", tag = "session", operation_id = "redeemLink", request_body = Redemption, responses(
    (status = 200, description = "The password is set, and a session begins.", body = View),
))]
pub(super) async fn redeem(
    State(shared): State<Arc<Shared>>,
    Source(source): Source,
    headers: HeaderMap,
    Input(asked): Input<Redemption>,
) -> Result<Response, Refusal> {
    let key = format!("redeem/{}", network(source));
    if shared.facts.count(&key, TRIES_WITHIN, Instant::now()) > TRIES {
        return Err(too_many(shared.facts.remaining(&key, Instant::now()).unwrap_or(TRIES_WITHIN)));
    }
    let link = shared.records.link(&asked.link.0).await?;
    let known = link.user.as_ref().and_then(|id| shared.records.within(&link.organisation).user(id));
    let email = match (&link.kind, known, asked.email) {
        (LinkKind::Setup, _, Some(Email(email))) => email,
        (LinkKind::Setup, _, None) => {
            let detail = "email: the first administrator's link asks for an address to log in with";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        (_, Some(user), _) => user.email.clone(),
        (_, None, _) => return Err(Refusal::new(StatusCode::GONE, "the user of this link is no more")),
    };
    let hash = shared.passwords.hash(asked.password.0, &email).await?;
    let actor = Actor { label: format!("link:{}", link.kind.name()), address: Some(source) };
    let name = asked.name.map(|Label(name)| name);
    let user = shared.records.redeem(&actor, &asked.link.0, Some(&email), name.as_deref(), &hash).await?;
    if user.disabled {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "the password is set, but this user is shut out"));
    }
    begin(&shared, &user, source, &headers).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_what_only_a_page_of_this_session_knows() {
        assert!(csrf_matches("secret", csrf("secret").as_bytes()));
        for shown in ["", "x", &csrf("other"), "secret"] {
            assert!(!csrf_matches("secret", shown.as_bytes()));
        }
    }

    #[test]
    fn a_session_that_nobody_uses_ends() {
        let hour = 3_600_000;
        let session = |id: &str, created| Session {
            id: id.into(),
            organisation: "o".into(),
            user: "u".into(),
            hash: crate::records::SecretHash::of(id),
            address: String::new(),
            agent: String::new(),
            created,
            expires: u64::MAX,
        };
        let sessions = Sessions::new(hour);
        let one = session("one", 0);
        assert!(sessions.touch(&one, 2 * hour), "a restart counts as a use");
        assert!(sessions.touch(&one, 3 * hour));
        assert!(!sessions.touch(&one, 4 * hour + 1));
        for n in 0..5000 {
            sessions.touch(&session(&n.to_string(), n * hour), n * hour);
        }
        assert!(sessions.used.lock().unwrap().len() < 1000, "those that are over are forgotten");
    }
}
