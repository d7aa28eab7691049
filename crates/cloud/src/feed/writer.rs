//! What all feeds have pulled becomes durable in one transaction a second at most: a disk makes a few hundred a second, and there may be thousands of feeds.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::Shared;
use crate::records::{DeviceId, FeedBatch, RecordsError, Trims};

/// How often at most.
const PAUSE: Duration = Duration::from_secs(1);
/// Batches that wait; feeds with more wait themselves.
const WAITING: usize = 1024;
/// Entries of one transaction, so that other changes of the records do not wait long for their turn.
const ENTRIES: usize = 4000;
/// How often devices that are no more are forgotten.
const SWEEP: u32 = 600;

/// The way to the writer.
pub(super) struct Jobs {
    sender: mpsc::Sender<Job>,
    receiver: Mutex<Option<mpsc::Receiver<Job>>>,
}

struct Job {
    batch: FeedBatch,
    done: oneshot::Sender<Outcome>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is durable; the number of the device's newest entry.
    Kept(u64),
    /// The device is registered no more, or its feed is further than the batch thought: whoever kept it has to begin anew.
    Gone,
    /// Another process has the store.
    Ending,
    /// The store does not take it at the moment.
    Failed,
}

impl Jobs {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }

    /// Makes a batch durable.
    pub(super) async fn keep(&self, batch: FeedBatch) -> Outcome {
        let (done, outcome) = oneshot::channel();
        if self.sender.send(Job { batch, done }).await.is_err() {
            return Outcome::Ending;
        }
        outcome.await.unwrap_or(Outcome::Failed)
    }

    fn receiver(&self) -> Option<mpsc::Receiver<Job>> {
        self.receiver.lock().expect("no holder panics").take()
    }
}

/// Writes until the cloud ends; while it drains, at once.
pub(super) async fn run(shared: Arc<Shared>) {
    let Some(mut jobs) = shared.feeds.jobs.receiver() else { return };
    let (mut trims, mut held, mut round) = (Trims::default(), None, 0_u32);
    let mut next = Instant::now();
    loop {
        let first = match held.take() {
            Some(job) => job,
            None => match jobs.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        let _draining = shared.draining.run_until_cancelled(tokio::time::sleep_until(next)).await;
        let together = gather(first, &mut jobs, &mut held);
        let full = together.iter().map(|job| job.batch.entries.len()).sum::<usize>() >= ENTRIES;
        write(together, &shared, &mut trims).await;
        next = Instant::now() + if full { Duration::ZERO } else { PAUSE };
        round = round.wrapping_add(1);
        if round.is_multiple_of(SWEEP) {
            trims.retain(|device| shared.records.device(device).is_some());
        }
    }
}

/// What waits, up to the bound; a second batch of one device is held for the next time.
fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>, held: &mut Option<Job>) -> Vec<Job> {
    let mut entries = first.batch.entries.len();
    let mut devices: HashSet<DeviceId> = [Arc::clone(&first.batch.device)].into();
    let mut together = vec![first];
    while entries < ENTRIES
        && let Ok(job) = jobs.try_recv()
    {
        if !devices.insert(Arc::clone(&job.batch.device)) {
            *held = Some(job);
            break;
        }
        entries += job.batch.entries.len();
        together.push(job);
    }
    together
}

async fn write(jobs: Vec<Job>, shared: &Shared, trims: &mut Trims) {
    let (batches, done): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.batch, job.done)).unzip();
    let outcomes: Vec<Outcome> = match shared.records.keep_feeds(&batches, shared.config.feed.bounds, trims).await {
        Ok(numbers) => {
            let told = batches.iter().zip(numbers).map(|(batch, newest)| {
                let Some(newest) = newest else { return Outcome::Gone };
                shared.feeds.kept(&batch.device, newest);
                Outcome::Kept(newest)
            });
            told.collect()
        }
        Err(RecordsError::Ending) => vec![Outcome::Ending; batches.len()],
        Err(error) => {
            tracing::warn!(%error, feeds = batches.len(), "events of devices are not kept at the moment; the feeds wait");
            vec![Outcome::Failed; batches.len()]
        }
    };
    for (done, outcome) in done.into_iter().zip(outcomes) {
        // Whoever does not wait any more has ended.
        let _gone = done.send(outcome);
    }
}
