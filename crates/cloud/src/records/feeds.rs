//! The feeds of devices: entries within bounds, the states of properties, and where each feed stands. Entries and position are written in one transaction, for many
//! devices at once; the audit log knows nothing of them, and neither do backups.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::store::{Write, millis, timely};
use super::types::{DeviceId, OrganisationId};
use super::{Records, RecordsError, Scope};

/// Rows of one statement: SQLite takes no more than 32,766 values, older ones 999.
const ROWS: usize = 100;
/// Devices whose old entries are removed in one transaction.
const TRIMS: usize = 64;
/// States of one device at most; a feed knows as many.
const STATES: usize = 512;

/// How much is kept of each device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedBounds {
    /// Entries.
    pub entries: u64,
    /// Bytes of entries.
    pub bytes: u64,
}

/// One entry to keep.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry {
    pub(crate) time: u64,
    pub(crate) topic: String,
    /// JSON.
    pub(crate) content: String,
}

/// What of one device becomes durable together.
#[derive(Debug, Clone)]
pub(crate) struct FeedBatch {
    pub(crate) organisation: OrganisationId,
    pub(crate) device: DeviceId,
    /// The number of the entry that they come after. A batch that was made durable although its commit failed is known by it.
    pub(crate) after: u64,
    pub(crate) entries: Vec<NewEntry>,
    /// By property: its topic and content, or that it is no more.
    pub(crate) states: BTreeMap<String, Option<(String, String)>>,
    /// JSON.
    pub(crate) memory: String,
}

/// An entry that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptEntry {
    pub(crate) number: u64,
    pub(crate) came: u64,
    pub(crate) content: String,
}

/// A property as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptState {
    pub(crate) property: String,
    pub(crate) came: u64,
    pub(crate) content: String,
}

/// Which entries, the newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeedQuery {
    /// With this topic or one below it, and gaps; empty: all.
    pub(crate) topic: String,
    /// Not before, Unix milliseconds.
    pub(crate) from: Option<u64>,
    /// Before, Unix milliseconds.
    pub(crate) to: Option<u64>,
    /// With lower numbers.
    pub(crate) before: Option<u64>,
}

/// What each device has had since its old entries were removed.
#[derive(Debug, Default)]
pub(crate) struct Trims(HashMap<DeviceId, (u64, u64)>);

impl Trims {
    /// For which devices it is time with these batches, the most overdue first: after an eighth of the bounds, and at once where nothing is known yet.
    fn due(&self, batches: &[&FeedBatch], bounds: FeedBounds) -> Vec<DeviceId> {
        let overdue = |batch: &&FeedBatch| {
            let part = |had: u64, bound: u64| had as f64 / bound.max(1) as f64;
            let (entries, bytes) = (batch.entries.len() as u64, weight(batch));
            let over = self.0.get(&batch.device).map_or(f64::INFINITY, |had| {
                part(had.0 + entries, bounds.entries).max(part(had.1 + bytes, bounds.bytes))
            });
            (entries > 0 && over * 8.0 > 1.0).then(|| (over, DeviceId::clone(&batch.device)))
        };
        let mut due: Vec<_> = batches.iter().filter_map(overdue).collect();
        due.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        due.into_iter().map(|(_, device)| device).take(TRIMS).collect()
    }

    /// The batches are durable, and what of these devices was too old is gone.
    fn had(&mut self, batches: &[&FeedBatch], trimmed: Vec<DeviceId>) {
        for batch in batches {
            if let Some(had) = self.0.get_mut(&batch.device) {
                *had = (had.0 + batch.entries.len() as u64, had.1 + weight(batch));
            }
        }
        self.0.extend(trimmed.into_iter().map(|device| (device, (0, 0))));
    }

    /// Drops what is known of devices that are no more.
    pub(crate) fn retain(&mut self, stands: impl Fn(&DeviceId) -> bool) {
        self.0.retain(|device, _| stands(device));
    }
}

