//! Uplinks with keys, certificates and policies out of the key store, and their renewal through the uplink itself (Uplink §5.3, §6.3).

use super::super::cloud_end::{Cloud, Tunnel};
use super::certificates::{delete, delete_policy, policy, upload};
use super::*;
use oriel_onvif::uplink::{DeleteUplink, SetUplink};
use oriel_trust::Fingerprint;

fn uplink(cloud: &Cloud, certificate_id: &str, policy_id: &str) -> SetUplink {
    SetUplink::with(|request| {
        request.configuration = cloud.configuration(&["Administrator"]);
        request.configuration.certificate_id = Some(certificate_id.to_owned());
        request.configuration.cert_path_validation_policy_id = Some(policy_id.to_owned());
    })
}

/// Waits for a key as [`Camera::ready`] does, through a tunnel.
async fn ready(tunnel: &Tunnel, key_id: &str) {
    let request = GetKeyStatus::with(|request| request.key_id = key_id.to_owned());
    while tunnel.ask(&request).await.unwrap().key_status == KeyStatus::Generating {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_camera_comes_online_by_onvif_alone_and_renews_itself_through_its_uplink() {
    let (cloud, camera) = (Cloud::listen().await, Camera::start().await);
    let devices = Authority::new("Devices").unwrap();
    // What enrolment does on the LAN.
    let old_key = camera.elliptic_key().await;
    let request = camera.request_for(&old_key).await;
    let issued = devices.certify_client(&request, "camera-1").unwrap();
    let old = but(upload(&issued), |request| request.private_key_required = Some(true));
    let old = camera.get(&old).await.certificate_id;
    let root = camera.get(&upload(cloud.authority.certificate())).await.certificate_id;
    let anchors = camera.get(&policy(&[&root])).await.cert_path_validation_policy_id;
    camera.get(&uplink(&cloud, &old, &anchors)).await;
    let first = cloud.tunnel().await;
    assert_eq!(first.fingerprint, Some(request.fingerprint()));

    // What renewal does through the tunnel.
    let key_id = first.ask(&curve("secp384r1")).await.unwrap().key_id;
    ready(&first, &key_id).await;
    let mut wanted = requests::named("camera", &key_id);
    wanted.signature_algorithm.algorithm = "1.2.840.10045.4.3.3".to_owned();
    let request = RequestedCertificate::read(&first.ask(&wanted).await.unwrap().pkcs10_csr).unwrap();
    let issued = devices.certify_client(&request, "camera-1").unwrap();
    let new = first.ask(&upload(&issued)).await.unwrap();
    assert_eq!(new.key_id, key_id);
    first.ask(&uplink(&cloud, &new.certificate_id, &anchors)).await.unwrap();
    let second = cloud.tunnel().await;
    assert_eq!(second.fingerprint, Some(request.fingerprint()));
    assert_ne!(second.fingerprint, first.fingerprint);
    second.ask(&delete(&old)).await.unwrap();
    second.ask(&DeleteKey::with(|request| request.key_id.clone_from(&old_key))).await.unwrap();
    // What is in use now stays.
    for fault in [
        second.ask(&delete(&new.certificate_id)).await.unwrap_err(),
        second.ask(&DeleteKey::with(|request| request.key_id.clone_from(&key_id))).await.unwrap_err(),
        second.ask(&delete_policy(&anchors)).await.unwrap_err(),
    ] {
        assert_eq!(name(&fault), "env:Sender/ter:InvalidArgVal/ter:ReferenceExists");
    }
    let stored = std::fs::read_to_string(camera.folder.path().join("data/state.json")).unwrap();
    assert!(!stored.contains(&old_key), "nothing is left of the old key");

    let gone = DeleteUplink::with(|request| request.remote_address = cloud.url("https"));
    camera.get(&gone).await;
    camera.get(&delete_policy(&anchors)).await;
    camera.get(&delete(&new.certificate_id)).await;
    camera.get(&delete(&root)).await;
}

#[tokio::test]
async fn a_restarted_camera_dials_with_what_it_stored() {
    let (cloud, camera) = (Cloud::listen().await, Camera::start().await);
    let devices = Authority::new("Devices").unwrap();
    let request = camera.request_for(&camera.elliptic_key().await).await;
    let issued = devices.certify_client(&request, "camera-1").unwrap();
    let leaf = camera.get(&upload(&issued)).await.certificate_id;
    let root = camera.get(&upload(cloud.authority.certificate())).await.certificate_id;
    let anchors = camera.get(&policy(&[&root])).await.cert_path_validation_policy_id;
    camera.get(&uplink(&cloud, &leaf, &anchors)).await;
    drop(cloud.tunnel().await);
    let Camera { device, folder } = camera;
    device.stop().await;
    let device = Device::start(config(&folder, |_| {})).await.unwrap();
    assert_eq!(cloud.tunnel().await.fingerprint, Some(request.fingerprint()));
    assert_ne!(Some(device.fingerprint()), Some(request.fingerprint()), "not the key that it was made with");
}

#[tokio::test]
async fn an_uplink_names_only_what_it_can_use() {
    let (cloud, camera) = (Cloud::listen().await, Camera::start().await);
    let root = camera.get(&upload(cloud.authority.certificate())).await.certificate_id;
    let anchors = camera.get(&policy(&[&root])).await.cert_path_validation_policy_id;
    let no_certificate = "env:Sender/ter:InvalidArgVal/ter:CertificateID";
    assert_eq!(camera.refused(&uplink(&cloud, "none", &anchors)).await, no_certificate);
    // Its private key is elsewhere.
    assert_eq!(camera.refused(&uplink(&cloud, &root, &anchors)).await, no_certificate);
    let no_policy = "env:Sender/ter:InvalidArgVal/ter:CertPathValidationPolicyID";
    assert_eq!(camera.refused(&uplink(&cloud, "device", "none")).await, no_policy);
    assert_eq!(camera.refused(&uplink(&cloud, "device", &root)).await, no_policy);
    camera.get(&uplink(&cloud, "device", &anchors)).await;
    assert_eq!(cloud.tunnel().await.fingerprint, Some(camera.device.fingerprint()));
}

#[tokio::test]
async fn a_cloud_that_the_policy_does_not_vouch_for_gets_no_tunnel() {
    let (cloud, camera) = (Cloud::listen().await, Camera::start().await);
    let stranger = camera.get(&upload(Authority::new("A test cloud").unwrap().certificate())).await.certificate_id;
    let anchors = camera.get(&policy(&[&stranger])).await.cert_path_validation_policy_id;
    camera.get(&uplink(&cloud, "device", &anchors)).await;
    drop(cloud.attempt().await);
    let known: Fingerprint = camera.device.fingerprint();
    let error = loop {
        if let Some(error) = camera.device.uplinks().remove(0).error {
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert!(error.contains("TLS"), "{error} {known}");
}
