//! What a chain of certificates leads to: whether an authority vouches for a client, under which name, and where a server's chain ends.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::oid_registry;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::TrustError;

/// Whether the authority with this certificate vouches for the client whose chain this is, leaf first: signatures, times, constraints, clientAuth (RFC 5280 §6).
///
/// # Errors
/// [`TrustError::Tls`] with the reason; [`TrustError::Certificate`] when the authority's certificate is none that can be an anchor.
pub fn vouches(
    authority: &CertificateDer<'static>,
    chain: &[CertificateDer<'_>],
    now: SystemTime,
) -> Result<(), TrustError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.map_err(|error| TrustError::Certificate(error.to_string()))?;
    let (leaf, others) = chain.split_first().ok_or_else(|| TrustError::Certificate("there is none".to_owned()))?;
    let now = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    verifier.verify_client_cert(leaf, others, now)?;
    Ok(())
}

/// Whether a certificate can be an anchor for clients: it is an authority's.
///
/// # Errors
/// [`TrustError::Certificate`] with the reason.
pub fn check_authority(certificate: &CertificateDer<'static>) -> Result<(), TrustError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| TrustError::Certificate(e.to_string()))?;
    if !parsed.is_ca() {
        return Err(TrustError::Certificate("it is no authority's: it may not sign others".to_owned()));
    }
    RootCertStore::empty().add(certificate.clone())?;
    Ok(())
}

/// Subject and issuer of a certificate, for people (RFC 4514); those of a certificate without one are empty.
///
/// # Errors
/// [`TrustError::Certificate`].
pub fn subject_and_issuer(certificate: &CertificateDer<'_>) -> Result<(String, String), TrustError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| TrustError::Certificate(e.to_string()))?;
    Ok((parsed.subject().to_string(), parsed.issuer().to_string()))
}

/// A part of a certificate's subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectPart {
    /// The common name.
    CommonName,
    /// The serial number attribute.
    SerialNumber,
}

/// That part of the subject, if it is there exactly once.
///
/// # Errors
/// [`TrustError::Certificate`].
pub fn subject_part(certificate: &CertificateDer<'_>, part: SubjectPart) -> Result<String, TrustError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| TrustError::Certificate(e.to_string()))?;
    let subject = parsed.subject();
    let kind = match part {
        SubjectPart::CommonName => oid_registry::OID_X509_COMMON_NAME,
        SubjectPart::SerialNumber => oid_registry::OID_X509_SERIALNUMBER,
    };
    let mut found = subject.iter_by_oid(&kind).collect::<Vec<_>>();
    let one = if found.len() == 1 { found.pop() } else { None };
    let text = one.and_then(|one| one.as_str().ok()).filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| TrustError::Certificate("its subject has not exactly one such name".to_owned()))
}

/// Whom a client has to believe to believe the server with this chain, leaf first: the root at its end, or the system's root that issued its end, or, where
/// neither is there, the last authority in it.
///
/// # Errors
/// [`TrustError::Certificate`] when the chain holds no authority and leads to no root that is known here.
pub fn anchor_of(chain: &[CertificateDer<'static>]) -> Result<CertificateDer<'static>, TrustError> {
    let nothing = || TrustError::Certificate("its chain leads to no authority that is known here".to_owned());
    let last = chain.last().ok_or_else(nothing)?;
    let (_, parsed) = X509Certificate::from_der(last).map_err(|e| TrustError::Certificate(e.to_string()))?;
    if parsed.subject() == parsed.issuer() {
        return Ok(last.clone());
    }
    let issued = |root: &CertificateDer<'static>| {
        X509Certificate::from_der(root).is_ok_and(|(_, root)| {
            root.subject() == parsed.issuer() && parsed.verify_signature(Some(root.public_key())).is_ok()
        })
    };
    let root = rustls_native_certs::load_native_certs().certs.into_iter().find(issued);
    root.or_else(|| parsed.is_ca().then(|| last.clone())).ok_or_else(nothing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, Identity};

    #[test]
    fn an_authority_vouches_for_its_own_clients_in_their_time() {
        let (ours, other) = (Authority::new("ours").unwrap(), Authority::new("other").unwrap());
        let client = ours.issue_client("camera 7").unwrap();
        let server = ours.issue_server(&["localhost".to_owned()]).unwrap();
        let now = SystemTime::now();
        vouches(ours.certificate(), client.chain(), now).unwrap();
        vouches(other.certificate(), client.chain(), now).unwrap_err();
        vouches(ours.certificate(), server.chain(), now).unwrap_err();
        vouches(ours.certificate(), Identity::self_signed("camera 7", &[]).unwrap().chain(), now).unwrap_err();
        vouches(ours.certificate(), client.chain(), now + std::time::Duration::from_secs(20 * 366 * 86_400))
            .unwrap_err();
        assert_eq!(subject_part(&client.chain()[0], SubjectPart::CommonName).unwrap(), "camera 7");
        subject_part(&client.chain()[0], SubjectPart::SerialNumber).unwrap_err();
    }

    #[test]
    fn a_servers_chain_ends_where_a_client_can_anchor() {
        let authority = Authority::new("ours").unwrap();
        let server = authority.issue_server(&["localhost".to_owned()]).unwrap();
        assert_eq!(&anchor_of(server.chain()).unwrap(), authority.certificate());
        anchor_of(&server.chain()[..1]).unwrap_err();
        anchor_of(&[]).unwrap_err();
        let alone = Identity::self_signed("alone", &["localhost".to_owned()]).unwrap();
        assert_eq!(anchor_of(alone.chain()).unwrap(), alone.chain()[0]);
    }
}
