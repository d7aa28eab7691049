//! A private key with the certificates that speak for it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use x509_parser::prelude::{FromDer, X509Certificate};

use crate::validity::{self, Kind};
use crate::{Fingerprint, TrustError};

/// A certificate chain, leaf first, and the leaf's private key. Its `Debug` shows the fingerprint alone.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
    renew_at: SystemTime,
    expires_at: SystemTime,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            certified: Arc::clone(&self.certified),
            fingerprint: self.fingerprint,
            renew_at: self.renew_at,
            expires_at: self.expires_at,
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl Identity {
    /// Puts a chain and its key together.
    ///
    /// # Errors
    /// [`TrustError::KeyMismatch`] when they do not belong together; other variants when either cannot be read.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TrustError> {
        let leaf = chain.first().ok_or_else(|| TrustError::Pem("no certificate in the chain".to_owned()))?;
        let fingerprint = Fingerprint::of(leaf)?;
        let (renew_at, expires_at) = (validity::renew_at(leaf)?, validity::expires_at(leaf)?);
        let signing = aws_lc_rs::sign::any_supported_type(&key)?;
        let certified = CertifiedKey::new(chain.clone(), signing);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(TrustError::KeyMismatch),
        }
        Ok(Self { chain, key, certified: Arc::new(certified), fingerprint, renew_at, expires_at })
    }

    /// Reads PEM texts: a chain, leaf first, and a key (PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// [`TrustError::Pem`] naming what is missing, or as [`Identity::new`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TrustError> {
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|e| TrustError::Pem(format!("no private key in the PEM text: {e}")))?;
        Self::new(certificates(chain)?, key)
    }

    /// Reads the PEM files `chain` and `key`.
    ///
    /// # Errors
    /// [`TrustError::File`] naming the file, or as [`Identity::from_pem`].
    pub fn load(chain: &Path, key: &Path) -> Result<Self, TrustError> {
        Self::from_pem(&read(chain)?, &read(key)?)
    }

    /// A new P-256 key with a certificate it signed itself, fit for either side of TLS and valid for twenty years.
    ///
    /// # Errors
    /// [`TrustError::Issue`] when a name is not one.
    pub fn self_signed(common_name: &str, names: &[String]) -> Result<Self, TrustError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        validity::set(&mut params, Kind::SelfSigned, SystemTime::now());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key)?;
        Self::new(vec![certificate.der().clone()], key_der(&key))
    }

    /// The chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The leaf's public key: SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        let leaf = self.chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
        let (_, leaf) = leaf.expect("an identity has a leaf that was parsed when it was put together");
        leaf.public_key().raw.to_vec()
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// The key as rustls signs with it.
    #[must_use]
    pub fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// The fingerprint of the leaf's key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// When two thirds of the leaf's life are over: from then on it is to be renewed.
    #[must_use]
    pub fn renew_at(&self) -> SystemTime {
        self.renew_at
    }

    /// When the leaf ends.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// Whether it is to be renewed, `now` being the time.
    #[must_use]
    pub fn is_due(&self, now: SystemTime) -> bool {
        now >= self.renew_at
    }

    /// PEM texts of the chain and of the key, for files that only their owner may read.
    #[must_use]
    pub fn to_pem(&self) -> (String, String) {
        let label = match &self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        let chain = self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
        (chain, pem(label, self.key.secret_der()))
    }
}

pub(crate) fn key_der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(key.serialize_der().into())
}

/// DER as text: RFC 7468, 64 characters a line.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Reads every certificate of a PEM text; there is at least one.
///
/// # Errors
/// [`TrustError::Pem`] when there is none or the text is damaged.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|e| TrustError::Pem(format!("the PEM text is damaged: {e}")))?;
    if all.is_empty() {
        return Err(TrustError::Pem("no certificate in the PEM text".to_owned()));
    }
    Ok(all)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    fs::read(path).map_err(|source| TrustError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_and_back_keeps_the_fingerprint() {
        let identity = Identity::self_signed("camera", &[]).unwrap();
        let (chain, key) = identity.to_pem();
        let again = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(again.fingerprint(), identity.fingerprint());
    }

    #[test]
    fn a_foreign_key_is_refused() {
        let (chain, _) = Identity::self_signed("a", &[]).unwrap().to_pem();
        let (_, key) = Identity::self_signed("b", &[]).unwrap().to_pem();
        assert!(matches!(Identity::from_pem(chain.as_bytes(), key.as_bytes()), Err(TrustError::KeyMismatch)));
    }

    #[test]
    fn debug_shows_no_key() {
        let identity = Identity::self_signed("camera", &[]).unwrap();
        let shown = format!("{identity:?}");
        assert_eq!(shown, format!("Identity {{ fingerprint: Fingerprint({}), .. }}", identity.fingerprint()));
    }

    #[test]
    fn damaged_texts_are_named() {
        let (chain, key) = Identity::self_signed("a", &[]).unwrap().to_pem();
        let error = Identity::from_pem(b"nothing", key.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "no certificate in the PEM text");
        let error = Identity::from_pem(chain.as_bytes(), b"nothing").unwrap_err().to_string();
        assert!(error.starts_with("no private key in the PEM text"), "{error}");
    }
}
