//! Where the device's own events come from: the machine that it runs on, and what it remembers (Core §8.9).
//!
//! ```text
//!   /proc, /sys ── linux: one look ──► reading ──► host: what of it is news, and worth a message ──► events
//!                     each 5 s, on a thread that may wait           pure, takes the time
//! ```
//! What the host does not have, it does not offer. What has happened but once, such as a reset, is kept over restarts ([`kept`]); what never
//! happened is told as such ([`first`]). What somebody else knows is told by [`occurrences`] or by the control socket.

mod ethtool;
mod first;
mod host;
mod kept;
mod linux;
pub mod occurrences;
mod reading;
mod sparing;

pub(crate) use occurrences::topic::LAST_RESET;

use crate::config::Sources;
use crate::events::{Events, Occurrence, Untold};
use crate::store::Store;
use host::{Host, News};
use kept::Kept;
use linux::Root;
use occurrences::{described, topic};
use oriel_onvif::events::topics::Description;
use reading::Reading;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How many quick looks go to a slow one.
const SLOW: u32 = 6;

/// The machine that the device runs on, as it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Machine {
    /// The root of its file system.
    pub root: PathBuf,
    /// How often it is looked at: processors and links each time, the rest each sixth time.
    pub every: Duration,
}

impl Default for Machine {
    fn default() -> Self {
        // Core §8.9.1 recommends five seconds.
        Self { root: PathBuf::from("/"), every: Duration::from_secs(5) }
    }
}

/// The watch on the machine, and the memory of what happened. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Monitoring {
    watch: Option<JoinHandle<()>>,
    _kept: Kept,
}

impl Monitoring {
    /// Offers the topics, tells the first states, and goes on telling.
    pub(crate) async fn start(events: Events, store: Store, sources: &Sources) -> Self {
        events.offer(&own());
        events.offer(&sources.topics);
        let mut fed = Vec::new();
        let mut watched = None;
        if let Some(machine) = &sources.machine {
            let root = Root::new(&machine.root);
            let mut watching = Watching { events: events.clone(), root, host: Host::new(), began: Instant::now() };
            fed = watching.look(true).await.unwrap_or_default();
            watched = Some((watching, machine.every));
        }
        let state = store.state();
        for occurrence in first::states(sources, &fed, &state.kept) {
            tell(&events, occurrence);
        }
        // From here on, or the first states would be taken for news.
        let kept = Kept::start(&events, store);
        let watch = watched.map(|(watching, every)| tokio::spawn(watching.run(every)));
        Self { watch, _kept: kept }
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        self.watch.iter().for_each(JoinHandle::abort);
    }
}

/// What every device feeds by itself.
fn own() -> [&'static Description; 3] {
    [topic::LAST_RESET, topic::SHUTDOWN_INITIATED, topic::KEY_STATUS].map(described)
}

/// Tells what happened; that nobody hears of it is no reason to stop.
pub(crate) fn tell(events: &Events, occurrence: Occurrence) {
    match events.tell(occurrence) {
        // What stands in for a camera has no events of its own.
        Ok(()) | Err(Untold::NotOffered(_)) => {}
        Err(untold) => tracing::warn!(%untold, "an event of the device itself cannot be told"),
    }
}

/// Looks at the machine.
struct Watching {
    events: Events,
    root: Root,
    host: Host,
    began: Instant,
}

impl Watching {
    async fn run(mut self, every: Duration) {
        // One timer for all that is looked at.
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for look in 1_u32.. {
            ticks.tick().await;
            if self.look(look.is_multiple_of(SLOW)).await.is_none() {
                return;
            }
        }
    }

    /// One look; gives the topics that turn out to be fed by the machine. Nothing when the runtime ends.
    async fn look(&mut self, slow: bool) -> Option<Vec<&'static str>> {
        let root = self.root.clone();
        // A sensor on a slow bus takes its time to be read.
        let reading: Reading = tokio::task::spawn_blocking(move || root.look(slow)).await.ok()?;
        let News { offer, tell: news } = self.host.handle(self.began.elapsed(), &reading);
        let topics: Vec<_> = offer.iter().map(|topic| described(topic)).collect();
        self.events.offer(&topics);
        news.into_iter().for_each(|occurrence| tell(&self.events, occurrence));
        Some(offer)
    }
}

#[cfg(test)]
mod tests;
