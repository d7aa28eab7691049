//! File → store, in one transaction: all of it or nothing.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, Row as _};

use super::dump::schema;
use super::{Backup, BackupError, FORMAT, Head, Line, OWNER, PROBE, TABLES, file, is_number, keys};
use crate::config::Config;
use crate::records::RecordsError;
use crate::records::lock::Lock;
use crate::records::seal::Seal;
use crate::records::store::{Store, Transaction, connect, sqlite_url};

impl Backup {
    /// Reads the file `from` into the empty store of the cloud that `config` describes, which does not run; with `keys`, the keys into its data folder first.
    ///
    /// # Errors
    /// [`BackupError`]; the store is as it was.
    pub async fn restore(config: &Config, from: &Path, keys: Option<&Path>) -> Result<Self, BackupError> {
        let data = config.data.clone();
        std::fs::create_dir_all(&data).map_err(file(&data))?;
        let beside = data.join("records");
        let locked =
            tokio::task::spawn_blocking(move || Lock::take_within(&beside, Duration::ZERO).map_err(file(&beside)));
        let _lock = locked.await.map_err(|error| RecordsError::Unavailable(error.to_string()))??;
        let mut lines = Reader::open(from)?;
        let head = lines.head()?;
        let url = config.database.clone().unwrap_or_else(|| sqlite_url(&data));
        // Before it is taken over: a cloud that uses it from elsewhere goes on undisturbed.
        let pool = connect(&url).await?;
        let used = sqlx::query("select id from organisations limit 1").fetch_optional(&pool).await;
        pool.close().await;
        if used.is_ok_and(|first| first.is_some()) {
            return Err(BackupError::NotEmpty);
        }
        if let Some(keys) = keys {
            keys::restore(keys, &data)?;
        }
        check_key(&data, &head)?;
        let store = Store::open(&url).await?;
        let mut tx = store.begin().await?;
        let held = sqlx::query("select (select count(*) from organisations) + (select count(*) from audit) as held");
        let held = held.fetch_one(tx.bare()).await.and_then(|row| row.try_get::<i64, _>("held"));
        if held.map_err(RecordsError::from)? != 0 {
            return Err(BackupError::NotEmpty);
        }
        if head.schema != schema(tx.bare()).await? {
            let reason = format!(
                "it is of schema {}; restore it with the version that wrote it, then start this one, which updates it",
                head.schema
            );
            return Err(lines.damaged(reason));
        }
        let rows = lines.rows(&mut tx).await?;
        tx.commit().await?;
        Ok(Backup { rows, at: head.at })
    }
}

/// What is sealed in the backup has to open with the key of the folder.
fn check_key(data: &Path, head: &Head) -> Result<(), BackupError> {
    let path = Seal::path(data);
    if !path.exists() {
        let detail = format!("{} is missing: give the file of keys that was written beside the backup", path.display());
        return Err(BackupError::Key(detail));
    }
    if Seal::open(&path, false)?.reveal(PROBE, &head.sealed).as_deref() != Some(PROBE) {
        let detail = format!("{} is not the key that this backup was sealed with", path.display());
        return Err(BackupError::Key(detail));
    }
    Ok(())
}

/// The file, line by line.
struct Reader<'p> {
    path: &'p Path,
    lines: Lines<BufReader<File>>,
    number: usize,
}

impl<'p> Reader<'p> {
    fn open(path: &'p Path) -> Result<Self, BackupError> {
        let opened = File::open(path).map_err(file(path))?;
        Ok(Self { path, lines: BufReader::new(opened).lines(), number: 0 })
    }

    fn damaged(&self, reason: impl Into<String>) -> BackupError {
        BackupError::Damaged { path: self.path.to_owned(), line: self.number, reason: reason.into() }
    }

    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, BackupError> {
        let Some(line) = self.lines.next() else { return Ok(None) };
        self.number += 1;
        let line = line.map_err(file(self.path))?;
        serde_json::from_str(&line).map(Some).map_err(|error| self.damaged(error.to_string()))
    }

    fn head(&mut self) -> Result<Head, BackupError> {
        let head: Head = self.next()?.ok_or_else(|| self.damaged("the file is empty"))?;
        if head.oriel_backup != FORMAT {
            return Err(self.damaged(format!("a backup of format {} is not understood", head.oriel_backup)));
        }
        Ok(head)
    }

    async fn rows(&mut self, tx: &mut Transaction) -> Result<u64, BackupError> {
        let mut rows = 0;
        loop {
            match self.next()? {
                Some(Line::Row { table, row }) => {
                    self.insert(&table, row, tx).await?;
                    rows += 1;
                }
                Some(Line::End { end }) if end == rows => return Ok(rows),
                Some(Line::End { end }) => {
                    return Err(self.damaged(format!("{rows} rows came, and {end} were written")));
                }
                None => return Err(self.damaged("the end is missing: this is a piece of a backup")),
            }
        }
    }

    async fn insert(&self, table: &str, mut row: Map<String, Value>, tx: &mut Transaction) -> Result<(), BackupError> {
        let known = TABLES.into_iter().find(|(name, _)| *name == table);
        let (table, columns) = known.ok_or_else(|| self.damaged(format!("there is no table `{table}`")))?;
        if table == "meta" && row.get("key").is_some_and(|key| key == OWNER) {
            return Ok(());
        }
        let places: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
        // Names of ours, from the list.
        let statement = format!("insert into {table} ({}) values ({})", columns.join(", "), places.join(", "));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
        for column in columns {
            let value = row.remove(*column).ok_or_else(|| self.damaged(format!("{table} has a `{column}`")))?;
            query = bind(query, column, value).map_err(|reason| self.damaged(reason))?;
        }
        if let Some(column) = row.keys().next() {
            return Err(self.damaged(format!("{table} has no `{column}`")));
        }
        match query.execute(tx.bare()).await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if !error.is_unique_violation() && !error.is_foreign_key_violation() => {
                Err(RecordsError::from(sqlx::Error::Database(error)).into())
            }
            Err(sqlx::Error::Database(error)) => Err(self.damaged(error.to_string())),
            Err(error) => Err(RecordsError::from(error).into()),
        }
    }
}

fn bind<'q>(
    query: Query<'q, Any, AnyArguments>,
    column: &str,
    value: Value,
) -> Result<Query<'q, Any, AnyArguments>, String> {
    match value {
        Value::Null if is_number(column) => Ok(query.bind(None::<i64>)),
        Value::Null => Ok(query.bind(None::<String>)),
        Value::String(text) if !is_number(column) => Ok(query.bind(text)),
        Value::Number(number) if is_number(column) => {
            let number = number.as_i64().ok_or_else(|| format!("`{column}` is no whole number"))?;
            Ok(query.bind(number))
        }
        _ => Err(format!("`{column}` is of another kind")),
    }
}
