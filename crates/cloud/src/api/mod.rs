//! The API under `/api/v1` (OpenAPI 3.1, `docs/ref/openapi.json`): JSON in and out, problem+json for refusals.
//!
//! ```text
//! request ─► headers ─► problem ─► door: who calls, the table of rights ─► idempotency ─► handler
//! ```

use std::sync::{Arc, OnceLock};

use axum::extract::{DefaultBodyLimit, State};
use axum::response::IntoResponse as _;
use axum::{Json, Router, middleware};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Shared;
use crate::refusal::Refusal;

mod access_keys;
mod audit;
mod authorities;
pub(crate) mod devices;
mod door;
mod enrolments;
mod events;
mod feed;
mod headers;
mod idempotency;
mod input;
mod openapi;
mod organisations;
mod page;
mod problem;
pub(crate) mod rights;
pub(crate) mod session;
mod tokens;
mod trace;
mod users;

/// The routes with their descriptions.
fn routes() -> OpenApiRouter<Arc<Shared>> {
    let api = OpenApiRouter::default()
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(description))
        .merge(routes_of_people())
        .merge(routes_of_devices())
        .merge(routes_of_secrets())
        .merge(routes_of_enrolment())
        .routes(routes!(audit::list));
    OpenApiRouter::with_openapi(openapi::begin()).nest(rights::BASE, api)
}

fn routes_of_people() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default()
        .routes(routes!(session::login, session::show, session::logout))
        .routes(routes!(session::change_password))
        .routes(routes!(session::redeem))
        .routes(routes!(organisations::own))
        .routes(routes!(organisations::list, organisations::add))
        .routes(routes!(organisations::show, organisations::change, organisations::remove))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::link))
        .routes(routes!(users::sessions, users::end_sessions))
}

fn routes_of_devices() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default()
        .routes(routes!(devices::list, devices::add))
        .routes(routes!(devices::import))
        .routes(routes!(devices::remove_many))
        .routes(routes!(devices::show, devices::change, devices::remove))
        .routes(routes!(devices::information::ask))
        .routes(routes!(devices::revoke))
        .routes(routes!(devices::restore))
        .routes(routes!(events::listen))
        .routes(routes!(trace::listen))
        .routes(routes!(feed::list))
        .routes(routes!(feed::listen))
        .routes(routes!(feed::show))
}

fn routes_of_secrets() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default()
        .routes(routes!(devices::credentials::add_key))
        .routes(routes!(devices::credentials::remove_key))
        .routes(routes!(devices::credentials::add_token))
        .routes(routes!(devices::credentials::remove_token))
        .routes(routes!(access_keys::list, access_keys::add))
        .routes(routes!(access_keys::remove))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::remove))
}

fn routes_of_enrolment() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default()
        .routes(routes!(enrolments::enrol))
        .routes(routes!(enrolments::list, enrolments::add))
        .routes(routes!(enrolments::remove))
        .routes(routes!(authorities::list, authorities::add))
        .routes(routes!(authorities::show, authorities::remove))
        .routes(routes!(devices::credentials::add_name))
        .routes(routes!(devices::credentials::remove_name))
        .routes(routes!(devices::credentials::renew))
}

/// The API, with the door before every route.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(async || nothing_here())
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), door::guard))
        // The door reads bodies, within its own bounds.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(problem::always))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), headers::add))
        .with_state(shared)
}

fn nothing_here() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "nothing is here; the API is below /api/v1, devices are below /d/")
}

/// The description of the API.
pub(crate) fn document() -> OpenApi {
    let (_, mut document) = routes().split_for_parts();
    openapi::complete(&mut document);
    document
}

/// That the cloud runs.
#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(pattern = "^ok$")]
    status: &'static str,
}

/// Says that the cloud runs.
#[utoipa::path(get, path = "/health", tag = "cloud", operation_id = "health", responses(
    (status = 200, description = "It does.", body = Health),
))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Says whether the cloud takes work: its database answers, and it is not ending.
#[utoipa::path(get, path = "/ready", tag = "cloud", operation_id = "ready", responses(
    (status = 200, description = "It does.", body = Health),
))]
async fn ready(State(shared): State<Arc<Shared>>) -> Result<Json<Health>, Refusal> {
    // The reason is on the metrics listener and in the log: anybody asks here.
    if shared.unready().await.is_some() {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the cloud takes no work at the moment"));
    }
    Ok(Json(Health { status: "ok" }))
}

/// Describes this API.
#[utoipa::path(get, path = "/openapi.json", tag = "cloud", operation_id = "describe", responses(
    (status = 200, description = "OpenAPI 3.1.", body = serde_json::Value),
))]
async fn description() -> axum::response::Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| serde_json::to_string(&document()).expect("the description can be written"));
    ([(CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}
