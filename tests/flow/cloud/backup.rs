//! Backup and restore of the records: of a cloud that runs, into an empty store of either kind, and back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oriel_cloud::records::{NewDevice, Role};
use oriel_cloud::{Backup, BackupError, Clock, Config, Records};
use oriel_trust::{Fingerprint, Identity};
use tempfile::TempDir;

use super::records::postgres::Postgres;
use super::{House, me};

const KEY_PASSWORD: &str = "the password of the access key";

/// A place for a cloud.
struct Place {
    folder: TempDir,
    database: Option<String>,
}

impl Place {
    fn new(database: Option<String>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database }
    }

    fn config(&self) -> Config {
        let mut config = Config::parse("data = 'cloud'", self.folder.path()).unwrap();
        config.database.clone_from(&self.database);
        config
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn records(&self) -> Records {
        std::fs::create_dir_all(self.config().data).unwrap();
        Records::open(&self.config().data, self.database.as_deref(), Clock::default()).await.unwrap()
    }

    async fn restore(&self, from: &Path, keys: Option<&Path>) -> Result<Backup, BackupError> {
        Backup::restore(&self.config(), from, keys).await
    }
}

/// What of a cloud's records a person would miss.
#[derive(Debug, PartialEq)]
struct Story {
    token: bool,
    user: Option<(String, Role)>,
    device: Option<(String, bool, usize)>,
    password: Option<String>,
    audit: usize,
}

/// What was put into the records.
struct Told {
    token: String,
    key: Fingerprint,
    access_key: Arc<str>,
}

impl Told {
    async fn story(&self, records: &Records) -> Story {
        let scope = records.within(&records.first_organisation().unwrap());
        let device = records.device_of_key(&self.key);
        let access_key = records.access_key(&self.access_key);
        Story {
            token: records.token(&self.token).is_some(),
            user: scope.users(None, 10).first().map(|user| (user.email.to_string(), user.role)),
            device: device.map(|device| (device.name.to_string(), device.revoked, device.credentials.len())),
            password: access_key.and_then(|(key, _)| records.password(&key)),
            audit: scope.audit(&oriel_cloud::records::AuditQuery::default(), 1000).await.unwrap().len(),
        }
    }
}

/// Fills the records of a running cloud with something of everything. Returns what is to be found again, and the password of the access key.
async fn fill(house: &House) -> (Told, String) {
    let scope = house.scope();
    let link = house.cloud.records().first_link().await.unwrap().unwrap();
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA";
    let (records, actor, name) = (house.cloud.records(), me(), Some("Änn \"'\n"));
    let user = records.redeem(&actor, link.expose(), Some("Ann@example.org"), name, hash).await.unwrap();
    scope.add_session(&user, None, "a browser", std::time::Duration::from_secs(60)).await.unwrap();
    let key = Identity::self_signed("camera", &[]).unwrap().fingerprint();
    let new = NewDevice { name: "Gate; drop table devices".to_owned(), key: Some(key) };
    let device = Arc::clone(&scope.add_devices(&me(), vec![new]).await.unwrap()[0]);
    scope.add_device_token(&me(), &device.id).await.unwrap();
    scope.add_enrolment(&me(), "one camera", std::time::Duration::from_secs(60), 1).await.unwrap();
    let made = scope.add_access_key(&me(), &user.id, &device.id, KEY_PASSWORD, Role::Operator, None).await.unwrap();
    let told = Told { token: house.administrator.clone(), key, access_key: Arc::clone(&made.0.id) };
    (told, made.1.expose().to_owned())
}

