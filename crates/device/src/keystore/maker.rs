//! Makes the keys that the store wants and does not have yet (Security §5.2.6.2). As with uplinks, the handler only writes; a start after a
//! power cut is the same comparison.

use crate::store::{ChangeError, KeyEntry, Material, State, Store};
use oriel_trust::{KeyAlgorithm, KeyPair};
use std::convert::Infallible;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The pause after a disk that did not take a key.
const AGAIN: Duration = Duration::from_secs(5);

/// The running maker. Dropping it ends it; a key that is being made at that moment is made again at the next start.
pub(crate) struct KeyMaker(JoinHandle<()>);

impl KeyMaker {
    pub(crate) fn start(store: Store) -> Self {
        Self(tokio::spawn(run(store)))
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

async fn run(store: Store) {
    let mut changes = store.watch();
    loop {
        let wanted = next(&changes.borrow_and_update());
        let Some((id, algorithm)) = wanted else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        let material = match tokio::task::spawn_blocking(move || KeyPair::generate(algorithm)).await {
            Ok(Ok(pair)) => Material::pair(&pair),
            Err(stopped) if stopped.is_cancelled() => return,
            Ok(Err(_)) | Err(_) => Material::Corrupt,
        };
        tracing::debug!(key = %id, ?algorithm, ok = material.has_private(), "a key was made");
        if let Err(ChangeError::NotStored(error)) = store.change(move |state| put(state, &id, material)).await {
            tracing::warn!(%error, "a new key cannot be stored; it will be made again");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Puts the key where it was asked for; nowhere when it was deleted meanwhile.
fn put(state: &mut State, id: &str, material: Material) -> Result<(), Infallible> {
    let waiting = |key: &&mut KeyEntry| key.id == id && matches!(key.material, Material::Generating { .. });
    if let Some(key) = state.keystore.keys.iter_mut().find(waiting) {
        key.material = material;
    }
    Ok(())
}
