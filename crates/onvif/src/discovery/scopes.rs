//! Scopes: what they say of a device, and how a probe's are compared with them (Core §7.3.2.2, §7.3.3; WS-Discovery §5.1).

use super::same_name;
use crate::ns;
use oriel_soap::Fault;
use oriel_soap::xml::{Any, List, QName};
use percent_encoding::percent_decode_str;

const ONVIF: &str = "onvif://www.onvif.org/";
/// The rules as a fault tells them, by the ends of their URIs. That of LDAP has no use here: no scope of a camera is such an address.
const SUPPORTED: [&str; 4] = ["rfc3986", "rfc2396", "uuid", "strcmp0"];

/// The values of a category of ONVIF's scopes, such as `name` or `hardware`, as text for people: percent-decoded, without control characters.
pub fn values<'s>(scopes: &'s [String], category: &'s str) -> impl Iterator<Item = String> + 's {
    scopes.iter().filter_map(move |scope| {
        let rest = strip_prefix_any_case(scope.trim_ascii(), ONVIF)?;
        let value = strip_prefix_any_case(rest, category)?.strip_prefix('/')?.trim_end_matches('/');
        let value = percent_decode_str(value).decode_utf8_lossy();
        Some(printable(&value).trim().to_owned()).filter(|value| !value.is_empty())
    })
}

/// Text that somebody sent, fit for terminals and logs: U+FFFD for what controls them.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if is_plain(letter) { letter } else { '\u{fffd}' }).collect()
}

/// Neither a control character nor one that turns the direction of what follows.
fn is_plain(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn strip_prefix_any_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// How a scope that is looked for is compared with one that is there (WS-Discovery §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MatchingRule {
    /// By URI, where the wanted path is the beginning of the other, segment by segment.
    #[default]
    Rfc3986,
    /// By UUID.
    Uuid,
    /// As text.
    Strcmp0,
}

impl MatchingRule {
    /// The rule of this URI, the one by URI where none is named.
    ///
    /// # Errors
    /// `d:MatchingRuleNotSupported` (Core §7.3.6).
    pub fn of(uri: Option<&str>) -> Result<Self, Fault> {
        let Some(uri) = uri else { return Ok(Self::default()) };
        let name = uri.strip_prefix(ns::WSD.uri).and_then(|rest| rest.strip_prefix('/'));
        match name {
            Some("rfc3986" | "rfc2396") => Ok(Self::Rfc3986),
            Some("uuid") => Ok(Self::Uuid),
            Some("strcmp0") => Ok(Self::Strcmp0),
            _ => {
                let mut fault = Fault::invalid_arg_val(format!("the matching rule {uri} is not supported"));
                fault.subcodes = vec![QName::of(ns::WSD, "MatchingRuleNotSupported")];
                let supported = List(SUPPORTED.map(|rule| format!("{}/{rule}", ns::WSD.uri)).to_vec());
                Err(fault.with_detail(Any::of(ns::WSD, "SupportedMatchingRules", &supported)))
            }
        }
    }

    /// Whether the scope is one that is wanted.
    #[must_use]
    pub fn matches(self, wanted: &str, scope: &str) -> bool {
        match self {
            Self::Rfc3986 => is_within(wanted, scope),
            Self::Uuid => same_name(wanted, scope),
            Self::Strcmp0 => wanted == scope,
        }
    }
}

/// Scheme and authority in any case, then the path by segments; `.` and `..` match nothing.
fn is_within(wanted: &str, scope: &str) -> bool {
    let (Some((wanted, wanted_path)), Some((origin, path))) = (split(wanted), split(scope)) else {
        return wanted == scope;
    };
    if !wanted.eq_ignore_ascii_case(origin) {
        return false;
    }
    let segments = |path: &str| {
        let parts = path.split('/').filter(|segment| !segment.is_empty());
        parts.map(|segment| percent_decode_str(segment).collect::<Vec<u8>>()).collect::<Vec<_>>()
    };
    let (wanted, there) = (segments(wanted_path), segments(path));
    let dots = wanted.iter().chain(&there).any(|segment| segment == b"." || segment == b"..");
    !dots && there.starts_with(&wanted)
}

/// Scheme with authority, and path without query and fragment.
fn split(uri: &str) -> Option<(&str, &str)> {
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    let authority = uri.find("://")? + 3;
    let path = uri[authority..].find('/').map_or(uri.len(), |slash| authority + slash);
    Some(uri.split_at(path))
}
