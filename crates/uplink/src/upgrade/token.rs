//! An access token (Uplink §5.3.2, RFC 6750): shown to the cloud on upgrade, to nobody else.

use std::fmt;

/// A bearer token. It never appears in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

/// A text that cannot be sent as a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an access token must be 1 to 6144 visible ASCII characters without spaces")]
pub struct TokenError;

impl AccessToken {
    /// Takes a token as an authorization server issued it.
    pub fn new(text: impl Into<String>) -> Result<Self, TokenError> {
        let text = text.into();
        let fits = !text.is_empty() && text.len() <= 6144 && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text)) } else { Err(TokenError) }
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessToken({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown_by_debug_and_cannot_break_a_head() {
        let token = AccessToken::new("s3cr3t.abc").unwrap();
        assert_eq!(format!("{token:?}"), "AccessToken(10 bytes)");
        assert_eq!(token.reveal(), "s3cr3t.abc");
        for bad in ["", "a b", "a\r\nX: y", "é"] {
            assert_eq!(AccessToken::new(bad), Err(TokenError));
        }
    }
}