impl Records {
    /// Makes batches durable, all or none. Returns the number of each device's newest entry; none for a device that is registered no more, or whose entries do not
    /// end where the batch begins. One that is durable already is not written again.
    pub(crate) async fn keep_feeds(
        &self,
        batches: &[FeedBatch],
        bounds: FeedBounds,
        trims: &mut Trims,
    ) -> Result<Vec<Option<u64>>, RecordsError> {
        let mut write = Write::begin(&self.inner).await?;
        let stands: Vec<bool> = {
            let directory = write.directory();
            let stands = |batch: &FeedBatch| {
                let device = directory.device(&batch.device);
                device.is_some_and(|device| device.organisation == batch.organisation)
            };
            batches.iter().map(stands).collect()
        };
        let standing: Vec<&FeedBatch> =
            batches.iter().zip(stands).filter_map(|(batch, stands)| stands.then_some(batch)).collect();
        let mut numbers = numbers(&mut write, &standing).await?;
        let at = |batch: &FeedBatch| numbers.get(&*batch.device).copied().unwrap_or_default();
        let (kept, others): (Vec<_>, Vec<_>) = standing.into_iter().partition(|batch| at(batch) == batch.after);
        let durable = |batch: &&&FeedBatch| at(batch) == batch.after + batch.entries.len() as u64;
        let durable: HashSet<DeviceId> = others.iter().filter(durable).map(|batch| batch.device.clone()).collect();
        let now = write.now();
        let heads = heads(&mut write, &kept).await?;
        entries(&mut write, &kept, &heads, now).await?;
        states(&mut write, &kept, now).await?;
        let trimmed = trim(&mut write, &kept, &heads, bounds, trims).await?;
        write.commit().await?;
        trims.had(&kept, trimmed);
        numbers.retain(|device, _| durable.contains(&**device));
        numbers.extend(heads.into_iter().map(|(device, (number, _))| (device, number)));
        Ok(batches.iter().map(|batch| numbers.get(&*batch.device).copied()).collect())
    }
}

fn bytes(entry: &NewEntry) -> u64 {
    (entry.content.len() + entry.topic.len()) as u64
}

fn weight(batch: &FeedBatch) -> u64 {
    batch.entries.iter().map(bytes).sum()
}

/// `($1, $2), ($3, $4)`: so many rows of so many values.
fn values(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 5);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let _infallible = write!(text, "{}${}", if column == 0 { "" } else { ", " }, row * columns + column + 1);
        }
        text.push(')');
    }
    text
}

/// Where the feeds are: the number of each device's newest entry, of those that have begun.
async fn numbers(write: &mut Write, batches: &[&FeedBatch]) -> Result<HashMap<String, u64>, RecordsError> {
    let mut numbers = HashMap::with_capacity(batches.len());
    for some in batches.chunks(ROWS) {
        let sql = format!("select device, number from feeds where device in ({})", values(some.len(), 1));
        // Safe: only numbers of parameters were put together, here and below.
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for batch in some {
            statement = statement.bind(&*batch.device);
        }
        for row in write.rows(statement).await? {
            numbers.insert(row.try_get("device")?, number(&row, "number")?);
        }
    }
    Ok(numbers)
}

/// Moves each feed on; number and total of each device afterwards.
async fn heads(write: &mut Write, batches: &[&FeedBatch]) -> Result<HashMap<String, (u64, u64)>, RecordsError> {
    let mut heads = HashMap::with_capacity(batches.len());
    for some in batches.chunks(ROWS) {
        let sql = format!(
            "insert into feeds (device, organisation, number, total, memory) values {} on conflict (device) do update set \
             number = feeds.number + excluded.number, total = feeds.total + excluded.total, memory = excluded.memory \
             returning device, number, total",
            values(some.len(), 5)
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for batch in some {
            statement = statement
                .bind(&*batch.device)
                .bind(&*batch.organisation)
                .bind(millis(batch.entries.len() as u64))
                .bind(millis(weight(batch)))
                .bind(&batch.memory);
        }
        for row in write.rows(statement).await? {
            heads.insert(row.try_get("device")?, (number(&row, "number")?, number(&row, "total")?));
        }
    }
    Ok(heads)
}

async fn entries(
    write: &mut Write,
    batches: &[&FeedBatch],
    heads: &HashMap<String, (u64, u64)>,
    now: u64,
) -> Result<(), RecordsError> {
    let mut rows = Vec::new();
    for batch in batches {
        let Some((newest, total)) = heads.get(&*batch.device) else { continue };
        let (mut number, mut total) = (newest - batch.entries.len() as u64, total - weight(batch));
        for entry in &batch.entries {
            number += 1;
            total += bytes(entry);
            rows.push((batch, entry, number, total));
        }
    }
    for some in rows.chunks(ROWS) {
        let sql = format!(
            "insert into feed_entries (device, number, organisation, total, came, time, topic, content) values {}",
            values(some.len(), 8)
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for (batch, entry, number, total) in some {
            statement = statement
                .bind(&*batch.device)
                .bind(millis(*number))
                .bind(&*batch.organisation)
                .bind(millis(*total))
                .bind(millis(now))
                .bind(millis(entry.time))
                .bind(&entry.topic)
                .bind(&entry.content);
        }
        write.run(statement).await?;
    }
    Ok(())
}

/// A property that is there: its device, its name, topic and content.
type There<'b> = (&'b FeedBatch, &'b str, &'b str, &'b str);

/// Properties that are no more, and those that are there.
fn parted<'b>(batches: &[&'b FeedBatch]) -> (Vec<(&'b FeedBatch, &'b str)>, Vec<There<'b>>) {
    let (mut gone, mut there) = (Vec::new(), Vec::new());
    for batch in batches {
        for (property, state) in &batch.states {
            match state {
                None => gone.push((*batch, property.as_str())),
                Some((topic, content)) => there.push((*batch, property.as_str(), topic.as_str(), content.as_str())),
            }
        }
    }
    (gone, there)
}

