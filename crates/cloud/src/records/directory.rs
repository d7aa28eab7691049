//! What the hot paths ask, in memory: who owns a key, a token, a session; what an organisation holds. Filled from the store at start, changed after each write.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use oriel_trust::Fingerprint;

use super::SecretHash;
use super::types::{
    AccessKey, Authority, CredentialKind, Device, DeviceId, Enrolment, Id, Organisation, OrganisationId, Session,
    Token, User, UserId,
};

/// What one organisation holds, in the order of ids.
#[derive(Debug)]
pub(super) struct Holdings {
    pub(super) record: Arc<Organisation>,
    pub(super) devices: BTreeMap<DeviceId, Arc<Device>>,
    pub(super) users: BTreeMap<UserId, Arc<User>>,
    pub(super) tokens: BTreeMap<Id, Arc<Token>>,
    pub(super) access_keys: BTreeMap<Id, Arc<AccessKey>>,
    pub(super) sessions: BTreeMap<Id, Arc<Session>>,
    pub(super) authorities: BTreeMap<Id, Arc<Authority>>,
    pub(super) enrolments: BTreeMap<Id, Arc<Enrolment>>,
}

/// Everything, with its indexes.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) organisations: BTreeMap<OrganisationId, Holdings>,
    devices: HashMap<DeviceId, Arc<Device>>,
    credentials: HashMap<CredentialKind, DeviceId>,
    tokens: HashMap<SecretHash, Arc<Token>>,
    access_keys: HashMap<Id, Arc<AccessKey>>,
    sessions: HashMap<SecretHash, Arc<Session>>,
    users: HashMap<UserId, Arc<User>>,
    emails: HashMap<String, UserId>,
    enrolments: HashMap<SecretHash, Arc<Enrolment>>,
    enrolment_hashes: HashMap<Id, SecretHash>,
}

impl Directory {
    /// The organisation, unless it is suspended.
    pub(super) fn standing(&self, organisation: &str) -> Option<&Holdings> {
        self.organisations.get(organisation).filter(|held| !held.record.suspended)
    }

    pub(super) fn device(&self, id: &str) -> Option<&Arc<Device>> {
        self.devices.get(id)
    }

    pub(super) fn device_of(&self, credential: &CredentialKind) -> Option<&Arc<Device>> {
        self.devices.get(self.credentials.get(credential)?)
    }

    pub(super) fn token(&self, hash: &SecretHash) -> Option<&Arc<Token>> {
        self.tokens.get(hash)
    }

    pub(super) fn access_key(&self, id: &str) -> Option<&Arc<AccessKey>> {
        self.access_keys.get(id)
    }

    pub(super) fn session(&self, hash: &SecretHash) -> Option<&Arc<Session>> {
        self.sessions.get(hash)
    }

    pub(super) fn user(&self, id: &str) -> Option<&Arc<User>> {
        self.users.get(id)
    }

    pub(super) fn user_of_email(&self, email: &str) -> Option<&Arc<User>> {
        self.users.get(self.emails.get(email)?)
    }

    pub(super) fn enrolment(&self, hash: &SecretHash) -> Option<&Arc<Enrolment>> {
        self.enrolments.get(hash)
    }

    /// Whether a key belongs to a device.
    pub(super) fn is_taken(&self, key: &Fingerprint) -> bool {
        self.credentials.contains_key(&CredentialKind::Key(*key))
    }

    pub(super) fn put_organisation(&mut self, record: Arc<Organisation>) {
        let id = Arc::clone(&record.id);
        match self.organisations.get_mut(&id) {
            Some(held) => held.record = record,
            None => {
                let held = Holdings {
                    record,
                    devices: BTreeMap::new(),
                    users: BTreeMap::new(),
                    tokens: BTreeMap::new(),
                    access_keys: BTreeMap::new(),
                    sessions: BTreeMap::new(),
                    authorities: BTreeMap::new(),
                    enrolments: BTreeMap::new(),
                };
                self.organisations.insert(id, held);
            }
        }
    }

    pub(super) fn remove_organisation(&mut self, id: &str) {
        let Some(held) = self.organisations.remove(id) else { return };
        held.devices.values().for_each(|device| self.forget_device(device));
        for user in held.users.values() {
            self.users.remove(&user.id);
            self.emails.remove(&user.email);
        }
        held.tokens.values().for_each(|token| drop(self.tokens.remove(&token.hash)));
        held.access_keys.keys().for_each(|id| drop(self.access_keys.remove(id)));
        held.sessions.values().for_each(|session| drop(self.sessions.remove(&session.hash)));
        held.enrolments.keys().for_each(|id| self.forget_enrolment(id));
    }

    pub(super) fn put_device(&mut self, device: Arc<Device>) {
        if let Some(old) = self.devices.remove(&device.id) {
            self.forget_device(&old);
        }
        for credential in &device.credentials {
            self.credentials.insert(credential.kind.clone(), Arc::clone(&device.id));
        }
        if let Some(held) = self.organisations.get_mut(&device.organisation) {
            held.devices.insert(Arc::clone(&device.id), Arc::clone(&device));
        }
        self.devices.insert(Arc::clone(&device.id), device);
    }

    fn forget_device(&mut self, device: &Device) {
        self.devices.remove(&device.id);
        device.credentials.iter().for_each(|credential| drop(self.credentials.remove(&credential.kind)));
    }

