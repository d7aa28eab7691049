//! The cameras that were found: kept, so that they are there at the next start, even when they are silent.

use super::entry::{CameraEntry, same_endpoint, same_place};
use super::memory::{read_json, write_json};
use crate::config::Discover;
use crate::store::StoreError;
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use url::{Host, Url};

/// The name of the file in the bridge's folder.
const FILE: &str = "found.json";
/// The quirk profile of a camera that nobody vouched for: HTTP Digest alone. Whoever is on the LAN can say that it is a camera, and a UsernameToken that it
/// were shown would open the real ones, which have the same account, for minutes.
const STRANGER: &str = "digest";
/// The longest endpoint reference that is taken in, and the longest title.
const LONGEST: usize = 255;

/// A camera that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Camera {
    /// Its endpoint reference, as sent.
    pub(super) endpoint: String,
    /// Where it was when it was found.
    #[serde(with = "super::memory::address")]
    pub(super) address: Url,
    /// Where it is since then, if it was found again elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moved: Option<String>,
    /// What it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    cameras: Vec<Camera>,
}

/// All that were found, and their file.
pub(super) struct Known {
    path: PathBuf,
    cameras: Vec<Camera>,
}

impl Known {
    /// Reads them from the bridge's folder.
    ///
    /// # Errors
    /// [`StoreError`]: they cannot be read, or are of a newer program.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let document: Document = read_json(&path)?.unwrap_or_default();
        if document.version > 1 {
            return Err(StoreError::Newer { path, found: document.version });
        }
        Ok(Self { path, cameras: document.cameras })
    }

    /// What the camera of this name calls itself.
    pub(super) fn title(&self, name: &str) -> Option<String> {
        self.cameras.iter().find(|camera| name_of(&camera.endpoint) == name)?.title.clone()
    }

    /// Takes a camera in that is not known yet. Where a known one is, its word alone does not change. `is_taken`: another camera of the bridge answers at its
    /// address, so this is a second reference of that one, made at its last start perhaps. `is_stale`: of this name nobody ever answered.
    pub(super) fn learn(
        &mut self,
        found: Camera,
        discover: &Discover,
        is_taken: bool,
        is_stale: impl Fn(&str) -> bool,
    ) -> Learnt {
        if self.cameras.iter().any(|known| same_endpoint(&known.endpoint, &found.endpoint)) {
            return Learnt::Known;
        }
        let is_unfit = found.endpoint.trim().is_empty() || found.endpoint.len() > LONGEST;
        if is_unfit || is_taken || is_ignored(discover, &found) {
            return Learnt::Unfit;
        }
        if self.cameras.iter().filter(|camera| !is_ignored(discover, camera)).count() >= discover.most {
            let stale = |camera: &Camera| is_stale(&name_of(&camera.endpoint));
            let Some(oldest) = self.cameras.iter().position(stale) else { return Learnt::Full };
            self.cameras.remove(oldest);
        }
        let title = found.title.map(|title| plain(&title)).filter(|title| !title.is_empty());
        self.cameras.push(Camera { title, ..found });
        self.store();
        Learnt::New
    }

    /// Follows where the cameras are, by name; what does not run is where it was.
    pub(super) fn follow(&mut self, is_at: impl Fn(&str) -> Option<Url>) {
        let mut is_new = false;
        for camera in &mut self.cameras {
            let Some(address) = is_at(&name_of(&camera.endpoint)) else { continue };
            let moved = (camera.address != address).then(|| address.to_string());
            is_new |= camera.moved != moved;
            camera.moved = moved;
        }
        if is_new {
            self.store();
        }
    }

    fn store(&self) {
        let document = Document { version: 1, cameras: self.cameras.clone() };
        if let Err(error) = write_json(&self.path, &document) {
            tracing::warn!(path = %self.path.display(), %error, "the cameras that were found could not be stored");
        }
    }

    /// The entries of those that are wanted beside the list, which says where its cameras are at present.
    pub(super) fn entries(&self, discover: &Discover, listed: &[CameraEntry]) -> Vec<CameraEntry> {
        let mut entries: Vec<CameraEntry> = Vec::new();
        for camera in self.cameras.iter().filter(|camera| !is_ignored(discover, camera)).take(discover.most) {
            let place = camera.moved.as_deref().and_then(|moved| moved.parse().ok());
            let place = place.unwrap_or_else(|| camera.address.clone());
            let entry = CameraEntry {
                believe: discover.believe.clone(),
                quirks: Some(STRANGER.to_owned()),
                accounts: discover.accounts.clone(),
                endpoint: Some(camera.endpoint.clone()),
                ..CameraEntry::new(name_of(&camera.endpoint), camera.address.clone())
            };
            let has = |other: &CameraEntry| {
                let endpoint = other.endpoint.as_deref();
                other.name == entry.name
                    || same_place(&other.address, &place)
                    || endpoint.is_some_and(|endpoint| same_endpoint(endpoint, &camera.endpoint))
            };
            // Two that were found at one address: one of them has moved since, and both are looked for by their references.
            if !listed.iter().any(has) && !entries.iter().any(|other| other.name == entry.name) {
                entries.push(entry);
            }
        }
        entries
    }
}

