//! What a device shows to be let in: keys and access tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use oriel_trust::{Fingerprint, certificates};
use oriel_uplink::cloud::CloseReason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::input::{AtMost, Caller, Input, Name, Named};
use super::{Reply, View, existing};
use crate::Shared;
use crate::records::{CredentialKind, RecordsError, StoredCredential};
use crate::refusal::Refusal;

/// A fingerprint as text.
#[derive(Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^([0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31})$")]
pub(in crate::api) struct FingerprintText(Fingerprint);

impl TryFrom<String> for FingerprintText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = text.len() == 64 && !text.contains(':');
        let cut = text.len() == 95 && text.bytes().enumerate().all(|(place, byte)| (byte == b':') == (place % 3 == 2));
        if !plain && !cut {
            return Err("fingerprint: it is 64 hexadecimal digits, by pairs with colons between or without".to_owned());
        }
        text.parse().map(Self).map_err(|error| format!("fingerprint: {error}"))
    }
}

/// A key: by certificate or by fingerprint.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddKey)]
pub(in crate::api) struct Key {
    /// PEM; its key counts, and no name in it.
    #[schema(format = "pem-certificate")]
    certificate: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo.
    #[schema(inline)]
    fingerprint: Option<FingerprintText>,
}

/// An access token for a device.
#[derive(Serialize, ToSchema)]
#[schema(as = NewDeviceToken)]
pub(in crate::api) struct MadeToken {
    id: String,
    /// What the device shows when it dials. It is shown this once.
    access_token: String,
}

/// A name that a pinned authority certifies.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddName)]
pub(in crate::api) struct Certified {
    /// The authority's id.
    #[schema(value_type = String, max_length = 64)]
    authority: AtMost<64>,
    /// The common name or serial number, as the authority was pinned for.
    name: Name,
}

/// The key that is meant.
pub(super) fn key_of(certificate: Option<&str>, fingerprint: Option<FingerprintText>) -> Reply<Option<Fingerprint>> {
    let bad = |detail: String| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    match (certificate, fingerprint) {
        (Some(_), Some(_)) => Err(bad("give a certificate or a fingerprint, not both".to_owned())),
        (None, fingerprint) => Ok(fingerprint.map(|FingerprintText(key)| key)),
        (Some(pem), None) => {
            let chain = certificates(pem.as_bytes()).map_err(|e| bad(format!("certificate: {e}")))?;
            Fingerprint::of(&chain[0]).map(Some).map_err(|e| bad(format!("certificate: {e}")))
        }
    }
}

/// Gives a device one more key.
#[utoipa::path(post, path = "/devices/{id}/keys", tag = "devices", operation_id = "addDeviceKey", params(("id" = String, Path)), request_body = Key, responses(
    (status = 200, description = "As it is now.", body = View),
))]
pub(in crate::api) async fn add_key(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
    Input(key): Input<Key>,
) -> Reply<Json<View>> {
    let missing = || Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "give a certificate or a fingerprint");
    let key = key_of(key.certificate.as_deref(), key.fingerprint)?.ok_or_else(missing)?;
    caller.scope(&shared).add_key(&caller.actor(), &id, key, None).await?;
    shared.announce(&id);
    existing(&caller, &id, &shared)
}

