//! The audit log: who did what, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{Asked, Caller, Label};
use super::page::{self, Page};
use crate::Shared;
use crate::records::{AuditEntry, AuditQuery};
use crate::refusal::Refusal;

/// Which lines; what is left out matches all.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Who: `user:…`, `token:…`, `system`.
    #[param(inline)]
    actor: Option<Label>,
    /// What, as `noun.verb`.
    #[param(inline)]
    action: Option<Label>,
    /// The id of what it was done to.
    #[param(inline)]
    target: Option<Label>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// The `next` of the page before.
    #[param(inline)]
    after: Option<Label>,
}

/// Lists the audit log, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", operation_id = "listAudit", params(Which), responses(
    (status = 200, description = "A page of it.", body = Page<AuditEntry>),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<AuditEntry>>, Refusal> {
    let limit = page::limit(which.limit)?;
    let text = |label: Option<Label>| label.map(|Label(text)| text).unwrap_or_default();
    let query = AuditQuery {
        actor: text(which.actor),
        action: text(which.action),
        target: text(which.target),
        before: which.after.map(|Label(id)| id),
    };
    let read = caller.scope(&shared).audit(&query, limit + 1).await?;
    Ok(Json(Page::of(read, limit, |entry| &entry.id, Clone::clone)))
}
