//! What the bridge remembers of a camera beside the virtual device's own document: who it is, where it was found, and where it was enrolled.

use super::entry::{CameraEntry, same_endpoint, same_place};
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
    /// The endpoint reference in the list, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    named: Option<String>,
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

/// What whoever answers at the camera's address tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Told {
    pub(super) serial: Option<String>,
    pub(super) endpoint: Option<String>,
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

    /// Takes in what whoever answers tells of itself. False: it is not the camera that it was, and nothing changes.
    pub(super) fn meet(&mut self, listed: &CameraEntry, told: Told) -> bool {
        let (serial, endpoint) = match self.is_of(listed) {
            true => (&self.serial, &self.endpoint),
            false => (&None, &None),
        };
        let (serial, endpoint) = match (serial, endpoint) {
            (Some(known), _) if told.serial.as_ref() != Some(known) => return false,
            (Some(_), known) => (told.serial, told.endpoint.or_else(|| known.clone())),
            // One without a number is known by the reference that it told itself.
            (None, Some(known)) if told.endpoint.as_ref().is_some_and(|told| !same_endpoint(known, told)) => {
                return false;
            }
            // The number and the reference are one camera's.
            (None, _) if told.serial.is_some() => (told.serial, told.endpoint),
            (None, known) => (None, told.endpoint.or_else(|| known.clone())),
        };
        self.begin(listed);
        (self.serial, self.endpoint) = (serial, endpoint);
        true
    }

    /// The camera of this entry was found at `to`.
    pub(super) fn found(&mut self, listed: &CameraEntry, to: &Url) {
        self.begin(listed);
        self.moved = (!same_place(&listed.address, to)).then(|| to.clone());
    }

    /// Whether what is known is of the camera that this entry means: neither its address nor its endpoint reference is another one than it was.
    pub(super) fn is_of(&self, listed: &CameraEntry) -> bool {
        let known = self.named.as_deref().or(self.endpoint.as_deref());
        let named = listed.endpoint.as_deref();
        self.listed.as_ref() == Some(&listed.address)
            && named.is_none_or(|named| known.is_some_and(|known| same_endpoint(known, named)))
    }

    /// What was known of another camera is forgotten.
    fn begin(&mut self, listed: &CameraEntry) {
        if !self.is_of(listed) {
            *self = Self { listed: Some(listed.address.clone()), enrolled: self.enrolled.take(), ..Self::default() };
        }
        self.named.clone_from(&listed.endpoint);
    }

    /// Whether the camera was ever there.
    pub(super) fn is_of_use(&self) -> bool {
        self.serial.is_some() || self.endpoint.is_some() || self.enrolled.is_some()
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
        assert!(memory.meet(&listed, told("S-1", "urn:uuid:1")));
        let to = url("http://10.0.0.9/onvif/device_service");
        memory.found(&listed, &to);
        assert!(memory.meet(&listed, told("S-1", "")));
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
        assert!(memory.meet(&elsewhere, told("S-2", "")));
        assert_eq!((memory.serial(&elsewhere), memory.serial(&listed)), (Some("S-2"), None));
        assert_eq!(memory.enrolled.as_deref(), Some("there"), "the virtual device is who it was");
    }

    fn learnt(listed: &CameraEntry) -> Memory {
        let mut memory = Memory::default();
        assert!(memory.meet(listed, told("S-1", "urn:uuid:1")));
        memory.found(listed, &url("http://10.0.0.9/onvif/device_service"));
        memory
    }

    fn told(serial: &str, endpoint: &str) -> Told {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Told { serial: some(serial), endpoint: some(endpoint) }
    }

    #[test]
    fn another_address_or_reference_in_the_list_may_mean_another_camera() {
        let listed = CameraEntry::new("a", url("http://10.0.0.5/onvif/device_service"));
        let at = |address: &str| CameraEntry { address: url(address), ..listed.clone() };
        let named = |endpoint: &str| CameraEntry { endpoint: Some(endpoint.to_owned()), ..listed.clone() };
        for (entry, is_it) in [
            (listed.clone(), true),
            (named("urn:UUID:1"), true),
            (named("urn:uuid:2"), false),
            (at("http://10.0.0.7/onvif/device_service"), false),
            (at("https://10.0.0.5:80/onvif/device_service"), false),
        ] {
            let mut memory = learnt(&listed);
            assert_eq!((memory.is_of(&entry), memory.serial(&entry).is_some()), (is_it, is_it), "{entry:?}");
            assert_eq!(
                memory.apply(&entry).address == entry.address,
                !is_it,
                "where the former one was found: {entry:?}"
            );
            assert_eq!(memory.meet(&entry, told("S-2", "urn:uuid:2")), !is_it, "{entry:?}");
            assert_eq!(memory.serial(&entry), Some(if is_it { "S-1" } else { "S-2" }));
        }
        // A reference that is taken out of the list again changes nothing; another one then does.
        let mut memory = learnt(&named("urn:uuid:1"));
        assert!(memory.meet(&listed, told("S-1", "urn:uuid:1")) && !memory.is_of(&named("urn:uuid:2")));
    }

    #[test]
    fn two_that_swap_their_addresses_in_the_list_are_who_answers_there() {
        let one = CameraEntry::new("one", url("http://10.0.0.5/x"));
        let swapped = CameraEntry::new("one", url("http://10.0.0.6/x"));
        let mut memory = learnt(&one);
        assert_eq!(memory.apply(&swapped), swapped, "the former camera is not looked for");
        assert!(memory.meet(&swapped, told("S-2", "urn:uuid:2")));
        assert_eq!(memory.apply(&swapped).endpoint.as_deref(), Some("urn:uuid:2"));
        assert_eq!((memory.serial(&swapped), memory.serial(&one)), (Some("S-2"), None));
    }

    #[test]
    fn whoever_tells_another_number_is_another_camera() {
        let met = |known: (&str, &str), said: (&str, &str)| {
            let (mut memory, listed) = (Memory::default(), CameraEntry::new("a", url("http://10.0.0.5/")));
            memory.meet(&listed, told(known.0, known.1));
            let before = memory.clone();
            let same = memory.meet(&listed, told(said.0, said.1));
            assert!(same || memory == before, "what was known is kept");
            same.then(|| (memory.serial.unwrap_or_default(), memory.endpoint.unwrap_or_default()))
        };
        let is = |serial: &str, endpoint: &str| Some((serial.to_owned(), endpoint.to_owned()));
        let (one, blank) = (("S-1", "urn:uuid:1"), ("", "urn:uuid:1"));
        assert_eq!(met(("", ""), one), is("S-1", "urn:uuid:1"));
        assert_eq!(met(one, one), is("S-1", "urn:uuid:1"));
        // It does not tell the reference this time, or has a new one at each start.
        assert_eq!(met(one, ("S-1", "")), is("S-1", "urn:uuid:1"));
        assert_eq!(met(one, ("S-1", "urn:uuid:2")), is("S-1", "urn:uuid:2"));
        // Another camera, whatever it says that it is.
        assert_eq!(met(one, ("S-2", "urn:uuid:2")), None);
        assert_eq!(met(one, ("S-2", "urn:uuid:1")), None);
        assert_eq!(met(one, ("", "urn:uuid:1")), None);
        // Without numbers the references count.
        assert_eq!(met(blank, ("", "urn:UUID:1")), is("", "urn:UUID:1"));
        assert_eq!(met(blank, ("", "urn:uuid:2")), None);
        assert_eq!(met(blank, ("S-2", "urn:uuid:2")), None);
        // A number does not stand beside another camera's reference.
        assert_eq!(met(blank, ("S-2", "")), is("S-2", ""));
    }

    #[test]
    fn it_outlives_the_process_and_damage_is_told_without_values() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept::open(folder.path()).unwrap();
        assert_eq!(kept.memory(), &Memory::default());
        let listed = CameraEntry::new("a", url("http://10.0.0.5/onvif/device_service"));
        kept.change(|memory| _ = memory.meet(&listed, told("S-1", "")));
        kept.change(|memory| memory.found(&listed, &url("http://10.0.0.9/")));
        let again = Kept::open(folder.path()).unwrap();
        assert_eq!((again.memory(), again.memory().serial(&listed)), (kept.memory(), Some("S-1")));
        std::fs::write(folder.path().join(FILE), "{\"serial\": 4711}").unwrap();
        let damaged = Kept::open(folder.path()).unwrap_err().to_string();
        assert!(damaged.contains("camera.json: line 1") && !damaged.contains("4711"), "{damaged}");
    }
}
