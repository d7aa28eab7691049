//! Certification path validation policies: whom the device believes (Security §4.3, §5.2.6.5).

use super::AnyParameters;
use crate::ns;
use oriel_soap::xml::{Any, XmlRead, XmlWrite};

/// Makes a policy (§5.2.6.5.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CreateCertPathValidationPolicy {
    /// A name for people.
    pub alias: Option<String>,
    /// How paths are validated.
    pub parameters: CertPathValidationParameters,
    /// Where paths may end.
    pub trust_anchor: Vec<TrustAnchor>,
    /// More.
    #[xml(name = "anyParameters")]
    pub any_parameters: Option<AnyParameters>,
}

/// The policy was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CreateCertPathValidationPolicyResponse {
    /// Its id.
    #[xml(name = "CertPathValidationPolicyID", token)]
    pub cert_path_validation_policy_id: String,
}

/// How certification paths are validated (§4.3.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CertPathValidationParameters {
    /// A TLS client's certificate has to say that it is for TLS clients; false if not given.
    #[xml(name = "RequireTLSWWWClientAuthExtendedKeyUsage")]
    pub require_tls_www_client_auth_extended_key_usage: Option<bool>,
    /// Delta revocation lists count; false if not given.
    #[xml(name = "UseDeltaCRLs")]
    pub use_delta_crls: Option<bool>,
    /// More.
    #[xml(name = "anyParameters")]
    pub any_parameters: Option<AnyParameters>,
}

/// A certificate that is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct TrustAnchor {
    /// Its id in the key store.
    #[xml(name = "CertificateID", token)]
    pub certificate_id: String,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// A stored policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CertPathValidationPolicy {
    /// Its id.
    #[xml(name = "CertPathValidationPolicyID", token)]
    pub cert_path_validation_policy_id: String,
    /// The name that the client gave it.
    pub alias: Option<String>,
    /// How paths are validated.
    pub parameters: CertPathValidationParameters,
    /// Where paths may end.
    pub trust_anchor: Vec<TrustAnchor>,
    /// More.
    #[xml(name = "anyParameters")]
    pub any_parameters: Option<AnyParameters>,
}

/// Asks for a policy (§5.2.6.5.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetCertPathValidationPolicy {
    /// Which.
    #[xml(name = "CertPathValidationPolicyID", token)]
    pub cert_path_validation_policy_id: String,
}

/// A policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetCertPathValidationPolicyResponse {
    /// The policy.
    pub cert_path_validation_policy: CertPathValidationPolicy,
}

/// Asks for all policies (§5.2.6.5.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetAllCertPathValidationPolicies {}

/// All policies.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetAllCertPathValidationPoliciesResponse {
    /// One entry a policy.
    pub cert_path_validation_policy: Vec<CertPathValidationPolicy>,
}

/// Deletes a policy that nothing refers to (§5.2.6.5.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct DeleteCertPathValidationPolicy {
    /// Which.
    #[xml(name = "CertPathValidationPolicyID", token)]
    pub cert_path_validation_policy_id: String,
}

/// Done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct DeleteCertPathValidationPolicyResponse {}
