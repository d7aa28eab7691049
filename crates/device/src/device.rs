//! Starting and stopping a device.

use crate::accounts::random_password;
use crate::config::{Config, DEVICE_CERTIFICATE};
use crate::door::{Door, Lan, Origin};
use crate::interfaces;
use crate::keystore::{KeyMaker, KeyStore};
use crate::services::{self, Shared};
use crate::store::{Account, Files, Folder, Keystore, Role, Secret, State, Store, StoreError, VERSION};
use crate::supervisor::{Means, Reports, Serve, Supervisor, Tunnel};
use http::{Request, Response};
use oriel_soap::Levels;
use oriel_soap::auth::AuthOptions;
use oriel_trust::{Fingerprint, Identity, TrustError};
use oriel_uplink::Body;
use oriel_uplink::device::{BoxFuture, State as Connection};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use uuid::Uuid;

/// Why a device cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The data folder or the document in it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The device's own key and certificate.
    #[error("the device's own certificate: {0}")]
    Trust(#[from] TrustError),
    /// A port of the LAN.
    #[error("{address}: the port cannot be opened: {source}; free it, or set `listen` to another one")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// The start was cut off by the end of the runtime.
    #[error("the start was interrupted")]
    Interrupted,
}

/// The account that the device made for itself at first start: to be shown once, to whoever started it.
#[derive(Clone, PartialEq, Eq)]
pub struct FirstCredentials {
    /// The name of the administrator.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for FirstCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstCredentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How an uplink does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UplinkStatus {
    /// Its `RemoteAddress`.
    pub remote_address: String,
    /// `Offline`, `Connecting` or `Connected`.
    pub state: Connection,
    /// Why it is not connected, naming the layer that failed.
    pub error: Option<String>,
}

/// A running device. Dropping it ends everything that it started.
pub struct Device {
    lan: Lan,
    supervisor: Supervisor,
    /// Ends with this value.
    _maker: KeyMaker,
    serve: Serve,
    shared: Arc<Shared>,
    fingerprint: Fingerprint,
    first: Option<FirstCredentials>,
    folder: Folder,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("addresses", &self.addresses())
            .field("uuid", &self.uuid())
            .finish_non_exhaustive()
    }
}

impl Device {
    /// Starts a device: opens its data folder, or makes it at first start; opens its ports; dials its uplinks.
    ///
    /// # Errors
    /// [`DeviceError`]. Nothing is left running then.
    pub async fn start(config: Config) -> Result<Self, DeviceError> {
        let (config, opened) = tokio::task::spawn_blocking(move || {
            let opened = Opened::open(&config);
            (config, opened)
        })
        .await
        .map_err(|_| DeviceError::Interrupted)?;
        let opened = opened?;

        let mut listeners = Vec::with_capacity(config.listen.len());
        for address in &config.listen {
            let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
            listeners.push(bound.map_err(|source| DeviceError::Listen { address: *address, source })?);
        }
        let local = listeners.first().map_or(([0, 0, 0, 0], 0).into(), |(address, _)| reachable(*address));

        let fingerprint = opened.identity.fingerprint();
        let state = opened.store.state();
        let mut options = AuthOptions::new(format!("oriel-{}", state.uuid));
        options.skew = config.clock_tolerance.try_into().unwrap_or(options.skew);
        let (insecure, max_body, max_connections) = (config.insecure_uplinks, config.max_body, config.max_connections);
        let join_trace = config.join_trace;
        let shared = Arc::new(shared(config, opened.store, opened.identity));
        let door = Door::new(Arc::clone(&shared), services::router(), &options, max_body);
        let door = Arc::new(door.joining(join_trace));
        let lan = Lan::start(listeners, &door, max_connections);
        let serve: Serve = Arc::new(move |tunnel, request| {
            let door = Arc::clone(&door);
            Box::pin(async move { door.serve(request, Origin::Uplink { tunnel, local }).await })
        });
        let means = Means {
            uuid: state.uuid,
            keys: Arc::clone(&shared.keys),
            call_out: shared.call_out.clone(),
            insecure,
            serve: Arc::clone(&serve),
            made: HashMap::new(),
        };
        let supervisor = Supervisor::start(shared.store.watch(), means, shared.reports.clone());
        let maker = KeyMaker::start(shared.store.clone());
        Ok(Self {
            lan,
            supervisor,
            _maker: maker,
            serve,
            shared,
            fingerprint,
            first: opened.first,
            folder: opened.folder,
        })
    }

