//! How long certificates are valid, and when they are due for renewal (RFC 5280 §4.1.2.5).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::CertificateParams;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::TrustError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Clients' clocks differ: a certificate is valid a day before it is made.
const BEFORE: Duration = DAY;
/// A server's certificate, the day before included: browsers and Apple's systems take no longer one. The cloud renews it by itself.
const SERVER: Duration = DAY.saturating_mul(397);
/// An authority, and what it issues for clients: clients pin it, so it stays for as long as a product is in use before anybody has to touch each of them.
const AUTHORITY: Duration = DAY.saturating_mul(3653);
/// A camera's certificate that it signed itself: the life of the hardware. It vouches for nothing, since it is known by its key; a shorter one would only lock out
/// cameras that nobody visits. It does end, so that a key cannot be in use for ever.
const SELF_SIGNED: Duration = DAY.saturating_mul(7305);
/// 2026-01-01. A clock before it stands wrong, as that of a camera does that makes its key at first start, before it has heard of the time: the end is then
/// counted from here, or the certificate would be over as soon as the clock is right.
const CLOCK_CAN_BE: Duration = Duration::from_secs(1_767_225_600);

/// What a certificate is for, as far as its validity goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Server,
    Client,
    Authority,
    SelfSigned,
}

/// Sets the validity of a certificate that is made `now`.
pub(crate) fn set(params: &mut CertificateParams, kind: Kind, now: SystemTime) {
    let begin = now.checked_sub(BEFORE).unwrap_or(UNIX_EPOCH).max(UNIX_EPOCH);
    let sane = now.max(UNIX_EPOCH + CLOCK_CAN_BE) - BEFORE;
    let end = match kind {
        // Whoever renews by itself needs no guess about the clock.
        Kind::Server => begin + SERVER,
        Kind::Client | Kind::Authority => sane + AUTHORITY,
        Kind::SelfSigned => sane + SELF_SIGNED,
    };
    // Both ends belong to the validity, hence the second less.
    (params.not_before, params.not_after) = (begin.into(), (end - Duration::from_secs(1)).into());
}

/// When two thirds of a certificate's life are over: the moment from which it is to be renewed. Whoever renews compares it with their clock.
///
/// # Errors
/// [`TrustError::Certificate`] when the certificate cannot be parsed.
pub fn renew_at(certificate: &CertificateDer<'_>) -> Result<SystemTime, TrustError> {
    let (begin, end) = life(certificate)?;
    moment(begin + end.saturating_sub(begin) / 3 * 2)
}

/// When a certificate ends.
///
/// # Errors
/// As [`renew_at`].
pub fn expires_at(certificate: &CertificateDer<'_>) -> Result<SystemTime, TrustError> {
    moment(life(certificate)?.1)
}

/// Begin and end, in seconds since 1970.
fn life(certificate: &CertificateDer<'_>) -> Result<(i64, i64), TrustError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| TrustError::Certificate(e.to_string()))?;
    Ok((parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp()))
}

fn moment(at: i64) -> Result<SystemTime, TrustError> {
    let distance = Duration::from_secs(at.unsigned_abs());
    let moment = if at < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    moment.ok_or_else(|| TrustError::Certificate("its validity is beyond any clock".to_owned()))
}

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;

    use super::*;

    /// Begin and end in seconds since 1970 of a certificate made `now`, and when it is due.
    fn made(kind: Kind, now: SystemTime) -> (i64, i64, i64) {
        let mut params = CertificateParams::default();
        set(&mut params, kind, now);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        let due = renew_at(certificate.der()).unwrap().duration_since(UNIX_EPOCH).unwrap();
        let validity = parsed.validity();
        (validity.not_before.timestamp(), validity.not_after.timestamp(), due.as_secs().try_into().unwrap())
    }

    const DAY: i64 = 24 * 60 * 60;

    #[test]
    fn each_kind_has_its_life_and_is_due_at_two_thirds_of_it() {
        let seconds = 1_800_000_000;
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (kind, days) in
            [(Kind::Server, 397), (Kind::Client, 3653), (Kind::Authority, 3653), (Kind::SelfSigned, 7305)]
        {
            let (begin, end, due) = made(kind, now);
            assert_eq!(begin, seconds - DAY, "{kind:?}");
            assert_eq!(end, begin + days * DAY - 1, "{kind:?}");
            let two_thirds = begin + days * DAY * 2 / 3;
            assert!((two_thirds - 3..=two_thirds).contains(&due), "{kind:?}: {due}, not {two_thirds}");
        }
    }

    #[test]
    fn a_camera_whose_clock_stands_at_the_epoch_makes_a_certificate_that_holds_now() {
        let (begin, end, _) = made(Kind::SelfSigned, UNIX_EPOCH + Duration::from_secs(5));
        assert_eq!(begin, 0);
        assert_eq!(end, i64::try_from(CLOCK_CAN_BE.as_secs()).unwrap() + 7304 * DAY - 1);
    }

    #[test]
    fn a_certificate_from_before_1970_is_due_before_1970() {
        let mut params = CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(1951, 1, 1);
        params.not_after = rcgen::date_time_ymd(1960, 1, 1);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert!(renew_at(certificate.der()).unwrap() < UNIX_EPOCH);
    }
}
