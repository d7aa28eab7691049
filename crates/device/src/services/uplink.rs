//! The uplink service: which clouds the device dials (Uplink chapter 6). The handlers validate and write; dialling is the supervisor's.

use super::{Call, Service, Shared};
use crate::events::Owner;
use crate::keystore::View;
use crate::store::{State, UplinkEntry};
use oriel_onvif::ns;
use oriel_onvif::uplink::*;
use oriel_soap::xml::{Any, List};
use oriel_soap::{Fault, Level, Router, Via, With};
use oriel_uplink::{AddressError, Host, RemoteAddress, device};
use std::sync::Arc;

pub(super) const SERVICE: Service = Service {
    namespace: ns::TUP,
    path: "/onvif/uplink_service",
    version: (26, 6),
    capabilities: |shared| Any::of(ns::TUP, "Capabilities", &capabilities(shared)),
};

pub(super) fn bind(router: Router<Call>) -> Router<Call> {
    router.on(get_service_capabilities).on(get_uplinks).on(set_uplink).on(delete_uplink)
}

fn capabilities(shared: &Shared) -> Capabilities {
    Capabilities::with(|capabilities| {
        capabilities.max_uplinks = i32::try_from(shared.max_uplinks).ok();
        capabilities.protocols = Some(List(vec![Protocol::Https, Protocol::Wss]));
        capabilities.authorization_modes = Some(List(vec![AuthorizationMode::MutualTls]));
        capabilities.streaming_over_uplink = Some(false);
    })
}

async fn get_service_capabilities(
    call: Call,
    _: GetServiceCapabilities,
) -> Result<GetServiceCapabilitiesResponse, Fault> {
    Ok(GetServiceCapabilitiesResponse::with(|response| {
        response.capabilities = capabilities(&call.shared);
    }))
}

async fn get_uplinks(call: Call, _: GetUplinks) -> Result<GetUplinksResponse, Fault> {
    let state = call.shared.store.state();
    let show = |entry: &UplinkEntry| {
        let report = call.shared.reports.of(&entry.remote_address);
        Configuration::with(|shown| {
            shown.remote_address.clone_from(&entry.remote_address);
            shown.certificate_id.clone_from(&entry.certificate_id);
            shown.user_level = List(entry.user_level.clone());
            shown.cert_path_validation_policy_id.clone_from(&entry.cert_path_validation_policy_id);
            shown.status = Some(match report.as_ref().map(|report| report.status) {
                Some(device::State::Connected) => ConnectionStatus::Connected,
                Some(device::State::Connecting) => ConnectionStatus::Connecting,
                Some(device::State::Offline) | None => ConnectionStatus::Offline,
            });
            shown.error = report.and_then(|report| report.error);
        })
    };
    Ok(GetUplinksResponse::with(|response| {
        response.configuration = state.uplinks.iter().map(show).collect();
    }))
}

async fn set_uplink(call: Call, request: SetUplink) -> Result<SetUplinkResponse, Fault> {
    let by_uplink = matches!(call.caller.via, Via::Uplink { .. });
    let address = request.configuration.remote_address.clone();
    let entry = checked(request.configuration)?;
    let shared = Arc::clone(&call.shared);
    let cloud = Owner::cloud(&entry.remote_address);
    let takes = call.change(move |state| {
        // In the same step as the change, so that nobody deletes meanwhile what the uplink is about to name.
        resolve(&entry, shared.keys.with(&state.keystore))?;
        let existing = state.uplinks.iter().position(|known| known.is_at(&entry.remote_address));
        // An uplink may change what stands under an address that the LAN chose, but not choose an address of the LAN.
        let by_uplink = by_uplink && existing.is_none_or(|index| state.uplinks[index].by_uplink);
        if let Ok(Host::Ip(literal)) = entry.remote_address.parse().map(|address: RemoteAddress| address.host().clone())
        {
            let refused =
                |kind| wrong_address(format!("{address} leads to {kind}, which this device is not configured to dial"));
            shared.call_out.check(literal, by_uplink).map_err(refused)?;
        }
        let before = existing.map(|index| state.uplinks[index].user_level.clone()).unwrap_or_default();
        let takes = before.iter().any(|level| !entry.user_level.contains(level));
        put(state, existing, UplinkEntry { by_uplink, ..entry }, shared.max_uplinks)?;
        Ok(takes)
    });
    if takes.await? {
        // What is sent for the cloud was asked for with a level that it has no more.
        call.shared.events.withdraw(&cloud);
    }
    Ok(SetUplinkResponse::default())
}

