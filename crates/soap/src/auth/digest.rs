//! The hashes and header fields of HTTP Digest (RFC 7616), for both ends.

use md5::Md5;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// A hash of HTTP Digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// What every client has.
    Md5,
    /// What newer ones have.
    Sha256,
}

impl Algorithm {
    /// The name in header fields and in `HashingAlgorithms`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of this name; none given is MD5.
    pub(super) fn of(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Md5) };
        [Self::Md5, Self::Sha256].into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The hash of the parts with colons between, in hexadecimal.
    pub(super) fn hash(self, parts: &[&str]) -> String {
        match self {
            Self::Md5 => hex(joined::<Md5>(parts)),
            Self::Sha256 => hex(joined::<Sha256>(parts)),
        }
    }
}

fn joined<D: Digest>(parts: &[&str]) -> impl AsRef<[u8]> {
    let mut hash = D::new();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hash.finalize()
}

pub(super) fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
    bytes.as_ref().iter().flat_map(digits).collect()
}

/// RFC 7616, §3.4.2.
pub(super) fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> String {
    algorithm.hash(&[user, realm, password])
}

/// What both ends put into the response.
pub(super) struct Exchange<'a> {
    pub(super) nonce: &'a str,
    /// Counter and client's nonce; absent with servers from before RFC 2617.
    pub(super) count: Option<(&'a str, &'a str)>,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
}

impl Exchange<'_> {
    /// RFC 7616, §3.4.1, with `qop=auth`.
    pub(super) fn response(&self, algorithm: Algorithm, ha1: &str) -> String {
        let ha2 = algorithm.hash(&[self.method, self.uri]);
        match self.count {
            Some((nc, cnonce)) => algorithm.hash(&[ha1, self.nonce, nc, cnonce, "auth", &ha2]),
            None => algorithm.hash(&[ha1, self.nonce, &ha2]),
        }
    }
}

/// One challenge, or one set of credentials.
pub(super) struct Scheme<'a> {
    pub(super) name: &'a str,
    parameters: Vec<(&'a str, Cow<'a, str>)>,
}

impl Scheme<'_> {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    pub(super) fn is_digest(&self) -> bool {
        self.name.eq_ignore_ascii_case("Digest")
    }

    /// A parameter given twice lets two readers read differently.
    pub(super) fn is_ambiguous(&self) -> bool {
        // More than any scheme has: whoever sends many shall not make us compare each with each.
        self.parameters.len() > 32
            || self.parameters.iter().enumerate().any(|(number, (name, _))| {
                self.parameters[..number].iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
            })
    }
}

/// The schemes of a header field: several may stand in one, with commas between (RFC 9110, §11.6.1).
pub(super) fn schemes(field: &str) -> Vec<Scheme<'_>> {
    let mut schemes: Vec<Scheme<'_>> = Vec::new();
    let mut rest = field;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        if token.is_empty() && !after.starts_with('=') {
            return schemes;
        }
        match after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            Some(value) => {
                let (value, after) = parameter_value(value.trim_start_matches([' ', '\t']));
                if let Some(scheme) = schemes.last_mut() {
                    scheme.parameters.push((token, value));
                }
                rest = after;
            }
            None => {
                schemes.push(Scheme { name: token, parameters: Vec::with_capacity(12) });
                rest = after;
            }
        }
    }
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (Cow::Borrowed(&text[..end]), &text[end..]);
    };
    match quoted.find(['"', '\\']) {
        None => return (Cow::Borrowed(quoted), ""),
        Some(end) if quoted[end..].starts_with('"') => return (Cow::Borrowed(&quoted[..end]), &quoted[end + 1..]),
        Some(_) => {}
    }
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (Cow::Owned(value), &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            letter => value.push(letter),
        }
    }
    (Cow::Owned(value), "")
}

/// A quoted string.
pub(super) fn quote(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
