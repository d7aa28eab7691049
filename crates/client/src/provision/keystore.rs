//! The camera's key and its request, the certificates and the policy (Security §5.2.6).

use std::time::Duration;

use oriel_onvif::security::{
    AlgorithmIdentifier, CertPathValidationParameters, CreateCertPathValidationPolicy, CreateECCKeyPair,
    CreatePKCS10CSR, CreateRSAKeyPair, DistinguishedName, GetAllCertificates, GetKeyStatus, KeyStatus, TrustAnchor,
    UploadCertificate,
};
use oriel_soap::With as _;
use oriel_soap::xml::Base64;
use tokio::time::Instant;

use super::{Provision, ProvisionError};
use crate::CallError;

/// How long a camera may take to make a key: RSA takes small processors a minute and more.
const KEY: Duration = Duration::from_secs(180);
/// Between two looks at a key, at first; the time doubles up to a second.
const LOOK: Duration = Duration::from_millis(50);
/// The curve that every TLS library has.
const P256: &str = "secp256r1";
/// Keys of RSA are this long, or the next longer that the camera makes.
const RSA_BITS: u32 = 2048;
/// ecdsa-with-SHA256 (RFC 5758), sha256WithRSAEncryption (RFC 8017).
const ALGORITHMS: [&str; 2] = ["1.2.840.10045.4.3.2", "1.2.840.113549.1.1.11"];

