//! The cloud half: cameras dial in, clients reach them.
//!
//! One TLS port takes everything ([`Config::listen`]): uplinks (Uplink chapter 5), the API, and the gateway to devices, below `/d/{device}/` and at their own
//! host names.
//! Who owns what: [`records`] says which devices and tokens exist, the [`registry`] says who is connected, the gateway joins the two for one request.
//!
//! ```no_run
//! # async fn run() -> Result<(), oriel_cloud::CloudError> {
//! let config = oriel_cloud::Config::parse("listen = '127.0.0.1:0'", "/var/lib/oriel".as_ref()).expect("the text is right");
//! let cloud = oriel_cloud::Cloud::start(config, None).await?;
//! println!("cloud on {}, its CA in {:?}", cloud.address(), cloud.ca());
//! cloud.drain().await;
//! # Ok(())
//! # }
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use http::{Request, Response};
use oriel_trust::{ReloadingIdentity, TrustError};
use oriel_uplink::Body;
use oriel_uplink::cloud::{Budget, CloseReason, Limits as TunnelLimits};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

mod alarms;
mod api;
mod auth;
mod certificate;
mod clock;
pub mod config;
mod enrolment;
mod events;
pub mod facts;
mod feed;
mod file;
mod gateway;
mod metrics;
mod pages;
mod passwords;
mod port;
pub mod records;
mod refusal;
pub mod registry;
mod request;
mod room;
mod throttle;

pub use clock::Clock;
pub use config::{Config, ConfigError};
pub use records::{Backup, BackupError, Records, RecordsError, Secret};
pub use registry::Registry;
pub use request::Propagation;

use alarms::Alarms;
use api::session::Sessions;
use certificate::Certificate;
use events::Events;
use facts::{Facts, MemoryFacts};
use feed::Feeds;
use gateway::Gateway;
use gateway::paths::GivenOut;
use metrics::Metrics;
use oriel_client::trace::Taps;
use passwords::Passwords;
use port::{Peer, Tls};
use room::Strangers;
use throttle::KnownBrowsers;

/// How long a connection that was accepted just before a drain may take to send its first request.
const LINGER: Duration = Duration::from_secs(1);
/// How long the database may take to say that it is there.
const READY: Duration = Duration::from_secs(2);
/// Short-lived facts in memory.
const FACTS: usize = 100_000;
/// Ten thousand cameras that come back at once wait here for their turn; the system may allow less.
const BACKLOG: u32 = 16_384;

/// Why the cloud half does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address of the configuration.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error("the data folder {path}: {source}")]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The records cannot be used.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// What every task of one cloud shares.
struct Shared {
    config: Config,
    records: Arc<Records>,
    registry: Registry,
    facts: Arc<dyn Facts>,
    alarms: Alarms,
    metrics: Metrics,
    events: Arc<Events>,
    feeds: Feeds,
    passwords: Passwords,
    sessions: Sessions,
    known_browsers: KnownBrowsers,
    /// Paths that devices named.
    given_out: GivenOut,
    /// Who listens to what devices are asked.
    taps: Arc<Taps>,
    gateway: Gateway,
    /// KiB of requests that are on their way, all together.
    soap_room: Semaphore,
    /// Bodies of API requests of those who have shown nothing.
    strangers: Strangers,
    /// Connections of clients.
    connections: Arc<Semaphore>,
    tls: Tls,
    renewals: enrolment::renewal::Renewals,
    /// The own authority's certificate, where we serve with one of its own.
    ca: Option<PathBuf>,
    /// What `tls` serves with.
    identity: Arc<ReloadingIdentity>,
    tunnel_limits: TunnelLimits,
    /// Client connections, and what runs on their behalf.
    tasks: TaskTracker,
    /// The owners of tunnels.
    uplinks: TaskTracker,
    /// Those who read the metrics; a drain does not wait for them.
    watchers: TaskTracker,
    /// The cloud takes no new connections; what is there goes on.
    draining: CancellationToken,
    /// Connections without a request in flight end now.
    lingered: CancellationToken,
    /// Everything ends now.
    end: CancellationToken,
}

