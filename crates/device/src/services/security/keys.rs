//! Keys (Security §5.2.6.2). A handler asks for a key by writing it down; the maker makes it.

use super::{alias, fresh, in_use, no_key};
use crate::keystore::{MAX_KEYS, estimate};
use crate::services::Call;
use crate::store::{KeyEntry, Keystore, Material};
use oriel_onvif::security::*;
use oriel_soap::xml::Duration;
use oriel_soap::{Fault, With};
use oriel_trust::KeyAlgorithm;
use std::sync::Arc;

pub(super) async fn create_rsa_key_pair(
    call: Call,
    request: CreateRSAKeyPair,
) -> Result<CreateRSAKeyPairResponse, Fault> {
    let length = Some(request.key_length);
    let algorithm = KeyAlgorithm::ALL.into_iter().find(|algorithm| algorithm.modulus() == length).ok_or_else(|| {
        let text = format!("RSA keys of {} bits are not supported; ask for 2048, 3072 or 4096", request.key_length);
        Fault::invalid_arg_val(text).subcode("KeyLength")
    })?;
    let (key_id, time) = create(&call, algorithm, request.alias).await?;
    Ok(CreateRSAKeyPairResponse::with(|response| {
        response.key_id = key_id;
        response.estimated_creation_time = time;
    }))
}

pub(super) async fn create_ecc_key_pair(
    call: Call,
    request: CreateECCKeyPair,
) -> Result<CreateECCKeyPairResponse, Fault> {
    let curve = Some(request.elliptic_curve.as_str());
    let algorithm = KeyAlgorithm::ALL.into_iter().find(|algorithm| algorithm.curve() == curve).ok_or_else(|| {
        let text = format!("the curve {:?} is not supported; ask for secp256r1 or secp384r1", request.elliptic_curve);
        Fault::invalid_arg_val(text).subcode("UnsupportedEllipticCurve")
    })?;
    let (key_id, time) = create(&call, algorithm, request.alias).await?;
    Ok(CreateECCKeyPairResponse::with(|response| {
        response.key_id = key_id;
        response.estimated_creation_time = time;
    }))
}

/// Writes the key down; its id, and how long it will take with those that are made before it.
async fn create(call: &Call, algorithm: KeyAlgorithm, given: Option<String>) -> Result<(String, Duration), Fault> {
    let alias = alias(given)?;
    call.change(move |state| {
        let keys = &mut state.keystore.keys;
        if keys.iter().filter(|key| !matches!(key.material, Material::Public { .. })).count() >= MAX_KEYS {
            let text = format!("this device keeps {MAX_KEYS} keys at most, beside its own; delete one first");
            return Err(Fault::action(text).subcode("MaximumNumberOfKeysReached"));
        }
        let id = fresh("key");
        keys.push(KeyEntry { id: id.clone(), alias, material: Material::Generating { algorithm } });
        Ok((id, waiting_time(&state.keystore)))
    })
    .await
}

fn waiting_time(keystore: &Keystore) -> Duration {
    let times = keystore.keys.iter().map(|key| match key.material {
        Material::Generating { algorithm } => estimate(algorithm),
        _ => std::time::Duration::ZERO,
    });
    Duration(times.sum::<std::time::Duration>().try_into().unwrap_or_default())
}

pub(super) async fn get_key_status(call: Call, request: GetKeyStatus) -> Result<GetKeyStatusResponse, Fault> {
    let state = call.shared.store.state();
    let key = call.shared.keys.with(&state.keystore).key(&request.key_id).ok_or_else(|| no_key(&request.key_id))?;
    Ok(GetKeyStatusResponse::with(|response| response.key_status = status(&key.material)))
}

pub(super) async fn get_private_key_status(
    call: Call,
    request: GetPrivateKeyStatus,
) -> Result<GetPrivateKeyStatusResponse, Fault> {
    let state = call.shared.store.state();
    let key = call.shared.keys.with(&state.keystore).key(&request.key_id).ok_or_else(|| no_key(&request.key_id))?;
    Ok(GetPrivateKeyStatusResponse::with(|response| response.has_private_key = key.material.has_private()))
}

pub(super) fn status(material: &Material) -> KeyStatus {
    match material {
        Material::Generating { .. } => KeyStatus::Generating,
        Material::Corrupt => KeyStatus::Corrupt,
        Material::Pair { .. } | Material::Public { .. } => KeyStatus::Ok,
    }
}

pub(super) async fn get_all_keys(call: Call, _: GetAllKeys) -> Result<GetAllKeysResponse, Fault> {
    let state = call.shared.store.state();
    let show = |key: &KeyEntry| {
        KeyAttribute::with(|shown| {
            shown.key_id.clone_from(&key.id);
            shown.alias.clone_from(&key.alias);
            shown.has_private_key = Some(key.material.has_private());
            shown.key_status = status(&key.material);
            // A public key alone came with its certificate; of those in the configuration's files nobody knows.
            shown.externally_generated = Some(matches!(key.material, Material::Public { .. }));
            shown.securely_stored = Some(false);
        })
    };
    Ok(GetAllKeysResponse::with(|response| {
        response.key_attribute = call.shared.keys.with(&state.keystore).keys().map(show).collect();
    }))
}

pub(super) async fn delete_key(call: Call, request: DeleteKey) -> Result<DeleteKeyResponse, Fault> {
    let shared = Arc::clone(&call.shared);
    call.change(move |state| {
        let (view, id) = (shared.keys.with(&state.keystore), &request.key_id);
        view.key(id).ok_or_else(|| no_key(id))?;
        if let Some(certificate) = view.certificates().find(|certificate| certificate.key_id == *id) {
            return Err(in_use(&format!("the certificate {:?} certifies this key", certificate.id)));
        }
        // The private half goes with the document that it was in; one that is being made finds no place any more.
        state.keystore.keys.retain(|key| key.id != *id);
        Ok(())
    })
    .await?;
    Ok(DeleteKeyResponse::default())
}
