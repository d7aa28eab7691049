//! A certificate from an ACME authority (RFC 8555), proved by TLS-ALPN-01 on the one TLS port (RFC 8737): no further port, no web root.
//!
//! ```text
//! account.json ─► order ─► for each name: a challenge's certificate ready, "validate me" ─► authority connects, ALPN acme-tls/1 ─► finalize ─► certificate.pem
//!      made at the first order                                                                                                       │
//!                       two thirds of its life later, or at once when it does not cover the names ◄──────────────────────────────────┘
//! ```
//! Until the first order succeeds the cloud serves a certificate of its own authority; when a later one fails, the old one stays.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus,
    RetryPolicy,
};
use oriel_trust::{Identity, TrustError, acme_challenge};
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::AcmeConfig;
use crate::file;

/// One order, from the account to the certificate.
const ORDER: Duration = Duration::from_secs(300);
/// How long the authority may take to validate, and to issue.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).timeout(Duration::from_secs(90));
/// The wait after the first failed order; it doubles with each. Public authorities allow five failed validations an hour.
const FIRST_WAIT: Duration = Duration::from_secs(120);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    /// The authority's or the network's word.
    #[error("the authority: {0}")]
    Authority(#[from] instant_acme::Error),
    /// The authority would validate a name in other ways only.
    #[error("the authority does not offer TLS-ALPN-01 for {0}")]
    NoChallenge(String),
    /// It did not validate a name.
    #[error("the authority did not find us at {0}: TLS-ALPN-01 asks for this cloud on port 443 of each name")]
    Refused(String),
    /// It took too long.
    #[error("the order was not done within {} s", ORDER.as_secs())]
    Slow,
    /// What was issued, or kept, cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A file of ours.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The account at one authority and what it issued.
pub(super) struct Acme {
    config: AcmeConfig,
    /// One folder an authority, so that a change from a trial to the real one begins anew.
    folder: PathBuf,
    challenges: Arc<Challenges>,
}

/// Certificates for the authority's validating connections, by name.
#[derive(Debug, Default)]
pub(crate) struct Challenges(RwLock<HashMap<String, Arc<CertifiedKey>>>);

impl Challenges {
    fn put(&self, name: &str, certified: Arc<CertifiedKey>) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(name.to_ascii_lowercase(), certified);
    }

    fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl ResolvesServerCert for Challenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }
}

impl Acme {
    pub(super) fn new(config: &AcmeConfig, data: &Path) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let authority: String = config.directory.trim_start_matches("https://").chars().map(plain).collect();
        Self { config: config.clone(), folder: data.join("acme").join(authority), challenges: Arc::default() }
    }

    pub(super) fn challenges(&self) -> &Arc<Challenges> {
        &self.challenges
    }

    /// The certificate that was issued last, if it can be used still.
    pub(super) fn kept(&self, now: SystemTime) -> Option<Identity> {
        let file = self.folder.join("certificate.pem");
        let text = std::fs::read(&file).ok()?;
        let identity = Identity::from_pem(&text, &text).inspect_err(|error| {
            tracing::warn!(file = %file.display(), %error, "the certificate that was issued last cannot be used");
        });
        identity.ok().filter(|identity| {
            let leaf = ParsedCertificate::try_from(&identity.chain()[0]).ok();
            let covers = |name: &String| {
                let name = ServerName::try_from(name.as_str());
                leaf.as_ref().zip(name.ok()).is_some_and(|(leaf, name)| verify_server_name(leaf, &name).is_ok())
            };
            now < identity.expires_at() && self.config.names.iter().all(covers)
        })
    }

    /// Orders a certificate and keeps it.
    ///
    /// # Errors
    /// [`AcmeError`]; nothing that was kept has changed, but for the account that may have been made.
    pub(super) async fn order(&self) -> Result<Identity, AcmeError> {
        let ordered = tokio::time::timeout(ORDER, Box::pin(self.issued())).await.unwrap_or(Err(AcmeError::Slow));
        self.challenges.clear();
        let (chain, key) = ordered?;
        let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes())?;
        // One file: a crash between two would leave a key that fits no certificate.
        self.write("certificate.pem", &format!("{key}{chain}"))?;
        Ok(identity)
    }

    async fn issued(&self) -> Result<(String, String), AcmeError> {
        let account = self.account().await?;
        let names: Vec<Identifier> = self.config.names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
            let mut challenge = challenge.ok_or_else(|| AcmeError::NoChallenge(name.clone()))?;
            let digest = challenge.key_authorization().digest();
            self.challenges.put(&name, acme_challenge(&name, digest.as_ref())?);
            challenge.set_ready().await?;
        }
        if order.poll_ready(&PATIENCE).await? != OrderStatus::Ready {
            return Err(AcmeError::Refused(self.config.names.join(", ")));
        }
        let key = order.finalize().await?;
        Ok((order.poll_certificate(&PATIENCE).await?, key))
    }

    /// The account at the authority: the one that is kept, or a new one.
    async fn account(&self) -> Result<Account, AcmeError> {
        let builder = || match &self.config.ca {
            Some(file) => Account::builder_with_root(file),
            None => Account::builder(),
        };
        let file = self.folder.join("account.json");
        if let Ok(text) = std::fs::read(&file) {
            let kept: AccountCredentials = serde_json::from_slice(&text).map_err(instant_acme::Error::from)?;
            return Ok(builder()?.from_credentials(kept).await?);
        }
        let contact: Vec<&str> = self.config.contact.iter().map(String::as_str).collect();
        let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder()?.create(&wanted, self.config.directory.clone(), None).await?;
        let text = serde_json::to_string(&credentials).map_err(instant_acme::Error::from)?;
        self.write("account.json", &text)?;
        tracing::info!(account = account.id(), "an account was made at the certificate authority");
        Ok(account)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), AcmeError> {
        let path = self.folder.join(name);
        let written = std::fs::create_dir_all(&self.folder).and_then(|()| file::replace(&path, text.as_bytes(), 0o600));
        written.map_err(|source| AcmeError::File { path, source })
    }
}

