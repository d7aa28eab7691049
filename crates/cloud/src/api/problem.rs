//! Every refusal of the API is a problem (RFC 9457), whoever refused: a handler, axum, or a panic.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use crate::records::RecordsError;
use crate::refusal::{Language, Refusal};

/// What was wrong (RFC 9457); its type is `about:blank`.
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What was wrong and what to do.
    detail: String,
}

impl Refusal {
    /// The refusal as the API says it.
    pub(super) fn answer(self) -> Response {
        self.into_response(Language::Problem).map(axum::body::Body::new)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.answer()
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
            RecordsError::Ending => StatusCode::SERVICE_UNAVAILABLE,
            RecordsError::Full => {
                tracing::error!(%error, "the records cannot be changed");
                return Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "the change could not be stored; nothing was changed",
                );
            }
            _ => {
                tracing::error!(%error, "the records cannot be changed");
                return Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the database cannot be used at the moment; nothing was changed",
                );
            }
        };
        Self::new(status, error.to_string())
    }
}

/// Turns a panic, and whatever axum refuses by itself, into a problem.
pub(super) async fn always(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // What a handler shares is behind locks and databases, which stay whole.
    let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await else {
        tracing::error!(%method, path, "a handler panicked");
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this is a fault of the cloud; its log says more")
            .answer();
    };
    let (status, kind) = (response.status(), response.headers().get(CONTENT_TYPE));
    if !(status.is_client_error() || status.is_server_error())
        || kind.is_some_and(|kind| kind == "application/problem+json")
    {
        return response;
    }
    let (old, _body) = response.into_parts();
    let detail = status.canonical_reason().unwrap_or("the request was refused");
    let mut response = Refusal::new(status, detail).answer();
    for (name, value) in old.headers.iter().filter(|(name, _)| *name == http::header::ALLOW) {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}