    /// Where the LAN reaches the device, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.lan.addresses()
    }

    /// The device's name for ever.
    pub fn uuid(&self) -> Uuid {
        self.shared.store.state().uuid
    }

    /// The fingerprint of the device's own key, by which a cloud knows it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The file with the device's own certificate, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.certificate()
    }

    /// The account that was made when this was the first start and the configuration named none.
    pub fn first_credentials(&self) -> Option<&FirstCredentials> {
        self.first.as_ref()
    }

    /// How the uplinks do, in the order in which they were set.
    pub fn uplinks(&self) -> Vec<UplinkStatus> {
        let status = |address: &str| {
            let report = self.shared.reports.of(address);
            let (state, error) = report.map_or((Connection::Offline, None), |report| (report.status, report.error));
            UplinkStatus { remote_address: address.to_owned(), state, error }
        };
        self.shared.store.state().uplinks.iter().map(|entry| status(&entry.remote_address)).collect()
    }

    /// What an uplink named `address` with these rights would answer through: for many tunnels to one device's services.
    pub fn uplink_service(
        &self,
        address: &str,
        levels: Levels,
    ) -> impl Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Clone + Send + Sync + 'static {
        let (serve, tunnel) = (Arc::clone(&self.serve), Tunnel::fixed(address, levels));
        move |request| serve(tunnel.clone(), request)
    }

    /// Takes no more requests, lets the answers that are on their way arrive, closes every uplink, and returns when all is done: within
    /// some ten seconds.
    pub async fn stop(self) {
        tokio::join!(self.lan.stop(), self.supervisor.stop());
    }
}

/// What a device has on disk.
struct Opened {
    folder: Folder,
    store: Store,
    identity: Identity,
    first: Option<FirstCredentials>,
}

impl Opened {
    fn open(config: &Config) -> Result<Self, DeviceError> {
        let folder = Folder::open(&config.data)?;
        let mut first = None;
        let store = Store::open::<DeviceError>(Box::new(Files), folder.path(), |disk| {
            let state = first_state(config, &mut first)?;
            folder.make_identity::<DeviceError>(disk, &state.serial)?;
            Ok(state)
        })?;
        let identity = folder.identity()?;
        Ok(Self { folder, store, identity, first })
    }
}

/// What the handlers work with.
fn shared(config: Config, store: Store, own: Identity) -> Shared {
    let mut certificates = config.certificates;
    certificates.insert(DEVICE_CERTIFICATE.to_owned(), own);
    Shared {
        store,
        keys: Arc::new(KeyStore::new(certificates, config.policies)),
        reports: Reports::default(),
        information: config.information,
        call_out: config.call_out,
        max_uplinks: config.max_uplinks,
    }
}

/// The document of a device that starts for the first time.
fn first_state(config: &Config, first: &mut Option<FirstCredentials>) -> Result<State, DeviceError> {
    let mut users = config.users.clone();
    if users.is_empty() {
        let password = random_password().map_err(|_| DeviceError::NoRandom)?;
        let name = "admin".to_owned();
        *first = Some(FirstCredentials { user: name.clone(), password: password.clone() });
        users.push(Account { name, password: Secret::new(password), level: Role::Administrator });
    }
    let uuid = Uuid::new_v4();
    let serial = uuid.simple().to_string()[..12].to_ascii_uppercase();
    Ok(State { version: VERSION, uuid, serial, users, uplinks: Vec::new(), keystore: Keystore::default() })
}

/// An address that others can dial, for a listener that takes all.
fn reachable(listening: SocketAddr) -> SocketAddr {
    if !listening.ip().is_unspecified() {
        return listening;
    }
    let interfaces = interfaces::interfaces().unwrap_or_default();
    let v4 = interfaces.iter().find_map(|interface| interface.v4.first()).map(|(address, _)| IpAddr::from(*address));
    let v6 = interfaces.iter().find_map(|interface| interface.v6.first()).map(|(address, _)| IpAddr::from(*address));
    let found = if listening.is_ipv4() { v4 } else { v6.or(v4) };
    SocketAddr::new(found.unwrap_or(listening.ip()), listening.port())
}
