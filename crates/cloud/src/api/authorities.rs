//! Issuers of device certificates: the organisation's own, and external ones that it pinned.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use oriel_trust::certificates;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{AtMost, Caller, Input, Named};
use super::page::Page;
use crate::Shared;
use crate::records::{Authority, Identity, RecordsError};
use crate::refusal::Refusal;

/// An issuer of device certificates.
#[derive(Serialize, ToSchema)]
#[schema(as = Authority)]
pub(super) struct View {
    id: String,
    kind: Kind,
    /// Which part of a subject it vouches for; null for the own authority, whose devices are known by their keys.
    identity: Option<Identity>,
    /// PEM.
    certificate: String,
    /// Unix milliseconds.
    created: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AuthorityKind)]
enum Kind {
    /// The organisation's own: it signs the keys of enrolled cameras.
    Device,
    /// Somebody else's, which the organisation believes.
    External,
}

impl View {
    fn of(authority: &Authority) -> Self {
        Self {
            id: authority.id.to_string(),
            kind: if authority.identity.is_some() { Kind::External } else { Kind::Device },
            identity: authority.identity,
            certificate: authority.certificate.to_string(),
            created: authority.created,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PinAuthority)]
pub(super) struct New {
    /// One certificate of an authority, PEM.
    #[schema(value_type = String, max_length = 32768, format = "pem-authority")]
    certificate: AtMost<32768>,
    identity: Identity,
}

/// Lists authorities, all of them: there are few.
#[utoipa::path(get, path = "/authorities", tag = "enrolment", operation_id = "listAuthorities", responses(
    (status = 200, description = "All of them.", body = Page<View>),
))]
pub(super) async fn list(State(shared): State<Arc<Shared>>, caller: Caller) -> Json<Page<View>> {
    let read = caller.scope(&shared).authorities();
    Json(Page::of(read, usize::MAX, |authority| &authority.id, |authority| View::of(authority)))
}

/// Shows an authority.
#[utoipa::path(get, path = "/authorities/{id}", tag = "enrolment", operation_id = "showAuthority", params(("id" = String, Path)), responses(
    (status = 200, description = "The authority.", body = View),
))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<View>, Refusal> {
    let found = caller.scope(&shared).authority(&id).ok_or(RecordsError::Unknown("authority"))?;
    Ok(Json(View::of(&found)))
}

/// Pins an external authority: a device may then be registered by the name that it certifies.
#[utoipa::path(post, path = "/authorities", tag = "enrolment", operation_id = "pinAuthority", request_body = New, responses(
    (status = 201, description = "The authority.", body = View),
))]
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Input(New { certificate: AtMost(certificate), identity }): Input<New>,
) -> Result<(StatusCode, Json<View>), Refusal> {
    let bad = |why: &str| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("certificate: {why}"));
    let read = certificates(certificate.as_bytes()).map_err(|error| bad(&error.to_string()))?;
    let [one] = read.as_slice() else { return Err(bad("one certificate is asked for")) };
    oriel_trust::check_authority(one).map_err(|error| bad(&error.to_string()))?;
    let pem = oriel_trust::pem("CERTIFICATE", one);
    let pinned = caller.scope(&shared).pin_authority(&caller.actor(), &pem, identity).await?;
    Ok((StatusCode::CREATED, Json(View::of(&pinned))))
}

/// Forgets a pinned authority; devices that were known by its names alone are let in no more.
#[utoipa::path(delete, path = "/authorities/{id}", tag = "enrolment", operation_id = "removeAuthority", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Refusal> {
    caller.scope(&shared).remove_authority(&caller.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
