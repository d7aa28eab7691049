//! The security configuration service, in its WSDL "advanced security": the key store with keys, certificates and validation policies
//! (Security chapter 5).

pub mod capabilities;
pub mod certificates;
pub mod keys;
pub mod names;
pub mod policies;

pub use capabilities::*;
pub use certificates::*;
pub use keys::*;
pub use names::*;
pub use policies::*;

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of all ports of the service.
    ns::TAS =>
    // §5.2.6.1 passphrases
    UploadPassphrase WriteSystem;
    GetAllPassphrases ReadSystemSecret;
    DeletePassphrase Unrecoverable;
    // §5.2.6.2 keys
    CreateRSAKeyPair WriteSystem -> CreateRSAKeyPairResponse,
    CreateECCKeyPair WriteSystem -> CreateECCKeyPairResponse,
    GetKeyStatus ReadSystemSecret -> GetKeyStatusResponse,
    GetPrivateKeyStatus ReadSystemSecret -> GetPrivateKeyStatusResponse,
    GetAllKeys ReadSystemSecret -> GetAllKeysResponse,
    DeleteKey Unrecoverable -> DeleteKeyResponse,
    // §5.2.6.3 certificates and certification paths
    CreatePKCS10CSR ReadSystem -> CreatePKCS10CSRResponse,
    CreateSelfSignedCertificate WriteSystem;
    UploadCertificate WriteSystem -> UploadCertificateResponse,
    UploadCertificateWithPrivateKeyInPKCS12 WriteSystem;
    GetCertificate ReadSystemSecret -> GetCertificateResponse,
    GetAllCertificates ReadSystemSecret -> GetAllCertificatesResponse,
    DeleteCertificate Unrecoverable -> DeleteCertificateResponse,
    CreateCertificationPath WriteSystem;
    GetCertificationPath ReadSystemSecret;
    GetAllCertificationPaths ReadSystemSecret;
    SetCertificationPath WriteSystem;
    DeleteCertificationPath Unrecoverable;
    // §5.2.6.4 revocation lists
    UploadCRL WriteSystem;
    GetCRL ReadSystemSecret;
    GetAllCRLs ReadSystemSecret;
    DeleteCRL Unrecoverable;
    // §5.2.6.5 certification path validation policies
    CreateCertPathValidationPolicy WriteSystem -> CreateCertPathValidationPolicyResponse,
    GetCertPathValidationPolicy ReadSystemSecret -> GetCertPathValidationPolicyResponse,
    GetAllCertPathValidationPolicies ReadSystemSecret -> GetAllCertPathValidationPoliciesResponse,
    SetCertPathValidationPolicy WriteSystem;
    DeleteCertPathValidationPolicy Unrecoverable -> DeleteCertPathValidationPolicyResponse,
    // §5.3 TLS server
    AddServerCertificateAssignment WriteSystem;
    RemoveServerCertificateAssignment WriteSystem;
    ReplaceServerCertificateAssignment WriteSystem;
    GetAssignedServerCertificates ReadSystemSecret;
    SetClientAuthenticationRequired WriteSystem;
    GetClientAuthenticationRequired ReadSystem;
    SetCnMapsToUser WriteSystem;
    GetCnMapsToUser ReadSystem;
    AddCertPathValidationPolicyAssignment WriteSystem;
    RemoveCertPathValidationPolicyAssignment WriteSystem;
    ReplaceCertPathValidationPolicyAssignment WriteSystem;
    GetAssignedCertPathValidationPolicies ReadSystemSecret;
    SetEnabledTLSVersions WriteSystem;
    GetEnabledTLSVersions ReadSystem;
    // §5.4 IEEE 802.1X
    AddDot1XConfiguration WriteSystem;
    GetAllDot1XConfigurations ReadSystemSecret;
    GetDot1XConfiguration ReadSystemSecret;
    DeleteDot1XConfiguration Unrecoverable;
    SetNetworkInterfaceDot1XConfiguration WriteSystem;
    GetNetworkInterfaceDot1XConfiguration ReadSystemSecret;
    DeleteNetworkInterfaceDot1XConfiguration WriteSystem;
    // §5.5 media signing, authorization servers, JWT, capabilities
    AddMediaSigningCertificateAssignment WriteSystem;
    RemoveMediaSigningCertificateAssignment WriteSystem;
    GetAssignedMediaSigningCertificates ReadSystemSecret;
    GetAuthorizationServerConfigurations ReadSystemSecret;
    CreateAuthorizationServerConfiguration WriteSystem;
    SetAuthorizationServerConfiguration WriteSystem;
    DeleteAuthorizationServerConfiguration WriteSystem;
    GetJWTConfiguration ReadSystemSecret;
    // The text says WRITE_SYSTEM_SECRET, which Core §5.9.4.3 has not; both are for administrators.
    SetJWTConfiguration WriteSystem;
    GetServiceCapabilities PreAuth -> GetServiceCapabilitiesResponse,
    // In the WSDL, no more in the text: the class of UploadCertificateWithPrivateKeyInPKCS12.
    UploadKeyPairInPKCS8 WriteSystem;
}
