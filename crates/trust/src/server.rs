//! The TLS server's side: a certificate that can change while it serves, and clients known by their key.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DistinguishedName, ServerConfig};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::signatures::checks_signatures;
use crate::validity::{expires_at, renew_at};
use crate::{Identity, TrustError};

/// Whether a server asks its clients for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// It does not ask.
    No,
    /// It asks, and goes on without one. See [`AnyClientKey`] for what a certificate then proves.
    Optional,
}

/// A TLS server. The caller sets ALPN.
///
/// # Errors
/// [`TrustError::Tls`] when the protocol versions cannot be set up.
pub fn server_config(identity: Arc<dyn ResolvesServerCert>, clients: ClientAuth) -> Result<ServerConfig, TrustError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match clients {
        ClientAuth::No => builder.with_no_client_auth(),
        ClientAuth::Optional => builder.with_client_cert_verifier(Arc::new(AnyClientKey(provider))),
    };
    Ok(builder.with_cert_resolver(identity))
}

/// Takes any client certificate whose key signed the handshake, as long as it is not over. What it proves is possession of that key; who the key belongs to
/// is the registry's word, by [`Fingerprint`](crate::Fingerprint).
///
/// Checked: the signature over the handshake, by the leaf's key; that the leaf can be parsed; its not-after. Not checked: its not-before, since a camera's clock
/// stood at the epoch or ahead as often as not when the key was made; issuer, chain, names, usages and revocation lists, since none of them says more about a
/// key that the registry knows than the registry does.
#[derive(Debug)]
pub struct AnyClientKey(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClientKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let (_, parsed) = X509Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if seconds > parsed.validity().not_after.timestamp() {
            return Err(CertificateError::Expired.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    checks_signatures!(self by self.0);
}

/// A server identity read from files, and read again on [`ReloadingIdentity::reload`]. A bad file leaves the old identity in place.
#[derive(Debug)]
pub struct ReloadingIdentity {
    files: Option<(PathBuf, PathBuf)>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ReloadingIdentity {
    /// Reads the PEM files `chain` and `key`.
    ///
    /// # Errors
    /// As [`Identity::load`].
    pub fn open(chain: PathBuf, key: PathBuf) -> Result<Self, TrustError> {
        let identity = Identity::load(&chain, &key)?;
        Ok(Self { files: Some((chain, key)), current: RwLock::new(Arc::clone(identity.certified())) })
    }

    /// An identity that stays as it is.
    #[must_use]
    pub fn fixed(identity: &Identity) -> Self {
        Self { files: None, current: RwLock::new(Arc::clone(identity.certified())) }
    }

    /// When the certificate that serves now is due for renewal: two thirds of its life.
    ///
    /// # Errors
    /// [`TrustError::Certificate`] when it cannot be parsed, which an identity that was read never is.
    pub fn renew_at(&self) -> Result<SystemTime, TrustError> {
        renew_at(&self.leaf()?)
    }

    /// When the certificate that serves now ends.
    ///
    /// # Errors
    /// As [`ReloadingIdentity::renew_at`].
    pub fn expires_at(&self) -> Result<SystemTime, TrustError> {
        expires_at(&self.leaf()?)
    }

    /// The chain that serves now, leaf first.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current.read().expect("no writer panics while it holds the lock").cert.clone()
    }

    fn leaf(&self) -> Result<CertificateDer<'static>, TrustError> {
        let current = Arc::clone(&self.current.read().expect("no writer panics while it holds the lock"));
        current.cert.first().cloned().ok_or_else(|| TrustError::Pem("no certificate in the chain".to_owned()))
    }

    /// Serves `identity` from the next handshake on; for an identity that is no file's, such as one from an authority of one's own.
    pub fn replace(&self, identity: &Identity) {
        *self.current.write().expect("no writer panics while it holds the lock") = Arc::clone(identity.certified());
    }

    /// Reads the files again. Returns whether the certificate changed.
    ///
    /// # Errors
    /// As [`Identity::load`]; the old identity goes on serving.
    pub fn reload(&self) -> Result<bool, TrustError> {
        let Some((chain, key)) = &self.files else {
            return Ok(false);
        };
        let new = Arc::clone(Identity::load(chain, key)?.certified());
        let mut current = self.current.write().expect("no writer panics while it holds the lock");
        let changed = current.cert != new.cert;
        *current = new;
        Ok(changed)
    }
}

impl ResolvesServerCert for ReloadingIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().expect("no writer panics while it holds the lock")))
    }
}
