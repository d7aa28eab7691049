//! A camera on the LAN: its clock, the account, its services, its uplinks.

use std::sync::Arc;

use oriel_client::camera::{Account, Camera, Reach};
use oriel_client::quirks::{Quirks, Shown};
use oriel_client::{CallError, Client};
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetServices, GetUsers, UserLevel};
use oriel_onvif::ns;
use oriel_onvif::uplink::{Configuration, ConnectionStatus, GetUplinks};
use oriel_trust::Validation;
use url::Url;

use super::finding::Report;
use super::layers;

/// Cameras commonly take a UsernameToken that is this many seconds off; some take less.
const TOKEN: u64 = 5;
/// A clock that is this many seconds off makes of valid certificates invalid ones.
const DAY: u64 = 86_400;

/// Examines a camera.
pub(super) async fn examine(url: &Url, account: Option<Account>, validation: &Validation) -> anyhow::Result<Report> {
    let mut report = Report::new("camera", url);
    if !layers::examine(&mut report, url, validation).await? {
        report.not_reached(&["clock", "credentials", "services", "uplink"]);
        return Ok(report);
    }
    let camera = |credentials| {
        let mut quirks = Quirks::default();
        quirks.credentials = credentials;
        let tls = layers::tls(url, validation)?;
        anyhow::Ok(Arc::new(Camera::new(Reach { address: url.clone(), tls, quirks })?))
    };
    let plain = camera(Shown::Auto)?;
    let nobody = plain.client(None);
    if !clock(&mut report, &nobody).await {
        report.not_reached(&["credentials", "services", "uplink"]);
        return Ok(report);
    }
    let client = match account {
        None => {
            report.skipped(
                "credentials",
                "no account was given",
                "give --user and --password, or ORIEL_USER and ORIEL_PASSWORD",
            );
            nobody
        }
        Some(account) => {
            let ways = [
                camera(Shown::Digest)?.client(Some(account.clone())),
                camera(Shown::UsernameToken)?.client(Some(account.clone())),
            ];
            let client = plain.client(Some(account.clone()));
            if !credentials(&mut report, &account.user, &client, &ways, &nobody).await {
                report.not_reached(&["services", "uplink"]);
                return Ok(report);
            }
            client
        }
    };
    if services(&mut report, &client).await {
        uplink(&mut report, &client).await;
    }
    Ok(report)
}

/// Whether there is a device service, by the one question that needs no account; and the clock that it tells.
pub(super) async fn clock(report: &mut Report, client: &Client) -> bool {
    match client.clock().await {
        Ok(Some(offset)) => {
            let off = offset.as_secs().unsigned_abs();
            let side = if offset.is_negative() { "behind" } else { "ahead of" };
            let text = format!("{off} s {side} this machine's");
            match off {
                0..=TOKEN => report.ok("clock", text),
                6..DAY => report.warning(
                    "clock",
                    format!(
                        "{text}: it refuses UsernameTokens of programs that do not ask for its time, as this one does"
                    ),
                    "set the clock of the camera, best by NTP (SetNTP, SetSystemDateAndTime), or that of this machine",
                ),
                _ => report.wrong(
                    "clock",
                    1,
                    format!("{text}: to such a clock, certificates of clouds and token servers are not valid"),
                    "set the clock of the camera, best by NTP (SetNTP, SetSystemDateAndTime), or that of this machine",
                ),
            }
            true
        }
        Ok(None) => {
            report.warning("clock", "it does not tell its time in UTC", "set its clock, best by NTP");
            true
        }
        Err(error) if error.is_refusal() => {
            report.warning(
                "clock",
                "it does not tell its time without an account, although everybody may ask (Core, PRE_AUTH)",
                "give programs the same clock as the camera; a newer firmware may do better",
            );
            true
        }
        Err(error) => {
            report.failed_call("clock", error);
            false
        }
    }
}

