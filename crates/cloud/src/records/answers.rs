//! Answers to requests that carried an idempotency key, for a day.

use std::time::Duration;

use sqlx::Row as _;

use super::store::millis;
use super::types::KeptAnswer;
use super::{RecordsError, Scope};
use crate::clock;

/// How long an answer is kept.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

impl Scope<'_> {
    /// Reserves `key` of `caller` for a request with the hash `request`, or returns what the key stands for already. Answers that are over are swept out.
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn reserve(&self, caller: &str, key: &str, request: &str) -> Result<Option<KeptAnswer>, RecordsError> {
        let mut write = self.begin().await?;
        let now = write.now();
        let over = now.saturating_sub(clock::millis(LIFETIME));
        write.run(sqlx::query("delete from answers where created < $1").bind(millis(over))).await?;
        let find = "select request, status, body from answers where organisation = $1 and caller = $2 and key = $3";
        let found = write.rows(sqlx::query(find).bind(&*self.organisation).bind(caller).bind(key)).await?;
        if let Some(row) = found.first() {
            let status = u16::try_from(row.try_get::<i64, _>("status")?).unwrap_or_default();
            return Ok(Some(KeptAnswer { request: row.try_get("request")?, status, body: row.try_get("body")? }));
        }
        let insert = "insert into answers (organisation, caller, key, request, status, body, created) values ($1, $2, $3, $4, 0, '', $5)";
        let insert =
            sqlx::query(insert).bind(&*self.organisation).bind(caller).bind(key).bind(request).bind(millis(now));
        write.run(insert).await?;
        write.commit().await?;
        Ok(None)
    }

    /// Keeps the answer to a request whose key was reserved; a `status` of `None` sets the key free again, since nothing was done.
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn settle(&self, caller: &str, key: &str, status: Option<u16>, body: &str) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        let statement = match status {
            Some(status) => sqlx::query(
                "update answers set status = $4, body = $5 where organisation = $1 and caller = $2 and key = $3",
            )
            .bind(&*self.organisation)
            .bind(caller)
            .bind(key)
            .bind(i64::from(status))
            .bind(body),
            None => sqlx::query("delete from answers where organisation = $1 and caller = $2 and key = $3")
                .bind(&*self.organisation)
                .bind(caller)
                .bind(key),
        };
        write.run(statement).await?;
        write.commit().await
    }
}
