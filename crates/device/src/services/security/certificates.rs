//! Certificates and requests for them (Security §5.2.6.3).

use super::keys::status;
use super::{alias, broker_with, fresh, in_use, no_certificate, no_key, request, uplink_with};
use crate::keystore::{MAX_CERTIFICATES, View};
use crate::services::Call;
use crate::store::{CertificateEntry, KeyEntry, Keystore, Material};
use oriel_onvif::security::*;
use oriel_soap::xml::Base64;
use oriel_soap::{Fault, With};
use oriel_trust::{Certificate, KeyPair, TrustError, UnfitCertificate};
use std::sync::Arc;

pub(super) async fn create_pkcs10_csr(call: Call, wanted: CreatePKCS10CSR) -> Result<CreatePKCS10CSRResponse, Fault> {
    let state = call.shared.store.state();
    let key = call.shared.keys.with(&state.keystore).key(&wanted.key_id).ok_or_else(|| no_key(&wanted.key_id))?;
    if status(&key.material) != KeyStatus::Ok {
        let text = format!("the key {:?} is not ready; ask GetKeyStatus for it", wanted.key_id);
        return Err(Fault::invalid_arg_val(text).subcode("InvalidKeyStatus"));
    }
    let material = key.material.clone();
    // A long RSA key takes its time to sign.
    let signed = tokio::task::spawn_blocking(move || sign(&material, wanted)).await;
    let der = signed.unwrap_or_else(|_| Err(failed("the request could not be signed")))?;
    Ok(CreatePKCS10CSRResponse::with(|response| response.pkcs10_csr = Base64(der)))
}

fn sign(material: &Material, wanted: CreatePKCS10CSR) -> Result<Vec<u8>, Fault> {
    let key: KeyPair = material.key_pair().map_err(|error| failed(&error.to_string()))?;
    let scheme = request::scheme(&wanted.signature_algorithm)?;
    if !key.signs_with(scheme) {
        let text = format!("this key cannot sign with {}", scheme.oid());
        return Err(Fault::invalid_arg_val(text).subcode("KeySignatureAlgorithmMismatch"));
    }
    let subject = request::subject(&wanted.subject)?;
    let request = request::with_attributes(subject, wanted.csr_attribute)?;
    request.sign(&key, scheme).map_err(|error| match error {
        // The subject and each attribute were looked at; what is left is what is inside of an attribute's DER.
        TrustError::Request(text) => Fault::invalid_arg_val(text).subcode("InvalidAttribute"),
        error => failed(&error.to_string()),
    })
}

fn failed(why: &str) -> Fault {
    Fault::action(why).subcode("CSRCreationFailed")
}

pub(super) async fn upload_certificate(
    call: Call,
    request: UploadCertificate,
) -> Result<UploadCertificateResponse, Fault> {
    let certificate = Certificate::read(&request.certificate).map_err(|unfit| {
        let subcode = match unfit {
            UnfitCertificate::PublicKey => "UnsupportedPublicKeyAlgorithm",
            UnfitCertificate::Signature(_) => "UnsupportedSignatureAlgorithm",
            _ => "BadCertificate",
        };
        Fault::invalid_arg_val(unfit.to_string()).subcode(subcode)
    })?;
    let (alias, key_alias) = (alias(request.alias)?, alias(request.key_alias)?);
    let with_private = request.private_key_required.unwrap_or(false);
    let shared = Arc::clone(&call.shared);
    let (certificate_id, key_id) = call
        .change(move |state| {
            let view = shared.keys.with(&state.keystore);
            check_room(view, &state.keystore, &certificate)?;
            let key_id = match key_for(view, &certificate, with_private)? {
                Some(known) => known,
                None => add_public_key(&mut state.keystore, &certificate, key_alias)?,
            };
            let (id, content) = (fresh("certificate"), certificate.der().as_ref().into());
            let entry = CertificateEntry { id: id.clone(), alias, key_id: key_id.clone(), content };
            state.keystore.certificates.push(entry);
            Ok((id, key_id))
        })
        .await?;
    Ok(UploadCertificateResponse::with(|response| {
        response.certificate_id = certificate_id;
        response.key_id = key_id;
    }))
}

