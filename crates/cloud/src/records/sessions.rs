//! Sessions of browsers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::store::{Write, millis};
use super::types::{Actor, By, Principal, Session, User};
use super::{Records, RecordsError, Scope, Secret, SecretHash, secret};
use crate::clock;

/// The longest program name that is kept.
const AGENT: usize = 200;

impl Records {
    /// The session behind a cookie, and its user as a caller, if both are good.
    #[must_use]
    pub fn session(&self, cookie: &str) -> Option<(Arc<Session>, Principal)> {
        let directory = self.inner.directory();
        let session = directory.session(&SecretHash::of(cookie))?;
        directory.standing(&session.organisation)?;
        let user = directory.user(&session.user).filter(|user| !user.disabled)?;
        if self.now() >= session.expires {
            return None;
        }
        let principal = Principal {
            organisation: Arc::clone(&session.organisation),
            user: Some(Arc::clone(&user.id)),
            by: By::Session(Arc::clone(&session.id)),
            role: user.role,
            instance: user.instance,
            devices: None,
        };
        Some((Arc::clone(session), principal))
    }

    /// Whether a caller's right still stands, in every part: for answers that go on for long.
    #[must_use]
    pub fn stands(&self, principal: &Principal) -> bool {
        let (directory, now) = (self.inner.directory(), self.now());
        let Some(held) = directory.standing(&principal.organisation) else { return false };
        let lives = |end: Option<u64>| end.is_none_or(|end| now < end);
        let proof = match &principal.by {
            By::Session(id) => held.sessions.get(id).is_some_and(|session| now < session.expires),
            By::Token(id) => held.tokens.get(id).is_some_and(|token| lives(token.expires)),
            By::AccessKey(id) => held.access_keys.get(id).is_some_and(|key| lives(key.expires)),
        };
        let user = |id| held.users.get(id).is_some_and(|user| !user.disabled && user.role >= principal.role);
        proof && principal.user.as_ref().is_none_or(user)
    }
}

impl Scope<'_> {
    /// Begins a session of `user`; the cookie is in the answer and nowhere else. Sessions of the organisation that are over are swept out.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn add_session(
        &self,
        user: &User,
        address: Option<IpAddr>,
        agent: &str,
        lifetime: Duration,
    ) -> Result<(Arc<Session>, Secret), RecordsError> {
        let mut write = self.begin().await?;
        let (secret, now) = (Secret::random(), write.now());
        let session = Arc::new(Session {
            id: secret::random_id().into(),
            organisation: Arc::clone(&self.organisation),
            user: Arc::clone(&user.id),
            hash: secret.hash(),
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            agent: agent.chars().take(AGENT).collect(),
            created: now,
            expires: now.saturating_add(clock::millis(lifetime)),
        });
        let over = sqlx::query("delete from sessions where organisation = $1 and expires < $2");
        write.run(over.bind(&*self.organisation).bind(millis(now))).await?;
        let insert = "insert into sessions (id, organisation, holder, hash, address, agent, created, expires) values ($1, $2, $3, $4, $5, $6, $7, $8)";
        let insert = sqlx::query(insert)
            .bind(&*session.id)
            .bind(&*self.organisation)
            .bind(&*session.user)
            .bind(String::from(session.hash))
            .bind(&session.address)
            .bind(&session.agent)
            .bind(millis(session.created))
            .bind(millis(session.expires));
        write.run(insert).await?;
        let actor = Actor { label: format!("user:{}", user.id), address };
        write.audit(&self.organisation, &actor, "session.add", &session.id, &session.agent).await?;
        let known = Arc::clone(&session);
        write.then(move |directory| {
            directory.remove_sessions(&known.organisation, |held| held.expires < now);
            directory.put_session(known);
        });
        write.commit().await?;
        Ok((session, secret))
    }

    /// The sessions of a user that stand, newest last.
    #[must_use]
    pub fn sessions(&self, user: &str) -> Vec<Arc<Session>> {
        let now = self.now();
        let mut sessions: Vec<_> = self.read(|held| {
            held.sessions.values().filter(|session| &*session.user == user && now < session.expires).cloned().collect()
        });
        sessions.sort_by_key(|session| session.created);
        sessions
    }

    /// Ends one session.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn remove_session(&self, actor: &Actor, id: &str) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        let delete = sqlx::query("delete from sessions where id = $1 and organisation = $2");
        if write.run(delete.bind(id).bind(&*self.organisation)).await? == 0 {
            return Err(RecordsError::Unknown("session"));
        }
        write.audit(&self.organisation, actor, "session.remove", id, "").await?;
        let (organisation, id) = (Arc::clone(&self.organisation), id.to_owned());
        write.then(move |directory| directory.remove_sessions(&organisation, |session| *session.id == *id));
        write.commit().await
    }

    /// Ends all sessions of a user, but for `keep`.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`], or that nothing can be written.
    pub async fn remove_sessions(&self, actor: &Actor, user: &str, keep: Option<&str>) -> Result<(), RecordsError> {
        let mut write = self.begin().await?;
        self.user(user).ok_or(RecordsError::Unknown("user"))?;
        self.end_sessions(&mut write, user, keep).await?;
        write.audit(&self.organisation, actor, "session.remove", user, "all").await?;
        write.commit().await
    }

    pub(super) async fn end_sessions(
        &self,
        write: &mut Write,
        user: &str,
        keep: Option<&str>,
    ) -> Result<(), RecordsError> {
        let keep = keep.unwrap_or_default().to_owned();
        let delete = "delete from sessions where holder = $1 and organisation = $2 and id <> $3";
        write.run(sqlx::query(delete).bind(user).bind(&*self.organisation).bind(keep.as_str())).await?;
        let (organisation, user) = (Arc::clone(&self.organisation), user.to_owned());
        write.then(move |directory| {
            directory.remove_sessions(&organisation, |session| *session.user == *user && *session.id != *keep);
        });
        Ok(())
    }
}
