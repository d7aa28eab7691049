//! The answer to an upgrade request (Uplink §5.1.1): a 101 with exact bytes, or a refusal.

use std::time::{Duration, SystemTime};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    MAX_HEAD,
    head::{Fields, Malformed, split},
    tokens::UpgradeToken,
};
use crate::Form;

/// The 101 of the native form. Nothing but these lines: published devices compare them.
pub fn write_native(protocol: &UpgradeToken) -> Vec<u8> {
    format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n", protocol.name)
        .into_bytes()
}

/// The 101 of the WebSocket form (RFC 6455 §4.2.2), the subprotocol echoed.
pub fn write_websocket(protocol: &UpgradeToken, key: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        derive_accept_key(key.as_bytes()),
        protocol.name
    )
    .into_bytes()
}

/// A refusal with a text for a person; the connection ends after it.
pub fn write_refusal(status: http::StatusCode, text: &str, retry_after: Option<Duration>) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("Refused");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16());
    if status == http::StatusCode::UNAUTHORIZED {
        head.push_str("WWW-Authenticate: Bearer\r\n");
    }
    if status == http::StatusCode::UPGRADE_REQUIRED {
        head.push_str("Sec-WebSocket-Version: 13\r\n");
    }
    if let Some(after) = retry_after {
        // Rounded up: an early retry is refused again.
        head.push_str(&format!("Retry-After: {}\r\n", after.as_secs() + u64::from(after.subsec_nanos() > 0)));
    }
    head.push_str(&format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    ));
    head.into_bytes()
}

/// An answer's head, as far as the device's end reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    fields: Fields,
}

/// Why an answer is not the 101 that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not HTTP/1.1 at all.
    #[error("the answer is not HTTP/1.1")]
    NotHttp,
    /// A head that cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A head beyond [`MAX_HEAD`].
    #[error("the answer's head is larger than 8 KiB")]
    TooLarge,
    /// A 101 to another protocol.
    #[error("the answer switches to another protocol than h2c-reverse")]
    OtherProtocol,
    /// `Sec-WebSocket-Accept` does not belong to our key.
    #[error("the answer's Sec-WebSocket-Accept does not match")]
    WrongAccept,
    /// The WebSocket was accepted without our subprotocol.
    #[error("the answer does not choose the subprotocol h2c-reverse")]
    NoSubprotocol,
    /// An extension that we did not ask for.
    #[error("the answer turns on a WebSocket extension that was not asked for")]
    Extension,
}

/// Reads an answer's head; `None` while it is not complete. The number of bytes used comes with it: what follows belongs
/// to the new protocol, or is a refusal's body.
pub fn parse(bytes: &[u8]) -> Result<Option<(Answer, usize)>, AnswerError> {
    let start = b"HTTP/1.";
    let seen = bytes.len().min(start.len());
    if !bytes[..seen].eq_ignore_ascii_case(&start[..seen]) {
        return Err(AnswerError::NotHttp);
    }
    let window = &bytes[..bytes.len().min(MAX_HEAD)];
    let Some(head) = split(window)? else {
        return if bytes.len() < MAX_HEAD { Ok(None) } else { Err(AnswerError::TooLarge) };
    };
    let mut words = head.start.splitn(3, ' ');
    let (Some(version), Some(code)) = (words.next(), words.next()) else {
        return Err(AnswerError::NotHttp);
    };
    let digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
    let status = code.parse().ok().filter(|code| digits && (100..600).contains(code));
    let Some(status) = status.filter(|_| version.len() == 8) else {
        return Err(AnswerError::NotHttp);
    };
    Ok(Some((Answer { status, fields: Fields::parse(head.fields)? }, head.used)))
}

impl Answer {
    /// Whether a 101 switches to what was asked for; `websocket_key` is the key that was sent.
    pub fn verify(&self, form: Form, protocol: &UpgradeToken, websocket_key: &str) -> Result<(), AnswerError> {
        match form {
            Form::Native if self.fields.lists("upgrade", protocol.name) => Ok(()),
            Form::Native => Err(AnswerError::OtherProtocol),
            Form::WebSocket => self.verify_websocket(protocol, websocket_key),
        }
    }

    fn verify_websocket(&self, protocol: &UpgradeToken, key: &str) -> Result<(), AnswerError> {
        if !self.fields.lists("upgrade", "websocket") {
            return Err(AnswerError::OtherProtocol);
        }
        if self.fields.get("sec-websocket-accept") != Some(derive_accept_key(key.as_bytes()).as_str()) {
            return Err(AnswerError::WrongAccept);
        }
        if !self.fields.get("sec-websocket-protocol").is_some_and(|p| p.eq_ignore_ascii_case(protocol.name)) {
            return Err(AnswerError::NoSubprotocol);
        }
        match self.fields.get("sec-websocket-extensions") {
            None | Some("") => Ok(()),
            Some(_) => Err(AnswerError::Extension),
        }
    }

    /// How long `Retry-After` asks to wait, given in seconds or as a date (RFC 9110 §10.2.3).
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let value = self.fields.get("retry-after")?;
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or(Duration::ZERO))
    }

    /// The length of a refusal's body, if the head tells.
    pub fn content_length(&self) -> Option<usize> {
        self.fields.get("content-length")?.parse().ok()
    }
}

/// At most 200 characters of a refusal's body that are fit for a status text: one line, no markup.
pub fn snippet(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut out = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if in_tag => {}
            c if c.is_whitespace() || c.is_control() || c == '\u{fffd}' => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
        if out.chars().count() >= 200 {
            break;
        }
    }
    out.trim_end().to_owned()
}
