//! The upgrade request (Uplink §5.1.1): sent strictly, accepted tolerantly.

use percent_encoding::percent_decode_str;

use super::{
    AccessToken, MAX_HEAD,
    head::{Fields, end_of_head, split},
    tokens::{self, H2C_REVERSE, UpgradeToken},
};
use crate::{Form, RemoteAddress};

/// The request as one buffer. Header names in title case, `Connection: Upgrade` alone, no body: some clouds compare bytes.
pub fn write(address: &RemoteAddress, token: Option<&AccessToken>, websocket_key: &str) -> Vec<u8> {
    let mut head = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", address.target(), address.authority());
    if let Some(token) = token {
        head.push_str("Authorization: Bearer ");
        head.push_str(token.reveal());
        head.push_str("\r\n");
    }
    head.push_str("Connection: Upgrade\r\nUpgrade: ");
    match address.form() {
        Form::Native => head.push_str(H2C_REVERSE.name),
        Form::WebSocket => {
            head.push_str("websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
            head.push_str(websocket_key);
            head.push_str("\r\nSec-WebSocket-Protocol: ");
            head.push_str(H2C_REVERSE.name);
        }
    }
    head.push_str("\r\n\r\n");
    head.into_bytes()
}

/// What the cloud needs to know of an upgrade request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// Native or inside WebSocket.
    pub form: Form,
    /// The protocol that was chosen from the request's list.
    pub protocol: &'static UpgradeToken,
    /// Path and query without any `access_token`: fit for a log.
    pub target: String,
    /// `Host` as it came, with or without port.
    pub host: Option<String>,
    /// The access token, from `Authorization` or, in the WebSocket form, from the query.
    pub token: Option<AccessToken>,
    /// `Sec-WebSocket-Key` in the WebSocket form.
    pub websocket_key: Option<String>,
}

/// What the first bytes of a connection turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// Not enough bytes to tell.
    Partial,
    /// Not an uplink: anybody's HTTP.
    Other,
    /// An uplink's upgrade request, and how many bytes its head has.
    Uplink(Box<UpgradeRequest>, usize),
    /// It wants to be an uplink but is wrong.
    Broken(HeadError),
}

/// A broken upgrade request: the status to answer with and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct HeadError {
    /// The HTTP status that tells the sender.
    pub status: u16,
    /// The reason, for a person.
    pub text: &'static str,
}

const fn broken(status: u16, text: &'static str) -> Judged {
    Judged::Broken(HeadError { status, text })
}

/// Judges the first bytes of a connection. Callable at every growth of `bytes`; a decision other than
/// [`Judged::Partial`] never changes when more bytes come.
pub fn parse(bytes: &[u8]) -> Judged {
    parse_within(bytes, MAX_HEAD)
}

/// [`parse`] with another bound on the head's size.
pub fn parse_within(bytes: &[u8], max_head: usize) -> Judged {
    let method = b"GET ";
    let seen = bytes.len().min(method.len());
    if bytes[..seen] != method[..seen] {
        return Judged::Other;
    }
    let window = &bytes[..bytes.len().min(max_head)];
    match split(window) {
        Ok(Some(head)) => match Fields::parse(head.fields) {
            Ok(fields) => judge(head.start, &fields, head.used),
            Err(_) if names_a_token(&window[..head.used]) => broken(400, "the head is malformed"),
            Err(_) => Judged::Other,
        },
        Ok(None) if bytes.len() < max_head => Judged::Partial,
        Ok(None) if names_a_token(window) => broken(431, "the head is larger than is allowed"),
        Ok(None) => Judged::Other,
        Err(_) if names_a_token(&window[..end_of_head(window).unwrap_or(window.len())]) => {
            broken(400, "the head is malformed")
        }
        Err(_) => Judged::Other,
    }
}

/// Whether a head that cannot be read, or has not come whole, already asks for an uplink.
pub fn names_a_token(bytes: &[u8]) -> bool {
    tokens::TABLE
        .iter()
        .any(|row| bytes.windows(row.name.len()).any(|part| part.eq_ignore_ascii_case(row.name.as_bytes())))
}

