//! A certification request as an authority reads it (RFC 2986): whose key it is, and what it asks for. The authority decides what it grants.

use rcgen::SubjectPublicKeyInfo;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509CertificationRequest};
use x509_parser::public_key::PublicKey;

use crate::{Fingerprint, TrustError};

/// Longest request that is read, in bytes.
pub const MAX_REQUEST: usize = 16 * 1024;

/// A request whose signature proves that whoever made it has the private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedCertificate {
    public_key: Vec<u8>,
    common_names: Vec<String>,
    subject: String,
    wants_authority: bool,
}

impl RequestedCertificate {
    /// Reads a request in DER and checks its signature.
    ///
    /// # Errors
    /// [`TrustError::Request`] saying what is wrong with it.
    pub fn read(der: &[u8]) -> Result<Self, TrustError> {
        let refused = |why: &str| TrustError::Request(why.to_owned());
        if der.len() > MAX_REQUEST {
            return Err(TrustError::Request(format!("it is longer than {MAX_REQUEST} bytes")));
        }
        let Ok(([], request)) = X509CertificationRequest::from_der(der) else {
            return Err(refused("it is not PKCS#10 in DER"));
        };
        request.verify_signature().map_err(|_| refused("its signature is not that of its key"))?;
        let information = &request.certification_request_info;
        let public_key = information.subject_pki.raw.to_vec();
        SubjectPublicKeyInfo::from_der(&public_key).map_err(|_| refused("keys of this kind are not certified"))?;
        if let Ok(PublicKey::RSA(key)) = information.subject_pki.parsed()
            && key.key_size() < 2048
        {
            return Err(refused("its RSA key has less than 2048 bits"));
        }
        let asks = |extension: &ParsedExtension<'_>| match extension {
            ParsedExtension::BasicConstraints(constraints) => constraints.ca,
            ParsedExtension::KeyUsage(usage) => usage.key_cert_sign() || usage.crl_sign(),
            _ => false,
        };
        let common_names = information.subject.iter_common_name().filter_map(|name| name.as_str().ok());
        Ok(Self {
            common_names: common_names.map(str::to_owned).collect(),
            subject: information.subject.to_string(),
            wants_authority: request.requested_extensions().is_some_and(|mut all| all.any(asks)),
            public_key,
        })
    }

    /// The key: SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The key's fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_key(&self.public_key)
    }

    /// The common names in the subject.
    #[must_use]
    pub fn common_names(&self) -> &[String] {
        &self.common_names
    }

    /// The subject for people to read.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether it asks to become an authority itself.
    #[must_use]
    pub fn wants_authority(&self) -> bool {
        self.wants_authority
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Authority, Certificate, CertificationRequest, Extension, KeyAlgorithm, KeyPair, NameValue, Oid, SignatureScheme,
    };

    fn request(extensions: Vec<Extension>) -> (KeyPair, Vec<u8>) {
        let key = KeyPair::generate(KeyAlgorithm::P256).unwrap();
        let subject = vec![vec![
            (Oid::parse("2.5.4.3").unwrap(), NameValue::Utf8("somebody else".to_owned())),
            (Oid::parse("2.5.4.5").unwrap(), NameValue::Printable("7".to_owned())),
        ]];
        let request = CertificationRequest { subject, extensions, ..CertificationRequest::default() };
        let der = request.sign(&key, SignatureScheme::EcdsaSha256).unwrap();
        (key, der)
    }

    #[test]
    fn the_authority_certifies_the_key_and_nothing_else_of_a_request() {
        let (key, der) = request(Vec::new());
        let read = RequestedCertificate::read(&der).unwrap();
        assert_eq!(read.common_names(), ["somebody else"]);
        assert!(!read.wants_authority());
        let authority = Authority::new("Devices").unwrap();
        let issued = authority.certify_client(&read, "camera-1").unwrap();
        let certificate = Certificate::read(&issued).unwrap();
        assert_eq!(certificate.public_key(), key.public_key());
        assert!(Certificate::read(authority.certificate()).unwrap().may_have_issued(&certificate));
        let (_, parsed) = x509_parser::prelude::X509Certificate::from_der(&issued).unwrap();
        assert_eq!(parsed.subject().to_string(), "CN=camera-1");
        assert!(!parsed.is_ca());
        let usage = parsed.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
    }

    #[test]
    fn whoever_wants_to_be_an_authority_is_told_apart() {
        // SEQUENCE { BOOLEAN TRUE }; a key usage with keyCertSign.
        for (oid, value) in [("2.5.29.19", &[0x30, 3, 1, 1, 0xff][..]), ("2.5.29.15", &[3, 2, 2, 4])] {
            let extension = Extension { oid: Oid::parse(oid).unwrap(), critical: true, value: value.to_vec() };
            assert!(RequestedCertificate::read(&request(vec![extension]).1).unwrap().wants_authority(), "{oid}");
        }
    }

    #[test]
    fn no_wrong_byte_does_more_than_be_refused() {
        let extension =
            Extension { oid: Oid::parse("2.5.29.19").unwrap(), critical: true, value: vec![0x30, 3, 1, 1, 0xff] };
        let (_, request) = request(vec![extension]);
        let certificate = Authority::new("Devices").unwrap().certificate().to_vec();
        for (good, is_request) in [(request, true), (certificate, false)] {
            for place in 0..good.len() {
                for value in [0, 0x7f, 0x80, 0x84, 0xff, good[place] ^ 1] {
                    let mut bad = good.clone();
                    bad[place] = value;
                    // What is signed cannot be changed unseen; of a certificate only the form is looked at.
                    if let (true, Ok(taken)) = (is_request, RequestedCertificate::read(&bad)) {
                        assert_eq!(taken, RequestedCertificate::read(&good).unwrap(), "byte {place} as {value:#x}");
                    }
                    let _ = Certificate::read(&bad);
                }
            }
        }
    }

    #[test]
    fn a_request_that_proves_no_key_is_refused() {
        let (_, der) = request(Vec::new());
        let mut forged = der.clone();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        for bad in [&forged[..], &der[..last], &[&der[..], b"x"].concat(), b"", &vec![0x30; MAX_REQUEST + 1]] {
            assert!(matches!(RequestedCertificate::read(bad), Err(TrustError::Request(_))));
        }
    }
}
