//! Makes the keys that the store wants and does not have yet (Security §5.2.6.2), and tells how they do (Security §5.5.8.1). As with uplinks,
//! the handler only writes; a start after a power cut is the same comparison.

use crate::events::Events;
use crate::monitoring::tell;
use crate::occurrences::{KeyStatus, key_status};
use crate::store::{ChangeError, KeyEntry, Material, State, Store};
use oriel_trust::{KeyAlgorithm, KeyPair};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The pause after a disk that did not take a key.
const AGAIN: Duration = Duration::from_secs(5);

/// The running maker. Dropping it ends it; a key that is being made at that moment is made again at the next start.
pub(crate) struct KeyMaker(JoinHandle<()>);

impl KeyMaker {
    pub(crate) fn start(store: Store, events: Events) -> Self {
        Self(tokio::spawn(run(store, events)))
    }
}

impl Drop for KeyMaker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long a key takes on a small processor, more or less: primes are found by chance.
pub(crate) fn estimate(algorithm: KeyAlgorithm) -> Duration {
    Duration::from_millis(match algorithm {
        KeyAlgorithm::P256 | KeyAlgorithm::P384 => 100,
        KeyAlgorithm::Rsa2048 => 1_000,
        KeyAlgorithm::Rsa3072 => 4_000,
        _ => 10_000,
    })
}

/// What is to be made next: the quickest, so that a curve does not wait for primes. One at a time, since a camera has other things to do.
fn next(state: &State) -> Option<(String, KeyAlgorithm)> {
    let wanted = |key: &KeyEntry| match key.material {
        Material::Generating { algorithm } => Some((key.id.clone(), algorithm)),
        _ => None,
    };
    state.keystore.keys.iter().filter_map(wanted).min_by_key(|(_, algorithm)| estimate(*algorithm))
}

async fn run(store: Store, events: Events) {
    let mut changes = store.watch();
    let mut wanted = Wanted { events, told: BTreeSet::new() };
    loop {
        let next = {
            let state = changes.borrow_and_update();
            wanted.look(&state);
            next(&state)
        };
        let Some((id, algorithm)) = next else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        let Some(material) = wanted.while_making(algorithm, &mut changes).await else { return };
        tracing::debug!(key = %id, ?algorithm, ok = material.has_private(), "a key was made");
        let status = if material.has_private() { KeyStatus::Ok } else { KeyStatus::Corrupt };
        let key = id.clone();
        match store.change(move |state| put(state, &key, material)).await {
            Ok(true) => wanted.made(&id, status),
            // It was deleted meanwhile.
            Ok(false) => {}
            Err(ChangeError::Refused(never)) => match never {},
            Err(ChangeError::NotStored(error)) => {
                tracing::warn!(%error, "a new key cannot be stored; it will be made again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// The keys that are wanted, as far as that was told.
struct Wanted {
    events: Events,
    told: BTreeSet<String>,
}

impl Wanted {
    /// Tells of the keys that are new.
    fn look(&mut self, state: &State) {
        let generating = |key: &&KeyEntry| matches!(key.material, Material::Generating { .. });
        let now: BTreeSet<String> = state.keystore.keys.iter().filter(generating).map(|key| key.id.clone()).collect();
        for id in now.difference(&self.told) {
            // Security §5.5.8.1: there is no old status.
            tell(&self.events, key_status(id, None, KeyStatus::Generating));
        }
        self.told = now;
    }

    /// Makes a key, and tells of others that come meanwhile. None when the runtime ends.
    async fn while_making(
        &mut self,
        algorithm: KeyAlgorithm,
        changes: &mut watch::Receiver<Arc<State>>,
    ) -> Option<Material> {
        let mut making = tokio::task::spawn_blocking(move || KeyPair::generate(algorithm));
        loop {
            let made = tokio::select! {
                made = &mut making => made,
                Ok(()) = changes.changed() => {
                    self.look(&changes.borrow_and_update());
                    continue;
                }
            };
            return match made {
                Ok(Ok(pair)) => Some(Material::pair(&pair)),
                Err(stopped) if stopped.is_cancelled() => None,
                Ok(Err(_)) | Err(_) => Some(Material::Corrupt),
            };
        }
    }

    /// Tells that a key was made.
    fn made(&mut self, id: &str, status: KeyStatus) {
        self.told.remove(id);
        tell(&self.events, key_status(id, Some(KeyStatus::Generating), status));
    }
}

/// Puts the key where it was asked for; nowhere when it was deleted meanwhile. Whether it was put.
fn put(state: &mut State, id: &str, material: Material) -> Result<bool, Infallible> {
    let waiting = |key: &&mut KeyEntry| key.id == id && matches!(key.material, Material::Generating { .. });
    let key = state.keystore.keys.iter_mut().find(waiting);
    Ok(key.map(|key| key.material = material).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DiscoveryEntry, Files, Keystore, StoreError, VERSION};
    use uuid::Uuid;

    fn waiting(algorithm: KeyAlgorithm) -> KeyEntry {
        KeyEntry { id: format!("{algorithm:?}"), alias: None, material: Material::Generating { algorithm } }
    }

    fn store(folder: &tempfile::TempDir, keys: Vec<KeyEntry>) -> Store {
        let keystore = Keystore { keys, ..Keystore::default() };
        let state = State {
            version: VERSION,
            uuid: Uuid::nil(),
            serial: "1".to_owned(),
            users: Vec::new(),
            uplinks: Vec::new(),
            brokers: Vec::new(),
            keystore,
            discovery: DiscoveryEntry::default(),
            kept: Default::default(),
        };
        Store::open::<StoreError>(Box::new(Files), folder.path(), |_| Ok(state)).unwrap()
    }

    #[tokio::test]
    async fn what_a_power_cut_left_unmade_is_made_and_a_curve_waits_for_no_primes() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, vec![waiting(KeyAlgorithm::Rsa2048), waiting(KeyAlgorithm::P384)]);
        let mut changes = store.watch();
        let _maker = KeyMaker::start(store, Events::new("urn:uuid:test".to_owned(), None));
        let made =
            |state: &State| -> Vec<bool> { state.keystore.keys.iter().map(|key| key.material.has_private()).collect() };
        changes.changed().await.unwrap();
        assert_eq!(made(&changes.borrow_and_update()), [false, true]);
        changes.changed().await.unwrap();
        let state = changes.borrow_and_update().clone();
        assert_eq!(made(&state), [true, true]);
        for key in &state.keystore.keys {
            let pair = key.material.key_pair().unwrap();
            assert_eq!(key.material.public(), Some(pair.public_key()), "{}", key.id);
        }
    }

    #[test]
    fn a_key_that_was_deleted_while_it_was_made_does_not_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, vec![waiting(KeyAlgorithm::P256)]);
        let pair = || Material::pair(&KeyPair::generate(KeyAlgorithm::P256).unwrap());
        store.change_now(|state| put(state, "gone", pair())).unwrap();
        assert_eq!(store.state().keystore.keys, [waiting(KeyAlgorithm::P256)]);
        // Nor is one replaced that is there already.
        store.change_now(|state| put(state, "P256", pair())).unwrap();
        let first = store.state().keystore.clone();
        store.change_now(|state| put(state, "P256", pair())).unwrap();
        assert_eq!(store.state().keystore, first);
    }
}
