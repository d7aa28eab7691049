//! The directory, read from the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use oriel_trust::Fingerprint;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};

use super::directory::Directory;
use super::store::timely;
use super::types::{
    AccessKey, Authority, CredentialKind, Device, DeviceId, Enrolment, Identity, Organisation, Origin, Session,
    StoredCredential, Token, User,
};
use super::{RecordsError, SecretHash};

/// Reads everything.
///
/// # Errors
/// [`RecordsError::Damaged`] naming table and row, or that the database is away.
pub(super) async fn directory(pool: &AnyPool) -> Result<Directory, RecordsError> {
    let mut directory = Directory::default();
    each(pool, "select * from organisations", |row| {
        directory.put_organisation(Arc::new(organisation(row)?));
        Ok(())
    })
    .await?;
    each(pool, "select * from users", |row| {
        directory.put_user(Arc::new(user(row)?));
        Ok(())
    })
    .await?;
    devices(pool, &mut directory).await?;
    each(pool, "select * from tokens", |row| {
        directory.put_token(Arc::new(token(row)?));
        Ok(())
    })
    .await?;
    each(pool, "select * from access_keys", |row| {
        directory.put_access_key(Arc::new(access_key(row)?));
        Ok(())
    })
    .await?;
    each(pool, "select * from sessions", |row| {
        directory.put_session(Arc::new(session(row)?));
        Ok(())
    })
    .await?;
    each(pool, "select * from authorities", |row| {
        directory.put_authority(Arc::new(authority(row)?));
        Ok(())
    })
    .await?;
    enrolments(pool, &mut directory).await?;
    Ok(directory)
}

async fn enrolments(pool: &AnyPool, directory: &mut Directory) -> Result<(), RecordsError> {
    let mut uses: HashMap<String, BTreeMap<Fingerprint, DeviceId>> = HashMap::new();
    each(pool, "select * from enrolment_uses", |row| {
        let key = text(row, "fingerprint")?.parse().map_err(|_| damaged(row, "fingerprint"))?;
        uses.entry(text(row, "enrolment")?).or_default().insert(key, id(row, "device")?);
        Ok(())
    })
    .await?;
    each(pool, "select * from enrolments", |row| {
        let devices = uses.remove(&text(row, "id")?).unwrap_or_default();
        directory.put_enrolment(hash(row)?, Arc::new(enrolment(row, devices)?));
        Ok(())
    })
    .await
}

/// The largest tables: a start waits for these two.
async fn devices(pool: &AnyPool, directory: &mut Directory) -> Result<(), RecordsError> {
    let mut credentials: HashMap<String, Vec<StoredCredential>> = HashMap::new();
    let columns = "select id, device, kind, origin, authority, value, expires, anchors, created from credentials";
    each(pool, columns, |row| {
        // Most devices have one.
        let of_device = credentials.entry(text(row, "device")?).or_insert_with(|| Vec::with_capacity(1));
        of_device.push(credential(row)?);
        Ok(())
    })
    .await?;
    each(pool, "select * from devices", |row| {
        let mut device = device(row)?;
        device.credentials = credentials.remove(&*device.id).unwrap_or_default();
        device.credentials.sort_by(|one, other| one.id.cmp(&other.id));
        directory.put_device(Arc::new(device));
        Ok(())
    })
    .await
}

/// Hands on each row as it comes: all rows of a large table at once would be several times the directory.
async fn each(
    pool: &AnyPool,
    query: &'static str,
    mut take: impl FnMut(&AnyRow) -> Result<(), RecordsError>,
) -> Result<(), RecordsError> {
    let mut rows = sqlx::query(query).fetch(pool);
    while let Some(row) = timely(rows.try_next()).await? {
        take(&row)?;
    }
    Ok(())
}

fn text(row: &AnyRow, column: &'static str) -> Result<String, RecordsError> {
    Ok(row.try_get(column)?)
}

fn id(row: &AnyRow, column: &'static str) -> Result<Arc<str>, RecordsError> {
    Ok(text(row, column)?.into())
}

fn maybe_id(row: &AnyRow, column: &'static str) -> Result<Option<Arc<str>>, RecordsError> {
    Ok(row.try_get::<Option<String>, _>(column)?.map(Into::into))
}

fn switch(row: &AnyRow, column: &'static str) -> Result<bool, RecordsError> {
    Ok(row.try_get::<i64, _>(column)? != 0)
}

fn time(row: &AnyRow, column: &'static str) -> Result<u64, RecordsError> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
}

fn maybe_time(row: &AnyRow, column: &'static str) -> Result<Option<u64>, RecordsError> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(|time| u64::try_from(time).unwrap_or_default()))
}

/// A value that we wrote and that reads as something else now.
fn damaged(row: &AnyRow, column: &str) -> RecordsError {
    let which: String = row.try_get("id").unwrap_or_default();
    RecordsError::Damaged {
        what: "the database".to_owned(),
        reason: format!("{column} of record {which} cannot be read"),
    }
}

