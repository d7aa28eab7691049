//! Devices: register, look, revoke, forget.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use oriel_trust::{Fingerprint, certificates};
use oriel_uplink::Form;
use oriel_uplink::cloud::CloseReason;
use serde::{Deserialize, Serialize};

use super::{Administrator, Input, change};
use crate::Shared;
use crate::records::{CredentialKind, Device, NewDevice, Origin, RecordsError};
use crate::refusal::Refusal;
use crate::registry::Held;

type Reply<T> = Result<T, Refusal>;

/// What a device is registered with: a certificate, or the fingerprint of its key, or neither for a device that will get a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    #[serde(default)]
    name: String,
    certificate: Option<String>,
    fingerprint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    certificate: Option<String>,
    fingerprint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    devices: Vec<New>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gone {
    ids: HashSet<String>,
}

/// A device as the API shows it.
#[derive(Serialize)]
pub(super) struct View {
    id: String,
    name: String,
    fingerprints: Vec<Fingerprint>,
    /// Ids of its access tokens.
    tokens: Vec<String>,
    revoked: bool,
    online: bool,
    /// Milliseconds of silence, round trip and age; bytes; newest tunnel last.
    tunnels: Vec<serde_json::Value>,
    last_close: Option<serde_json::Value>,
    /// How often this identity was seen to dial from two places by turns.
    alarms: u32,
}

impl View {
    fn of(device: &Device, shared: &Shared) -> Self {
        let presence = shared.registry.presence(&device.id);
        let last_close = presence.last_close.map(|(reason, at)| {
            serde_json::json!({ "reason": reason.to_string(), "ago_ms": u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX) })
        });
        Self {
            id: device.id.to_string(),
            name: device.name.clone(),
            fingerprints: device.fingerprints().collect(),
            tokens: tokens(device),
            revoked: device.revoked,
            online: presence.tunnels.iter().any(|held| !held.tunnel.is_closed()),
            tunnels: presence.tunnels.iter().map(tunnel).collect(),
            last_close,
            alarms: shared.alarms.of(&device.id),
        }
    }
}

fn tunnel(held: &Held) -> serde_json::Value {
    let stats = held.tunnel.stats();
    let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    serde_json::json!({
        "source": held.source,
        "form": match held.tunnel.form() {
            Form::Native => "native",
            Form::WebSocket => "websocket",
        },
        "since_ms": ms(stats.since.elapsed()),
        "silent_ms": ms(stats.silent_for),
        "rtt_us": stats.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
        "bytes_read": stats.bytes_read,
        "bytes_written": stats.bytes_written,
        "streams_opened": stats.streams_opened,
        "open_streams": stats.open_streams,
        "epoch": held.epoch,
        "draining": held.tunnel.is_draining(),
    })
}

fn fingerprint(certificate: Option<&str>, fingerprint: Option<&str>) -> Reply<Option<Fingerprint>> {
    let bad = |detail: String| Refusal::new(StatusCode::BAD_REQUEST, detail);
    match (certificate, fingerprint) {
        (Some(_), Some(_)) => Err(bad("give a certificate or a fingerprint, not both".to_owned())),
        (None, None) => Ok(None),
        (None, Some(text)) => text.parse().map(Some).map_err(|e| bad(format!("fingerprint: {e}"))),
        (Some(pem), None) => {
            let chain = certificates(pem.as_bytes()).map_err(|e| bad(format!("certificate: {e}")))?;
            Fingerprint::of(&chain[0]).map(Some).map_err(|e| bad(format!("certificate: {e}")))
        }
    }
}

/// Ids of a device's access tokens.
fn tokens(device: &Device) -> Vec<String> {
    let tokens = device.credentials.iter().filter(|held| matches!(held.kind, CredentialKind::Token(_)));
    tokens.map(|held| held.id.to_string()).collect()
}

pub(super) async fn list(caller: Administrator, State(shared): State<Arc<Shared>>) -> Json<Vec<View>> {
    let devices = shared.records.within(&caller.0.organisation).devices(None, usize::MAX, |_| true);
    Json(devices.iter().map(|device| View::of(device, &shared)).collect())
}

pub(super) async fn add(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Input(new): Input<New>,
) -> Reply<(StatusCode, Json<View>)> {
    let key = fingerprint(new.certificate.as_deref(), new.fingerprint.as_deref())?;
    let device = shared.records.within(&caller.0.organisation).add_device(&caller.actor(), &new.name, key).await?;
    tracing::info!(device = %device.id, name = device.name, "device registered");
    Ok((StatusCode::CREATED, Json(View::of(&device, &shared))))
}

