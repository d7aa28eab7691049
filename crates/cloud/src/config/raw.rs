//! The configuration file as it is written, and its check.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::gateway::{domain, organisation};
use super::{AcmeConfig, Config, ConfigError, FeedConfig, Limits, Traces};
use crate::records::FeedBounds;

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
    /// Domain of the devices' host names; empty: they have none.
    pub domain: String,
    /// Whether administrators may open cameras' own web pages.
    pub camera_pages: bool,
    /// Certificate files.
    pub tls: Option<RawTls>,
    /// ACME.
    pub acme: Option<RawAcme>,
    /// Networks whose connections begin with a PROXY protocol header.
    pub proxy_protocol: Vec<String>,
    /// Seconds that a drain waits.
    pub drain_seconds: usize,
    /// Metrics.
    pub metrics: Option<RawMetrics>,
    /// Traces.
    pub traces: Option<RawTraces>,
    /// Enrolment.
    pub enrolment: RawEnrolment,
    /// Feeds of devices' events.
    pub feed: RawFeed,
    /// Bounds.
    pub limits: RawLimits,
}

/// `[feed]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFeed {
    /// Whether devices are asked for events.
    pub enabled: bool,
    /// Entries that are kept of each device.
    pub entries: usize,
    /// KiB that are kept of each device.
    pub kib: usize,
}

/// `[acme]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAcme {
    /// The authority's directory.
    pub directory: String,
    /// Where the authority may write to.
    #[serde(default)]
    pub contact: Vec<String>,
    /// Host names of the certificate; without them those of `names`.
    pub names: Option<Vec<String>>,
    /// The root of the authority's own server.
    pub ca: Option<PathBuf>,
}

/// `[metrics]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMetrics {
    /// Address and port of metrics, health and readiness.
    pub listen: String,
}

/// `[traces]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTraces {
    /// The collector's address.
    pub endpoint: String,
    /// Whether clients may say which trace their requests belong to.
    #[serde(default)]
    pub accept: bool,
}

/// `[enrolment]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawEnrolment {
    /// Whom cameras have to believe, PEM file.
    pub anchors: Option<PathBuf>,
    /// Where cameras dial.
    pub remote_address: Option<String>,
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
    /// For each organisation.
    pub organisation: RawOrganisation,
}

/// `[limits.organisation]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawOrganisation {
    /// Requests to devices in a second.
    pub requests_per_second: usize,
    /// Requests to devices at once.
    pub streams: usize,
    /// KiB from and to devices in a second.
    pub kib_per_second: usize,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8443".to_owned(),
            data: "oriel-cloud".into(),
            database: String::new(),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
            domain: String::new(),
            camera_pages: false,
            tls: None,
            acme: None,
            proxy_protocol: Vec::new(),
            drain_seconds: 20,
            metrics: None,
            traces: None,
            enrolment: RawEnrolment::default(),
            feed: RawFeed::default(),
            limits: RawLimits::default(),
        }
    }
}

impl Default for RawFeed {
    fn default() -> Self {
        Self { enabled: true, entries: 2000, kib: 1024 }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            tunnels_per_device: 4,
            connections: 8192,
            handshakes: 512,
            soap_body_kib: 1024,
            memory_mib: 512,
            organisation: RawOrganisation::default(),
        }
    }
}

impl Default for RawOrganisation {
    fn default() -> Self {
        Self { requests_per_second: 1000, streams: 1000, kib_per_second: 131_072 }
    }
}

pub(super) fn value(key: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, reason: reason.into() }
}

pub(super) fn within(key: &'static str, number: usize, low: usize, high: usize) -> Result<usize, ConfigError> {
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
        let listen = address("listen", &self.listen, "0.0.0.0:8443")?;
        let metrics = self.metrics.map(|metrics| address("metrics.listen", &metrics.listen, "127.0.0.1:9464"));
        if self.tls.is_none() && self.names.is_empty() {
            return Err(value("names", "the cloud's own certificate needs a name, or give [tls] files"));
        }
        if self.tls.is_some() && self.acme.is_some() {
            return Err(value("acme", "the certificate is that of [tls] already; keep one of the two"));
        }
        let acme = self.acme.map(|raw| acme(raw, &self.names, folder)).transpose()?;
        let proxy_protocol = self.proxy_protocol.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
        let limits = Limits {
            tunnels_per_device: within("limits.tunnels_per_device", self.limits.tunnels_per_device, 1, 64)?,
            connections: within("limits.connections", self.limits.connections, 1, 1 << 20)?,
            handshakes: within("limits.handshakes", self.limits.handshakes, 1, 65_536)?,
            soap_body: within("limits.soap_body_kib", self.limits.soap_body_kib, 16, 65_536)? * 1024,
            memory: within("limits.memory_mib", self.limits.memory_mib, 16, 1 << 20)? << 20,
            organisation: organisation(&self.limits.organisation)?,
        };
        let domain = domain(&self.domain, &self.names)?;
        if domain.is_some() && acme.is_some() {
            let reason = "names of devices need a wildcard certificate, which takes DNS-01; get it by a program that speaks to your DNS, and name its files in [tls]";
            return Err(value("domain", reason));
        }
        Ok(Config {
            listen,
            data: folder.join(self.data),
            database: database(self.database)?,
            names: self.names,
            domain,
            camera_pages: self.camera_pages,
            tls: self.tls.map(|tls| (folder.join(tls.certificate), folder.join(tls.key))),
            acme,
            proxy_protocol,
            metrics: metrics.transpose()?,
            traces: self.traces.map(traces).transpose()?.unwrap_or_default(),
            anchors: self.enrolment.anchors.map(|file| folder.join(file)),
            remote_address: self.enrolment.remote_address.map(remote_address).transpose()?,
            feed: feed(&self.feed)?,
            drain: Duration::from_secs(within("drain_seconds", self.drain_seconds, 0, 3600)? as u64),
            limits,
        })
    }
}

