//! What a device says of itself, asked through its tunnel: GetDeviceInformation (Core §8.3.1) and GetUplinks (Uplink §6.2).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Collected, Limited};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_onvif::uplink::{ConnectionStatus, GetUplinks};
use oriel_soap::Operation;
use oriel_soap::access::allowed;
use oriel_soap::envelope::{self, Headers, ReplyError};
use oriel_soap::xml::Limits;
use oriel_uplink::cloud::Class;
use oriel_uplink::{Body, body};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::input::{Caller, Named};
use super::{Reply, seen};
use crate::Shared;
use crate::records::DeviceId;
use crate::refusal::Refusal;

/// How long a device may take for one answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Longer answers to these questions mean ill.
const LONGEST: usize = 256 * 1024;
/// Where every device takes these questions (Core §5.2).
const PATH: &str = "https://device/onvif/device_service";

/// What a device says of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceInformation)]
pub(in crate::api) struct View {
    information: Information,
    /// Null: it does not tell them.
    uplinks: Option<Vec<UplinkView>>,
    /// When it was asked, in Unix milliseconds.
    at: u64,
}

#[derive(Serialize, ToSchema)]
struct Information {
    manufacturer: String,
    model: String,
    firmware_version: String,
    serial_number: String,
    hardware_id: String,
}

/// One of the device's uplinks, as it sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceUplink)]
struct UplinkView {
    remote_address: String,
    status: Option<String>,
    user_level: Vec<String>,
    certificate_id: Option<String>,
    cert_path_validation_policy_id: Option<String>,
    authorization_server: Option<String>,
    error: Option<String>,
}

/// Asks a device who it is, through its tunnel.
#[utoipa::path(get, path = "/devices/{id}/information", tag = "devices", operation_id = "askDevice", params(("id" = String, Path)), responses(
    (status = 200, description = "What it says.", body = View),
))]
pub(in crate::api) async fn ask(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Reply<Json<View>> {
    let device = seen(&caller, &id, &shared)?;
    if device.revoked {
        return Err(Refusal::offline());
    }
    let said = call(&shared, &caller, &device.id, GetDeviceInformation::default()).await?;
    let uplinks =
        call(&shared, &caller, &device.id, GetUplinks::default()).await.ok().map(|answer| answer.configuration);
    let status = |status: ConnectionStatus| match status {
        ConnectionStatus::Other(text) => text,
        known => format!("{known:?}"),
    };
    let uplinks = uplinks.map(|uplinks| {
        let view = |uplink: oriel_onvif::uplink::Configuration| UplinkView {
            remote_address: uplink.remote_address,
            status: uplink.status.map(status),
            user_level: uplink.user_level.0,
            certificate_id: uplink.certificate_id,
            cert_path_validation_policy_id: uplink.cert_path_validation_policy_id,
            authorization_server: uplink.authorization_server,
            error: uplink.error,
        };
        uplinks.into_iter().map(view).collect()
    });
    let information = Information {
        manufacturer: said.manufacturer,
        model: said.model,
        firmware_version: said.firmware_version,
        serial_number: said.serial_number,
        hardware_id: said.hardware_id,
    };
    Ok(Json(View { information, uplinks, at: shared.records.clock().now() }))
}

/// One typed call on the device's tunnel. The caller's role caps what the uplink's level allows, as in the gateway.
async fn call<O: Operation>(shared: &Shared, caller: &Caller, device: &DeviceId, operation: O) -> Reply<O::Response> {
    if !allowed(caller.principal.levels(), O::ACCESS) {
        let detail = format!("the role of {} does not allow {}", caller.principal.role, O::NAME);
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    let message = envelope::request(&operation, &Headers::default());
    let way = shared.registry.find(device).await.map_err(|_| Refusal::offline())?;
    let tap = shared.taps.of(device, shared.records.clock().now());
    let by = || format!("{} ({})", caller.actor().label, caller.principal.levels());
    tap.iter().for_each(|tap| tap.asked(by(), &Method::POST, &Uri::from_static(PATH), Some(&message)));
    let request = Request::post(PATH).header(CONTENT_TYPE, envelope::CONTENT_TYPE);
    let request = request.header(http::header::CONTENT_LENGTH, message.len()).body(body::full(message));
    let request = request.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let answered = async {
        let answer = way.request(Class::Soap, request).await.map_err(|error| crate::gateway::refused(&error))?;
        let (head, body) = answer.into_parts();
        let whole = gather(body).await.ok_or_else(|| bad("it broke off, or was too long"))?;
        Ok(Response::from_parts(head, whole))
    };
    let late = |_| {
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, format!("the device did not answer within {} s", ANSWER.as_secs()))
    };
    let answered = tokio::time::timeout(ANSWER, answered).await.map_err(late).flatten();
    tap.iter().for_each(|tap| {
        tap.ended(&answered, answered.as_ref().ok().map(|answer| &**answer.body()), |refusal| refusal.detail.clone());
    });
    envelope::read_reply::<O>(answered?.body(), &Limits::REPLY).map_err(|error| match error {
        ReplyError::Fault(fault) => bad(&format!("it refuses: {}", fault.reason)),
        other => bad(&other.to_string()),
    })
}

fn bad(what: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, format!("the device's answer cannot be used: {what}"))
}

/// A body of at most [`LONGEST`] bytes. Boxed: within an `async fn` the compiler cannot see that the plain future is `Send`.
fn gather(body: Body) -> BoxFuture<'static, Option<bytes::Bytes>> {
    Limited::new(body, LONGEST).collect().map(|gathered| gathered.ok().map(Collected::to_bytes)).boxed()
}
