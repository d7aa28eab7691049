//! The certificates and validation policies that uplinks name (Uplink §6.1): the device's own, and those of the configuration.

use oriel_trust::{Identity, Policy};
use std::collections::BTreeMap;

/// Certificates by `CertificateID`, policies by `CertPathValidationPolicyID`.
#[derive(Debug)]
pub(crate) struct KeyStore {
    certificates: BTreeMap<String, Identity>,
    policies: BTreeMap<String, Policy>,
}

impl KeyStore {
    pub(crate) fn new(certificates: BTreeMap<String, Identity>, policies: BTreeMap<String, Policy>) -> Self {
        Self { certificates, policies }
    }

    pub(crate) fn certificate(&self, id: &str) -> Option<&Identity> {
        self.certificates.get(id)
    }

    pub(crate) fn policy(&self, id: &str) -> Option<&Policy> {
        self.policies.get(id)
    }
}
