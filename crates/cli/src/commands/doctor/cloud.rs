//! A cloud, as a device finds it: the upgrade, a token, HTTP/2; and as a client does, its API.

use std::sync::Arc;
use std::time::Duration;

use oriel_client::CallError;
use oriel_client::api::Api;
use oriel_trust::{Validation, client_config};
use oriel_uplink::device::{Closed, Dial, DialError, Limits, Link, dial};
use oriel_uplink::{AccessToken, RemoteAddress};
use url::Url;

use super::finding::Report;
use super::layers;
use crate::exit::BadUsage;

/// For the cloud's preface and SETTINGS after the 101.
const SETTINGS: Duration = Duration::from_secs(5);

const NO_UPLINK: &str = "check host, port and path: it is the address that SetUplink would give a camera";

/// Examines a cloud; `token` is what a device would show.
pub(super) async fn examine(url: &Url, token: Option<&str>, validation: &Validation) -> anyhow::Result<Report> {
    let mut report = Report::new("cloud", url);
    if !layers::examine(&mut report, url, validation).await? {
        report.not_reached(&["API", "upgrade", "token", "HTTP/2"]);
        return Ok(report);
    }
    api(&mut report, url, validation).await?;
    let tls = Arc::new(client_config(validation, None)?);
    let address = |url: &Url| url.as_str().parse::<RemoteAddress>().map_err(|error| BadUsage::error(error.to_string()));
    let native = Dial::new(address(url)?, Arc::clone(&tls));
    let (takes, mut link) = upgrade(&mut report, dial(&native).await);
    if !takes {
        report.not_reached(&["WebSocket", "token", "HTTP/2"]);
        return Ok(report);
    }
    let mut secure = url.clone();
    // Both schemes are special ones, so the change is possible.
    let _changed = secure.set_scheme("wss");
    websocket(&mut report, dial(&Dial::new(address(&secure)?, tls)).await);
    match token {
        None => report.skipped("token", "no token was given", "--token tries one as a camera would show it"),
        Some(text) => {
            let token = AccessToken::new(text).map_err(|error| BadUsage::error(format!("--token: {error}")))?;
            link = shown(&mut report, dial(&Dial { token: Some(token), ..native }).await).or(link);
        }
    }
    http2(&mut report, link).await;
    Ok(report)
}

/// Whether it is one of ours, which is no condition for an uplink.
async fn api(report: &mut Report, url: &Url, validation: &Validation) -> anyhow::Result<()> {
    let api = Api::new(url, client_config(validation, None)?, None)?;
    match api.get("/api/v1/health").await {
        Ok(health) if health["status"] == "ok" => report.ok("API", "an Oriel cloud answers"),
        Ok(_) | Err(CallError::Status { .. } | CallError::Unreadable(_)) => report.warning(
            "API",
            "what answers is no Oriel cloud; others take uplinks too",
            "if it should be one of ours, check host and port",
        ),
        Err(error) => report.failed_call("API", error),
    }
    Ok(())
}

/// The native form without credentials; whether uplinks are taken, and a link if it needed none.
fn upgrade(report: &mut Report, dialled: Result<Link, DialError>) -> (bool, Option<Link>) {
    match dialled {
        Ok(link) => {
            let next = "a cloud should ask who dials: certificates or tokens (Uplink §5.3)";
            report.warning("upgrade", "it lets in whoever dials", next);
            return (true, Some(link));
        }
        Err(DialError::Refused { status: status @ (401 | 403), text, .. }) => {
            report.ok("upgrade", format!("it takes uplinks, and asks who dials ({status}: {text})"));
        }
        Err(DialError::CertificateRefused { .. }) => {
            report.ok("upgrade", "it asks for a device's certificate already in the handshake, so more cannot be told");
        }
        Err(DialError::Refused { status: status @ (429 | 503), text, .. }) => {
            report.warning(
                "upgrade",
                format!("at the moment it takes no uplink ({status}: {text})"),
                "try again later",
            );
        }
        Err(error @ (DialError::Refused { .. } | DialError::Upgrade(_))) => {
            report.wrong("upgrade", 3, format!("no uplink is taken here: {error}"), NO_UPLINK);
            return (false, None);
        }
        Err(error) => {
            report.wrong("upgrade", 4, error.to_string(), "try again; a proxy on the way may not pass an upgrade");
            return (false, None);
        }
    }
    (true, None)
}

fn websocket(report: &mut Report, dialled: Result<Link, DialError>) {
    match dialled {
        Ok(_)
        | Err(DialError::Refused { status: 401 | 403 | 429 | 503, .. } | DialError::CertificateRefused { .. }) => {
            report.ok("WebSocket", "it takes uplinks over WebSocket too (wss://)");
        }
        Err(error) => {
            let text = format!("no uplink over WebSocket: {error}");
            report.warning("WebSocket", text, "cameras that dial wss:// do not get in here; https:// does");
        }
    }
}

/// The token, as a camera would show it.
fn shown(report: &mut Report, dialled: Result<Link, DialError>) -> Option<Link> {
    match dialled {
        Ok(link) => {
            report.ok("token", "it is let in");
            return Some(link);
        }
        Err(error @ DialError::Refused { status: 401 | 403, .. }) => {
            let next = "get a new token of a device; that of a user is for the API, and another thing";
            report.wrong("token", 5, format!("the token is not let in: {error}"), next);
        }
        Err(error) => report.wrong("token", 3, error.to_string(), "try again; the cloud's log tells more"),
    }
    None
}

async fn http2(report: &mut Report, link: Option<Link>) {
    let Some(link) = link else {
        return report.skipped("HTTP/2", "it begins once a device is let in", "--token lets one in");
    };
    let limits = Limits { first_settings: SETTINGS, ..Limits::default() };
    match link.try_out(&limits).await {
        Ok(()) => report.ok("HTTP/2", "preface and SETTINGS came after the 101"),
        Err(Closed::PeerError { text, .. }) => {
            report.wrong("HTTP/2", 3, format!("the cloud ended it: {text}"), "the cloud's log tells more");
        }
        Err(closed) => {
            let next = "a proxy on the way may pass the 101 and nothing after it; the cloud's log tells more";
            report.wrong("HTTP/2", 4, closed.to_string(), next);
        }
    }
}
