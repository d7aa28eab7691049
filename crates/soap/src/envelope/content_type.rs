//! The content type of SOAP 1.2 over HTTP (RFC 3902), and the action that stands in it.

/// What we send.
pub const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

/// What was found in `Content-Type` and `SOAPAction`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentType {
    /// The action, from the parameter or from SOAP 1.1's header.
    pub action: Option<String>,
}

/// The message is packed in a way that is not supported: HTTP 415 (Core §5.8.2.4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsupported(String);

impl ContentType {
    /// Reads the header fields `Content-Type` and `SOAPAction`. A message without a type is taken for SOAP; `text/xml` too, since
    /// the envelope tells its version itself.
    ///
    /// # Errors
    /// Another type (MTOM's `multipart/related` among them), another character set than UTF-8, two actions that differ.
    pub fn parse(content_type: Option<&str>, soap_action: Option<&str>) -> Result<Self, Unsupported> {
        let unsupported = |why: String| Err(Unsupported(why));
        let mut parts = split(content_type.unwrap_or("application/soap+xml"));
        let media = parts.next().unwrap_or("").to_ascii_lowercase();
        if !["application/soap+xml", "text/xml", "application/xml"].contains(&media.as_str()) {
            return unsupported(format!("{media:?} is not application/soap+xml"));
        }
        let mut action = soap_action.map(unquote).filter(|action| !action.is_empty());
        for parameter in parts {
            let Some((key, value)) = parameter.split_once('=') else {
                continue;
            };
            let value = unquote(value);
            match key.trim().to_ascii_lowercase().as_str() {
                "charset" if !["utf-8", "utf8", "us-ascii"].contains(&value.to_ascii_lowercase().as_str()) => {
                    return unsupported(format!("the character set {value:?} is not UTF-8"));
                }
                "action" if !value.is_empty() => {
                    if action.as_ref().is_some_and(|other| *other != value) {
                        return unsupported("the action of Content-Type and SOAPAction differ".to_owned());
                    }
                    action = Some(value);
                }
                _ => {}
            }
        }
        Ok(Self { action })
    }
}

fn unquote(value: &str) -> String {
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace("\\\"", "\""))
}

/// Splits at semicolons that stand outside of quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |letter| {
        quoted ^= letter == '"';
        letter == ';' && !quoted
    })
    .map(str::trim)
}
