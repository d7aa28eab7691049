//! One configured uplink, alive: drives [`crate::machine`], dials, serves, and publishes its status (Uplink §5.2).

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use http::{Request, Response};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use super::{
    AddressPolicy, Closed, CredentialSource, Dial, DialError, Layer, Limits, Link, State, Status, Stop, Timeouts, dial,
};
use crate::{
    Body, RemoteAddress,
    backoff::{Backoff, Failure},
    machine::{Input, Machine, Output, TunnelId},
};

/// A boxed future, as traits return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How an uplink gets a connection: by TLS in life, by a pipe in tests.
pub trait Connect: Send + Sync + 'static {
    /// One attempt. `refresh` asks for a new token first.
    fn connect(&self, refresh: bool) -> BoxFuture<'_, Result<Link, DialError>>;
}

/// All that an uplink needs.
#[derive(Clone)]
pub struct UplinkConfig {
    /// Where to dial.
    pub address: RemoteAddress,
    /// What to authenticate with.
    pub credentials: Arc<dyn CredentialSource>,
    /// Which addresses may be called.
    pub policy: AddressPolicy,
    /// Bounds of each tunnel.
    pub limits: Limits,
    /// Deadlines of each dial.
    pub timeouts: Timeouts,
    /// What makes this device's ladder its own: [`crate::backoff::seed`].
    pub seed: u64,
}

impl UplinkConfig {
    /// A configuration with default bounds and no address policy.
    pub fn new(address: RemoteAddress, credentials: impl CredentialSource, seed: u64) -> Self {
        Self {
            address,
            credentials: Arc::new(credentials),
            policy: AddressPolicy::any(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            seed,
        }
    }
}

impl std::fmt::Debug for UplinkConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UplinkConfig").field("address", &self.address).finish_non_exhaustive()
    }
}

struct TlsDialler {
    config: UplinkConfig,
}

impl Connect for TlsDialler {
    fn connect(&self, refresh: bool) -> BoxFuture<'_, Result<Link, DialError>> {
        Box::pin(async move {
            let UplinkConfig { address, credentials, policy, timeouts, .. } = &self.config;
            let after = timeouts.credentials;
            let credentials = timeout(after, credentials.credentials(refresh))
                .await
                .map_err(|_| DialError::Timeout { layer: Layer::Token, after })?
                .map_err(|error| DialError::Credentials { text: error.to_string() })?;
            let attempt = Dial {
                address: address.clone(),
                tls: credentials.tls,
                token: credentials.token,
                policy: policy.clone(),
                timeouts: *timeouts,
            };
            dial(&attempt).await
        })
    }
}

enum Command {
    Drain(Duration),
    Redial,
}

/// An uplink that keeps itself connected. Dropping it ends everything that it started.
#[derive(Debug)]
pub struct Uplink {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    task: JoinHandle<()>,
}

impl Uplink {
    /// Starts dialling at once. Needs a tokio runtime.
    pub fn start<S, F>(config: UplinkConfig, service: S) -> Self
    where
        S: Fn(Request<Body>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let (limits, seed) = (config.limits.clone(), config.seed);
        Self::start_with(TlsDialler { config }, limits, seed, service)
    }

    /// [`Uplink::start`] over another kind of connection.
    pub fn start_with<C, S, F>(connector: C, limits: Limits, seed: u64, service: S) -> Self
    where
        C: Connect,
        S: Fn(Request<Body>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let (commands, asked) = mpsc::channel(8);
        // Each tunnel sends one word, and few stand at a time.
        let (goaway_tx, goaways) = mpsc::channel(64);
        let (publish, status) = watch::channel(Status::default());
        let life = Life {
            connector: Arc::new(connector),
            limits,
            service,
            machine: Machine::new(Instant::now(), Backoff::new(seed)),
            dialling: None,
            tunnels: JoinSet::new(),
            stops: HashMap::new(),
            goaway_tx,
            publish,
        };
        let task = tokio::spawn(life.run(asked, goaways));
        Self { commands, status, task }
    }

    /// The status, live.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Dials a second tunnel at once and closes the first when its streams are done: credentials have changed.
    pub fn redial(&self) {
        // Fails after the end, when there is nothing to replace, and while as many are waiting that one more says nothing.
        let _ = self.commands.try_send(Command::Redial);
    }

