//! The organisation's device authority: what it grants for a code, what it refuses and why, renewal over the uplink, and other people's authorities.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use oriel_client::provision::{Issued, Plan, Provision};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_onvif::security::{
    CreateCertPathValidationPolicy, DeleteCertPathValidationPolicy, GetAllCertificates, GetAllKeys, TrustAnchor,
};
use oriel_soap::With as _;
use oriel_trust::{
    Authority, Certificate, CertificationRequest, Extension, Fingerprint, Identity, KeyAlgorithm, KeyPair, NameValue,
    Oid, SignatureScheme, certificates, pem,
};
use oriel_uplink::cloud::CloseReason;
use serde_json::{Value, json};

use super::api::{DEVICES, call, create, sent, show};
use super::camera::{Camera, soap_ok};
use super::client::{Answer, device_service, message, soap};
use super::{House, me};

const ENROLMENTS: &str = "/api/v1/enrolments";
const ENROL: &str = "/api/v1/enrol";
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn code(house: &House) -> String {
    create(house, ENROLMENTS, &json!({ "name": "gate" })).await["code"].as_str().unwrap().to_owned()
}

/// Anybody's request: the code is the right.
async fn enrol(house: &House, code: &str, csr: &str) -> Answer {
    let mut asked: Request<Vec<u8>> = sent(Method::POST, ENROL, "", &json!({ "code": code, "csr": csr }));
    asked.headers_mut().remove("authorization");
    house.ask(asked).await
}

/// A request under a key, with these common names and extensions.
fn csr(key: &KeyPair, names: &[&str], extensions: Vec<Extension>) -> String {
    let name = |name: &&str| vec![(Oid::parse("2.5.4.3").unwrap(), NameValue::Utf8((*name).to_owned()))];
    let subject = names.iter().map(name).collect();
    let made = CertificationRequest { subject, extensions, ..CertificationRequest::default() };
    pem("CERTIFICATE REQUEST", &made.sign(key, SignatureScheme::EcdsaSha256).unwrap())
}

fn fresh() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::P256).unwrap()
}