/// The lines of a backup but the first, which names its moment.
fn rows(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().skip(1).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_backup_of_a_running_cloud_goes_round_by_either_database() {
    let house = House::open().await;
    let (told, password) = fill(&house).await;
    let expected = told.story(house.cloud.records()).await;
    assert_eq!(expected.password.as_ref(), Some(&password));
    assert!(expected.token && expected.audit > 5);
    let config = Config::parse("data = 'cloud'", house.folder.path()).unwrap();
    let at = |name: &str| house.folder.path().join(name);
    let (first, keys) = (at("backup"), at("keys"));
    let made = Backup::write(&config, &first, Some(&keys)).await.unwrap();
    assert_eq!(told.story(house.cloud.records()).await, expected, "the cloud goes on");
    house
        .scope()
        .rename_device(&me(), &house.cloud.records().device_of_key(&told.key).unwrap().id, "Gate")
        .await
        .unwrap();

    let text = std::fs::read_to_string(&first).unwrap();
    for secret in [password.as_str(), &house.administrator, "\"table\":\"sessions\""] {
        assert!(!text.contains(secret), "{secret} in the backup");
    }
    let seal = std::fs::read_to_string(at("cloud/seal.key")).unwrap();
    assert!(!text.contains(seal.trim()) && std::fs::read_to_string(&keys).unwrap().contains(seal.trim()));

    let postgres = Postgres::start();
    let mut from = first.clone();
    let databases = [None, postgres.as_ref().map(Postgres::url), None];
    for database in databases {
        let place = Place::new(database);
        let restored = place.restore(&from, Some(&keys)).await.unwrap();
        assert_eq!(restored.rows, made.rows);
        assert_eq!(told.story(&place.records().await).await, expected);
        let again = at(&format!("again-{}", place.folder.path().file_name().unwrap().display()));
        Backup::write(&place.config(), &again, None).await.unwrap();
        assert_eq!(rows(&again), rows(&first), "{:?}", place.database);
        assert!(matches!(place.restore(&first, None).await, Err(BackupError::NotEmpty)));
        from = again;
    }
}

#[tokio::test]
async fn what_is_no_whole_backup_of_this_cloud_changes_nothing() {
    let house = House::open().await;
    let (told, _) = fill(&house).await;
    let config = Config::parse("data = 'cloud'", house.folder.path()).unwrap();
    let (backup, keys) = (house.folder.path().join("backup"), house.folder.path().join("keys"));
    Backup::write(&config, &backup, Some(&keys)).await.unwrap();
    let whole = std::fs::read_to_string(&backup).unwrap();
    assert!(
        matches!(Backup::write(&config, &backup, None).await, Err(BackupError::File { .. })),
        "it overwrites nothing"
    );
    assert_eq!(std::fs::read_to_string(&backup).unwrap(), whole);

    let place = Place::new(None);
    let no_key = place.restore(&backup, None).await.unwrap_err().to_string();
    assert!(no_key.contains("seal.key is missing"), "{no_key}");
    let lines: Vec<&str> = whole.lines().collect();
    let piece = lines[..lines.len() - 1].join("\n");
    let without_a_row = [&lines[..lines.len() - 2], &lines[lines.len() - 1..]].concat().join("\n");
    for (broken, expected) in [
        (String::new(), "the file is empty"),
        ("hello".to_owned(), "line 1: expected"),
        (piece.clone(), "the end is missing"),
        (without_a_row, "rows came, and"),
        (whole.replacen("\"table\":\"users\"", "\"table\":\"users; drop table users\"", 1), "there is no table"),
        (whole.replacen("\"email\":", "\"email; --\":", 1), "users has a `email`"),
        (whole.replacen("\"oriel_backup\":2", "\"oriel_backup\":3", 1), "format 3 is not understood"),
        (whole.replacen("\"schema\":", "\"schema\":9", 1), "restore it with the version that wrote it"),
        (whole.replacen("\"disabled\":0", "\"disabled\":\"0\"", 1), "`disabled` is of another kind"),
    ] {
        std::fs::write(place.at("broken"), broken).unwrap();
        let error = place.restore(&place.at("broken"), Some(&keys)).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    // Nothing of all that is there, so the whole one can still come.
    place.restore(&backup, Some(&keys)).await.unwrap();
    assert!(told.story(&place.records().await).await.token);

    let other = Place::new(None);
    drop(other.records().await.first_link().await.unwrap());
    let foreign = Place::new(None);
    std::fs::create_dir_all(foreign.config().data).unwrap();
    std::fs::copy(other.config().data.join("seal.key"), foreign.config().data.join("seal.key")).unwrap();
    let error = foreign.restore(&backup, None).await.unwrap_err().to_string();
    assert!(error.contains("is not the key that this backup was sealed with"), "{error}");
    let error = foreign.restore(&backup, Some(&keys)).await.unwrap_err().to_string();
    assert!(error.contains("holds another key already"), "{error}");
    assert!(matches!(Backup::write(&foreign.config(), &foreign.at("b"), None).await, Err(BackupError::Nothing)));
}
