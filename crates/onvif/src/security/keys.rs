//! Keys and their status (Security §5.2.5, §5.2.6.2).

use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, Duration, XmlRead, XmlWrite};

/// How a key is (§5.2.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum KeyStatus {
    /// It can be used.
    #[default]
    #[xml(name = "ok")]
    Ok,
    /// It is being made.
    #[xml(name = "generating")]
    Generating,
    /// It must not be used.
    #[xml(name = "corrupt")]
    Corrupt,
    /// One that the schema does not list.
    #[xml(other)]
    Other(String),
}

/// Makes an RSA key pair (§5.2.6.2.1). The answer comes before the key is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CreateRSAKeyPair {
    /// Bits of the modulus.
    pub key_length: u32,
    /// A name for people.
    pub alias: Option<String>,
}

/// The key that is being made.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CreateRSAKeyPairResponse {
    /// Its id.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
    /// How long it will take, as far as anybody knows.
    pub estimated_creation_time: Duration,
}

/// Makes a key pair on an elliptic curve (§5.2.6.2.2). The answer comes before the key is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CreateECCKeyPair {
    /// The curve's name among the TLS supported groups of IANA, such as `secp256r1`.
    #[xml(token)]
    pub elliptic_curve: String,
    /// A name for people.
    pub alias: Option<String>,
}

/// The key that is being made.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct CreateECCKeyPairResponse {
    /// Its id.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
    /// How long it will take, as far as anybody knows.
    pub estimated_creation_time: Duration,
}

/// Asks how a key is (§5.2.6.2.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetKeyStatus {
    /// Which key.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
}

/// How a key is.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetKeyStatusResponse {
    /// How it is.
    pub key_status: KeyStatus,
}

/// Asks whether a key has its private half (§5.2.6.2.4); deprecated, `GetAllKeys` says it too.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetPrivateKeyStatus {
    /// Which key.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
}

/// Whether a key has its private half.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetPrivateKeyStatusResponse {
    /// It has.
    #[xml(name = "hasPrivateKey")]
    pub has_private_key: bool,
}

/// Asks for all keys (§5.2.6.2.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetAllKeys {}

/// All keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct GetAllKeysResponse {
    /// One entry a key.
    pub key_attribute: Vec<KeyAttribute>,
}

/// What is known about a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct KeyAttribute {
    /// Its id.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
    /// The name that the client gave it.
    pub alias: Option<String>,
    /// Whether the private half is there.
    #[xml(name = "hasPrivateKey")]
    pub has_private_key: Option<bool>,
    /// How it is.
    pub key_status: KeyStatus,
    /// Whether it was made elsewhere.
    #[xml(name = "externallyGenerated")]
    pub externally_generated: Option<bool>,
    /// Whether it is kept in a protected component.
    #[xml(name = "securelyStored")]
    pub securely_stored: Option<bool>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Deletes a key that nothing refers to (§5.2.6.2.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct DeleteKey {
    /// Which key.
    #[xml(name = "KeyID", token)]
    pub key_id: String,
}

/// Done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct DeleteKeyResponse {}
