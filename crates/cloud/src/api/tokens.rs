//! Tokens of those who call. A token's secret is in the answer that makes it and nowhere else.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use oriel_soap::access::{Level, Levels};
use serde::{Deserialize, Serialize};

use super::{Administrator, Input, change};
use crate::Shared;
use crate::records::Token;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    #[serde(default)]
    name: String,
    level: String,
    devices: Option<HashSet<String>>,
}

/// A token as the API shows it.
#[derive(Serialize)]
pub(super) struct View {
    id: String,
    name: String,
    level: String,
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
        Self { id: token.id.clone(), name: token.name.clone(), level: token.levels.to_string(), devices, token: secret }
    }
}

pub(super) async fn list(_: Administrator, State(shared): State<Arc<Shared>>) -> Json<Vec<View>> {
    Json(shared.records.tokens().iter().map(|token| View::of(token, None)).collect())
}

pub(super) async fn add(
    _: Administrator,
    State(shared): State<Arc<Shared>>,
    Input(new): Input<New>,
) -> Result<(StatusCode, Json<View>), Refusal> {
    let bad = |detail: String| Refusal::new(StatusCode::BAD_REQUEST, detail);
    let level: Level = new
        .level
        .parse()
        .map_err(|_| bad(format!("level: `{}` is none of User, Operator, Administrator", new.level)))?;
    if level == Level::Anonymous {
        return Err(bad("level: a token for Anonymous would give nothing that is not open to all".to_owned()));
    }
    let devices = new.devices.map(|ids| {
        let known = |id: String| {
            let device = shared.records.device(&id);
            device.map(|device| device.id.clone()).ok_or_else(|| bad(format!("devices: there is no device `{id}`")))
        };
        ids.into_iter().map(known).collect::<Result<HashSet<_>, _>>()
    });
    let devices = devices.transpose()?;
    let made = change(&shared, move |shared| shared.records.add_token(&new.name, Levels::from(level), devices)).await?;
    let (token, secret) = made;
    Ok((StatusCode::CREATED, Json(View::of(&token, Some(secret.expose().to_owned())))))
}

pub(super) async fn remove(
    _: Administrator,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    change(&shared, move |shared| shared.records.remove_token(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
