//! WS-UsernameToken with PasswordDigest, and with PasswordText where the transport hides it (WSS UsernameToken Profile 1.0, §3; Core §5.9.5).

use super::digest_server::random;
use super::replay::Seen;
use super::{Accounts, AuthOptions, Identity, Secret};
use crate::fault::Fault;
use crate::ns;
use crate::xml::{XmlRead, XmlWrite};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use sha1::{Digest, Sha1};
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

const PASSWORD_DIGEST: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";
const PASSWORD_TEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
const BASE64_BINARY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// The UsernameToken of a WS-Security header.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSSE)]
#[non_exhaustive]
pub struct UsernameToken {
    /// Name of the account.
    pub username: String,
    /// Password or its digest.
    pub password: Option<Password>,
    /// Random, in base64.
    pub nonce: Option<Nonce>,
    /// When the token was made, as it was written: the digest is over the text.
    #[xml(ns = ns::WSU)]
    pub created: Option<String>,
}

/// The password of a token.
#[derive(Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Password {
    /// PasswordText if absent.
    #[xml(attr, name = "Type")]
    pub kind: Option<String>,
    /// The password or its digest.
    #[xml(text)]
    pub text: String,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Password").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The nonce of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Nonce {
    /// Base64Binary if absent.
    #[xml(attr)]
    pub encoding_type: Option<String>,
    /// The nonce in base64.
    #[xml(text, token)]
    pub text: String,
}

impl UsernameToken {
    /// A token made at `created`, by the server's clock: a client whose clock differs adds the difference first.
    #[must_use]
    pub fn digest(user: &str, password: &str, created: Timestamp) -> Self {
        Self::with_nonce(user, password, created, &random::<16>())
    }

    /// A token with the password as it is, for a transport that hides it.
    #[must_use]
    pub fn text(user: &str, password: &str) -> Self {
        let password = Password { kind: Some(PASSWORD_TEXT.to_owned()), text: password.to_owned() };
        Self { username: user.to_owned(), password: Some(password), ..Self::default() }
    }

    fn with_nonce(user: &str, password: &str, created: Timestamp, nonce: &[u8]) -> Self {
        // Devices in the field read milliseconds, and not all of them nanoseconds.
        let created = Timestamp::from_millisecond(created.as_millisecond()).unwrap_or(created).to_string();
        let digest = STANDARD.encode(digest(nonce, &created, password));
        Self {
            username: user.to_owned(),
            password: Some(Password { kind: Some(PASSWORD_DIGEST.to_owned()), text: digest }),
            nonce: Some(Nonce { encoding_type: Some(BASE64_BINARY.to_owned()), text: STANDARD.encode(nonce) }),
            created: Some(created),
        }
    }
}

/// SHA-1 over nonce, time and password (profile, §3.1).
fn digest(nonce: &[u8], created: &str, password: &str) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(nonce);
    hash.update(created.as_bytes());
    hash.update(password.as_bytes());
    hash.finalize().into()
}

/// The server's side of WS-UsernameToken.
#[derive(Debug)]
pub struct TokenServer {
    skew: SignedDuration,
    text: bool,
    seen: Mutex<Seen<bool>>,
}

/// Why a token does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// `ter:NotAuthorized`, with a text that says what to do.
    pub fault: Fault,
    /// Whether name or password were wrong: what whoever guesses gets.
    pub guess: bool,
}

impl From<Fault> for Denial {
    fn from(fault: Fault) -> Self {
        Self { fault, guess: false }
    }
}

/// What a token shows for its password.
enum Shown<'a> {
    /// The password itself.
    Text(&'a str),
    /// The hash over nonce, time and password.
    Digest { shown: &'a str, nonce: Vec<u8>, created: &'a str },
}

impl TokenServer {
    pub(super) fn new(options: &AuthOptions) -> Self {
        Self { skew: options.skew, text: options.password_text, seen: Mutex::new(Seen::new(options.remembered)) }
    }

