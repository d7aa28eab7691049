//! The cloud's certificate: the operator's files, or an ACME authority's, or one from an authority of its own that it makes at first start. Each changes
//! while it serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oriel_trust::{Authority, Identity, ReloadingIdentity, TrustError};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::file;

mod acme;

use acme::Acme;
pub(crate) use acme::Challenges;

/// How often the files, or the certificate's age, are looked at.
const LOOK: Duration = Duration::from_secs(30);

/// What the port serves with, and what keeps it fresh.
pub(crate) struct Certificate {
    served: Arc<ReloadingIdentity>,
    own: Option<Own>,
    acme: Option<Acme>,
}

/// The cloud's own authority.
struct Own {
    authority: Authority,
    names: Vec<String>,
    file: PathBuf,
}

impl Certificate {
    /// Reads the configured files, or reads or makes the own authority.
    ///
    /// # Errors
    /// When files cannot be read, used, or written.
    pub(crate) fn open(config: &Config) -> Result<Self, TrustError> {
        if let Some((chain, key)) = &config.tls {
            let served = ReloadingIdentity::open(chain.clone(), key.clone())?;
            return Ok(Self { served: Arc::new(served), own: None, acme: None });
        }
        let folder = config.data.join("tls");
        let (file, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        let authority = if file.exists() { Authority::load(&file, &key)? } else { make(&folder, &file, &key)? };
        let acme = config.acme.as_ref().map(|acme| Acme::new(acme, &config.data));
        let kept = acme.as_ref().and_then(|acme| acme.kept(SystemTime::now()));
        let names = names(config);
        let identity = kept.map_or_else(|| authority.issue_server(&names), Ok)?;
        let served = Arc::new(ReloadingIdentity::fixed(&identity));
        Ok(Self { served, own: Some(Own { authority, names, file }), acme })
    }

    /// What the port serves with.
    pub(crate) fn served(&self) -> &Arc<ReloadingIdentity> {
        &self.served
    }

    /// The certificate of the own authority, PEM file; none when somebody else's speaks for the cloud.
    pub(crate) fn ca(&self) -> Option<&Path> {
        self.own.as_ref().filter(|_| self.acme.is_none()).map(|own| own.file.as_path())
    }

    /// What an ACME authority's validating connections are answered with.
    pub(crate) fn challenges(&self) -> Option<Arc<Challenges>> {
        self.acme.as_ref().map(|acme| Arc::clone(acme.challenges()))
    }

    /// Reads the files again; the own authority issues a new certificate when the old one has lived two thirds of its life. Returns whether anything changed.
    ///
    /// # Errors
    /// When the files cannot be used; the old certificate stays.
    pub(crate) fn refresh(&self, now: SystemTime) -> Result<bool, TrustError> {
        let Some(own) = &self.own else { return self.served.reload() };
        if self.acme.is_some() {
            return Ok(false);
        }
        if now < self.served.renew_at()? {
            return Ok(false);
        }
        self.served.replace(&own.authority.issue_server(&own.names)?);
        Ok(true)
    }

    /// Refreshes now and then, until `stop`. `ordered` hears how each order at an ACME authority ended.
    pub(crate) async fn keep_fresh(self: Arc<Self>, stop: CancellationToken, ordered: impl Fn(bool) + Send) {
        if let Some(acme) = &self.acme {
            stop.run_until_cancelled(self.keep_ordered(acme, ordered)).await;
            return;
        }
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            match self.refresh(SystemTime::now()) {
                Ok(true) => tracing::info!("serving a new certificate"),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "there is no new certificate; the old one stays"),
            }
        }
    }
}

impl Certificate {
    /// Orders a certificate when there is none that covers the names, and when two thirds of its life are over.
    async fn keep_ordered(&self, acme: &Acme, ordered: impl Fn(bool) + Send) {
        let mut failures = 0;
        loop {
            while let Some(due) = acme.kept(SystemTime::now()).map(|kept| kept.renew_at()) {
                let Ok(left) = due.duration_since(SystemTime::now()) else { break };
                // Asked again and again, not slept through: the machine may sleep too, and its clock be set.
                tokio::time::sleep(left.clamp(Duration::from_millis(1), LOOK)).await;
            }
            match acme.order().await {
                Ok(identity) => {
                    self.served.replace(&identity);
                    failures = 0;
                    ordered(true);
                    tracing::info!("serving a new certificate of the ACME authority");
                    serves_for_a_while(acme).await;
                }
                Err(error) => {
                    failures += 1;
                    ordered(false);
                    let wait = acme::wait(failures, random());
                    tracing::error!(%error, seconds = wait.as_secs(), "there is no new certificate; the old one stays, and the order is repeated");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}

/// Waits when a certificate that was just issued does not cover the names, or is due at once: the next would be no better.
async fn serves_for_a_while(acme: &Acme) {
    let now = SystemTime::now();
    if acme.kept(now).is_none_or(|kept| kept.renew_at() <= now) {
        tracing::error!("the ACME authority's certificate does not serve for the configured names, or not for long");
        tokio::time::sleep(acme::wait(1, random())).await;
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    u64::from_ne_bytes(bytes)
}

/// Whether [`Certificate::open`] would find what it needs; makes nothing.
pub(crate) fn verify(config: &Config) -> Result<(), TrustError> {
    match &config.tls {
        Some((chain, key)) => Identity::load(chain, key).map(drop),
        None => Authority::new("trial")?.issue_server(&names(config)).map(drop),
    }
}

/// The cloud's own names, and those of all devices.
fn names(config: &Config) -> Vec<String> {
    config.names.iter().cloned().chain(config.domain.iter().map(|domain| format!("*.{domain}"))).collect()
}

fn make(folder: &Path, file: &Path, key: &Path) -> Result<Authority, TrustError> {
    let authority = Authority::new("Oriel cloud CA")?;
    let (certificate_pem, key_pem) = authority.to_pem();
    std::fs::create_dir_all(folder).map_err(|source| TrustError::File { path: folder.to_owned(), source })?;
    // The key first: a certificate without its key would keep the next start from making both.
    write(key, &key_pem, 0o600)?;
    write(file, &certificate_pem, 0o644)?;
    Ok(authority)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TrustError> {
    file::replace(path, text.as_bytes(), mode).map_err(|source| TrustError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path, text: &str) -> Config {
        Config::parse(text, folder).unwrap()
    }

    #[test]
    fn the_own_certificate_is_renewed_in_time_and_the_authority_stays() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "data = 'd'");
        let certificate = Certificate::open(&config).unwrap();
        let anchor = std::fs::read(certificate.ca().unwrap()).unwrap();
        assert!(!certificate.refresh(SystemTime::now()).unwrap());
        assert!(certificate.refresh(certificate.served().renew_at().unwrap()).unwrap());
        let again = Certificate::open(&config).unwrap();
        assert_eq!(std::fs::read(again.ca().unwrap()).unwrap(), anchor);
    }

    #[test]
    fn what_cannot_be_served_is_found_before_the_start() {
        let folder = tempfile::tempdir().unwrap();
        config(folder.path(), "").verify().unwrap();
        config(folder.path(), "names = ['ö ö']").verify().unwrap_err();
        let missing = config(folder.path(), "[tls]\ncertificate = 'none.pem'\nkey = 'none.key'");
        assert!(missing.verify().unwrap_err().to_string().contains("none.pem"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a check makes nothing");
    }
}
