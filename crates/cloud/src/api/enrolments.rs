//! Bringing cameras in: codes, and what a camera's request gets for one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Asked, AtMost, Caller, Here, Input, Label, Lifetime, Named, Source, Uses};
use super::page::{Page, Window};
use crate::Shared;
use crate::enrolment;
use crate::records::Enrolment;
use crate::refusal::Refusal;

/// How long a code stands, unless whoever makes it says otherwise.
const USUAL: Duration = Duration::from_secs(24 * 3600);

/// A right to bring cameras in: one, unless it was made for more.
#[derive(Serialize, ToSchema)]
#[schema(as = Enrolment)]
pub(super) struct View {
    id: String,
    /// What the device will be called, if it is one.
    name: String,
    /// How many devices the code lets in.
    uses: u32,
    /// How many it has let in, devices that were removed since too.
    used: u32,
    /// The devices that came of it and are still there.
    devices: Vec<String>,
    /// Unix milliseconds.
    created: u64,
    /// When the code ends.
    expires: u64,
}

impl View {
    fn of(enrolment: &Enrolment) -> Self {
        Self {
            id: enrolment.id.to_string(),
            name: enrolment.name.clone(),
            uses: enrolment.uses,
            used: enrolment.used,
            devices: enrolment.devices.values().map(ToString::to_string).collect(),
            created: enrolment.created,
            expires: enrolment.expires,
        }
    }
}

/// An enrolment with its code.
#[derive(Serialize, ToSchema)]
#[schema(as = NewEnrolment)]
pub(super) struct Made {
    #[serde(flatten)]
    enrolment: View,
    /// For `oriel enroll --code`. It is shown this once.
    code: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddEnrolment)]
pub(super) struct New {
    #[serde(default)]
    name: Label,
    /// Seconds; a day unless given.
    #[schema(inline)]
    expires_in: Option<Lifetime>,
    /// How many devices the code lets in; one unless given.
    #[serde(default)]
    #[schema(inline)]
    uses: Uses,
}

/// A camera's request with its code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Enrol)]
pub(super) struct Request {
    #[schema(value_type = String, max_length = 256)]
    code: AtMost<256>,
    /// PKCS#10 in PEM. Its subject is empty, or `CN=oriel-device`.
    #[schema(value_type = String, max_length = 32768, format = "pem-certificate-request")]
    csr: AtMost<32768>,
    /// What the device may be called, where the code is for several devices or has no name. It is a name for people and nothing else.
    #[serde(default)]
    name: Label,
}

/// What a camera needs to dial in.
#[derive(Serialize, ToSchema)]
pub(super) struct Enrolled {
    /// The device's id.
    device: String,
    /// The camera's certificate and the device authority's, PEM.
    certificate: String,
    /// The organisation's device authority, PEM.
    device_authority: String,
    /// Whom the camera has to believe to reach this cloud, PEM.
    anchors: String,
    /// The address for SetUplink.
    remote_address: String,
}

/// Lists enrolments.
#[utoipa::path(get, path = "/enrolments", tag = "enrolment", operation_id = "listEnrolments", params(Window), responses(
    (status = 200, description = "A page of them.", body = Page<View>),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(window): Asked<Window>,
) -> Result<Json<Page<View>>, Refusal> {
    let limit = window.limit()?;
    let read = caller.scope(&shared).enrolments(window.after(), limit + 1);
    Ok(Json(Page::of(read, limit, |enrolment| &enrolment.id, |enrolment| View::of(enrolment))))
}

/// Makes a code, for one camera or several.
#[utoipa::path(post, path = "/enrolments", tag = "enrolment", operation_id = "addEnrolment", request_body = New, responses(
    (status = 201, description = "The enrolment with its code.", body = Made),
))]
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Input(New { name: Label(name), expires_in, uses }): Input<New>,
) -> Result<(StatusCode, Json<Made>), Refusal> {
    let lifetime = expires_in.map_or(USUAL, Lifetime::span);
    let (enrolment, code) =
        caller.scope(&shared).add_enrolment(&caller.actor(), &name, lifetime, uses.number()).await?;
    Ok((StatusCode::CREATED, Json(Made { enrolment: View::of(&enrolment), code: code.expose().to_owned() })))
}

/// Withdraws a code. Devices that came of it stay.
#[utoipa::path(delete, path = "/enrolments/{id}", tag = "enrolment", operation_id = "removeEnrolment", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Refusal> {
    caller.scope(&shared).remove_enrolment(&caller.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Certifies a camera's key for a code. The same code with the same key gives the same device again.
#[utoipa::path(post, path = "/enrol", tag = "enrolment", operation_id = "enrol", request_body = Request, responses(
    (status = 200, description = "What the camera needs to dial in.", body = Enrolled),
))]
pub(super) async fn enrol(
    State(shared): State<Arc<Shared>>,
    here: Here,
    Source(source): Source,
    Input(Request { code: AtMost(code), csr: AtMost(csr), name: Label(name) }): Input<Request>,
) -> Result<Json<Enrolled>, Refusal> {
    let granted = enrolment::enrol(&code, &csr, &name, source, &shared).await?;
    let remote_address = shared.config.remote_address.clone().unwrap_or_else(|| format!("https://{}/", here.0));
    Ok(Json(Enrolled {
        device: granted.device.id.to_string(),
        certificate: granted.certificate,
        device_authority: granted.device_authority,
        anchors: granted.anchors,
        remote_address,
    }))
}
