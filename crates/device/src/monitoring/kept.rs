//! Keeps over restarts what nobody could find out again: when the device was reset, serviced and backed up, and which limits of its life
//! it has reached (Core §8.9.4). Whoever tells it, by whichever way, need not care.

use super::{first, occurrences::topic};
use crate::events::{Events, Follow, Next, Notification};
use crate::store::{ChangeError, Store};
use oriel_onvif::events::Selection;
use oriel_onvif::events::topics::{self, Description};
use std::convert::Infallible;
use tokio::task::JoinHandle;

/// The keeper. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Kept(JoinHandle<()>);

impl Kept {
    /// Keeps what is told from now on.
    pub(super) fn start(events: &Events, store: Store) -> Self {
        let mut follow = Follow::default();
        (follow.initialized, follow.capacity) = (false, 64);
        let mut follower = events.follow(Selection::default(), follow);
        Self(tokio::spawn(async move {
            loop {
                match follower.next().await {
                    Next::Message(message) => keep(&store, &message).await,
                    Next::Lost(_) => follower.synchronise(),
                    _ => return,
                }
            }
        }))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether the states of this topic are kept. The boot and the clock are the machine's to know.
fn is_kept(description: &Description) -> bool {
    let lasting = ["Monitoring/OperatingTime/", "Monitoring/Maintenance/", "Monitoring/Backup/"];
    let found_out = [topic::LAST_REBOOT, topic::LAST_CLOCK_SYNCHRONIZATION];
    lasting.iter().any(|branch| description.topic.starts_with(branch)) && !found_out.contains(&description.topic)
}

async fn keep(store: &Store, message: &Notification) {
    let Some(description) = topics::describe(&message.topic).filter(|description| is_kept(description)) else { return };
    let value = first::status(description).and_then(|item| message.message.value(item.name)).map(str::to_owned);
    let topic = description.topic.to_owned();
    let kept = store.change::<(), Infallible>(move |state| {
        match value {
            Some(value) => state.kept.insert(topic, value),
            None => state.kept.remove(&topic),
        };
        Ok(())
    });
    if let Err(ChangeError::NotStored(error)) = kept.await {
        tracing::warn!(%error, topic = description.topic, "a state cannot be kept: it is forgotten at the next start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_are_states_of_the_whole_device_with_one_value() {
        let kept: Vec<_> = topics::catalogue().iter().filter(|topic| is_kept(topic)).collect();
        assert_eq!(kept.len(), 7, "{kept:?}");
        assert!(kept.iter().all(|topic| first::status(topic).is_some()), "{kept:?}");
    }
}
