//! The TLS client's side: whom it believes, and what it shows of itself.
//!
//! A device checks the server's chain and name always (Uplink §5.3, RFC 9525). A policy's anchors stand alone: the system's roots are not added to them.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::identity::certificates;
use crate::signatures::checks_signatures;
use crate::{Identity, TrustError};

/// How long the system's roots count as read: an operator may change them under a running program.
const FRESH: Duration = Duration::from_secs(600);

/// A certification path validation policy: the anchors that a server's chain must end in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Authorities, or self-signed server certificates that are believed as they are.
    pub anchors: Vec<CertificateDer<'static>>,
}

impl Policy {
    /// Reads anchors from PEM text.
    ///
    /// # Errors
    /// [`TrustError::Pem`] when there is none or the text is damaged.
    pub fn from_pem(text: &[u8]) -> Result<Self, TrustError> {
        Ok(Self { anchors: certificates(text)? })
    }
}

/// Whom a TLS client believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validation {
    /// The roots of the operating system.
    SystemRoots,
    /// The anchors of one policy.
    Policy(Policy),
    /// Anybody. Only an explicit switch for laboratories leads here.
    Insecure,
}

/// A TLS client that believes `validation` and shows `identity`, if it is given one. The caller sets ALPN.
///
/// # Errors
/// [`TrustError::NoSystemRoots`], or [`TrustError::Tls`] when an anchor or the identity cannot be used.
pub fn client_config(validation: &Validation, identity: Option<&Identity>) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match validation {
        Validation::SystemRoots => system(&provider)?,
        Validation::Policy(policy) => Arc::new(Anchored::new(policy, &provider)?),
        Validation::Insecure => Arc::new(Anybody(Arc::clone(&provider))),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_auth_cert(identity.chain().to_vec(), identity.key().clone_key())?,
    })
}

/// The system's roots, which are larger than all else of a client: whoever needs them at the same time shares them, for as long as they are fresh.
fn system(provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, TrustError> {
    static SHARED: Mutex<Option<(Instant, Weak<WebPkiServerVerifier>)>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = shared.as_ref().filter(|(since, _)| since.elapsed() < FRESH);
    if let Some(verifier) = fresh.and_then(|(_, verifier)| verifier.upgrade()) {
        return Ok(verifier);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TrustError::NoSystemRoots);
    }
    let verifier = web_pki(roots, provider)?;
    *shared = Some((Instant::now(), Arc::downgrade(&verifier)));
    Ok(verifier)
}

fn web_pki(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, TrustError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|e| TrustError::Certificate(e.to_string()))
}

/// Web PKI first; else the server's certificate may itself be an anchor, which web PKI refuses where it says CA:true, as many devices' and
/// laboratories' self-signed certificates do. Time and name are checked in either case.
#[derive(Debug)]
struct Anchored {
    inner: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    pinned: Vec<CertificateDer<'static>>,
}

impl Anchored {
    fn new(policy: &Policy, provider: &Arc<CryptoProvider>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for anchor in &policy.anchors {
            roots.add(anchor.clone())?;
        }
        Ok(Self { inner: web_pki(roots, provider)?, provider: Arc::clone(provider), pinned: policy.anchors.clone() })
    }

    fn pinned(
        &self,
        end_entity: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        if !self.pinned.iter().any(|anchor| anchor.as_ref() == end_entity.as_ref()) {
            return Err(CertificateError::UnknownIssuer);
        }
        let (_, parsed) = X509Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if seconds < parsed.validity().not_before.timestamp() {
            return Err(CertificateError::NotValidYet);
        }
        if seconds > parsed.validity().not_after.timestamp() {
            return Err(CertificateError::Expired);
        }
        let names =
            rustls::server::ParsedCertificate::try_from(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        rustls::client::verify_server_name(&names, name).map_err(|_| CertificateError::NotValidForName)
    }
}

impl ServerCertVerifier for Anchored {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let first = self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match first {
            Ok(verified) => Ok(verified),
            Err(error) => match self.pinned(end_entity, name, now) {
                Ok(()) => Ok(ServerCertVerified::assertion()),
                // Web PKI's word is the better one where the certificate is no anchor.
                Err(CertificateError::UnknownIssuer) => Err(error),
                Err(pinned) => Err(rustls::Error::InvalidCertificate(pinned)),
            },
        }
    }

    checks_signatures!(self by self.provider);
}

/// Believes every server; the signature over the handshake is still checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    checks_signatures!(self by self.0);
}