/// Takes a key from a device. Tunnels that it let in are cut.
#[utoipa::path(delete, path = "/devices/{id}/keys/{fingerprint}", tag = "devices", operation_id = "removeDeviceKey",
    params(("id" = String, Path), ("fingerprint" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(in crate::api) async fn remove_key(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named((id, fingerprint)): Named<(String, String)>,
) -> Reply<StatusCode> {
    let key: Fingerprint = fingerprint.parse().map_err(|_| RecordsError::Unknown("key"))?;
    withdraw(&shared, &caller, &id, |held| held.kind == CredentialKind::Key(key)).await
}

/// Takes the credential that `which` picks from a device, and cuts the tunnels that it let in.
async fn withdraw(
    shared: &Shared,
    caller: &Caller,
    id: &str,
    which: impl Fn(&StoredCredential) -> bool,
) -> Reply<StatusCode> {
    let gone = caller.scope(shared).remove_credential(&caller.actor(), id, which).await?;
    shared.registry.cut(id, |shown| *shown == gone.kind, &CloseReason::Revoked);
    shared.announce(id);
    Ok(StatusCode::NO_CONTENT)
}

/// Makes an access token for a device that shows no certificate.
#[utoipa::path(post, path = "/devices/{id}/tokens", tag = "devices", operation_id = "addDeviceToken", params(("id" = String, Path)), responses(
    (status = 201, description = "The token with its secret.", body = MadeToken),
))]
pub(in crate::api) async fn add_token(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Reply<(StatusCode, Json<MadeToken>)> {
    let (credential, secret) = caller.scope(&shared).add_device_token(&caller.actor(), &id).await?;
    shared.announce(&id);
    let made = MadeToken { id: credential.id.to_string(), access_token: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Ends an access token's life. Tunnels that it let in are cut.
#[utoipa::path(delete, path = "/devices/{id}/tokens/{token}", tag = "devices", operation_id = "removeDeviceToken",
    params(("id" = String, Path), ("token" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(in crate::api) async fn remove_token(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named((id, token)): Named<(String, String)>,
) -> Reply<StatusCode> {
    let which = |held: &StoredCredential| *held.id == *token && matches!(held.kind, CredentialKind::Token(_));
    withdraw(&shared, &caller, &id, which).await
}

/// Lets a device show any certificate with this name from an authority that the organisation pinned.
#[utoipa::path(post, path = "/devices/{id}/names", tag = "devices", operation_id = "addDeviceName", params(("id" = String, Path)), request_body = Certified, responses(
    (status = 200, description = "As it is now.", body = View),
))]
pub(in crate::api) async fn add_name(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
    Input(Certified { authority: AtMost(authority), name: Name(name) }): Input<Certified>,
) -> Reply<Json<View>> {
    caller.scope(&shared).add_name(&caller.actor(), &id, &authority, &name).await?;
    shared.announce(&id);
    existing(&caller, &id, &shared)
}

/// Takes a certified name from a device, by the id of the credential. Tunnels that it let in are cut.
#[utoipa::path(delete, path = "/devices/{id}/names/{name}", tag = "devices", operation_id = "removeDeviceName",
    params(("id" = String, Path), ("name" = String, Path)), responses(
    (status = 204, description = "It is gone."),
))]
pub(in crate::api) async fn remove_name(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named((id, name)): Named<(String, String)>,
) -> Reply<StatusCode> {
    let which = |held: &StoredCredential| *held.id == *name && matches!(held.kind, CredentialKind::Name { .. });
    withdraw(&shared, &caller, &id, which).await
}

/// Renews the certificate that this cloud issued to a connected device, now and over its uplink.
#[utoipa::path(post, path = "/devices/{id}/renew", tag = "devices", operation_id = "renewDevice", params(("id" = String, Path)), responses(
    (status = 200, description = "As it is now, with its new key.", body = View),
))]
pub(in crate::api) async fn renew(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Reply<Json<View>> {
    let device = caller.scope(&shared).device(&id).ok_or(RecordsError::Unknown("device"))?;
    if shared.registry.presence(&id).tunnels.is_empty() {
        return Err(Refusal::offline());
    }
    let (actor, cloud) = (caller.actor(), Arc::clone(&shared));
    // It goes on to its end even when the caller does not wait for it.
    let renewed = tokio::spawn(async move { crate::enrolment::renewal::renew(&device, &actor, &cloud).await });
    renewed.await.map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the renewal broke off"))??;
    shared.announce(&id);
    existing(&caller, &id, &shared)
}
