//! The key store as a whole: what is built in (the device's own key, what the configuration file names) and what came by the security
//! service (Security §5.2). Uplinks name certificates and policies of either (Uplink §6.1).

mod maker;

pub(crate) use maker::{KeyMaker, estimate};

use crate::store::{CertificateEntry, KeyEntry, Keystore, Material, PolicyEntry};
use oriel_trust::{Certificate, Identity, KeyPair, Policy, Validation, client_config};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use std::collections::BTreeMap;

/// Most keys with a private half, beside those that are built in.
pub(crate) const MAX_KEYS: usize = 16;
/// Most certificates, and most public keys out of certificates, beside those that are built in.
pub(crate) const MAX_CERTIFICATES: usize = 32;
/// Most validation policies, beside those that are built in.
pub(crate) const MAX_POLICIES: usize = 8;
/// TLS sessions that each set-up remembers: those of eight clouds, as rustls counts. Its default takes 14 KiB at once, and a bridge has a set-up for
/// each camera.
const SESSIONS: usize = 64;
/// Most certificates that a client's chain has, the leaf included.
const MAX_CHAIN: usize = 5;

/// What is built in. It looks like the rest, and cannot be deleted.
#[derive(Debug)]
pub(crate) struct KeyStore {
    entries: Keystore,
    /// With the chains of the configuration's files.
    identities: BTreeMap<String, Identity>,
    policies: BTreeMap<String, Policy>,
}

impl KeyStore {
    pub(crate) fn new(identities: BTreeMap<String, Identity>, policies: BTreeMap<String, Policy>) -> Self {
        let mut entries = Keystore::default();
        for (id, identity) in &identities {
            let material = Material::pair(&KeyPair::from(identity));
            let key_id = add_key(&mut entries, id, material);
            let content = identity.chain().first().map_or(&[][..], AsRef::as_ref).into();
            entries.certificates.push(CertificateEntry { id: id.clone(), alias: None, key_id, content });
        }
        for (id, policy) in &policies {
            let anchors = policy.anchors.iter().enumerate();
            let anchors: Vec<_> = anchors.map(|(index, anchor)| add_anchor(&mut entries, id, index, anchor)).collect();
            // One whose anchors are of an age that the service does not know can be used, and not be shown.
            if let Some(anchors) = anchors.into_iter().collect() {
                entries.policies.push(PolicyEntry { id: id.clone(), alias: None, use_delta_crls: None, anchors });
            }
        }
        Self { entries, identities, policies }
    }

    /// What is built in.
    pub(crate) fn built_in(&self) -> &Keystore {
        &self.entries
    }

    /// What is built in, together with what is stored.
    pub(crate) fn with<'a>(&'a self, stored: &'a Keystore) -> View<'a> {
        View { built_in: self, stored }
    }
}

/// The id of the key with this material, which is added when it is not there.
fn add_key(entries: &mut Keystore, id: &str, material: Material) -> String {
    if let Some(known) = entries.keys.iter().find(|key| key.material.public() == material.public()) {
        return known.id.clone();
    }
    entries.keys.push(KeyEntry { id: id.to_owned(), alias: None, material });
    id.to_owned()
}

fn add_anchor(entries: &mut Keystore, policy: &str, index: usize, anchor: &CertificateDer<'_>) -> Option<String> {
    if let Some(known) = entries.certificates.iter().find(|known| known.content.bytes() == anchor.as_ref()) {
        return Some(known.id.clone());
    }
    let read = Certificate::read(anchor).ok()?;
    let id = format!("{policy}-anchor-{}", index + 1);
    let key_id = add_key(entries, &id, Material::Public { public: read.public_key().into() });
    let content = anchor.as_ref().into();
    entries.certificates.push(CertificateEntry { id: id.clone(), alias: None, key_id, content });
    Some(id)
}

/// The key store at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    built_in: &'a KeyStore,
    stored: &'a Keystore,
}

