//! Rights of a SOAP request, decided on our own parse; what is sent on is written from that parse, so that the device cannot read another request in it.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use oriel_soap::access::{Level, Levels, allowed};
use oriel_soap::envelope::{ContentType, Envelope, inspect};
use oriel_soap::xml::Limits;

use super::Refused;

const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// Operations in whose replies a device says where its media are: whoever may READ_MEDIA is meant to fetch them (Media §5.15, Media2 §5.3).
const MEDIA: [&str; 2] = ["GetSnapshotUri", "GetStreamUri"];
const MEDIA_SERVICES: [&str; 2] = ["http://www.onvif.org/ver10/media/wsdl", "http://www.onvif.org/ver20/media/wsdl"];

/// A request that was read, and of which nothing is decided yet.
pub struct Parsed<'a> {
    /// The parse that everything is decided on.
    pub envelope: Envelope<'a>,
    /// The action that stands beside it.
    pub action: Option<String>,
}

/// A request that may pass.
pub struct Checked {
    /// Written from our parse.
    pub envelope: Bytes,
    /// The content type, with the action that was checked if there was one.
    content_type: HeaderValue,
    /// Whether the reply says where the device's media are.
    pub names_media: bool,
}

/// Whether the caller speaks SOAP, and so understands a fault.
#[must_use]
pub fn is_soap(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/soap+xml" || media == "text/xml" || media == "application/xml"
}

/// Parses.
///
/// # Errors
/// What cannot be read in one way alone.
pub fn parse<'a>(headers: &HeaderMap, envelope: &'a [u8], most: usize) -> Result<Parsed<'a>, Refused> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refused::status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a compressed request cannot be checked here"));
    }
    let once = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Refused::status(StatusCode::BAD_REQUEST, format!("{name} stands there twice"))),
            (value, None) => Ok(value.and_then(|value| value.to_str().ok())),
        }
    };
    let kind = ContentType::parse(once(&CONTENT_TYPE)?, once(&SOAP_ACTION)?)
        .map_err(|error| Refused::status(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string()))?;
    let limits = Limits { bytes: most, ..Limits::REQUEST };
    let envelope = inspect(envelope, kind.action.as_deref(), &limits)?;
    Ok(Parsed { envelope, action: kind.action })
}

impl Parsed<'_> {
    /// The one decision, made with the table's access class; what is in no table is for administrators.
    ///
    /// # Errors
    /// The caller may not ask for this.
    pub fn authorise(&self, levels: Levels) -> Result<(), Refused> {
        let (namespace, name) = self.envelope.operation();
        let permitted = match oriel_onvif::lookup(namespace, name) {
            Some(row) => allowed(levels, row.access),
            None => levels.contains(Level::Administrator),
        };
        if permitted {
            return Ok(());
        }
        Err(Refused::status(StatusCode::FORBIDDEN, format!("the caller's level ({levels}) does not allow {name}")))
    }

    /// Whether the reply says where the device's media are.
    #[must_use]
    pub fn names_media(&self) -> bool {
        let (namespace, name) = self.envelope.operation();
        MEDIA.contains(&name) && MEDIA_SERVICES.contains(&namespace)
    }

    /// Decides, and writes what is sent on.
    ///
    /// # Errors
    /// The caller may not ask for this.
    pub fn check(&self, levels: Levels) -> Result<Checked, Refused> {
        self.authorise(levels)?;
        let content_type = match self.action.as_deref().map(|action| HeaderValue::try_from(quoted(action))) {
            Some(Ok(value)) => value,
            Some(Err(_)) => return Err(Refused::status(StatusCode::BAD_REQUEST, "the action is no header value")),
            None => HeaderValue::from_static(oriel_soap::envelope::CONTENT_TYPE),
        };
        Ok(Checked { envelope: self.envelope.reserialise().into(), content_type, names_media: self.names_media() })
    }
}

fn quoted(action: &str) -> String {
    let escaped = action.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{}; action=\"{escaped}\"", oriel_soap::envelope::CONTENT_TYPE)
}

/// Makes the headers say what the new body is.
pub fn set_headers(headers: &mut HeaderMap, checked: &Checked) {
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
