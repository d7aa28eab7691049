//! What the device remembers: one versioned document with its identity, its users, its uplinks and its key store (Core §8.4, Uplink §6,
//! Security §5.2).

use super::Keystore;
use oriel_soap::Level;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use url::Url;
use uuid::Uuid;

/// The version of the document that this program writes. It reads the older ones too: version 1 had no key store, version 2 nothing
/// of brokers and discovery.
pub const VERSION: u32 = 3;

/// A text that must not be seen: it prints as an ellipsis.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for comparing, and for showing it once to whom it belongs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What an account may be (Core §5.12.2). There is no anonymous account, and extended ones need roles that this device does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// May do everything.
    Administrator,
    /// May read, and act on the running system.
    Operator,
    /// May read what is not sensitive.
    User,
}

impl Role {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "Administrator",
            Self::Operator => "Operator",
            Self::User => "User",
        }
    }
}

impl From<Role> for Level {
    fn from(role: Role) -> Self {
        match role {
            Role::Administrator => Self::Administrator,
            Role::Operator => Self::Operator,
            Role::User => Self::User,
        }
    }
}

/// The text names none of the levels that an account can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the level must be Administrator, Operator or User")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "Administrator" => Ok(Self::Administrator),
            "Operator" => Ok(Self::Operator),
            "User" => Ok(Self::User),
            _ => Err(UnknownRole),
        }
    }
}

/// A user of the device (Core §8.4.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The name, as it is compared: byte by byte.
    pub name: String,
    /// The password itself: a WS-UsernameToken cannot be checked against anything less, so the file is its owner's alone.
    pub password: Secret,
    /// What the user may do on the LAN.
    pub level: Role,
}

/// An uplink as it was set (Uplink §6.1), without what a `Set` ignores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkEntry {
    /// Where to dial, and the key of the entry.
    pub remote_address: String,
    /// The certificate that the device shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// What requests through this uplink may do: the union of these.
    pub user_level: Vec<String>,
    /// How the cloud's certificate is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_path_validation_policy_id: Option<String>,
    /// Whether the entry came in by an uplink: then it may not lead into the local network.
    #[serde(default)]
    pub by_uplink: bool,
}

impl UplinkEntry {
    /// Whether the address means this entry: the scheme's and the host's letter case and an empty path make no other place.
    pub fn is_at(&self, address: &str) -> bool {
        self.remote_address == address
            || matches!((Url::parse(&self.remote_address), Url::parse(address)), (Ok(own), Ok(other)) if own == other)
    }
}

/// How the device shows itself to those who look for it (Core chapter 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiscoveryEntry {
    /// Whether it says Hello and answers.
    pub discoverable: bool,
    /// The scopes that people set; none until they do: those of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Grows with each start that can be discovered.
    pub instance_id: u32,
    /// Grows with each change of what is told.
    pub metadata_version: u32,
    /// A digest of what was told by that version.
    pub told: String,
}

impl Default for DiscoveryEntry {
    fn default() -> Self {
        Self { discoverable: true, scopes: None, instance_id: 0, metadata_version: 0, told: String::new() }
    }
}

/// An event broker as it was set (Core §9.12.1.1), without what a `Set` ignores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerEntry {
    /// Where it is, and the key of the entry.
    pub address: String,
    /// What all topics begin with.
    pub topic_prefix: String,
    /// Who the device is to the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// With what it shows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The certificate that the device shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// How the broker's certificate is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_path_validation_policy_id: Option<String>,
    /// The expressions of its filter, each an element of XML. None: everything.
    #[serde(default)]
    pub publish_filter: Vec<String>,
    /// How surely a message arrives: 0, 1 or 2.
    pub qos: u8,
    /// Whether the entry came in by an uplink: then it may not lead into the local network.
    #[serde(default)]
    pub by_uplink: bool,
}

/// Everything that must survive a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The version of this document.
    pub version: u32,
    /// The device's name for ever (WS-Discovery's endpoint reference).
    pub uuid: Uuid,
    /// The serial number that was made at first start; the configuration can override it.
    pub serial: String,
    /// The users.
    pub users: Vec<Account>,
    /// The uplinks, in the order in which they were set.
    pub uplinks: Vec<UplinkEntry>,
    /// Keys, certificates and validation policies.
    #[serde(default)]
    pub keystore: Keystore,
    /// How it is found.
    #[serde(default)]
    pub discovery: DiscoveryEntry,
    /// States of properties that nobody could find out again after a restart, by topic (Core §8.9.4).
    #[serde(default)]
    pub kept: BTreeMap<String, String>,
    /// The event brokers, in the order in which they were set.
    #[serde(default)]
    pub brokers: Vec<BrokerEntry>,
}
