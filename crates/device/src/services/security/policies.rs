//! Certification path validation policies (Security §5.2.6.5).

use super::{alias, broker_with, fresh, in_use, no_certificate, no_policy, uplink_with};
use crate::keystore::MAX_POLICIES;
use crate::services::Call;
use crate::store::PolicyEntry;
use oriel_onvif::security::*;
use oriel_soap::{Fault, With};
use oriel_trust::{Validation, client_config};
use std::sync::Arc;

/// Most trust anchors of one policy.
const MAX_ANCHORS: usize = 16;

pub(super) async fn create_cert_path_validation_policy(
    call: Call,
    request: CreateCertPathValidationPolicy,
) -> Result<CreateCertPathValidationPolicyResponse, Fault> {
    let entry = checked(request)?;
    let shared = Arc::clone(&call.shared);
    let id = call
        .change(move |state| {
            let view = shared.keys.with(&state.keystore);
            if let Some(unknown) = entry.anchors.iter().find(|id| view.certificate(id).is_none()) {
                return Err(no_certificate(unknown));
            }
            // Better said now than by an uplink that does not come up.
            let policy = view.anchors(&entry.anchors).map_err(unusable)?;
            client_config(&Validation::Policy(policy), None).map_err(|error| unusable(error.to_string()))?;
            if state.keystore.policies.len() >= MAX_POLICIES {
                let text =
                    format!("this device keeps {MAX_POLICIES} policies at most, beside its own; delete one first");
                return Err(Fault::action(text).subcode("MaximumNumberOfCertPathValidationPoliciesReached"));
            }
            let id = entry.id.clone();
            state.keystore.policies.push(entry);
            Ok(id)
        })
        .await?;
    Ok(CreateCertPathValidationPolicyResponse::with(|response| response.cert_path_validation_policy_id = id))
}

/// What can be said without the key store. What is not understood is refused: it would make the policy stricter.
fn checked(request: CreateCertPathValidationPolicy) -> Result<PolicyEntry, Fault> {
    let more = |given: &Option<AnyParameters>| given.as_ref().is_some_and(|more| !more.any.is_empty());
    if more(&request.any_parameters) || more(&request.parameters.any_parameters) {
        return Err(unusable("this device knows no parameters beyond the schema's".to_owned()));
    }
    if request.parameters.require_tls_www_client_auth_extended_key_usage == Some(true) {
        let text = "RequireTLSWWWClientAuthExtendedKeyUsage is for TLS servers, and this device has none";
        return Err(unusable(text.to_owned()));
    }
    let anchors: Vec<String> = request.trust_anchor.into_iter().map(|anchor| anchor.certificate_id).collect();
    match anchors.len() {
        0 => return Err(Fault::invalid_args("give a TrustAnchor")),
        number if number > MAX_ANCHORS => return Err(unusable(format!("give {MAX_ANCHORS} trust anchors at most"))),
        _ => {}
    }
    let use_delta_crls = request.parameters.use_delta_crls;
    Ok(PolicyEntry { id: fresh("policy"), alias: alias(request.alias)?, use_delta_crls, anchors })
}

fn unusable(why: String) -> Fault {
    Fault::invalid_arg_val(why).subcode("CertPathValidationParameters")
}

pub(super) async fn get_cert_path_validation_policy(
    call: Call,
    request: GetCertPathValidationPolicy,
) -> Result<GetCertPathValidationPolicyResponse, Fault> {
    let (state, id) = (call.shared.store.state(), &request.cert_path_validation_policy_id);
    let entry = call.shared.keys.with(&state.keystore).policy(id).ok_or_else(|| no_policy(id))?;
    Ok(GetCertPathValidationPolicyResponse::with(|response| response.cert_path_validation_policy = shown(entry)))
}

pub(super) async fn get_all_cert_path_validation_policies(
    call: Call,
    _: GetAllCertPathValidationPolicies,
) -> Result<GetAllCertPathValidationPoliciesResponse, Fault> {
    let state = call.shared.store.state();
    Ok(GetAllCertPathValidationPoliciesResponse::with(|response| {
        let view = call.shared.keys.with(&state.keystore);
        response.cert_path_validation_policy = view.policies().map(shown).collect();
    }))
}

fn shown(entry: &PolicyEntry) -> CertPathValidationPolicy {
    CertPathValidationPolicy::with(|shown| {
        shown.cert_path_validation_policy_id.clone_from(&entry.id);
        shown.alias.clone_from(&entry.alias);
        shown.parameters.use_delta_crls = entry.use_delta_crls;
        let anchor = |id: &String| TrustAnchor::with(|anchor| anchor.certificate_id.clone_from(id));
        shown.trust_anchor = entry.anchors.iter().map(anchor).collect();
    })
}

pub(super) async fn delete_cert_path_validation_policy(
    call: Call,
    request: DeleteCertPathValidationPolicy,
) -> Result<DeleteCertPathValidationPolicyResponse, Fault> {
    let shared = Arc::clone(&call.shared);
    call.change(move |state| {
        let (view, id) = (shared.keys.with(&state.keystore), &request.cert_path_validation_policy_id);
        view.policy(id).ok_or_else(|| no_policy(id))?;
        if let Some(uplink) = uplink_with(state, |entry| entry.cert_path_validation_policy_id.as_ref() == Some(id)) {
            return Err(in_use(&format!("the uplink {uplink} is checked by this policy")));
        }
        if let Some(broker) = broker_with(state, |entry| entry.cert_path_validation_policy_id.as_ref() == Some(id)) {
            return Err(in_use(&format!("the event broker {broker} is checked by this policy")));
        }
        let before = state.keystore.policies.len();
        state.keystore.policies.retain(|entry| entry.id != *id);
        if state.keystore.policies.len() == before {
            // The chapter has no fault of its own for this.
            return Err(in_use("the configuration file of the device names this policy"));
        }
        Ok(())
    })
    .await?;
    Ok(DeleteCertPathValidationPolicyResponse::default())
}
