//! Certificates and policies: links to keys, capacities, bad input, and what refers to what (Security §5.2.4, §5.2.6.3, §5.2.6.5).

use super::*;
use oriel_trust::{Identity, MAX_CERTIFICATE};

pub(super) fn upload(der: &[u8]) -> UploadCertificate {
    UploadCertificate::with(|request| request.certificate = Base64(der.to_vec()))
}

pub(super) fn policy(anchors: &[&str]) -> CreateCertPathValidationPolicy {
    CreateCertPathValidationPolicy::with(|request| {
        let anchor = |id: &&str| TrustAnchor::with(|anchor| anchor.certificate_id = (*id).to_owned());
        request.trust_anchor = anchors.iter().map(anchor).collect();
    })
}

pub(super) fn delete(certificate_id: &str) -> DeleteCertificate {
    DeleteCertificate::with(|request| request.certificate_id = certificate_id.to_owned())
}

pub(super) fn delete_policy(id: &str) -> DeleteCertPathValidationPolicy {
    DeleteCertPathValidationPolicy::with(|request| request.cert_path_validation_policy_id = id.to_owned())
}

fn certificate() -> Vec<u8> {
    Identity::self_signed("somebody", &[]).unwrap().chain()[0].to_vec()
}

#[tokio::test]
async fn a_certificate_is_linked_to_the_key_that_it_certifies() {
    let camera = Camera::start().await;
    let authority = Authority::new("Devices").unwrap();
    let key_id = camera.elliptic_key().await;
    let issued = authority.certify_client(&camera.request_for(&key_id).await, "camera-1").unwrap();
    let request = but(upload(&issued), |request| {
        request.alias = Some("mine".to_owned());
        request.key_alias = Some("ignored".to_owned());
        request.private_key_required = Some(true);
    });
    let stored = camera.get(&request).await;
    assert_eq!(stored.key_id, key_id);
    let get = GetCertificate::with(|request| request.certificate_id.clone_from(&stored.certificate_id));
    let shown = camera.get(&get).await.certificate;
    assert_eq!((shown.certificate_id, shown.key_id), (stored.certificate_id, key_id.clone()));
    assert_eq!((shown.alias.as_deref(), shown.has_private_key), (Some("mine"), Some(true)));
    assert_eq!(*shown.certificate_content, *issued);

    // The root brings its public key along, and no private one.
    let required = but(upload(authority.certificate()), |request| request.private_key_required = Some(true));
    assert_eq!(camera.refused(&required).await, "env:Receiver/ter:Action/ter:NoMatchingPrivateKey");
    let aliased = but(upload(authority.certificate()), |request| request.key_alias = Some("root's".to_owned()));
    let root = camera.get(&aliased).await;
    let keys = camera.keys().await;
    let key = keys.iter().find(|key| key.key_id == root.key_id).unwrap();
    assert_eq!((key.has_private_key, key.externally_generated), (Some(false), Some(true)));
    assert_eq!((key.alias.as_deref(), &key.key_status), (Some("root's"), &KeyStatus::Ok));
    assert_eq!(
        keys.iter().find(|key| key.key_id == key_id).unwrap().alias,
        None,
        "a key that was there keeps its alias"
    );

    // A second certificate for the same key, and one for the device's own.
    let renewed = authority.certify_client(&camera.request_for(&key_id).await, "camera-1").unwrap();
    assert_eq!(camera.get(&upload(&renewed)).await.key_id, key_id);
    let own = authority.certify_client(&camera.request_for("device").await, "camera-1").unwrap();
    assert_eq!(camera.get(&upload(&own)).await.key_id, "device");
    let all = camera.get(&GetAllCertificates::default()).await.certificate;
    assert_eq!(all.len(), 5);
    assert_eq!(all.iter().filter(|shown| shown.has_private_key == Some(true)).count(), 4);
}