fn feed(raw: &RawFeed) -> Result<FeedConfig, ConfigError> {
    let entries = within("feed.entries", raw.entries, 100, 1_000_000)? as u64;
    let bytes = within("feed.kib", raw.kib, 64, 1 << 20)? as u64 * 1024;
    Ok(FeedConfig { enabled: raw.enabled, bounds: FeedBounds { entries, bytes } })
}

/// Where cameras dial (Uplink §5.1.2).
fn remote_address(text: String) -> Result<String, ConfigError> {
    let fits = text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("https" | "wss"))
            && uri.authority().is_some_and(|host| !host.as_str().contains('@'))
    });
    let bad =
        || value("enrolment.remote_address", format!("`{text}` is not an address such as https://cloud.example.org/"));
    if fits { Ok(text) } else { Err(bad()) }
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

fn acme(raw: RawAcme, names: &[String], folder: &Path) -> Result<AcmeConfig, ConfigError> {
    if !raw.directory.starts_with("https://") {
        return Err(value("acme.directory", format!("`{}` is not an https address of a directory", raw.directory)));
    }
    let public = |name: &&String| name.contains('.') && name.parse::<std::net::IpAddr>().is_err();
    let names = raw.names.unwrap_or_else(|| names.iter().filter(public).cloned().collect());
    if names.is_empty() {
        return Err(value("acme.names", "an authority needs a host name, here or in `names`"));
    }
    for name in &names {
        if name.contains('*') {
            let reason = format!(
                "`{name}`: a wildcard takes DNS-01, which is not done here; give [tls] files of another client"
            );
            return Err(value("acme.names", reason));
        }
        if !public(&name) || rustls::pki_types::DnsName::try_from(name.as_str()).is_err() {
            return Err(value("acme.names", format!("`{name}` is not a host name that an authority could look up")));
        }
    }
    let ca = raw.ca.map(|ca| folder.join(ca));
    Ok(AcmeConfig { directory: raw.directory, contact: raw.contact, names, ca })
}

fn address(key: &'static str, text: &str, example: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| value(key, format!("`{text}` is not an address and port such as {example}")))
}

fn traces(raw: RawTraces) -> Result<Traces, ConfigError> {
    let uri = raw.endpoint.parse::<http::Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"));
    if uri.is_none_or(|uri| uri.host().is_none()) {
        let reason =
            format!("`{}` is not an address such as http://127.0.0.1:4318; TLS is a collector's agent's", raw.endpoint);
        return Err(value("traces.endpoint", reason));
    }
    Ok(Traces { endpoint: Some(raw.endpoint), accept: raw.accept, propagation: None })
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
            ("[acme]\ndirectory = \"http://a\"", "acme.directory: `http://a` is not an https address"),
            ("[acme]\ndirectory = \"https://a\"", "acme.names: an authority needs a host name"),
            ("names = [\"*.a.example\"]\n[acme]\ndirectory = \"https://a\"", "takes DNS-01"),
            ("[acme]\ndirectory = \"https://a\"\nnames = [\"192.0.2.1\"]", "`192.0.2.1` is not a host name"),
            ("[acme]\ndirectory = \"https://a\"\n[tls]\ncertificate = \"a\"\nkey = \"b\"", "keep one of the two"),
            ("[metrics]\nlisten = \"9464\"", "metrics.listen: `9464` is not an address"),
            ("[traces]\nendpoint = \"collector\"", "traces.endpoint: `collector` is not an address"),
            ("[traces]\nendpoint = \"https://collector:4318\"", "traces.endpoint: `https://collector:4318` is not"),
            ("[tls]\ncertificate = \"a\"", "missing field `key`"),
            ("[feed]\nentries = 10", "feed.entries: 10 is not within 100 to 1000000"),
            ("[enrolment]\nremote_address = \"http://a/\"", "enrolment.remote_address: `http://a/` is not an address"),
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
