//! API tokens, and access keys of ONVIF clients.

use std::collections::HashSet;
use std::sync::Arc;

use super::store::millis;
use super::types::{AccessKey, Actor, By, DeviceId, Principal, Role, Token, UserId};
use super::{Records, RecordsError, Scope, Secret, SecretHash, page, secret};

/// Tokens of an organisation.
const TOKENS: usize = 1000;
/// Access keys of a user.
const ACCESS_KEYS: usize = 1000;

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Whether its bearer may make and suspend organisations.
    pub instance: bool,
    /// The devices it reaches; none named: all.
    pub devices: Option<HashSet<DeviceId>>,
    /// Who makes it; it ends with that user.
    pub user: Option<UserId>,
    /// When it ends, if it does.
    pub expires: Option<u64>,
}

impl NewToken {
    /// A token of `role` without an end for all devices.
    #[must_use]
    pub fn of(role: Role, name: &str) -> Self {
        Self { name: name.to_owned(), role, instance: false, devices: None, user: None, expires: None }
    }
}

impl Records {
    /// The caller behind a bearer secret. Its user's role caps it.
    #[must_use]
    pub fn token(&self, secret: &str) -> Option<Principal> {
        let directory = self.inner.directory();
        let token = directory.token(&SecretHash::of(secret))?;
        let held = directory.standing(&token.organisation)?;
        if token.expires.is_some_and(|end| self.now() >= end) {
            return None;
        }
        let (mut role, mut instance) = (token.role, token.instance);
        if let Some(user) = &token.user {
            let user = held.users.get(user).filter(|user| !user.disabled)?;
            role = role.min(user.role);
            instance &= user.instance;
        }
        Some(Principal {
            organisation: Arc::clone(&token.organisation),
            user: token.user.clone(),
            by: By::Token(Arc::clone(&token.id)),
            role,
            instance,
            devices: token.devices.clone().map(Arc::new),
        })
    }

    /// The access key behind an ONVIF client's user name, with its bearer as a caller, and its password. The user's role caps the key's. The password is what the
    /// caller has to prove; it was not proved yet.
    #[must_use]
    pub fn access_key(&self, username: &str) -> Option<(Arc<AccessKey>, Principal)> {
        let directory = self.inner.directory();
        let key = directory.access_key(username)?;
        let held = directory.standing(&key.organisation)?;
        let user = held.users.get(&key.user).filter(|user| !user.disabled)?;
        if key.expires.is_some_and(|end| self.now() >= end) {
            return None;
        }
        let principal = Principal {
            organisation: Arc::clone(&key.organisation),
            user: Some(Arc::clone(&key.user)),
            by: By::AccessKey(Arc::clone(&key.id)),
            role: key.role.min(user.role),
            instance: false,
            devices: Some(Arc::new([Arc::clone(&key.device)].into())),
        };
        Some((Arc::clone(key), principal))
    }

    /// The password of an access key; `None` when it was sealed with another key than this folder's.
    #[must_use]
    pub fn password(&self, key: &AccessKey) -> Option<String> {
        self.inner.seal.reveal(&key.id, &key.sealed)
    }

    /// As much work as [`Records::password`], for a user name that is not there: how long it takes must not tell.
    pub fn no_password(&self) {
        self.inner.seal.reveal_nothing();
    }
}

