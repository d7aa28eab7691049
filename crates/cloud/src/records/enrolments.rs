//! Enrolments: a one-time code lets one camera's key in, under a new device.
//!
//! ```text
//! made ── code, key ──► used for that key ── the same key again ──► the same device (the installer's command was repeated)
//!   │                        └── another key ──► refused
//!   └── its time is over, or withdrawn ──► refused
//! ```

use std::sync::Arc;
use std::time::Duration;

use oriel_trust::Fingerprint;

use super::store::{Write, millis};
use super::types::{Actor, Device, Enrolment, Origin};
use super::{Records, RecordsError, Scope, Secret, SecretHash, page, secret};
use crate::clock;

/// Codes of an organisation that may still be used.
const OPEN: usize = 1000;

/// What came of a code: the device, and the enrolment.
pub type Enrolled = (Arc<Device>, Arc<Enrolment>);

impl Records {
    /// Uses a code for a camera's key. A code that was used for this very key gives the same device again.
    ///
    /// # Errors
    /// [`RecordsError::Spent`], [`RecordsError::KeyTaken`], [`RecordsError::TooMany`], or that nothing can be written.
    pub async fn enrol(
        &self,
        actor: &Actor,
        code: &str,
        key: Fingerprint,
        expires: u64,
    ) -> Result<Enrolled, RecordsError> {
        let hash = SecretHash::of(code);
        let known = self.inner.directory().enrolment(&hash).map(|enrolment| Arc::clone(&enrolment.organisation));
        let organisation = known.ok_or(RecordsError::Spent("this code is not known; ask for a new one"))?;
        let scope = Scope { inner: &self.inner, organisation };
        let mut write = scope.begin().await?;
        let found = write.directory().enrolment(&hash).cloned();
        let enrolment = found.ok_or(RecordsError::Spent("this code is not known; ask for a new one"))?;
        if write.now() >= enrolment.expires {
            return Err(RecordsError::Spent("this code's time is over; ask for a new one"));
        }
        if let Some(device) = &enrolment.device {
            if enrolment.fingerprint != Some(key) {
                return Err(RecordsError::Spent("this code was used already for another key; ask for a new one"));
            }
            let device = scope.device(device).filter(|device| device.fingerprints().any(|held| held == key));
            let device = device
                .ok_or(RecordsError::Spent("the device that this code was used for does not have this key any more"))?;
            drop(write);
            scope.add_key(actor, &device.id, key, Origin::Issued, Some(expires)).await?;
            let device = scope.device(&device.id).ok_or(RecordsError::Unknown("device"))?;
            return Ok((device, enrolment));
        }
        if write.directory().is_taken(&key) {
            return Err(RecordsError::KeyTaken);
        }
        scope.room_for(&write, 1)?;
        let device = scope.new_device(enrolment.name.clone(), write.now());
        let device = scope.insert_device(&mut write, actor, device, Some((key, Origin::Issued, Some(expires)))).await?;
        let update = "update enrolments set device = $1, fingerprint = $2 where id = $3";
        write.run(sqlx::query(update).bind(&*device.id).bind(key.to_string()).bind(&*enrolment.id)).await?;
        write.audit(&scope.organisation, actor, "enrolment.use", &enrolment.id, &device.id).await?;
        let used = Enrolment { device: Some(Arc::clone(&device.id)), fingerprint: Some(key), ..(*enrolment).clone() };
        let used = Arc::new(used);
        let known = Arc::clone(&used);
        write.then(move |directory| directory.put_enrolment(hash, known));
        write.commit().await?;
        Ok((Arc::new(device), used))
    }

    /// The organisation that a code leads into, if it may still be used.
    ///
    /// # Errors
    /// [`RecordsError::Spent`].
    pub fn enrolment(&self, code: &str) -> Result<Arc<Enrolment>, RecordsError> {
        let directory = self.inner.directory();
        let found =
            directory.enrolment(&SecretHash::of(code)).filter(|one| directory.standing(&one.organisation).is_some());
        let enrolment = found.ok_or(RecordsError::Spent("this code is not known; ask for a new one"))?;
        if self.now() >= enrolment.expires {
            return Err(RecordsError::Spent("this code's time is over; ask for a new one"));
        }
        Ok(Arc::clone(enrolment))
    }
}

impl Scope<'_> {
    /// Enrolments after the id `after`, used and over ones too.
    #[must_use]
    pub fn enrolments(&self, after: Option<&str>, limit: usize) -> Vec<Arc<Enrolment>> {
        self.read(|held| page(&held.enrolments, after, limit, |_| true))
    }

    /// Makes a code for one camera; it is in the answer and nowhere else.
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn add_enrolment(
        &self,
        actor: &Actor,
        name: &str,
        lifetime: Duration,
    ) -> Result<(Arc<Enrolment>, Secret), RecordsError> {
        let mut write = self.begin().await?;
        let (secret, now) = (Secret::random(), write.now());
        self.sweep(&mut write, now).await?;
        self.below(OPEN, "open enrolments", |held| {
            held.enrolments.values().filter(|one| one.device.is_none() && now < one.expires).count()
        })?;
        let enrolment = Arc::new(Enrolment {
            id: secret::random_id().into(),
            organisation: Arc::clone(&self.organisation),
            name: name.to_owned(),
            device: None,
            fingerprint: None,
            created: now,
            expires: now.saturating_add(clock::millis(lifetime)),
        });
        let insert =
            "insert into enrolments (id, organisation, hash, name, created, expires) values ($1, $2, $3, $4, $5, $6)";
        let insert = sqlx::query(insert)
            .bind(&*enrolment.id)
            .bind(&*self.organisation)
            .bind(String::from(secret.hash()))
            .bind(name)
            .bind(millis(now))
            .bind(millis(enrolment.expires));
        write.run(insert).await?;
        write.audit(&self.organisation, actor, "enrolment.add", &enrolment.id, name).await?;
        let (hash, known) = (secret.hash(), Arc::clone(&enrolment));
        write.then(move |directory| directory.put_enrolment(hash, known));
        write.commit().await?;
        Ok((enrolment, secret))
    }

    /// Removes codes that were never used and whose time is over.
    async fn sweep(&self, write: &mut Write, now: u64) -> Result<(), RecordsError> {
        let over = sqlx::query("delete from enrolments where organisation = $1 and device is null and expires < $2");
        if write.run(over.bind(&*self.organisation).bind(millis(now))).await? == 0 {
            return Ok(());
        }
        let spent = self.read(|held| {
            let spent = held.enrolments.values().filter(|one| one.device.is_none() && one.expires < now);
            spent.map(|one| Arc::clone(&one.id)).collect::<Vec<_>>()
        });
        let organisation = Arc::clone(&self.organisation);
        write.then(move |directory| spent.iter().for_each(|id| directory.remove_enrolment(&organisation, id)));
        Ok(())
    }

    /// Withdraws a code. A device that came of it stays.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn remove_enrolment(&self, actor: &Actor, id: &str) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        let delete = sqlx::query("delete from enrolments where id = $1 and organisation = $2");
        if write.run(delete.bind(id).bind(&*self.organisation)).await? == 0 {
            return Err(RecordsError::Unknown("enrolment"));
        }
        write.audit(&self.organisation, actor, "enrolment.remove", id, "").await?;
        let (organisation, id) = (Arc::clone(&self.organisation), id.to_owned());
        write.then(move |directory| directory.remove_enrolment(&organisation, &id));
        write.commit().await
    }
}
