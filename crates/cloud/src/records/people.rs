//! Users and the one-time links by which they set a password.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;

use super::store::{Write, millis};
use super::types::{Actor, Link, LinkKind, Role, User};
use super::{Records, RecordsError, Scope, Secret, SecretHash, page, secret};
use crate::clock;

/// Users of an organisation.
const USERS: usize = 10_000;
/// How long an invitation or a reset stands.
const LINK_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What changes of a user; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Another name.
    pub name: Option<String>,
    /// Another role.
    pub role: Option<Role>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
}

impl Records {
    /// The user behind an e-mail address that may log in: neither disabled nor of a suspended organisation.
    #[must_use]
    pub fn user_of_email(&self, email: &str) -> Option<Arc<User>> {
        let directory = self.inner.directory();
        let user = directory.user_of_email(&email.trim().to_lowercase())?;
        directory.standing(&user.organisation)?;
        (!user.disabled).then(|| Arc::clone(user))
    }

    /// What a one-time link is good for.
    ///
    /// # Errors
    /// [`RecordsError::Spent`] when it is good for nothing, or that the database is away.
    pub async fn link(&self, secret: &str) -> Result<Link, RecordsError> {
        let mut write = Write::begin(&self.inner).await?;
        self.link_within(&mut write, secret).await
    }

    async fn link_within(&self, write: &mut Write, secret: &str) -> Result<Link, RecordsError> {
        const SPENT: RecordsError = RecordsError::Spent("this link was used already, or its time is over");
        let find = sqlx::query("select organisation, holder, kind, expires from links where hash = $1");
        let rows = write.rows(find.bind(String::from(SecretHash::of(secret)))).await?;
        let row = rows.first().ok_or(SPENT)?;
        let expires = row.try_get::<Option<i64>, _>("expires")?;
        if expires.is_some_and(|end| end < millis(write.now())) {
            return Err(SPENT);
        }
        let kind = match row.try_get::<String, _>("kind")?.as_str() {
            "setup" => LinkKind::Setup,
            "reset" => LinkKind::Reset,
            _ => LinkKind::Invitation,
        };
        let organisation = row.try_get::<String, _>("organisation")?.into();
        let user = row.try_get::<Option<String>, _>("holder")?.map(Into::into);
        Ok(Link { kind, organisation, user })
    }

    /// Uses a one-time link up: sets the password (an Argon2id hash in PHC form), and makes the first administrator where the link is for that. All sessions of the
    /// user end.
    ///
    /// # Errors
    /// [`RecordsError::Spent`], [`RecordsError::EmailTaken`], or that nothing can be written.
    pub async fn redeem(
        &self,
        actor: &Actor,
        secret: &str,
        email: Option<&str>,
        name: Option<&str>,
        password: &str,
    ) -> Result<Arc<User>, RecordsError> {
        let mut write = Write::begin(&self.inner).await?;
        let link = self.link_within(&mut write, secret).await?;
        let used = sqlx::query("delete from links where hash = $1").bind(String::from(SecretHash::of(secret)));
        write.run(used).await?;
        let scope = Scope { inner: &self.inner, organisation: Arc::clone(&link.organisation) };
        let mut user = match &link.user {
            Some(id) => (*scope.user(id).ok_or(RecordsError::Unknown("user"))?).clone(),
            None => {
                let email =
                    email.ok_or(RecordsError::Spent("the first administrator's link needs an e-mail address"))?;
                let user = scope.new_user(&write, email, "", Role::Administrator, true)?;
                scope.insert_user(&mut write, &user).await?;
                (*user).clone()
            }
        };
        if let Some(name) = name {
            name.clone_into(&mut user.name);
        }
        user.password = Some(password.into());
        write.audit(&link.organisation, actor, "link.redeem", &user.id, link.kind.name()).await?;
        scope.update_user(&mut write, &user).await?;
        scope.end_sessions(&mut write, &user.id, None).await?;
        write.commit().await?;
        Ok(Arc::new(user))
    }
}

