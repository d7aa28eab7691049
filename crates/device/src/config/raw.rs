//! The configuration file as it is written, before anything in it is believed.

use super::sources::RawEvents;
use crate::store::Secret;
use serde::{Deserialize, Deserializer};
use std::path::PathBuf;
use toml::Spanned;

/// The file, key by key. `docs/ref/device.toml` explains each.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) listen: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) data: Option<PathBuf>,
    pub(super) manufacturer: Option<Spanned<String>>,
    pub(super) model: Option<Spanned<String>>,
    pub(super) firmware: Option<Spanned<String>>,
    pub(super) serial: Option<Spanned<String>>,
    pub(super) hardware: Option<Spanned<String>>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) location: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) discovery: RawDiscovery,
    pub(super) max_uplinks: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) insecure_uplinks: bool,
    pub(super) max_event_brokers: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) insecure_event_brokers: bool,
    pub(super) consumer_policy: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allow_private_addresses: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) allow_private_addresses_by_uplink: Vec<Spanned<String>>,
    pub(super) clock_tolerance_seconds: Option<Spanned<i64>>,
    pub(super) max_body_bytes: Option<Spanned<i64>>,
    pub(super) max_connections: Option<Spanned<i64>>,
    pub(super) events: Option<RawEvents>,
    #[serde(default)]
    pub(super) user: Vec<RawUser>,
    #[serde(default)]
    pub(super) certificate: Vec<RawCertificate>,
    #[serde(default)]
    pub(super) policy: Vec<RawPolicy>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDiscovery {
    pub(super) enabled: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) interfaces: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUser {
    pub(super) name: Spanned<String>,
    pub(super) password: Spanned<RawSecret>,
    pub(super) level: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCertificate {
    pub(super) id: Spanned<String>,
    pub(super) chain: Spanned<PathBuf>,
    pub(super) key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub(super) id: Spanned<String>,
    pub(super) anchors: Spanned<PathBuf>,
}

/// A secret whose type error does not quote it.
pub(super) struct RawSecret(pub(super) Secret);

impl<'de> Deserialize<'de> for RawSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(Secret::new(text))),
            _ => Err(serde::de::Error::custom("put the password in quotes")),
        }
    }
}
