//! A certificate authority of our own, for clouds that bring no certificate and for tests.

use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SubjectPublicKeyInfo,
};
use rustls_pki_types::CertificateDer;

use crate::identity::{certificates, key_der, pem, read};
use crate::validity::{self, Kind};
use crate::{Identity, RequestedCertificate, TrustError};

/// An issuer of certificates with a P-256 key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority, valid for ten years.
    ///
    /// # Errors
    /// [`TrustError::Issue`] when the name cannot stand in a certificate.
    pub fn new(common_name: &str) -> Result<Self, TrustError> {
        Self::made_at(common_name, SystemTime::now())
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// As [`Authority::new`].
    pub fn made_at(common_name: &str, now: SystemTime) -> Result<Self, TrustError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        validity::set(&mut params, Kind::Authority, now);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Reads the authority that [`Authority::to_pem`] wrote.
    ///
    /// # Errors
    /// [`TrustError::File`], [`TrustError::Pem`] or [`TrustError::Issue`] when the files do not hold one.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TrustError> {
        let key = String::from_utf8(read(key)?).map_err(|_| TrustError::Pem("the key is not PEM text".to_owned()))?;
        Self::of(&read(certificate)?, &key)
    }

    /// The authority that [`Authority::to_pem`] wrote.
    ///
    /// # Errors
    /// [`TrustError::Pem`] or [`TrustError::Issue`] when the texts do not hold one.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, TrustError> {
        Self::of(certificate.as_bytes(), key)
    }

    fn of(certificate: &[u8], key: &str) -> Result<Self, TrustError> {
        let certificate = certificates(certificate)?.remove(0);
        let issuer = Issuer::from_ca_cert_der(&certificate, KeyPair::from_pem(key)?)?;
        Ok(Self { certificate, issuer })
    }

    /// The authority's certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's certificate as PEM text: what a client pins.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// PEM texts of certificate and key.
    #[must_use]
    pub fn to_pem(&self) -> (String, String) {
        (self.certificate_pem(), self.issuer.key().serialize_pem())
    }

    /// A server certificate for `names` (host names and IP addresses) under a new key. It is valid for 397 days;
    /// [`Identity::renew_at`] says when to issue the next.
    ///
    /// # Errors
    /// [`TrustError::Issue`] when a name is not one.
    pub fn issue_server(&self, names: &[String]) -> Result<Identity, TrustError> {
        let common_name = names.first().map_or("server", String::as_str).to_owned();
        self.issue(&common_name, names, Kind::Server)
    }

    /// A client certificate under a new key, valid for ten years.
    ///
    /// # Errors
    /// [`TrustError::Issue`] when the name cannot stand in a certificate.
    pub fn issue_client(&self, common_name: &str) -> Result<Identity, TrustError> {
        self.issue(common_name, &[], Kind::Client)
    }

    /// A client certificate for the key of a request, valid for ten years. The name is the authority's choice: what the request asks for
    /// beside the key is not looked at.
    ///
    /// # Errors
    /// [`TrustError::Issue`] when the name cannot stand in a certificate.
    pub fn certify_client(
        &self,
        request: &RequestedCertificate,
        common_name: &str,
    ) -> Result<CertificateDer<'static>, TrustError> {
        self.certify(request, &params(common_name, &[], Kind::Client)?)
    }

    /// The same, valid within `validity`.
    ///
    /// # Errors
    /// As [`Authority::certify_client`].
    pub fn certify_client_within(
        &self,
        request: &RequestedCertificate,
        common_name: &str,
        validity: Range<SystemTime>,
    ) -> Result<CertificateDer<'static>, TrustError> {
        let mut params = params(common_name, &[], Kind::Client)?;
        (params.not_before, params.not_after) = (validity.start.into(), validity.end.into());
        self.certify(request, &params)
    }

    fn certify(
        &self,
        request: &RequestedCertificate,
        params: &CertificateParams,
    ) -> Result<CertificateDer<'static>, TrustError> {
        let key = SubjectPublicKeyInfo::from_der(request.public_key())?;
        Ok(params.signed_by(&key, &self.issuer)?.der().clone())
    }

    fn issue(&self, name: &str, names: &[String], kind: Kind) -> Result<Identity, TrustError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let certificate = params(name, names, kind)?.signed_by(&key, &self.issuer)?;
        Identity::new(vec![certificate.der().clone(), self.certificate.clone()], key_der(&key))
    }
}

fn params(name: &str, names: &[String], kind: Kind) -> Result<CertificateParams, TrustError> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![match kind {
        Kind::Server => ExtendedKeyUsagePurpose::ServerAuth,
        _ => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    validity::set(&mut params, kind, SystemTime::now());
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