fn put(state: &mut State, existing: Option<usize>, entry: UplinkEntry, most: usize) -> Result<(), Fault> {
    match existing {
        Some(index) => state.uplinks[index] = entry,
        None if state.uplinks.len() < most => state.uplinks.push(entry),
        None => {
            return Err(Fault::action(format!("this device keeps {most} uplinks at most; delete one first"))
                .subcode("MaxUplinks"));
        }
    }
    Ok(())
}

async fn delete_uplink(call: Call, request: DeleteUplink) -> Result<DeleteUplinkResponse, Fault> {
    let gone = Owner::cloud(&request.remote_address);
    let stays = call.change(move |state| {
        let before = state.uplinks.len();
        state.uplinks.retain(|entry| !entry.is_at(&request.remote_address));
        if state.uplinks.len() == before {
            return Err(wrong_address(format!("there is no uplink with the address {:?}", request.remote_address)));
        }
        let cloud = Owner::cloud(&request.remote_address);
        Ok(state.uplinks.iter().any(|entry| Owner::cloud(&entry.remote_address) == cloud))
    });
    if !stays.await? {
        call.shared.events.forget(&gone);
    }
    Ok(DeleteUplinkResponse::default())
}

/// The configuration as an entry, without what a `Set` ignores (§6.1, §6.3).
fn checked(configuration: Configuration) -> Result<UplinkEntry, Fault> {
    // An empty element says as little as none.
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let certificate_id = given(configuration.certificate_id);
    let policy_id = given(configuration.cert_path_validation_policy_id);
    let address: RemoteAddress = configuration.remote_address.parse().map_err(|error: AddressError| match error {
        AddressError::Protocol(_) => Fault::invalid_args(error.to_string()).subcode("ProtocolNotSupported"),
        error => wrong_address(error.to_string()),
    })?;
    match (&certificate_id, given(configuration.authorization_server)) {
        (Some(_), Some(_)) => {
            return Err(Fault::invalid_args("give a CertificateID or an AuthorizationServer, not both")
                .subcode("AmbiguousAuthentication"));
        }
        (None, None) => {
            return Err(Fault::invalid_args("give a CertificateID for the device to authenticate with")
                .subcode("MissingAuthentication"));
        }
        (None, Some(token)) => {
            let fault = Fault::invalid_arg_val(format!("there is no authorization server {token:?}"));
            return Err(fault.subcode("AuthorizationServerConfigurationToken"));
        }
        (Some(_), None) => {}
    }
    check_levels(&configuration.user_level)?;
    Ok(UplinkEntry {
        remote_address: address.to_string(),
        certificate_id,
        user_level: configuration.user_level.0,
        cert_path_validation_policy_id: policy_id,
        by_uplink: false,
    })
}

/// What the entry names has to be there, the certificate with its private key (§6.3).
fn resolve(entry: &UplinkEntry, keys: View<'_>) -> Result<(), Fault> {
    if let Some(Err(problem)) = entry.certificate_id.as_deref().map(|id| keys.identity(id)) {
        return Err(Fault::invalid_arg_val(format!("certificate: {problem}")).subcode("CertificateID"));
    }
    if let Some(Err(problem)) = entry.cert_path_validation_policy_id.as_deref().map(|id| keys.validation(id)) {
        return Err(Fault::invalid_arg_val(format!("policy: {problem}")).subcode("CertPathValidationPolicyID"));
    }
    Ok(())
}

fn check_levels(names: &[String]) -> Result<(), Fault> {
    if names.is_empty() {
        return Err(Fault::invalid_arg_val("UserLevel is empty; give one or more of Administrator, Operator, User"));
    }
    // This device has no roles of its own, so a name that is no level is a role that does not exist.
    names
        .iter()
        .try_for_each(|name| name.parse::<Level>().map(drop))
        .map_err(|error| Fault::invalid_arg_val(error.to_string()))
}

fn wrong_address(text: String) -> Fault {
    Fault::invalid_arg_val(text).subcode("Address")
}
