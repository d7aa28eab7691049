//! The security service on the LAN: what it says of itself, keys, and what a restart keeps (Security §5.2).

mod certificates;
mod requests;
mod uplinks;

use super::*;
use oriel_onvif::device_mgmt::GetServices;
use oriel_onvif::security::*;
use oriel_onvif::{ns, security};
use oriel_soap::With;
use oriel_soap::xml::{Base64, List};
use oriel_trust::{Authority, Certificate, RequestedCertificate};

const ADMINISTRATOR: As<'_> = As::Token("administrator");

/// ecdsa-with-SHA256.
const ECDSA: &str = "1.2.840.10045.4.3.2";

impl Camera {
    /// Asks as the administrator, and panics at a fault.
    async fn get<O: Operation>(&self, operation: &O) -> O::Response {
        self.ask(ADMINISTRATOR, operation).await.unwrap()
    }

    /// Asks as the administrator for what is refused: the name of the fault.
    async fn refused<O: Operation>(&self, operation: &O) -> String
    where
        O::Response: std::fmt::Debug,
    {
        let fault = self.ask(ADMINISTRATOR, operation).await.unwrap_err();
        assert!(fault.reason.contains(": "), "says what is wrong this time: {}", fault.reason);
        name(&fault)
    }

    async fn status(&self, key_id: &str) -> KeyStatus {
        self.get(&GetKeyStatus::with(|request| request.key_id = key_id.to_owned())).await.key_status
    }

    /// Waits as a client has to: there is no other sign on the wire.
    async fn ready(&self, key_id: &str) {
        while self.status(key_id).await == KeyStatus::Generating {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.status(key_id).await, KeyStatus::Ok);
    }

    async fn elliptic_key(&self) -> String {
        let key_id = self.get(&curve("secp256r1")).await.key_id;
        self.ready(&key_id).await;
        key_id
    }

    async fn request_for(&self, key_id: &str) -> RequestedCertificate {
        let der = self.get(&requests::named("camera", key_id)).await.pkcs10_csr;
        RequestedCertificate::read(&der).unwrap()
    }

    async fn delete_key(&self, key_id: &str) -> Result<DeleteKeyResponse, Fault> {
        self.ask(ADMINISTRATOR, &DeleteKey::with(|request| request.key_id = key_id.to_owned())).await
    }

    async fn keys(&self) -> Vec<KeyAttribute> {
        self.get(&GetAllKeys::default()).await.key_attribute
    }
}

fn curve(name: &str) -> CreateECCKeyPair {
    CreateECCKeyPair::with(|request| request.elliptic_curve = name.to_owned())
}

/// A request with a change: wire structs of another crate have no struct update.
fn but<T>(mut request: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut request);
    request
}

fn rsa(bits: u32) -> CreateRSAKeyPair {
    CreateRSAKeyPair::with(|request| request.key_length = bits)
}

#[tokio::test]
async fn what_the_service_says_of_itself_is_true_and_said_alike_everywhere() {
    let camera = Camera::start().await;
    let told = camera.ask(As::Nobody, &security::GetServiceCapabilities::default()).await.unwrap().capabilities;
    let keystore = &told.keystore_capabilities;
    // The device's own key and certificate are among what is counted.
    assert_eq!(keystore.maximum_number_of_keys, Some(17));
    assert_eq!(keystore.maximum_number_of_certificates, Some(33));
    assert_eq!(keystore.maximum_number_of_certification_path_validation_policies, Some(8));
    assert_eq!(keystore.key_pair_generation, Some(List::words(&["RSA", "ECC"])));
    assert_eq!(keystore.pkcs10, Some(true));
    assert_eq!((keystore.pkcs8, keystore.pkcs12), (Some(false), Some(false)));
    assert_eq!(keystore.signature_algorithms.len(), 5);
    assert_eq!(told.tls_server_capabilities.tls_server_supported, None);

    let services = camera.ask(As::Nobody, &GetServices::with(|request| request.include_capability = true)).await;
    let services = services.unwrap().service;
    let service = services.iter().find(|service| service.namespace == ns::TAS.uri).unwrap();
    assert!(service.x_addr.ends_with("/onvif/security_service"), "{}", service.x_addr);
    let shown = service.capabilities.as_ref().unwrap().any[0].to::<security::Capabilities>().unwrap();
    assert_eq!(shown, told);
    // What is not offered says so, and does not say "unknown".
    let message =
        format!("<x:UploadPassphrase xmlns:x=\"{}\"><x:Passphrase>p</x:Passphrase></x:UploadPassphrase>", ns::TAS.uri);
    let message = oriel_soap::xml::Any::from_xml(&message, &Limits::REQUEST).unwrap();
    let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
    let headers = Headers { username_token: Some(token), ..Headers::default() };
    let answer = camera.post("/onvif/security_service", envelope::request_raw(&message, &headers)).await;
    assert_eq!(name(&fault_of(&answer)), "env:Receiver/ter:ActionNotSupported");
}

