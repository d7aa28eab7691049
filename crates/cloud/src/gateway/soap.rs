//! Rights of a SOAP request, decided on our own parse; what is sent on is written from that parse, so that the device cannot read another request in it.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use oriel_soap::access::{Level, Levels, allowed};
use oriel_soap::envelope::{ContentType, inspect};
use oriel_soap::xml::Limits;

use crate::refusal::Refusal;

const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// A request that may pass.
pub(super) struct Checked {
    /// Written from our parse.
    pub(super) envelope: Bytes,
    /// The content type, with the action that was checked if there was one.
    content_type: HeaderValue,
}

/// Whether the caller speaks SOAP, and so understands a fault.
pub(super) fn is_soap(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/soap+xml" || media == "text/xml" || media == "application/xml"
}

/// Parses and decides.
pub(super) fn check(headers: &HeaderMap, envelope: &[u8], levels: Levels, most: usize) -> Result<Checked, Refusal> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a compressed request cannot be checked here"));
    }
    let once = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("{name} stands there twice"))),
            (value, None) => Ok(value.and_then(|value| value.to_str().ok())),
        }
    };
    let kind = ContentType::parse(once(&CONTENT_TYPE)?, once(&SOAP_ACTION)?)
        .map_err(|error| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string()))?;
    let limits = Limits { bytes: most, ..Limits::REQUEST };
    let parsed = inspect(envelope, kind.action.as_deref(), &limits)?;
    authorise(parsed.operation(), levels)?;
    let content_type = match kind.action.as_deref().map(|action| HeaderValue::try_from(quoted(action))) {
        Some(Ok(value)) => value,
        Some(Err(_)) => return Err(Refusal::new(StatusCode::BAD_REQUEST, "the action is no header value")),
        None => HeaderValue::from_static(oriel_soap::envelope::CONTENT_TYPE),
    };
    Ok(Checked { envelope: parsed.reserialise().into(), content_type })
}

fn quoted(action: &str) -> String {
    let escaped = action.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{}; action=\"{escaped}\"", oriel_soap::envelope::CONTENT_TYPE)
}

/// The one decision, made with the table's access class; what is in no table is for administrators.
fn authorise((namespace, name): (&str, &str), levels: Levels) -> Result<(), Refusal> {
    let permitted = match oriel_onvif::lookup(namespace, name) {
        Some(row) => allowed(levels, row.access),
        None => levels.contains(Level::Administrator),
    };
    if permitted {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, format!("this token's level ({levels}) does not allow {name}")))
}

/// Makes the headers say what the new body is.
pub(super) fn set_headers(headers: &mut HeaderMap, checked: &Checked) {
    // The answer is read by us too, and the digest was of another body.
    for name in [
        SOAP_ACTION,
        ACCEPT_ENCODING,
        HeaderName::from_static("content-digest"),
        HeaderName::from_static("content-md5"),
    ] {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, checked.content_type.clone());
    headers.insert(CONTENT_LENGTH, HeaderValue::from(checked.envelope.len()));
}