async fn states(write: &mut Write, batches: &[&FeedBatch], now: u64) -> Result<(), RecordsError> {
    let (gone, there) = parted(batches);
    for (batch, property) in gone {
        let delete = "delete from feed_states where device = $1 and property = $2 and organisation = $3";
        write.run(sqlx::query(delete).bind(&*batch.device).bind(property).bind(&*batch.organisation)).await?;
    }
    for some in there.chunks(ROWS) {
        let sql = format!(
            "insert into feed_states (device, property, organisation, came, topic, content) values {} \
             on conflict (device, property) do update set came = excluded.came, content = excluded.content",
            values(some.len(), 6)
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for (batch, property, topic, content) in some {
            statement = statement
                .bind(&*batch.device)
                .bind(*property)
                .bind(&*batch.organisation)
                .bind(millis(now))
                .bind(*topic)
                .bind(*content);
        }
        write.run(statement).await?;
    }
    Ok(())
}

/// Removes what is beyond the bounds, of some of the devices for which it is time. Returns which they are.
async fn trim(
    write: &mut Write,
    batches: &[&FeedBatch],
    heads: &HashMap<String, (u64, u64)>,
    bounds: FeedBounds,
    trims: &Trims,
) -> Result<Vec<DeviceId>, RecordsError> {
    let due = trims.due(batches, bounds);
    for device in &due {
        let Some((newest, total)) = heads.get(&**device) else { continue };
        let delete = "delete from feed_entries where device = $1 and (number <= $2 or total <= $3)";
        let statement = sqlx::query(delete)
            .bind(&**device)
            .bind(millis(newest.saturating_sub(bounds.entries)))
            .bind(millis(total.saturating_sub(bounds.bytes)));
        write.run(statement).await?;
    }
    Ok(due)
}

fn number(row: &AnyRow, column: &str) -> Result<u64, RecordsError> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
}

fn kept(row: &AnyRow) -> Result<KeptEntry, RecordsError> {
    Ok(KeptEntry { number: number(row, "number")?, came: number(row, "came")?, content: row.try_get("content")? })
}

