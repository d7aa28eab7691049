//! What is built in, and the chains that uplinks show.

use super::*;
use oriel_trust::{Authority, KeyAlgorithm};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer};

fn entry(id: &str, key_id: &str, der: &[u8]) -> CertificateEntry {
    CertificateEntry { id: id.to_owned(), alias: None, key_id: key_id.to_owned(), content: der.into() }
}

#[test]
fn what_is_built_in_looks_like_the_rest() {
    let (own, authority) = (Identity::self_signed("camera", &[]).unwrap(), Authority::new("Cloud").unwrap());
    let policy = Policy { anchors: vec![authority.certificate().clone(), own.chain()[0].clone()] };
    let identities = BTreeMap::from([("device".to_owned(), own.clone())]);
    let keys = KeyStore::new(identities, BTreeMap::from([("cloud".to_owned(), policy.clone())]));
    let nothing = Keystore::default();
    let view = keys.with(&nothing);
    let ids: Vec<_> = view.certificates().map(|one| (one.id.as_str(), one.key_id.as_str())).collect();
    assert_eq!(ids, [("device", "device"), ("cloud-anchor-1", "cloud-anchor-1")]);
    assert_eq!(view.policy("cloud").unwrap().anchors, ["cloud-anchor-1", "device"]);
    assert_eq!(view.validation("cloud").unwrap(), policy);
    assert_eq!(view.identity("device").unwrap().fingerprint(), own.fingerprint());
    assert_eq!(view.key_of(&own.public_key()).unwrap().material.key_pair().unwrap().public_key(), own.public_key());
    for (id, words) in [("cloud-anchor-1", "private key"), ("none", "none is stored")] {
        assert!(view.identity(id).unwrap_err().contains(words), "{id}");
    }
    assert!(view.validation("none").unwrap_err().contains("none is stored"));
}

fn authority_below(
    name: &str,
    above: Option<&Issuer<'_, rcgen::KeyPair>>,
) -> (Vec<u8>, Issuer<'static, rcgen::KeyPair>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    let made = above.map_or_else(|| params.self_signed(&key), |above| params.signed_by(&key, above)).unwrap();
    (made.der().to_vec(), Issuer::new(params, key))
}

#[test]
fn a_chain_has_the_issuers_that_are_stored_and_not_the_root() {
    let (root, root_issuer) = authority_below("Root", None);
    let (middle, issuer) = authority_below("Devices", Some(&root_issuer));
    // Of the same name, and another key: not its issuer.
    let (namesake, _) = authority_below("Devices", Some(&root_issuer));
    let pair = KeyPair::generate(KeyAlgorithm::P256).unwrap();
    let public = rcgen::SubjectPublicKeyInfo::from_der(pair.public_key()).unwrap();
    let mut params = CertificateParams::default();
    params.use_authority_key_identifier_extension = true;
    let leaf = params.signed_by(&public, &issuer).unwrap().der().to_vec();
    let stored = Keystore {
        keys: vec![KeyEntry { id: "k".to_owned(), alias: None, material: Material::pair(&pair) }],
        certificates: vec![
            entry("root", "other", &root),
            entry("namesake", "other", &namesake),
            entry("middle", "other", &middle),
            entry("leaf", "k", &leaf),
        ],
        policies: Vec::new(),
    };
    let keys = KeyStore::new(BTreeMap::new(), BTreeMap::new());
    let identity = keys.with(&stored).identity("leaf").unwrap();
    let chain: Vec<&[u8]> = identity.chain().iter().map(AsRef::as_ref).collect();
    assert_eq!(chain, [&leaf[..], &middle]);

    // A key that does not belong to the certificate is found out.
    let other = Material::pair(&KeyPair::generate(KeyAlgorithm::P256).unwrap());
    let wrong = Keystore { keys: vec![KeyEntry { id: "k".to_owned(), alias: None, material: other }], ..stored };
    assert!(keys.with(&wrong).identity("leaf").unwrap_err().contains("does not belong"));
}
