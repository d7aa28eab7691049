//! Keys, certificates, fingerprints and validation policies, for both halves.
//!
//! Who is who on an uplink (Uplink §5.3): the cloud shows a server certificate that the device checks against a [`Policy`]; the device shows a client
//! certificate and the cloud knows it by the [`Fingerprint`] of its key, which survives a renewal of the certificate. Names in a client certificate are
//! not believed, so the cloud's handshake asks for proof of the key alone ([`AnyClientKey`]) and looks the fingerprint up afterwards.
//!
//! ```
//! use oriel_trust::{Authority, Identity, Policy, Validation, client_config};
//!
//! let authority = Authority::new("Test CA")?;
//! let server = authority.issue_server(&["localhost".to_owned()])?;
//! let device = Identity::self_signed("camera-1", &[])?;
//! let policy = Policy::from_pem(authority.certificate_pem().as_bytes())?;
//! let tls = client_config(&Validation::Policy(policy), Some(&device))?;
//! assert!(tls.alpn_protocols.is_empty(), "the caller names its protocol");
//! assert_eq!(server.chain().len(), 2);
//! # Ok::<(), oriel_trust::TrustError>(())
//! ```

mod authority;
mod certificate;
mod certified;
mod challenge;
mod client;
mod fingerprint;
mod identity;
mod keypair;
mod request;
mod requested;
mod server;
mod signatures;
mod validity;

pub use authority::Authority;
pub use certificate::{Certificate, MAX_CERTIFICATE, UnfitCertificate};
pub use certified::{SubjectPart, anchor_of, check_authority, subject_and_issuer, subject_part, vouches};
pub use challenge::acme_challenge;
pub use client::{Policy, Validation, client_config};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use identity::{Identity, certificates, pem};
pub use keypair::{KeyAlgorithm, KeyPair, SignatureScheme};
pub use request::{CertificationRequest, EXTENSION_REQUEST, Extension, NameValue, Oid, is_one_value};
pub use requested::{MAX_REQUEST, RequestedCertificate};
pub use server::{AnyClientKey, ClientAuth, ReloadingIdentity, server_config};
pub use validity::{expires_at, renew_at};

/// Why a key, certificate or policy cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The PEM text holds no such thing, or is damaged.
    #[error("{0}")]
    Pem(String),
    /// The certificate cannot be parsed.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// The key does not belong to the certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// A certificate cannot be made.
    #[error("the certificate cannot be made: {0}")]
    Issue(#[from] rcgen::Error),
    /// A key cannot be made, read or used.
    #[error("the key cannot be used: {0}")]
    Key(String),
    /// A certification request cannot be made.
    #[error("the certification request cannot be made: {0}")]
    Request(String),
    /// TLS cannot be set up with what was given.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// No root certificate was found where the system keeps them.
    #[error("the system has no root certificates; give a policy with anchors, or install ca-certificates")]
    NoSystemRoots,
}
