//! A certificate as a key store looks at it: whether it can be kept, which key it certifies, who may have issued it (RFC 5280).

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;

/// Longest certificate that is read, in bytes.
pub const MAX_CERTIFICATE: usize = 16 * 1024;

/// Why a certificate cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitCertificate {
    /// It is no certificate.
    #[error("it is not an X.509 certificate in DER: {0}")]
    Unreadable(String),
    /// It is longer than [`MAX_CERTIFICATE`].
    #[error("it is longer than {MAX_CERTIFICATE} bytes")]
    TooLong,
    /// It is of version 1 or 2, which say of nobody what they are for.
    #[error("only version 3 of X.509 is supported")]
    Version,
    /// Its key is of a kind that cannot be used.
    #[error(
        "the public key is of an unsupported kind: RSA from 2048 bits on, P-256, P-384, P-521 and Ed25519 are supported"
    )]
    PublicKey,
    /// It is signed in a way that cannot be checked.
    #[error("the signature algorithm {0} is not supported")]
    Signature(String),
}

/// A certificate that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: CertificateDer<'static>,
    public_key: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
}

/// What certificates may be signed with: RSA with PKCS#1 and PSS, ECDSA, each with SHA-2; Ed25519.
const SIGNATURES: [&str; 8] = [
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.113549.1.1.10",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.2.840.10045.4.3.4",
    "1.3.101.112",
];

impl Certificate {
    /// Reads one certificate. Its validity in time is nobody's business here: clocks of devices stand wrong.
    ///
    /// # Errors
    /// [`UnfitCertificate`].
    pub fn read(der: &[u8]) -> Result<Self, UnfitCertificate> {
        if der.len() > MAX_CERTIFICATE {
            return Err(UnfitCertificate::TooLong);
        }
        let (rest, parsed) =
            X509Certificate::from_der(der).map_err(|error| UnfitCertificate::Unreadable(error.to_string()))?;
        if !rest.is_empty() {
            return Err(UnfitCertificate::Unreadable(format!("{} bytes follow it", rest.len())));
        }
        if parsed.version() != X509Version::V3 {
            return Err(UnfitCertificate::Version);
        }
        check_public_key(&parsed)?;
        let signature = parsed.signature_algorithm.algorithm.to_id_string();
        if !SIGNATURES.contains(&signature.as_str()) {
            return Err(UnfitCertificate::Signature(signature));
        }
        let (mut subject_key_id, mut authority_key_id) = (None, None);
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => subject_key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(authority) => {
                    authority_key_id = authority.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        Ok(Self {
            der: CertificateDer::from(der.to_vec()),
            public_key: parsed.public_key().raw.to_vec(),
            subject: parsed.subject().as_raw().to_vec(),
            issuer: parsed.issuer().as_raw().to_vec(),
            subject_key_id,
            authority_key_id,
        })
    }

    /// The certificate itself.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The key that it certifies: SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether it names itself as its issuer.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether the names, and the key identifiers where both have them, say that this one issued the other. No signature is checked.
    #[must_use]
    pub fn may_have_issued(&self, other: &Self) -> bool {
        let keys_agree = match (&self.subject_key_id, &other.authority_key_id) {
            (Some(own), Some(wanted)) => own == wanted,
            _ => true,
        };
        self.subject == other.issuer && keys_agree
    }
}

fn check_public_key(parsed: &X509Certificate<'_>) -> Result<(), UnfitCertificate> {
    let key = parsed.public_key();
    let supported = match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => (2048..=8192).contains(&rsa.key_size()),
        Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384 | 521 | 528) && has_known_curve(parsed),
        _ => key.algorithm.algorithm.to_id_string() == "1.3.101.112",
    };
    if supported { Ok(()) } else { Err(UnfitCertificate::PublicKey) }
}

fn has_known_curve(parsed: &X509Certificate<'_>) -> bool {
    let curve = parsed.public_key().algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    curve.is_some_and(|oid| {
        ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"].contains(&oid.to_id_string().as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, Identity};

    #[test]
    fn who_may_have_issued_whom() {
        let (authority, other) = (Authority::new("A").unwrap(), Authority::new("A").unwrap());
        let leaf = authority.issue_client("camera").unwrap();
        let read = |der: &CertificateDer<'_>| Certificate::read(der).unwrap();
        let (leaf, authority, other) =
            (read(&leaf.chain()[0]), read(authority.certificate()), read(other.certificate()));
        assert!(authority.may_have_issued(&leaf) && !leaf.may_have_issued(&authority));
        assert!(!other.may_have_issued(&leaf), "the same name and another key");
        assert!(authority.is_self_issued() && !leaf.is_self_issued());
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_a_reason() {
        let identity = Identity::self_signed("camera", &[]).unwrap();
        let der = identity.chain()[0].as_ref();
        let read = Certificate::read(der).unwrap();
        assert_eq!(read.public_key(), identity.public_key());
        let longer = [der, b"more"].concat();
        assert!(Certificate::read(&longer).unwrap_err().to_string().contains("4 bytes follow"));
        for cut in [0, 1, der.len() / 2, der.len() - 1] {
            assert!(matches!(Certificate::read(&der[..cut]), Err(UnfitCertificate::Unreadable(_))), "{cut}");
        }
        assert_eq!(Certificate::read(&vec![0x30; MAX_CERTIFICATE + 1]), Err(UnfitCertificate::TooLong));
        // Version 3 says `02 01 02` right at the start.
        let mut first_version = der.to_vec();
        let place = first_version.windows(3).position(|bytes| bytes == [2, 1, 2]).unwrap();
        first_version[place + 2] = 0;
        assert_eq!(Certificate::read(&first_version), Err(UnfitCertificate::Version));
    }
}