impl Shared {
    /// Starts a task of `tracker` that ends with the cloud at the latest.
    fn spawn(&self, tracker: &TaskTracker, future: impl Future<Output = ()> + Send + 'static) {
        let end = self.end.clone();
        tracker.spawn(async move {
            end.run_until_cancelled_owned(future).await;
        });
    }

    /// Why the cloud should get no work at the moment, if so.
    async fn unready(&self) -> Option<String> {
        if self.draining.is_cancelled() {
            return Some("the cloud is draining".to_owned());
        }
        let asked = tokio::time::timeout(READY, self.records.ready()).await;
        asked.map_or_else(|_| Some("the database does not answer".to_owned()), |ready| Some(ready.err()?.to_string()))
    }
}

/// The API, made once; a request's clone of it shares the routes.
#[derive(Clone)]
struct Api(axum::Router);

impl Api {
    /// No `async fn`: there the compiler cannot see that the future is `Send`.
    fn answer(self, mut request: Request<Body>, peer: Peer) -> impl Future<Output = Response<Body>> + Send {
        request.extensions_mut().insert(peer);
        let answered = self.0.oneshot(request.map(axum::body::Body::new));
        answered.map(|answer| answer.unwrap_or_else(|never| match never {}).map(oriel_uplink::body::boxed))
    }
}

/// The description of the API (OpenAPI 3.1), as it is served and as `docs/ref/openapi.json` keeps it.
#[must_use]
pub fn openapi() -> String {
    serde_json::to_string_pretty(&api::document()).expect("the description can be written") + "\n"
}

/// A running cloud half. Dropping it ends everything at once; [`Cloud::drain`] ends it in good order.
pub struct Cloud {
    shared: Arc<Shared>,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    setup_link: Option<Secret>,
    certificate: Arc<Certificate>,
    _end: DropGuard,
}

impl Cloud {
    /// Starts on `listener`, or on the configured address.
    ///
    /// # Errors
    /// [`CloudError`], naming what cannot be used.
    pub async fn start(config: Config, listener: Option<std::net::TcpListener>) -> Result<Self, CloudError> {
        let data = |source| CloudError::Data { path: config.data.clone(), source };
        std::fs::create_dir_all(&config.data).map_err(data)?;
        let listener = listen(config.listen, listener)?;
        let address = listener.local_addr().map_err(data)?;
        let watched = metrics::bind(config.metrics).await?;
        let metrics = watched.as_ref().map(TcpListener::local_addr).transpose().map_err(data)?;
        let certificate = Arc::new(Certificate::open(&config)?);
        let records = Records::open(&config.data, config.database.as_deref(), Clock::default()).await?;
        let tunnel_limits =
            TunnelLimits { budget: Budget::new(config.limits.memory as u64), ..TunnelLimits::default() };
        let tls = Tls::new(certificate.served(), certificate.challenges())?;
        let known_browsers = KnownBrowsers::open(&config.data).map_err(data)?;
        // Last of all that can fail: a link that is made is shown.
        let setup_link = records.first_link().await?;
        let end = CancellationToken::new();
        let shared = Arc::new(Shared {
            registry: Registry::new(config.limits.tunnels_per_device, Instant::now()),
            facts: Arc::new(MemoryFacts::new(FACTS)),
            alarms: Alarms::default(),
            metrics: Metrics::new(),
            events: Arc::new(Events::new(Secret::random().expose().chars().take(8).collect())),
            feeds: Feeds::new(),
            passwords: Passwords::default(),
            sessions: Sessions::new(records.clock().now()),
            known_browsers,
            records: Arc::new(records),
            given_out: GivenOut::default(),
            taps: Arc::default(),
            gateway: Gateway::new(config.limits.memory),
            strangers: Strangers::new(config.limits.memory / 16),
            soap_room: Semaphore::new(config.limits.memory / 2 / 1024),
            connections: Arc::new(Semaphore::new(config.limits.connections)),
            tls,
            renewals: enrolment::renewal::Renewals::default(),
            ca: certificate.ca().map(Path::to_owned),
            identity: Arc::clone(certificate.served()),
            tunnel_limits,
            tasks: TaskTracker::new(),
            uplinks: TaskTracker::new(),
            watchers: TaskTracker::new(),
            draining: CancellationToken::new(),
            lingered: CancellationToken::new(),
            end: end.clone(),
            config,
        });
        let lasting = shared.config.tls.is_some() || shared.config.acme.is_some();
        let api = Api(api::router(Arc::clone(&shared)).merge(pages::router(lasting)));
        shared.spawn(&shared.tasks, port::run(listener, Arc::clone(&shared), api));
        if let Some(listener) = watched {
            shared.spawn(&shared.watchers, metrics::run(listener, Arc::clone(&shared)));
        }
        let counted = Arc::clone(&shared);
        let fresh = Arc::clone(&certificate)
            .keep_fresh(shared.draining.clone(), move |succeeded| counted.metrics.ordered(succeeded));
        shared.spawn(&shared.uplinks, fresh);
        shared.spawn(&shared.watchers, port::revocation::enforce(Arc::clone(&shared)));
        shared.spawn(&shared.watchers, enrolment::renewal::keep_fresh(Arc::clone(&shared)));
        shared.spawn(&shared.watchers, feed::run(Arc::clone(&shared)));
        Ok(Self { shared, address, metrics, certificate, setup_link, _end: end.drop_guard() })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics, health and readiness are, if they are.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The certificate of the cloud's own authority, PEM file; none when it serves given files.
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        self.certificate.ca()
    }