#[tokio::test]
async fn bad_certificates_are_refused_and_nothing_is_kept() {
    let camera = Camera::start().await;
    let good = certificate();
    // ecdsa-with-SHA256 becomes ecdsa-with-SHA1, the curve becomes one of Brainpool's age: what the bytes are is looked at, no signature.
    let replaced = |from: &[u8], to: &[u8]| {
        let mut der = good.clone();
        for place in 0..=der.len() - from.len() {
            if der[place..].starts_with(from) {
                der[place..place + to.len()].copy_from_slice(to);
            }
        }
        assert_ne!(der, good);
        der
    };
    let other_curve = replaced(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 4]);
    let old_signature = replaced(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1]);
    let pem = b"-----BEGIN CERTIFICATE-----".to_vec();
    let cases = [
        ("BadCertificate", Vec::new()),
        ("BadCertificate", pem),
        ("BadCertificate", good[..good.len() / 2].to_vec()),
        ("BadCertificate", [&good[..], &good[..]].concat()),
        ("BadCertificate", vec![0x30; MAX_CERTIFICATE + 1]),
        ("BadCertificate", vec![0x30, 0x80, 0, 0]),
        ("BadCertificate", replaced(&[2, 1, 2], &[2, 1, 0])),
        ("UnsupportedPublicKeyAlgorithm", other_curve),
        ("UnsupportedSignatureAlgorithm", old_signature),
    ];
    for (expected, der) in &cases {
        let fault = camera.refused(&upload(der)).await;
        assert_eq!(fault, format!("env:Sender/ter:InvalidArgVal/ter:{expected}"), "{} bytes", der.len());
    }
    let alias = but(upload(&good), |request| request.alias = Some("a".repeat(257)));
    assert_eq!(camera.refused(&alias).await, "env:Sender/ter:InvalidArgVal");
    let before = std::fs::read(camera.folder.path().join("data/state.json")).unwrap();
    // As much as a request may hold, and more.
    assert_eq!(camera.refused(&upload(&vec![7; 190_000])).await, "env:Sender/ter:InvalidArgVal/ter:BadCertificate");
    let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
    let huge = camera.post(DEVICE, with_token(&upload(&vec![7; 400_000]), token)).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(std::fs::read(camera.folder.path().join("data/state.json")).unwrap(), before);
    assert_eq!((camera.keys().await.len(), camera.get(&GetAllCertificates::default()).await.certificate.len()), (1, 1));

    camera.get(&upload(&good)).await;
    assert_eq!(camera.refused(&upload(&good)).await, "env:Sender/ter:InvalidArgVal/ter:Duplicate");
    let missing = GetCertificate::with(|request| request.certificate_id = "none".to_owned());
    let no_certificate = "env:Sender/ter:InvalidArgVal/ter:CertificateID";
    assert_eq!(camera.refused(&missing).await, no_certificate);
    assert_eq!(camera.refused(&delete("none")).await, no_certificate);
}

#[tokio::test]
async fn as_many_certificates_and_policies_as_stated_and_no_more() {
    let camera = Camera::start().await;
    let told = camera.get(&security::GetServiceCapabilities::default()).await.capabilities.keystore_capabilities;
    let mut ids = Vec::new();
    for _ in 1..told.maximum_number_of_certificates.unwrap() {
        ids.push(camera.get(&upload(&certificate())).await.certificate_id);
    }
    let full = "env:Receiver/ter:Action/ter:MaximumNumberOfCertificatesReached";
    assert_eq!(camera.refused(&upload(&certificate())).await, full);
    // A deleted certificate leaves its public key, and there is room for as many of those.
    camera.get(&delete(&ids[0])).await;
    let keys = "env:Receiver/ter:Action/ter:MaximumNumberOfKeysReached";
    assert_eq!(camera.refused(&upload(&certificate())).await, keys);
    let unused = camera.keys().await[1].key_id.clone();
    camera.delete_key(&unused).await.unwrap();
    camera.get(&upload(&certificate())).await;

    for _ in 0..told.maximum_number_of_certification_path_validation_policies.unwrap() {
        camera.get(&policy(&[&ids[1]])).await;
    }
    let full = "env:Receiver/ter:Action/ter:MaximumNumberOfCertPathValidationPoliciesReached";
    assert_eq!(camera.refused(&policy(&[&ids[1]])).await, full);
}

