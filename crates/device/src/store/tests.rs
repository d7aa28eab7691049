//! The store against a disk that loses power, drops what was not synced, and is full at any step.

use super::*;
use std::collections::BTreeMap;
use std::convert::Infallible;
use uuid::Uuid;

/// A file: what a reader sees, and what a power cut leaves.
#[derive(Clone, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
}

/// A disk in memory whose names and contents become durable only when they are synced.
#[derive(Clone, Default)]
struct Medium {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Operations left until the power fails or the disk is full.
    left: Option<usize>,
    power_cut: bool,
    operations: usize,
}

#[derive(Clone, Default)]
struct Lossy(Arc<Mutex<Medium>>);

impl Lossy {
    fn with<T>(&self, f: impl FnOnce(&mut Medium) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    fn step<T>(&self, f: impl FnOnce(&mut Medium) -> T) -> io::Result<T> {
        self.with(|medium| {
            medium.operations += 1;
            match medium.left.as_mut() {
                Some(0) if medium.power_cut => return Err(io::Error::other("power cut")),
                Some(0) => {
                    medium.left = None;
                    return Err(io::ErrorKind::StorageFull.into());
                }
                Some(left) => *left -= 1,
                None => {}
            }
            Ok(f(medium))
        })
    }

    /// Every disk that a power cut now could leave: each name that was not synced may or may not have got there, and each content
    /// that was not synced may be old, new, empty or torn.
    fn after_power_cut(&self) -> Vec<Self> {
        let medium = self.with(|medium| medium.clone());
        let mut name_sets = vec![medium.durable_names.clone()];
        let changed: Vec<_> = medium.names.keys().chain(medium.durable_names.keys()).collect();
        for path in changed {
            if medium.names.get(path) == medium.durable_names.get(path) {
                continue;
            }
            for mut names in name_sets.clone() {
                match medium.names.get(path) {
                    Some(inode) => names.insert(path.clone(), *inode),
                    None => names.remove(path),
                };
                name_sets.push(names);
            }
        }
        let mut disks = Vec::new();
        for names in name_sets {
            let mut content_sets = vec![medium.inodes.clone()];
            for (index, inode) in medium.inodes.iter().enumerate().filter(|(_, inode)| inode.seen != inode.durable) {
                let half = inode.seen.len() / 2;
                let torn = [&inode.seen[..half], &vec![0; inode.seen.len() - half]].concat();
                content_sets = content_sets
                    .into_iter()
                    .flat_map(|set| {
                        [
                            inode.durable.clone(),
                            Vec::new(),
                            inode.seen[..half].to_vec(),
                            torn.clone(),
                            inode.seen.clone(),
                        ]
                        .map(|content| {
                            let mut set = set.clone();
                            set[index] = Inode { seen: content.clone(), durable: content };
                            set
                        })
                    })
                    .collect();
            }
            for inodes in content_sets {
                let medium = Medium { inodes, names: names.clone(), durable_names: names.clone(), ..Medium::default() };
                disks.push(Self(Arc::new(Mutex::new(medium))));
            }
        }
        disks
    }
}

impl Disk for Lossy {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.with(|medium| Ok(medium.names.get(path).map(|inode| medium.inodes[*inode].seen.clone())))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // Making the file and filling it are two steps: a full disk may allow the first alone.
        let inode = self.step(|medium| match medium.names.get(path) {
            Some(inode) => {
                medium.inodes[*inode].seen.clear();
                *inode
            }
            None => {
                medium.inodes.push(Inode::default());
                medium.names.insert(path.to_owned(), medium.inodes.len() - 1);
                medium.inodes.len() - 1
            }
        })?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.step(|medium| medium.inodes[inode].seen.extend_from_slice(first))?;
        self.step(|medium| medium.inodes[inode].seen.extend_from_slice(second))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step(|medium| {
            let inode = medium.names[path];
            medium.inodes[inode].durable = medium.inodes[inode].seen.clone();
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|medium| {
            let inode = medium.names.remove(from).unwrap();
            medium.names.insert(to.to_owned(), inode);
        })
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        self.step(|medium| medium.durable_names = medium.names.clone())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|medium| {
            medium.names.remove(path);
        })
    }
}

