//! What the cloud remembers: devices, their credentials, and the tokens of those who call.
//!
//! One JSON document, written whole and atomically, read once at start. Readers take a snapshot without a lock, since the gateway asks on every request.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use oriel_soap::access::{Level, Levels};
use oriel_trust::Fingerprint;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

mod lock;
mod secret;

use crate::file;
use lock::Lock;
pub use secret::{Secret, SecretHash};

/// The name of a device in addresses: lower-case letters and digits.
pub type DeviceId = Arc<str>;

/// A device that may dial in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Device {
    /// Its name in addresses.
    pub id: DeviceId,
    /// Its name for people.
    pub name: String,
    /// The keys it may show, by fingerprint.
    #[serde(default)]
    pub fingerprints: Vec<Fingerprint>,
    /// The access tokens it may show instead.
    #[serde(default)]
    pub tokens: Vec<DeviceToken>,
    /// Whether it is shut out.
    #[serde(default)]
    pub revoked: bool,
}

/// An access token of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceToken {
    /// Its public name.
    pub id: String,
    /// What is kept of the secret.
    pub hash: SecretHash,
}

/// Somebody's right to call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// Its public name.
    pub id: String,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// What is kept of the secret.
    pub hash: SecretHash,
    /// What its bearer may do on devices; an administrator may also use the API.
    #[serde(with = "levels_text")]
    pub levels: Levels,
    /// The devices it reaches; none named: all.
    #[serde(default)]
    pub devices: Option<HashSet<DeviceId>>,
}

impl Token {
    /// Whether its bearer may use the API.
    #[must_use]
    pub fn administers(&self) -> bool {
        self.levels.contains(Level::Administrator) && self.devices.is_none()
    }

    /// Whether the token reaches `device`.
    #[must_use]
    pub fn reaches(&self, device: &str) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.contains(device))
    }
}

mod levels_text {
    use super::{Deserialize, Levels};

    pub(super) fn serialize<S: serde::Serializer>(levels: &Levels, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(levels)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Levels, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The document on disk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    devices: Vec<Device>,
    tokens: Vec<Token>,
}

impl Document {
    fn device(&mut self, id: &str) -> Result<&mut Device, RecordsError> {
        self.devices.iter_mut().find(|device| &*device.id == id).ok_or(RecordsError::Unknown("device"))
    }
}

/// The document with its indexes.
#[derive(Debug, Default)]
struct Snapshot {
    document: Document,
    by_id: HashMap<DeviceId, Arc<Device>>,
    by_fingerprint: HashMap<Fingerprint, Arc<Device>>,
    by_device_token: HashMap<SecretHash, Arc<Device>>,
    by_token: HashMap<SecretHash, Arc<Token>>,
    token_ids: HashSet<String>,
}

impl From<Document> for Snapshot {
    fn from(document: Document) -> Self {
        let mut snapshot = Self::default();
        for device in &document.devices {
            let device = Arc::new(device.clone());
            snapshot.by_id.insert(Arc::clone(&device.id), Arc::clone(&device));
            for fingerprint in &device.fingerprints {
                snapshot.by_fingerprint.insert(*fingerprint, Arc::clone(&device));
            }
            for token in &device.tokens {
                snapshot.by_device_token.insert(token.hash, Arc::clone(&device));
            }
        }
        snapshot.by_token = document.tokens.iter().map(|token| (token.hash, Arc::new(token.clone()))).collect();
        snapshot.token_ids = document.tokens.iter().map(|token| token.id.clone()).collect();
        snapshot.document = document;
        snapshot
    }
}

/// Why a change of the records is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what we wrote.
    #[error("{path} is damaged or of another version: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no such record.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// Without it nobody could use the API any more.
    #[error("this is the last administrator's token; make another one first")]
    LastAdministrator,
    /// This process drains; its successor takes changes.
    #[error("this cloud is ending; ask again, its successor answers")]
    Ending,
    /// A key belongs to one device of the whole cloud.
    #[error("this key belongs to another device already")]
    KeyTaken,
}

/// The records. Cheap to share behind an [`Arc`].
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    current: ArcSwap<Snapshot>,
    /// The lock of the folder while this process may write.
    writing: Mutex<Option<Lock>>,
    changes: watch::Sender<()>,
}

