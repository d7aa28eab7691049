//! What is on the camera, which of it is ours, and which of that an uplink needs.

use std::collections::HashSet;

use oriel_onvif::device_mgmt::GetServices;
use oriel_onvif::ns;
use oriel_onvif::security::{
    CertPathValidationPolicy, DeleteCertPathValidationPolicy, DeleteCertificate, DeleteKey,
    GetAllCertPathValidationPolicies, GetAllCertificates, GetAllKeys, GetServiceCapabilities, KeyAttribute, KeyStatus,
    KeystoreCapabilities, X509Certificate,
};
use oriel_onvif::uplink::{Configuration, GetUplinks};
use oriel_soap::{Operation, With as _};
use url::Url;

use super::{Plan, Provision, ProvisionError, call};
use crate::{CallError, Client};

/// The camera's key store and uplinks.
pub(super) struct Survey {
    pub(super) capabilities: KeystoreCapabilities,
    pub(super) uplinks: Vec<Configuration>,
    pub(super) certificates: Vec<X509Certificate>,
    keys: Vec<KeyAttribute>,
    policies: Vec<CertPathValidationPolicy>,
}

/// Ids of what uplinks need.
#[derive(Default)]
struct Needed<'s> {
    policies: HashSet<&'s str>,
    certificates: HashSet<&'s str>,
    keys: HashSet<&'s str>,
}

impl Survey {
    pub(super) async fn take(client: &Client) -> Result<Self, ProvisionError> {
        let services = call(client, GetServices::default()).await?.service;
        for (service, name) in [(ns::TAS, "Security"), (ns::TUP, "Uplink")] {
            if !services.iter().any(|offered| offered.namespace == service.uri) {
                let text = format!("has no {name} service ({}); its firmware has to offer one", service.uri);
                return Err(ProvisionError::Lacks(text));
            }
        }
        let capabilities = call(client, GetServiceCapabilities::default()).await?.capabilities;
        Ok(Self {
            capabilities: capabilities.keystore_capabilities,
            uplinks: call(client, GetUplinks::default()).await?.configuration,
            certificates: call(client, GetAllCertificates::default()).await?.certificate,
            keys: call(client, GetAllKeys::default()).await?.key_attribute,
            policies: call(client, GetAllCertPathValidationPolicies::default()).await?.cert_path_validation_policy,
        })
    }

    /// The uplinks to the plan's cloud: by host and port, or with a certificate of ours.
    pub(super) fn uplinks_to(&self, plan: &Plan) -> Vec<&Configuration> {
        let place = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        let leads_there = |uplink: &&Configuration| {
            let there = uplink.remote_address.parse().is_ok_and(|url| place(&url) == place(&plan.cloud));
            there || self.is_own(uplink, &plan.alias)
        };
        self.uplinks.iter().filter(leads_there).collect()
    }

    /// Whether the uplink shows a certificate that bears our alias.
    pub(super) fn is_own(&self, uplink: &Configuration, alias: &str) -> bool {
        let shown =
            |certificate: &&X509Certificate| Some(&certificate.certificate_id) == uplink.certificate_id.as_ref();
        self.certificates.iter().find(shown).is_some_and(|certificate| certificate.alias.as_deref() == Some(alias))
    }

    /// A key that an earlier run made and that no uplink needs.
    pub(super) fn spare_key(&self, alias: &str) -> Option<String> {
        let needed = self.needed();
        let spare = |key: &&KeyAttribute| {
            key.alias.as_deref() == Some(alias)
                && key.has_private_key != Some(false)
                && matches!(key.key_status, KeyStatus::Ok | KeyStatus::Generating)
                && !needed.keys.contains(key.key_id.as_str())
        };
        self.keys.iter().find(spare).map(|key| key.key_id.clone())
    }

    fn needed(&self) -> Needed<'_> {
        let mut needed = Needed::default();
        for uplink in &self.uplinks {
            needed.certificates.extend(uplink.certificate_id.as_deref());
            needed.policies.extend(uplink.cert_path_validation_policy_id.as_deref());
        }
        for policy in &self.policies {
            if needed.policies.contains(policy.cert_path_validation_policy_id.as_str()) {
                needed.certificates.extend(policy.trust_anchor.iter().map(|anchor| anchor.certificate_id.as_str()));
            }
        }
        for certificate in &self.certificates {
            if needed.certificates.contains(certificate.certificate_id.as_str()) {
                needed.keys.insert(&certificate.key_id);
            }
        }
        needed
    }
}

impl Provision<'_> {
    /// Removes what bears our alias and no uplink needs, but the key that is in work: policies first, which refer to certificates, which refer to keys.
    pub(super) async fn sweep(&self) -> Result<(), ProvisionError> {
        let survey = Survey::take(self.client).await?;
        let (needed, ours) = (survey.needed(), Some(self.plan.alias.as_str()));
        for policy in survey.policies.iter().filter(|policy| policy.alias.as_deref() == ours) {
            let id = policy.cert_path_validation_policy_id.as_str();
            if !needed.policies.contains(id) {
                let delete = DeleteCertPathValidationPolicy::with(|d| d.cert_path_validation_policy_id = id.to_owned());
                self.remove("policy", id, delete).await?;
            }
        }
        for certificate in survey.certificates.iter().filter(|certificate| certificate.alias.as_deref() == ours) {
            let id = certificate.certificate_id.as_str();
            if !needed.certificates.contains(id) {
                let delete = DeleteCertificate::with(|delete| delete.certificate_id = id.to_owned());
                self.remove("certificate", id, delete).await?;
            }
        }
        for key in survey.keys.iter().filter(|key| key.alias.as_deref() == ours) {
            let id = key.key_id.as_str();
            if !needed.keys.contains(id) && self.key.as_deref() != Some(id) {
                self.remove("key", id, DeleteKey::with(|delete| delete.key_id = id.to_owned())).await?;
            }
        }
        Ok(())
    }

    /// What somebody else has begun to use stays, and what is gone already is gone.
    async fn remove<O: Operation>(&self, what: &str, id: &str, delete: O) -> Result<(), ProvisionError> {
        match self.call(delete).await {
            Ok(_) => self.note("removed", Some(id), what),
            Err(ProvisionError::Call { source: CallError::Fault { fault, .. }, .. }) if fault.is("ReferenceExists") => {
                self.note("left", Some(id), &format!("{what}: something else on the camera uses it now"));
            }
            Err(ProvisionError::Call { source: CallError::Fault { fault, .. }, .. })
                if fault.is("KeyID") || fault.is("CertificateID") || fault.is("CertPathValidationPolicyID") => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
