//! Keeps the uplinks that run equal to the uplinks that are wanted (Uplink §5.2).
//!
//! ```text
//!   SetUplink, DeleteUplink ─► store ─watch─► compare(wanted, running) ─► start │ replace │ set rights │ drain
//!                                                                            every uplink dials, waits and redials by itself
//! ```
//! A handler only writes to the store, so a `SetUplink` through the uplink that it changes gets its answer: the old tunnel is drained,
//! and draining ends after the answers that are on their way. Start-up is the same comparison with nothing running.

mod compare;

use crate::call_out::address_policy;
use crate::config::CallOut;
use crate::keystore::KeyStore;
use crate::store::{State, UplinkEntry};
use compare::{Step, compare};
use http::{Request, Response};
use oriel_soap::{Level, Levels};
use oriel_uplink::device::{self, Credentials, Status, Uplink, UplinkConfig};
use oriel_uplink::{Body, RemoteAddress};
use rustls::ClientConfig;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

/// How long the answers that are on their way have before a drained tunnel is closed.
const DRAIN: Duration = Duration::from_secs(10);

/// What came through an uplink: which one, and what it may do at this moment.
#[derive(Clone)]
pub(crate) struct Tunnel {
    /// The uplink's `RemoteAddress`.
    pub(crate) address: Arc<str>,
    rights: watch::Receiver<Levels>,
    /// It is none: this process asks itself, on behalf of whoever configured it.
    own: bool,
}

impl Tunnel {
    /// A tunnel whose rights stay as they are.
    pub(crate) fn fixed(address: &str, levels: Levels) -> Self {
        Self { address: address.into(), rights: watch::channel(levels).1, own: false }
    }

    /// The way by which this process asks itself.
    #[cfg(feature = "bridge")]
    pub(crate) fn own() -> Self {
        Self { own: true, ..Self::fixed("this bridge", Levels::of(Level::Administrator)) }
    }

    /// Whether it leads out of this process.
    pub(crate) fn leads_out(&self) -> bool {
        !self.own
    }

    /// What a request that arrives now may do.
    pub(crate) fn levels(&self) -> Levels {
        *self.rights.borrow()
    }
}

/// Serves a request that came through a tunnel.
pub(crate) type Serve =
    Arc<dyn Fn(Tunnel, Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync>;

/// What the supervisor dials with.
pub(crate) struct Means {
    /// The device's name: no two devices wait alike (Uplink §5.2).
    pub(crate) uuid: Uuid,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) call_out: CallOut,
    pub(crate) insecure: bool,
    pub(crate) serve: Serve,
    /// The TLS set-ups that were made, by certificate and policy.
    pub(crate) made: HashMap<(Option<String>, Option<String>), Arc<ClientConfig>>,
}

/// How an uplink does, for GetUplinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// `Offline`, `Connecting` or `Connected`.
    pub(crate) status: device::State,
    /// Why not, naming the layer that failed.
    pub(crate) error: Option<String>,
}

/// How every uplink does; shared with the services.
#[derive(Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<Vec<(String, Source)>>>);

enum Source {
    Live(watch::Receiver<Status>),
    /// It cannot even be dialled.
    Unusable(String),
}

impl Reports {
    /// How the uplink of an address does; nothing runs for it yet when there is no report.
    pub(crate) fn of(&self, address: &str) -> Option<Report> {
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, source) = reports.iter().find(|(key, _)| key == address)?;
        Some(match source {
            Source::Unusable(error) => Report { status: device::State::Offline, error: Some(error.clone()) },
            Source::Live(status) => {
                let status = status.borrow();
                Report { status: status.state, error: status.error.clone() }
            }
        })
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reports")
    }
}

/// The running supervisor. Dropping it ends every uplink at once.
pub(crate) struct Supervisor {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// Starts what the store wants, and follows it from then on.
    pub(crate) fn start(wanted: watch::Receiver<Arc<State>>, means: Means, reports: Reports) -> Self {
        let (stop, stopped) = oneshot::channel();
        let driver = Driver { means, reports, running: Vec::new(), draining: JoinSet::new() };
        Self { stop: Some(stop), task: tokio::spawn(driver.run(wanted, stopped)) }
    }

    /// Drains every uplink, and returns when all are closed.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        // An error means that the task is already gone.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Running {
    entry: UplinkEntry,
    rights: watch::Sender<Levels>,
    /// None when it cannot even be dialled; the report says why.
    uplink: Option<Uplink>,
}

struct Driver {
    means: Means,
    reports: Reports,
    running: Vec<Running>,
    draining: JoinSet<()>,
}