impl Provision<'_> {
    /// A new key on the camera: on the curve P-256 if it makes such, else of RSA.
    pub(super) async fn make_key(&mut self) -> Result<String, ProvisionError> {
        let can = &self.survey.capabilities;
        let offers = |kind: &str| can.key_pair_generation.iter().flat_map(|kinds| kinds.iter()).any(|one| one == kind);
        let curve = can.elliptic_curves.as_ref().is_none_or(|curves| curves.iter().any(|curve| curve == P256));
        let alias = Some(self.plan.alias.clone());
        let (key, kind) = if (can.ecc_key_pair_generation == Some(true) || offers("ECC")) && curve {
            let create = CreateECCKeyPair::with(|create| {
                create.elliptic_curve = P256.to_owned();
                create.alias = alias;
            });
            (self.call(create).await?.key_id, "on the curve P-256".to_owned())
        } else {
            let lengths = can.rsa_key_lengths.iter().flat_map(|lengths| lengths.iter().copied());
            let bits = lengths.filter(|bits| *bits >= RSA_BITS).min().unwrap_or(RSA_BITS);
            let create = CreateRSAKeyPair::with(|create| {
                create.key_length = bits;
                create.alias = alias;
            });
            (self.call(create).await?.key_id, format!("of RSA with {bits} bits"))
        };
        self.note("key", Some(&key), &format!("the camera makes one {kind}"));
        self.key = Some(key.clone());
        Ok(key)
    }

    /// Waits until the key can be used.
    pub(super) async fn key_is_ok(&self, key: &str) -> Result<(), ProvisionError> {
        let (end, mut pause) = (Instant::now() + KEY, LOOK);
        loop {
            match self.call(GetKeyStatus::with(|get| get.key_id = key.to_owned())).await?.key_status {
                KeyStatus::Ok => return Ok(()),
                KeyStatus::Corrupt => return Err(ProvisionError::Key(format!("it says that {key} is corrupt"))),
                _ if Instant::now() >= end => {
                    return Err(ProvisionError::Key(format!("{key} is not ready after {} s", KEY.as_secs())));
                }
                _ => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// PKCS#10. A key does not say of which kind it is, so what does not fit it is tried as well.
    pub(super) async fn certification_request(&self, key: &str) -> Result<Vec<u8>, ProvisionError> {
        let mut last = None;
        for algorithm in ALGORITHMS {
            let create = CreatePKCS10CSR::with(|create| {
                create.key_id = key.to_owned();
                // The cloud names the certificate; some cameras want a subject all the same.
                create.subject = DistinguishedName::with(|name| name.common_name = vec!["oriel-device".to_owned()]);
                create.signature_algorithm = self.algorithm(algorithm);
            });
            match self.call(create).await {
                Ok(answer) => return Ok(answer.pkcs10_csr.0),
                Err(error) if does_not_fit(&error) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.expect("there are algorithms, and none of them fitted"))
    }

    /// As the camera writes it, parameters and all.
    fn algorithm(&self, oid: &str) -> AlgorithmIdentifier {
        let known = self.survey.capabilities.signature_algorithms.iter().find(|known| known.algorithm == oid);
        known.cloned().unwrap_or_else(|| AlgorithmIdentifier::with(|own| own.algorithm = oid.to_owned()))
    }

    /// A policy that believes the anchors and nobody else.
    pub(super) async fn trust(&mut self, anchors: &[Vec<u8>]) -> Result<String, ProvisionError> {
        let mut ids: Vec<String> = Vec::new();
        for anchor in anchors {
            // A camera keeps a certificate once, whoever brought it.
            let known = self.survey.certificates.iter().find(|known| *known.certificate_content == *anchor);
            let id = match known {
                Some(known) => known.certificate_id.clone(),
                None => {
                    let upload = UploadCertificate::with(|upload| {
                        upload.certificate = Base64(anchor.clone());
                        upload.alias = Some(self.plan.alias.clone());
                        // The camera may make an object of the public key.
                        upload.key_alias = Some(self.plan.alias.clone());
                    });
                    match self.call(upload).await {
                        // It came meanwhile: a run that was killed had asked for it, and the camera was slow.
                        Err(error) if is_duplicate(&error) => self.stored(anchor).await?.ok_or(error)?,
                        uploaded => uploaded?.certificate_id,
                    }
                }
            };
            if !ids.contains(&id) {
                self.note("anchor", Some(&id), "the camera has the certificate that it reaches the cloud by");
                ids.push(id);
            }
        }
        let create = CreateCertPathValidationPolicy::with(|create| {
            create.alias = Some(self.plan.alias.clone());
            create.parameters = CertPathValidationParameters::default();
            create.trust_anchor =
                ids.into_iter().map(|id| TrustAnchor::with(|anchor| anchor.certificate_id = id)).collect();
        });
        let policy = self.call(create).await?.cert_path_validation_policy_id;
        self.note("policy", Some(&policy), "made");
        Ok(policy)
    }

    /// The id under which the camera keeps a certificate, if it does.
    async fn stored(&self, certificate: &[u8]) -> Result<Option<String>, ProvisionError> {
        let all = self.call(GetAllCertificates::default()).await?.certificate;
        let found = all.into_iter().find(|known| *known.certificate_content == *certificate);
        Ok(found.map(|known| known.certificate_id))
    }

    /// The camera's own certificate, which has to be for the key that was asked for.
    pub(super) async fn upload(&self, certificate: &[u8]) -> Result<String, ProvisionError> {
        let upload = UploadCertificate::with(|upload| {
            upload.certificate = Base64(certificate.to_vec());
            upload.alias = Some(self.plan.alias.clone());
            upload.private_key_required = Some(true);
        });
        let stored = self.call(upload).await?;
        self.note("certificate", Some(&stored.certificate_id), "uploaded");
        Ok(stored.certificate_id)
    }
}

fn is_duplicate(error: &ProvisionError) -> bool {
    matches!(error, ProvisionError::Call { source: CallError::Fault { fault, .. }, .. } if fault.is("Duplicate"))
}

fn does_not_fit(error: &ProvisionError) -> bool {
    match error {
        ProvisionError::Call { source: CallError::Fault { fault, .. }, .. } => {
            fault.is("KeySignatureAlgorithmMismatch") || fault.is("UnsupportedSignatureAlgorithm")
        }
        _ => false,
    }
}
