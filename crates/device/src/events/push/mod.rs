//! WS-BaseNotification: messages that the device sends to those who subscribed with an address of theirs (Core §9.3).
//!
//! ```text
//!   Subscribe ─► hub: a subscription with an end ─► Follower ─► Delivery: what, when ─► Consumer: POST Notify ─► call-out policy
//!   Renew, Unsubscribe, Pause, Resume ─► hub ──────────┘ ends or rests
//! ```

mod consumer;
mod delivery;

use super::{Follower, Next, Notification};
use crate::call_out::{Dialler, Scheme, Target, TargetError};
use consumer::{Consumer, Means};
use delivery::{Delivery, Outcome, Step};
use oriel_onvif::notification::EndpointReference;
use oriel_uplink::device::seed;
use rustls::ClientConfig;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// How a consumer is reached.
const SCHEMES: &[Scheme] = &[("http", false, 80), ("https", true, 443)];
/// What a consumer may want in the headers of each message, in bytes of XML.
const MAX_PARAMETERS: usize = 4096;

/// Everything that is sent to consumers. Dropping it ends it.
pub(crate) struct Push {
    means: Arc<Means>,
    /// What makes this device's pauses its own.
    identity: Uuid,
    tasks: Mutex<JoinSet<()>>,
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").finish_non_exhaustive()
    }
}

/// A consumer that may be called.
#[derive(Debug)]
pub(crate) struct Callable(Consumer);

/// Why a consumer cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncallable {
    /// Its address is none of HTTP.
    #[error("the consumer's address cannot be used: {0}")]
    Address(#[from] TargetError),
    /// The policy of call-outs.
    #[error("the consumer's address is {0}, which this device is not configured to call")]
    Refused(&'static str),
    /// It wants too much in the headers.
    #[error("the consumer's reference parameters are longer than {MAX_PARAMETERS} bytes")]
    Parameters,
    /// Nobody can be believed.
    #[error("the consumer's address needs TLS, which this device cannot set up: {0}")]
    Tls(String),
}

impl Push {
    /// `tls` says whom consumers with https are believed to be; it is asked when the first one comes.
    pub(crate) fn new(
        dialler: Dialler,
        identity: Uuid,
        tls: impl Fn() -> Result<ClientConfig, String> + Send + Sync + 'static,
    ) -> Self {
        let (tls, made) = (Box::new(tls), OnceLock::new());
        Self { means: Arc::new(Means { dialler, tls, made }), identity, tasks: Mutex::default() }
    }

    /// Whether a consumer may be called, as far as its address says. A name is judged by its addresses, each time that it is dialled.
    ///
    /// # Errors
    /// [`Uncallable`].
    pub(crate) fn check(&self, consumer: &EndpointReference, by_uplink: bool) -> Result<Callable, Uncallable> {
        let target = Target::parse(&consumer.address, SCHEMES)?;
        if let Some(kind) = self.means.dialler.refused(&target, by_uplink) {
            return Err(Uncallable::Refused(kind));
        }
        let parameters = consumer.reference_parameters.iter().flat_map(|parameters| &parameters.any);
        if parameters.map(|any| any.as_xml().len()).sum::<usize>() > MAX_PARAMETERS {
            return Err(Uncallable::Parameters);
        }
        if target.tls {
            self.means.tls().map_err(Uncallable::Tls)?;
        }
        Ok(Callable(Consumer::new(target, consumer, by_uplink)))
    }

    /// What else dials by the same policy.
    pub(crate) fn dialler(&self) -> &Dialler {
        &self.means.dialler
    }

    /// Sends what the follower hears, until it ends.
    pub(crate) fn start(&self, follower: Follower, Callable(consumer): Callable, id: &str) {
        let seed = seed(&[self.identity.as_bytes(), id.as_bytes()].concat());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(deliver(follower, consumer, Arc::clone(&self.means), seed));
    }
}

async fn deliver(mut follower: Follower, mut consumer: Consumer, means: Arc<Means>, seed: u64) {
    let begun = Instant::now();
    let mut delivery = Delivery::new(seed);
    let mut away = false;
    loop {
        match delivery.step(begun.elapsed()) {
            Step::Rest => {
                let next = follower.next().await;
                if !take(next, &mut delivery, &consumer) {
                    return;
                }
                if !fill(&mut follower, &mut delivery, &consumer).await {
                    return;
                }
            }
            Step::Wait(until) => tokio::select! {
                () = follower.ended() => return,
                () = sleep_until(begun + until) => {}
            },
            Step::Send => {
                // What is paused sends nothing, not even what it tried before.
                if !follower.open().await {
                    return;
                }
                let message = consumer.envelope(delivery.sending(), follower.producer());
                let outcome = tokio::select! {
                    () = follower.ended() => return,
                    outcome = consumer.post(message, &means) => outcome,
                };
                told(&outcome, &mut away, &consumer);
                if delivery.sent(begun.elapsed(), &outcome).is_some() {
                    tracing::warn!(
                        consumer = consumer.shown(),
                        "a message was refused again and again, and is given up"
                    );
                }
            }
        }
    }
}

/// What waits already goes along.
async fn fill(follower: &mut Follower, delivery: &mut Delivery<Arc<Notification>>, consumer: &Consumer) -> bool {
    while delivery.has_room() {
        let next = tokio::select! {
            biased;
            next = follower.next() => next,
            () = std::future::ready(()) => return true,
        };
        if !take(next, delivery, consumer) {
            return false;
        }
    }
    true
}

/// Whether it goes on.
fn take(next: Next, delivery: &mut Delivery<Arc<Notification>>, consumer: &Consumer) -> bool {
    match next {
        Next::Message(message) => delivery.add(message),
        Next::Lost(lost) => {
            tracing::warn!(lost, consumer = consumer.shown(), "a consumer was away for long, and messages had to go");
        }
        Next::Ended => return false,
    }
    true
}

/// Says once that a consumer is away, and once that it is back.
fn told(outcome: &Outcome, away: &mut bool, consumer: &Consumer) {
    let consumer = consumer.shown();
    let problem = match outcome {
        Outcome::Taken if !std::mem::take(away) => return,
        Outcome::Taken => return tracing::info!(consumer, "a consumer takes messages again"),
        Outcome::Refused(status) => format!("it answered {status}"),
        Outcome::Away(problem, _) => problem.clone(),
    };
    if std::mem::replace(away, true) {
        tracing::debug!(consumer, problem, "a consumer still takes no messages");
    } else {
        tracing::warn!(consumer, problem, "a consumer takes no messages");
    }
}
