//! Configuration of the cloud half: [`Raw`] is the file, [`Config`] is what was checked. `docs/ref/cloud.toml` explains each key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use oriel_trust::TrustError;

mod gateway;
mod raw;

use crate::records::{FeedBounds, OrganisationLimits};
use crate::request::Propagation;

pub use raw::{Raw, RawAcme, RawFeed, RawLimits, RawMetrics, RawOrganisation, RawTls, RawTraces};

/// What the cloud half runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the one TLS port listens. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The folder that holds records and, without `tls`, the cloud's own authority and certificate.
    pub data: PathBuf,
    /// The store by URL (`postgres://…`); without it SQLite in `data`.
    pub database: Option<String>,
    /// Host names and addresses of the cloud's own certificate.
    pub names: Vec<String>,
    /// The domain below which each device has a host name of its own, in lower case; without it devices are reached below `/d/` alone.
    pub domain: Option<String>,
    /// Whether administrators may open cameras' own web pages.
    pub camera_pages: bool,
    /// Certificate chain and key, PEM files; without them the cloud makes an authority of its own in `data`.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The authority that issues the certificate, if one does; not together with `tls`.
    pub acme: Option<AcmeConfig>,
    /// Peers that begin each connection with a PROXY protocol header, and nobody else.
    pub proxy_protocol: Vec<IpNet>,
    /// How long a drain waits for streams in flight.
    pub drain: Duration,
    /// Where metrics, health and readiness are served, in plain HTTP, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// OpenTelemetry traces.
    pub traces: Traces,
    /// Whom enrolled cameras have to believe, PEM file; without it the root of the certificate that is served.
    pub anchors: Option<PathBuf>,
    /// Where enrolled cameras dial; without it the host that the installer asked.
    pub remote_address: Option<String>,
    /// Feeds of devices' events.
    pub feed: FeedConfig,
    /// Bounds.
    pub limits: Limits,
}

/// The feeds of devices' events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedConfig {
    /// Whether devices are asked for events.
    pub enabled: bool,
    /// What is kept of each device.
    pub bounds: FeedBounds,
}

/// An ACME authority (RFC 8555) and what it issues.
#[derive(Debug, Clone)]
pub struct AcmeConfig {
    /// The address of its directory.
    pub directory: String,
    /// Where it may write to, such as `mailto:operator@example.org`.
    pub contact: Vec<String>,
    /// The host names of the certificate.
    pub names: Vec<String>,
    /// The root of the authority's own server, PEM file; without it the system's roots are believed.
    pub ca: Option<PathBuf>,
}

/// OpenTelemetry traces. The program sends them; the cloud names its spans to devices.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    /// Where they are sent by OTLP over HTTP, if anywhere.
    pub endpoint: Option<String>,
    /// Whether a client's `traceparent` is believed. Otherwise a request begins a trace of its own.
    pub accept: bool,
    /// How spans join and name traces: what the program gives when it sends traces.
    pub propagation: Option<Propagation>,
}

/// Bounds of the cloud half.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Tunnels that one device may hold; beyond it the oldest is evicted.
    pub tunnels_per_device: usize,
    /// Connections of clients that may stand at once; uplinks do not count.
    pub connections: usize,
    /// Connections that may be in their handshake at once; the others wait in the kernel's queue.
    pub handshakes: usize,
    /// The largest SOAP body that is checked and passed on, in bytes.
    pub soap_body: usize,
    /// Bytes that all tunnels together may have received and not yet passed on.
    pub memory: usize,
    /// What an organisation may ask of its devices that has no limits of its own.
    pub organisation: OrganisationBounds,
}

/// What one organisation may ask of its devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrganisationBounds {
    /// Requests in a second.
    pub requests_per_second: u64,
    /// Requests at once, long answers included.
    pub streams: u64,
    /// Bytes in a second, both ways together.
    pub bytes_per_second: u64,
}

impl OrganisationBounds {
    /// These, and what the organisation has of its own instead.
    #[must_use]
    pub(crate) fn with(self, own: &OrganisationLimits) -> Self {
        Self {
            requests_per_second: own.requests_per_second.unwrap_or(self.requests_per_second),
            streams: own.streams.unwrap_or(self.streams),
            bytes_per_second: own.bytes_per_second.unwrap_or(self.bytes_per_second),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not TOML, or has a key that is not known.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A value is not one that can be used.
    #[error("{key}: {reason}")]
    Value {
        /// The key, with its table.
        key: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
}

impl Config {
    /// Reads and checks a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`ConfigError`] naming line or key.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::File { path: file.to_owned(), source };
        let text = std::fs::read_to_string(file).map_err(failed)?;
        Self::parse(&text, file.parent().unwrap_or(Path::new("")))
    }

    /// Whether what the configuration points to can be used: certificate files, names. Makes nothing.
    ///
    /// # Errors
    /// [`TrustError`] naming what cannot be used.
    pub fn verify(&self) -> Result<(), TrustError> {
        crate::certificate::verify(self)
    }

    /// Checks the text of a configuration file, whose paths are relative to `folder`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        toml::from_str::<Raw>(text)?.check(folder)
    }
}