fn judge(start: &str, fields: &Fields, used: usize) -> Judged {
    let (form, protocol) = if let Some(row) = fields.all("upgrade").find_map(tokens::find_in_list) {
        (Form::Native, row)
    } else if fields.lists("upgrade", "websocket") {
        match fields.all("sec-websocket-protocol").find_map(tokens::find_in_list) {
            Some(row) => (Form::WebSocket, row),
            None => return Judged::Other,
        }
    } else {
        return Judged::Other;
    };
    match read(start, fields, form, protocol) {
        Ok(request) => Judged::Uplink(Box::new(request), used),
        Err(error) => Judged::Broken(error),
    }
}

fn read(
    start: &str,
    fields: &Fields,
    form: Form,
    protocol: &'static UpgradeToken,
) -> Result<UpgradeRequest, HeadError> {
    let bad = |text| HeadError { status: 400, text };
    let mut words = start.split(' ').filter(|word| !word.is_empty());
    let (Some("GET"), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad("the request line is malformed"));
    };
    // What is left of the target is shown to people, in a terminal perhaps.
    if start.chars().any(char::is_control) {
        return Err(bad("a control character in the request line"));
    }
    // A published device sends `http/1.1`.
    if !version.eq_ignore_ascii_case("HTTP/1.1") {
        return Err(HeadError { status: 505, text: "an upgrade needs HTTP/1.1" });
    }
    if !fields.lists("connection", "upgrade") {
        return Err(bad("Upgrade without Connection: Upgrade"));
    }
    if fields.get("transfer-encoding").is_some() || fields.all("content-length").any(|n| n != "0") {
        return Err(bad("an upgrade request must not have a body"));
    }
    let websocket_key = match form {
        Form::Native => None,
        Form::WebSocket if fields.get("sec-websocket-version") != Some("13") => {
            return Err(HeadError { status: 426, text: "only WebSocket version 13 is spoken" });
        }
        Form::WebSocket => Some(websocket_key(fields).ok_or(bad("Sec-WebSocket-Key is missing or malformed"))?),
    };
    let mut hosts = fields.all("host");
    let host = hosts.next().filter(|host| !host.is_empty()).map(str::to_owned);
    if hosts.next().is_some() {
        return Err(bad("more than one Host"));
    }
    let (target, in_query) = take_query_token(target)?;
    let in_header = bearer(fields)?;
    // RFC 6750 §2: no more than one method. The query is a method of the WebSocket form only (Uplink §5.1.1.2).
    let token = match (in_header, in_query.filter(|_| form == Form::WebSocket)) {
        (Some(_), Some(_)) => return Err(bad("the access token is sent by two methods at once")),
        (header, query) => header.or(query),
    };
    Ok(UpgradeRequest { form, protocol, target, host, token, websocket_key })
}

fn websocket_key(fields: &Fields) -> Option<String> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let key = fields.get("sec-websocket-key")?;
    (STANDARD.decode(key).ok()?.len() == 16).then(|| key.to_owned())
}

fn bearer(fields: &Fields) -> Result<Option<AccessToken>, HeadError> {
    let mut values = fields.all("authorization");
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeadError { status: 400, text: "more than one Authorization" });
    }
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => AccessToken::new(token.trim())
            .map(Some)
            .map_err(|_| HeadError { status: 400, text: "the bearer token is malformed" }),
        // Another scheme is no access token; the cloud decides by the client certificate then.
        _ => Ok(None),
    }
}

/// Takes `access_token` out of a target's query, so that what is left may be logged.
fn take_query_token(target: &str) -> Result<(String, Option<AccessToken>), HeadError> {
    let Some((path, query)) = target.split_once('?') else {
        return Ok((target.to_owned(), None));
    };
    let mut kept = Vec::new();
    let mut token = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if percent_decode_str(name).decode_utf8_lossy() != "access_token" {
            kept.push(pair);
            continue;
        }
        let value = percent_decode_str(value).decode_utf8().ok().and_then(|text| AccessToken::new(text).ok());
        let value = value.ok_or(HeadError { status: 400, text: "the access token in the query is malformed" })?;
        if token.replace(value).is_some() {
            return Err(HeadError { status: 400, text: "more than one access_token in the query" });
        }
    }
    let rest = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    Ok((rest, token))
}