#[tokio::test]
async fn keys_of_each_kind_are_made_and_told() {
    let camera = Camera::start().await;
    let mut ids = Vec::new();
    for request in ["secp256r1", "secp384r1"].map(curve) {
        let answer = camera.get(&but(request, |request| request.alias = Some("<ECC> & more".to_owned()))).await;
        assert!(answer.estimated_creation_time.0.is_positive());
        ids.push(answer.key_id);
    }
    let answer = camera.get(&rsa(2048)).await;
    assert!(answer.estimated_creation_time.0.is_positive());
    ids.push(answer.key_id);
    for id in &ids {
        camera.ready(id).await;
        let request = GetPrivateKeyStatus::with(|request| request.key_id.clone_from(id));
        assert!(camera.get(&request).await.has_private_key);
    }
    let keys = camera.keys().await;
    assert_eq!(keys[0].key_id, "device", "the device's own key is there too");
    assert_eq!(keys.iter().skip(1).map(|key| key.key_id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(keys[1].alias.as_deref(), Some("<ECC> & more"));
    assert_eq!(keys[3].alias, None);
    for key in &keys {
        assert_eq!((key.has_private_key, &key.key_status), (Some(true), &KeyStatus::Ok), "{key:?}");
        assert_eq!((key.externally_generated, key.securely_stored), (Some(false), Some(false)));
    }
    camera.delete_key(&ids[2]).await.unwrap();
    assert_eq!(camera.keys().await.len(), 3);
    assert_eq!(name(&camera.delete_key(&ids[2]).await.unwrap_err()), "env:Sender/ter:InvalidArgVal/ter:KeyID");
}

#[tokio::test]
async fn what_cannot_be_made_or_found_has_its_fault() {
    let camera = Camera::start().await;
    for bits in [0, 1024, 2047, 8192, u32::MAX] {
        assert_eq!(camera.refused(&rsa(bits)).await, "env:Sender/ter:InvalidArgVal/ter:KeyLength", "{bits}");
    }
    for name in ["", "secp521r1", "P-256", "SECP256R1", "x25519"] {
        let fault = camera.refused(&curve(name)).await;
        assert_eq!(fault, "env:Sender/ter:InvalidArgVal/ter:UnsupportedEllipticCurve", "{name}");
    }
    let long = but(curve("secp256r1"), |request| request.alias = Some("a".repeat(300)));
    assert_eq!(camera.refused(&long).await, "env:Sender/ter:InvalidArgVal");
    let no_key = "env:Sender/ter:InvalidArgVal/ter:KeyID";
    assert_eq!(camera.refused(&GetKeyStatus::with(|request| request.key_id = "none".to_owned())).await, no_key);
    assert_eq!(camera.refused(&GetPrivateKeyStatus::with(|request| request.key_id = "none".to_owned())).await, no_key);
    assert_eq!(camera.refused(&DeleteKey::with(|request| request.key_id = "none".to_owned())).await, no_key);
    assert_eq!(camera.refused(&requests::named("camera", "none")).await, no_key);
    assert_eq!(camera.keys().await.len(), 1, "nothing was made");
}

#[tokio::test]
async fn as_many_keys_as_stated_and_no_more() {
    let camera = Camera::start().await;
    let told = camera.get(&security::GetServiceCapabilities::default()).await.capabilities.keystore_capabilities;
    let most = usize::try_from(told.maximum_number_of_keys.unwrap()).unwrap();
    while camera.keys().await.len() < most {
        camera.get(&curve("secp256r1")).await;
    }
    let full = "env:Receiver/ter:Action/ter:MaximumNumberOfKeysReached";
    assert_eq!(camera.refused(&curve("secp256r1")).await, full);
    assert_eq!(camera.refused(&rsa(2048)).await, full);
    camera.delete_key(&camera.keys().await[1].key_id).await.unwrap();
    camera.get(&curve("secp384r1")).await;
}

#[tokio::test]
async fn a_key_that_is_being_made_is_of_no_use_yet_and_can_be_deleted() {
    let camera = Camera::start().await;
    // Made one after the other, a curve before any primes: the last of these is not there for a good while.
    let mut primes = Vec::new();
    for _ in 0..3 {
        primes.push(camera.get(&rsa(4096)).await.key_id);
    }
    let last = &primes[2];
    assert_eq!(camera.status(last).await, KeyStatus::Generating);
    let fault = camera.refused(&requests::named("camera", last)).await;
    assert_eq!(fault, "env:Sender/ter:InvalidArgVal/ter:InvalidKeyStatus");
    let request = GetPrivateKeyStatus::with(|request| request.key_id.clone_from(last));
    assert!(!camera.get(&request).await.has_private_key);
    camera.delete_key(last).await.unwrap();
    camera.delete_key(&primes[1]).await.unwrap();
    // The first may be in the making at this moment: it finds no place when it is done.
    camera.delete_key(&primes[0]).await.unwrap();
    camera.elliptic_key().await;
    assert_eq!(camera.keys().await.len(), 2);
}

#[tokio::test]
async fn a_restart_keeps_all_of_it_and_finishes_what_was_being_made() {
    let folder = tempfile::tempdir().unwrap();
    let camera = Camera { device: Device::start(config(&folder, |_| {})).await.unwrap(), folder };
    let authority = Authority::new("Devices").unwrap();
    let key_id = camera.elliptic_key().await;
    let issued = authority.certify_client(&camera.request_for(&key_id).await, "camera-1").unwrap();
    let leaf = camera.get(&certificates::upload(&issued)).await;
    let root = camera.get(&certificates::upload(authority.certificate())).await;
    let policy = camera.get(&certificates::policy(&[&root.certificate_id])).await;
    assert_eq!(leaf.key_id, key_id);
    let (certificates, policies) = (GetAllCertificates::default(), GetAllCertPathValidationPolicies::default());
    let before = (camera.get(&certificates).await, camera.get(&policies).await, camera.keys().await);
    let waiting = camera.get(&rsa(2048)).await.key_id;
    let Camera { device, folder } = camera;
    device.stop().await;

    let camera = Camera { device: Device::start(config(&folder, |_| {})).await.unwrap(), folder };
    let keys = camera.keys().await;
    let (last, rest) = keys.split_last().unwrap();
    assert_eq!((camera.get(&certificates).await, camera.get(&policies).await, rest.to_vec()), before);
    assert_eq!(
        before.1.cert_path_validation_policy[0].cert_path_validation_policy_id,
        policy.cert_path_validation_policy_id
    );
    assert_eq!(last.key_id, waiting);
    camera.ready(&waiting).await;
    // The key is the same: what it signs is verified by what it was certified as.
    assert_eq!(camera.request_for(&key_id).await.public_key(), Certificate::read(&issued).unwrap().public_key());
}
