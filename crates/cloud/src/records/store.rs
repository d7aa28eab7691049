//! The truth on disk: SQLite in the data folder, or PostgreSQL by URL, through one dialect and one schema.
//!
//! One writer at a time: a transaction, then the directory, in a task of its own, so that a caller who goes away cannot part the two. Whoever opens the store last
//! owns it (`meta.owner`); each transaction begins with that fence, so a predecessor that still runs cannot write behind its successor's back.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::OwnedMutexGuard;

use super::directory::Directory;
use super::secret::{ascending_id, random_id};
use super::types::Actor;
use super::{Inner, RecordsError, load};

/// The schema and its history.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
/// How long a write waits for its turn, and for a connection to the database.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long one statement or commit may take.
const STATEMENT: Duration = Duration::from_secs(30);
/// How often the directory is read anew after a commit whose end is not known.
const AGAIN: Duration = Duration::from_secs(1);
const CONNECTIONS: u32 = 8;

/// The database.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) pool: AnyPool,
    /// What `meta.owner` says while the store is ours.
    owner: String,
    /// Whether it is SQLite, whose planner has no statistics.
    pub(super) sqlite: bool,
}

impl Store {
    /// Opens the database, brings its schema up to date and takes it over.
    pub(super) async fn open(url: &str) -> Result<Self, RecordsError> {
        let pool = connect(url).await?;
        MIGRATIONS.run(&pool).await.map_err(|error| migration(url, &error))?;
        let store = Self { pool, owner: random_id(), sqlite: is_sqlite(url) };
        let take =
            "insert into meta (key, value) values ('owner', $1) on conflict (key) do update set value = excluded.value";
        timely(sqlx::query(take).bind(&store.owner).execute(&store.pool)).await?;
        Ok(store)
    }

    /// Begins a transaction that is ours to make.
    pub(super) async fn begin(&self) -> Result<Transaction, RecordsError> {
        let mut tx = Transaction { connection: Some(timely(self.pool.acquire()).await?), sound: true };
        tx.run(sqlx::query("begin")).await?;
        // It writes, so that a SQLite transaction is a writer from its first statement and never has to be upgraded.
        let fence = "update meta set value = value where key = 'owner' and value = $1";
        let ours = tx.run(sqlx::query(fence).bind(&self.owner)).await?;
        if ours == 1 { Ok(tx) } else { Err(RecordsError::Ending) }
    }
}

/// A transaction; dropped without a commit it changes nothing.
///
/// It is not `sqlx`'s: that one counts how deep it stands by itself, while SQLite ends a transaction on its own when the disk is full. After that the count is wrong,
/// and what is committed next on the connection is only the end of a savepoint in a transaction that nobody ends. Here a connection of which a statement failed is
/// closed, and with it whatever it held.
pub(super) struct Transaction {
    /// There until the end.
    connection: Option<PoolConnection<Any>>,
    /// Whether each statement ended, and well.
    sound: bool,
}

impl Transaction {
    /// Its connection, for statements whose errors are read elsewhere; without a commit it is closed then.
    pub(super) fn bare(&mut self) -> &mut AnyConnection {
        // Until the statement has ended well: whoever waits for it may go away in the middle.
        self.sound = false;
        self.connection.as_mut().expect("it is there until the end")
    }

    async fn run(&mut self, statement: Statement<'_>) -> Result<u64, RecordsError> {
        let done = timely(statement.execute(self.bare())).await?;
        self.sound = true;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, query: Statement<'_>) -> Result<Vec<AnyRow>, RecordsError> {
        let rows = timely(query.fetch_all(self.bare())).await?;
        self.sound = true;
        Ok(rows)
    }

    pub(super) async fn commit(mut self) -> Result<(), RecordsError> {
        self.run(sqlx::query("commit")).await?;
        // Back to the pool.
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let runtime = tokio::runtime::Handle::try_current();
        match runtime {
            Ok(runtime) if self.sound => drop(runtime.spawn(async move {
                if timely(sqlx::query("rollback").execute(&mut *connection)).await.is_err() {
                    drop(connection.detach());
                }
            })),
            _ => drop(connection.detach()),
        }
    }
}

/// Connections to the database at `url`.
///
/// # Errors
/// [`RecordsError::Unavailable`], [`RecordsError::Damaged`].
pub(super) async fn connect(url: &str) -> Result<AnyPool, RecordsError> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
    let settings = if is_sqlite(url) {
        "pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000"
    } else {
        "set statement_timeout = '30s'"
    };
    // One connection first: the pool would try again and again, and say no more than that it waited.
    let first = async {
        let mut connection = options.connect().await?;
        connection.execute(settings).await?;
        connection.close().await
    };
    timely(first).await?;
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| Box::pin(async move { connection.execute(settings).await.map(drop) }));
    timely(pool.connect_with(options)).await
}

/// The database file of a data folder.
pub(super) fn sqlite_url(data: &Path) -> String {
    let path = data.join("oriel.db");
    let path = percent_encoding::utf8_percent_encode(path.to_str().unwrap_or_default(), PATH).to_string();
    format!("sqlite://{path}?mode=rwc")
}

const PATH: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b' ').add(b'?').add(b'#').add(b'%');

pub(super) fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

/// With a deadline.
pub(super) async fn timely<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, RecordsError> {
    let slow = |_| RecordsError::Unavailable("the database does not answer".to_owned());
    Ok(tokio::time::timeout(STATEMENT, work).await.map_err(slow)??)
}

fn migration(url: &str, error: &sqlx::migrate::MigrateError) -> RecordsError {
    let what = if is_sqlite(url) { "oriel.db" } else { "the PostgreSQL database" };
    match error {
        sqlx::migrate::MigrateError::Execute(_) | sqlx::migrate::MigrateError::ExecuteMigration(..) => {
            RecordsError::Damaged {
                what: what.to_owned(),
                reason: format!("its schema cannot be brought up to date: {error}"),
            }
        }
        _ => RecordsError::Damaged { what: what.to_owned(), reason: format!("it is of another version: {error}") },
    }
}

