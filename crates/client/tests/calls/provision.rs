//! Cameras that are to be provisioned and are not like ours: without the service, with RSA alone, slow, broken.

use std::sync::Mutex;

use http::StatusCode;
use oriel_client::provision::{Plan, Provision, ProvisionError};
use oriel_client::{Auth, CallError};
use oriel_onvif::device_mgmt::{GetServicesResponse, Service};
use oriel_onvif::ns;
use oriel_onvif::security::*;
use oriel_onvif::uplink::GetUplinksResponse;
use oriel_soap::xml::{Base64, List, Ns};
use oriel_soap::{Fault, With as _};

use super::server::{Server, fault, reply};

/// A camera with these services and key pairs, whose key goes through these states; `mismatch`: its keys want RSA's signature.
async fn camera(services: &'static [Ns], kinds: &'static [&'static str], states: Vec<KeyStatus>) -> Server {
    let states = Mutex::new(states);
    Server::start(move |operation, request| match operation {
        "GetServices" => {
            let entry = |service: &Ns| {
                Service::with(|entry| {
                    entry.namespace = service.uri.to_owned();
                    entry.x_addr = "http://192.0.2.1/onvif/any".to_owned();
                })
            };
            let answer = GetServicesResponse::with(|answer| answer.service = services.iter().map(entry).collect());
            reply(ns::TDS, "GetServicesResponse", &answer)
        }
        "GetServiceCapabilities" => {
            let answer = GetServiceCapabilitiesResponse::with(|answer| {
                let store = &mut answer.capabilities.keystore_capabilities;
                store.key_pair_generation = Some(List::words(kinds));
                store.rsa_key_lengths = Some(List(vec![1024, 4096, 3072]));
            });
            reply(ns::TAS, "GetServiceCapabilitiesResponse", &answer)
        }
        "GetUplinks" => reply(ns::TUP, "GetUplinksResponse", &GetUplinksResponse::default()),
        "GetAllKeys" => reply(ns::TAS, "GetAllKeysResponse", &GetAllKeysResponse::default()),
        "GetAllCertificates" => reply(ns::TAS, "GetAllCertificatesResponse", &GetAllCertificatesResponse::default()),
        "GetAllCertPathValidationPolicies" => {
            let answer = GetAllCertPathValidationPoliciesResponse::default();
            reply(ns::TAS, "GetAllCertPathValidationPoliciesResponse", &answer)
        }
        "CreateRSAKeyPair" => {
            let text = String::from_utf8_lossy(request.body());
            assert!(
                text.contains(">3072</") && text.contains(">oriel-test</"),
                "the shortest that is long enough: {text}"
            );
            let answer = CreateRSAKeyPairResponse::with(|answer| answer.key_id = "K".to_owned());
            reply(ns::TAS, "CreateRSAKeyPairResponse", &answer)
        }
        "GetKeyStatus" => {
            let answer = GetKeyStatusResponse::with(|answer| answer.key_status = states.lock().unwrap().remove(0));
            reply(ns::TAS, "GetKeyStatusResponse", &answer)
        }
        "CreatePKCS10CSR" if String::from_utf8_lossy(request.body()).contains("1.2.840.10045.") => {
            let refused = Fault::invalid_arg_val("no such").subcode("KeySignatureAlgorithmMismatch");
            fault(StatusCode::BAD_REQUEST, &refused)
        }
        "CreatePKCS10CSR" => {
            let answer = CreatePKCS10CSRResponse::with(|answer| answer.pkcs10_csr = Base64(b"request".to_vec()));
            reply(ns::TAS, "CreatePKCS10CSRResponse", &answer)
        }
        other => fault(StatusCode::INTERNAL_SERVER_ERROR, &Fault::action_not_supported(other)),
    })
    .await
}

fn plan() -> Plan {
    let cloud = "https://cloud.example".parse().unwrap();
    Plan { alias: "oriel-test".to_owned(), cloud, levels: vec!["Administrator".to_owned()], replace: false }
}

const BOTH: &[Ns] = &[ns::TDS, ns::TAS, ns::TUP];

#[tokio::test]
async fn a_camera_without_the_services_is_told_from_one_that_fails() {
    for (services, missing) in
        [(&[ns::TDS, ns::TUP][..], "no Security service"), (&[ns::TDS, ns::TAS], "no Uplink service")]
    {
        let server = camera(services, &["ECC"], Vec::new()).await;
        let client = server.client(Auth::None);
        let begun = Provision::begin(&client, plan(), Box::new(|_| {})).await.map(|_| ());
        let error = begun.unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
        assert_eq!(server.seen(), ["GetServices 200"]);
    }
}

#[tokio::test]
async fn a_camera_that_makes_rsa_keys_alone_is_waited_for_and_asked_for_the_signature_that_fits() {
    let states = vec![KeyStatus::Generating, KeyStatus::Generating, KeyStatus::Ok];
    let server = camera(BOTH, &["RSA"], states).await;
    let client = server.client(Auth::None);
    let (mut provision, _) = Provision::begin(&client, plan(), Box::new(|_| {})).await.unwrap();
    server.seen();
    assert_eq!(provision.request().await.unwrap(), b"request");
    let expected = [
        "CreateRSAKeyPair 200",
        "GetKeyStatus 200",
        "GetKeyStatus 200",
        "GetKeyStatus 200",
        "CreatePKCS10CSR 400",
        // Services may have moved when a call fails there.
        "GetServices 200",
        "CreatePKCS10CSR 200",
    ];
    assert_eq!(server.seen(), expected);
}

#[tokio::test]
async fn a_key_that_does_not_come_to_be_and_a_call_that_is_refused_are_named() {
    let server = camera(BOTH, &["RSA"], vec![KeyStatus::Corrupt]).await;
    let client = server.client(Auth::None);
    let (mut provision, _) = Provision::begin(&client, plan(), Box::new(|_| {})).await.unwrap();
    let error = provision.request().await.unwrap_err();
    assert!(matches!(&error, ProvisionError::Key(why) if why.contains("corrupt")), "{error}");

    let server = camera(BOTH, &["ECC"], Vec::new()).await;
    let client = server.client(Auth::None);
    let (mut provision, _) = Provision::begin(&client, plan(), Box::new(|_| {})).await.unwrap();
    let error = provision.request().await.unwrap_err();
    let ProvisionError::Call { operation: "CreateECCKeyPair", source: CallError::Fault { fault, .. } } = error else {
        panic!("{error}");
    };
    assert!(fault.is("ActionNotSupported"));
}
