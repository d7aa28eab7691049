//! The configuration of a bridge: the file as written ([`raw`](self)) and what was checked ([`BridgeConfig`]) are two types.

mod check;
mod raw;

use super::{CallOut, ConfigError, JoinTrace};
use crate::bridge::{Believe, CameraEntry};
use crate::store::{Account, Role, Secret};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The most cameras that a list may have.
pub const MOST_CAMERAS: usize = 1000;

/// A checked configuration of a bridge.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BridgeConfig {
    /// Where the LAN reaches the bridge. Port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// The folder that the bridge keeps everything in: `cameras/NAME` is a device's data folder each.
    pub data: PathBuf,
    /// The file that this was read from; it is read again when it changes.
    pub file: Option<PathBuf>,
    /// What may be dialled by uplinks beside the public internet.
    pub call_out: CallOut,
    /// Uplinks without a policy believe any server: for laboratories only.
    pub insecure_uplinks: bool,
    /// How many uplinks can be set for each camera.
    pub max_uplinks: usize,
    /// How far the `Created` of a UsernameToken may be from our clock.
    pub clock_tolerance: Duration,
    /// The largest request body in bytes.
    pub max_body: usize,
    /// How many LAN connections there may be at once.
    pub max_connections: usize,
    /// Whether administrators may use the cameras' own web pages.
    pub camera_pages: bool,
    /// The cameras that were listed.
    pub cameras: Vec<CameraEntry>,
    /// Which cameras are taken in by themselves.
    pub discover: Option<Discover>,
    /// The cloud that every camera enrols itself at.
    pub cloud: Option<BridgeCloud>,
    /// Makes a request's span part of the trace that its headers name: what the program gives when it sends traces.
    pub join_trace: Option<JoinTrace>,
}

/// Which cameras a bridge takes in by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discover {
    /// The interfaces to look on; none is all.
    pub interfaces: Vec<String>,
    /// Whether to look by IPv4.
    pub ipv4: bool,
    /// Whether to look by IPv6.
    pub ipv6: bool,
    /// Scopes that a camera must have, all of them.
    pub scopes: Vec<String>,
    /// Cameras that are not taken in: endpoint references, or hosts.
    pub ignore: Vec<String>,
    /// How often to look.
    pub every: Duration,
    /// How many cameras are taken in at most.
    pub most: usize,
    /// Whom to believe to be a camera that is asked by https.
    pub believe: Believe,
    /// The accounts on every camera that is found.
    pub accounts: Vec<Account>,
}

impl Default for Discover {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            ipv4: true,
            ipv6: true,
            scopes: Vec::new(),
            ignore: Vec::new(),
            every: Duration::from_secs(60),
            most: 256,
            believe: Believe::System,
            accounts: Vec::new(),
        }
    }
}

/// The cloud that every camera enrols itself at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeCloud {
    /// Its address, https.
    pub url: Url,
    /// The enrolment code, good for as many cameras as there are.
    pub code: Secret,
    /// Rights of requests that come by the uplinks.
    pub levels: Vec<Role>,
    /// Who is believed to be the cloud when it is asked; the uplinks then believe whom it names.
    pub believe: Believe,
}

impl BridgeCloud {
    /// Administrators come through, and the system's authorities vouch for the cloud.
    pub fn new(url: Url, code: Secret) -> Self {
        Self { url, code, levels: vec![Role::Administrator], believe: Believe::System }
    }
}

impl BridgeConfig {
    /// The defaults, on a data folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: vec![(Ipv4Addr::LOCALHOST, 8080).into()],
            data: data.into(),
            file: None,
            call_out: CallOut::default(),
            insecure_uplinks: false,
            max_uplinks: 8,
            clock_tolerance: Duration::from_secs(300),
            max_body: 256 * 1024,
            max_connections: 256,
            camera_pages: false,
            cameras: Vec::new(),
            discover: None,
            cloud: None,
            join_trace: None,
        }
    }

    /// Whether a file is a bridge's, and not a single device's: it has a table that only bridges have.
    ///
    /// # Errors
    /// It cannot be read. What is no TOML is no bridge's; whoever reads it as a device's says what is wrong with it.
    pub fn is_meant(file: &Path) -> Result<bool, ConfigError> {
        Ok(check::is_meant(&super::read(file)?))
    }

    /// Reads and checks a file, and the files that it names. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line, the key and what to do.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = super::read(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        if !check::is_meant(&text) && text.parse::<toml::Table>().is_ok() {
            let problem = "there is neither [bridge] nor [discover] nor [[camera]] in it; add one of them".to_owned();
            return Err(ConfigError { file: Some(file.to_owned()), line: None, key: None, problem });
        }
        let read = Self::parse(&text, folder).map_err(|error| ConfigError { file: Some(file.to_owned()), ..error })?;
        Ok(Self { file: Some(file.to_owned()), ..read })
    }

    /// Checks the text of a configuration file, whose paths are relative to `folder`.
    ///
    /// # Errors
    /// As [`BridgeConfig::load`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        check::parse(text, folder)
    }
}

#[cfg(test)]
mod tests;
