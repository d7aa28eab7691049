//! Who believes whom: whole handshakes in memory.

#![allow(clippy::unwrap_used)] // A test panics.

use std::sync::Arc;

use oriel_trust::{
    Authority, ClientAuth, Fingerprint, Identity, Policy, ReloadingIdentity, Validation, client_config, server_config,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{ClientConnection, ServerConnection};

/// Runs a handshake; the answer is what the server learnt of the client, or the client's complaint.
fn shake(
    server: &Identity,
    name: &str,
    validation: &Validation,
    client: Option<&Identity>,
) -> Result<Option<Fingerprint>, String> {
    let config = server_config(Arc::new(ReloadingIdentity::fixed(server)), ClientAuth::Optional).unwrap();
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    let config = client_config(validation, client).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().map_err(|e| format!("server: {e}"))?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().map_err(|e| e.to_string())?;
    }
    Ok(server.peer_certificates().map(|chain| Fingerprint::of(&chain[0]).unwrap()))
}

fn policy(authority: &Authority) -> Validation {
    Validation::Policy(Policy::from_pem(authority.certificate_pem().as_bytes()).unwrap())
}

fn made(adjust: impl FnOnce(&mut CertificateParams)) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["cloud.example".to_owned()]).unwrap();
    adjust(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    Identity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

fn pinned(identity: &Identity) -> Validation {
    Validation::Policy(Policy { anchors: vec![identity.chain()[0].clone()] })
}

#[test]
fn an_anchor_and_the_right_name_are_believed_and_the_client_is_known_by_its_key() {
    let authority = Authority::new("CA").unwrap();
    let server = authority.issue_server(&["cloud.example".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let camera = Identity::self_signed("camera", &[]).unwrap();
    for name in ["cloud.example", "127.0.0.1"] {
        let seen = shake(&server, name, &policy(&authority), Some(&camera)).unwrap();
        assert_eq!(seen, Some(camera.fingerprint()));
    }
    assert_eq!(shake(&server, "cloud.example", &policy(&authority), None).unwrap(), None);
}

#[test]
fn an_authority_read_back_from_its_files_issues_for_the_same_anchor() {
    let authority = Authority::new("CA").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.to_pem();
    let (at, key_at) = (folder.path().join("ca.pem"), folder.path().join("ca.key"));
    std::fs::write(&at, certificate).unwrap();
    std::fs::write(&key_at, key).unwrap();
    let server = Authority::load(&at, &key_at).unwrap().issue_server(&["cloud.example".to_owned()]).unwrap();
    shake(&server, "cloud.example", &policy(&authority), None).unwrap();
}

#[test]
fn wrong_name_wrong_anchor_and_expiry_are_named() {
    let authority = Authority::new("CA").unwrap();
    let server = authority.issue_server(&["cloud.example".to_owned()]).unwrap();
    let error = shake(&server, "other.example", &policy(&authority), None).unwrap_err();
    assert!(error.contains("not valid for name") || error.contains("NotValidForName"), "{error}");
    let error = shake(&server, "cloud.example", &policy(&Authority::new("CA").unwrap()), None).unwrap_err();
    assert!(error.contains("BadSignature") || error.contains("UnknownIssuer"), "{error}");
    let expired = made(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let error = shake(&expired, "cloud.example", &pinned(&expired), None).unwrap_err();
    assert!(error.contains("Expired"), "{error}");
    let early = made(|params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
    });
    let error = shake(&early, "cloud.example", &pinned(&early), None).unwrap_err();
    assert!(error.contains("NotValidYet"), "{error}");
}

#[test]
fn a_common_name_alone_is_no_name() {
    let server = made(|params| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, "cloud.example");
    });
    assert!(shake(&server, "cloud.example", &pinned(&server), None).is_err());
}

#[test]
fn a_self_signed_server_that_says_ca_true_is_believed_as_an_anchor_but_not_for_another_name() {
    let server = made(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    shake(&server, "cloud.example", &pinned(&server), None).unwrap();
    assert!(shake(&server, "other.example", &pinned(&server), None).is_err());
}

#[test]
fn a_certificate_for_clients_only_is_no_server() {
    let server = made(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let authority = Authority::new("CA").unwrap();
    assert!(shake(&server, "cloud.example", &policy(&authority), None).is_err());
    let client_only = authority.issue_client("camera").unwrap();
    assert!(shake(&client_only, "cloud.example", &policy(&authority), None).is_err());
}

#[test]
fn an_expired_client_certificate_is_refused_in_the_handshake() {
    let authority = Authority::new("CA").unwrap();
    let server = authority.issue_server(&["cloud.example".to_owned()]).unwrap();
    let camera = made(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let error = shake(&server, "cloud.example", &policy(&authority), Some(&camera)).unwrap_err();
    assert!(error.starts_with("server:") && error.contains("xpired"), "{error}");
}

#[test]
fn insecure_is_believed_whatever_it_shows() {
    let server = made(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    shake(&server, "other.example", &Validation::Insecure, None).unwrap();
}

#[test]
fn reload_takes_the_new_files_and_keeps_the_old_ones_when_they_are_bad() {
    use rustls::server::ResolvesServerCert as _;
    let folder = tempfile::tempdir().unwrap();
    let (chain_at, key_at) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let write = |identity: &Identity| {
        let (chain, key) = identity.to_pem();
        std::fs::write(&chain_at, chain).unwrap();
        std::fs::write(&key_at, key).unwrap();
    };
    write(&Identity::self_signed("a", &[]).unwrap());
    let identity = ReloadingIdentity::open(chain_at.clone(), key_at.clone()).unwrap();
    assert!(!identity.reload().unwrap());
    write(&Identity::self_signed("b", &[]).unwrap());
    assert!(identity.reload().unwrap());
    std::fs::write(&key_at, "damaged").unwrap();
    identity.reload().unwrap_err();
    assert!(!identity.only_raw_public_keys());
}

#[test]
fn an_identity_is_due_from_two_thirds_of_its_life_on_and_its_successor_serves_at_once() {
    use std::time::{Duration, SystemTime};
    let day = Duration::from_secs(24 * 60 * 60);
    let authority = Authority::new("CA").unwrap();
    let names = ["cloud.example".to_owned()];
    let first = authority.issue_server(&names).unwrap();
    let now = SystemTime::now();
    assert!(!first.is_due(now + day * 263));
    assert!(first.is_due(now + day * 264));
    let serving = ReloadingIdentity::fixed(&first);
    assert_eq!(serving.renew_at().unwrap(), first.renew_at());
    let next = made(|params| {
        params.not_before = rcgen::date_time_ymd(2029, 1, 1);
        params.not_after = rcgen::date_time_ymd(2032, 1, 1);
    });
    serving.replace(&next);
    assert_eq!(serving.renew_at().unwrap(), next.renew_at());
    assert_ne!(next.renew_at(), first.renew_at());
}

#[test]
fn a_client_certificate_of_tomorrow_is_taken() {
    let authority = Authority::new("CA").unwrap();
    let server = authority.issue_server(&["cloud.example".to_owned()]).unwrap();
    let camera = made(|params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
    });
    let seen = shake(&server, "cloud.example", &policy(&authority), Some(&camera)).unwrap();
    assert_eq!(seen, Some(camera.fingerprint()));
}