impl Driver {
    async fn run(mut self, mut wanted: watch::Receiver<Arc<State>>, mut stopped: oneshot::Receiver<()>) {
        loop {
            let state = wanted.borrow_and_update().clone();
            let running: Vec<&UplinkEntry> = self.running.iter().map(|running| &running.entry).collect();
            for step in compare(&state.uplinks, &running) {
                self.take(step, &state);
            }
            self.means.forget(&state.uplinks);
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { break },
                _ = &mut stopped => break,
                Some(_) = self.draining.join_next() => {}
            }
        }
        for running in std::mem::take(&mut self.running) {
            self.drain(running);
        }
        while self.draining.join_next().await.is_some() {}
    }

    fn take(&mut self, step: Step, state: &State) {
        match step {
            Step::Start(entry) => self.start(entry, state),
            Step::Replace(entry) => {
                // The new tunnel is dialled while the old one finishes its answers; what still comes in there has the new rights.
                let old = self.remove(&entry);
                if let Some(old) = old {
                    old.rights.send_replace(levels(&entry.user_level));
                    self.drain(old);
                }
                self.start(entry, state);
            }
            Step::Drain(entry) => {
                if let Some(old) = self.remove(&entry) {
                    // What was let in is answered; what comes now has no rights left.
                    old.rights.send_replace(Levels::ANONYMOUS);
                    self.drain(old);
                }
            }
            Step::SetRights(entry) => {
                if let Some(running) =
                    self.running.iter_mut().find(|running| running.entry.is_at(&entry.remote_address))
                {
                    running.rights.send_replace(levels(&entry.user_level));
                    running.entry = entry;
                }
            }
        }
    }

    fn start(&mut self, entry: UplinkEntry, state: &State) {
        let (rights, current) = watch::channel(levels(&entry.user_level));
        let uplink = self.means.plan(&entry, state).map(|config| {
            let (serve, tunnel) = (
                Arc::clone(&self.means.serve),
                Tunnel { address: entry.remote_address.as_str().into(), rights: current, own: false },
            );
            Uplink::start(config, move |request| serve(tunnel.clone(), request))
        });
        let source = match &uplink {
            Ok(uplink) => Source::Live(uplink.status()),
            Err(error) => Source::Unusable(error.clone()),
        };
        self.set_report(&entry.remote_address, Some(source));
        self.running.push(Running { entry, rights, uplink: uplink.ok() });
    }

    fn remove(&mut self, entry: &UplinkEntry) -> Option<Running> {
        let index = self.running.iter().position(|running| running.entry.is_at(&entry.remote_address))?;
        let running = self.running.swap_remove(index);
        self.set_report(&running.entry.remote_address, None);
        Some(running)
    }

    fn drain(&mut self, running: Running) {
        if let Some(uplink) = running.uplink {
            self.draining.spawn(uplink.drain(DRAIN));
        }
    }

    fn set_report(&self, address: &str, source: Option<Source>) {
        let mut reports = self.reports.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.retain(|(key, _)| key != address);
        reports.extend(source.map(|source| (address.to_owned(), source)));
    }
}

/// The rights of a list that was checked when it was set; a name that is no level any more gives none.
fn levels(names: &[String]) -> Levels {
    names.iter().filter_map(|name| name.parse::<Level>().ok()).collect()
}

impl Means {
    /// With what an uplink is dialled, or the sentence for its `Error`.
    fn plan(&mut self, entry: &UplinkEntry, state: &State) -> Result<UplinkConfig, String> {
        let address: RemoteAddress = entry.remote_address.parse().map_err(|error| format!("address: {error}"))?;
        let tls = self.tls(entry.certificate_id.as_deref(), entry.cert_path_validation_policy_id.as_deref(), state)?;
        let seed = [self.uuid.as_bytes(), entry.remote_address.as_bytes()].concat();
        let mut config = UplinkConfig::new(address, Credentials { tls, token: None }, device::seed(&seed));
        config.policy = address_policy(&self.call_out, entry.by_uplink);
        Ok(config)
    }

    /// The TLS set-up for a certificate and a policy, made once: uplinks that share both share its memory. Ids are never used again for
    /// another certificate or policy, so what was made stays right.
    fn tls(
        &mut self,
        certificate: Option<&str>,
        policy: Option<&str>,
        state: &State,
    ) -> Result<Arc<ClientConfig>, String> {
        let key = (certificate.map(str::to_owned), policy.map(str::to_owned));
        if let Some(made) = self.made.get(&key) {
            return Ok(Arc::clone(made));
        }
        let tls = self.keys.with(&state.keystore).client_config(certificate, policy, self.insecure)?;
        Ok(Arc::clone(self.made.entry(key).or_insert(Arc::new(tls))))
    }

    /// Lets go of the set-ups, and the private keys in them, that no uplink is configured with any more.
    fn forget(&mut self, uplinks: &[UplinkEntry]) {
        self.made.retain(|(certificate, policy), _| {
            uplinks
                .iter()
                .any(|entry| entry.certificate_id == *certificate && entry.cert_path_validation_policy_id == *policy)
        });
    }
}

/// A tunnel with the rights of a user.
#[cfg(test)]
pub(crate) fn tunnel_for_tests() -> Tunnel {
    let (_, rights) = watch::channel(Level::User.into());
    Tunnel { address: "https://cloud.example/".into(), rights, own: false }
}
