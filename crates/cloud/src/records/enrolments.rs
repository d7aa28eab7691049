//! Enrolments: a code lets a camera's key in, under a new device; one camera's, unless it was made for more.
//!
//! ```text
//! made ── code, key ──► used for that key ── the same key again ──► the same device (the installer's command was repeated)
//!   │                        └── another key ──► another device, as often as it has uses; then refused
//!   └── its time is over, or withdrawn ──► refused
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use oriel_trust::Fingerprint;

use super::store::{Write, millis};
use super::types::{Actor, Device, Enrolment, Issue};
use super::{Records, RecordsError, Scope, Secret, SecretHash, page, secret};
use crate::clock;

/// Codes of an organisation that may still be used.
const OPEN: usize = 1000;

/// What came of a code: the device, and the enrolment with this use counted.
pub type Enrolled = (Arc<Device>, Arc<Enrolment>);

impl Records {
    /// Uses a code for a camera's key. A code that was used for this very key gives the same device again. `name` is what whoever asks would call the
    /// device; it counts where the code is for several devices, or has no name itself.
    ///
    /// # Errors
    /// [`RecordsError::Spent`], [`RecordsError::KeyTaken`], [`RecordsError::TooMany`], or that nothing can be written.
    pub async fn enrol(
        &self,
        actor: &Actor,
        code: &str,
        key: Fingerprint,
        issue: Issue,
        name: &str,
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
        if let Some(device) = enrolment.devices.get(&key) {
            let device = scope.device(device).filter(|device| device.fingerprints().any(|held| held == key));
            let device = device
                .ok_or(RecordsError::Spent("the device that this code was used for does not have this key any more"))?;
            drop(write);
            scope.add_key(actor, &device.id, key, Some(issue)).await?;
            let device = scope.device(&device.id).ok_or(RecordsError::Unknown("device"))?;
            return Ok((device, enrolment));
        }
        if enrolment.used >= enrolment.uses {
            let (one, more) = (
                "this code was used already for another key; ask for a new one",
                "this code has let in as many devices as it was made for; ask for a new one",
            );
            return Err(RecordsError::Spent(if enrolment.uses == 1 { one } else { more }));
        }
        if write.directory().is_taken(&key) {
            return Err(RecordsError::KeyTaken);
        }
        scope.room_for(&write, 1)?;
        let device = scope.new_device(name_of(&enrolment, name), write.now());
        let device = scope.insert_device(&mut write, actor, device, Some((key, Some(issue)))).await?;
        let insert = "insert into enrolment_uses (enrolment, fingerprint, device) values ($1, $2, $3)";
        write.run(sqlx::query(insert).bind(&*enrolment.id).bind(key.to_string()).bind(&*device.id)).await?;
        let update = sqlx::query("update enrolments set used = used + 1 where id = $1");
        write.run(update.bind(&*enrolment.id)).await?;
        write.audit(&scope.organisation, actor, "enrolment.use", &enrolment.id, &device.id).await?;
        let mut used = Enrolment { used: enrolment.used + 1, ..(*enrolment).clone() };
        used.devices.insert(key, Arc::clone(&device.id));
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

/// A code for one device was made with that device in mind; one for several can only tell what they have in common.
fn name_of(enrolment: &Enrolment, asked: &str) -> String {
    let asked = if enrolment.uses == 1 && !enrolment.name.is_empty() { "" } else { asked };
    if asked.is_empty() { enrolment.name.clone() } else { asked.to_owned() }
}

impl Scope<'_> {
    /// Enrolments after the id `after`, used and over ones too.
    #[must_use]
    pub fn enrolments(&self, after: Option<&str>, limit: usize) -> Vec<Arc<Enrolment>> {
        self.read(|held| page(&held.enrolments, after, limit, |_| true))
    }

    /// Makes a code for `uses` cameras; it is in the answer and nowhere else.
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn add_enrolment(
        &self,
        actor: &Actor,
        name: &str,
        lifetime: Duration,
        uses: u32,
    ) -> Result<(Arc<Enrolment>, Secret), RecordsError> {
        let mut write = self.begin().await?;
        let (secret, now) = (Secret::random(), write.now());
        self.sweep(&mut write, now).await?;
        self.below(OPEN, "open enrolments", |held| {
            held.enrolments.values().filter(|one| one.used < one.uses && now < one.expires).count()
        })?;
        let enrolment = Arc::new(Enrolment {
            id: secret::random_id().into(),
            organisation: Arc::clone(&self.organisation),
            name: name.to_owned(),
            uses,
            used: 0,
            devices: BTreeMap::new(),
            created: now,
            expires: now.saturating_add(clock::millis(lifetime)),
        });
        let insert = "insert into enrolments (id, organisation, hash, name, uses, used, created, expires) values ($1, $2, $3, $4, $5, 0, $6, $7)";
        let insert = sqlx::query(insert)
            .bind(&*enrolment.id)
            .bind(&*self.organisation)
            .bind(String::from(secret.hash()))
            .bind(name)
            .bind(i64::from(uses))
            .bind(millis(now))
            .bind(millis(enrolment.expires));
        write.run(insert).await?;
        write.audit(&self.organisation, actor, "enrolment.add", &enrolment.id, name).await?;
        let (hash, known) = (secret.hash(), Arc::clone(&enrolment));
        write.then(move |directory| directory.put_enrolment(hash, known));
        write.commit().await?;
        Ok((enrolment, secret))
    }

    /// Removes codes whose time is over and of which no device is left.
    async fn sweep(&self, write: &mut Write, now: u64) -> Result<(), RecordsError> {
        let over = "delete from enrolments where organisation = $1 and expires < $2 \
                    and not exists (select 1 from enrolment_uses where enrolment = enrolments.id)";
        let over = sqlx::query(over);
        if write.run(over.bind(&*self.organisation).bind(millis(now))).await? == 0 {
            return Ok(());
        }
        let spent = self.read(|held| {
            let spent = held.enrolments.values().filter(|one| one.devices.is_empty() && one.expires < now);
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