#[tokio::test]
async fn a_policy_keeps_what_it_was_given_and_refuses_what_it_cannot_keep() {
    let camera = Camera::start().await;
    let root = camera.get(&upload(Authority::new("A").unwrap().certificate())).await.certificate_id;
    let mut request = policy(&[&root, "device"]);
    request.alias = Some("the cloud".to_owned());
    request.parameters.use_delta_crls = Some(true);
    request.parameters.require_tls_www_client_auth_extended_key_usage = Some(false);
    let id = camera.get(&request).await.cert_path_validation_policy_id;
    let get = GetCertPathValidationPolicy::with(|request| request.cert_path_validation_policy_id.clone_from(&id));
    let shown = camera.get(&get).await.cert_path_validation_policy;
    assert_eq!((&shown.cert_path_validation_policy_id, &shown.alias), (&id, &request.alias));
    assert_eq!((shown.parameters.use_delta_crls, &shown.trust_anchor), (Some(true), &request.trust_anchor));
    let all = camera.get(&GetAllCertPathValidationPolicies::default()).await;
    assert_eq!(all.cert_path_validation_policy, [shown]);

    let no_certificate = "env:Sender/ter:InvalidArgVal/ter:CertificateID";
    assert_eq!(camera.refused(&policy(&[&root, "none"])).await, no_certificate);
    assert_eq!(camera.refused(&policy(&[])).await, "env:Sender/ter:InvalidArgs");
    let parameters = "env:Sender/ter:InvalidArgVal/ter:CertPathValidationParameters";
    assert_eq!(camera.refused(&policy(&[root.as_str(); 17])).await, parameters);
    let mut strict = policy(&[&root]);
    strict.parameters.require_tls_www_client_auth_extended_key_usage = Some(true);
    assert_eq!(camera.refused(&strict).await, parameters);
    let mut unknown = policy(&[&root]);
    let any = oriel_soap::xml::Any::from_xml("<v:Pins xmlns:v=\"urn:vendor\"/>", &Limits::REQUEST).unwrap();
    unknown.any_parameters = Some(AnyParameters::with(|more| more.any.push(any)));
    assert_eq!(camera.refused(&unknown).await, parameters);

    let no_policy = "env:Sender/ter:InvalidArgVal/ter:CertPathValidationPolicyID";
    assert_eq!(camera.refused(&delete_policy("none")).await, no_policy);
    camera.get(&delete_policy(&id)).await;
    assert_eq!(camera.refused(&get).await, no_policy);
}

#[tokio::test]
async fn what_is_referred_to_stays_and_what_is_built_in_stays_too() {
    let cloud = super::super::cloud_end::Cloud::listen().await;
    let camera = cloud.camera().await;
    let in_use = "env:Sender/ter:InvalidArgVal/ter:ReferenceExists";
    let root = camera.get(&upload(Authority::new("A").unwrap().certificate())).await;
    let id = camera.get(&policy(&[&root.certificate_id])).await.cert_path_validation_policy_id;
    assert_eq!(name(&camera.delete_key(&root.key_id).await.unwrap_err()), in_use);
    assert_eq!(camera.refused(&delete(&root.certificate_id)).await, in_use);
    camera.get(&delete_policy(&id)).await;
    camera.get(&delete(&root.certificate_id)).await;
    camera.delete_key(&root.key_id).await.unwrap();

    // The device's own, and what its configuration names: the anchor of the policy `cloud` is shown as a certificate.
    let certificates = camera.get(&GetAllCertificates::default()).await.certificate;
    let ids: Vec<_> = certificates.iter().map(|shown| shown.certificate_id.as_str()).collect();
    assert_eq!(ids, ["device", "cloud-anchor-1"]);
    assert_eq!(*certificates[1].certificate_content, **cloud.authority.certificate());
    let policies = camera.get(&GetAllCertPathValidationPolicies::default()).await.cert_path_validation_policy;
    assert_eq!(policies[0].trust_anchor[0].certificate_id, "cloud-anchor-1");
    assert_eq!(camera.refused(&delete("device")).await, "env:Receiver/ter:Action/ter:CertificateDeletionFailed");
    assert_eq!(camera.refused(&delete("cloud-anchor-1")).await, in_use);
    assert_eq!(camera.refused(&delete_policy("cloud")).await, in_use);
    assert_eq!(name(&camera.delete_key("device").await.unwrap_err()), in_use);
    assert_eq!(
        camera.refused(&upload(cloud.authority.certificate())).await,
        "env:Sender/ter:InvalidArgVal/ter:Duplicate"
    );
}
