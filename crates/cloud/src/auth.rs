//! Who calls: a bearer token (RFC 6750 §2.1), in the header alone.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::records::{Principal, Records};
use crate::refusal::Refusal;

/// The caller's token.
///
/// # Errors
/// 401 when there is none, more than one, or it is not known.
pub(crate) fn bearer(headers: &HeaderMap, records: &Records) -> Result<Principal, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::unauthorized());
    };
    let text = value.to_str().map_err(|_| Refusal::unauthorized())?;
    let (scheme, secret) = text.split_once(' ').ok_or_else(Refusal::unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::unauthorized());
    }
    records.token(secret.trim()).ok_or_else(Refusal::unauthorized)
}
