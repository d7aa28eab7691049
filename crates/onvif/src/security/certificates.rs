//! Certificates and requests for them (Security §5.2.6.3).

use super::{AlgorithmIdentifier, AnyParameters, DistinguishedName, X509v3Extension};
use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, Base64, XmlRead, XmlWrite};

/// Asks for a certification request for a key (§5.2.6.3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CreatePKCS10CSR {
    /// Whom the certificate is to name.
    pub subject: DistinguishedName,
    /// The key.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
    /// What else the request is to say.
    #[xml(name = "CSRAttribute")]
    pub csr_attribute: Vec<CSRAttribute>,
    /// What the request is signed with.
    pub signature_algorithm: AlgorithmIdentifier,
}

/// An attribute of a request: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CSRAttribute {
    /// An extension that the certificate is to have.
    #[xml(name = "X509v3Extension")]
    pub x509v3_extension: Option<X509v3Extension>,
    /// Any other attribute of PKCS#10.
    pub basic_request_attribute: Option<BasicRequestAttribute>,
    /// More.
    #[xml(name = "anyAttribute")]
    pub any_attribute: Option<AnyParameters>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// An attribute of PKCS#10 with one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct BasicRequestAttribute {
    /// Its OID in dots.
    #[xml(name = "OID", token)]
    pub oid: String,
    /// Its value in DER.
    #[xml(name = "value")]
    pub value: Base64,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// The certification request.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CreatePKCS10CSRResponse {
    /// PKCS#10 in DER.
    #[xml(name = "PKCS10CSR")]
    pub pkcs10_csr: Base64,
}

/// Stores a certificate (§5.2.6.3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct UploadCertificate {
    /// X.509 in DER.
    pub certificate: Base64,
    /// A name for people.
    pub alias: Option<String>,
    /// A name for the key, should one be made of the public key in the certificate.
    pub key_alias: Option<String>,
    /// Refuse the certificate when its private key is not there; false if not given.
    pub private_key_required: Option<bool>,
}

/// Stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct UploadCertificateResponse {
    /// The certificate's id.
    #[xml(name = "CertificateID", token)]
    pub certificate_id: String,
    /// The id of the key that it certifies.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
}

/// Asks for a certificate (§5.2.6.3.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetCertificate {
    /// Which.
    #[xml(name = "CertificateID", token)]
    pub certificate_id: String,
}

/// A certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetCertificateResponse {
    /// The certificate.
    pub certificate: X509Certificate,
}

/// Asks for all certificates (§5.2.6.3.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetAllCertificates {}

/// All certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetAllCertificatesResponse {
    /// One entry a certificate.
    pub certificate: Vec<X509Certificate>,
}

/// A stored certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct X509Certificate {
    /// Its id.
    #[xml(name = "CertificateID", token)]
    pub certificate_id: String,
    /// The id of the key that it certifies.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
    /// The name that the client gave it.
    pub alias: Option<String>,
    /// X.509 in DER.
    pub certificate_content: Base64,
    /// Whether the private key is there.
    pub has_private_key: Option<bool>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Deletes a certificate that nothing refers to (§5.2.6.3.7).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct DeleteCertificate {
    /// Which.
    #[xml(name = "CertificateID", token)]
    pub certificate_id: String,
}

/// Done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct DeleteCertificateResponse {}