fn check_room(view: View<'_>, stored: &Keystore, certificate: &Certificate) -> Result<(), Fault> {
    let der = certificate.der().as_ref();
    if let Some(known) = view.certificates().find(|known| known.content.bytes() == der) {
        let text = format!("this certificate is stored already, under the CertificateID {:?}", known.id);
        return Err(Fault::invalid_arg_val(text).subcode("Duplicate"));
    }
    if stored.certificates.len() >= MAX_CERTIFICATES {
        let text =
            format!("this device keeps {MAX_CERTIFICATES} certificates at most, beside its own; delete one first");
        return Err(Fault::action(text).subcode("MaximumNumberOfCertificatesReached"));
    }
    Ok(())
}

/// The key that the certificate is linked to, when it is there.
fn key_for(view: View<'_>, certificate: &Certificate, with_private: bool) -> Result<Option<String>, Fault> {
    let known = view.key_of(certificate.public_key());
    if with_private && !known.is_some_and(|key| key.material.has_private()) {
        let text = "the private key of this certificate is not on this device";
        return Err(Fault::action(text).subcode("NoMatchingPrivateKey"));
    }
    Ok(known.map(|key| key.id.clone()))
}

fn add_public_key(stored: &mut Keystore, certificate: &Certificate, alias: Option<String>) -> Result<String, Fault> {
    // Deleting a certificate leaves its key, so there can be more keys than certificates.
    let public = |key: &&KeyEntry| matches!(key.material, Material::Public { .. });
    if stored.keys.iter().filter(public).count() >= MAX_CERTIFICATES {
        let text = format!("this device keeps {MAX_CERTIFICATES} public keys at most; delete one first");
        return Err(Fault::action(text).subcode("MaximumNumberOfKeysReached"));
    }
    let (id, material) = (fresh("key"), Material::Public { public: certificate.public_key().into() });
    stored.keys.push(KeyEntry { id: id.clone(), alias, material });
    Ok(id)
}

pub(super) async fn get_certificate(call: Call, request: GetCertificate) -> Result<GetCertificateResponse, Fault> {
    let state = call.shared.store.state();
    let view = call.shared.keys.with(&state.keystore);
    let entry = view.certificate(&request.certificate_id).ok_or_else(|| no_certificate(&request.certificate_id))?;
    Ok(GetCertificateResponse::with(|response| response.certificate = shown(view, entry)))
}

pub(super) async fn get_all_certificates(
    call: Call,
    _: GetAllCertificates,
) -> Result<GetAllCertificatesResponse, Fault> {
    let state = call.shared.store.state();
    let view = call.shared.keys.with(&state.keystore);
    Ok(GetAllCertificatesResponse::with(|response| {
        response.certificate = view.certificates().map(|entry| shown(view, entry)).collect();
    }))
}

fn shown(view: View<'_>, entry: &CertificateEntry) -> X509Certificate {
    X509Certificate::with(|shown| {
        shown.certificate_id.clone_from(&entry.id);
        shown.key_id.clone_from(&entry.key_id);
        shown.alias.clone_from(&entry.alias);
        shown.certificate_content = Base64(entry.content.bytes().to_vec());
        shown.has_private_key = Some(view.key(&entry.key_id).is_some_and(|key| key.material.has_private()));
    })
}

pub(super) async fn delete_certificate(
    call: Call,
    request: DeleteCertificate,
) -> Result<DeleteCertificateResponse, Fault> {
    let shared = Arc::clone(&call.shared);
    call.change(move |state| {
        let (view, id) = (shared.keys.with(&state.keystore), &request.certificate_id);
        view.certificate(id).ok_or_else(|| no_certificate(id))?;
        if let Some(policy) = view.policies().find(|policy| policy.anchors.contains(id)) {
            return Err(in_use(&format!("the policy {:?} has this certificate as an anchor", policy.id)));
        }
        if let Some(uplink) = uplink_with(state, |entry| entry.certificate_id.as_ref() == Some(id)) {
            return Err(in_use(&format!("the uplink {uplink} shows this certificate")));
        }
        if let Some(broker) = broker_with(state, |entry| entry.certificate_id.as_ref() == Some(id)) {
            return Err(in_use(&format!("the event broker {broker} is shown this certificate")));
        }
        let before = state.keystore.certificates.len();
        state.keystore.certificates.retain(|entry| entry.id != *id);
        if state.keystore.certificates.len() == before {
            let text = "this certificate is the device's own, or its configuration file names it";
            return Err(Fault::action(text).subcode("CertificateDeletionFailed"));
        }
        Ok(())
    })
    .await?;
    Ok(DeleteCertificateResponse::default())
}
