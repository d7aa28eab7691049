//! What the bridge remembers of a camera beside the virtual device's own document: who it is, where it was found, and where it was enrolled.

use super::entry::{CameraEntry, same_place};
use crate::store::{Files, StoreError, replace};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use url::Url;

/// The name of the file in the camera's folder.
const FILE: &str = "camera.json";
/// The largest file that is read.
const LARGEST: u64 = 1024 * 1024;

/// What is remembered of a camera.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// The address in the list at first contact. Whoever writes another one there means another camera, or knows better.
    #[serde(default, with = "address::maybe", skip_serializing_if = "Option::is_none")]
    listed: Option<Url>,
    /// Its serial number as GetDeviceInformation told it at first contact: whoever says another one is another camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    /// Its endpoint reference, as it told it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// Where it was found when it was not at its listed address any more.
    #[serde(default, with = "address::maybe", skip_serializing_if = "Option::is_none")]
    moved: Option<Url>,
    /// Where it was enrolled by the bridge: the digest of a cloud's address and a code. It is not done again, whatever became of the uplink since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enrolled: Option<String>,
}

impl Memory {
    /// The entry with what is known better: where the camera is, and its endpoint reference.
    pub(super) fn apply(&self, listed: &CameraEntry) -> CameraEntry {
        let mut entry = listed.clone();
        if self.is_of(listed) {
            entry.address = self.moved.clone().unwrap_or(entry.address);
            entry.endpoint = entry.endpoint.or_else(|| self.endpoint.clone());
        }
        entry
    }

    /// The serial number of the camera that this entry means.
    pub(super) fn serial(&self, listed: &CameraEntry) -> Option<&str> {
        self.serial.as_deref().filter(|_| self.is_of(listed))
    }

    /// The camera of this entry told who it is. What it did not tell stays as it was.
    pub(super) fn met(&mut self, listed: &CameraEntry, serial: Option<String>, endpoint: Option<String>) {
        self.begin(listed);
        self.serial = serial.or(self.serial.take());
        self.endpoint = endpoint.or(self.endpoint.take());
    }

    /// The camera of this entry was found at `to`.
    pub(super) fn found(&mut self, listed: &CameraEntry, to: &Url) {
        self.begin(listed);
        self.moved = (!same_place(&listed.address, to)).then(|| to.clone());
    }

    fn is_of(&self, listed: &CameraEntry) -> bool {
        self.listed.as_ref() == Some(&listed.address)
    }

    /// What was known of the camera at another address of the list is forgotten.
    fn begin(&mut self, listed: &CameraEntry) {
        if !self.is_of(listed) {
            *self = Self { listed: Some(listed.address.clone()), enrolled: self.enrolled.take(), ..Self::default() };
        }
    }
}

/// An address as a document has it.
pub(super) mod address {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use url::Url;

    pub(in crate::bridge) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(in crate::bridge) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("it is no address"))
    }

    /// The same, for one that may be missing.
    pub(in crate::bridge) mod maybe {
        use serde::{Deserializer, Serializer};
        use url::Url;

        pub(in crate::bridge) fn serialize<S: Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
            match url {
                Some(url) => super::serialize(url, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(in crate::bridge) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Url>, D::Error> {
            super::deserialize(deserializer).map(Some)
        }
    }
}

/// A memory and its file.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    memory: Memory,
}

impl Kept {
    /// Reads it from a camera's folder; nothing there is an empty one.
    ///
    /// # Errors
    /// [`StoreError`]: it cannot be read, or is damaged.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let memory = read_json(&path)?.unwrap_or_default();
        Ok(Self { path, memory })
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Changes it, and makes the change durable. What the disk refuses is known until the end of the process.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Memory)) {
        let before = self.memory.clone();
        change(&mut self.memory);
        if self.memory != before
            && let Err(error) = write_json(&self.path, &self.memory)
        {
            tracing::warn!(path = %self.path.display(), %error, "what was learnt of the camera could not be stored");
        }
    }
}

/// Reads a small document of the bridge.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let file_error = |source| StoreError::File { path: path.to_owned(), source };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(error)),
        Ok(found) if found.len() > LARGEST => {
            return Err(StoreError::Damaged { path: path.to_owned(), line: 0, kind: "it is too large" });
        }
        Ok(_) => {}
    }
    let text = std::fs::read(path).map_err(file_error)?;
    let damaged = |error: serde_json::Error| StoreError::Damaged {
        path: path.to_owned(),
        line: error.line(),
        kind: "it is not the JSON that it was",
    };
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}

/// Writes a small document of the bridge, durably.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> std::io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    replace(&Files, path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_learnt_holds_until_the_list_says_another_address() {
        let listed = CameraEntry::new("a", url("http://10.0.0.5/onvif/device_service"));
        let mut memory = Memory::default();
        memory.met(&listed, Some("S-1".to_owned()), Some("urn:uuid:1".to_owned()));
        let to = url("http://10.0.0.9/onvif/device_service");
        memory.found(&listed, &to);
        memory.met(&listed, None, None);
        let applied = memory.apply(&listed);
        assert_eq!((&applied.address, applied.endpoint.as_deref()), (&to, Some("urn:uuid:1")));
        assert_eq!(memory.serial(&listed), Some("S-1"));
        let named = CameraEntry { endpoint: Some("urn:uuid:2".to_owned()), ..listed.clone() };
        assert_eq!(memory.apply(&named).endpoint.as_deref(), Some("urn:uuid:2"));
        let elsewhere = CameraEntry { address: url("http://10.0.0.7/x"), ..listed.clone() };
        assert_eq!((memory.apply(&elsewhere), memory.serial(&elsewhere)), (elsewhere.clone(), None));

        memory.enrolled = Some("there".to_owned());
        memory.found(&listed, &listed.address);
        assert_eq!(memory.moved, None, "it is back");
        memory.met(&elsewhere, Some("S-2".to_owned()), None);
        assert_eq!((memory.serial(&elsewhere), memory.serial(&listed)), (Some("S-2"), None));
        assert_eq!(memory.enrolled.as_deref(), Some("there"), "the virtual device is who it was");
    }

    #[test]
    fn it_outlives_the_process_and_damage_is_told_without_values() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept::open(folder.path()).unwrap();
        assert_eq!(kept.memory(), &Memory::default());
        let listed = CameraEntry::new("a", url("http://10.0.0.5/onvif/device_service"));
        kept.change(|memory| memory.met(&listed, Some("S-1".to_owned()), None));
        kept.change(|memory| memory.found(&listed, &url("http://10.0.0.9/")));
        let again = Kept::open(folder.path()).unwrap();
        assert_eq!((again.memory(), again.memory().serial(&listed)), (kept.memory(), Some("S-1")));
        std::fs::write(folder.path().join(FILE), "{\"serial\": 4711}").unwrap();
        let damaged = Kept::open(folder.path()).unwrap_err().to_string();
        assert!(damaged.contains("camera.json: line 1") && !damaged.contains("4711"), "{damaged}");
    }
}
