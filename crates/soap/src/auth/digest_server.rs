//! HTTP Digest at the server (RFC 7616): nonces carry their own proof, so that nothing is stored before a client is known.

use super::digest::{Algorithm, Exchange, Scheme, ha1, hex, quote, schemes};
use super::replay::{Counters, Seen};
use super::{Accounts, AuthOptions, Identity, Secret};
use aws_lc_rs::{hmac, rand};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// Why an `Authorization` does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not Digest, or not as RFC 7616 has it.
    Malformed,
    /// No such user, or not the password.
    Denied,
    /// The nonce is too old, not ours, or used up: worth another try with a new one.
    Stale,
}

/// The server's side of HTTP Digest.
#[derive(Debug)]
pub struct DigestServer {
    realm: String,
    key: hmac::Key,
    lifetime: SignedDuration,
    seen: Mutex<Seen<Counters>>,
}

/// 8 bytes of time, 8 of chance, 16 of proof; in hexadecimal.
const NONCE: usize = 32;

impl DigestServer {
    pub(super) fn new(options: &AuthOptions) -> Self {
        Self {
            realm: options.realm.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()),
            lifetime: options.nonce_lifetime,
            seen: Mutex::new(Seen::new(options.remembered)),
        }
    }

    /// The values of `WWW-Authenticate`, MD5 first.
    #[must_use]
    pub fn challenges(&self, now: Timestamp, stale: bool) -> Vec<String> {
        let nonce = self.nonce(now);
        let realm = quote(&self.realm);
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |algorithm: Algorithm| {
            format!("Digest realm={realm}, qop=\"auth\", algorithm={}, nonce=\"{nonce}\"{stale}", algorithm.name())
        };
        vec![challenge(Algorithm::Md5), challenge(Algorithm::Sha256)]
    }

    fn nonce(&self, now: Timestamp) -> String {
        let mut nonce = [0; NONCE];
        nonce[..8].copy_from_slice(&now.as_microsecond().to_be_bytes());
        nonce[8..16].copy_from_slice(&random::<8>());
        let proof = self.proof(&nonce[..16]);
        nonce[16..].copy_from_slice(&proof);
        hex(nonce)
    }

    fn proof(&self, stamp: &[u8]) -> [u8; 16] {
        let tag = hmac::sign(&self.key, stamp);
        let mut proof = [0; 16];
        proof.copy_from_slice(&tag.as_ref()[..16]);
        proof
    }

    /// Checks an `Authorization` for a request with this method and target.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify<A: Accounts + ?Sized>(
        &self,
        authorization: &str,
        method: &str,
        uri: &str,
        accounts: &A,
        now: Timestamp,
    ) -> Result<Identity, Refused> {
        let [scheme] = &schemes(authorization)[..] else {
            return Err(Refused::Malformed);
        };
        if !scheme.is_digest() || scheme.is_ambiguous() {
            return Err(Refused::Malformed);
        }
        let shown = Shown::of(scheme)?;
        if shown.realm != self.realm || !same_target(shown.uri, uri) {
            return Err(Refused::Malformed);
        }
        let (issued, chance) = self.opened(shown.nonce).ok_or(Refused::Stale)?;
        let age = now.duration_since(issued);
        if age > self.lifetime || age < -SignedDuration::from_mins(1) {
            return Err(Refused::Stale);
        }
        let account = accounts.lookup(shown.user);
        let secret = account.as_ref().map(|account| &account.secret);
        let ha1 = match (secret, shown.algorithm) {
            (Some(Secret::Password(password)), algorithm) => ha1(algorithm, shown.user, &self.realm, password),
            (Some(Secret::Ha1 { md5, .. }), Algorithm::Md5) => md5.clone(),
            (Some(Secret::Ha1 { sha256, .. }), Algorithm::Sha256) => sha256.clone(),
            // As much work as for a user who exists.
            (None, algorithm) => ha1(algorithm, shown.user, &self.realm, ""),
        };
        let exchange = Exchange { nonce: shown.nonce, count: Some((shown.nc, shown.cnonce)), method, uri: shown.uri };
        let expected = exchange.response(shown.algorithm, &ha1);
        let matches = bool::from(expected.as_bytes().ct_eq(shown.response.to_ascii_lowercase().as_bytes()));
        let account = account.filter(|_| matches).ok_or(Refused::Denied)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget((now - self.lifetime).as_nanosecond());
        let counters = seen.entry(issued.as_nanosecond(), chance).ok_or(Refused::Stale)?;
        if !counters.take(shown.count) {
            return Err(Refused::Stale);
        }
        Ok(Identity { user: shown.user.to_owned(), levels: account.levels })
    }

    /// When a nonce of ours was made, and what tells it from others of that moment.
    fn opened(&self, nonce: &str) -> Option<(Timestamp, [u8; 16])> {
        let mut bytes = [0; NONCE];
        if nonce.len() != NONCE * 2 || !nonce.is_ascii() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(nonce.as_bytes().chunks_exact(2)) {
            let high = char::from(digits[0]).to_digit(16)?;
            let low = char::from(digits[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        let (stamp, proof) = bytes.split_at(16);
        if !bool::from(self.proof(stamp).ct_eq(proof)) {
            return None;
        }
        let (time, chance) = stamp.split_at(8);
        let issued = Timestamp::from_microsecond(i64::from_be_bytes(time.try_into().ok()?)).ok()?;
        let mut key = [0; 16];
        key[..8].copy_from_slice(chance);
        Some((issued, key))
    }
}

/// The parameters of an `Authorization`, all there.
struct Shown<'a> {
    user: &'a str,
    realm: &'a str,
    nonce: &'a str,
    uri: &'a str,
    response: &'a str,
    nc: &'a str,
    count: u32,
    cnonce: &'a str,
    algorithm: Algorithm,
}

impl<'a> Shown<'a> {
    fn of(scheme: &'a Scheme<'_>) -> Result<Self, Refused> {
        let get = |name| scheme.get(name).ok_or(Refused::Malformed);
        if get("qop")? != "auth" || scheme.get("userhash").is_some_and(|value| !value.eq_ignore_ascii_case("false")) {
            return Err(Refused::Malformed);
        }
        let nc = get("nc")?;
        let hexadecimal = nc.len() == 8 && nc.bytes().all(|byte| byte.is_ascii_hexdigit());
        let count = u32::from_str_radix(nc, 16).ok().filter(|count| hexadecimal && *count > 0);
        Ok(Self {
            user: get("username")?,
            realm: get("realm")?,
            nonce: get("nonce")?,
            uri: get("uri")?,
            response: get("response")?,
            nc,
            count: count.ok_or(Refused::Malformed)?,
            cnonce: get("cnonce")?,
            algorithm: Algorithm::of(scheme.get("algorithm")).ok_or(Refused::Malformed)?,
        })
    }
}

/// The `uri` of the credentials against the request's target; some clients give the absolute form.
fn same_target(shown: &str, target: &str) -> bool {
    fn path(uri: &str) -> &str {
        let Some((_, rest)) = uri.split_once("://") else {
            return uri;
        };
        rest.find('/').map_or("/", |at| &rest[at..])
    }
    path(shown) == path(target)
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}
