//! The configuration file as it is written, and its check.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::{Config, ConfigError, Limits};

/// The file. Every key may be left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    /// Address and port of the one TLS port.
    pub listen: String,
    /// Data folder.
    pub data: PathBuf,
    /// URL of the store; empty: SQLite in `data`.
    pub database: String,
    /// Names in the cloud's own certificate.
    pub names: Vec<String>,
    /// Certificate files.
    pub tls: Option<RawTls>,
    /// Networks whose connections begin with a PROXY protocol header.
    pub proxy_protocol: Vec<String>,
    /// Seconds that a drain waits.
    pub drain_seconds: usize,
    /// Bounds.
    pub limits: RawLimits,
}

/// `[tls]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTls {
    /// PEM file with the chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// `[limits]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawLimits {
    /// Tunnels that one device may hold.
    pub tunnels_per_device: usize,
    /// Connections of clients at once.
    pub connections: usize,
    /// Handshakes at once.
    pub handshakes: usize,
    /// Largest SOAP body, KiB.
    pub soap_body_kib: usize,
    /// Bytes received and not yet passed on, MiB.
    pub memory_mib: usize,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8443".to_owned(),
            data: "oriel-cloud".into(),
            database: String::new(),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
            tls: None,
            proxy_protocol: Vec::new(),
            drain_seconds: 20,
            limits: RawLimits::default(),
        }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self { tunnels_per_device: 4, connections: 8192, handshakes: 512, soap_body_kib: 1024, memory_mib: 512 }
    }
}

fn value(key: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, reason: reason.into() }
}

fn within(key: &'static str, number: usize, low: usize, high: usize) -> Result<usize, ConfigError> {
    if (low..=high).contains(&number) {
        Ok(number)
    } else {
        Err(value(key, format!("{number} is not within {low} to {high}")))
    }
}

impl Raw {
    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Value`] naming the first key that cannot be used.
    pub fn check(self, folder: &Path) -> Result<Config, ConfigError> {
        let listen: SocketAddr = self.listen.parse().map_err(|_| {
            value("listen", format!("`{}` is not an address and port such as 0.0.0.0:8443", self.listen))
        })?;
        if self.tls.is_none() && self.names.is_empty() {
            return Err(value("names", "the cloud's own certificate needs a name, or give [tls] files"));
        }
        let proxy_protocol = self.proxy_protocol.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
        let limits = Limits {
            tunnels_per_device: within("limits.tunnels_per_device", self.limits.tunnels_per_device, 1, 64)?,
            connections: within("limits.connections", self.limits.connections, 1, 1 << 20)?,
            handshakes: within("limits.handshakes", self.limits.handshakes, 1, 65_536)?,
            soap_body: within("limits.soap_body_kib", self.limits.soap_body_kib, 16, 65_536)? * 1024,
            memory: within("limits.memory_mib", self.limits.memory_mib, 16, 1 << 20)? << 20,
        };
        Ok(Config {
            listen,
            data: folder.join(self.data),
            database: database(self.database)?,
            names: self.names,
            tls: self.tls.map(|tls| (folder.join(tls.certificate), folder.join(tls.key))),
            proxy_protocol,
            drain: Duration::from_secs(within("drain_seconds", self.drain_seconds, 0, 3600)? as u64),
            limits,
        })
    }
}

/// The URL of the store. Its password stands in it, so it is not repeated in an error.
fn database(url: String) -> Result<Option<String>, ConfigError> {
    if url.is_empty() {
        return Ok(None);
    }
    if ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Ok(Some(url));
    }
    Err(value("database", "not a URL that begins with postgres:// or sqlite:"))
}

/// A network in CIDR form, or one address.
fn network(text: &str) -> Result<IpNet, ConfigError> {
    text.parse()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| value("proxy_protocol", format!("`{text}` is not a network such as 10.0.0.0/8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotated_example_says_the_defaults() {
        let example = Config::parse(include_str!("../../../../docs/ref/cloud.toml"), Path::new("")).unwrap();
        assert_eq!(format!("{example:?}"), format!("{:?}", Raw::default().check(Path::new("")).unwrap()));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, expected) in [
            ("listen = \"here\"", "listen: `here` is not an address"),
            ("lisen = \"0.0.0.0:1\"", "unknown field `lisen`"),
            ("names = []", "names: the cloud's own certificate needs a name"),
            ("proxy_protocol = [\"ten\"]", "proxy_protocol: `ten` is not a network"),
            ("[limits]\ntunnels_per_device = 0", "limits.tunnels_per_device: 0 is not within 1 to 64"),
            ("[tls]\ncertificate = \"a\"", "missing field `key`"),
        ] {
            let error = Config::parse(text, Path::new("")).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn one_address_is_a_network() {
        let config = Config::parse("proxy_protocol = [\"127.0.0.1\", \"10.0.0.0/8\"]", Path::new("")).unwrap();
        assert!(config.proxy_protocol[0].contains(&"127.0.0.1".parse::<std::net::IpAddr>().unwrap()));
        assert!(!config.proxy_protocol[0].contains(&"127.0.0.2".parse::<std::net::IpAddr>().unwrap()));
    }
}