impl Scope<'_> {
    /// Tokens after the id `after`.
    #[must_use]
    pub fn tokens(&self, after: Option<&str>, limit: usize) -> Vec<Arc<Token>> {
        self.read(|held| page(&held.tokens, after, limit, |_| true))
    }

    /// Makes a token; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// That nothing can be written.
    pub async fn add_token(&self, actor: &Actor, new: NewToken) -> Result<(Arc<Token>, Secret), RecordsError> {
        let mut write = self.begin().await?;
        self.below(TOKENS, "tokens", |held| held.tokens.len())?;
        let secret = Secret::random();
        let token = Arc::new(Token {
            id: secret::random_id().into(),
            organisation: Arc::clone(&self.organisation),
            user: new.user,
            name: new.name,
            hash: secret.hash(),
            role: new.role,
            instance: new.instance,
            devices: new.devices,
            created: write.now(),
            expires: new.expires,
        });
        let devices = token.devices.as_ref().map(|ids| serde_json::to_string(ids).expect("ids can be written"));
        let insert = "insert into tokens (id, organisation, holder, name, hash, role, instance, devices, created, expires) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let insert = sqlx::query(insert)
            .bind(&*token.id)
            .bind(&*self.organisation)
            .bind(token.user.as_deref())
            .bind(&token.name)
            .bind(String::from(token.hash))
            .bind(token.role.name())
            .bind(i64::from(token.instance))
            .bind(devices)
            .bind(millis(token.created))
            .bind(token.expires.map(millis));
        write.run(insert).await?;
        write
            .audit(&self.organisation, actor, "token.add", &token.id, &format!("{} as {}", token.name, token.role))
            .await?;
        let known = Arc::clone(&token);
        write.then(move |directory| directory.put_token(known));
        write.commit().await?;
        Ok((token, secret))
    }

    /// Ends a token's life.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn remove_token(&self, actor: &Actor, id: &str) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        let delete = sqlx::query("delete from tokens where id = $1 and organisation = $2");
        if write.run(delete.bind(id).bind(&*self.organisation)).await? == 0 {
            return Err(RecordsError::Unknown("token"));
        }
        write.audit(&self.organisation, actor, "token.remove", id, "").await?;
        let (organisation, id) = (Arc::clone(&self.organisation), id.to_owned());
        write.then(move |directory| directory.remove_token(&organisation, &id));
        write.commit().await
    }

    /// Access keys after the id `after` that `which` lets through.
    #[must_use]
    pub fn access_keys(
        &self,
        after: Option<&str>,
        limit: usize,
        which: impl Fn(&AccessKey) -> bool,
    ) -> Vec<Arc<AccessKey>> {
        self.read(|held| page(&held.access_keys, after, limit, which))
    }

    /// Makes an access key of `user` for `device`; its password is in the answer and, sealed, in the store.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn add_access_key(
        &self,
        actor: &Actor,
        user: &str,
        device: &str,
        name: &str,
        role: Role,
        expires: Option<u64>,
    ) -> Result<(Arc<AccessKey>, Secret), RecordsError> {
        let mut write = self.begin().await?;
        let device = self.device(device).ok_or(RecordsError::Unknown("device"))?;
        let user = self.user(user).ok_or(RecordsError::Unknown("user"))?;
        let own = |held: &super::Holdings| held.access_keys.values().filter(|key| key.user == user.id).count();
        self.below(ACCESS_KEYS, "access keys of one user", own)?;
        let secret = Secret::random();
        let id: Arc<str> = secret::random_id().into();
        let key = Arc::new(AccessKey {
            sealed: self.inner.seal.seal(&id, secret.expose()).into(),
            id,
            organisation: Arc::clone(&self.organisation),
            user: Arc::clone(&user.id),
            device: Arc::clone(&device.id),
            name: name.to_owned(),
            role,
            created: write.now(),
            expires,
        });
        let insert = "insert into access_keys (id, organisation, holder, device, name, role, sealed, created, expires) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let insert = sqlx::query(insert)
            .bind(&*key.id)
            .bind(&*self.organisation)
            .bind(&*key.user)
            .bind(&*key.device)
            .bind(&key.name)
            .bind(key.role.name())
            .bind(&*key.sealed)
            .bind(millis(key.created))
            .bind(key.expires.map(millis));
        write.run(insert).await?;
        write
            .audit(&self.organisation, actor, "access_key.add", &key.id, &format!("{} on {}", key.role, key.device))
            .await?;
        let known = Arc::clone(&key);
        write.then(move |directory| directory.put_access_key(known));
        write.commit().await?;
        Ok((key, secret))
    }

    /// Ends an access key's life.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn remove_access_key(&self, actor: &Actor, id: &str) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        let delete = sqlx::query("delete from access_keys where id = $1 and organisation = $2");
        if write.run(delete.bind(id).bind(&*self.organisation)).await? == 0 {
            return Err(RecordsError::Unknown("access key"));
        }
        write.audit(&self.organisation, actor, "access_key.remove", id, "").await?;
        let (organisation, id) = (Arc::clone(&self.organisation), id.to_owned());
        write.then(move |directory| directory.remove_access_key(&organisation, &id));
        write.commit().await
    }
}
