//! What the security configuration service can do (Security §5.5.7).

use super::{AlgorithmIdentifier, AnyParameters};
use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, List, XmlRead, XmlWrite};

/// Asks what the service can do (§5.5.7.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetServiceCapabilities {}

/// What the service can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetServiceCapabilitiesResponse {
    /// The capabilities.
    pub capabilities: Capabilities,
}

/// What the service can do, port by port.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct Capabilities {
    /// The key store.
    pub keystore_capabilities: KeystoreCapabilities,
    /// The device's TLS server.
    #[xml(name = "TLSServerCapabilities")]
    pub tls_server_capabilities: TLSServerCapabilities,
    /// IEEE 802.1X.
    pub dot1_x_capabilities: Option<Dot1XCapabilities>,
    /// Authorization servers.
    pub authorization_server: Option<AuthorizationServerConfigurationCapabilities>,
    /// Signed media.
    pub media_signing: Option<MediaSigningCapabilities>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What the key store can do (§5.5.7.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct KeystoreCapabilities {
    /// What requests and certificates can be signed with.
    pub signature_algorithms: Vec<AlgorithmIdentifier>,
    /// More.
    #[xml(name = "anyElement")]
    pub any_element: Option<AnyParameters>,
    /// Most keys.
    #[xml(attr)]
    pub maximum_number_of_keys: Option<u32>,
    /// Most certificates.
    #[xml(attr)]
    pub maximum_number_of_certificates: Option<u32>,
    /// Most certification paths.
    #[xml(attr)]
    pub maximum_number_of_certification_paths: Option<u32>,
    /// Certification paths and validation policies can be changed.
    #[xml(attr)]
    pub set_cert_path: Option<bool>,
    /// Makes RSA keys; before `KeyPairGeneration` there was.
    #[xml(attr, name = "RSAKeyPairGeneration")]
    pub rsa_key_pair_generation: Option<bool>,
    /// Makes keys on elliptic curves; before `KeyPairGeneration` there was.
    #[xml(attr, name = "ECCKeyPairGeneration")]
    pub ecc_key_pair_generation: Option<bool>,
    /// What kinds of keys it makes.
    #[xml(attr)]
    pub key_pair_generation: Option<List<String>>,
    /// Lengths of RSA keys.
    #[xml(attr, name = "RSAKeyLengths")]
    pub rsa_key_lengths: Option<List<u32>>,
    /// Curves by their names in TLS.
    #[xml(attr)]
    pub elliptic_curves: Option<List<String>>,
    /// Makes certification requests; before `PKCS10` there was.
    #[xml(attr, name = "PKCS10ExternalCertificationWithRSA")]
    pub pkcs10_external_certification_with_rsa: Option<bool>,
    /// Makes certification requests.
    #[xml(attr, name = "PKCS10")]
    pub pkcs10: Option<bool>,
    /// Signs its own certificates; before `SelfSignedCertificateCreation` there was.
    #[xml(attr, name = "SelfSignedCertificateCreationWithRSA")]
    pub self_signed_certificate_creation_with_rsa: Option<bool>,
    /// Signs its own certificates.
    #[xml(attr)]
    pub self_signed_certificate_creation: Option<bool>,
    /// Versions of X.509.
    #[xml(attr, name = "X509Versions")]
    pub x509_versions: Option<List<i32>>,
    /// Most passphrases.
    #[xml(attr)]
    pub maximum_number_of_passphrases: Option<u32>,
    /// Takes RSA keys; before `PKCS8` there was.
    #[xml(attr, name = "PKCS8RSAKeyPairUpload")]
    pub pkcs8_rsa_key_pair_upload: Option<bool>,
    /// Takes keys.
    #[xml(attr, name = "PKCS8")]
    pub pkcs8: Option<bool>,
    /// Takes certificates with their RSA keys; before `PKCS12` there was.
    #[xml(attr, name = "PKCS12CertificateWithRSAPrivateKeyUpload")]
    pub pkcs12_certificate_with_rsa_private_key_upload: Option<bool>,
    /// Takes certificates with their keys.
    #[xml(attr, name = "PKCS12")]
    pub pkcs12: Option<bool>,
    /// Encryption by passphrase.
    #[xml(attr)]
    pub password_based_encryption_algorithms: Option<List<String>>,
    /// Integrity by passphrase.
    #[xml(attr, name = "PasswordBasedMACAlgorithms")]
    pub password_based_mac_algorithms: Option<List<String>>,
    /// Most revocation lists.
    #[xml(attr, name = "MaximumNumberOfCRLs")]
    pub maximum_number_of_crls: Option<u32>,
    /// Most validation policies.
    #[xml(attr)]
    pub maximum_number_of_certification_path_validation_policies: Option<u32>,
    /// Can insist on certificates that are for TLS clients.
    #[xml(attr, name = "EnforceTLSWebClientAuthExtKeyUsage")]
    pub enforce_tls_web_client_auth_ext_key_usage: Option<bool>,
    /// A key with its private half has one certificate.
    #[xml(attr)]
    pub no_private_key_sharing: Option<bool>,
    /// Attributes beyond the schema: `AutoDeleteKey` is in the text alone.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What the device's TLS server can do (§5.5.7.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct TLSServerCapabilities {
    /// Versions of TLS; none means that there is no server.
    #[xml(attr, name = "TLSServerSupported")]
    pub tls_server_supported: Option<List<String>>,
    /// Versions can be switched.
    #[xml(attr)]
    pub enabled_versions_supported: Option<bool>,
    /// Most certification paths of the server.
    #[xml(attr, name = "MaximumNumberOfTLSCertificationPaths")]
    pub maximum_number_of_tls_certification_paths: Option<u32>,
    /// Clients can authenticate by TLS.
    #[xml(attr, name = "TLSClientAuthSupported")]
    pub tls_client_auth_supported: Option<bool>,
    /// The common name can be the user's.
    #[xml(attr)]
    pub cn_maps_to_user_supported: Option<bool>,
    /// Most validation policies of the server.
    #[xml(attr, name = "MaximumNumberOfTLSCertificationPathValidationPolicies")]
    pub maximum_number_of_tls_certification_path_validation_policies: Option<u32>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What it can do with IEEE 802.1X (§5.5.7.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Dot1XCapabilities {
    /// Most configurations.
    #[xml(attr)]
    pub maximum_number_of_dot1_x_configurations: Option<u32>,
    /// Methods, outer and inner.
    #[xml(attr)]
    pub dot1_x_methods: Option<List<String>>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What it can do with authorization servers (§5.5.7.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct AuthorizationServerConfigurationCapabilities {
    /// Most configurations.
    #[xml(attr)]
    pub max_configurations: Option<i32>,
    /// Kinds of servers.
    #[xml(attr)]
    pub configuration_types_supported: Option<List<String>>,
    /// Ways to authenticate there.
    #[xml(attr)]
    pub client_authentication_methods_supported: Option<List<String>>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What it can do to sign media (§5.5.7.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct MediaSigningCapabilities {
    /// Signs media.
    #[xml(attr)]
    pub media_signing_supported: Option<bool>,
    /// With a key that the user chose.
    #[xml(attr)]
    pub user_media_signing_key_supported: Option<bool>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}
