//! The cloud, over real loopback: clients on the one side, devices on the other, all in this process.

mod abuse_by_cloud;
mod abuse_by_device;
mod access_keys;
mod api;
mod api_refusals;
mod api_surface;
mod backup;
mod bad_input;
mod bounds_of_the_port;
pub(crate) mod camera;
mod client;
mod device_authority;
mod eight_uplinks;
mod enrolment;
mod events;
mod feed;
mod forward;
mod host_names;
mod hygiene;
mod keep_alive;
mod lists;
mod main_job;
mod malicious_camera;
mod organisation_limits;
mod people;
mod presence;
mod privilege;
mod pull_points;
mod raw;
mod records;
mod restart;
mod revocation;
mod rights;
mod sessions;
pub(crate) mod smuggling;
mod smuggling_keys;
mod stalled;
mod streaming;
mod teller;
mod tls;
mod trace;
mod watched;
mod websocket;
mod withdrawal;

use std::net::SocketAddr;
use std::sync::Arc;

use oriel_cloud::records::{Actor, DeviceId, NewToken, Role, Scope};
use oriel_cloud::{Cloud, Config};
use oriel_soap::access::Level;
use oriel_trust::{Fingerprint, Identity, Policy, Validation, client_config};
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A running cloud, the folder it lives in, and an administrator's token.
pub(crate) struct House {
    pub(crate) cloud: Cloud,
    pub(crate) administrator: String,
    door: Door,
    folder: TempDir,
}

/// What it takes to knock at a cloud.
#[derive(Clone)]
pub(crate) struct Door {
    address: SocketAddr,
    pub(crate) ca: Policy,
    /// Whether connections begin with a PROXY protocol header.
    proxied: bool,
}

impl std::ops::Deref for House {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        change(&mut config);
        let proxied = !config.proxy_protocol.is_empty();
        let mut cloud = Cloud::start(config, None).await.unwrap();
        let administrator = administrator(&mut cloud).await;
        let mut house = Self::of(cloud, administrator, folder);
        house.door.proxied = proxied;
        house
    }

    fn of(cloud: Cloud, administrator: String, folder: TempDir) -> Self {
        let ca = cloud.ca().map_or_else(|| Policy { anchors: Vec::new() }, policy_of);
        let door = Door { address: cloud.address(), ca, proxied: false };
        Self { cloud, administrator, door, folder }
    }

    /// A token of `level` that reaches every device.
    async fn token(&self, level: Level) -> String {
        self.token_for(level, None).await
    }

    async fn token_for(&self, level: Level, devices: Option<&[&DeviceId]>) -> String {
        let devices = devices.map(|devices| devices.iter().map(|id| Arc::clone(id)).collect());
        let new = NewToken { devices, ..NewToken::of(role(level), "test") };
        let (_, secret) = self.scope().add_token(&me(), new).await.unwrap();
        secret.expose().to_owned()
    }

    /// The records of the first organisation.
    pub(crate) fn scope(&self) -> Scope<'_> {
        self.cloud.records().within(&self.cloud.records().first_organisation().unwrap())
    }

    /// Registers the owner of a key.
    pub(crate) async fn register(&self, key: Fingerprint) -> DeviceId {
        Arc::clone(&self.scope().add_device(&me(), "camera", Some(key)).await.unwrap().id)
    }

    /// Returns when a device is connected. Its arrival is awaited.
    pub(crate) async fn online(&self, id: &DeviceId) {
        self.cloud.registry().find(id).await.expect("the device arrives within the registry's patience");
    }

    /// How many tunnels of a device stand.
    pub(crate) fn tunnels(&self, id: &str) -> usize {
        self.cloud.registry().presence(id).tunnels.iter().filter(|held| !held.tunnel.is_closed()).count()
    }
}

impl Door {
    /// TLS of somebody who believes this cloud, with or without a certificate of theirs.
    pub(crate) fn tls(&self, identity: Option<&Identity>) -> ClientConfig {
        client_config(&Validation::Policy(self.ca.clone()), identity).unwrap()
    }

    /// Where devices dial, in one of the two forms.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/up", self.address.port())
    }

    /// A connection before TLS, from `source` where a PROXY protocol header says it.
    async fn tcp(&self, source: &str) -> TcpStream {
        let mut tcp = TcpStream::connect(self.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        if self.proxied {
            let header = format!("PROXY TCP4 {source} 127.0.0.1 4000 443\r\n");
            tcp.write_all(header.as_bytes()).await.unwrap();
        }
        tcp
    }

    /// TLS with `identity`'s certificate, as a device dials.
    async fn tls_as(&self, identity: Option<&Identity>, source: &str) -> TlsStream<TcpStream> {
        let mut config = self.tls(identity);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tcp = self.tcp(source).await;
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), tcp).await.unwrap()
    }
}

/// Who changes the records for a test.
fn me() -> Actor {
    Actor::system()
}

/// The role that gives a level.
fn role(level: Level) -> Role {
    match level {
        Level::Administrator => Role::Administrator,
        Level::Operator => Role::Operator,
        _ => Role::Viewer,
    }
}

/// An administrator's token of the first organisation.
async fn administrator(cloud: &mut Cloud) -> String {
    cloud.take_setup_link().expect("a new cloud makes a link");
    let scope = cloud.records().within(&cloud.records().first_organisation().unwrap());
    let new = NewToken::of(Role::Administrator, "first administrator");
    scope.add_token(&me(), new).await.unwrap().1.expose().to_owned()
}

fn config(folder: &TempDir) -> Config {
    Config::parse(CONFIG, folder.path()).unwrap()
}

/// Tests ask faster than customers, and for what no camera has named; what cameras are asked is theirs alone.
const CONFIG: &str = "listen = '127.0.0.1:0'
data = 'cloud'
camera_pages = true
[feed]
enabled = false
[limits.organisation]
requests_per_second = 1000000
kib_per_second = 100000000
";

fn policy_of(file: &std::path::Path) -> Policy {
    Policy::from_pem(&std::fs::read(file).unwrap()).unwrap()
}

/// Waits for something that no event tells, and says what it waited for when it does not come.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while !holds() {
        assert!(tokio::time::Instant::now() < patience, "never came: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// The source of those for whom it does not matter.
const HERE: &str = "192.0.2.1";

/// What TCP, TLS and all time bounds would see after `span`: the clock is moved, and nobody slept.
async fn after(span: std::time::Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}