fn state(uplinks: usize) -> State {
    let entry = |number| UplinkEntry {
        remote_address: format!("https://cloud-{number}.example"),
        certificate_id: Some("device".to_owned()),
        user_level: vec!["Operator".to_owned()],
        cert_path_validation_policy_id: None,
        by_uplink: false,
    };
    State {
        brokers: Vec::new(),
        version: VERSION,
        uuid: Uuid::nil(),
        serial: "1".to_owned(),
        users: vec![Account {
            name: "admin".to_owned(),
            password: Secret::new("correct horse"),
            level: Role::Administrator,
        }],
        uplinks: (0..uplinks).map(entry).collect(),
        keystore: keystore(uplinks),
        discovery: DiscoveryEntry::default(),
        kept: BTreeMap::new(),
    }
}

/// A key store as renewal leaves it: each round another key and certificate, under ids that were never there before.
fn keystore(round: usize) -> Keystore {
    let (id, public) = (format!("key-{round}"), Der::from(&b"public"[..]));
    let pair = Material::Pair { public, private: Secret::new("bXVsZSBrZXk=") };
    let certificate = CertificateEntry {
        id: format!("certificate-{round}"),
        alias: Some("for the cloud".to_owned()),
        key_id: id.clone(),
        content: Der::from(&[round as u8; 100][..]),
    };
    let policy = PolicyEntry {
        id: format!("policy-{round}"),
        alias: None,
        use_delta_crls: None,
        anchors: vec![certificate.id.clone()],
    };
    Keystore {
        keys: vec![
            KeyEntry { id, alias: None, material: pair },
            KeyEntry {
                id: "next".to_owned(),
                alias: None,
                material: Material::Generating { algorithm: oriel_trust::KeyAlgorithm::P256 },
            },
            KeyEntry { id: "bad".to_owned(), alias: None, material: Material::Corrupt },
        ],
        certificates: vec![certificate],
        policies: vec![policy],
    }
}

fn open(disk: &Lossy) -> Result<Store, StoreError> {
    Store::open(Box::new(disk.clone()), Path::new("data"), |_| Ok(state(0)))
}

fn set(store: &Store, uplinks: usize) -> Result<(), ChangeError<Infallible>> {
    store.change_now(move |now| {
        let after = state(uplinks);
        (now.uplinks, now.keystore) = (after.uplinks, after.keystore);
        Ok(())
    })
}

/// How many steps of the disk one change takes when nothing fails.
fn steps_of_a_change() -> usize {
    let disk = Lossy::default();
    let store = open(&disk).unwrap();
    let before = disk.with(|medium| medium.operations);
    set(&store, 1).unwrap();
    disk.with(|medium| medium.operations) - before
}

#[test]
fn after_a_power_cut_at_any_step_the_state_is_the_one_before_or_after_the_call() {
    let steps = steps_of_a_change();
    let mut seen = [0, 0];
    for cut_at in 0..=steps {
        let disk = Lossy::default();
        let store = open(&disk).unwrap();
        set(&store, 1).unwrap();
        disk.with(|medium| (medium.left, medium.power_cut) = (Some(cut_at), true));
        let answered = set(&store, 2).is_ok();
        assert_eq!(answered, cut_at == steps, "an answer means durable: cut at step {cut_at}");
        for survivor in disk.after_power_cut() {
            let after = open(&survivor).unwrap().state();
            assert!(*after == state(1) || *after == state(2), "cut at step {cut_at}");
            assert!(!answered || *after == state(2), "an answered change was lost: cut at step {cut_at}");
            seen[after.uplinks.len() - 1] += 1;
            // What survived can be worked with.
            set(&open(&survivor).unwrap(), 3).unwrap();
            assert_eq!(*open(&survivor).unwrap().state(), state(3));
        }
    }
    assert!(seen[0] > 10 && seen[1] > 1, "both outcomes were met: {seen:?}");
}

#[test]
fn a_power_cut_during_the_first_start_leaves_a_device_that_can_start() {
    for cut_at in 0..=steps_of_a_change() {
        let disk = Lossy::default();
        disk.with(|medium| (medium.left, medium.power_cut) = (Some(cut_at), true));
        let _ = open(&disk);
        for survivor in disk.after_power_cut() {
            assert_eq!(*open(&survivor).unwrap().state(), state(0));
        }
    }
}

