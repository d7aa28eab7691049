//! Organisations: the own one for everybody in it, all of them for whoever runs the cloud.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use oriel_uplink::cloud::CloseReason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Asked, Caller, Email, Here, Input, Name, Named, optional_object};
use super::page::{Page, Window};
use crate::Shared;
use crate::records::{Organisation, OrganisationLimits, RecordsError, Usage};
use crate::refusal::Refusal;

/// An organisation with how much it holds.
#[derive(Serialize, ToSchema)]
#[schema(as = Organisation)]
pub(super) struct View {
    id: String,
    name: String,
    suspended: bool,
    /// Unix milliseconds.
    created: u64,
    limits: OrganisationLimits,
    usage: Holds,
}

#[derive(Serialize, ToSchema)]
struct Holds {
    devices: usize,
    users: usize,
}

impl View {
    fn of((organisation, usage): &(Arc<Organisation>, Usage)) -> Self {
        Self {
            id: organisation.id.to_string(),
            name: organisation.name.clone(),
            suspended: organisation.suspended,
            created: organisation.created,
            limits: organisation.limits,
            usage: Holds { devices: usage.devices, users: usage.users },
        }
    }
}

/// An organisation that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = NewOrganisation)]
pub(super) struct Made {
    #[serde(flatten)]
    organisation: View,
    /// By this one-time link the administrator sets a password. It is shown this once.
    link: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddOrganisation)]
pub(super) struct New {
    name: Name,
    /// The address of its first administrator.
    administrator: Email,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeOrganisation)]
pub(super) struct Change {
    name: Option<Name>,
    /// Everything of it is shut out: users, tokens, devices.
    suspended: Option<bool>,
    /// Replaces all limits; what is left out is without one of its own.
    #[serde(default, deserialize_with = "optional_object")]
    limits: Option<OrganisationLimits>,
}

const UNKNOWN: RecordsError = RecordsError::Unknown("organisation");

/// Shows the caller's organisation.
#[utoipa::path(get, path = "/organisation", tag = "organisations", operation_id = "showOwnOrganisation", responses(
    (status = 200, description = "The organisation.", body = View),
))]
pub(super) async fn own(State(shared): State<Arc<Shared>>, caller: Caller) -> Result<Json<View>, Refusal> {
    Ok(Json(View::of(&caller.scope(&shared).organisation().ok_or(UNKNOWN)?)))
}

/// Lists all organisations.
#[utoipa::path(get, path = "/organisations", tag = "organisations", operation_id = "listOrganisations", params(Window), responses(
    (status = 200, description = "A page of them.", body = Page<View>),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Asked(window): Asked<Window>,
) -> Result<Json<Page<View>>, Refusal> {
    let limit = window.limit()?;
    let read = shared.records.organisations(window.after(), limit + 1);
    Ok(Json(Page::of(read, limit, |(organisation, _)| &organisation.id, View::of)))
}

/// Makes an organisation with its first administrator.
#[utoipa::path(post, path = "/organisations", tag = "organisations", operation_id = "addOrganisation", request_body = New, responses(
    (status = 201, description = "It is made.", body = Made),
))]
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    here: Here,
    Input(New { name: Name(name), administrator: Email(email) }): Input<New>,
) -> Result<(StatusCode, Json<Made>), Refusal> {
    let (organisation, _, secret) = shared.records.add_organisation(&caller.actor(), &name, &email).await?;
    let organisation = View::of(&(organisation, Usage { devices: 0, users: 1 }));
    Ok((StatusCode::CREATED, Json(Made { organisation, link: here.link(&secret) })))
}

/// Shows an organisation.
#[utoipa::path(get, path = "/organisations/{id}", tag = "organisations", operation_id = "showOrganisation", params(("id" = String, Path)), responses(
    (status = 200, description = "The organisation.", body = View),
))]
pub(super) async fn show(State(shared): State<Arc<Shared>>, Named(id): Named<String>) -> Result<Json<View>, Refusal> {
    Ok(Json(View::of(&shared.records.organisation(&id).ok_or(UNKNOWN)?)))
}

/// Changes an organisation: what is given. One that is suspended loses its tunnels at once.
#[utoipa::path(patch, path = "/organisations/{id}", tag = "organisations", operation_id = "changeOrganisation", params(("id" = String, Path)), request_body = Change, responses(
    (status = 200, description = "As it is now.", body = View),
))]
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
    Input(change): Input<Change>,
) -> Result<Json<View>, Refusal> {
    if change.suspended == Some(true) {
        not_ones_own(&caller, &id)?;
    }
    if let Some(limits) = &change.limits {
        within_bounds(limits)?;
    }
    let (known, _) = shared.records.organisation(&id).ok_or(UNKNOWN)?;
    let devices = shared.records.devices_of(&known.id);
    let name = change.name.map(|Name(name)| name);
    shared.records.change_organisation(&caller.actor(), &id, name, change.suspended, change.limits).await?;
    if change.suspended == Some(true) {
        devices.iter().for_each(|device| shared.registry.cut(device, |_| true, &CloseReason::Revoked));
    }
    show(State(shared), Named(id)).await
}

/// Forgets an organisation with all that it holds. Its tunnels are cut.
#[utoipa::path(delete, path = "/organisations/{id}", tag = "organisations", operation_id = "removeOrganisation", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Refusal> {
    not_ones_own(&caller, &id)?;
    let (known, _) = shared.records.organisation(&id).ok_or(UNKNOWN)?;
    let devices = shared.records.devices_of(&known.id);
    shared.records.remove_organisation(&caller.actor(), &id).await?;
    devices.iter().for_each(|device| shared.forget(device));
    shared.events.forget(&id);
    Ok(StatusCode::NO_CONTENT)
}

/// What the description says of a number of 64 bits.
fn within_bounds(limits: &OrganisationLimits) -> Result<(), Refusal> {
    let all = [limits.devices, limits.requests_per_second, limits.streams, limits.bytes_per_second];
    if all.into_iter().flatten().any(|limit| i64::try_from(limit).is_err()) {
        return Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "limits: a number is larger than 9223372036854775807",
        ));
    }
    Ok(())
}

/// Whoever runs the cloud would shut themselves out.
fn not_ones_own(caller: &Caller, id: &str) -> Result<(), Refusal> {
    if *caller.principal.organisation == *id {
        return Err(Refusal::new(StatusCode::CONFLICT, "this is your own organisation; another one has to do that"));
    }
    Ok(())
}