impl Scope<'_> {
    /// The user, if it is this organisation's.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<Arc<User>> {
        self.read(|held| held.users.get(id).cloned())
    }

    /// Users after the id `after`.
    #[must_use]
    pub fn users(&self, after: Option<&str>, limit: usize) -> Vec<Arc<User>> {
        self.read(|held| page(&held.users, after, limit, |_| true))
    }

    pub(super) fn new_user(
        &self,
        write: &Write,
        email: &str,
        name: &str,
        role: Role,
        instance: bool,
    ) -> Result<Arc<User>, RecordsError> {
        let email = email.trim().to_lowercase();
        if write.directory().user_of_email(&email).is_some() {
            return Err(RecordsError::EmailTaken);
        }
        Ok(Arc::new(User {
            id: secret::random_id().into(),
            organisation: Arc::clone(&self.organisation),
            email,
            name: name.to_owned(),
            role,
            instance,
            disabled: false,
            password: None,
            created: write.now(),
        }))
    }

    pub(super) async fn insert_user(&self, write: &mut Write, user: &Arc<User>) -> Result<(), RecordsError> {
        let insert = "insert into users (id, organisation, email, name, role, instance, disabled, password, created) values ($1, $2, $3, $4, $5, $6, 0, null, $7)";
        let insert = sqlx::query(insert)
            .bind(&*user.id)
            .bind(&*self.organisation)
            .bind(&user.email)
            .bind(&user.name)
            .bind(user.role.name())
            .bind(i64::from(user.instance))
            .bind(millis(user.created));
        write.run(insert).await?;
        let known = Arc::clone(user);
        write.then(move |directory| directory.put_user(known));
        Ok(())
    }

    async fn update_user(&self, write: &mut Write, user: &User) -> Result<(), RecordsError> {
        let update =
            "update users set name = $1, role = $2, disabled = $3, password = $4 where id = $5 and organisation = $6";
        let update = sqlx::query(update)
            .bind(&user.name)
            .bind(user.role.name())
            .bind(i64::from(user.disabled))
            .bind(user.password.as_deref())
            .bind(&*user.id)
            .bind(&*self.organisation);
        write.run(update).await?;
        let known = Arc::new(user.clone());
        write.then(move |directory| directory.put_user(known));
        Ok(())
    }

    pub(super) async fn insert_link(
        &self,
        write: &mut Write,
        user: &User,
        kind: LinkKind,
    ) -> Result<Secret, RecordsError> {
        let secret = Secret::random();
        let expires = write.now().saturating_add(clock::millis(LINK_LIFETIME));
        write.run(sqlx::query("delete from links where holder = $1").bind(&*user.id)).await?;
        let insert = "insert into links (hash, organisation, holder, kind, expires) values ($1, $2, $3, $4, $5)";
        let insert = sqlx::query(insert)
            .bind(String::from(secret.hash()))
            .bind(&*self.organisation)
            .bind(&*user.id)
            .bind(kind.name())
            .bind(millis(expires));
        write.run(insert).await?;
        Ok(secret)
    }

    /// Invites somebody. The secret of the link by which the user sets a password is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`RecordsError::EmailTaken`], or that nothing can be written.
    pub async fn add_user(
        &self,
        actor: &Actor,
        email: &str,
        name: &str,
        role: Role,
    ) -> Result<(Arc<User>, Secret), RecordsError> {
        let mut write = self.begin().await?;
        self.below(USERS, "users", |held| held.users.len())?;
        let user = self.new_user(&write, email, name, role, false)?;
        self.insert_user(&mut write, &user).await?;
        let secret = self.insert_link(&mut write, &user, LinkKind::Invitation).await?;
        write.audit(&self.organisation, actor, "user.add", &user.id, &format!("{} as {role}", user.email)).await?;
        write.commit().await?;
        Ok((user, secret))
    }

    /// A link by which a user sets a new password. The old password is good until then.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn reset_link(&self, actor: &Actor, id: &str) -> Result<Secret, RecordsError> {
        let mut write = self.begin().await?;
        let user = self.user(id).ok_or(RecordsError::Unknown("user"))?;
        let kind = if user.password.is_some() { LinkKind::Reset } else { LinkKind::Invitation };
        let secret = self.insert_link(&mut write, &user, kind).await?;
        write.audit(&self.organisation, actor, "link.add", id, kind.name()).await?;
        write.commit().await?;
        Ok(secret)
    }

    /// Changes a user. A user who is shut out loses all sessions.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], [`RecordsError::LastAdministrator`], or that nothing can be written.
    pub async fn change_user(&self, actor: &Actor, id: &str, change: UserChange) -> Result<Arc<User>, RecordsError> {
        let mut write = self.begin().await?;
        let mut user = (*self.user(id).ok_or(RecordsError::Unknown("user"))?).clone();
        user.name = change.name.unwrap_or(user.name);
        user.role = change.role.unwrap_or(user.role);
        user.disabled = change.disabled.unwrap_or(user.disabled);
        if user.disabled || user.role != Role::Administrator {
            self.another_administrator(id)?;
        }
        self.update_user(&mut write, &user).await?;
        if user.disabled {
            self.end_sessions(&mut write, id, None).await?;
        }
        let detail = format!("{}, disabled {}", user.role, user.disabled);
        write.audit(&self.organisation, actor, "user.change", id, &detail).await?;
        write.commit().await?;
        Ok(Arc::new(user))
    }

    /// Sets a password (an Argon2id hash in PHC form); the user's sessions end, but for `keep`.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn set_password(
        &self,
        actor: &Actor,
        id: &str,
        password: &str,
        keep: Option<&str>,
    ) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        let mut user = (*self.user(id).ok_or(RecordsError::Unknown("user"))?).clone();
        user.password = Some(password.into());
        self.update_user(&mut write, &user).await?;
        self.end_sessions(&mut write, id, keep).await?;
        write.audit(&self.organisation, actor, "user.password", id, "").await?;
        write.commit().await
    }

    /// Forgets a user with the tokens, access keys and sessions that hang on it.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], [`RecordsError::LastAdministrator`], or that nothing can be written.
    pub async fn remove_user(&self, actor: &Actor, id: &str) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        let user = self.user(id).ok_or(RecordsError::Unknown("user"))?;
        self.another_administrator(id)?;
        let delete = sqlx::query("delete from users where id = $1 and organisation = $2");
        write.run(delete.bind(id).bind(&*self.organisation)).await?;
        write.audit(&self.organisation, actor, "user.remove", id, &user.email).await?;
        write.then(move |directory| directory.remove_user(&user));
        write.commit().await
    }

    /// Whether somebody besides `id` administers the organisation; the cloud's last instance administrator stays too.
    fn another_administrator(&self, id: &str) -> Result<(), RecordsError> {
        let directory = self.inner.directory();
        let administers = |user: &&Arc<User>| &*user.id != id && user.role == Role::Administrator && !user.disabled;
        let held = directory.standing(&self.organisation).ok_or(RecordsError::Unknown("organisation"))?;
        let instance = held.users.get(id).is_some_and(|user| user.instance);
        let mut everyone = directory.organisations.values().flat_map(|held| held.users.values());
        let left = held.users.values().any(|user| administers(&user));
        let was = held.users.get(id).is_some_and(|user| user.role == Role::Administrator && !user.disabled);
        if (was && !left) || (instance && !everyone.any(|user| administers(&user) && user.instance)) {
            return Err(RecordsError::LastAdministrator);
        }
        Ok(())
    }
}
