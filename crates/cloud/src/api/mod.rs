//! The API under `/api/v1`: devices, their credentials, and tokens. JSON in and out, problem+json for refusals.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::request::Parts;

use crate::Shared;
use crate::records::{Actor, Principal, RecordsError};
use crate::refusal::{Language, Refusal};

mod devices;
mod tokens;

/// A thousand devices with a certificate chain each.
const BODY: usize = 4 * 1024 * 1024;

/// The routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/v1/health", get(async || Json(serde_json::json!({ "status": "ok" }))))
        .route("/api/v1/devices", get(devices::list).post(devices::add))
        .route("/api/v1/devices/import", post(devices::import))
        .route("/api/v1/devices/remove", post(devices::remove_many))
        .route("/api/v1/devices/{id}", get(devices::show).delete(devices::remove))
        .route("/api/v1/devices/{id}/revoke", post(devices::revoke))
        .route("/api/v1/devices/{id}/restore", post(devices::restore))
        .route("/api/v1/devices/{id}/keys", post(devices::add_key))
        .route("/api/v1/devices/{id}/keys/{key}", delete(devices::remove_key))
        .route("/api/v1/devices/{id}/tokens", post(devices::add_token))
        .route("/api/v1/devices/{id}/tokens/{token}", delete(devices::remove_token))
        .route("/api/v1/tokens", get(tokens::list).post(tokens::add))
        .route("/api/v1/tokens/{id}", delete(tokens::remove))
        .fallback(async || {
            Refusal::new(StatusCode::NOT_FOUND, "nothing is here; the API is below /api/v1, devices are below /d/")
        })
        .method_not_allowed_fallback(async || {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not know that method")
        })
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(shared)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Self::into_response(self, Language::Problem).map(axum::body::Body::new)
    }
}

impl From<RecordsError> for Refusal {
    fn from(error: RecordsError) -> Self {
        let status = match error {
            RecordsError::Unknown(_) => StatusCode::NOT_FOUND,
            RecordsError::KeyTaken
            | RecordsError::EmailTaken
            | RecordsError::LastAdministrator
            | RecordsError::TooMany(_) => StatusCode::CONFLICT,
            RecordsError::Spent(_) => StatusCode::GONE,
            RecordsError::Ending | RecordsError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INSUFFICIENT_STORAGE,
        };
        match error {
            RecordsError::Unavailable(_)
            | RecordsError::Full
            | RecordsError::Damaged { .. }
            | RecordsError::File { .. } => {
                tracing::error!(%error, "the records cannot be changed");
                Self::new(status, "the change could not be stored; nothing was changed")
            }
            _ => Self::new(status, error.to_string()),
        }
    }
}

/// Proof that an administrator asks. Each handler takes it first.
struct Administrator(Principal);

impl Administrator {
    fn actor(&self) -> Actor {
        self.0.actor(None)
    }
}

impl FromRequestParts<Arc<Shared>> for Administrator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        crate::auth::administrator(&parts.headers, &shared.records).map(Self)
    }
}

/// A JSON body, refused with a text that says what is wrong.
struct Input<T>(T);

impl<T: serde::de::DeserializeOwned> FromRequest<Arc<Shared>> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let rejected = |error: JsonRejection| Refusal::new(error.status(), error.body_text());
        Json::from_request(request, shared).await.map(|Json(input)| Self(input)).map_err(rejected)
    }
}

/// A change of the records and what follows from it. It goes on to its end even when the client does not wait for the answer.
async fn change<T: Send + 'static>(
    change: impl Future<Output = Result<T, RecordsError>> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::spawn(change).await;
    Ok(done.map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the change broke off"))??)
}
