//! A device behind a cloud: what the cloud says of it, and whether it answers through its tunnel.

use http::StatusCode;
use oriel_client::api::Api;
use oriel_client::{Auth, CallError, Client};
use oriel_trust::{Validation, client_config};
use serde_json::Value;
use url::Url;

use super::finding::Report;
use super::{camera, layers};

/// Examines the device of this id behind a cloud; `url` is the cloud's address of it.
pub(super) async fn examine(
    url: &Url,
    id: &str,
    token: Option<String>,
    validation: &Validation,
) -> anyhow::Result<Report> {
    const REST: [&str; 4] = ["tunnel", "clock", "services", "uplink"];
    let mut report = Report::new("device", url);
    if !layers::examine(&mut report, url, validation).await? {
        report.not_reached(&["token", "tunnel", "clock", "services", "uplink"]);
        return Ok(report);
    }
    let tls = client_config(validation, None)?;
    let api = Api::new(url, tls.clone(), token.as_deref())?;
    let device = match api.get(&format!("/api/v1/devices/{id}")).await {
        Ok(device) => device,
        Err(error) => {
            refused(&mut report, error, token.is_none());
            report.not_reached(&REST);
            return Ok(report);
        }
    };
    report.ok("token", format!("it is let in, and the cloud calls the device {}", text(&device["name"])));
    if !tunnel(&mut report, &device) {
        report.not_reached(&REST[1..]);
        return Ok(report);
    }
    let client = Client::new(url, Some(tls), token.map_or(Auth::None, Auth::Bearer))?;
    if !camera::clock(&mut report, &client).await {
        report.not_reached(&REST[2..]);
    } else if camera::services(&mut report, &client).await {
        camera::uplink(&mut report, &client).await;
    }
    Ok(report)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn refused(report: &mut Report, error: CallError, without_token: bool) {
    match &error {
        _ if without_token && error.is_refusal() => {
            report.wrong("token", 5, "no token was given", "give --token or ORIEL_TOKEN, a user's of this cloud");
        }
        CallError::Status { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, text } => {
            let next = "it was revoked, has ended, or is not for this device: have a new one made";
            report.wrong("token", 5, format!("the cloud does not take the token: {text}"), next);
        }
        CallError::Status { status: StatusCode::NOT_FOUND, .. } => {
            let next = "check the id, and that the token is of the device's organisation";
            report.wrong("token", 3, "the token's organisation has no such device", next);
        }
        CallError::Unreadable(_) | CallError::Status { .. } => {
            let next = "the API is that of an Oriel cloud: check host and port";
            report.wrong("token", 3, format!("the cloud does not tell of devices: {error}"), next);
        }
        _ => report.failed_call("token", error),
    }
}

/// What the cloud knows of its tunnels; false if there is none.
fn tunnel(report: &mut Report, device: &Value) -> bool {
    let alarms = device["alarms"].as_u64().unwrap_or(0);
    if device["online"] != true {
        let reason = text(&device["reason"]);
        let attempts = device["attempts"].as_u64().unwrap_or(0);
        let last = last_attempt(device).map(|last| format!("; {last}")).unwrap_or_default();
        let (exit, next) = match (device["revoked"] == true, attempts) {
            (true, _) => (5, "it is shut out here; if it should not be, an administrator restores it"),
            (_, 0) => (4, "`oriel doctor` on the camera's LAN tells whether it dials this cloud, and what stops it"),
            _ => (
                4,
                "it has been here before: look at its network and power, and by `oriel doctor` on its LAN at its own words",
            ),
        };
        let text = format!("offline: {reason}; it dialled {attempts} times since the cloud started{last}");
        report.wrong("tunnel", exit, text, next);
        return false;
    }
    let tunnels: Vec<String> = device["tunnels"].as_array().into_iter().flatten().map(described).collect();
    let told = format!("online by {}", tunnels.join(" and "));
    if alarms > 0 {
        let text = format!("{told}; its identity was seen from two places by turns, {alarms} times");
        report.warning("tunnel", text, "its key may have been copied: revoke it, and enrol the camera again");
    } else {
        report.ok("tunnel", told);
    }
    true
}

fn described(tunnel: &Value) -> String {
    let seconds = tunnel["since_ms"].as_u64().unwrap_or(0) / 1000;
    let rtt =
        tunnel["rtt_us"].as_u64().map(|micros| format!(", {} ms there and back", micros / 1000)).unwrap_or_default();
    format!("{} from {} for {seconds} s{rtt}", text(&tunnel["form"]), text(&tunnel["source"]))
}

/// The newest connection that is over, or attempt that was refused.
fn last_attempt(device: &Value) -> Option<String> {
    let last = device["history"].as_array()?.first()?;
    let how = if last["form"].is_null() { "was refused" } else { "ended" };
    Some(format!("the last, from {}, {how}: {}", text(&last["source"]), text(&last["reason"])))
}
