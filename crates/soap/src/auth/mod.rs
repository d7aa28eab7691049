//! Who is it: HTTP Digest and WS-UsernameToken, on both ends (Core §5.9.1, §5.9.3, §5.9.5). Nothing here reads a clock.

mod digest;
mod digest_client;
mod digest_server;
mod replay;
mod token;

pub use digest::Algorithm;
pub use digest_client::DigestClient;
pub use digest_server::{DigestServer, Refused};
pub use token::{Denial, Nonce, Password, TokenServer, UsernameToken};

use crate::access::Levels;
use crate::fault::Fault;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// The accounts of a server.
pub trait Accounts {
    /// The account of this name.
    fn lookup(&self, user: &str) -> Option<Account>;
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What the user has to know.
    pub secret: Secret,
    /// What the user may do.
    pub levels: Levels,
}

/// What a user has to know.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password. WS-UsernameToken needs it.
    Password(String),
    /// The hashes that HTTP Digest needs, in hexadecimal (RFC 7616, §3.4.2).
    Ha1 {
        /// With MD5.
        md5: String,
        /// With SHA-256.
        sha256: String,
    },
}

impl Secret {
    /// The hashes of a password, good for this realm alone.
    #[must_use]
    pub fn ha1(user: &str, realm: &str, password: &str) -> Self {
        Self::Ha1 {
            md5: digest::ha1(Algorithm::Md5, user, realm, password),
            sha256: digest::ha1(Algorithm::Sha256, user, realm, password),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What came with a request.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The header field `Authorization`.
    pub authorization: Option<&'a str>,
    /// Method of the request.
    pub method: &'a str,
    /// Target of the request: path and query.
    pub uri: &'a str,
    /// The UsernameToken of the envelope.
    pub token: Option<&'a UsernameToken>,
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the account.
    pub user: String,
    /// What the account may do.
    pub levels: Levels,
}

/// Credentials were shown and do not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// HTTP 401, with one `WWW-Authenticate` for each of these.
    Challenge(Vec<String>),
    /// A fault, since it was WS-Security that did not hold.
    Fault(Fault),
}

/// How a server authenticates.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// Realm of HTTP Digest.
    pub realm: String,
    /// How long a nonce of ours may be used.
    pub nonce_lifetime: SignedDuration,
    /// How far a client's clock may be off.
    pub skew: SignedDuration,
    /// How many nonces are remembered, ours and those of tokens each.
    pub remembered: usize,
    /// Whether a UsernameToken may hold the password as text: only where every request comes over TLS.
    pub password_text: bool,
}

impl AuthOptions {
    /// Nonces for 5 minutes, clocks 5 minutes off at most, 4,096 nonces remembered, passwords never as text.
    #[must_use]
    pub fn new(realm: impl Into<String>) -> Self {
        Self {
            realm: realm.into(),
            nonce_lifetime: SignedDuration::from_mins(5),
            skew: SignedDuration::from_mins(5),
            remembered: 4096,
            password_text: false,
        }
    }
}

/// The server's side of both ways to authenticate.
#[derive(Debug)]
pub struct Authenticator {
    digest: DigestServer,
    tokens: TokenServer,
}

impl Authenticator {
    /// One with a key of its own: nonces of before are worth nothing.
    #[must_use]
    pub fn new(options: &AuthOptions) -> Self {
        Self { digest: DigestServer::new(options), tokens: TokenServer::new(options) }
    }

    /// The challenges for a 401, MD5 first, since many clients only look at the first.
    #[must_use]
    pub fn challenges(&self, now: Timestamp, stale: bool) -> Vec<String> {
        self.digest.challenges(now, stale)
    }

    /// The half for HTTP Digest, for who has to tell why it does not hold.
    #[must_use]
    pub const fn digest(&self) -> &DigestServer {
        &self.digest
    }

    /// The half for WS-UsernameToken, for who has to tell why it does not hold.
    #[must_use]
    pub const fn tokens(&self) -> &TokenServer {
        &self.tokens
    }

    /// Checks what was shown: none if nothing was. If both ways were used, both must hold, HTTP first, and for the same account
    /// (Core §5.9.1).
    ///
    /// # Errors
    /// Something was shown that does not hold.
    pub fn authenticate<A: Accounts + ?Sized>(
        &self,
        attempt: &Attempt<'_>,
        accounts: &A,
        now: Timestamp,
    ) -> Result<Option<Identity>, Refusal> {
        let mut identity = None;
        if let Some(authorization) = attempt.authorization {
            let verified = self.digest.verify(authorization, attempt.method, attempt.uri, accounts, now);
            let refused = |refused| Refusal::Challenge(self.challenges(now, refused == Refused::Stale));
            identity = Some(verified.map_err(refused)?);
        }
        if let Some(token) = attempt.token {
            let denied = |denial: Denial| Refusal::Fault(denial.fault);
            let other = self.tokens.verify(token, accounts, now).map_err(denied)?;
            if identity.as_ref().is_some_and(|identity| identity.user != other.user) {
                let fault = Fault::not_authorized("HTTP and WS-Security name different users");
                return Err(Refusal::Fault(fault));
            }
            identity = Some(other);
        }
        Ok(identity)
    }
}
