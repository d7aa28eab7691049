//! Key pairs that a key store makes and keeps: which kinds there are, how they are made, what they sign with (ONVIF Security baseline).

use std::fmt;

use rcgen::{PublicKeyData, RsaKeySize, SignatureAlgorithm, SigningKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::identity::key_der;
use crate::{Fingerprint, Identity, TrustError};

/// A kind of key pair that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// NIST P-256, `secp256r1`.
    P256,
    /// NIST P-384, `secp384r1`.
    P384,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
}

impl KeyAlgorithm {
    /// All of them, the quickest to make first.
    pub const ALL: [Self; 5] = [Self::P256, Self::P384, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The curve's name in TLS (IANA, TLS supported groups), when it is one.
    #[must_use]
    pub const fn curve(self) -> Option<&'static str> {
        match self {
            Self::P256 => Some("secp256r1"),
            Self::P384 => Some("secp384r1"),
            _ => None,
        }
    }

    /// The bits of the modulus, when it has one.
    #[must_use]
    pub const fn modulus(self) -> Option<u32> {
        match self {
            Self::Rsa2048 => Some(2048),
            Self::Rsa3072 => Some(3072),
            Self::Rsa4096 => Some(4096),
            _ => None,
        }
    }
}

/// How something is signed (RFC 5758, RFC 4055).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// ecdsa-with-SHA256, by a key on P-256.
    EcdsaSha256,
    /// ecdsa-with-SHA384, by a key on P-384.
    EcdsaSha384,
    /// sha256WithRSAEncryption.
    RsaSha256,
    /// sha384WithRSAEncryption.
    RsaSha384,
    /// sha512WithRSAEncryption.
    RsaSha512,
}

impl SignatureScheme {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::EcdsaSha256, Self::EcdsaSha384, Self::RsaSha256, Self::RsaSha384, Self::RsaSha512];

    /// Its object identifier in dots.
    #[must_use]
    pub const fn oid(self) -> &'static str {
        match self {
            Self::EcdsaSha256 => "1.2.840.10045.4.3.2",
            Self::EcdsaSha384 => "1.2.840.10045.4.3.3",
            Self::RsaSha256 => "1.2.840.113549.1.1.11",
            Self::RsaSha384 => "1.2.840.113549.1.1.12",
            Self::RsaSha512 => "1.2.840.113549.1.1.13",
        }
    }

    /// Whether its algorithm identifier has the parameter NULL, or none.
    #[must_use]
    pub const fn has_null(self) -> bool {
        matches!(self, Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512)
    }

    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::EcdsaSha256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::EcdsaSha384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::RsaSha256 => &rcgen::PKCS_RSA_SHA256,
            Self::RsaSha384 => &rcgen::PKCS_RSA_SHA384,
            Self::RsaSha512 => &rcgen::PKCS_RSA_SHA512,
        }
    }
}

/// A private key and its public key. Its `Debug` shows the fingerprint alone.
pub struct KeyPair {
    private: PrivateKeyDer<'static>,
    public: Vec<u8>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("fingerprint", &Fingerprint::of_key(&self.public)).finish_non_exhaustive()
    }
}

impl KeyPair {
    /// Makes a key pair. RSA takes from a tenth of a second to many: not for a thread that others wait for.
    ///
    /// # Errors
    /// [`TrustError::Key`] when the system gives no random numbers.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, TrustError> {
        let rsa = |size| rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        let key = match algorithm {
            KeyAlgorithm::P256 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyAlgorithm::P384 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyAlgorithm::Rsa2048 => rsa(RsaKeySize::_2048),
            KeyAlgorithm::Rsa3072 => rsa(RsaKeySize::_3072),
            KeyAlgorithm::Rsa4096 => rsa(RsaKeySize::_4096),
        };
        let key = key.map_err(|error| TrustError::Key(error.to_string()))?;
        Ok(Self { public: key.subject_public_key_info(), private: key_der(&key) })
    }

    /// Reads a private key in DER: PKCS#8, PKCS#1 or SEC1.
    ///
    /// # Errors
    /// [`TrustError::Key`], which never quotes the key.
    pub fn from_der(private: &[u8]) -> Result<Self, TrustError> {
        let unread = || TrustError::Key("it is damaged or of an unknown kind".to_owned());
        let private = PrivateKeyDer::try_from(private).map_err(|_| unread())?.clone_key();
        let key = rcgen::KeyPair::try_from(&private).map_err(|_| unread())?;
        Ok(Self { public: key.subject_public_key_info(), private })
    }

    /// The public key: SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// The private key in DER, for a file that only its owner may read.
    #[must_use]
    pub fn private_der(&self) -> &[u8] {
        self.private.secret_der()
    }

    /// Whether this key can sign so.
    #[must_use]
    pub fn signs_with(&self, scheme: SignatureScheme) -> bool {
        rcgen::KeyPair::from_der_and_sign_algo(&self.private, scheme.algorithm()).is_ok()
    }

    /// Signs.
    ///
    /// # Errors
    /// [`TrustError::Key`] when the key cannot sign so.
    pub fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, TrustError> {
        let unfit = |error: rcgen::Error| TrustError::Key(error.to_string());
        let key = rcgen::KeyPair::from_der_and_sign_algo(&self.private, scheme.algorithm()).map_err(unfit)?;
        key.sign(message).map_err(unfit)
    }

    /// The key with certificates that speak for it, leaf first.
    ///
    /// # Errors
    /// As [`Identity::new`].
    pub fn identity(&self, chain: Vec<CertificateDer<'static>>) -> Result<Identity, TrustError> {
        Identity::new(chain, self.private.clone_key())
    }
}

impl From<&Identity> for KeyPair {
    fn from(identity: &Identity) -> Self {
        Self { private: identity.key().clone_key(), public: identity.public_key() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_survives_its_own_der_and_signs_as_its_kind_does() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048] {
            let pair = KeyPair::generate(algorithm).unwrap();
            let again = KeyPair::from_der(pair.private_der()).unwrap();
            assert_eq!(again.public_key(), pair.public_key(), "{algorithm:?}");
            for scheme in SignatureScheme::ALL {
                let fits = match scheme {
                    SignatureScheme::EcdsaSha256 => algorithm == KeyAlgorithm::P256,
                    SignatureScheme::EcdsaSha384 => algorithm == KeyAlgorithm::P384,
                    _ => algorithm.modulus().is_some(),
                };
                assert_eq!(again.signs_with(scheme), fits, "{algorithm:?} {scheme:?}");
                assert_eq!(again.sign(scheme, b"text").is_ok(), fits, "{algorithm:?} {scheme:?}");
            }
        }
    }

    #[test]
    fn damaged_keys_are_refused_and_nothing_prints_one() {
        let pair = KeyPair::generate(KeyAlgorithm::P256).unwrap();
        let mut damaged = pair.private_der().to_vec();
        let middle = damaged.len() / 2;
        damaged.truncate(middle);
        for der in [&damaged[..], b"", b"\x30\x03\x02\x01\x00"] {
            assert!(matches!(KeyPair::from_der(der), Err(TrustError::Key(_))));
        }
        assert_eq!(
            format!("{pair:?}"),
            format!("KeyPair {{ fingerprint: {:?}, .. }}", Fingerprint::of_key(pair.public_key()))
        );
    }
}