/// What became of a camera that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learnt {
    /// It is one more.
    New,
    /// It was known.
    Known,
    /// There are as many as may be.
    Full,
    /// Its endpoint reference cannot be one, or is a second one, or it is not wanted.
    Unfit,
}

/// Whether the configuration does not want it.
pub(super) fn is_ignored(discover: &Discover, camera: &Camera) -> bool {
    let host = camera.address.host();
    discover.ignore.iter().any(|ignored| {
        let by_host = Host::parse(ignored).is_ok_and(|ignored| host.as_ref().map(Host::to_owned) == Some(ignored));
        same_endpoint(ignored, &camera.endpoint) || by_host
    })
}

/// The name of a camera that was found: the same for ever, since its endpoint reference is.
pub(super) fn name_of(endpoint: &str) -> String {
    let endpoint = endpoint.trim().to_ascii_lowercase();
    let uuid = endpoint.rsplit(':').next().and_then(|last| uuid::Uuid::parse_str(last).ok());
    if let Some(uuid) = uuid {
        return format!("camera-{uuid}");
    }
    let hash = digest(&SHA256, endpoint.as_bytes());
    let hex: String = hash.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("camera-{hex}")
}

/// A text for people: short, and without what moves a terminal's cursor.
fn plain(title: &str) -> String {
    title.chars().filter(|letter| !letter.is_control()).take(LONGEST / 4).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Account, Role, Secret};
    use oriel_client::quirks::{Profile, Shown};

    fn camera(endpoint: &str, address: &str) -> Camera {
        Camera { endpoint: endpoint.to_owned(), address: address.parse().unwrap(), moved: None, title: None }
    }

    const ONE: &str = "urn:uuid:5F5A69C2-e0ae-504f-829b-00000a7b0001";

    #[test]
    fn a_name_is_made_of_the_reference_and_fit_for_a_folder() {
        assert_eq!(name_of(ONE), "camera-5f5a69c2-e0ae-504f-829b-00000a7b0001");
        assert_eq!(name_of(ONE), name_of(&ONE.to_lowercase()));
        for endpoint in ["", "../..", "http://camera/1", "urn:uuid:no", &"x".repeat(300)] {
            super::super::camera_name(&name_of(endpoint)).unwrap();
        }
        assert_ne!(name_of("http://camera/1"), name_of("http://camera/2"));
    }

    #[test]
    fn what_was_found_is_kept_and_bounded_and_nobody_moves_it_by_his_word() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = Known::open(folder.path()).unwrap();
        let named = Camera { title: Some("Gate\u{1b}[2J ".to_owned()), ..camera(ONE, "http://10.0.0.5/") };
        let two = Discover { most: 2, ..Discover::default() };
        let mut learn = |camera: Camera| known.learn(camera, &two, false, |_| false);
        assert_eq!(learn(named), Learnt::New);
        assert_eq!(learn(camera(&ONE.to_lowercase(), "http://10.6.6.6/")), Learnt::Known);
        assert_eq!(learn(camera("", "http://10.0.0.5/")), Learnt::Unfit);
        assert_eq!(learn(camera(&"x".repeat(256), "http://10.0.0.5/")), Learnt::Unfit);
        assert_eq!(learn(camera("urn:uuid:2", "http://10.0.0.6/")), Learnt::New);
        assert_eq!(learn(camera("urn:uuid:3", "http://10.0.0.7/")), Learnt::Full);
        let again = Known::open(folder.path()).unwrap();
        assert_eq!(again.cameras, known.cameras);
        assert_eq!(again.cameras[0].address.as_str(), "http://10.0.0.5/");
        assert_eq!(again.title(&name_of(ONE)).as_deref(), Some("Gate[2J"));
    }

    #[test]
    fn what_is_listed_or_ignored_is_not_there_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = Known::open(folder.path()).unwrap();
        for (endpoint, address) in [
            (ONE, "http://10.0.0.5/"),
            ("urn:uuid:2", "http://10.0.0.6/"),
            ("urn:uuid:3", "http://10.0.0.7/"),
            ("urn:uuid:4", "http://10.0.0.8/"),
            ("urn:uuid:5", "http://10.0.0.9/"),
        ] {
            known.learn(camera(endpoint, address), &Discover::default(), false, |_| false);
        }
        let account = Account { name: "u".to_owned(), password: Secret::new("p"), level: Role::Operator };
        let discover = Discover {
            accounts: vec![account.clone()],
            ignore: vec!["urn:uuid:3".to_owned(), "10.0.0.8".to_owned()],
            ..Discover::default()
        };
        let at = |name: &str, address: &str| CameraEntry::new(name, address.parse().unwrap());
        let listed = [
            at("a", "http://10.0.0.6/other"),
            CameraEntry { endpoint: Some(ONE.to_lowercase()), ..at("b", "http://10.0.0.77/") },
        ];
        let entries = known.entries(&discover, &listed);
        assert_eq!(entries.len(), 1, "{entries:?}");
        let quirks = &Profile::named(entries[0].quirks.as_deref().unwrap()).unwrap().quirks;
        assert_eq!(quirks.credentials, Shown::Digest, "a stranger is shown a token");
        assert_eq!((entries[0].endpoint.as_deref(), &entries[0].accounts), (Some("urn:uuid:5"), &vec![account]));
    }

    #[test]
    fn a_second_reference_is_no_second_camera_and_those_that_never_answered_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = Known::open(folder.path()).unwrap();
        let ignore = vec!["10.0.0.9".to_owned()];
        let discover = Discover { most: 2, ignore: ignore.clone(), ..Discover::default() };
        let of = |number: u8| camera(&format!("urn:uuid:{number}"), &format!("http://10.0.0.{number}/"));
        assert_eq!(
            known.learn(of(9), &Discover { ignore: Vec::new(), ..discover.clone() }, false, |_| false),
            Learnt::New
        );
        assert_eq!(known.learn(of(1), &discover, true, |_| false), Learnt::Unfit, "somebody is there");
        for number in [1, 2] {
            assert_eq!(
                known.learn(of(number), &discover, false, |_| false),
                Learnt::New,
                "who is ignored takes no room"
            );
        }
        let names = |known: &Known| -> Vec<String> {
            known.entries(&discover, &[]).into_iter().filter_map(|entry| entry.endpoint).collect()
        };
        assert_eq!(names(&known), ["urn:uuid:1", "urn:uuid:2"]);
        let silent = name_of("urn:uuid:1");
        assert_eq!(known.learn(of(3), &discover, false, |name| name == silent), Learnt::New);
        assert_eq!(names(&known), ["urn:uuid:2", "urn:uuid:3"]);
        assert_eq!(known.learn(of(4), &discover, false, |_| false), Learnt::Full);
    }

    #[test]
    fn a_camera_that_moved_is_where_it_is_and_not_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = Known::open(folder.path()).unwrap();
        let discover = Discover::default();
        known.learn(camera(ONE, "http://10.0.0.5/"), &discover, false, |_| false);
        known.follow(|name| (name == name_of(ONE)).then(|| "http://10.0.0.6/".parse().unwrap()));
        let known = Known::open(folder.path()).unwrap();
        let listed = |address: &str| vec![CameraEntry::new("a", address.parse().unwrap())];
        let entries = known.entries(&discover, &listed("http://10.0.0.5/"));
        assert_eq!(entries.len(), 1, "its former address is somebody else's");
        assert_eq!(entries[0].address.as_str(), "http://10.0.0.5/", "its keeper knows better, and forgets nothing");
        assert!(known.entries(&discover, &listed("http://10.0.0.6/x")).is_empty(), "it is the listed one");
    }
}
