//! The audit log: who did what. Lines are written by each change, in its own transaction ([`super::store::Write::audit`]), and read here.

use sqlx::{AssertSqlSafe, Row as _};

use super::store::timely;
use super::types::AuditEntry;
use super::{RecordsError, Scope};

/// Which lines of the audit log; an empty text matches all.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// Lines older than this one.
    pub before: Option<String>,
}

impl Scope<'_> {
    /// At most `limit` lines of the audit log, newest first.
    ///
    /// # Errors
    /// That the database is away.
    pub async fn audit(&self, query: &AuditQuery, limit: usize) -> Result<Vec<AuditEntry>, RecordsError> {
        let mut sql =
            "select id, at, actor, address, action, target, detail from audit where organisation = $1".to_owned();
        let mut values = vec![self.organisation.as_ref()];
        // The one that picks the fewest lines uses its index. The others only sift, and an expression keeps SQLite's planner, which has no statistics, from
        // their indexes; PostgreSQL's knows better.
        let filters = [("target", &query.target), ("actor", &query.actor), ("action", &query.action)];
        for (column, value) in filters.into_iter().filter(|(_, value)| !value.is_empty()) {
            let sifted = if values.len() > 1 && self.inner.store.sqlite { " || ''" } else { "" };
            values.push(value);
            sql.push_str(&format!(" and {column}{sifted} = ${}", values.len()));
        }
        if let Some(before) = &query.before {
            values.push(before);
            sql.push_str(&format!(" and id < ${}", values.len()));
        }
        sql.push_str(&format!(" order by id desc limit {limit}"));
        // Safe: only names of columns, numbers of parameters and a number were put together.
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            statement = statement.bind(value);
        }
        let rows = timely(statement.fetch_all(&self.inner.store.pool)).await?;
        let entry = |row: &sqlx::any::AnyRow| {
            Ok(AuditEntry {
                id: row.try_get("id")?,
                at: u64::try_from(row.try_get::<i64, _>("at")?).unwrap_or_default(),
                actor: row.try_get("actor")?,
                address: row.try_get("address")?,
                action: row.try_get("action")?,
                target: row.try_get("target")?,
                detail: row.try_get("detail")?,
            })
        };
        rows.iter().map(entry).collect()
    }

    /// Puts a line in the audit log for what changes no record: a login that failed, a certificate that was renewed.
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn note(
        &self,
        actor: &super::Actor,
        action: &str,
        target: &str,
        detail: &str,
    ) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        write.audit(&self.organisation, actor, action, target, detail).await?;
        write.commit().await
    }
}
