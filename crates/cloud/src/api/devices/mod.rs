//! Devices: register, look, name, revoke, forget.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use oriel_uplink::cloud::CloseReason;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::input::{Asked, Caller, Input, Label, Named, objects};
use super::page::{self, Page};
use crate::Shared;
use crate::records::{Device, NewDevice};
use crate::refusal::Refusal;

pub(super) mod credentials;
pub(super) mod information;
pub(crate) mod view;

use credentials::key_of;
pub(super) use view::View;

type Reply<T> = Result<T, Refusal>;

/// Which devices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Part of a name or an id, in whatever case.
    #[param(inline)]
    q: Option<Label>,
    /// What they are now.
    #[param(inline)]
    status: Option<Wanted>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// The `next` of the page before.
    #[param(inline)]
    after: Option<Label>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wanted {
    Online,
    Offline,
    Revoked,
}

/// What a device is registered with: a certificate, or the fingerprint of its key, or neither for a device that will get a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddDevice)]
pub(super) struct New {
    /// Its name for people.
    #[serde(default)]
    name: Label,
    /// PEM; its key counts, and no name in it.
    #[schema(format = "pem-certificate")]
    certificate: Option<String>,
    /// Of its key: SHA-256 of the SubjectPublicKeyInfo.
    #[schema(inline)]
    fingerprint: Option<credentials::FingerprintText>,
}

impl New {
    fn read(self) -> Reply<NewDevice> {
        Ok(NewDevice { name: self.name.0, key: key_of(self.certificate.as_deref(), self.fingerprint)? })
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportDevices)]
pub(super) struct Import {
    #[serde(deserialize_with = "objects")]
    devices: Vec<New>,
}

/// In the order in which the devices were given.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedDevices)]
pub(super) struct Imported {
    ids: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RemoveDevices)]
pub(super) struct Gone {
    ids: HashSet<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RemovedDevices)]
pub(super) struct Removed {
    removed: usize,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeDevice)]
pub(super) struct Change {
    name: Label,
}

/// The device, if the caller sees it.
pub(super) fn seen(caller: &Caller, id: &str, shared: &Shared) -> Reply<Arc<Device>> {
    let device = caller.scope(shared).device(id).filter(|device| caller.principal.reaches(&device.id));
    device.ok_or_else(Refusal::unknown_device)
}

fn existing(caller: &Caller, id: &str, shared: &Shared) -> Reply<Json<View>> {
    Ok(Json(View::of(&*seen(caller, id, shared)?, shared)))
}

/// Whether a name holds `part`, which is in lower case, in whatever case. Most names are ASCII, and are looked through as they are: a page may have to look at
/// every name of an organisation.
fn holds(name: &str, part: &str) -> bool {
    if !name.is_ascii() {
        return name.to_lowercase().contains(part);
    }
    name.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// Lists devices.
#[utoipa::path(get, path = "/devices", tag = "devices", operation_id = "listDevices", params(Which), responses(
    (status = 200, description = "A page of them.", body = Page<View>),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Reply<Json<Page<View>>> {
    let limit = page::limit(which.limit)?;
    let part = which.q.map(|Label(text)| text.to_lowercase()).unwrap_or_default();
    let online = |device: &Device| shared.registry.online(&device.id);
    let wanted = |device: &Device| match which.status {
        None => true,
        Some(Wanted::Revoked) => device.revoked,
        Some(Wanted::Online) => !device.revoked && online(device),
        Some(Wanted::Offline) => !device.revoked && !online(device),
    };
    let after = which.after.as_ref().map(|Label(id)| id.as_str());
    let read = caller.scope(&shared).devices(after, limit + 1, |device| {
        caller.principal.reaches(&device.id)
            && (part.is_empty() || device.id.contains(&part) || holds(&device.name, &part))
            && wanted(device)
    });
    Ok(Json(Page::of(read, limit, |device| &device.id, |device| View::of(device, &shared))))
}

/// Registers a device.
#[utoipa::path(post, path = "/devices", tag = "devices", operation_id = "addDevice", request_body = New, responses(
    (status = 201, description = "It may dial in.", body = View),
))]
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Input(new): Input<New>,
) -> Reply<(StatusCode, Json<View>)> {
    let new = new.read()?;
    let device = caller.scope(&shared).add_device(&caller.actor(), &new.name, new.key).await?;
    tracing::info!(device = %device.id, name = device.name, "device registered");
    shared.announce(&device.id);
    Ok((StatusCode::CREATED, Json(View::of(&device, &shared))))
}

