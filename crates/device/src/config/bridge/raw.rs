//! The configuration file of a bridge as it is written, before anything in it is believed.

use crate::config::raw::RawSecret;
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

/// The file, key by key. `docs/ref/bridge.toml` explains each.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) listen: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) data: Option<PathBuf>,
    pub(super) max_uplinks: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) insecure_uplinks: bool,
    #[serde(default)]
    pub(super) allow_private_addresses: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) allow_private_addresses_by_uplink: Vec<Spanned<String>>,
    pub(super) clock_tolerance_seconds: Option<Spanned<i64>>,
    pub(super) max_body_bytes: Option<Spanned<i64>>,
    pub(super) max_connections: Option<Spanned<i64>>,
    pub(super) bridge: Option<RawBridge>,
    pub(super) discover: Option<RawDiscover>,
    #[serde(default)]
    pub(super) camera: Vec<RawCamera>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBridge {
    #[serde(default)]
    pub(super) camera_pages: bool,
    pub(super) cloud: Option<RawCloud>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCloud {
    pub(super) url: Spanned<String>,
    pub(super) code: Option<Spanned<RawSecret>>,
    pub(super) code_file: Option<Spanned<PathBuf>>,
    pub(super) levels: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) ca: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) insecure: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDiscover {
    #[serde(default)]
    pub(super) interfaces: Vec<Spanned<String>>,
    pub(super) ipv4: Option<Spanned<bool>>,
    pub(super) ipv6: Option<bool>,
    #[serde(default)]
    pub(super) scopes: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) ignore: Vec<Spanned<String>>,
    pub(super) every_seconds: Option<Spanned<i64>>,
    pub(super) most: Option<Spanned<i64>>,
    pub(super) ca: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) insecure: bool,
    #[serde(default)]
    pub(super) account: Vec<RawAccount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCamera {
    pub(super) name: Spanned<String>,
    pub(super) address: Spanned<String>,
    pub(super) endpoint: Option<Spanned<String>>,
    pub(super) quirks: Option<Spanned<String>>,
    pub(super) ca: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) insecure: bool,
    #[serde(default)]
    pub(super) account: Vec<RawAccount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    pub(super) user: Spanned<String>,
    pub(super) password: Option<Spanned<RawSecret>>,
    pub(super) password_file: Option<Spanned<PathBuf>>,
    pub(super) level: Option<Spanned<String>>,
}