    /// With its access keys; tokens and enrolments lose it from their lists.
    pub(super) fn remove_device(&mut self, device: &Device) {
        self.forget_device(device);
        let Some(held) = self.organisations.get_mut(&device.organisation) else { return };
        held.devices.remove(&device.id);
        let keys: Vec<Id> =
            held.access_keys.values().filter(|key| key.device == device.id).map(|key| Arc::clone(&key.id)).collect();
        let enrolments =
            held.enrolments.values().filter(|enrolment| enrolment.devices.values().any(|id| *id == device.id));
        let enrolments: Vec<_> = enrolments.map(|enrolment| Enrolment::clone(enrolment)).collect();
        keys.iter().for_each(|id| self.remove_access_key(&device.organisation, id));
        for mut enrolment in enrolments {
            enrolment.devices.retain(|_, id| *id != device.id);
            if let Some(hash) = self.enrolment_hashes.get(&enrolment.id).copied() {
                self.put_enrolment(hash, Arc::new(enrolment));
            }
        }
    }

    pub(super) fn put_user(&mut self, user: Arc<User>) {
        if let Some(old) = self.users.get(&user.id) {
            self.emails.remove(&old.email);
        }
        self.emails.insert(user.email.clone(), Arc::clone(&user.id));
        if let Some(held) = self.organisations.get_mut(&user.organisation) {
            held.users.insert(Arc::clone(&user.id), Arc::clone(&user));
        }
        self.users.insert(Arc::clone(&user.id), user);
    }

    /// With everything that hangs on the user.
    pub(super) fn remove_user(&mut self, user: &User) {
        self.users.remove(&user.id);
        self.emails.remove(&user.email);
        let Some(held) = self.organisations.get_mut(&user.organisation) else { return };
        held.users.remove(&user.id);
        let tokens: Vec<Id> = held
            .tokens
            .values()
            .filter(|token| token.user.as_ref() == Some(&user.id))
            .map(|token| Arc::clone(&token.id))
            .collect();
        let keys: Vec<Id> =
            held.access_keys.values().filter(|key| key.user == user.id).map(|key| Arc::clone(&key.id)).collect();
        tokens.iter().for_each(|id| self.remove_token(&user.organisation, id));
        keys.iter().for_each(|id| self.remove_access_key(&user.organisation, id));
        self.remove_sessions(&user.organisation, |session| session.user == user.id);
    }

    pub(super) fn put_token(&mut self, token: Arc<Token>) {
        if let Some(held) = self.organisations.get_mut(&token.organisation) {
            held.tokens.insert(Arc::clone(&token.id), Arc::clone(&token));
        }
        self.tokens.insert(token.hash, token);
    }

    pub(super) fn remove_token(&mut self, organisation: &str, id: &str) {
        let removed = self.organisations.get_mut(organisation).and_then(|held| held.tokens.remove(id));
        if let Some(token) = removed {
            self.tokens.remove(&token.hash);
        }
    }

    pub(super) fn put_access_key(&mut self, key: Arc<AccessKey>) {
        if let Some(held) = self.organisations.get_mut(&key.organisation) {
            held.access_keys.insert(Arc::clone(&key.id), Arc::clone(&key));
        }
        self.access_keys.insert(Arc::clone(&key.id), key);
    }

    pub(super) fn remove_access_key(&mut self, organisation: &str, id: &str) {
        self.access_keys.remove(id);
        if let Some(held) = self.organisations.get_mut(organisation) {
            held.access_keys.remove(id);
        }
    }

    pub(super) fn put_session(&mut self, session: Arc<Session>) {
        if let Some(held) = self.organisations.get_mut(&session.organisation) {
            held.sessions.insert(Arc::clone(&session.id), Arc::clone(&session));
        }
        self.sessions.insert(session.hash, session);
    }

    pub(super) fn remove_sessions(&mut self, organisation: &str, which: impl Fn(&Session) -> bool) {
        let Some(held) = self.organisations.get_mut(organisation) else { return };
        let hashes = &mut self.sessions;
        held.sessions.retain(|_, session| {
            let stays = !which(session);
            if !stays {
                hashes.remove(&session.hash);
            }
            stays
        });
    }

    pub(super) fn put_authority(&mut self, authority: Arc<Authority>) {
        if let Some(held) = self.organisations.get_mut(&authority.organisation) {
            held.authorities.insert(Arc::clone(&authority.id), authority);
        }
    }

    pub(super) fn remove_authority(&mut self, organisation: &str, id: &str) {
        if let Some(held) = self.organisations.get_mut(organisation) {
            held.authorities.remove(id);
        }
    }

    pub(super) fn put_enrolment(&mut self, hash: SecretHash, enrolment: Arc<Enrolment>) {
        if let Some(held) = self.organisations.get_mut(&enrolment.organisation) {
            held.enrolments.insert(Arc::clone(&enrolment.id), Arc::clone(&enrolment));
        }
        self.enrolment_hashes.insert(Arc::clone(&enrolment.id), hash);
        self.enrolments.insert(hash, enrolment);
    }

    fn forget_enrolment(&mut self, id: &str) {
        if let Some(hash) = self.enrolment_hashes.remove(id) {
            self.enrolments.remove(&hash);
        }
    }

    pub(super) fn remove_enrolment(&mut self, organisation: &str, id: &str) {
        self.forget_enrolment(id);
        if let Some(held) = self.organisations.get_mut(organisation) {
            held.enrolments.remove(id);
        }
    }
}
