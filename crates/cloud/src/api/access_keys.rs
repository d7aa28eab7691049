//! Access keys: accounts of ONVIF clients, each on one device, for programs that know user names and passwords and no bearer tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Asked, AtMost, Caller, Here, Input, Label, Lifetime, Named};
use super::page::{Page, Window};
use crate::Shared;
use crate::records::{AccessKey, RecordsError, Role};
use crate::refusal::Refusal;

/// An access key, without its password.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessKey)]
pub(super) struct View {
    id: String,
    /// The user name for HTTP Digest and UsernameToken.
    username: String,
    /// The device that it reaches.
    device: String,
    /// Who made it; it ends with that user, whose role caps it.
    user: String,
    name: String,
    role: Role,
    /// Unix milliseconds.
    created: u64,
    /// When it ends; null: never.
    expires: Option<u64>,
}

impl View {
    fn of(key: &AccessKey) -> Self {
        Self {
            id: key.id.to_string(),
            username: key.id.to_string(),
            device: key.device.to_string(),
            user: key.user.to_string(),
            name: key.name.clone(),
            role: key.role,
            created: key.created,
            expires: key.expires,
        }
    }
}

/// An access key that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = NewAccessKey)]
pub(super) struct Made {
    #[serde(flatten)]
    about: View,
    /// It is shown this once.
    password: String,
    /// The device service by path.
    url: String,
    /// The device service by host name; null where the cloud has no domain for devices.
    host: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddAccessKey)]
pub(super) struct New {
    #[schema(value_type = String, max_length = 64)]
    device: AtMost<64>,
    /// What it is for.
    #[serde(default)]
    name: Label,
    /// At most the caller's own; left out: viewer.
    role: Option<Role>,
    /// Seconds; left out: without an end.
    expires_in: Option<Lifetime>,
}

/// Lists access keys: the own ones; administrators see all of the organisation.
#[utoipa::path(get, path = "/access-keys", tag = "access keys", operation_id = "listAccessKeys", params(Window), responses(
    (status = 200, description = "A page of them.", body = Page<View>),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(window): Asked<Window>,
) -> Result<Json<Page<View>>, Refusal> {
    let limit = window.limit()?;
    let read = caller.scope(&shared).access_keys(window.after(), limit + 1, |key| sees(&caller, key));
    Ok(Json(Page::of(read, limit, |key| &key.id, |key| View::of(key))))
}

fn sees(caller: &Caller, key: &AccessKey) -> bool {
    caller.principal.role == Role::Administrator || caller.principal.user.as_ref() == Some(&key.user)
}

/// Makes an access key for a device.
#[utoipa::path(post, path = "/access-keys", tag = "access keys", operation_id = "addAccessKey", request_body = New, responses(
    (status = 201, description = "The key with its password.", body = Made),
))]
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    here: Here,
    Input(new): Input<New>,
) -> Result<(StatusCode, Json<Made>), Refusal> {
    let forbidden = |detail: &str| Refusal::new(StatusCode::FORBIDDEN, detail);
    let user = caller.principal.user.as_ref();
    let user =
        user.ok_or_else(|| forbidden("an access key belongs to a user; log in, or use a token that a user made"))?;
    let role = new.role.unwrap_or(Role::Viewer);
    if role > caller.principal.role {
        return Err(forbidden("role: nobody gives more than they have"));
    }
    let scope = caller.scope(&shared);
    let device = scope.device(&new.device.0).ok_or_else(Refusal::unknown_device)?;
    let expires = new.expires_in.map(|lifetime| lifetime.end(shared.records.clock().now()));
    let (key, secret) = scope.add_access_key(&caller.actor(), user, &device.id, &new.name.0, role, expires).await?;
    let made = Made {
        about: View::of(&key),
        password: secret.expose().to_owned(),
        url: format!("https://{}/d/{}/onvif/device_service", here.0, device.id),
        host: shared.config.domain.as_deref().map(|domain| by_host(&device.id, domain, &here.0)),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// The device service at the device's own name, at the port that `here` was asked at.
fn by_host(device: &str, domain: &str, here: &str) -> String {
    let port = here.parse::<http::uri::Authority>().ok().and_then(|here| here.port_u16());
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    format!("https://{device}.{domain}{port}/onvif/device_service")
}

/// Ends an access key's life: one's own, or any of the organisation for administrators.
#[utoipa::path(delete, path = "/access-keys/{id}", tag = "access keys", operation_id = "removeAccessKey", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Refusal> {
    let scope = caller.scope(&shared);
    // Another's key answers like none.
    if scope.access_keys(None, 1, |key| *key.id == *id && sees(&caller, key)).is_empty() {
        return Err(RecordsError::Unknown("access key").into());
    }
    scope.remove_access_key(&caller.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