    /// Checks a token: digest, nonce and time are required, the time must be near, the nonce new. A password as text, where it is taken at all, needs
    /// neither nonce nor time; what is there of them has to hold all the same.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify<A: Accounts + ?Sized>(
        &self,
        token: &UsernameToken,
        accounts: &A,
        now: Timestamp,
    ) -> Result<Identity, Denial> {
        let shown = self.shown(token)?;
        let made = token.created.as_deref().map(time).transpose()?;
        made.map_or(Ok(()), |made| self.near(made, now))?;
        let account = accounts.lookup(&token.username);
        let secret = match account.as_ref().map(|account| &account.secret) {
            Some(Secret::Password(password)) => password.as_str(),
            Some(Secret::Ha1 { .. }) => return Err(refused("this account can use HTTP Digest only").into()),
            // As much work as for a user who exists.
            None => "",
        };
        let matches = match &shown {
            // Over hashes: the comparison tells nothing of the length.
            Shown::Text(text) => bool::from(Sha1::digest(text).as_slice().ct_eq(&Sha1::digest(secret))),
            Shown::Digest { shown, nonce, created } => {
                let shown = STANDARD.decode(shown.trim_ascii()).unwrap_or_default();
                bool::from(digest(nonce, created, secret).as_slice().ct_eq(&shown))
            }
        };
        let wrong = || Denial { fault: refused("user name or password is wrong"), guess: true };
        let account = account.filter(|_| matches).ok_or_else(wrong)?;
        // Only who knows the password fills the memory.
        if let (Some(made), Shown::Digest { nonce, created, .. }) = (made, &shown) {
            self.once(&digest(nonce, created, &token.username), made, now)?;
        }
        Ok(Identity { user: token.username.clone(), levels: account.levels })
    }

    /// What stands in the token, as far as its form allows it.
    fn shown<'t>(&self, token: &'t UsernameToken) -> Result<Shown<'t>, Fault> {
        let password = token.password.as_ref();
        // Absent, the type is PasswordText (profile, §3.1).
        let kind = password.map_or(PASSWORD_DIGEST, |password| password.kind.as_deref().unwrap_or(PASSWORD_TEXT));
        if let (PASSWORD_TEXT, true, Some(password)) = (kind, self.text, password) {
            return Ok(Shown::Text(&password.text));
        }
        let (Some(nonce), Some(created)) = (&token.nonce, &token.created) else {
            return Err(refused("a UsernameToken needs Nonce and Created"));
        };
        let password = password.filter(|_| kind == PASSWORD_DIGEST);
        let password = password.ok_or_else(|| refused("a UsernameToken needs a Password of type PasswordDigest"))?;
        let nonce = STANDARD.decode(&nonce.text).ok().filter(|nonce| !nonce.is_empty());
        let nonce = nonce.ok_or_else(|| refused("the Nonce is not base64"))?;
        Ok(Shown::Digest { shown: &password.text, nonce, created })
    }

    /// A digest is good for one request.
    fn once(&self, digest: &[u8; 20], made: Timestamp, now: Timestamp) -> Result<(), Fault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget((now - self.skew).as_nanosecond());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        let used = seen.entry(made.as_nanosecond(), key);
        let used = used.ok_or_else(|| refused("the token is older than what is remembered, make a new one"))?;
        if std::mem::replace(used, true) {
            return Err(refused("the token was used before"));
        }
        Ok(())
    }

    /// The clocks may differ, and the fault says by how much: GetSystemDateAndTime is there for everybody.
    fn near(&self, made: Timestamp, now: Timestamp) -> Result<(), Fault> {
        let off = made.duration_since(now);
        if off.abs() <= self.skew {
            return Ok(());
        }
        let side = if off.is_negative() { "behind" } else { "ahead of" };
        Err(Fault::not_authorized(format!(
            "Created is {} s {side} the clock here, {now:.0}, and {} s are allowed; \
             GetSystemDateAndTime tells its time without authentication",
            off.as_secs().unsigned_abs(),
            self.skew.as_secs(),
        )))
    }
}

fn refused(why: &str) -> Fault {
    Fault::not_authorized(why)
}

fn time(created: &str) -> Result<Timestamp, Fault> {
    let time = created.trim_ascii().parse();
    time.map_err(|_| refused("Created is not a time such as 2026-01-31T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of ONVIF's application programmer's guide, which many clients are checked by.
    #[test]
    fn makes_the_digest_that_clients_make() {
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap();
        let token = UsernameToken::with_nonce("user", "userpassword", "2010-09-16T07:50:45Z".parse().unwrap(), &nonce);
        assert_eq!(token.password.unwrap().text, "tuOSpGlFlIXsozq4HFNeeGeFLEI=");
    }
}
