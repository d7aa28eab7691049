//! Who may do what: organisations, their users, devices and secrets.
//!
//! The truth is in SQL (`store`); what the hot paths ask is in memory (`directory`), so a request through the gateway touches no database, and goes on while the
//! database is away. [`Records::within`] is the only way to what an organisation holds; without an organisation there are only the questions by which a caller proves
//! who it is, and each answer names its organisation.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use oriel_trust::Fingerprint;
use tokio::sync::watch;

mod answers;
mod audit;
mod authorities;
mod backup;
mod devices;
mod directory;
mod enrolments;
mod feeds;
mod keys;
mod load;
mod lock;
mod organisations;
mod people;
mod seal;
mod secret;
mod sessions;
mod store;
mod types;

use crate::clock::Clock;
use directory::{Directory, Holdings};
use lock::Lock;
use seal::Seal;
use store::{Store, Write};

pub use audit::AuditQuery;
pub use backup::{Backup, BackupError};
pub use devices::NewDevice;
pub use enrolments::Enrolled;
pub use feeds::FeedBounds;
pub(crate) use feeds::{FeedBatch, FeedQuery, KeptEntry, NewEntry, Trims};
pub use keys::NewToken;
pub use organisations::Usage;
pub use people::UserChange;
pub use secret::{Secret, SecretHash};
pub use types::{
    AccessKey, Actor, AuditEntry, Authority, By, CredentialKind, Device, DeviceId, Enrolment, Id, Identity, Issue,
    KeptAnswer, Link, LinkKind, Organisation, OrganisationId, OrganisationLimits, Origin, Principal, Role, Session,
    StoredCredential, Token, User, UserId,
};

/// Why records cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store is not what we wrote.
    #[error("{what} is damaged or of another version: {reason}; it was left as it is")]
    Damaged {
        /// Which part.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The database is away.
    #[error("the database cannot be used at the moment: {0}")]
    Unavailable(String),
    /// There is no room for the change.
    #[error("the database's disk is full")]
    Full,
    /// There is no such record, or it is another organisation's.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// Without it nobody could administer the organisation any more.
    #[error("this is the last administrator of the organisation; make another one first")]
    LastAdministrator,
    /// This process drains, or another one has taken the store over.
    #[error("this cloud is ending; ask again, its successor answers")]
    Ending,
    /// A key belongs to one device of the whole cloud.
    #[error("this key belongs to another device already")]
    KeyTaken,
    /// An address belongs to one user of the whole cloud.
    #[error("this address belongs to a user already")]
    EmailTaken,
    /// The organisation may not have more.
    #[error("the organisation may not have more {0}")]
    TooMany(&'static str),
    /// A code or link was used, or its time is over.
    #[error("{0}")]
    Spent(&'static str),
}

/// What was written and what could not be, since the start.
#[derive(Debug, Default)]
struct Tally {
    writes: AtomicU64,
    failures: AtomicU64,
}

/// What all handles of the records share.
#[derive(Debug)]
struct Inner {
    store: Store,
    directory: RwLock<Directory>,
    seal: Seal,
    clock: Clock,
    changes: watch::Sender<()>,
    tally: Tally,
    /// Held by the one write that is at work.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The directory may differ from the store.
    stale: AtomicBool,
    /// A successor takes the changes.
    ended: AtomicBool,
    /// The lock of the folder while this process may write.
    lock: Mutex<Option<Lock>>,
}

impl Inner {
    fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().expect("no writer of the directory panics")
    }
}

/// The records.
#[derive(Debug)]
pub struct Records {
    inner: Arc<Inner>,
}

impl Records {
    /// Opens the store at `url` (`sqlite:…` or `postgres:…`; none: SQLite in the folder `data`), makes or updates its schema, and reads the directory. The folder holds
    /// the key that seals secrets.
    ///
    /// # Errors
    /// [`RecordsError`]; what is damaged is left as it is. Waits a few seconds for a predecessor that is ending.
    pub async fn open(data: &Path, url: Option<&str>, clock: Clock) -> Result<Self, RecordsError> {
        let beside = data.join("records");
        let taken = tokio::task::spawn_blocking(move || {
            Lock::take(&beside).map_err(|source| RecordsError::File { path: beside.with_extension("lock"), source })
        });
        let lock = taken.await.map_err(|error| RecordsError::Unavailable(error.to_string()))??;
        let url = url.map_or_else(|| store::sqlite_url(data), str::to_owned);
        let store = Store::open(&url).await?;
        let directory = load::directory(&store.pool).await?;
        let seal = Seal::open(&Seal::path(data), directory.organisations.is_empty())?;
        let inner = Inner {
            store,
            directory: RwLock::new(directory),
            seal,
            clock,
            changes: watch::Sender::new(()),
            tally: Tally::default(),
            turn: Arc::default(),
            stale: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            lock: Mutex::new(Some(lock)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes no more changes and gives the folder up to a successor. What was read stays.
    pub fn give_up(&self) {
        self.inner.ended.store(true, Relaxed);
        *self.inner.lock.lock().expect("no holder panics") = None;
    }

    /// Gives up, and closes the database in good order; nothing is lost without it.
    pub async fn close(&self) {
        self.give_up();
        let _closed = tokio::time::timeout(store::PATIENCE, self.inner.store.pool.close()).await;
    }

    /// Tells of each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.inner.changes.subscribe()
    }

    /// The clock that lifetimes are measured by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Changes that were made durable since the start, and changes that the database did not take.
    pub(crate) fn tally(&self) -> (u64, u64) {
        (self.inner.tally.writes.load(Relaxed), self.inner.tally.failures.load(Relaxed))
    }

    /// Whether the database answers and takes our changes.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ready(&self) -> Result<(), RecordsError> {
        if self.inner.ended.load(Relaxed) {
            return Err(RecordsError::Ending);
        }
        store::timely(sqlx::query("select 1").execute(&self.inner.store.pool)).await.map(drop)
    }

    /// What `organisation` holds. Asks nothing yet: an organisation that is unknown or suspended holds nothing.
    #[must_use]
    pub fn within<'r>(&'r self, organisation: &OrganisationId) -> Scope<'r> {
        Scope { inner: &self.inner, organisation: OrganisationId::clone(organisation) }
    }

    /// The device that may show `credential` now.
    #[must_use]
    pub fn device_of(&self, credential: &CredentialKind) -> Option<Arc<Device>> {
        let directory = self.inner.directory();
        let device = directory.device_of(credential)?;
        directory.standing(&device.organisation)?;
        device.owns(credential, self.now()).then(|| Arc::clone(device))
    }

    /// The device that owns a key.
    #[must_use]
    pub fn device_of_key(&self, key: &Fingerprint) -> Option<Arc<Device>> {
        self.device_of(&CredentialKind::Key(*key))
    }

    /// The device that an access token was made for.
    #[must_use]
    pub fn device_of_token(&self, hash: &SecretHash) -> Option<Arc<Device>> {
        self.device_of(&CredentialKind::Token(*hash))
    }

    /// A device of whatever organisation, for those who act for the device itself: its tunnel, its address. A caller's rights are asked of [`Records::within`].
    #[must_use]
    pub fn device(&self, id: &str) -> Option<Arc<Device>> {
        let directory = self.inner.directory();
        let device = directory.device(id)?;
        directory.standing(&device.organisation)?;
        Some(Arc::clone(device))
    }

    fn now(&self) -> u64 {
        self.inner.clock.now()
    }
}

