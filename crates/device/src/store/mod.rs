//! The device's memory: one document in one file, replaced as a whole, durable before a change is answered.
//!
//! ```text
//!   change(f) ──► copy of the state ──f──► new state ──► write, fsync, rename, fsync folder ──► memory and watchers ──► answer
//!                      │ f refuses: nothing happened        │ the disk refuses: nothing happened
//! ```

mod disk;
mod folder;
mod keystore;
mod state;

pub use disk::{Disk, Files, replace};
pub use folder::Folder;
pub use keystore::{CertificateEntry, Der, KeyEntry, Keystore, Material, PolicyEntry};
pub use state::{Account, BrokerEntry, DiscoveryEntry, Role, Secret, State, UnknownRole, UplinkEntry, VERSION};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The name of the document in the data folder.
pub const DOCUMENT: &str = "state.json";

/// Why the store cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file layer refused.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("{0}: another device runs on this data folder; stop it, or give this one a folder of its own")]
    InUse(PathBuf),
    /// The document is damaged. The cause names a place in it, never a value.
    #[error(
        "{path}: line {line}: the document is damaged ({kind}); restore it from a backup, or remove it to start anew"
    )]
    Damaged {
        /// The document.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        kind: &'static str,
    },
    /// The document was written by a newer program.
    #[error(
        "{path}: version {found} of the document is newer than this program, which knows {VERSION}; update the program"
    )]
    Newer {
        /// The document.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
}

/// Why a change was not made.
#[derive(Debug)]
pub enum ChangeError<E> {
    /// The change itself refused.
    Refused(E),
    /// The disk refused; what was remembered before is still remembered.
    NotStored(io::Error),
}

/// The document, in memory and on disk.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Box<dyn Disk>,
    path: PathBuf,
    /// Held while a change is made and stored: changes happen one after the other.
    writing: Mutex<()>,
    current: watch::Sender<Arc<State>>,
}

impl Store {
    /// Reads the document, or writes the one that `first` makes when there is none yet.
    ///
    /// # Errors
    /// When the document cannot be read, is damaged or newer, or the first one cannot be written.
    pub fn open<E: From<StoreError>>(
        disk: Box<dyn Disk>,
        folder: &Path,
        first: impl FnOnce(&dyn Disk) -> Result<State, E>,
    ) -> Result<Self, E> {
        let path = folder.join(DOCUMENT);
        let file_error = |source| StoreError::File { path: path.clone(), source };
        let state = match disk.read(&path).map_err(file_error)? {
            Some(bytes) => parse(&path, &bytes)?,
            None => {
                let state = first(disk.as_ref())?;
                replace(disk.as_ref(), &path, &to_bytes(&state)).map_err(file_error)?;
                state
            }
        };
        let current = watch::Sender::new(Arc::new(state));
        Ok(Self { shared: Arc::new(Shared { disk, path, writing: Mutex::new(()), current }) })
    }

    /// What is remembered now.
    pub fn state(&self) -> Arc<State> {
        self.shared.current.borrow().clone()
    }

    /// Follows what is remembered.
    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.shared.current.subscribe()
    }

    /// Makes a change; returns once it is durable. The change is made even when the caller stops waiting.
    ///
    /// # Errors
    /// When `change` refuses or the disk does; in both cases nothing changed.
    pub async fn change<T, E>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ChangeError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || store.change_now(change)).await {
            Ok(result) => result,
            Err(failed) => Err(ChangeError::NotStored(io::Error::other(failed))),
        }
    }

    /// [`Store::change`], on a thread that may wait for the disk.
    ///
    /// # Errors
    /// As [`Store::change`].
    pub fn change_now<T, E>(&self, change: impl FnOnce(&mut State) -> Result<T, E>) -> Result<T, ChangeError<E>> {
        let shared = &self.shared;
        // A change that panicked left nothing half done: the state is swapped as a whole.
        let _writing = shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.state();
        let mut after = State::clone(&before);
        let answer = change(&mut after).map_err(ChangeError::Refused)?;
        if after != *before {
            replace(shared.disk.as_ref(), &shared.path, &to_bytes(&after)).map_err(ChangeError::NotStored)?;
            shared.current.send_replace(Arc::new(after));
        }
        Ok(answer)
    }
}

fn to_bytes(state: &State) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(state).expect("a state has only string keys and no map");
    bytes.push(b'\n');
    bytes
}

fn parse(path: &Path, bytes: &[u8]) -> Result<State, StoreError> {
    // serde's messages quote values, and a value may be a password: only the place and the kind are told.
    let damaged = |error: serde_json::Error| StoreError::Damaged {
        path: path.to_owned(),
        line: error.line(),
        kind: match error.classify() {
            serde_json::error::Category::Data => "a field is missing, unknown or of the wrong type",
            serde_json::error::Category::Eof => "it ends too early",
            _ => "it is not JSON",
        },
    };
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    let versioned: Versioned = serde_json::from_slice(bytes).map_err(damaged)?;
    if versioned.version > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found: versioned.version });
    }
    let state: State = serde_json::from_slice(bytes).map_err(damaged)?;
    Ok(State { version: VERSION, ..state })
}

#[cfg(test)]
mod tests;