fn parsed<T: std::str::FromStr>(row: &AnyRow, column: &'static str) -> Result<T, RecordsError> {
    text(row, column)?.parse().map_err(|_| damaged(row, column))
}

fn hash(row: &AnyRow) -> Result<SecretHash, RecordsError> {
    text(row, "hash")?.try_into().map_err(|_| damaged(row, "hash"))
}

fn organisation(row: &AnyRow) -> Result<Organisation, RecordsError> {
    Ok(Organisation {
        id: id(row, "id")?,
        name: text(row, "name")?,
        suspended: switch(row, "suspended")?,
        limits: serde_json::from_str(&text(row, "limits")?).map_err(|_| damaged(row, "limits"))?,
        created: time(row, "created")?,
    })
}

fn user(row: &AnyRow) -> Result<User, RecordsError> {
    Ok(User {
        id: id(row, "id")?,
        organisation: id(row, "organisation")?,
        email: text(row, "email")?,
        name: text(row, "name")?,
        role: parsed(row, "role")?,
        instance: switch(row, "instance")?,
        disabled: switch(row, "disabled")?,
        password: maybe_id(row, "password")?,
        created: time(row, "created")?,
    })
}

fn credential(row: &AnyRow) -> Result<StoredCredential, RecordsError> {
    let value = text(row, "value")?;
    let kind = match text(row, "kind")?.as_str() {
        "key" => value.parse::<Fingerprint>().ok().map(CredentialKind::Key),
        "token" => value.try_into().ok().map(CredentialKind::Token),
        "name" => Some(CredentialKind::Name { authority: id(row, "authority")?, name: value }),
        _ => None,
    };
    let origin = match text(row, "origin")?.as_str() {
        "issued" => Origin::Issued,
        _ => Origin::Pinned,
    };
    Ok(StoredCredential {
        id: id(row, "id")?,
        kind: kind.ok_or_else(|| damaged(row, "value"))?,
        origin,
        expires: maybe_time(row, "expires")?,
        anchors: maybe_id(row, "anchors")?,
        created: time(row, "created")?,
    })
}

fn device(row: &AnyRow) -> Result<Device, RecordsError> {
    Ok(Device {
        id: id(row, "id")?,
        organisation: id(row, "organisation")?,
        name: text(row, "name")?,
        revoked: switch(row, "revoked")?,
        created: time(row, "created")?,
        credentials: Vec::new(),
    })
}

fn token(row: &AnyRow) -> Result<Token, RecordsError> {
    let devices = row.try_get::<Option<String>, _>("devices")?;
    let devices =
        devices.map(|devices| serde_json::from_str(&devices).map_err(|_| damaged(row, "devices"))).transpose()?;
    Ok(Token {
        id: id(row, "id")?,
        organisation: id(row, "organisation")?,
        user: maybe_id(row, "holder")?,
        name: text(row, "name")?,
        hash: hash(row)?,
        role: parsed(row, "role")?,
        instance: switch(row, "instance")?,
        devices,
        created: time(row, "created")?,
        expires: maybe_time(row, "expires")?,
    })
}

fn access_key(row: &AnyRow) -> Result<AccessKey, RecordsError> {
    Ok(AccessKey {
        id: id(row, "id")?,
        organisation: id(row, "organisation")?,
        user: id(row, "holder")?,
        device: id(row, "device")?,
        name: text(row, "name")?,
        role: parsed(row, "role")?,
        sealed: id(row, "sealed")?,
        created: time(row, "created")?,
        expires: maybe_time(row, "expires")?,
    })
}

fn session(row: &AnyRow) -> Result<Session, RecordsError> {
    Ok(Session {
        id: id(row, "id")?,
        organisation: id(row, "organisation")?,
        user: id(row, "holder")?,
        hash: hash(row)?,
        address: text(row, "address")?,
        agent: text(row, "agent")?,
        created: time(row, "created")?,
        expires: time(row, "expires")?,
    })
}

fn authority(row: &AnyRow) -> Result<Authority, RecordsError> {
    let identity = match text(row, "identity")?.as_str() {
        "common_name" => Some(Identity::CommonName),
        "serial_number" => Some(Identity::SerialNumber),
        _ => None,
    };
    Ok(Authority {
        id: id(row, "id")?,
        organisation: id(row, "organisation")?,
        identity,
        certificate: id(row, "certificate")?,
        sealed: maybe_id(row, "sealed")?,
        created: time(row, "created")?,
    })
}

fn enrolment(row: &AnyRow, devices: BTreeMap<Fingerprint, DeviceId>) -> Result<Enrolment, RecordsError> {
    let count = |column| u32::try_from(row.try_get::<i64, _>(column)?).map_err(|_| damaged(row, column));
    Ok(Enrolment {
        id: id(row, "id")?,
        organisation: id(row, "organisation")?,
        name: text(row, "name")?,
        uses: count("uses")?,
        used: count("used")?,
        devices,
        created: time(row, "created")?,
        expires: time(row, "expires")?,
    })
}