#[test]
fn a_full_disk_at_any_step_changes_nothing() {
    for full_at in 0..steps_of_a_change() {
        let disk = Lossy::default();
        let store = open(&disk).unwrap();
        set(&store, 1).unwrap();
        disk.with(|medium| medium.left = Some(full_at));
        let refused = set(&store, 2);
        assert!(
            matches!(&refused, Err(ChangeError::NotStored(error)) if error.kind() == io::ErrorKind::StorageFull),
            "full at step {full_at}"
        );
        assert_eq!(*store.state(), state(1), "memory: full at step {full_at}");
        assert_eq!(*open(&disk).unwrap().state(), state(1), "read back: full at step {full_at}");
        for survivor in disk.after_power_cut() {
            assert_eq!(*open(&survivor).unwrap().state(), state(1), "power cut after full at step {full_at}");
        }
        set(&store, 2).unwrap();
        assert_eq!(*open(&disk).unwrap().state(), state(2), "space came back");
    }
}

#[test]
fn a_refused_change_touches_neither_memory_nor_disk() {
    let disk = Lossy::default();
    let store = open(&disk).unwrap();
    let before = disk.with(|medium| medium.operations);
    let refused = store.change_now(|now| {
        now.users.clear();
        Err::<(), _>("no")
    });
    assert!(matches!(refused, Err(ChangeError::Refused("no"))));
    assert_eq!(*store.state(), state(0));
    assert_eq!(disk.with(|medium| medium.operations), before);
}

#[test]
fn a_damaged_or_newer_document_is_refused_and_its_secrets_are_not_told() {
    let text = String::from_utf8(to_bytes(&state(1))).unwrap();
    let cases = [
        (text.replace("\"name\": \"admin\"", "\"nom\": \"admin\""), "line"),
        (text.replace("\"Administrator\"", "\"correct horse\""), "wrong type"),
        (text[..text.len() / 2].to_owned(), "ends too early"),
        ("{]".to_owned(), "not JSON"),
        (text.replace("\"private\": \"", "\"private\": 7, \"was\": \""), "wrong type"),
        (text.replace("\"content\": \"", "\"content\": \"***"), "wrong type"),
        (text.replace("\"version\": 3", "\"version\": 4"), "newer"),
    ];
    for (document, expected) in cases {
        let disk = Lossy::default();
        disk.write(Path::new("data/state.json"), document.as_bytes()).unwrap();
        let error = open(&disk).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("state.json"), "{error}");
        assert!(!error.contains("horse") && !error.contains("bXVs"), "{error}");
    }
}

#[test]
fn a_document_of_version_1_is_read_and_written_as_the_newest() {
    let mut text: serde_json::Value = serde_json::from_slice(&to_bytes(&state(1))).unwrap();
    let document = text.as_object_mut().unwrap();
    document.remove("keystore");
    document.remove("discovery");
    document.insert("version".to_owned(), 1.into());
    let disk = Lossy::default();
    disk.write(Path::new("data/state.json"), text.to_string().as_bytes()).unwrap();
    let expected = State { keystore: Keystore::default(), ..state(1) };
    assert_eq!(*open(&disk).unwrap().state(), expected);
    set(&open(&disk).unwrap(), 2).unwrap();
    assert_eq!(*open(&disk).unwrap().state(), state(2));
    let written = disk.read(Path::new("data/state.json")).unwrap().unwrap();
    assert!(String::from_utf8(written).unwrap().contains("\"version\": 3"));
}

#[test]
fn a_secret_never_prints() {
    let shown = format!("{:?}", state(1));
    assert!(!shown.contains("horse") && !shown.contains("bXVs"), "{shown}");
}

#[tokio::test]
async fn a_change_is_made_even_when_nobody_waits_for_it() {
    let store = open(&Lossy::default()).unwrap();
    let mut seen = store.watch();
    let change = store.change(|now| {
        let after = state(1);
        (now.uplinks, now.keystore) = (after.uplinks, after.keystore);
        Ok::<_, Infallible>(())
    });
    // Polled once and dropped, as when a client hangs up.
    let mut change = Box::pin(change);
    std::future::poll_fn(|context| {
        let _ = change.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
    drop(change);
    seen.changed().await.unwrap();
    assert_eq!(*store.state(), state(1));
}

#[cfg(unix)]
#[test]
fn the_document_is_its_owners_alone_and_no_spare_file_stays() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open::<StoreError>(Box::new(Files), folder.path(), |_| Ok(state(0))).unwrap();
    let store = open();
    for round in 0..200 {
        set(&store, round % 5).unwrap();
    }
    assert_eq!(*open().state(), state(199 % 5));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [DOCUMENT]);
    let mode = std::fs::metadata(folder.path().join(DOCUMENT)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
