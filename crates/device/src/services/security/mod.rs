//! The security configuration service: keys that are made here, certificates and validation policies for uplinks (Security §5.2).
//!
//! What this device does of it is what authentication by TLS needs. Private keys never leave: no operation shows one, and none takes one in.

mod certificates;
mod keys;
mod policies;
mod request;

use super::{Call, Service, Shared};
use crate::keystore::{MAX_CERTIFICATES, MAX_KEYS, MAX_POLICIES};
use crate::store::State;
use oriel_onvif::ns;
use oriel_onvif::security::*;
use oriel_soap::xml::{Any, Base64, List};
use oriel_soap::{Fault, Router, With};
use oriel_trust::{KeyAlgorithm, SignatureScheme};
use uuid::Uuid;

pub(super) const SERVICE: Service = Service {
    namespace: ns::TAS,
    path: "/onvif/security_service",
    version: (26, 6),
    capabilities: |shared| Any::of(ns::TAS, "Capabilities", &capabilities(shared)),
};

pub(super) fn bind(router: Router<Call>) -> Router<Call> {
    let router = router
        .on(get_service_capabilities)
        .on(keys::create_rsa_key_pair)
        .on(keys::create_ecc_key_pair)
        .on(keys::get_key_status)
        .on(keys::get_private_key_status)
        .on(keys::get_all_keys)
        .on(keys::delete_key);
    let router = router
        .on(certificates::create_pkcs10_csr)
        .on(certificates::upload_certificate)
        .on(certificates::get_certificate)
        .on(certificates::get_all_certificates)
        .on(certificates::delete_certificate);
    router
        .on(policies::create_cert_path_validation_policy)
        .on(policies::get_cert_path_validation_policy)
        .on(policies::get_all_cert_path_validation_policies)
        .on(policies::delete_cert_path_validation_policy)
}

async fn get_service_capabilities(
    call: Call,
    _: GetServiceCapabilities,
) -> Result<GetServiceCapabilitiesResponse, Fault> {
    Ok(GetServiceCapabilitiesResponse::with(|response| response.capabilities = capabilities(&call.shared)))
}

/// What the service can do. The bounds count what is built in, as the lists do.
fn capabilities(shared: &Shared) -> Capabilities {
    let built_in = shared.keys.built_in();
    let most = |own: usize, built_in: usize| u32::try_from(own + built_in).ok();
    let pairs = built_in.keys.iter().filter(|key| key.material.has_private()).count();
    let curves: Vec<&str> = KeyAlgorithm::ALL.into_iter().filter_map(KeyAlgorithm::curve).collect();
    Capabilities::with(|all| {
        all.keystore_capabilities = KeystoreCapabilities::with(|keystore| {
            keystore.signature_algorithms = SignatureScheme::ALL.into_iter().map(algorithm).collect();
            keystore.maximum_number_of_keys = most(MAX_KEYS, pairs);
            keystore.maximum_number_of_certificates = most(MAX_CERTIFICATES, built_in.certificates.len());
            keystore.maximum_number_of_certification_path_validation_policies =
                most(MAX_POLICIES, built_in.policies.len());
            keystore.maximum_number_of_passphrases = Some(0);
            keystore.maximum_number_of_crls = Some(0);
            keystore.key_pair_generation = Some(List::words(&["RSA", "ECC"]));
            keystore.rsa_key_pair_generation = Some(true);
            keystore.ecc_key_pair_generation = Some(true);
            keystore.rsa_key_lengths = Some(KeyAlgorithm::ALL.into_iter().filter_map(KeyAlgorithm::modulus).collect());
            keystore.elliptic_curves = Some(List::words(&curves));
            keystore.pkcs10 = Some(true);
            keystore.pkcs10_external_certification_with_rsa = Some(true);
            keystore.x509_versions = Some(List(vec![3]));
            for (not, said) in [
                (&mut keystore.set_cert_path, false),
                (&mut keystore.self_signed_certificate_creation, false),
                (&mut keystore.self_signed_certificate_creation_with_rsa, false),
                (&mut keystore.pkcs8, false),
                (&mut keystore.pkcs12, false),
                (&mut keystore.enforce_tls_web_client_auth_ext_key_usage, false),
                (&mut keystore.no_private_key_sharing, false),
            ] {
                *not = Some(said);
            }
        });
        // Without versions there is no server: the LAN's door speaks HTTP.
        all.tls_server_capabilities = TLSServerCapabilities::with(|server| {
            server.tls_client_auth_supported = Some(false);
            server.cn_maps_to_user_supported = Some(false);
            server.enabled_versions_supported = Some(false);
        });
    })
}

fn algorithm(scheme: SignatureScheme) -> AlgorithmIdentifier {
    AlgorithmIdentifier::with(|identifier| {
        identifier.algorithm = scheme.oid().to_owned();
        identifier.parameters = scheme.has_null().then(|| Base64(NULL.to_vec()));
    })
}

/// NULL in DER.
const NULL: [u8; 2] = [5, 0];

/// Longest alias, in bytes.
const MAX_ALIAS: usize = 256;

/// The schema bounds no alias; the document has to.
fn alias(given: Option<String>) -> Result<Option<String>, Fault> {
    match given {
        Some(alias) if alias.len() > MAX_ALIAS => {
            Err(Fault::invalid_arg_val(format!("the alias is longer than {MAX_ALIAS} bytes")))
        }
        given => Ok(given),
    }
}

/// A new id: an NCName that no other thing ever had (§5.2.2).
fn fresh(kind: &str) -> String {
    format!("{kind}-{}", Uuid::new_v4().simple())
}

fn no_key(id: &str) -> Fault {
    Fault::invalid_arg_val(format!("no key is stored under the KeyID {id:?}")).subcode("KeyID")
}

fn no_certificate(id: &str) -> Fault {
    Fault::invalid_arg_val(format!("no certificate is stored under the CertificateID {id:?}")).subcode("CertificateID")
}

fn no_policy(id: &str) -> Fault {
    Fault::invalid_arg_val(format!("no policy is stored under the CertPathValidationPolicyID {id:?}"))
        .subcode("CertPathValidationPolicyID")
}

/// §5.2.4: what is in use stays.
fn in_use(by: &str) -> Fault {
    Fault::invalid_arg_val(format!("{by}; change that first")).subcode("ReferenceExists")
}

/// The address of an uplink that fits.
fn uplink_with(state: &State, fits: impl Fn(&crate::store::UplinkEntry) -> bool) -> Option<&str> {
    state.uplinks.iter().find(|entry| fits(entry)).map(|entry| entry.remote_address.as_str())
}

/// The address of an event broker that fits.
fn broker_with(state: &State, fits: impl Fn(&crate::store::BrokerEntry) -> bool) -> Option<&str> {
    state.brokers.iter().find(|entry| fits(entry)).map(|entry| entry.address.as_str())
}