impl Records {
    /// Reads the document at `path`, or begins an empty one that the first change writes.
    ///
    /// # Errors
    /// [`RecordsError::File`] or [`RecordsError::Damaged`]; a damaged file is left as it is. Waits a few seconds for a predecessor that is ending.
    pub fn open(path: PathBuf) -> Result<Self, RecordsError> {
        let lock =
            Lock::take(&path).map_err(|source| RecordsError::File { path: path.with_extension("lock"), source })?;
        let document = match std::fs::read(&path) {
            Ok(bytes) => {
                let damaged = |reason: String| RecordsError::Damaged { path: path.clone(), reason };
                let document: Document = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
                if document.version != 1 {
                    return Err(damaged(format!("version {} is not 1", document.version)));
                }
                document
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Document { version: 1, ..Document::default() }
            }
            Err(source) => return Err(RecordsError::File { path, source }),
        };
        let current = ArcSwap::from_pointee(document.into());
        Ok(Self { path, current, writing: Mutex::new(Some(lock)), changes: watch::Sender::new(()) })
    }

    /// Takes no more changes and gives the folder up to a successor. What was read stays.
    pub fn give_up(&self) {
        *self.writing.lock().expect("no writer panics while it holds the lock") = None;
    }

    /// Tells of each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Whether the token of this id is still good.
    #[must_use]
    pub fn has_token(&self, id: &str) -> bool {
        self.current.load().token_ids.contains(id)
    }