/// How long to wait after so many orders failed in a row: longer each time, and not in step with other clouds. `random` is any number.
pub(super) fn wait(failures: u32, random: u64) -> Duration {
    let full = FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_WAIT);
    let share = u32::try_from(random % 512).unwrap_or_default();
    full / 2 + full / 512 * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_to_a_bound_and_differs_from_cloud_to_cloud() {
        for (failures, full) in [(1, 120), (2, 240), (5, 1920), (12, 21_600), (u32::MAX, 21_600)] {
            let full = Duration::from_secs(full);
            let waits = [0, 255, 511, u64::MAX].map(|random| wait(failures, random));
            assert!(waits.iter().all(|wait| *wait >= full / 2 && *wait < full / 2 * 3), "{failures}: {waits:?}");
            assert!(waits[0] < waits[1] && waits[1] < waits[2]);
        }
    }

    #[test]
    fn a_kept_certificate_serves_while_it_lasts_and_covers_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let names = vec!["one.example".to_owned(), "two.example".to_owned()];
        let config = |names: &[String]| AcmeConfig {
            directory: "https://acme.example/directory".to_owned(),
            contact: Vec::new(),
            names: names.to_vec(),
            ca: None,
        };
        let acme = Acme::new(&config(&names), folder.path());
        let now = SystemTime::now();
        assert!(acme.kept(now).is_none());
        let issued = oriel_trust::Authority::new("CA").unwrap().issue_server(&names).unwrap();
        let (chain, key) = issued.to_pem();
        acme.write("certificate.pem", &format!("{key}{chain}")).unwrap();
        assert_eq!(acme.kept(now).unwrap().fingerprint(), issued.fingerprint());
        assert!(acme.kept(issued.expires_at()).is_none(), "it is over");
        let more = [names.as_slice(), &["three.example".to_owned()]].concat();
        assert!(Acme::new(&config(&more), folder.path()).kept(now).is_none(), "a name was added");
        let mut other = config(&names);
        other.directory = "https://other.example/directory".to_owned();
        assert!(Acme::new(&other, folder.path()).kept(now).is_none(), "another authority");
        acme.write("certificate.pem", "nothing").unwrap();
        assert!(acme.kept(now).is_none());
    }

    #[test]
    fn the_keys_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let names = vec!["one.example".to_owned()];
        let directory = "https://acme.example/directory".to_owned();
        let acme = Acme::new(&AcmeConfig { directory, contact: Vec::new(), names, ca: None }, folder.path());
        acme.write("account.json", "{}").unwrap();
        let mode = std::fs::metadata(acme.folder.join("account.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
