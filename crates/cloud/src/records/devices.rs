//! Devices and what they show to be let in.

use std::collections::HashSet;
use std::sync::Arc;

use oriel_trust::Fingerprint;

use super::store::{Write, millis};
use super::types::{Actor, CredentialKind, Device, DeviceId, Issue, Origin, StoredCredential};
use super::{RecordsError, Scope, Secret, page, secret};

/// A device to be registered.
#[derive(Debug, Clone, Default)]
pub struct NewDevice {
    /// Its name for people.
    pub name: String,
    /// The key of its certificate, if it is known already.
    pub key: Option<Fingerprint>,
}

impl Scope<'_> {
    /// The device named `id`, if it is this organisation's.
    #[must_use]
    pub fn device(&self, id: &str) -> Option<Arc<Device>> {
        self.read(|held| held.devices.get(id).cloned())
    }

    /// At most `limit` devices after the id `after` that `which` lets through, in the order of ids.
    #[must_use]
    pub fn devices(&self, after: Option<&str>, limit: usize, which: impl Fn(&Device) -> bool) -> Vec<Arc<Device>> {
        self.read(|held| page(&held.devices, after, limit, which))
    }

    /// Registers a device under a new id.
    ///
    /// # Errors
    /// [`RecordsError::KeyTaken`], [`RecordsError::TooMany`], or that nothing can be written.
    pub async fn add_device(
        &self,
        actor: &Actor,
        name: &str,
        key: Option<Fingerprint>,
    ) -> Result<Arc<Device>, RecordsError> {
        let mut added = self.add_devices(actor, vec![NewDevice { name: name.to_owned(), key }]).await?;
        Ok(added.remove(0))
    }

    /// Registers devices, all or none.
    ///
    /// # Errors
    /// As [`Scope::add_device`].
    pub async fn add_devices(&self, actor: &Actor, new: Vec<NewDevice>) -> Result<Vec<Arc<Device>>, RecordsError> {
        let mut write = self.begin().await?;
        self.room_for(&write, new.len())?;
        let mut keys = HashSet::new();
        let mut added = Vec::with_capacity(new.len());
        for NewDevice { name, key } in new {
            if key.is_some_and(|key| !keys.insert(key) || write.directory().is_taken(&key)) {
                return Err(RecordsError::KeyTaken);
            }
            let device = self.new_device(name, write.now());
            added.push(Arc::new(self.insert_device(&mut write, actor, device, key.map(|key| (key, None))).await?));
        }
        write.commit().await?;
        Ok(added)
    }

    pub(super) fn new_device(&self, name: String, created: u64) -> Device {
        let organisation = Arc::clone(&self.organisation);
        Device { id: secret::random_id().into(), organisation, name, revoked: false, created, credentials: Vec::new() }
    }

    /// Whether `more` devices have room in the organisation's limit.
    pub(super) fn room_for(&self, write: &Write, more: usize) -> Result<(), RecordsError> {
        let directory = write.directory();
        let held = directory.standing(&self.organisation).ok_or(RecordsError::Unknown("organisation"))?;
        let most = held.record.limits.devices.unwrap_or(u64::MAX);
        if (held.devices.len() + more) as u64 > most { Err(RecordsError::TooMany("devices")) } else { Ok(()) }
    }

    /// The rows of a new device, with the key that it begins with.
    pub(super) async fn insert_device(
        &self,
        write: &mut Write,
        actor: &Actor,
        mut device: Device,
        key: Option<(Fingerprint, Option<Issue>)>,
    ) -> Result<Device, RecordsError> {
        let insert = "insert into devices (id, organisation, name, revoked, created) values ($1, $2, $3, 0, $4)";
        let insert = sqlx::query(insert)
            .bind(&*device.id)
            .bind(&*self.organisation)
            .bind(&device.name)
            .bind(millis(device.created));
        write.run(insert).await?;
        if let Some((key, issue)) = key {
            let credential = new_credential(CredentialKind::Key(key), issue, write.now());
            self.insert_credential(write, &device.id, &credential).await?;
            device.credentials.push(credential);
        }
        write.audit(&self.organisation, actor, "device.add", &device.id, &device.name).await?;
        let known = Arc::new(device.clone());
        write.then(move |directory| directory.put_device(known));
        Ok(device)
    }

    pub(super) async fn insert_credential(
        &self,
        write: &mut Write,
        device: &str,
        credential: &StoredCredential,
    ) -> Result<(), RecordsError> {
        let (kind, authority, value) = match &credential.kind {
            CredentialKind::Key(key) => ("key", "", key.to_string()),
            CredentialKind::Token(hash) => ("token", "", String::from(*hash)),
            CredentialKind::Name { authority, name } => ("name", &**authority, name.clone()),
        };
        let origin = if credential.origin == Origin::Issued { "issued" } else { "pinned" };
        let insert = "insert into credentials (id, organisation, device, kind, origin, authority, value, expires, anchors, created) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let insert = sqlx::query(insert)
            .bind(&*credential.id)
            .bind(&*self.organisation)
            .bind(device)
            .bind(kind)
            .bind(origin)
            .bind(authority)
            .bind(value)
            .bind(credential.expires.map(millis))
            .bind(credential.anchors.as_deref())
            .bind(millis(credential.created));
        write.run(insert).await.map(drop)
    }

    /// Names a device anew.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn rename_device(&self, actor: &Actor, id: &str, name: &str) -> Result<(), RecordsError> {
        let (mut write, mut device) = self.change_of(id).await?;
        let update = "update devices set name = $1 where id = $2 and organisation = $3";
        write.run(sqlx::query(update).bind(name).bind(id).bind(&*self.organisation)).await?;
        write.audit(&self.organisation, actor, "device.rename", id, name).await?;
        name.clone_into(&mut device.name);
        finish(write, device).await
    }

    /// Shuts a device out, or lets it in again.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn set_revoked(&self, actor: &Actor, id: &str, revoked: bool) -> Result<(), RecordsError> {
        let (mut write, mut device) = self.change_of(id).await?;
        let update = "update devices set revoked = $1 where id = $2 and organisation = $3";
        write.run(sqlx::query(update).bind(i64::from(revoked)).bind(id).bind(&*self.organisation)).await?;
        let action = if revoked { "device.revoke" } else { "device.restore" };
        write.audit(&self.organisation, actor, action, id, "").await?;
        device.revoked = revoked;
        finish(write, device).await
    }

    /// Gives a device one more key, or a known one another end.
    ///
    /// # Errors
    /// [`RecordsError::KeyTaken`], [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn add_key(
        &self,
        actor: &Actor,
        id: &str,
        key: Fingerprint,
        issue: Option<Issue>,
    ) -> Result<(), RecordsError> {
        self.add_credential(actor, id, new_credential(CredentialKind::Key(key), issue, self.now())).await
    }

    /// Lets a device show a certificate with this name from a pinned authority of the organisation.
    ///
    /// # Errors
    /// As [`Scope::add_key`].
    pub async fn add_name(&self, actor: &Actor, id: &str, authority: &str, name: &str) -> Result<(), RecordsError> {
        let authority = self.authority(authority).filter(|authority| authority.identity.is_some());
        let authority = Arc::clone(&authority.ok_or(RecordsError::Unknown("authority"))?.id);
        let kind = CredentialKind::Name { authority, name: name.to_owned() };
        self.add_credential(actor, id, new_credential(kind, None, self.now())).await
    }

    async fn add_credential(&self, actor: &Actor, id: &str, credential: StoredCredential) -> Result<(), RecordsError> {
        let (mut write, mut device) = self.change_of(id).await?;
        let owner = write.directory().device_of(&credential.kind).map(|owner| Arc::clone(&owner.id));
        if owner.is_some_and(|owner| owner != device.id) {
            return Err(RecordsError::KeyTaken);
        }
        if let Some(known) = device.credentials.iter().position(|held| held.kind == credential.kind) {
            let known = device.credentials.remove(known);
            let delete = "delete from credentials where id = $1 and organisation = $2";
            write.run(sqlx::query(delete).bind(&*known.id).bind(&*self.organisation)).await?;
        }
        self.insert_credential(&mut write, id, &credential).await?;
        write.audit(&self.organisation, actor, "credential.add", id, &credential.id).await?;
        device.credentials.push(credential);
        device.credentials.sort_by(|one, other| one.id.cmp(&other.id));
        finish(write, device).await
    }

    /// Makes an access token for a device; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn add_device_token(&self, actor: &Actor, id: &str) -> Result<(StoredCredential, Secret), RecordsError> {
        let secret = Secret::random();
        let credential = new_credential(CredentialKind::Token(secret.hash()), None, self.now());
        self.add_credential(actor, id, credential.clone()).await?;
        Ok((credential, secret))
    }

    /// Takes a credential from a device: the one that `which` picks. Returns it.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn remove_credential(
        &self,
        actor: &Actor,
        id: &str,
        which: impl Fn(&StoredCredential) -> bool,
    ) -> Result<StoredCredential, RecordsError> {
        let (mut write, mut device) = self.change_of(id).await?;
        let position = device.credentials.iter().position(which).ok_or(RecordsError::Unknown("credential"))?;
        let gone = device.credentials.remove(position);
        let delete = "delete from credentials where id = $1 and organisation = $2";
        write.run(sqlx::query(delete).bind(&*gone.id).bind(&*self.organisation)).await?;
        write.audit(&self.organisation, actor, "credential.remove", id, &gone.id).await?;
        finish(write, device).await?;
        Ok(gone)
    }

    /// Forgets devices with all that hangs on them, all or none.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`] if one of them is not there, or that nothing can be written.
    pub async fn remove_devices(&self, actor: &Actor, ids: &HashSet<String>) -> Result<Vec<DeviceId>, RecordsError> {
        let mut write = self.begin().await?;
        let mut gone = Vec::with_capacity(ids.len());
        for id in ids {
            let device = self.device(id).ok_or(RecordsError::Unknown("device"))?;
            let delete = "delete from devices where id = $1 and organisation = $2";
            write.run(sqlx::query(delete).bind(id.as_str()).bind(&*self.organisation)).await?;
            write.audit(&self.organisation, actor, "device.remove", id, &device.name).await?;
            gone.push(Arc::clone(&device.id));
            write.then(move |directory| directory.remove_device(&device));
        }
        write.commit().await?;
        Ok(gone)
    }

    /// A write, and the device as it stands now.
    async fn change_of(&self, id: &str) -> Result<(Write, Device), RecordsError> {
        let write = self.begin().await?;
        let device = self.device(id).ok_or(RecordsError::Unknown("device"))?;
        Ok((write, (*device).clone()))
    }
}

pub(super) fn new_credential(kind: CredentialKind, issue: Option<Issue>, created: u64) -> StoredCredential {
    let id = secret::ascending_id(created).into();
    let origin = if issue.is_some() { Origin::Issued } else { Origin::Pinned };
    let (expires, anchors) = issue.map(|issue| (issue.expires, issue.anchors)).unzip();
    StoredCredential { id, kind, origin, expires, anchors, created }
}

async fn finish(mut write: Write, device: Device) -> Result<(), RecordsError> {
    write.then(move |directory| directory.put_device(Arc::new(device)));
    write.commit().await
}
