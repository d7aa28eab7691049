//! How the device shows itself to those who look for it (Core §8.3.14 to §8.3.19). A change takes effect at once, and is kept.

use super::super::{Call, Shared};
use super::security::at_least_one;
use crate::scopes::{self, Scopes};
use crate::store::State;
use oriel_onvif::device_mgmt::*;
use oriel_soap::{Fault, With};

pub(super) async fn get_scopes(call: Call, _: GetScopes) -> Result<GetScopesResponse, Fault> {
    let Scopes { configurable, fixed } = scopes::scopes(&call.shared.information, &call.shared.store.state());
    let show = |definition: ScopeDefinition| {
        move |item: String| Scope::with(|scope| (scope.scope_def, scope.scope_item) = (definition, item))
    };
    let configurable = configurable.into_iter().map(show(ScopeDefinition::Configurable));
    Ok(GetScopesResponse::with(|response| {
        response.scopes = configurable.chain(fixed.into_iter().map(show(ScopeDefinition::Fixed))).collect();
    }))
}

pub(super) async fn set_scopes(call: Call, request: SetScopes) -> Result<SetScopesResponse, Fault> {
    at_least_one(&request.scopes, "Scopes")?;
    // The device's own among them are there already; nothing is overwritten by naming them.
    change(&call, |list, fixed| {
        list.clear();
        scopes::add(list, fixed, request.scopes)
    })
    .await?;
    Ok(SetScopesResponse::default())
}

pub(super) async fn add_scopes(call: Call, request: AddScopes) -> Result<AddScopesResponse, Fault> {
    at_least_one(&request.scope_item, "ScopeItem")?;
    change(&call, |list, fixed| scopes::add(list, fixed, request.scope_item)).await?;
    Ok(AddScopesResponse::default())
}

pub(super) async fn remove_scopes(call: Call, request: RemoveScopes) -> Result<RemoveScopesResponse, Fault> {
    at_least_one(&request.scope_item, "ScopeItem")?;
    let removed = request.scope_item.clone();
    change(&call, move |list, fixed| scopes::remove(list, fixed, &request.scope_item)).await?;
    Ok(RemoveScopesResponse::with(|response| response.scope_item = removed))
}

/// Changes the configurable scopes, beside the fixed ones.
async fn change(
    call: &Call,
    change: impl FnOnce(&mut Vec<String>, &[String]) -> Result<(), Fault> + Send + 'static,
) -> Result<(), Fault> {
    let information = call.shared.information.clone();
    call.change(move |state: &mut State| {
        let Scopes { mut configurable, fixed } = scopes::scopes(&information, state);
        change(&mut configurable, &fixed)?;
        state.discovery.scopes = Some(configurable);
        Ok(())
    })
    .await
}

pub(super) async fn get_discovery_mode(call: Call, _: GetDiscoveryMode) -> Result<GetDiscoveryModeResponse, Fault> {
    let discoverable = speaks(&call.shared) && call.shared.store.state().discovery.discoverable;
    Ok(GetDiscoveryModeResponse::with(|response| {
        if !discoverable {
            response.discovery_mode = DiscoveryMode::NonDiscoverable;
        }
    }))
}

pub(super) async fn set_discovery_mode(
    call: Call,
    request: SetDiscoveryMode,
) -> Result<SetDiscoveryModeResponse, Fault> {
    if !speaks(&call.shared) {
        return Err(Fault::action_not_supported("discovery is switched off in the configuration of this device"));
    }
    let discoverable = request.discovery_mode == DiscoveryMode::Discoverable;
    call.change(move |state| {
        state.discovery.discoverable = discoverable;
        Ok(())
    })
    .await?;
    Ok(SetDiscoveryModeResponse::default())
}

/// Whether the device can be discovered at all.
pub(super) fn speaks(shared: &Shared) -> bool {
    shared.speaks_discovery
}
