//! A backup of the records: the rows of every table that lasts as lines of JSON, so that it can be read, compared, and restored into either kind of database.
//!
//! ```text
//! {"oriel_backup":2,"schema":1,"at":…,"sealed":"…"}      what this is, and a probe of the sealing key
//! {"table":"organisations","row":{…}}                     parents before children
//! {"end":123}                                             so many rows; without it the file is a piece of one
//! ```
//! Two files, to be kept apart: in the first, passwords are Argon2id, tokens are hashes, and what is needed in the plain is sealed; the key that opens it, and the
//! cloud's own authority, are in the second. Sessions, one-time links and answers kept for repeated requests stay out: they live for hours, and a restore must not
//! let anybody in again who had left. The feeds of devices stay out too: they hold the newest events only, and would outweigh all the rest.

mod dump;
mod keys;
mod restore;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RecordsError;

/// The version of the file.
const FORMAT: u32 = 2;
/// The record that the probe is sealed for.
const PROBE: &str = "backup";

/// What lasts: table and columns, parents before children.
const TABLES: [(&str, &[&str]); 11] = [
    ("organisations", &["id", "name", "suspended", "limits", "created"]),
    ("users", &["id", "organisation", "email", "name", "role", "instance", "disabled", "password", "created"]),
    ("devices", &["id", "organisation", "name", "revoked", "created"]),
    (
        "credentials",
        &["id", "organisation", "device", "kind", "origin", "authority", "value", "expires", "anchors", "created"],
    ),
    ("authorities", &["id", "organisation", "kind", "identity", "certificate", "sealed", "created"]),
    ("tokens", &["id", "organisation", "holder", "name", "hash", "role", "instance", "devices", "created", "expires"]),
    ("access_keys", &["id", "organisation", "holder", "device", "name", "role", "sealed", "created", "expires"]),
    ("enrolments", &["id", "organisation", "hash", "name", "uses", "used", "created", "expires"]),
    ("enrolment_uses", &["enrolment", "fingerprint", "device"]),
    ("audit", &["id", "organisation", "at", "actor", "address", "action", "target", "detail"]),
    ("meta", &["key", "value"]),
];
/// What stays out of a backup.
#[cfg(test)]
const SHORT_LIVED: [&str; 6] = ["sessions", "links", "answers", "feeds", "feed_entries", "feed_states"];
/// What `meta` says of this very database.
const OWNER: &str = "owner";

/// Columns that hold numbers, in whatever table; all others hold text.
fn is_number(column: &str) -> bool {
    ["suspended", "instance", "disabled", "revoked", "uses", "used", "created", "expires", "at"].contains(&column)
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database, or the sealing key beside it.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not a whole backup of ours.
    #[error("{path}, line {line}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// There is nothing to back up.
    #[error("there are no records here; start `oriel cloud` first, or check the configuration")]
    Nothing,
    /// A restore would mix two stores.
    #[error("the store holds records already; restore into an empty one, before the cloud's first start")]
    NotEmpty,
    /// The sealing key is missing or another one.
    #[error("{0}")]
    Key(String),
}

/// What was backed up or restored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Rows, all tables together.
    pub rows: u64,
    /// When the backup was made, Unix milliseconds.
    pub at: u64,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    oriel_backup: u32,
    /// The newest migration of the store.
    schema: i64,
    at: u64,
    sealed: String,
}

/// Any other line.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Row { table: String, row: serde_json::Map<String, serde_json::Value> },
    End { end: u64 },
}

fn file(path: &std::path::Path) -> impl Fn(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sqlx::Row as _;

    use super::*;
    use crate::records::store::{Store, sqlite_url};

    #[tokio::test]
    async fn every_table_of_the_schema_is_backed_up_with_all_its_columns_or_known_to_be_short_lived() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&sqlite_url(folder.path())).await.unwrap();
        let columns = "select m.name as of_table, p.name as name, p.type as kind from sqlite_master m, pragma_table_info(m.name) p \
                       where m.type = 'table' and m.name not like '\\_%' escape '\\' and m.name not like 'sqlite%'";
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in sqlx::query(columns).fetch_all(&store.pool).await.unwrap() {
            let (table, column): (String, String) = (row.get("of_table"), row.get("name"));
            let number = row.get::<String, _>("kind").eq_ignore_ascii_case("bigint");
            if !SHORT_LIVED.contains(&table.as_str()) {
                assert_eq!(is_number(&column), number, "{table}.{column}");
                found.entry(table).or_default().push(column);
            }
        }
        let backed_up =
            TABLES.map(|(table, columns)| (table.to_owned(), columns.iter().map(ToString::to_string).collect()));
        assert_eq!(found, BTreeMap::from(backed_up));
    }
}