    /// The secret of the one-time link that makes the first administrator, while there is none. It is shown once.
    pub fn take_setup_link(&mut self) -> Option<Secret> {
        self.setup_link.take()
    }

    /// The records.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.shared.records
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Renews now what is due of the certificates that this cloud issued to devices which are connected; it does so by itself each hour.
    pub async fn renew_due(&self) {
        enrolment::renewal::due(&self.shared).await;
    }

    /// Reads the certificate files again now.
    ///
    /// # Errors
    /// When they cannot be used; the old certificate stays.
    pub fn reload(&self) -> Result<bool, TrustError> {
        self.certificate.refresh(SystemTime::now())
    }

    /// Ends in good order, within [`Config::drain`]: no new connections, GOAWAY to every tunnel, requests in flight finish.
    ///
    /// The listener closes at once; whoever holds a copy of its socket (a successor, a service manager) misses no connection.
    pub async fn drain(self) {
        let shared = &self.shared;
        let deadline = tokio::time::Instant::now() + shared.config.drain;
        let linger = LINGER.min(shared.config.drain);
        let lingered = tokio::time::Instant::now() + linger;
        shared.draining.cancel();
        for tunnel in shared.registry.tunnels() {
            tunnel.drain();
        }
        // What was pulled is kept first: not every device would tell it again.
        let _kept = tokio::time::timeout_at(lingered, shared.feeds.ended()).await;
        shared.records.give_up();
        tokio::time::sleep_until(lingered).await;
        shared.lingered.cancel();
        shared.tasks.close();
        let _clients_done = tokio::time::timeout_at(deadline, shared.tasks.wait()).await;
        // Nobody is left to ask: tunnels that did not move on the GOAWAY are told by the close.
        for tunnel in shared.registry.tunnels() {
            tunnel.close(CloseReason::Shutdown);
        }
        shared.uplinks.close();
        let _closed = tokio::time::timeout(LINGER, shared.uplinks.wait()).await;
        shared.records.close().await;
    }
}

fn listen(address: SocketAddr, given: Option<std::net::TcpListener>) -> Result<TcpListener, CloudError> {
    let failed = |source| CloudError::Listen { address, source };
    if let Some(listener) = given {
        listener.set_nonblocking(true).map_err(failed)?;
        return TcpListener::from_std(listener).map_err(failed);
    }
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    socket.listen(BACKLOG).map_err(failed)
}

/// Answers one request of a client connection.
async fn answer(request: Request<Body>, peer: Peer, shared: &Arc<Shared>, api: &Api) -> Response<Body> {
    match gateway::route::route(&request, shared.config.domain.as_deref()) {
        Ok(Some(route)) => {
            let mut response = gateway::answer(request, route, peer, shared).await;
            response.extensions_mut().insert(request::Route::Device);
            response
        }
        Ok(None) => api.clone().answer(request, peer).await,
        Err(refusal) => refusal.into_response(gateway::language(&request)),
    }
}