/// The records of one organisation. Everything that it reads or writes is that organisation's.
#[derive(Debug, Clone)]
pub struct Scope<'r> {
    inner: &'r Arc<Inner>,
    organisation: OrganisationId,
}

impl Scope<'_> {
    /// The organisation's id.
    #[must_use]
    pub fn id(&self) -> &OrganisationId {
        &self.organisation
    }

    /// Reads in the directory; the default for an organisation that is unknown or suspended.
    fn read<T: Default>(&self, read: impl FnOnce(&Holdings) -> T) -> T {
        self.inner.directory().standing(&self.organisation).map(read).unwrap_or_default()
    }

    fn now(&self) -> u64 {
        self.inner.clock.now()
    }

    /// Refuses one more of what is counted, where there are `most` already: everything is kept in memory, and whoever may make one may make many.
    fn below(
        &self,
        most: usize,
        what: &'static str,
        count: impl FnOnce(&Holdings) -> usize,
    ) -> Result<(), RecordsError> {
        if self.read(count) < most { Ok(()) } else { Err(RecordsError::TooMany(what)) }
    }

    /// Begins a write of this organisation.
    async fn begin(&self) -> Result<Write, RecordsError> {
        let write = Write::begin(self.inner).await?;
        let stands = write.directory().standing(&self.organisation).is_some();
        if stands { Ok(write) } else { Err(RecordsError::Unknown("organisation")) }
    }
}

/// At most `limit` of a map's values after the key `after`, in order, that `which` lets through.
fn page<V>(
    map: &std::collections::BTreeMap<Arc<str>, Arc<V>>,
    after: Option<&str>,
    limit: usize,
    which: impl Fn(&V) -> bool,
) -> Vec<Arc<V>> {
    use std::ops::Bound::{Excluded, Unbounded};
    let range = map.range::<str, _>((after.map_or(Unbounded, Excluded), Unbounded));
    range.map(|(_, value)| value).filter(|value| which(value)).take(limit).map(Arc::clone).collect()
}