impl Scope<'_> {
    /// The number of a feed's newest entry, and what it remembers; none before its first.
    pub(crate) async fn feed(&self, device: &str) -> Result<Option<(u64, String)>, RecordsError> {
        let select = "select number, memory from feeds where organisation = $1 and device = $2";
        let asked = sqlx::query(select).bind(&*self.organisation).bind(device);
        let row = timely(asked.fetch_optional(&self.inner.store.pool)).await?;
        row.map(|row| Ok((number(&row, "number")?, row.try_get("memory")?))).transpose()
    }

    /// The properties of a device as they are, by topic.
    pub(crate) async fn feed_states(&self, device: &str) -> Result<Vec<KeptState>, RecordsError> {
        let select = format!(
            "select property, came, content from feed_states where organisation = $1 and device = $2 order by topic, property limit {STATES}"
        );
        let asked = sqlx::query(AssertSqlSafe(select)).bind(&*self.organisation).bind(device);
        let rows = timely(asked.fetch_all(&self.inner.store.pool)).await?;
        let state = |row: &AnyRow| {
            Ok(KeptState {
                property: row.try_get("property")?,
                came: number(row, "came")?,
                content: row.try_get("content")?,
            })
        };
        rows.iter().map(state).collect()
    }

    /// At most `limit` entries of a device, the newest first.
    pub(crate) async fn feed_entries(
        &self,
        device: &str,
        query: &FeedQuery,
        limit: usize,
    ) -> Result<Vec<KeptEntry>, RecordsError> {
        let mut sql =
            "select number, came, content from feed_entries where organisation = $1 and device = $2".to_owned();
        let bounds = [("number <", query.before), ("time >=", query.from), ("time <", query.to)];
        let bounds: Vec<_> = bounds.into_iter().filter_map(|(which, bound)| Some((which, bound?))).collect();
        for (place, (which, _)) in bounds.iter().enumerate() {
            let _infallible = write!(sql, " and {which} ${}", place + 3);
        }
        if !query.topic.is_empty() {
            let place = bounds.len() + 3;
            let _infallible = write!(
                sql,
                " and (topic = '' or topic = ${place} or substr(topic, 1, length(${place}) + 1) = ${place} || '/')"
            );
        }
        let _infallible = write!(sql, " order by number desc limit {limit}");
        // Safe: only names of columns, numbers of parameters and a number were put together.
        let mut asked = sqlx::query(AssertSqlSafe(sql)).bind(&*self.organisation).bind(device);
        for (_, bound) in bounds {
            asked = asked.bind(millis(bound));
        }
        if !query.topic.is_empty() {
            asked = asked.bind(&query.topic);
        }
        timely(asked.fetch_all(&self.inner.store.pool)).await?.iter().map(kept).collect()
    }

    /// At most `limit` entries of a device after the one with this number, in their order; and the number of the oldest that is kept.
    pub(crate) async fn feed_after(
        &self,
        device: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<KeptEntry>, RecordsError> {
        let select = format!(
            "select number, came, content from feed_entries where organisation = $1 and device = $2 and number > $3 order by number limit {limit}"
        );
        let asked = sqlx::query(AssertSqlSafe(select)).bind(&*self.organisation).bind(device).bind(millis(after));
        timely(asked.fetch_all(&self.inner.store.pool)).await?.iter().map(kept).collect()
    }

    /// The newest entries of a device, at most `limit`, whose times are not before `since`.
    pub(crate) async fn feed_since(
        &self,
        device: &str,
        since: u64,
        limit: usize,
    ) -> Result<Vec<KeptEntry>, RecordsError> {
        self.feed_entries(device, &FeedQuery { from: Some(since), ..FeedQuery::default() }, limit).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::clock::Clock;
    use crate::records::{Actor, NewDevice};

    async fn records(folder: &std::path::Path) -> (Records, OrganisationId) {
        let records = Records::open(folder, None, Clock::default()).await.unwrap();
        records.first_link().await.unwrap();
        let organisation = records.first_organisation().unwrap();
        (records, organisation)
    }

    fn batch(organisation: &OrganisationId, device: &DeviceId, after: u64, entries: usize, state: &str) -> FeedBatch {
        let entry = || NewEntry { time: 7, topic: "tns1:A/B".to_owned(), content: "x".repeat(200) };
        FeedBatch {
            organisation: Arc::clone(organisation),
            device: Arc::clone(device),
            after,
            entries: std::iter::repeat_with(entry).take(entries).collect(),
            states: [("p".to_owned(), (!state.is_empty()).then(|| ("tns1:A".to_owned(), state.to_owned())))].into(),
            memory: format!("memory {state}"),
        }
    }

    async fn rows(records: &Records, table: &str) -> i64 {
        let sql = format!("select count(*) as n from {table}");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&records.inner.store.pool).await.unwrap();
        row.try_get("n").unwrap()
    }

    #[tokio::test]
    async fn a_feed_has_bounds_and_numbers_without_holes_and_goes_with_its_device() {
        let folder = tempfile::tempdir().unwrap();
        let (records, organisation) = records(folder.path()).await;
        let scope = records.within(&organisation);
        let device = Arc::clone(&scope.add_device(&Actor::system(), "camera", None).await.unwrap().id);
        let (mut trims, mut after) = (Trims::default(), 0);
        for bounds in [FeedBounds { entries: 160, bytes: 1 << 30 }, FeedBounds { entries: 1 << 20, bytes: 16_640 }] {
            for round in 1..=30 {
                let one = [batch(&organisation, &device, after, 20, "open")];
                let kept = records.keep_feeds(&one, bounds, &mut trims).await.unwrap();
                assert_eq!(kept, [Some(after + 20)], "{round}");
                after += 20;
            }
            let there = rows(&records, "feed_entries").await;
            assert!((80..=180).contains(&there), "{bounds:?}: {there}");
        }
        let list = scope.feed_entries(&device, &FeedQuery::default(), 1000).await.unwrap();
        assert_eq!(list[0].number, 1200);
        assert!(list.windows(2).all(|two| two[0].number == two[1].number + 1));
        assert_eq!(scope.feed(&device).await.unwrap(), Some((1200, "memory open".to_owned())));
        assert_eq!(scope.feed_states(&device).await.unwrap()[0].content, "open");
        // Of a device that is not there nothing is kept, and the others' is.
        let both = [batch(&organisation, &"nobody".into(), 0, 1, ""), batch(&organisation, &device, 1200, 1, "")];
        let bounds = FeedBounds { entries: 160, bytes: 1 << 30 };
        assert_eq!(records.keep_feeds(&both, bounds, &mut trims).await.unwrap(), [None, Some(1201)]);
        assert!(scope.feed_states(&device).await.unwrap().is_empty());
        scope.remove_devices(&Actor::system(), &[device.to_string()].into()).await.unwrap();
        for table in ["feeds", "feed_entries", "feed_states"] {
            assert_eq!(rows(&records, table).await, 0, "{table}");
        }
    }

    #[tokio::test]
    async fn a_batch_whose_commit_was_doubtful_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let (records, organisation) = records(folder.path()).await;
        let scope = records.within(&organisation);
        let device = Arc::clone(&scope.add_device(&Actor::system(), "camera", None).await.unwrap().id);
        let (mut trims, bounds) = (Trims::default(), FeedBounds { entries: 160, bytes: 1 << 30 });
        let mut keep = async |after, entries, state| {
            let one = [batch(&organisation, &device, after, entries, state)];
            records.keep_feeds(&one, bounds, &mut trims).await.unwrap()[0]
        };
        assert_eq!(keep(0, 3, "open").await, Some(3));
        assert_eq!(keep(0, 3, "open").await, Some(3), "it was durable");
        // Without entries it may be written as often as it comes.
        assert_eq!(keep(3, 0, "shut").await, Some(3));
        assert_eq!(keep(3, 0, "shut").await, Some(3));
        assert_eq!(keep(3, 2, "open").await, Some(5));
        assert_eq!(keep(3, 3, "odd").await, None, "another one came after the third");
        assert_eq!(keep(9, 1, "odd").await, None);
        assert_eq!(rows(&records, "feed_entries").await, 5);
        assert_eq!(scope.feed(&device).await.unwrap(), Some((5, "memory open".to_owned())));
    }

    #[test]
    fn of_many_devices_that_tell_much_none_is_left_out() {
        let organisation: OrganisationId = "one".into();
        let (mut trims, bounds) = (Trims::default(), FeedBounds { entries: 160, bytes: 1 << 30 });
        let devices: Vec<DeviceId> = (0..TRIMS + 6).map(|n| n.to_string().into()).collect();
        let mut held: HashMap<DeviceId, u64> = HashMap::new();
        for _ in 0..50 {
            let batches: Vec<_> = devices.iter().map(|device| batch(&organisation, device, 0, 21, "")).collect();
            let batches: Vec<_> = batches.iter().collect();
            // A transaction that fails counts for nothing.
            let due = trims.due(&batches, bounds);
            assert_eq!(trims.due(&batches, bounds), due);
            assert_eq!(due.len(), TRIMS);
            for device in &devices {
                let held = held.entry(device.clone()).or_default();
                *held = if due.contains(device) { 160 } else { *held + 21 };
            }
            trims.had(&batches, due);
            assert!(held.values().all(|held| *held <= 160 + 3 * 21), "{held:?}");
        }
    }

    /// What docs/ref/api.md says of the cost: `cargo test --release -p oriel-cloud --lib a_thousand_devices -- --ignored --nocapture`.
    #[tokio::test]
    #[ignore = "a measurement"]
    async fn a_thousand_devices_with_an_event_a_second_each() {
        let folder = tempfile::tempdir().unwrap();
        let (records, organisation) = records(folder.path()).await;
        let scope = records.within(&organisation);
        let new = std::iter::repeat_with(NewDevice::default).take(1000).collect();
        let devices = scope.add_devices(&Actor::system(), new).await.unwrap();
        let (mut trims, bounds) = (Trims::default(), FeedBounds { entries: 200, bytes: 1 << 20 });
        let mut slowest = std::time::Duration::ZERO;
        let started = Instant::now();
        for second in 0..300 {
            let state = second.to_string();
            let all: Vec<FeedBatch> =
                devices.iter().map(|device| batch(&organisation, &device.id, second, 1, &state)).collect();
            let began = Instant::now();
            records.keep_feeds(&all, bounds, &mut trims).await.unwrap();
            slowest = slowest.max(began.elapsed());
        }
        println!("300 transactions of 1000 devices: {:?} each, the slowest {slowest:?}", started.elapsed() / 300);
    }
}
