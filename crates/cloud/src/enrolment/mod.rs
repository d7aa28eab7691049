//! How cameras get certificates of their organisation's device authority (Uplink §5.3): the first by a code, later ones over the uplink ([`renewal`]).
//!
//! The authority signs a key, proved by the request's signature, and grants what it chooses: clientAuth, under the device's id. Names in a request are not
//! looked for; a request that asks for a name or a right of its own is refused, since whoever made it expects something that they would not get.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use oriel_trust::{Authority as Issuer, RequestedCertificate, anchor_of, certificates, pem, renew_at};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject as _;

use crate::Shared;
use crate::clock;
use crate::records::{Actor, Device, Id, Issue, Scope};
use crate::refusal::Refusal;
use crate::throttle::network;

pub(crate) mod renewal;

/// The name that a request may ask for, where a camera cannot leave the subject empty.
const SUBJECT: &str = "oriel-device";
/// How long a device's certificate is valid. It is renewed at two thirds of it.
const LIFE: Duration = Duration::from_secs(397 * 24 * 3600);
/// Codes that do not fit, from one source, before it has to wait.
const WRONG_CODES: u32 = 20;
const WRONG_CODES_WINDOW: Duration = Duration::from_secs(60);

/// What a camera is given.
pub(crate) struct Granted {
    pub(crate) device: Arc<Device>,
    /// Leaf and device authority, PEM.
    pub(crate) certificate: String,
    /// The device authority, PEM.
    pub(crate) device_authority: String,
    /// Whom the camera has to believe to reach us, PEM.
    pub(crate) anchors: String,
}

/// Uses a code for the key of `request`, PKCS#10 in PEM; `name` is a hint at what to call the device.
///
/// # Errors
/// 422 for a request that is not granted, 410 for a code that is not good (any more), 409 for a key of another device.
pub(crate) async fn enrol(
    code: &str,
    request: &str,
    name: &str,
    source: IpAddr,
    shared: &Shared,
) -> Result<Granted, Refusal> {
    let throttle = format!("enrol/{}", network(source));
    let enrolment = match shared.records.enrolment(code) {
        Ok(enrolment) => enrolment,
        Err(error) if shared.facts.count(&throttle, WRONG_CODES_WINDOW, Instant::now()) > WRONG_CODES => {
            tracing::warn!(%source, %error, "too many codes that are not good");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many codes that are not good; wait a minute"));
        }
        Err(error) => return Err(error.into()),
    };
    let requested = read(request)?;
    let anchors = anchors(shared)?;
    let scope = shared.records.within(&enrolment.organisation);
    let actor = Actor { label: format!("enrolment:{}", enrolment.id), address: Some(source) };
    let issuer = issuer(&scope, shared).await?;
    let end = shared.records.clock().time() + LIFE;
    let issue = Issue { expires: unix_millis(end), anchors: named(&der_of(&anchors)?) };
    let (device, _) = shared.records.enrol(&actor, code, requested.fingerprint(), issue, name).await?;
    shared.announce(&device.id);
    let certificate = sign(&issuer, &requested, &device, end)?;
    let device_authority = issuer.certificate_pem();
    Ok(Granted { device, certificate: certificate + &device_authority, device_authority, anchors })
}

/// A request that may be granted.
fn read(text: &str) -> Result<RequestedCertificate, Refusal> {
    let der = CertificateSigningRequestDer::from_pem_slice(text.as_bytes())
        .map_err(|_| unfit("it is no PEM text with a CERTIFICATE REQUEST in it"))?;
    check(&der)
}

/// The rules of the authority.
fn check(der: &[u8]) -> Result<RequestedCertificate, Refusal> {
    let requested = RequestedCertificate::read(der).map_err(|error| unfit(&error.to_string()))?;
    if requested.wants_authority() {
        return Err(unfit("it asks to become an authority itself; a device's certificate may not sign others"));
    }
    let plain = requested.subject().is_empty() || requested.subject() == format!("CN={SUBJECT}");
    if !plain {
        return Err(unfit(&format!(
            "it asks for the subject `{}`; names are ours to give: leave it empty, or ask for `CN={SUBJECT}`",
            requested.subject()
        )));
    }
    Ok(requested)
}

fn unfit(why: &str) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the certification request is not granted: {why}"))
}

fn sign(
    issuer: &Issuer,
    requested: &RequestedCertificate,
    device: &Device,
    end: SystemTime,
) -> Result<String, Refusal> {
    // Cameras' clocks differ: it is valid a day before it is made.
    let begin = end - LIFE - Duration::from_secs(24 * 3600);
    let signed = issuer.certify_client_within(requested, &device.id, begin..end);
    Ok(pem("CERTIFICATE", &signed.map_err(|error| unfit(&error.to_string()))?))
}

/// The organisation's device authority: the newest one, or a new one when there is none or two thirds of its life are over. What older ones signed stays good.
///
/// # Errors
/// That nothing can be written.
async fn issuer(scope: &Scope<'_>, shared: &Shared) -> Result<Issuer, Refusal> {
    let now = shared.records.clock().time();
    if let Some(issuer) = scope.issuer()
        && renew_at(issuer.certificate()).is_ok_and(|due| now < due)
    {
        return Ok(issuer);
    }
    let made = Issuer::made_at(&format!("Oriel devices of {}", scope.id()), now);
    let issuer = made.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    scope.add_issuer(&Actor::system(), &issuer).await?;
    Ok(issuer)
}

/// Whom a device has to believe to reach us: what the operator configured, our own authority, or the root of the certificate that we serve with.
fn anchors(shared: &Shared) -> Result<String, Refusal> {
    let failed = |error: String| {
        tracing::error!(error, "whom devices have to believe is not known; set [enrolment] anchors");
        let detail =
            "this cloud cannot enrol cameras: its operator has to say in [enrolment] anchors whom they have to believe";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    };
    let given = shared.config.anchors.clone().or_else(|| shared.ca.clone());
    if let Some(file) = given {
        return std::fs::read_to_string(&file).map_err(|error| failed(format!("{}: {error}", file.display())));
    }
    let anchor = anchor_of(&shared.identity.chain()).map_err(|error| failed(error.to_string()))?;
    Ok(pem("CERTIFICATE", &anchor))
}

/// A name of a set of anchors: whoever was given another one has to be given this one before the old one is served no more.
fn named(anchors: &[Vec<u8>]) -> Id {
    let mut each: Vec<_> = anchors.iter().map(|anchor| digest(&SHA256, anchor)).collect();
    each.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    let all: Vec<u8> = each.iter().flat_map(|one| one.as_ref().iter().copied()).collect();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &all)).into()
}

/// The anchors in DER.
fn der_of(text: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    let read = certificates(text.as_bytes());
    let read = read.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(read.iter().map(|anchor| anchor.to_vec()).collect())
}

fn unix_millis(time: SystemTime) -> u64 {
    clock::millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
