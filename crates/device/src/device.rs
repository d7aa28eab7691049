//! Starting and stopping a device.

use crate::accounts::random_password;
use crate::call_out::Dialler;
use crate::config::Config;
use crate::control::{Control, Defaults};
use crate::door::{Answer, Door, Lan, Origin, listen};
#[cfg(feature = "mqtt")]
use crate::events::broker::{self, Brokers};
use crate::events::log::{Bounds, Log};
use crate::events::{Events, Push};
use crate::interfaces;
use crate::keystore::KeyStore;
use crate::monitoring::{self, Monitoring};
use crate::occurrences;
use crate::services::{self, Shared};
use crate::store::{Account, Keystore, Role, Secret, StoreError};
use crate::supervisor::Reports;
use crate::uplinked::{Opened, Uplinked};
use http::{Request, Response};
use oriel_soap::Levels;
use oriel_soap::auth::AuthOptions;
use oriel_trust::{Fingerprint, TrustError};
use oriel_uplink::Body;
use oriel_uplink::device::{BoxFuture, State as Connection};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
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
    /// What a bridge was told of a camera.
    #[cfg(feature = "bridge")]
    #[error("camera {name}: {problem}")]
    Camera {
        /// Its name in the list.
        name: String,
        /// What is wrong.
        problem: String,
    },
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
    /// Goes before the data folder is given back.
    control: Control,
    /// Ends with this value.
    _monitoring: Monitoring,
    /// Ends with this value.
    #[cfg(feature = "mqtt")]
    _brokers: Brokers,
    uplinked: Uplinked,
    #[cfg(feature = "discovery")]
    announcer: Option<crate::discovery::Announcer>,
    operations: Vec<(&'static str, &'static str)>,
    first: Option<FirstCredentials>,
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
            let mut first = None;
            let opened = Opened::open(&config.data, || first_users(&config, &mut first));
            let opened = opened.map(|opened| (opened, first, kept_events(&config)));
            (config, opened)
        })
        .await
        .map_err(|_| DeviceError::Interrupted)?;
        let (opened, first, log) = opened?;

        let listeners = listen(&config.listen).await?;
        let local = listeners.first().map_or(([0, 0, 0, 0], 0).into(), |(address, _)| reachable(*address));

        let mut options = AuthOptions::new(format!("oriel-{}", opened.store.state().uuid));
        options.skew = config.clock_tolerance.try_into().unwrap_or(options.skew);
        let (insecure, max_body, max_connections) = (config.insecure_uplinks, config.max_body, config.max_connections);
        #[cfg(feature = "mqtt")]
        let insecure_brokers = config.insecure_event_brokers;
        let join_trace = config.join_trace;
        let sources = config.sources.clone();
        let shared = Arc::new(shared(config, &opened, log));
        let (events, store) = (shared.events.clone(), shared.store.clone());
        let control = Control::start(opened.data(), events.clone(), Defaults::new(&sources, store.state().uuid))?;
        let monitoring = Monitoring::start(events, store, &sources).await;
        let router = services::router();
        let operations = router.bound().collect();
        let door = Door::new(Arc::clone(&shared), router, &options, max_body);
        let door = Arc::new(door.joining(join_trace));
        let answering = Arc::clone(&door);
        let answer: Answer = Arc::new(move |request, peer, local| {
            let door = Arc::clone(&answering);
            Box::pin(async move { door.serve(request, Origin::Lan { peer, local }).await })
        });
        let lan = Lan::start(listeners, &answer, max_connections);
        #[cfg(feature = "mqtt")]
        let brokers = brokers(&shared, insecure_brokers);
        #[cfg(feature = "discovery")]
        let announcer = shared
            .speaks_discovery
            .then(|| crate::discovery::Announcer::start(Arc::clone(&shared), lan.addresses().to_vec()));
        let uplinked = Uplinked::start(shared, opened.into_parts(), insecure, local, move |request, origin| {
            let door = Arc::clone(&door);
            async move { door.serve(request, origin).await }
        });
        Ok(Self {
            lan,
            control,
            _monitoring: monitoring,
            #[cfg(feature = "mqtt")]
            _brokers: brokers,
            uplinked,
            #[cfg(feature = "discovery")]
            announcer,
            operations,
            first,
        })
    }

    /// Where the LAN reaches the device, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.lan.addresses()
    }

    /// The device's name for ever.
    pub fn uuid(&self) -> Uuid {
        self.uplinked.uuid()
    }

    /// The fingerprint of the device's own key, by which a cloud knows it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.uplinked.fingerprint()
    }

    /// The file with the device's own certificate, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.uplinked.certificate()
    }

    /// The operations that the device offers: namespace and name.
    pub fn operations(&self) -> Vec<(&'static str, &'static str)> {
        self.operations.clone()
    }

    /// The account that was made when this was the first start and the configuration named none.
    pub fn first_credentials(&self) -> Option<&FirstCredentials> {
        self.first.as_ref()
    }

    /// What happens in the device: where its sources tell, and who is in this process listens.
    pub fn events(&self) -> &Events {
        &self.uplinked.shared().events
    }

    /// How the uplinks do, in the order in which they were set.
    pub fn uplinks(&self) -> Vec<UplinkStatus> {
        self.uplinked.uplinks()
    }

    /// What an uplink named `address` with these rights would answer through: for many tunnels to one device's services.
    pub fn uplink_service(
        &self,
        address: &str,
        levels: Levels,
    ) -> impl Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Clone + Send + Sync + 'static + use<> {
        self.uplinked.service(address, levels)
    }

    /// Takes no more requests, lets the answers that are on their way arrive, closes every uplink, says Bye to those on the LAN, and
    /// returns when all is done: within some ten seconds.
    pub async fn stop(self) {
        // Nobody tells anything any more but this.
        drop(self.control);
        let events = self.uplinked.shared().events.clone();
        monitoring::tell(&events, occurrences::shutdown_initiated());
        events.settle().await;
        // Whoever still waits for messages is told that there will be none.
        events.close().await;
        let farewell = async {
            #[cfg(feature = "discovery")]
            if let Some(announcer) = self.announcer {
                announcer.stop().await;
            }
        };
        tokio::join!(farewell, self.lan.stop(), self.uplinked.stop());
    }
}

