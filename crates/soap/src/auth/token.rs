//! WS-UsernameToken with PasswordDigest (WSS UsernameToken Profile 1.0, §3).

use crate::ns;
use crate::xml::{XmlRead, XmlWrite};

/// The UsernameToken of a WS-Security header.
#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSSE)]
pub struct UsernameToken {
    /// Name of the account.
    pub username: String,
    /// Password or its digest.
    pub password: Option<Password>,
    /// Random, in base64.
    pub nonce: Option<Nonce>,
    /// When the token was made, as it was written: the digest is over the text.
    #[xml(ns = ns::WSU)]
    pub created: Option<String>,
}

/// The password of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSSE)]
pub struct Password {
    /// PasswordText if absent.
    #[xml(attr, name = "Type")]
    pub kind: Option<String>,
    /// The password or its digest.
    #[xml(text)]
    pub text: String,
}

/// The nonce of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSSE)]
pub struct Nonce {
    /// Base64Binary if absent.
    #[xml(attr)]
    pub encoding_type: Option<String>,
    /// The nonce in base64.
    #[xml(text)]
    pub text: String,
}