    /// All devices.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        self.current.load().document.devices.clone()
    }

    /// All tokens.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token> {
        self.current.load().document.tokens.clone()
    }

    /// The device named `id`.
    #[must_use]
    pub fn device(&self, id: &str) -> Option<Arc<Device>> {
        self.current.load().by_id.get(id).cloned()
    }

    /// The device that owns a key.
    #[must_use]
    pub fn device_of_key(&self, fingerprint: &Fingerprint) -> Option<Arc<Device>> {
        self.current.load().by_fingerprint.get(fingerprint).cloned()
    }

    /// The device that an access token was made for.
    #[must_use]
    pub fn device_of_token(&self, hash: &SecretHash) -> Option<Arc<Device>> {
        self.current.load().by_device_token.get(hash).cloned()
    }

    /// The caller's token behind a bearer secret.
    #[must_use]
    pub fn token(&self, secret: &str) -> Option<Arc<Token>> {
        self.current.load().by_token.get(&SecretHash::of(secret)).cloned()
    }

    /// Registers a device under a new id.
    ///
    /// # Errors
    /// [`RecordsError::KeyTaken`], or when the file cannot be written.
    pub fn add_device(&self, name: &str, fingerprints: Vec<Fingerprint>) -> Result<Device, RecordsError> {
        let mut added = self.add_devices(vec![(name.to_owned(), fingerprints)])?;
        Ok(added.remove(0))
    }

    /// Registers devices, all or none.
    ///
    /// # Errors
    /// As [`Records::add_device`].
    pub fn add_devices(&self, new: Vec<(String, Vec<Fingerprint>)>) -> Result<Vec<Device>, RecordsError> {
        self.change(|document| {
            let mut taken: HashSet<Fingerprint> =
                document.devices.iter().flat_map(|device| device.fingerprints.iter().copied()).collect();
            let mut added = Vec::with_capacity(new.len());
            for (name, fingerprints) in new {
                if !fingerprints.iter().all(|fingerprint| taken.insert(*fingerprint)) {
                    return Err(RecordsError::KeyTaken);
                }
                let id = secret::random_id().into();
                added.push(Device { id, name, fingerprints, tokens: Vec::new(), revoked: false });
            }
            document.devices.extend_from_slice(&added);
            Ok(added)
        })
    }

    /// Shuts a device out, or lets it in again.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or when the file cannot be written.
    pub fn set_revoked(&self, id: &str, revoked: bool) -> Result<(), RecordsError> {
        self.change(|document| document.device(id).map(|device| device.revoked = revoked))
    }

    /// Takes a key from a device.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or when the file cannot be written.
    pub fn remove_key(&self, id: &str, key: &Fingerprint) -> Result<(), RecordsError> {
        self.change(|document| take(&mut document.device(id)?.fingerprints, |held| held == key, "key").map(drop))
    }

    /// Gives a device one more key.
    ///
    /// # Errors
    /// [`RecordsError::KeyTaken`], [`RecordsError::Unknown`], or when the file cannot be written.
    pub fn add_key(&self, id: &str, key: Fingerprint) -> Result<(), RecordsError> {
        self.change(|document| {
            if document.devices.iter().any(|device| &*device.id != id && device.fingerprints.contains(&key)) {
                return Err(RecordsError::KeyTaken);
            }
            let device = document.device(id)?;
            if !device.fingerprints.contains(&key) {
                device.fingerprints.push(key);
            }
            Ok(())
        })
    }

    /// Makes an access token for a device; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or when the file cannot be written.
    pub fn add_device_token(&self, id: &str) -> Result<(DeviceToken, Secret), RecordsError> {
        let secret = Secret::random();
        let token = DeviceToken { id: secret::random_id(), hash: secret.hash() };
        self.change(|document| document.device(id).map(|device| device.tokens.push(token.clone())))?;
        Ok((token, secret))
    }

    /// Ends the life of a device's access token.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or when the file cannot be written.
    pub fn remove_device_token(&self, id: &str, token: &str) -> Result<DeviceToken, RecordsError> {
        self.change(|document| take(&mut document.device(id)?.tokens, |held| held.id == token, "token"))
    }

    /// Forgets devices, all or none.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`] if one of them is not there, or when the file cannot be written.
    pub fn remove_devices(&self, ids: &HashSet<String>) -> Result<(), RecordsError> {
        self.change(|document| {
            let before = document.devices.len();
            document.devices.retain(|device| !ids.contains(&*device.id));
            for devices in document.tokens.iter_mut().filter_map(|token| token.devices.as_mut()) {
                devices.retain(|device| !ids.contains(&**device));
            }
            if before - document.devices.len() == ids.len() { Ok(()) } else { Err(RecordsError::Unknown("device")) }
        })
    }

    /// Makes a token; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_token(
        &self,
        name: &str,
        levels: Levels,
        devices: Option<HashSet<DeviceId>>,
    ) -> Result<(Token, Secret), RecordsError> {
        let secret = Secret::random();
        let token = Token { id: secret::random_id(), name: name.to_owned(), hash: secret.hash(), levels, devices };
        self.change(|document| {
            document.tokens.push(token.clone());
            Ok(())
        })?;
        Ok((token, secret))
    }

    /// Ends a token's life.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], [`RecordsError::LastAdministrator`], or when the file cannot be written.
    pub fn remove_token(&self, id: &str) -> Result<(), RecordsError> {
        self.change(|document| {
            let gone = take(&mut document.tokens, |token| token.id == id, "token")?;
            if gone.administers() && !document.tokens.iter().any(Token::administers) {
                return Err(RecordsError::LastAdministrator);
            }
            Ok(())
        })
    }

    /// One change: on a copy, to disk, then for all to see. If it cannot be written nobody sees it.
    fn change<T>(&self, change: impl FnOnce(&mut Document) -> Result<T, RecordsError>) -> Result<T, RecordsError> {
        let one_at_a_time = self.writing.lock().expect("no writer panics while it holds the lock");
        if one_at_a_time.is_none() {
            return Err(RecordsError::Ending);
        }
        let mut document = self.current.load().document.clone();
        let answer = change(&mut document)?;
        let bytes = serde_json::to_vec_pretty(&document)
            .map_err(|e| RecordsError::File { path: self.path.clone(), source: e.into() })?;
        file::replace(&self.path, &bytes, 0o600)
            .map_err(|source| RecordsError::File { path: self.path.clone(), source })?;
        self.current.store(Arc::new(document.into()));
        self.changes.send_replace(());
        Ok(answer)
    }
}

fn take<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, what: &'static str) -> Result<T, RecordsError> {
    let position = list.iter().position(is).ok_or(RecordsError::Unknown(what))?;
    Ok(list.remove(position))
}

#[cfg(test)]
mod tests;