impl<'a> View<'a> {
    pub(crate) fn keys(self) -> impl Iterator<Item = &'a KeyEntry> {
        self.built_in.entries.keys.iter().chain(&self.stored.keys)
    }

    pub(crate) fn key(self, id: &str) -> Option<&'a KeyEntry> {
        self.keys().find(|key| key.id == id)
    }

    pub(crate) fn certificates(self) -> impl Iterator<Item = &'a CertificateEntry> {
        self.built_in.entries.certificates.iter().chain(&self.stored.certificates)
    }

    pub(crate) fn certificate(self, id: &str) -> Option<&'a CertificateEntry> {
        self.certificates().find(|certificate| certificate.id == id)
    }

    pub(crate) fn policies(self) -> impl Iterator<Item = &'a PolicyEntry> {
        self.built_in.entries.policies.iter().chain(&self.stored.policies)
    }

    pub(crate) fn policy(self, id: &str) -> Option<&'a PolicyEntry> {
        self.policies().find(|policy| policy.id == id)
    }

    /// The key with this public half; one that has its private half too comes first.
    pub(crate) fn key_of(self, public: &[u8]) -> Option<&'a KeyEntry> {
        let same = |key: &&KeyEntry| key.material.public() == Some(public);
        self.keys().filter(same).max_by_key(|key| key.material.has_private())
    }

    /// What an uplink shows of itself under a `CertificateID`.
    pub(crate) fn identity(self, id: &str) -> Result<Identity, String> {
        if let Some(identity) = self.built_in.identities.get(id) {
            return Ok(identity.clone());
        }
        let entry = self.certificate(id).ok_or_else(|| format!("none is stored under the CertificateID {id:?}"))?;
        let key = self.key(&entry.key_id).filter(|key| key.material.has_private());
        let key = key.ok_or_else(|| format!("the private key of the CertificateID {id:?} is not on this device"))?;
        let leaf = Certificate::read(entry.content.bytes()).map_err(|error| error.to_string())?;
        let pair = key.material.key_pair().map_err(|error| error.to_string())?;
        pair.identity(self.chain(leaf)).map_err(|error| error.to_string())
    }

    /// The leaf with the issuers that are stored: a cloud that knows the root alone can then find its way.
    fn chain(self, leaf: Certificate) -> Vec<CertificateDer<'static>> {
        let all: Vec<_> =
            self.certificates().filter_map(|entry| Certificate::read(entry.content.bytes()).ok()).collect();
        let mut chain = vec![leaf];
        while let Some(last) = chain.last().filter(|last| chain.len() < MAX_CHAIN && !last.is_self_issued()) {
            // The root is not sent: whoever does not have it does not believe it.
            let issuer = all.iter().find(|one| !one.is_self_issued() && one.may_have_issued(last));
            let Some(issuer) = issuer.filter(|issuer| !chain.contains(issuer)) else { break };
            chain.push(issuer.clone());
        }
        chain.iter().map(|certificate| certificate.der().clone()).collect()
    }

    /// Whom an uplink believes under a `CertPathValidationPolicyID`.
    pub(crate) fn validation(self, id: &str) -> Result<Policy, String> {
        if let Some(policy) = self.built_in.policies.get(id) {
            return Ok(policy.clone());
        }
        let entry = self.policy(id);
        let entry = entry.ok_or_else(|| format!("none is stored under the CertPathValidationPolicyID {id:?}"))?;
        self.anchors(&entry.anchors)
    }

    /// The TLS set-up for a certificate to show and a policy to believe by. Without a policy the system's roots count, or with `insecure`
    /// nothing.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub(crate) fn client_config(
        self,
        certificate: Option<&str>,
        policy: Option<&str>,
        insecure: bool,
    ) -> Result<ClientConfig, String> {
        let identity = certificate.map(|id| self.identity(id)).transpose();
        let identity = identity.map_err(|error| format!("certificate: {error}"))?;
        let validation = match policy {
            Some(id) => Validation::Policy(self.validation(id).map_err(|error| format!("policy: {error}"))?),
            None if insecure => Validation::Insecure,
            None => Validation::SystemRoots,
        };
        let mut tls = client_config(&validation, identity.as_ref()).map_err(|error| format!("TLS: {error}"))?;
        tls.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(tls)
    }

    /// The certificates of these ids as anchors.
    pub(crate) fn anchors(self, ids: &[String]) -> Result<Policy, String> {
        let anchor = |id: &String| {
            let entry = self.certificate(id).ok_or_else(|| format!("none is stored under the CertificateID {id:?}"))?;
            Ok(CertificateDer::from(entry.content.bytes().to_vec()))
        };
        Ok(Policy { anchors: ids.iter().map(anchor).collect::<Result<_, String>>()? })
    }
}

#[cfg(test)]
mod tests;
