//! Tokens of those who call. A token's secret is in the answer that makes it and nowhere else.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Administrator, Input, change};
use crate::Shared;
use crate::records::{DeviceId, NewToken, Role, Token};
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    #[serde(default)]
    name: String,
    role: Role,
    devices: Option<HashSet<String>>,
}

/// A token as the API shows it.
#[derive(Serialize)]
pub(super) struct View {
    id: String,
    name: String,
    role: Role,
    devices: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl View {
    fn of(token: &Token, secret: Option<String>) -> Self {
        let devices = token.devices.as_ref().map(|devices| {
            let mut sorted: Vec<String> = devices.iter().map(ToString::to_string).collect();
            sorted.sort();
            sorted
        });
        Self { id: token.id.to_string(), name: token.name.clone(), role: token.role, devices, token: secret }
    }
}

pub(super) async fn list(caller: Administrator, State(shared): State<Arc<Shared>>) -> Json<Vec<View>> {
    let tokens = shared.records.within(&caller.0.organisation).tokens(None, usize::MAX);
    Json(tokens.iter().map(|token| View::of(token, None)).collect())
}

pub(super) async fn add(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Input(new): Input<New>,
) -> Result<(StatusCode, Json<View>), Refusal> {
    let devices: Option<HashSet<DeviceId>> = new.devices.map(|ids| ids.into_iter().map(Into::into).collect());
    let scope = shared.records.within(&caller.0.organisation);
    if devices.iter().flatten().any(|id| scope.device(id).is_none()) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "devices: there is no such device"));
    }
    let (actor, user) = (caller.actor(), caller.0.user.clone());
    let new = NewToken { devices, user, ..NewToken::of(new.role, &new.name) };
    let (token, secret) = scope.add_token(&actor, new).await?;
    Ok((StatusCode::CREATED, Json(View::of(&token, Some(secret.expose().to_owned())))))
}

pub(super) async fn remove(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    change(async move { shared.records.within(&caller.0.organisation).remove_token(&caller.actor(), &id).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
