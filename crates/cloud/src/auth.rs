//! Who calls: a bearer token (RFC 6750 §2.1), in the header alone.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::records::{Records, Token};
use crate::refusal::Refusal;

/// The caller's token.
///
/// # Errors
/// 401 when there is none, more than one, or it is not known.
pub(crate) fn bearer(headers: &HeaderMap, records: &Records) -> Result<Arc<Token>, Refusal> {
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

/// The caller's token, if it may use the API.
///
/// # Errors
/// 401 as [`bearer`], 403 when its bearer is no administrator or it is meant for some devices only.
pub(crate) fn administrator(headers: &HeaderMap, records: &Records) -> Result<Arc<Token>, Refusal> {
    let token = bearer(headers, records)?;
    if token.administers() {
        return Ok(token);
    }
    Err(Refusal::new(
        http::StatusCode::FORBIDDEN,
        "the API needs an administrator's token that is not limited to some devices",
    ))
}
