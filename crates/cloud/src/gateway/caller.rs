//! Who asks: a bearer token (RFC 6750), or an access key by HTTP Digest (RFC 7616) or WS-UsernameToken (Core §5.9.1). Never a cookie.
//!
//! Decided before anything is looked up that the caller names, so that nobody without credentials learns what there is.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use oriel_soap::Fault;
use oriel_soap::auth::{Account, Accounts, AuthOptions, Authenticator, Refused, Secret, UsernameToken};

use super::browser;
use super::guesses::{Guesses, too_many};
use super::route::Route;
use crate::Shared;
use crate::port::Peer;
use crate::records::{By, Principal};
use crate::refusal::Refusal;

/// Nonces of ours, and tokens of clients, that are remembered to be used up; about a hundred bytes each. Beyond it clients are asked for newer ones.
const REMEMBERED: usize = 65_536;
const WHAT_TO_SEND: &str =
    "send an access key by HTTP Digest or WS-UsernameToken, or a token: `Authorization: Bearer …`";

/// What checks access keys.
pub(super) fn authenticator() -> Authenticator {
    Authenticator::new(&AuthOptions {
        remembered: REMEMBERED,
        // The port has TLS and nothing else.
        password_text: true,
        nonce_lifetime: SignedDuration::from_mins(5),
        ..AuthOptions::new("oriel")
    })
}

/// What the head of a request shows.
pub(super) enum Shown {
    /// A token's bearer. A UsernameToken in the envelope is somebody else's business then, and goes no further.
    Bearer(Principal),
    /// Who has an access key.
    Key(Principal),
    /// Nothing yet: it may stand in the envelope.
    Nothing,
}

/// Who asks, by the head of the request.
///
/// # Errors
/// What is shown does not hold.
pub(super) fn of_head(
    headers: &HeaderMap,
    method: &Method,
    route: &Route,
    peer: Peer,
    shared: &Shared,
) -> Result<Shown, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(Shown::Nothing),
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => return Err(challenge(headers, route, shared, false)),
    };
    let scheme = value.split(' ').next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") {
        return crate::auth::bearer(headers, &shared.records).map(Shown::Bearer);
    }
    if !scheme.eq_ignore_ascii_case("digest") {
        return Err(challenge(headers, route, shared, false));
    }
    browser::may_use_digest(headers, method, route)?;
    let (keys, now) = (Keys::of(peer, shared), now(shared));
    let digest = shared.gateway.authenticator.digest();
    let verified = digest.verify(value, method.as_str(), route.asked.as_str(), &keys, now);
    let refused = |refused| match refused {
        Refused::Denied => keys.wrong().unwrap_or_else(|| challenge(headers, route, shared, false)),
        Refused::Stale => challenge(headers, route, shared, true),
        Refused::Malformed => challenge(headers, route, shared, false),
    };
    verified.map_err(refused)?;
    keys.owner().map(Shown::Key).ok_or_else(|| challenge(headers, route, shared, false))
}

/// Who asks, by the token in the envelope. `known` has shown an access key in the head: then it has to be the same (Core §5.9.1).
///
/// # Errors
/// `ter:NotAuthorized`, or 429 after too many failures.
pub(super) fn of_token(
    token: &UsernameToken,
    known: Option<&Principal>,
    peer: Peer,
    shared: &Shared,
) -> Result<Principal, Refusal> {
    let keys = Keys::of(peer, shared);
    if let Err(denial) = shared.gateway.authenticator.tokens().verify(token, &keys, now(shared)) {
        let throttled = if denial.guess { keys.wrong() } else { None };
        return Err(throttled.unwrap_or_else(|| denial.fault.into()));
    }
    let owner = keys.owner().ok_or_else(|| Fault::not_authorized("user name or password is wrong"))?;
    if known.is_some_and(|known| known.by != owner.by) {
        return Err(Fault::not_authorized("HTTP and WS-Security name different users").into());
    }
    Ok(owner)
}

/// 401, alike whatever there is or is not.
pub(super) fn challenge(headers: &HeaderMap, route: &Route, shared: &Shared, stale: bool) -> Refusal {
    if !browser::is_offered_digest(headers, route) {
        return Refusal::unauthorized();
    }
    let challenges = shared.gateway.authenticator.challenges(now(shared), stale);
    Refusal::challenged(challenges, WHAT_TO_SEND)
}

/// The time that nonces and `Created` are judged by.
pub(super) fn now(shared: &Shared) -> Timestamp {
    let millis = i64::try_from(shared.records.clock().now()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// The access keys as accounts, and what one attempt found there.
struct Keys<'s> {
    shared: &'s Shared,
    guesses: Guesses<'s>,
    user: RefCell<String>,
    owner: RefCell<Option<Principal>>,
    wait: Cell<Option<Duration>>,
}

impl<'s> Keys<'s> {
    fn of(peer: Peer, shared: &'s Shared) -> Self {
        let guesses = Guesses::of(&*shared.facts, peer.source);
        Self { shared, guesses, user: RefCell::default(), owner: RefCell::default(), wait: Cell::default() }
    }

    /// The name or the password was wrong. Says so if it was not even looked at.
    fn wrong(&self) -> Option<Refusal> {
        if let Some(wait) = self.wait.get() {
            return Some(too_many(wait));
        }
        self.guesses.wrong(&self.user.borrow(), Instant::now());
        self.shared.gateway.wrong.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        None
    }

    /// Whose key it was. The right to it has been proved.
    fn owner(&self) -> Option<Principal> {
        self.owner.take().filter(|owner| matches!(owner.by, By::AccessKey(_)))
    }
}

impl Accounts for Keys<'_> {
    fn lookup(&self, user: &str) -> Option<Account> {
        user.clone_into(&mut self.user.borrow_mut());
        self.wait.set(self.guesses.wait(user, Instant::now()));
        let records = &self.shared.records;
        let Some((key, owner)) = records.access_key(user).filter(|_| self.wait.get().is_none()) else {
            records.no_password();
            return None;
        };
        let account = Account { secret: Secret::Password(records.password(&key)?), levels: owner.levels() };
        self.owner.replace(Some(owner));
        Some(account)
    }
}
