//! The certificate by which a server proves to an ACME authority that a name is its own (RFC 8737 §3).

use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;

use crate::TrustError;
use crate::identity::key_der;
use crate::validity::{self, Kind};

/// A certificate for one connection of the authority: it names `name` and carries the SHA-256 digest of the key authorization. It is no
/// [`Identity`](crate::Identity): nobody but that authority would take a certificate with this critical extension.
///
/// # Errors
/// [`TrustError::Issue`] when `name` is no name.
///
/// # Panics
/// When `digest` does not have 32 bytes.
pub fn acme_challenge(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, TrustError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    validity::set(&mut params, Kind::Server, std::time::SystemTime::now());
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let signing = aws_lc_rs::sign::any_supported_type(&key_der(&key))?;
    Ok(Arc::new(CertifiedKey::new(vec![params.self_signed(&key)?.der().clone()], signing)))
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    #[test]
    fn it_names_one_name_and_carries_the_digest_in_a_critical_extension() {
        let certified = acme_challenge("cloud.example", &[7; 32]).unwrap();
        let (_, parsed) = X509Certificate::from_der(&certified.cert[0]).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        assert_eq!(format!("{:?}", names.value.general_names), "[DNSName(\"cloud.example\")]");
        let extension = parsed.extensions().iter().find(|e| e.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
        assert!(extension.critical);
        assert_eq!(extension.value, [[4, 32].as_slice(), &[7; 32]].concat());
    }
}
