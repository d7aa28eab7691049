//! Store → file, in one read transaction: a cloud that runs goes on writing meanwhile, and the file shows one moment.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use futures_util::TryStreamExt as _;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::{Backup, BackupError, FORMAT, Head, Line, OWNER, PROBE, TABLES, file, is_number, keys};
use crate::clock::Clock;
use crate::config::Config;
use crate::records::seal::Seal;
use crate::records::store::{connect, is_sqlite, sqlite_url};

impl Backup {
    /// Writes the records of the cloud that `config` describes to the new file `to`, and with `keys` the keys to that new file. The cloud may run.
    ///
    /// # Errors
    /// [`BackupError`]; a file that was begun is removed.
    pub async fn write(config: &Config, to: &Path, keys: Option<&Path>) -> Result<Self, BackupError> {
        let url = config.database.clone().unwrap_or_else(|| sqlite_url(&config.data));
        if config.database.is_none() && !config.data.join("oriel.db").exists() {
            return Err(BackupError::Nothing);
        }
        let seal = Seal::open(&Seal::path(&config.data), false)?;
        let mut file_of = OpenOptions::new();
        let opened = file_of.write(true).create_new(true).mode(0o600).open(to).map_err(file(to))?;
        let written = async {
            let backup = rows(&url, &seal, BufWriter::new(opened), to).await?;
            keys.map_or(Ok(()), |keys| keys::write(&config.data, keys))?;
            Ok(backup)
        };
        written.await.inspect_err(|_: &BackupError| {
            let _removed = std::fs::remove_file(to);
        })
    }
}

async fn rows(url: &str, seal: &Seal, mut out: BufWriter<std::fs::File>, to: &Path) -> Result<Backup, BackupError> {
    let pool = connect(url).await?;
    let mut tx = pool.begin().await.map_err(crate::records::RecordsError::from)?;
    if !is_sqlite(url) {
        // SQLite shows one moment to a transaction by itself.
        let moment = sqlx::query("set transaction isolation level repeatable read, read only");
        moment.execute(&mut *tx).await.map_err(crate::records::RecordsError::from)?;
    }
    let schema = schema(&mut tx).await?;
    let at = Clock::default().now();
    let head = Head { oriel_backup: FORMAT, schema, at, sealed: seal.seal(PROBE, PROBE) };
    let mut put = |line: String| writeln!(out, "{line}").map_err(file(to));
    put(json(&head))?;
    let mut rows = 0;
    for (table, columns) in TABLES {
        // Names of ours, from the list.
        let query = format!("select {} from {table} order by {}", columns.join(", "), columns[0]);
        let mut found = sqlx::query(sqlx::AssertSqlSafe(query)).fetch(&mut *tx);
        while let Some(row) = found.try_next().await.map_err(crate::records::RecordsError::from)? {
            let row = columns.iter().map(|column| Ok(((*column).to_owned(), value(&row, column)?)));
            let row = row.collect::<Result<Map<_, _>, sqlx::Error>>().map_err(crate::records::RecordsError::from)?;
            if table == "meta" && row["key"] == OWNER {
                continue;
            }
            put(json(&Line::Row { table: table.to_owned(), row }))?;
            rows += 1;
        }
    }
    put(json(&Line::End { end: rows }))?;
    let durable = out.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    durable.map_err(file(to))?;
    Ok(Backup { rows, at })
}

/// The newest migration.
pub(super) async fn schema(connection: &mut AnyConnection) -> Result<i64, BackupError> {
    let newest = sqlx::query("select max(version) as newest from _sqlx_migrations").fetch_one(connection).await;
    newest.and_then(|row| row.try_get::<i64, _>("newest")).map_err(|_| BackupError::Nothing)
}

fn value(row: &AnyRow, column: &str) -> Result<Value, sqlx::Error> {
    Ok(if is_number(column) {
        row.try_get::<Option<i64>, _>(column)?.into()
    } else {
        row.try_get::<Option<String>, _>(column)?.into()
    })
}

fn json(line: &impl serde::Serialize) -> String {
    serde_json::to_string(line).expect("plain fields are JSON")
}
