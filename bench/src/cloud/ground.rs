//! A cloud with many records that was not started yet. The schema and the first records are made by the cloud's own code, the mass is written by SQL.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oriel_cloud::records::{Actor, NewToken, Role};
use oriel_cloud::{Clock, Records};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe};

use super::postgres::Postgres;
use crate::fixture::Fixture;

/// Rows of one statement.
const ROWS: usize = 500;
/// Milliseconds from one record to the next, up to now.
const STEP: u64 = 1_000;
/// What users do, and how many of them there are.
pub(super) const ACTIONS: [&str; 8] = [
    "device.add",
    "device.rename",
    "device.revoke",
    "credential.add",
    "access_key.add",
    "token.add",
    "session.login",
    "user.change",
];
pub(super) const ACTORS: usize = 20;

/// How many records there are.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) devices: usize,
    pub(super) audit: usize,
}

impl Size {
    pub(super) fn new(devices: usize, audit: usize) -> Self {
        Self { devices, audit }
    }
}

/// A cloud that was not started yet.
pub(super) struct Ground {
    pub(super) config: PathBuf,
    /// An administrator's token.
    pub(super) token: String,
    pub(super) size: Size,
    /// When it was made, in Unix milliseconds.
    now: u64,
}

impl Ground {
    /// Prepares a cloud that will listen on `listen`.
    pub(super) fn new(
        fixture: &Fixture,
        database: Option<&Postgres>,
        name: &str,
        listen: &str,
        size: Size,
    ) -> anyhow::Result<Self> {
        let data = fixture.path(name);
        std::fs::create_dir_all(&data)?;
        let url = database.map(|database| database.database(name)).transpose()?;
        let config = format!(
            "listen = {listen:?}\ndata = {data:?}\ndatabase = {:?}\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
            url.as_deref().unwrap_or_default(),
            fixture.path("server.pem"),
            fixture.path("server.key")
        );
        let config = fixture.write(&format!("{name}.toml"), &config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (token, now) = runtime.block_on(fill(&data, url.as_deref(), size))?;
        Ok(Self { config, token, size, now })
    }

    /// Where a page of the audit log begins that has about `lines` newer lines before it.
    pub(super) fn after(&self, lines: usize) -> String {
        format!("{:012x}", self.now - lines as u64 * STEP)
    }
}

async fn fill(data: &Path, url: Option<&str>, size: Size) -> anyhow::Result<(String, u64)> {
    let records = Records::open(data, url, Clock::default()).await?;
    records.first_link().await?;
    let organisation = records.first_organisation().context("a new store has an organisation")?;
    let scope = records.within(&organisation);
    let (_, token) = scope.add_token(&Actor::system(), NewToken::of(Role::Administrator, "bench")).await?;
    let now = records.clock().now();
    records.close().await;
    sqlx::any::install_default_drivers();
    let file = format!("sqlite://{}", data.join("oriel.db").display());
    let pool = AnyPoolOptions::new().max_connections(1).connect(url.unwrap_or(&file)).await?;
    let devices =
        |n: usize| format!("('{}', '{organisation}', '{}', {}, {})", device(n), device_name(n), revoked(n), now);
    insert(&pool, "devices (id, organisation, name, revoked, created)", size.devices, devices).await?;
    let credentials = |n: usize| {
        let (id, device, key) = (ascending(now, size.devices, n), device(n), key(n));
        format!("('{id}', '{organisation}', '{device}', 'key', 'pinned', '', '{key}', null, {now})")
    };
    let columns = "credentials (id, organisation, device, kind, origin, authority, value, expires, created)";
    insert(&pool, columns, size.devices, credentials).await?;
    let lines = |n: usize| {
        let (id, at, target) = (audit_id(now, size, n), now - (size.audit - n) as u64 * STEP, device(n % size.devices));
        let (actor, action) =
            (actor(random(n as u64) as usize % ACTORS), ACTIONS[random(n as u64 + 7) as usize % ACTIONS.len()]);
        format!(
            "('{id}', '{organisation}', {at}, '{actor}', '192.0.2.{}', '{action}', '{target}', 'something about it')",
            n % 256
        )
    };
    let columns = "audit (id, organisation, at, actor, address, action, target, detail)";
    insert(&pool, columns, size.audit, lines).await?;
    if url.is_some() {
        // PostgreSQL does so by itself, within a minute.
        sqlx::query("analyze").execute(&pool).await?;
    }
    pool.close().await;
    Ok((token.expose().to_owned(), now))
}

/// Inserts `count` rows in one transaction.
async fn insert(pool: &AnyPool, columns: &str, count: usize, row: impl Fn(usize) -> String) -> anyhow::Result<()> {
    let mut tx = pool.begin().await?;
    for first in (0..count).step_by(ROWS) {
        let rows: Vec<String> = (first..count.min(first + ROWS)).map(&row).collect();
        // Every value is of this file's making.
        sqlx::query(AssertSqlSafe(format!("insert into {columns} values {}", rows.join(", "))))
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await.context(columns.to_owned())
}

/// The id of the n-th device, out of order as the cloud's own are.
pub(super) fn device(n: usize) -> String {
    format!("{:016x}", random(n as u64))
}

/// Its name.
pub(super) fn device_name(n: usize) -> String {
    format!("Camera {n}, Building {}", n % 50)
}

/// One in a hundred.
fn revoked(n: usize) -> u8 {
    u8::from(n.is_multiple_of(100))
}

fn key(n: usize) -> String {
    (0..4).map(|part| format!("{:016x}", random(n as u64 * 4 + part + (1 << 40)))).collect()
}

pub(super) fn actor(n: usize) -> String {
    format!("user:somebody{n}@example.org")
}

fn audit_id(now: u64, size: Size, n: usize) -> String {
    ascending(now, size.audit, n)
}

/// As the cloud's ascending ids: time, then chance.
fn ascending(now: u64, count: usize, n: usize) -> String {
    format!("{:012x}{}", now - (count - n) as u64 * STEP, device(n))
}

/// Chance that is the same in every run (splitmix64).
fn random(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_sql_wrote_is_what_the_cloud_reads() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, now) = fill(folder.path(), None, Size::new(1_200, 2_000)).await.unwrap();
        let records = Records::open(folder.path(), None, Clock::default()).await.unwrap();
        let scope = records.within(&records.token(&secret).unwrap().organisation);
        assert_eq!(scope.devices(None, 2_000, |_| true).len(), 1_200);
        let (third, key) = (scope.device(&device(3)).unwrap(), key(3).parse().unwrap());
        assert_eq!(
            (third.name.as_str(), records.device_of_key(&key).unwrap().id.clone()),
            ("Camera 3, Building 3", third.id.clone())
        );
        assert_eq!(scope.devices(None, 2_000, |device| device.revoked).len(), 12);
        let all = oriel_cloud::records::AuditQuery::default();
        // Two more lines say how the store was made.
        let lines = scope.audit(&all, 3_000).await.unwrap();
        assert!(lines.len() >= 2_000 && lines.is_sorted_by(|one, other| one.id > other.id));
        assert!(lines.iter().any(|line| line.target == device(0) && line.at < now));
    }
}
