//! Tokens of those who call. A token's secret is in the answer that makes it and nowhere else.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Asked, Caller, Input, Label, Lifetime, Named};
use super::page::{Page, Window};
use crate::Shared;
use crate::records::{DeviceId, NewToken, RecordsError, Role, Scope, Token};
use crate::refusal::Refusal;

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct View {
    id: String,
    name: String,
    role: Role,
    /// Whether it may manage organisations.
    instance: bool,
    /// The devices that it reaches; null: all.
    devices: Option<Vec<String>>,
    /// Who made it; it ends with that user, whose role caps it.
    user: Option<String>,
    /// Unix milliseconds.
    created: u64,
    /// When it ends; null: never.
    expires: Option<u64>,
}

impl View {
    fn of(token: &Token, scope: &Scope<'_>) -> Self {
        let devices = token.devices.as_ref().map(|devices| {
            // Those that were forgotten are named no more.
            let known = devices.iter().filter(|id| scope.device(id).is_some());
            let mut sorted: Vec<String> = known.map(ToString::to_string).collect();
            sorted.sort();
            sorted
        });
        Self {
            id: token.id.to_string(),
            name: token.name.clone(),
            role: token.role,
            instance: token.instance,
            devices,
            user: token.user.as_ref().map(ToString::to_string),
            created: token.created,
            expires: token.expires,
        }
    }
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = NewToken)]
pub(super) struct Made {
    #[serde(flatten)]
    about: View,
    /// What to send as `Authorization: Bearer …`. It is shown this once.
    token: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddToken)]
pub(super) struct New {
    /// What it is for.
    #[serde(default)]
    name: Label,
    role: Role,
    /// The devices that it reaches; left out: all.
    devices: Option<Vec<String>>,
    /// Seconds; left out: without an end.
    expires_in: Option<Lifetime>,
    /// Whether it may manage organisations; only who may do that itself makes such tokens.
    #[serde(default)]
    instance: bool,
}

/// Lists tokens.
#[utoipa::path(get, path = "/tokens", tag = "tokens", operation_id = "listTokens", params(Window), responses(
    (status = 200, description = "A page of them.", body = Page<View>),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(window): Asked<Window>,
) -> Result<Json<Page<View>>, Refusal> {
    let limit = window.limit()?;
    let scope = caller.scope(&shared);
    let read = scope.tokens(window.after(), limit + 1);
    Ok(Json(Page::of(read, limit, |token| &token.id, |token| View::of(token, &scope))))
}

/// Makes a token.
#[utoipa::path(post, path = "/tokens", tag = "tokens", operation_id = "addToken", request_body = New, responses(
    (status = 201, description = "The token with its secret.", body = Made),
))]
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Input(new): Input<New>,
) -> Result<(StatusCode, Json<Made>), Refusal> {
    if new.instance && !caller.principal.instance {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "instance: only who manages organisations makes such a token"));
    }
    let scope = caller.scope(&shared);
    let known = |id: &String| Some(Arc::clone(&scope.device(id)?.id));
    let devices = new.devices.map(|ids| ids.iter().map(known).collect::<Option<HashSet<DeviceId>>>());
    let devices = devices.map(|devices| devices.ok_or(RecordsError::Unknown("device"))).transpose()?;
    let new = NewToken {
        name: new.name.0,
        role: new.role,
        instance: new.instance,
        devices,
        user: caller.principal.user.clone(),
        expires: new.expires_in.map(|lifetime| lifetime.end(shared.records.clock().now())),
    };
    let (token, secret) = scope.add_token(&caller.actor(), new).await?;
    Ok((StatusCode::CREATED, Json(Made { about: View::of(&token, &scope), token: secret.expose().to_owned() })))
}

/// Ends a token's life. What it opened is cut.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", operation_id = "removeToken", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Refusal> {
    caller.scope(&shared).remove_token(&caller.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