/// What keeps what happens. A device goes on without it: what happens is told all the same.
fn kept_events(config: &Config) -> Option<Log> {
    let opened = Log::open(&config.data.join("events"), Bounds::default());
    opened.inspect_err(|error| tracing::error!(%error, "what happens is not kept")).ok()
}

/// What the handlers work with.
fn shared(config: Config, opened: &Opened, log: Option<Log>) -> Shared {
    let keys = Arc::new(KeyStore::new(opened.identities(config.certificates), config.policies));
    let (believed, policy) = (Arc::clone(&keys), config.consumer_policy);
    let tls = move || believed.with(&Keystore::default()).client_config(None, policy.as_deref(), false);
    Shared {
        store: opened.store.clone(),
        keys,
        push: Push::new(Dialler::new(config.call_out.clone()), opened.store.state().uuid, tls),
        #[cfg(feature = "mqtt")]
        broker_reports: Default::default(),
        #[cfg(feature = "mqtt")]
        max_event_brokers: config.max_event_brokers,
        #[cfg(feature = "mqtt")]
        insecure_event_brokers: config.insecure_event_brokers,
        reports: Reports::default(),
        events: Events::new(opened.store.state().uuid.urn().to_string(), log),
        information: config.information,
        speaks_discovery: config.discovery.speaks(&config.listen),
        discovery: config.discovery,
        call_out: config.call_out,
        max_uplinks: config.max_uplinks,
    }
}

/// What publishes to the event brokers.
#[cfg(feature = "mqtt")]
fn brokers(shared: &Shared, insecure: bool) -> Brokers {
    let means = broker::Means {
        uuid: shared.store.state().uuid,
        keys: Arc::clone(&shared.keys),
        dialler: shared.push.dialler().clone(),
        insecure,
        events: shared.events.clone(),
    };
    Brokers::start(shared.store.watch(), means, shared.broker_reports.clone())
}

/// The accounts of a device that starts for the first time.
fn first_users(config: &Config, first: &mut Option<FirstCredentials>) -> Result<Vec<Account>, DeviceError> {
    let mut users = config.users.clone();
    if users.is_empty() {
        let password = random_password().map_err(|_| DeviceError::NoRandom)?;
        let name = "admin".to_owned();
        *first = Some(FirstCredentials { user: name.clone(), password: password.clone() });
        users.push(Account { name, password: Secret::new(password), level: Role::Administrator });
    }
    Ok(users)
}

/// An address that others can dial, for a listener that takes all.
fn reachable(listening: SocketAddr) -> SocketAddr {
    if !listening.ip().is_unspecified() {
        return listening;
    }
    let interfaces = interfaces::interfaces().unwrap_or_default();
    let v4 = interfaces.iter().flat_map(|interface| &interface.v4).find(|(address, _)| !address.is_link_local());
    let v6 =
        interfaces.iter().flat_map(|interface| &interface.v6).find(|(address, _)| !address.is_unicast_link_local());
    let (v4, v6) = (v4.map(|(address, _)| IpAddr::from(*address)), v6.map(|(address, _)| IpAddr::from(*address)));
    let found = if listening.is_ipv4() { v4 } else { v6.or(v4) };
    SocketAddr::new(found.unwrap_or(listening.ip()), listening.port())
}