/// Shows a device.
#[utoipa::path(get, path = "/devices/{id}", tag = "devices", operation_id = "showDevice", params(("id" = String, Path)), responses(
    (status = 200, description = "The device.", body = View),
))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Reply<Json<View>> {
    existing(&caller, &id, &shared)
}

/// Names a device anew.
#[utoipa::path(patch, path = "/devices/{id}", tag = "devices", operation_id = "changeDevice", params(("id" = String, Path)), request_body = Change, responses(
    (status = 200, description = "As it is now.", body = View),
))]
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
    Input(Change { name: Label(name) }): Input<Change>,
) -> Reply<Json<View>> {
    seen(&caller, &id, &shared)?;
    caller.scope(&shared).rename_device(&caller.actor(), &id, &name).await?;
    shared.announce(&id);
    existing(&caller, &id, &shared)
}

/// Forgets a device with its credentials and access keys. Its tunnels are cut.
#[utoipa::path(delete, path = "/devices/{id}", tag = "devices", operation_id = "removeDevice", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Reply<StatusCode> {
    forget(&caller, &shared, &[id].into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn forget(caller: &Caller, shared: &Shared, ids: &HashSet<String>) -> Reply<()> {
    let scope = caller.scope(shared);
    let known: Vec<Arc<Device>> = ids.iter().filter_map(|id| scope.device(id)).collect();
    scope.remove_devices(&caller.actor(), ids).await?;
    for device in known {
        shared.forget(&device.id);
        shared.announce_removed(&device);
    }
    Ok(())
}

/// Registers many devices at once, all or none.
#[utoipa::path(post, path = "/devices/import", tag = "devices", operation_id = "importDevices", request_body = Import, responses(
    (status = 201, description = "They may dial in.", body = Imported),
))]
pub(super) async fn import(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Input(import): Input<Import>,
) -> Reply<(StatusCode, Json<Imported>)> {
    let new = import.devices.into_iter().map(New::read).collect::<Reply<Vec<_>>>()?;
    let added = caller.scope(&shared).add_devices(&caller.actor(), new).await?;
    added.iter().for_each(|device| shared.announce(&device.id));
    let ids = added.iter().map(|device| device.id.to_string()).collect();
    Ok((StatusCode::CREATED, Json(Imported { ids })))
}

/// Forgets many devices at once, all or none.
#[utoipa::path(post, path = "/devices/remove", tag = "devices", operation_id = "removeDevices", request_body = Gone, responses(
    (status = 200, description = "They are gone.", body = Removed),
))]
pub(super) async fn remove_many(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Input(gone): Input<Gone>,
) -> Reply<Json<Removed>> {
    forget(&caller, &shared, &gone.ids).await?;
    Ok(Json(Removed { removed: gone.ids.len() }))
}

/// Shuts a device out at once: its tunnels are cut, and it is refused when it dials.
#[utoipa::path(post, path = "/devices/{id}/revoke", tag = "devices", operation_id = "revokeDevice", params(("id" = String, Path)), responses(
    (status = 200, description = "As it is now.", body = View),
))]
pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Reply<Json<View>> {
    set_revoked(&caller, &shared, &id, true).await
}

/// Lets a device in again.
#[utoipa::path(post, path = "/devices/{id}/restore", tag = "devices", operation_id = "restoreDevice", params(("id" = String, Path)), responses(
    (status = 200, description = "As it is now.", body = View),
))]
pub(super) async fn restore(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Reply<Json<View>> {
    set_revoked(&caller, &shared, &id, false).await
}

async fn set_revoked(caller: &Caller, shared: &Shared, id: &str, revoked: bool) -> Reply<Json<View>> {
    caller.scope(shared).set_revoked(&caller.actor(), id, revoked).await?;
    if revoked {
        shared.registry.cut(id, |_| true, &CloseReason::Revoked);
    }
    shared.announce(id);
    existing(caller, id, shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_is_found_in_whatever_case() {
        for (name, part, found) in [
            ("Back Gate", "gate", true),
            ("Back Gate", "k g", true),
            ("Back Gate", "gates", false),
            ("", "x", false),
            ("Straße ÖST", "öst", true),
            ("Gate", "ö", false),
        ] {
            assert_eq!(holds(name, part), found, "{name} {part}");
        }
    }
}
