//! The configuration of the device: the file as written ([`raw`](self)) and what was checked ([`Config`]) are two types.

#[cfg(feature = "bridge")]
mod bridge;
mod check;
mod network;
mod raw;
mod sources;

pub use crate::monitoring::Machine;
#[cfg(feature = "bridge")]
pub use bridge::{BridgeCloud, BridgeConfig, Discover, MOST_CAMERAS};
pub use ipnet::IpNet;
pub use network::CallOut;
pub use sources::Sources;
pub(crate) use sources::can_be_told;

use crate::store::Account;
use oriel_onvif::discovery::PORT;
use oriel_trust::{Identity, Policy};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The `CertificateID` of the certificate that the device makes for itself at first start.
pub const DEVICE_CERTIFICATE: &str = "device";

/// What GetDeviceInformation and GetScopes tell (Core §8.3, §7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Information {
    /// Who made the device.
    pub manufacturer: String,
    /// What it is called in the shop.
    pub model: String,
    /// The version of what runs on it.
    pub firmware_version: String,
    /// The serial number; without one the device makes its own at first start.
    pub serial_number: Option<String>,
    /// The version of the hardware.
    pub hardware_id: String,
    /// The name people give to it.
    pub name: String,
    /// Where it stands.
    pub location: Option<String>,
}

impl Default for Information {
    fn default() -> Self {
        Self {
            manufacturer: "Oriel".to_owned(),
            model: "Oriel Device".to_owned(),
            firmware_version: env!("CARGO_PKG_VERSION").to_owned(),
            serial_number: None,
            hardware_id: std::env::consts::ARCH.to_owned(),
            name: "Oriel".to_owned(),
            location: None,
        }
    }
}

/// How the device is found by WS-Discovery (Core chapter 7).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryConfig {
    /// Whether it can be; unless it is said: when the device listens on another address than loopback, or interfaces are named.
    pub enabled: Option<bool>,
    /// Names of interfaces; none: every one that is up and can multicast, but for loopback.
    pub interfaces: Vec<String>,
    /// The port; another than 3702 is for tests.
    pub port: u16,
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self { enabled: None, interfaces: Vec::new(), port: PORT }
    }
}

impl DiscoveryConfig {
    /// Whether a device with these listeners can be found.
    pub(crate) fn speaks(&self, listen: &[SocketAddr]) -> bool {
        let reached = || !self.interfaces.is_empty() || listen.iter().any(|address| !address.ip().is_loopback());
        cfg!(feature = "discovery") && self.enabled.unwrap_or_else(reached)
    }
}

/// A checked configuration: what is in it can be used as it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the LAN reaches the device. Port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// The folder that the device keeps everything in.
    pub data: PathBuf,
    /// Who the device is.
    pub information: Information,
    /// How it is found.
    pub discovery: DiscoveryConfig,
    /// The accounts at first start. Later ones come and go by CreateUsers and DeleteUsers alone.
    pub users: Vec<Account>,
    /// Certificates with their keys, by `CertificateID`. The device's own one, `device`, comes on top.
    pub certificates: BTreeMap<String, Identity>,
    /// Validation policies, by `CertPathValidationPolicyID`.
    pub policies: BTreeMap<String, Policy>,
    /// What may be dialled beside the public internet.
    pub call_out: CallOut,
    /// Uplinks without a policy believe any server: for laboratories only.
    pub insecure_uplinks: bool,
    /// How many uplinks can be set.
    pub max_uplinks: usize,
    /// How many event brokers can be set.
    pub max_event_brokers: usize,
    /// Event brokers without a policy are believed whatever they show.
    pub insecure_event_brokers: bool,
    /// The policy by which consumers with https are checked; without it by the system's roots.
    pub consumer_policy: Option<String>,
    /// How far the `Created` of a UsernameToken may be from our clock.
    pub clock_tolerance: Duration,
    /// The largest request body in bytes.
    pub max_body: usize,
    /// How many LAN connections there may be at once.
    pub max_connections: usize,
    /// Where events come from.
    pub sources: Sources,
    /// Makes a request's span part of the trace that its headers name: what the program gives when it sends traces. Asked for tunnels alone.
    pub join_trace: Option<JoinTrace>,
}

/// Makes a span part of the trace that headers name (W3C Trace Context).
pub type JoinTrace = fn(&tracing::Span, &http::HeaderMap);

impl Config {
    /// The defaults, on a data folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: vec![(Ipv4Addr::LOCALHOST, 8080).into()],
            data: data.into(),
            information: Information::default(),
            discovery: DiscoveryConfig::default(),
            users: Vec::new(),
            certificates: BTreeMap::new(),
            policies: BTreeMap::new(),
            call_out: CallOut::default(),
            insecure_uplinks: false,
            max_uplinks: 8,
            max_event_brokers: 4,
            insecure_event_brokers: false,
            consumer_policy: None,
            clock_tolerance: Duration::from_secs(300),
            max_body: 256 * 1024,
            max_connections: 192,
            sources: Sources::default(),
            join_trace: None,
        }
    }

    /// Reads and checks a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line, the key and what to do.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|error| ConfigError { file: Some(file.to_owned()), ..error })
    }

    /// Checks the text of a configuration file, whose paths are relative to `folder`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        check::parse(text, folder)
    }
}

fn read(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file).map_err(|error| ConfigError {
        file: Some(file.to_owned()),
        line: None,
        key: None,
        problem: format!("the file cannot be read: {error}"),
    })
}

/// What is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, when there is one.
    pub file: Option<PathBuf>,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The key.
    pub key: Option<String>,
    /// What is wrong with it, and what to do.
    pub problem: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.problem)
    }
}

#[cfg(test)]
mod tests;