fn existing(caller: &Administrator, id: &str, shared: &Shared) -> Reply<Json<View>> {
    let device = shared.records.within(&caller.0.organisation).device(id).ok_or_else(Refusal::unknown_device)?;
    Ok(Json(View::of(&device, shared)))
}

pub(super) async fn show(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Reply<Json<View>> {
    existing(&caller, &id, &shared)
}

pub(super) async fn remove(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Reply<StatusCode> {
    forget(caller, shared, [id].into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn forget(caller: Administrator, shared: Arc<Shared>, ids: HashSet<String>) -> Reply<()> {
    change(async move {
        for id in &shared.records.within(&caller.0.organisation).remove_devices(&caller.actor(), &ids).await? {
            shared.registry.cut(id, |_| true, &CloseReason::Revoked);
            shared.registry.forget(id);
            shared.alarms.forget(id);
            shared.given_out.forget(id);
        }
        Ok(())
    })
    .await
}

/// Registers many at once, all or none. The ids come back in the order of the devices.
pub(super) async fn import(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Input(import): Input<Import>,
) -> Reply<(StatusCode, Json<serde_json::Value>)> {
    let read = |new: New| {
        let key = fingerprint(new.certificate.as_deref(), new.fingerprint.as_deref())?;
        Ok(NewDevice { name: new.name, key })
    };
    let new = import.devices.into_iter().map(read).collect::<Reply<Vec<_>>>()?;
    let added = shared.records.within(&caller.0.organisation).add_devices(&caller.actor(), new).await?;
    let ids: Vec<&str> = added.iter().map(|device| &*device.id).collect();
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "ids": ids }))))
}

/// Forgets many at once, all or none.
pub(super) async fn remove_many(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Input(gone): Input<Gone>,
) -> Reply<Json<serde_json::Value>> {
    let count = gone.ids.len();
    forget(caller, shared, gone.ids).await?;
    Ok(Json(serde_json::json!({ "removed": count })))
}

pub(super) async fn revoke(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Reply<Json<View>> {
    set_revoked(caller, shared, id, true).await
}

pub(super) async fn restore(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Reply<Json<View>> {
    set_revoked(caller, shared, id, false).await
}

async fn set_revoked(caller: Administrator, shared: Arc<Shared>, id: String, revoked: bool) -> Reply<Json<View>> {
    let cut = Arc::clone(&shared);
    let (caller, id) = change(async move {
        cut.records.within(&caller.0.organisation).set_revoked(&caller.actor(), &id, revoked).await?;
        if revoked {
            cut.registry.cut(&id, |_| true, &CloseReason::Revoked);
        }
        Ok((caller, id))
    })
    .await?;
    existing(&caller, &id, &shared)
}

pub(super) async fn add_key(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Input(key): Input<Key>,
) -> Reply<Json<View>> {
    let key = fingerprint(key.certificate.as_deref(), key.fingerprint.as_deref())?
        .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "give a certificate or a fingerprint"))?;
    let scope = shared.records.within(&caller.0.organisation);
    scope.add_key(&caller.actor(), &id, key, Origin::Pinned, None).await?;
    existing(&caller, &id, &shared)
}

pub(super) async fn remove_key(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path((id, key)): Path<(String, String)>,
) -> Reply<StatusCode> {
    let key = key.parse().map_err(|_| Refusal::new(StatusCode::NOT_FOUND, "there is no such key"))?;
    take(caller, shared, id, move |kind, _| *kind == CredentialKind::Key(key)).await
}

/// Takes a credential from a device and cuts the tunnels that it let in.
async fn take(
    caller: Administrator,
    shared: Arc<Shared>,
    id: String,
    which: impl Fn(&CredentialKind, &str) -> bool + Send + Sync + 'static,
) -> Reply<StatusCode> {
    change(async move {
        let scope = shared.records.within(&caller.0.organisation);
        let gone = scope.remove_credential(&caller.actor(), &id, |held| which(&held.kind, &held.id)).await?;
        shared.registry.cut(&id, |credential| *credential == gone.kind, &CloseReason::Revoked);
        Ok::<_, RecordsError>(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn add_token(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Reply<(StatusCode, Json<serde_json::Value>)> {
    let scope = shared.records.within(&caller.0.organisation);
    let (token, secret) = scope.add_device_token(&caller.actor(), &id).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "id": token.id, "access_token": secret.expose() }))))
}

pub(super) async fn remove_token(
    caller: Administrator,
    State(shared): State<Arc<Shared>>,
    Path((id, token)): Path<(String, String)>,
) -> Reply<StatusCode> {
    take(caller, shared, id, move |kind, name| matches!(kind, CredentialKind::Token(_)) && name == token).await
}
