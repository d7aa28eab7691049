//! Organisations: the customers of one cloud. Whoever calls these has to be an instance administrator, but for [`Scope::organisation`].

use std::sync::Arc;

use super::secret;
use super::store::{Write, millis};
use super::types::{Actor, LinkKind, Organisation, OrganisationId, OrganisationLimits, Role, User};
use super::{Records, RecordsError, Scope, Secret, page};

/// How much an organisation holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Devices.
    pub devices: usize,
    /// Users.
    pub users: usize,
}

impl Records {
    /// Makes the first organisation, unless there is one. Returns the secret of the one-time link by which its administrator gets in, which ends when it is used; a
    /// link that was made before and not used is replaced.
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn first_link(&self) -> Result<Option<Secret>, RecordsError> {
        if self.inner.directory().organisations.values().any(|held| held.users.values().any(|user| user.instance)) {
            return Ok(None);
        }
        let first = self.first_organisation();
        let mut write = Write::begin(&self.inner).await?;
        let id = match first {
            Some(id) => id,
            None => insert(&mut write, "First organisation").await?,
        };
        let secret = Secret::random();
        write.run(sqlx::query("delete from links where kind = 'setup'")).await?;
        let link = "insert into links (hash, organisation, holder, kind, expires) values ($1, $2, null, $3, null)";
        write.run(sqlx::query(link).bind(String::from(secret.hash())).bind(&*id).bind(LinkKind::Setup.name())).await?;
        write.audit(&id, &Actor::system(), "link.add", &id, "first administrator").await?;
        write.commit().await?;
        Ok(Some(secret))
    }

    /// The organisation that was made first.
    #[must_use]
    pub fn first_organisation(&self) -> Option<OrganisationId> {
        let directory = self.inner.directory();
        let first = directory.organisations.values().min_by_key(|held| held.record.created);
        first.map(|held| Arc::clone(&held.record.id))
    }

    /// Organisations after the id `after`, suspended ones too.
    #[must_use]
    pub fn organisations(&self, after: Option<&str>, limit: usize) -> Vec<(Arc<Organisation>, Usage)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let directory = self.inner.directory();
        let range = directory.organisations.range::<str, _>((after.map_or(Unbounded, Excluded), Unbounded));
        range.map(|(_, held)| (Arc::clone(&held.record), usage(held))).take(limit).collect()
    }

    /// An organisation, suspended or not.
    #[must_use]
    pub fn organisation(&self, id: &str) -> Option<(Arc<Organisation>, Usage)> {
        let directory = self.inner.directory();
        directory.organisations.get(id).map(|held| (Arc::clone(&held.record), usage(held)))
    }

    /// The ids of an organisation's devices, whether it is suspended or not.
    #[must_use]
    pub fn devices_of(&self, id: &str) -> Vec<super::DeviceId> {
        let directory = self.inner.directory();
        directory.organisations.get(id).map(|held| held.devices.keys().map(Arc::clone).collect()).unwrap_or_default()
    }

    /// Makes an organisation and its first administrator, who gets in by the link whose secret is returned.
    ///
    /// # Errors
    /// [`RecordsError::EmailTaken`], or that nothing can be written.
    pub async fn add_organisation(
        &self,
        actor: &Actor,
        name: &str,
        administrator: &str,
    ) -> Result<(Arc<Organisation>, Arc<User>, Secret), RecordsError> {
        let mut write = Write::begin(&self.inner).await?;
        let id = insert(&mut write, name).await?;
        let scope = Scope { inner: &self.inner, organisation: Arc::clone(&id) };
        let user = scope.new_user(&write, administrator, "", Role::Administrator, false)?;
        scope.insert_user(&mut write, &user).await?;
        let secret = scope.insert_link(&mut write, &user, LinkKind::Invitation).await?;
        write.audit(&id, actor, "organisation.add", &id, name).await?;
        write.commit().await?;
        let (organisation, _) = self.organisation(&id).ok_or(RecordsError::Unknown("organisation"))?;
        Ok((organisation, user, secret))
    }

    /// Changes an organisation: whatever is given.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn change_organisation(
        &self,
        actor: &Actor,
        id: &str,
        name: Option<String>,
        suspended: Option<bool>,
        limits: Option<OrganisationLimits>,
    ) -> Result<Arc<Organisation>, RecordsError> {
        let mut write = Write::begin(&self.inner).await?;
        let (old, _) = self.organisation(id).ok_or(RecordsError::Unknown("organisation"))?;
        let new = Arc::new(Organisation {
            name: name.unwrap_or_else(|| old.name.clone()),
            suspended: suspended.unwrap_or(old.suspended),
            limits: limits.unwrap_or(old.limits),
            ..(*old).clone()
        });
        let update = "update organisations set name = $1, suspended = $2, limits = $3 where id = $4";
        let update =
            sqlx::query(update).bind(&new.name).bind(i64::from(new.suspended)).bind(text(&new.limits)).bind(id);
        write.run(update).await?;
        let detail = format!("name {:?}, suspended {}, limits {}", new.name, new.suspended, text(&new.limits));
        write.audit(id, actor, "organisation.change", id, &detail).await?;
        let known = Arc::clone(&new);
        write.then(move |directory| directory.put_organisation(known));
        write.commit().await?;
        Ok(new)
    }

    /// Forgets an organisation with everything that it holds; its audit log stays in the store.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn remove_organisation(&self, actor: &Actor, id: &str) -> Result<(), RecordsError> {
        let mut write = Write::begin(&self.inner).await?;
        let (old, _) = self.organisation(id).ok_or(RecordsError::Unknown("organisation"))?;
        write.run(sqlx::query("delete from organisations where id = $1").bind(id)).await?;
        write.audit(id, actor, "organisation.remove", id, &old.name).await?;
        let gone = Arc::clone(&old.id);
        write.then(move |directory| directory.remove_organisation(&gone));
        write.commit().await
    }
}

impl Scope<'_> {
    /// The organisation itself, with how much it holds.
    #[must_use]
    pub fn organisation(&self) -> Option<(Arc<Organisation>, Usage)> {
        self.read(|held| Some((Arc::clone(&held.record), usage(held))))
    }

    /// The organisation's ids of devices, for what has to be told apart from others' at once.
    #[must_use]
    pub fn device_ids(&self) -> Vec<super::DeviceId> {
        self.read(|held| page(&held.devices, None, usize::MAX, |_| true))
            .iter()
            .map(|device| Arc::clone(&device.id))
            .collect()
    }
}

fn usage(held: &super::Holdings) -> Usage {
    Usage { devices: held.devices.len(), users: held.users.len() }
}

fn text(limits: &OrganisationLimits) -> String {
    serde_json::to_string(limits).expect("numbers can be written")
}

async fn insert(write: &mut Write, name: &str) -> Result<OrganisationId, RecordsError> {
    let (id, created) = (OrganisationId::from(secret::random_id()), write.now());
    let limits = OrganisationLimits::default();
    let insert = "insert into organisations (id, name, suspended, limits, created) values ($1, $2, 0, $3, $4)";
    write.run(sqlx::query(insert).bind(&*id).bind(name).bind(text(&limits)).bind(millis(created))).await?;
    let record = Organisation { id: Arc::clone(&id), name: name.to_owned(), suspended: false, limits, created };
    write.then(move |directory| directory.put_organisation(Arc::new(record)));
    Ok(id)
}
