//! Event brokers: what happens is published by MQTT to the brokers that are configured (Core §9.12).
//!
//! ```text
//!   AddEventBroker, DeleteEventBroker ─► store ─watch─► compare(wanted, running) ─► start │ replace │ end
//!                                                                                      │
//!   hub ─► Follower: a bounded queue ─► payload ─► session: QoS ─► packet ─► connection ┘ dialled by the call-out policy, again and again
//! ```
//! The handlers write to the store and connect nothing; start-up is the same comparison with nothing running. While a broker is away, what happens waits in the
//! queue of its follower, and states of properties longest; when it is back, all states are told once more, since it may have lost them.

mod connection;
mod packet;
mod payload;
mod session;

pub(crate) use connection::SCHEMES;
pub(crate) use packet::Qos;
pub(crate) use payload::plain;

use super::{Events, Follow};
use crate::call_out::{Dialler, Target};
use crate::keystore::KeyStore;
use crate::store::{BrokerEntry, State};
use connection::{Life, Plan, SetUp};
use oriel_onvif::events::{Filter, Selection};
use oriel_soap::With;
use oriel_soap::xml::{Any, Limits};
use oriel_uplink::device::seed;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How a broker does (`tev:ConnectionStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Status {
    /// Not connected, and waiting for the next attempt.
    #[default]
    Offline,
    /// Trying.
    Connecting,
    /// The broker took us in.
    Connected,
}

/// How every broker does, by its address; shared with the services.
#[derive(Clone, Default)]
pub(crate) struct BrokerReports(Arc<Mutex<Reported>>);

type Reported = Vec<(String, watch::Receiver<Status>)>;

impl BrokerReports {
    /// How the broker of an address does.
    pub(crate) fn of(&self, address: &str) -> Status {
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.iter().find(|(key, _)| key == address).map(|(_, status)| *status.borrow()).unwrap_or_default()
    }

    fn set(&self, address: &str, status: Option<watch::Receiver<Status>>) {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.retain(|(key, _)| key != address);
        reports.extend(status.map(|status| (address.to_owned(), status)));
    }
}

impl fmt::Debug for BrokerReports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrokerReports")
    }
}

/// What brokers are connected with.
pub(crate) struct Means {
    /// The device's name: no two devices wait alike, and each is another client.
    pub(crate) uuid: Uuid,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) dialler: Dialler,
    /// Brokers without a policy are believed whatever they show.
    pub(crate) insecure: bool,
    pub(crate) events: Events,
}

/// Everything that runs for brokers. Dropping it ends it.
pub(crate) struct Brokers(JoinHandle<()>);

impl fmt::Debug for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brokers").finish_non_exhaustive()
    }
}

impl Brokers {
    /// Connects what the store wants, and follows it from then on.
    pub(crate) fn start(wanted: watch::Receiver<Arc<State>>, means: Means, reports: BrokerReports) -> Self {
        Self(tokio::spawn(run(wanted, means, reports)))
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One that runs.
struct Running {
    entry: BrokerEntry,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut wanted: watch::Receiver<Arc<State>>, means: Means, reports: BrokerReports) {
    let means = Arc::new(means);
    let mut running: Vec<Running> = Vec::new();
    loop {
        let state = wanted.borrow_and_update().clone();
        running.retain(|running| {
            let stays = state.brokers.contains(&running.entry);
            if !stays {
                reports.set(&running.entry.address, None);
            }
            stays
        });
        for entry in &state.brokers {
            if running.iter().any(|running| running.entry == *entry) {
                continue;
            }
            let (status, report) = watch::channel(Status::Offline);
            let task = match plan(entry, means.uuid) {
                Ok((plan, selection)) => {
                    let set_up = set_up(entry.clone(), Arc::clone(&means), wanted.clone());
                    let life = Life { plan, set_up, dialler: means.dialler.clone(), status };
                    tokio::spawn(life.run(means.events.follow(selection, Follow::default())))
                }
                Err(problem) => {
                    tracing::error!(
                        broker = shown(entry),
                        problem,
                        "an event broker cannot be used, and hears nothing"
                    );
                    tokio::spawn(async {})
                }
            };
            running.push(Running { entry: entry.clone(), task });
            reports.set(&entry.address, Some(report));
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

/// Whether the address means this entry, however it is written: letter case, and a port or path that goes without saying, make no other place.
pub(crate) fn is_at(entry: &BrokerEntry, address: &str) -> bool {
    let read = |text| Target::parse(text, SCHEMES);
    entry.address == address || matches!((read(&entry.address), read(address)), (Ok(own), Ok(other)) if own == other)
}

/// The address for a log: without its path, which may hold a secret.
fn shown(entry: &BrokerEntry) -> String {
    Target::parse(&entry.address, SCHEMES).map_or_else(|_| "with no address".to_owned(), |target| target.to_string())
}

/// The filter as it was set.
///
/// # Errors
/// It cannot be read again. Nobody knows then what the broker may hear.
pub(crate) fn filter(entry: &BrokerEntry) -> Result<Filter, String> {
    let kept = entry.publish_filter.iter().map(|xml| Any::from_xml(xml, &Limits::REQUEST));
    let kept = kept.collect::<Result<_, _>>().map_err(|error| format!("its filter cannot be read: {error}"))?;
    Ok(Filter::with(|filter| filter.any = kept))
}

/// With what a broker is connected, and what it hears: of an empty filter everything (§9.12.1.1).
fn plan(entry: &BrokerEntry, uuid: Uuid) -> Result<(Plan, Selection), String> {
    let target = Target::parse(&entry.address, SCHEMES).map_err(|error| error.to_string())?;
    let selection = Selection::read(&filter(entry)?).map_err(|bad| format!("its filter cannot be read: {bad}"))?;
    let own = seed(&[uuid.as_bytes(), target.to_string().as_bytes(), target.path.as_bytes()].concat());
    let plan = Plan {
        // Every broker takes 23 letters and digits (MQTT 3.1.1 §3.1.3.1). One for each address, since two with one id throw each other out.
        client: format!("oriel{own:016x}"),
        seed: own,
        prefix: plain(&entry.topic_prefix),
        qos: Qos::of(entry.qos.into()).ok_or_else(|| format!("its QoS is {}", entry.qos))?,
        user: entry.user_name.clone(),
        password: entry.password.clone(),
        by_uplink: entry.by_uplink,
        target,
    };
    Ok((plan, selection))
}

/// TLS as the entry and the key store of that moment want it.
fn set_up(entry: BrokerEntry, means: Arc<Means>, state: watch::Receiver<Arc<State>>) -> SetUp {
    Box::new(move || {
        let state = Arc::clone(&state.borrow());
        let (certificate, policy) = (entry.certificate_id.as_deref(), entry.cert_path_validation_policy_id.as_deref());
        means.keys.with(&state.keystore).client_config(certificate, policy, means.insecure)
    })
}

#[cfg(test)]
mod tests;