/// Whether the account is let in, by which ways, and with which level.
async fn credentials(report: &mut Report, user: &str, client: &Client, ways: &[Client; 2], nobody: &Client) -> bool {
    const NEXT: &str = "check name and password; some cameras have accounts for ONVIF apart from those of their pages";
    let open = nobody.call(GetDeviceInformation::default()).await.is_ok();
    // Administrators alone may list the accounts; whoever is not let in to that may still have an account.
    let (level, administrator) = match client.call(GetUsers::default()).await {
        Ok(users) => {
            let own = users.user.iter().find(|listed| listed.username == user);
            let level = own.map_or("Administrator", |listed| word(&listed.user_level));
            (level.to_owned(), true)
        }
        Err(error) if !error.is_refusal() && !matches!(error, CallError::Fault { .. }) => {
            report.failed_call("credentials", error);
            return false;
        }
        Err(_) if open => {
            report.wrong(
                "credentials",
                5,
                "the account is not let in as an administrator's, and without one nothing else can be told",
                NEXT,
            );
            return false;
        }
        Err(_) => match client.call(GetDeviceInformation::default()).await {
            Ok(_) => ("less than Administrator".to_owned(), false),
            Err(error) if error.is_refusal() => {
                report.wrong("credentials", 5, format!("the account is not let in: {error}"), NEXT);
                return false;
            }
            Err(error) => {
                report.failed_call("credentials", error);
                return false;
            }
        },
    };
    let mut taken = Vec::new();
    for (name, way) in ["HTTP Digest", "UsernameToken"].iter().zip(ways) {
        let asked = match administrator {
            true => way.call(GetUsers::default()).await.map(drop),
            false => way.call(GetDeviceInformation::default()).await.map(drop),
        };
        taken.extend(asked.is_ok().then_some(*name));
    }
    let taken = if taken.is_empty() { "both together".to_owned() } else { taken.join(" and ") };
    let text = format!("let in with {level}, by {taken}");
    match (open, administrator) {
        (true, _) => report.warning(
            "credentials",
            format!("{text}; but it tells anybody what it is"),
            "look at the access policy of the camera, or whether it has any account at all",
        ),
        (false, false) => report.warning("credentials", text, "enrolment needs an administrator's account"),
        (false, true) => report.ok("credentials", text),
    }
    true
}

fn word(level: &UserLevel) -> &'static str {
    match level {
        UserLevel::Administrator => "Administrator",
        UserLevel::Operator => "Operator",
        UserLevel::User => "User",
        _ => "a level of its own",
    }
}

/// What it offers; true if it has an uplink service.
pub(super) async fn services(report: &mut Report, client: &Client) -> bool {
    let services = match client.call(GetServices::default()).await {
        Ok(answer) => answer.service,
        Err(error) => {
            report.failed_call("services", error);
            report.not_reached(&["uplink"]);
            return false;
        }
    };
    let has = |namespace: &str| services.iter().any(|service| service.namespace == namespace);
    let name = |namespace: &str| {
        let known = namespace.trim_end_matches('/').rsplit('/').find(|part| *part != "wsdl");
        known.unwrap_or(namespace).to_owned()
    };
    let names: Vec<String> = services.iter().map(|service| name(&service.namespace)).collect();
    let text = format!("{}: {}", services.len(), names.join(", "));
    let lacks: Vec<&str> = [(ns::TUP, "Uplink"), (ns::TAS, "Security")]
        .iter()
        .filter(|(ns, _)| !has(ns.uri))
        .map(|(_, name)| *name)
        .collect();
    if lacks.is_empty() {
        report.ok("services", text);
    } else {
        report.warning(
            "services",
            format!("{text}; not {}", lacks.join(" and ")),
            "it cannot dial a cloud itself: bring it there by a bridge, `oriel device` with a [[camera]]",
        );
    }
    if !has(ns::TUP.uri) {
        report.skipped("uplink", "the camera has no such service", "a bridge dials in its stead");
    }
    has(ns::TUP.uri)
}

/// Its uplinks, as it sees them itself.
pub(super) async fn uplink(report: &mut Report, client: &Client) {
    let configured = match client.call(GetUplinks::default()).await {
        Ok(answer) => answer.configuration,
        Err(error) if error.is_refusal() => {
            return report.skipped("uplink", "the account may not see it", "give an administrator's account");
        }
        Err(error) => return report.failed_call("uplink", error),
    };
    if configured.is_empty() {
        return report.warning("uplink", "none is configured", "`oriel enroll CAMERA --cloud URL` sets one");
    }
    for uplink in &configured {
        one(report, uplink);
    }
}

fn one(report: &mut Report, uplink: &Configuration) {
    let address = &uplink.remote_address;
    let error = uplink.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    match &uplink.status {
        Some(ConnectionStatus::Connected) => {
            report.ok("uplink", format!("connected to {address}"));
        }
        Some(ConnectionStatus::Other(word)) if word == "Online" => {
            report.ok("uplink", format!("connected to {address}"));
        }
        Some(ConnectionStatus::Connecting) => {
            let text = format!("dials {address}{error}");
            report.warning(
                "uplink",
                text,
                "ask again; if it stays so, `oriel doctor` about that cloud tells what a device finds there",
            );
        }
        status => {
            let word = if status.is_none() { "does not say how it is doing" } else { "is not connected" };
            let next = "`oriel doctor` about that cloud, and the camera's own name server and clock";
            report.wrong("uplink", 4, format!("{address} {word}{error}"), next);
        }
    }
}
