//! What the key store remembers: keys, certificates, validation policies (Security §5.2).

use super::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oriel_trust::{KeyAlgorithm, KeyPair, TrustError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Bytes in DER; base64 in the document.
#[derive(Clone, PartialEq, Eq)]
pub struct Der(Arc<[u8]>);

impl Der {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Der {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Der({} bytes)", self.0.len())
    }
}

impl Serialize for Der {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Der {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|_| serde::de::Error::custom("not base64"))?;
        Ok(Self(bytes.into()))
    }
}

/// What is there of a key, and with it the key's status (Security §5.2.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Material {
    /// Nothing yet: it is being made, or will be after a restart.
    Generating {
        /// What kind of key it becomes.
        algorithm: KeyAlgorithm,
    },
    /// Nothing, since it could not be made.
    Corrupt,
    /// Both halves.
    Pair {
        /// SubjectPublicKeyInfo.
        public: Der,
        /// The private key, DER in base64.
        private: Secret,
    },
    /// The public half alone, out of a certificate.
    Public {
        /// SubjectPublicKeyInfo.
        public: Der,
    },
}

impl Material {
    /// Both halves of a pair.
    pub fn pair(pair: &KeyPair) -> Self {
        let private = Secret::new(STANDARD.encode(pair.private_der()));
        Self::Pair { public: pair.public_key().into(), private }
    }

    /// The public half, if there is one.
    pub fn public(&self) -> Option<&[u8]> {
        match self {
            Self::Pair { public, .. } | Self::Public { public } => Some(public.bytes()),
            Self::Generating { .. } | Self::Corrupt => None,
        }
    }

    /// Whether the private half is there.
    pub fn has_private(&self) -> bool {
        matches!(self, Self::Pair { .. })
    }

    /// The pair, if both halves are there.
    ///
    /// # Errors
    /// [`TrustError::Key`] when the private half is missing or damaged.
    pub fn key_pair(&self) -> Result<KeyPair, TrustError> {
        let Self::Pair { private, .. } = self else {
            return Err(TrustError::Key("its private half is not here".to_owned()));
        };
        let damaged = |_| TrustError::Key("it is damaged".to_owned());
        KeyPair::from_der(&STANDARD.decode(private.reveal()).map_err(damaged)?)
    }
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Its `KeyID`; never used again for another one.
    pub id: String,
    /// The name that the client gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The key itself.
    pub material: Material,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateEntry {
    /// Its `CertificateID`; never used again for another one.
    pub id: String,
    /// The name that the client gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The key that it certifies.
    pub key_id: String,
    /// X.509.
    pub content: Der,
}

/// A certification path validation policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// Its `CertPathValidationPolicyID`; never used again for another one.
    pub id: String,
    /// The name that the client gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// What the client said of delta revocation lists; there are no lists here that they could belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_delta_crls: Option<bool>,
    /// The certificates that are believed.
    pub anchors: Vec<String>,
}

/// The key store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keystore {
    /// The keys, in the order in which they were made.
    pub keys: Vec<KeyEntry>,
    /// The certificates, in the order in which they came.
    pub certificates: Vec<CertificateEntry>,
    /// The policies, in the order in which they were made.
    pub policies: Vec<PolicyEntry>,
}