impl From<sqlx::Error> for RecordsError {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return Self::Unavailable(error.to_string());
        };
        let code = database.code().unwrap_or_default().into_owned();
        // SQLite gives extended codes, whose low byte is the class; PostgreSQL five characters.
        match code.parse::<u32>().ok().filter(|_| code.len() < 5).map(|code| code & 0xff) {
            Some(13) => Self::Full,
            Some(11 | 26) => Self::Damaged { what: "the database".to_owned(), reason: database.to_string() },
            Some(_) => Self::Unavailable(database.to_string()),
            None if code == "53100" => Self::Full,
            None => Self::Unavailable(database.to_string()),
        }
    }
}

/// A statement and what it binds.
pub(super) type Statement<'q> = Query<'q, Any, AnyArguments>;
type Change = Box<dyn FnOnce(&mut Directory) + Send>;

/// A write at work: statements, and what they mean for the directory.
pub(super) struct Write {
    tx: Transaction,
    inner: Arc<Inner>,
    turn: OwnedMutexGuard<()>,
    changes: Vec<Change>,
}

impl Write {
    pub(super) async fn begin(inner: &Arc<Inner>) -> Result<Self, RecordsError> {
        if inner.ended.load(Relaxed) {
            return Err(RecordsError::Ending);
        }
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&inner.turn).lock_owned());
        let turn =
            turn.await.map_err(|_| RecordsError::Unavailable("too many changes wait for their turn".to_owned()))?;
        if inner.stale.load(Relaxed) {
            reload(inner).await?;
        }
        let tx = inner.store.begin().await.inspect_err(|error| {
            if matches!(error, RecordsError::Ending) {
                inner.ended.store(true, Relaxed);
            } else {
                inner.tally.failures.fetch_add(1, Relaxed);
            }
        })?;
        Ok(Self { tx, inner: Arc::clone(inner), turn, changes: Vec::new() })
    }

    /// The directory as it stands; nobody else changes it before this write ends.
    pub(super) fn directory(&self) -> std::sync::RwLockReadGuard<'_, Directory> {
        self.inner.directory()
    }

    /// Unix milliseconds.
    pub(super) fn now(&self) -> u64 {
        self.inner.clock.now()
    }

    /// Runs a statement. Returns the number of rows.
    pub(super) async fn run(&mut self, statement: Statement<'_>) -> Result<u64, RecordsError> {
        self.tx.run(statement).await
    }

    /// Runs a query.
    pub(super) async fn rows(&mut self, query: Statement<'_>) -> Result<Vec<AnyRow>, RecordsError> {
        self.tx.rows(query).await
    }

    /// What the directory learns after the commit.
    pub(super) fn then(&mut self, change: impl FnOnce(&mut Directory) + Send + 'static) {
        self.changes.push(Box::new(change));
    }

    /// Puts a line in the audit log, in the same transaction.
    pub(super) async fn audit(
        &mut self,
        organisation: &str,
        actor: &Actor,
        action: &str,
        target: &str,
        detail: &str,
    ) -> Result<(), RecordsError> {
        let at = self.now();
        let address = actor.address.map(|address| address.to_string()).unwrap_or_default();
        let line = "insert into audit (id, organisation, at, actor, address, action, target, detail) values ($1, $2, $3, $4, $5, $6, $7, $8)";
        let line = sqlx::query(line)
            .bind(ascending_id(at))
            .bind(organisation)
            .bind(millis(at))
            .bind(&actor.label)
            .bind(address)
            .bind(action)
            .bind(target)
            .bind(detail);
        self.run(line).await.map(drop)
    }

    /// Makes it durable, then seen by all. It goes on to its end even when the caller does not wait for it.
    pub(super) async fn commit(self) -> Result<(), RecordsError> {
        let done = tokio::spawn(async move {
            let Self { tx, inner, turn, changes } = self;
            if let Err(error) = tx.commit().await {
                // It may have been made durable all the same: what is true, the store knows.
                inner.stale.store(true, Relaxed);
                inner.tally.failures.fetch_add(1, Relaxed);
                drop(turn);
                tokio::spawn(catch_up(Arc::downgrade(&inner)));
                return Err(error);
            }
            // Entries of feeds change nothing that anybody watches, and come each second.
            let watched = !changes.is_empty();
            let mut directory = inner.directory.write().expect("no writer of the directory panics");
            changes.into_iter().for_each(|change| change(&mut directory));
            drop(directory);
            inner.tally.writes.fetch_add(1, Relaxed);
            drop(turn);
            if watched {
                inner.changes.send_replace(());
            }
            Ok(())
        });
        done.await.map_err(|_| RecordsError::Unavailable("the change broke off".to_owned()))?
    }
}

/// Reads the directory anew.
async fn reload(inner: &Inner) -> Result<(), RecordsError> {
    let fresh = load::directory(&inner.store.pool).await?;
    *inner.directory.write().expect("no writer of the directory panics") = fresh;
    inner.stale.store(false, Relaxed);
    inner.changes.send_replace(());
    Ok(())
}

async fn catch_up(inner: std::sync::Weak<Inner>) {
    loop {
        tokio::time::sleep(AGAIN).await;
        let Some(inner) = inner.upgrade() else { return };
        let _turn = inner.turn.lock().await;
        if !inner.stale.load(Relaxed) || inner.ended.load(Relaxed) || reload(&inner).await.is_ok() {
            return;
        }
    }
}

/// A time, or another number, as the store keeps it.
pub(super) fn millis(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
