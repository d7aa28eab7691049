//! Issuers of device certificates: the organisation's own authority, whose key is sealed here, and external ones that it pinned.

use std::sync::Arc;

use oriel_trust::Authority as Issuer;

use super::store::{Write, millis};
use super::types::{Actor, Authority, Id, Identity, OrganisationId};
use super::{Records, RecordsError, Scope, secret};

/// Authorities of an organisation: a stranger's certificate is tried against each that was pinned.
const AUTHORITIES: usize = 16;

impl Records {
    /// The external authorities that any organisation pinned: what a stranger's certificate is tried against.
    #[must_use]
    pub fn external_authorities(&self) -> Vec<Arc<Authority>> {
        let directory = self.inner.directory();
        let standing = directory.organisations.values().filter(|held| !held.record.suspended);
        standing.flat_map(|held| held.authorities.values()).filter(|one| one.identity.is_some()).cloned().collect()
    }

    /// The organisations, for what has to be done in each.
    #[must_use]
    pub fn organisation_ids(&self) -> Vec<OrganisationId> {
        let directory = self.inner.directory();
        directory
            .organisations
            .values()
            .filter(|held| !held.record.suspended)
            .map(|held| Arc::clone(&held.record.id))
            .collect()
    }
}

impl Scope<'_> {
    /// The authorities, own and pinned.
    #[must_use]
    pub fn authorities(&self) -> Vec<Arc<Authority>> {
        self.read(|held| held.authorities.values().cloned().collect())
    }

    /// One of them.
    #[must_use]
    pub fn authority(&self, id: &str) -> Option<Arc<Authority>> {
        self.read(|held| held.authorities.get(id).cloned())
    }

    /// The newest own authority, ready to sign.
    #[must_use]
    pub fn issuer(&self) -> Option<Issuer> {
        let own = self.read(|held| {
            held.authorities.values().filter(|one| one.identity.is_none()).max_by_key(|one| one.created).cloned()
        })?;
        let key = self.inner.seal.reveal(&own.id, own.sealed.as_deref()?)?;
        Issuer::from_pem(&own.certificate, &key).ok()
    }

    /// Keeps a new own authority, whose name is `id`; older ones stay known, so that what they signed stays good.
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn add_issuer(&self, actor: &Actor, issuer: &Issuer) -> Result<Arc<Authority>, RecordsError> {
        let id: Id = secret::random_id().into();
        let (certificate, key) = issuer.to_pem();
        let sealed = self.inner.seal.seal(&id, &key);
        self.insert_authority(actor, id, None, &certificate, Some(sealed)).await
    }

    /// Pins an external authority by its certificate (PEM).
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn pin_authority(
        &self,
        actor: &Actor,
        certificate: &str,
        identity: Identity,
    ) -> Result<Arc<Authority>, RecordsError> {
        self.insert_authority(actor, secret::random_id().into(), Some(identity), certificate, None).await
    }

    async fn insert_authority(
        &self,
        actor: &Actor,
        id: Id,
        identity: Option<Identity>,
        certificate: &str,
        sealed: Option<String>,
    ) -> Result<Arc<Authority>, RecordsError> {
        let mut write: Write = self.begin().await?;
        self.below(AUTHORITIES, "authorities", |held| held.authorities.len())?;
        let (kind, name) = match identity {
            None => ("device", ""),
            Some(Identity::CommonName) => ("external", "common_name"),
            Some(Identity::SerialNumber) => ("external", "serial_number"),
        };
        let authority = Arc::new(Authority {
            id,
            organisation: Arc::clone(&self.organisation),
            identity,
            certificate: certificate.into(),
            sealed: sealed.map(Into::into),
            created: write.now(),
        });
        let insert = "insert into authorities (id, organisation, kind, identity, certificate, sealed, created) values ($1, $2, $3, $4, $5, $6, $7)";
        let insert = sqlx::query(insert)
            .bind(&*authority.id)
            .bind(&*self.organisation)
            .bind(kind)
            .bind(name)
            .bind(certificate)
            .bind(authority.sealed.as_deref())
            .bind(millis(authority.created));
        write.run(insert).await?;
        write.audit(&self.organisation, actor, "authority.add", &authority.id, kind).await?;
        let known = Arc::clone(&authority);
        write.then(move |directory| directory.put_authority(known));
        write.commit().await?;
        Ok(authority)
    }

    /// Forgets a pinned authority, and every credential that was a name of it.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], also for the own authority, or that nothing can be written.
    pub async fn remove_authority(&self, actor: &Actor, id: &str) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        self.authority(id)
            .filter(|authority| authority.identity.is_some())
            .ok_or(RecordsError::Unknown("authority"))?;
        let names = sqlx::query("delete from credentials where kind = 'name' and authority = $1 and organisation = $2");
        write.run(names.bind(id).bind(&*self.organisation)).await?;
        let delete = sqlx::query("delete from authorities where id = $1 and organisation = $2");
        write.run(delete.bind(id).bind(&*self.organisation)).await?;
        write.audit(&self.organisation, actor, "authority.remove", id, "").await?;
        let of_it = |kind: &super::CredentialKind| matches!(kind, super::CredentialKind::Name { authority, .. } if **authority == *id);
        for device in self.devices(None, usize::MAX, |device| device.credentials.iter().any(|held| of_it(&held.kind))) {
            let mut device = (*device).clone();
            device.credentials.retain(|held| !of_it(&held.kind));
            write.then(move |directory| directory.put_device(Arc::new(device)));
        }
        let (organisation, id) = (Arc::clone(&self.organisation), id.to_owned());
        write.then(move |directory| directory.remove_authority(&organisation, &id));
        write.commit().await
    }
}