    /// Ends the uplink: no more dialling; streams in flight may finish within `within`.
    pub async fn drain(mut self, within: Duration) {
        let _ = self.commands.send(Command::Drain(within)).await;
        // The tunnels keep the bound themselves; this one only guards against a service that blocks its thread.
        let _ = timeout(within + Duration::from_secs(1), &mut self.task).await;
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Dialling {
    id: TunnelId,
    attempt: BoxFuture<'static, Result<Link, DialError>>,
}

/// The driver of one uplink's machine.
struct Life<C, S> {
    connector: Arc<C>,
    limits: Limits,
    service: S,
    machine: Machine,
    dialling: Option<Dialling>,
    tunnels: JoinSet<(TunnelId, Closed)>,
    stops: HashMap<TunnelId, Stop>,
    goaway_tx: mpsc::Sender<TunnelId>,
    publish: watch::Sender<Status>,
}

impl<C, S, F> Life<C, S>
where
    C: Connect,
    S: Fn(Request<Body>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    async fn run(mut self, mut asked: mpsc::Receiver<Command>, mut goaways: mpsc::Receiver<TunnelId>) {
        loop {
            let wake = match self.machine.poll(Instant::now()) {
                Output::Dial { id, refresh } => {
                    self.dial(id, refresh);
                    continue;
                }
                Output::Retire(id) => {
                    if let Some(stop) = self.stops.get(&id) {
                        stop.retire(self.limits.linger, self.limits.drain);
                    }
                    continue;
                }
                Output::Done => return self.publish_state(),
                Output::WaitUntil(at) => Some(at),
                Output::Wait => None,
            };
            self.publish_state();
            tokio::select! {
                biased;
                Some(command) = asked.recv() => self.obey(&command),
                result = attempt(&mut self.dialling) => self.dialled(result),
                Some(ended) = self.tunnels.join_next(), if !self.tunnels.is_empty() => self.closed(ended),
                Some(id) = goaways.recv() => self.machine.handle(Instant::now(), Input::Replace(id)),
                () = at(wake), if wake.is_some() => {}
            }
        }
    }

    fn dial(&mut self, id: TunnelId, refresh: bool) {
        let connector = Arc::clone(&self.connector);
        let attempt = Box::pin(async move { connector.connect(refresh).await });
        self.dialling = Some(Dialling { id, attempt });
    }

    fn dialled(&mut self, (id, result): (TunnelId, Result<Link, DialError>)) {
        self.dialling = None;
        let now = Instant::now();
        match result {
            Ok(link) => {
                tracing::debug!(tunnel = id, "an uplink stands");
                self.machine.handle(now, Input::Dialled(id));
                self.serve(id, link);
                self.publish.send_modify(|status| {
                    status.error = None;
                    status.layer = None;
                });
            }
            Err(error) => {
                tracing::debug!(%error, "an uplink could not be dialled");
                self.machine.handle(now, Input::DialFailed(error.failure()));
                self.publish.send_modify(|status| {
                    status.error = Some(error.to_string());
                    status.layer = Some(error.layer());
                });
            }
        }
    }

    fn serve(&mut self, id: TunnelId, link: Link) {
        let stop = Stop::new();
        self.stops.insert(id, stop.clone());
        self.publish.borrow().totals.stands(id, Arc::clone(link.meter()));
        let (service, limits, goaways) = (self.service.clone(), self.limits.clone(), self.goaway_tx.clone());
        self.tunnels.spawn(async move {
            // Nobody listens only when the uplink itself is gone.
            let on_goaway = move || {
                let _ = goaways.try_send(id);
            };
            (id, Box::pin(link.serve_noting(service, &limits, stop, on_goaway)).await)
        });
    }

    fn closed(&mut self, ended: Result<(TunnelId, Closed), JoinError>) {
        let Ok((id, closed)) = ended else {
            // A panic inside hyper's connection: all that is known is which tunnel no longer runs.
            return self.forget_dead();
        };
        tracing::debug!(tunnel = id, %closed, "an uplink ended");
        self.forget(id);
        let alone = self.stops.is_empty();
        self.publish.send_modify(|status| {
            status.last_close = Some(closed.to_string());
            if alone && closed != Closed::Drained {
                status.error = Some(format!("HTTP/2: {closed}"));
                status.layer = Some(Layer::Http2);
            }
        });
    }

    fn forget(&mut self, id: TunnelId) {
        self.stops.remove(&id);
        self.publish.borrow().totals.ended(id);
        self.machine.handle(Instant::now(), Input::Closed(id));
    }

    /// Without knowing which tunnel died, all are ended: the ladder brings one back.
    fn forget_dead(&mut self) {
        self.tunnels.abort_all();
        for id in self.stops.keys().copied().collect::<Vec<_>>() {
            self.forget(id);
        }
    }

    fn obey(&mut self, command: &Command) {
        let now = Instant::now();
        match command {
            Command::Redial => self.machine.handle(now, Input::Redial),
            Command::Drain(within) => {
                self.limits.drain = *within;
                for stop in self.stops.values() {
                    stop.drain(*within);
                }
                self.machine.handle(now, Input::Stop);
                if self.dialling.take().is_some() {
                    self.machine.handle(now, Input::DialFailed(Failure::Transient));
                }
            }
        }
    }

    fn publish_state(&self) {
        let since = self.machine.standing_since();
        let state = match since {
            Some(_) => State::Connected,
            None if self.machine.dialling() => State::Connecting,
            None => State::Offline,
        };
        let (attempts, next) = (self.machine.attempts(), self.machine.next_attempt());
        self.publish.send_if_modified(|status| {
            let same = status.state == state
                && status.attempts == attempts
                && status.connected_since == since
                && status.next_attempt_at == next;
            status.state = state;
            status.attempts = attempts;
            status.connected_since = since;
            status.next_attempt_at = next;
            !same
        });
    }
}

/// Waits for the running attempt; for ever if there is none.
async fn attempt(dialling: &mut Option<Dialling>) -> (TunnelId, Result<Link, DialError>) {
    match dialling {
        Some(running) => (running.id, running.attempt.as_mut().await),
        None => std::future::pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