/// Brings a factory-fresh camera in, as `oriel enroll` does. Returns the device's id.
async fn enrolled(house: &House) -> (Camera, String) {
    let camera = Camera::at(house).await;
    house.scope().remove_devices(&me(), &[camera.id.to_string()].into()).await.unwrap();
    let client = camera.lan();
    let plan = Plan {
        alias: "oriel-localhost".to_owned(),
        cloud: house.url("https").parse().unwrap(),
        levels: vec!["Administrator".to_owned()],
        replace: false,
    };
    let (mut provision, _) = Provision::begin(&client, plan, Box::new(|_| {})).await.unwrap();
    let request = pem("CERTIFICATE REQUEST", &provision.request().await.unwrap());
    let answer = enrol(house, &code(house).await, &request).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let granted = answer.json();
    let der = |name: &str| certificates(granted[name].as_str().unwrap().as_bytes()).unwrap();
    let issued = Issued {
        certificate: der("certificate")[0].to_vec(),
        anchors: der("anchors").iter().map(|anchor| anchor.to_vec()).collect(),
        remote_address: house.url("https"),
    };
    provision.install(&issued).await.unwrap();
    provision.connected(Duration::from_secs(20)).await.unwrap();
    provision.finish().await.unwrap();
    (camera, granted["device"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_code_gives_a_certificate_of_the_organisation_for_clients_under_our_name() {
    let house = House::open().await;
    let (code, key) = (code(&house).await, fresh());
    let answer = enrol(&house, &code, &csr(&key, &["oriel-device"], Vec::new())).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let granted = answer.json();
    let chain = certificates(granted["certificate"].as_str().unwrap().as_bytes()).unwrap();
    let (id, authority) = (granted["device"].as_str().unwrap(), granted["device_authority"].as_str().unwrap());
    assert_eq!(certificates(authority.as_bytes()).unwrap(), chain[1..]);
    oriel_trust::vouches(&chain[1], &chain, std::time::SystemTime::now()).unwrap();
    assert_eq!(oriel_trust::subject_part(&chain[0], oriel_trust::SubjectPart::CommonName).unwrap(), id);
    assert_eq!(Certificate::read(&chain[0]).unwrap().public_key(), key.public_key());
    assert_eq!(granted["remote_address"], json!(format!("https://localhost:{}/", house.address.port())));
    let shown = show(&house, id).await;
    assert_eq!((&shown["name"], &shown["credentials"][0]["origin"]), (&json!("gate"), &json!("issued")));
    // The same installer, the same camera, once more: his command was killed.
    let again = enrol(&house, &code, &csr(&key, &[], Vec::new())).await;
    assert_eq!((again.status, &again.json()["device"]), (StatusCode::OK, &json!(id)));
    let listed = call(&house, Method::GET, ENROLMENTS, &Value::Null).await;
    assert_eq!(listed.json()["items"][0]["devices"], json!([id]));
    assert_eq!((&listed.json()["items"][0]["uses"], &listed.json()["items"][0]["used"]), (&json!(1), &json!(1)));
    assert!(!listed.text.contains(&code));
    // One authority for all.
    let other = enrol(&house, &super::device_authority::code(&house).await, &csr(&fresh(), &[], Vec::new())).await;
    assert_eq!(other.json()["device_authority"].as_str().unwrap(), authority);
}

#[tokio::test]
async fn a_code_for_several_lets_each_in_under_its_own_name() {
    let house = House::open().await;
    for uses in [json!(0), json!(1001), json!(-1), json!("2"), json!(1.5)] {
        let asked = call(&house, Method::POST, ENROLMENTS, &json!({ "uses": uses })).await;
        assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY, "{uses}: {asked:?}");
    }
    let made = create(&house, ENROLMENTS, &json!({ "name": "site", "uses": 2 })).await;
    assert_eq!((&made["uses"], &made["used"], &made["devices"]), (&json!(2), &json!(0), &json!([])));
    let ask = async |name: &str| {
        let body = json!({ "code": made["code"], "csr": csr(&fresh(), &[], Vec::new()), "name": name });
        let mut asked: Request<Vec<u8>> = sent(Method::POST, ENROL, "", &body);
        asked.headers_mut().remove("authorization");
        house.ask(asked).await
    };
    let nameless = ask("a\u{7}b").await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY, "{nameless:?}");
    for name in ["ramp", "gate"] {
        let granted = ask(name).await;
        assert_eq!(granted.status, StatusCode::OK, "{granted:?}");
        assert_eq!(show(&house, granted.json()["device"].as_str().unwrap()).await["name"], json!(name));
    }
    assert_eq!(ask("third").await.status, StatusCode::GONE);
}

#[tokio::test]
async fn what_is_not_granted_is_refused_with_the_reason_and_uses_no_code_up() {
    let house = House::open().await;
    let (good, key) = (code(&house).await, fresh());
    let authority =
        Extension { oid: Oid::parse("2.5.29.19").unwrap(), critical: true, value: vec![0x30, 3, 1, 1, 0xff] };
    let twice = Identity::self_signed("known", &[]).unwrap();
    house.register(twice.fingerprint()).await;
    let mut broken = csr(&key, &[], Vec::new());
    broken.replace_range(60..64, "AAAA");
    for (request, status, word) in [
        (csr(&key, &[], vec![authority]), 422, "become an authority"),
        (csr(&key, &["somebody-else"], Vec::new()), 422, "subject"),
        (csr(&key, &["oriel-device", "and more"], Vec::new()), 422, "subject"),
        ("no request".to_owned(), 422, "PEM"),
        (broken, 422, "not granted"),
        (twice.to_pem().0, 422, "PEM"),
    ] {
        let answer = enrol(&house, &good, &request).await;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        assert!(answer.problem().contains(word), "{word}: {answer:?}");
    }
    let request = csr(&key, &[], Vec::new());
    let wrong = enrol(&house, "not a code", &request).await;
    assert_eq!((wrong.status, wrong.problem().contains("not known")), (StatusCode::GONE, true), "{wrong:?}");
    assert_eq!(enrol(&house, &good, &request).await.status, StatusCode::OK);
    let used = enrol(&house, &good, &csr(&fresh(), &[], Vec::new())).await;
    assert_eq!((used.status, used.problem().contains("used already")), (StatusCode::GONE, true), "{used:?}");
    let second = enrol(&house, &code(&house).await, &request).await;
    assert_eq!(second.status, StatusCode::CONFLICT, "the key of another device: {second:?}");
    let late = code(&house).await;
    let made = create(&house, ENROLMENTS, &json!({})).await;
    let path = format!("{ENROLMENTS}/{}", made["id"].as_str().unwrap());
    assert_eq!(call(&house, Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
    let withdrawn = enrol(&house, made["code"].as_str().unwrap(), &csr(&fresh(), &[], Vec::new())).await;
    assert_eq!(withdrawn.status, StatusCode::GONE);
    house.cloud.records().clock().shift(2 * DAY);
    let late = enrol(&house, &late, &csr(&fresh(), &[], Vec::new())).await;
    assert_eq!((late.status, late.problem().contains("time is over")), (StatusCode::GONE, true), "{late:?}");
    let mut last = late;
    for _ in 0..40 {
        last = enrol(&house, "guessed", &request).await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS, "{last:?}");
}

#[tokio::test]
async fn a_camera_is_enrolled_over_onvif_and_shut_out_at_once() {
    let house = House::open().await;
    let (_camera, id) = enrolled(&house).await;
    house.online(&id.as_str().into()).await;
    let asked = || soap(&device_service(&id), &house.administrator, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask(asked()).await.status, StatusCode::OK);
    let tunnel = house.cloud.registry().presence(&id).tunnels[0].tunnel.clone();
    assert_eq!(
        call(&house, Method::POST, &format!("{DEVICES}/{id}/revoke"), &Value::Null).await.status,
        StatusCode::OK
    );
    assert_eq!(tunnel.closed().await, CloseReason::Revoked);
}

#[tokio::test]
async fn a_certificate_is_renewed_over_the_uplink_before_two_thirds_of_its_life_are_over() {
    let house = House::open().await;
    let (camera, id) = enrolled(&house).await;
    house.online(&id.as_str().into()).await;
    let before = show(&house, &id).await;
    let (old, end) = (before["fingerprints"][0].clone(), before["credentials"][0]["expires"].as_u64().unwrap());
    house.cloud.renew_due().await;
    assert_eq!(show(&house, &id).await["fingerprints"], json!([old]), "not due yet");

    house.cloud.records().clock().shift(270 * DAY);
    house.cloud.renew_due().await;
    let after = show(&house, &id).await;
    let fingerprints = after["fingerprints"].as_array().unwrap();
    assert_eq!(fingerprints.len(), 1, "the old key is gone: {after}");
    assert_ne!(fingerprints[0], old);
    assert!(after["credentials"][0]["expires"].as_u64().unwrap() > end + 200 * 86_400_000);
    assert_eq!(after["status"], "online");
    let key: Fingerprint = fingerprints[0].as_str().unwrap().parse().unwrap();
    let shown = house.cloud.registry().presence(&id).tunnels;
    assert!(shown.iter().any(|held| held.credential == oriel_cloud::records::CredentialKind::Key(key)));
    // Nothing is left on the camera of what is not needed any more: its own key and the one that is in use.
    let lan = camera.lan();
    let keys = lan.call(GetAllKeys::default()).await.unwrap().key_attribute;
    let private = keys.iter().filter(|key| key.has_private_key == Some(true)).count();
    let held = lan.call(GetAllCertificates::default()).await.unwrap().certificate;
    assert_eq!(private, 2, "{keys:?}");
    assert!(held.len() <= 5, "{held:?}");
    let audit =
        call(&house, Method::GET, &format!("/api/v1/audit?target={id}&action=device.renew"), &Value::Null).await;
    assert_eq!(audit.json()["items"].as_array().unwrap().len(), 1);
    // By hand, at any time.
    let answer = call(&house, Method::POST, &format!("{DEVICES}/{id}/renew"), &Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_ne!(answer.json()["fingerprints"][0], fingerprints[0]);
    let asked = soap(&device_service(&id), &house.administrator, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask(asked).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_root_that_will_be_served_reaches_the_cameras_before_it_is() {
    let mut file = std::path::PathBuf::new();
    let house = House::open_with(|config| {
        file = config.data.join("anchors.pem");
        config.anchors = Some(file.clone());
    })
    .await;
    let ours = std::fs::read_to_string(house.cloud.ca().unwrap()).unwrap();
    std::fs::write(&file, &ours).unwrap();
    let (camera, id) = enrolled(&house).await;
    house.online(&id.as_str().into()).await;
    house.cloud.renew_due().await;
    let lan = camera.lan();
    let anchors = async || {
        let held = lan.call(GetAllCertificates::default()).await.unwrap().certificate;
        held.into_iter().map(|held| held.certificate_content.to_vec()).collect::<Vec<_>>()
    };
    let next = Authority::new("the next root").unwrap().certificate_pem();
    let der = certificates(next.as_bytes()).unwrap().remove(0).to_vec();
    let before = show(&house, &id).await["fingerprints"].clone();
    assert!(!anchors().await.contains(&der));
    std::fs::write(&file, ours.clone() + &next).unwrap();
    house.cloud.renew_due().await;
    assert!(anchors().await.contains(&der));
    let after = show(&house, &id).await["fingerprints"].clone();
    assert_ne!(after, before, "it came with a new key");
    std::fs::write(&file, next + &ours).unwrap();
    house.cloud.renew_due().await;
    assert_eq!(show(&house, &id).await["fingerprints"], after, "nothing has changed");
}

#[tokio::test]
async fn a_renewal_that_fails_on_the_camera_leaves_no_key_behind_and_is_tried_again() {
    let house = House::open().await;
    let (camera, id) = enrolled(&house).await;
    house.online(&id.as_str().into()).await;
    let before = show(&house, &id).await["fingerprints"].clone();
    // No room for one more policy: the camera fails after its new key was granted.
    let lan = camera.lan();
    let anchor = lan.call(GetAllCertificates::default()).await.unwrap().certificate[0].certificate_id.clone();
    let mut made = Vec::new();
    while let Ok(policy) = lan
        .call(CreateCertPathValidationPolicy::with(|policy| {
            policy.trust_anchor = vec![TrustAnchor::with(|one| one.certificate_id.clone_from(&anchor))];
        }))
        .await
    {
        made.push(policy.cert_path_validation_policy_id);
    }
    assert!(!made.is_empty());
    house.cloud.records().clock().shift(270 * DAY);
    for _again in 0..2 {
        house.cloud.renew_due().await;
        assert_eq!(show(&house, &id).await["fingerprints"], before, "only the key that the camera has");
    }
    let delete = DeleteCertPathValidationPolicy::with(|gone| gone.cert_path_validation_policy_id.clone_from(&made[0]));
    lan.call(delete).await.unwrap();
    house.cloud.renew_due().await;
    let after = show(&house, &id).await;
    assert_ne!(after["fingerprints"], before);
    assert_eq!(after["fingerprints"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_camera_that_was_not_enrolled_says_why_it_cannot_be_renewed() {
    let house = House::open().await;
    let puppet = house.puppet("https", |_| async { soap_ok() }).await;
    let answer = call(&house, Method::POST, &format!("{DEVICES}/{}/renew", puppet.id), &Value::Null).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{answer:?}");
    assert!(answer.problem().contains("the camera"), "{answer:?}");
}

#[tokio::test]
async fn a_name_that_a_pinned_authority_certifies_lets_a_device_in() {
    let house = House::open().await;
    let (makers, forgers) =
        (Authority::new("A maker of cameras").unwrap(), Authority::new("A maker of cameras").unwrap());
    let pinned = json!({ "certificate": makers.certificate_pem(), "identity": "common_name" });
    let pinned = create(&house, "/api/v1/authorities", &pinned).await;
    let id = create(&house, DEVICES, &json!({ "name": "by name" })).await["id"].as_str().unwrap().to_owned();
    let name = json!({ "authority": pinned["id"], "name": "S/N 42" });
    let answer = call(&house, Method::POST, &format!("{DEVICES}/{id}/names"), &name).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let other = create(&house, DEVICES, &json!({ "name": "other" })).await["id"].as_str().unwrap().to_owned();
    let taken = call(&house, Method::POST, &format!("{DEVICES}/{other}/names"), &name).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);

    let dial = |identity: &Identity| house.dial_as(identity, "https", |_| async { soap_ok() });
    let strangers = [
        dial(&makers.issue_client("S/N 43").unwrap()),
        dial(&forgers.issue_client("S/N 42").unwrap()),
        dial(&Identity::self_signed("S/N 42", &[]).unwrap()),
    ];
    let known = dial(&makers.issue_client("S/N 42").unwrap());
    house.online(&id.as_str().into()).await;
    assert_eq!(house.tunnels(&id), 1);
    assert_eq!(show(&house, &other).await["status"], "offline");
    drop(strangers);
    // A new certificate under the same name is as good.
    let renewed = dial(&makers.issue_client("S/N 42").unwrap());
    super::until("the second tunnel", || house.tunnels(&id) == 2).await;
    let tunnels: Vec<_> = house.cloud.registry().presence(&id).tunnels.into_iter().map(|held| held.tunnel).collect();
    let path = format!("/api/v1/authorities/{}", pinned["id"].as_str().unwrap());
    assert_eq!(call(&house, Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
    for tunnel in tunnels {
        assert_eq!(tunnel.closed().await, CloseReason::Revoked);
    }
    drop((known, renewed));
    let leaf = Identity::self_signed("no authority", &[]).unwrap().to_pem().0;
    // The bound is what the description says, though the certificate in front of the rest could be read.
    let long = format!("{}\n{}", makers.certificate_pem(), "*".repeat(32_768));
    for certificate in [leaf, long] {
        let refused = json!({ "certificate": certificate, "identity": "common_name" });
        let refused = call(&house, Method::POST, "/api/v1/authorities", &refused).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    }
}

#[tokio::test]
async fn a_name_that_two_organisations_claim_is_nobodys() {
    let house = House::open().await;
    let makers = Authority::new("A maker of cameras").unwrap();
    let rivals = house.cloud.records().add_organisation(&me(), "rivals", "chief@rivals.example").await.unwrap().0;
    let ours = house.cloud.records().first_organisation().unwrap();
    let mut devices = Vec::new();
    for organisation in [&ours, &rivals.id] {
        let scope = house.cloud.records().within(organisation);
        let common_name = oriel_cloud::records::Identity::CommonName;
        let pinned = scope.pin_authority(&me(), &makers.certificate_pem(), common_name).await.unwrap();
        let device = scope.add_device(&me(), "claimed", None).await.unwrap();
        scope.add_name(&me(), &device.id, &pinned.id, "S/N 42").await.unwrap();
        devices.push(device.id.clone());
    }
    let camera = makers.issue_client("S/N 42").unwrap();
    let _uplink = house.dial_as(&camera, "https", |_| async { soap_ok() });
    let alarmed = async || show(&house, &devices[0]).await["alarms"] != json!(0);
    while !alarmed().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(devices.iter().map(|id| house.tunnels(id)).sum::<usize>(), 0);
    house.cloud.records().within(&rivals.id).remove_devices(&me(), &[devices[1].to_string()].into()).await.unwrap();
    house.online(&devices[0]).await;
}
