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
use connection::{Life, Plan};
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
            match plan(entry, &means, &state) {
                Ok(plan) => {
                    let life = Life { plan, dialler: means.dialler.clone(), status };
                    let follow = Follow::default();
                    let follower = means.events.follow(selection(entry), follow);
                    running.push(Running { entry: entry.clone(), task: tokio::spawn(life.run(follower)) });
                }
                Err(problem) => {
                    tracing::error!(broker = entry.address, problem, "an event broker cannot be used");
                    running.push(Running { entry: entry.clone(), task: tokio::spawn(async {}) });
                }
            }
            reports.set(&entry.address, Some(report));
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

/// Which events go to a broker: an empty filter means all (§9.12.1.1).
fn selection(entry: &BrokerEntry) -> Selection {
    // It was read when it was set.
    Selection::read(&filter(entry)).unwrap_or_else(|problem| {
        tracing::error!(broker = entry.address, %problem, "the filter of an event broker cannot be read, so that all events are sent");
        Selection::default()
    })
}

/// The filter as it was set.
pub(crate) fn filter(entry: &BrokerEntry) -> Filter {
    let kept = entry.publish_filter.iter().filter_map(|xml| Any::from_xml(xml, &Limits::REQUEST).ok());
    Filter::with(|filter| filter.any = kept.collect())
}

/// With what a broker is connected.
fn plan(entry: &BrokerEntry, means: &Means, state: &State) -> Result<Plan, String> {
    let target = Target::parse(&entry.address, SCHEMES).map_err(|error| error.to_string())?;
    let keys = means.keys.with(&state.keystore);
    let (certificate, policy) = (entry.certificate_id.as_deref(), entry.cert_path_validation_policy_id.as_deref());
    let tls = target.tls.then(|| keys.client_config(certificate, policy, means.insecure)).transpose()?;
    let own = seed(&[means.uuid.as_bytes(), entry.address.as_bytes()].concat());
    Ok(Plan {
        // Every broker takes 23 letters and digits (MQTT 3.1.1 §3.1.3.1). One for each address, since two with one id throw each other out.
        client: format!("oriel{own:016x}"),
        seed: own,
        prefix: plain(&entry.topic_prefix),
        qos: Qos::of(entry.qos.into()).unwrap_or_default(),
        user: entry.user_name.clone(),
        password: entry.password.clone(),
        by_uplink: entry.by_uplink,
        tls: tls.map(|mut tls| {
            if target.scheme == "wss" {
                tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            }
            Arc::new(tls)
        }),
        target,
    })
}
