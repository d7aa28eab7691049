//! Addresses that a reply gives out (Core §8.1.2.2): found by our parser, replaced in place, so that nothing else of the reply changes.
//!
//! Whoever stands between a client and a device needs them to lead through itself.

use std::ops::Range;

use memchr::memmem;

use crate::xml::{Element, Limits, parse};

const ONVIF: &str = "http://www.onvif.org/";
const WS_ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";

/// What stands behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SOAP is asked there: a service (Core §8.1.2), a subscription (WS-Addressing).
    Service,
    /// Something is fetched or put there: a snapshot, a stream, a firmware file.
    Resource,
}

/// Shows each address of `reply` to `other`, which returns what shall stand in its place, or `None` where it can stay. Returns the reply if anything of
/// it changed; one that is no XML, or longer than [`Limits::REPLY`], stays.
pub fn replace(reply: &[u8], mut other: impl FnMut(Kind, &str) -> Option<String>) -> Option<Vec<u8>> {
    // Most replies have none, and a parse costs more than a look.
    if !["XAddr", "Uri", "Address"].iter().any(|name| memmem::find(reply, name.as_bytes()).is_some()) {
        return None;
    }
    let document = parse(reply, &Limits::REPLY).ok()?;
    let source = document.input_text();
    let (mut out, mut done) = (String::new(), 0);
    for element in document.descendants().filter(Element::is_element) {
        let Some(kind) = kind(element) else { continue };
        let text: String = element.children().filter_map(|child| child.text()).collect();
        let Some(new) = other(kind, text.trim()) else { continue };
        let Some(range) = content(element, source) else { continue };
        out.push_str(&source[done..range.start]);
        out.push_str(&new.replace('&', "&amp;").replace('<', "&lt;"));
        done = range.end;
    }
    if done == 0 {
        return None;
    }
    out.push_str(&source[done..]);
    Some(out.into_bytes())
}

fn kind(element: Element<'_, '_>) -> Option<Kind> {
    let namespace = element.tag_name().namespace().unwrap_or_default();
    match element.tag_name().name() {
        "XAddr" if namespace.starts_with(ONVIF) => Some(Kind::Service),
        "Address" if namespace == WS_ADDRESSING => Some(Kind::Service),
        // By name, since others are of elsewhere: an authorization server's `ServerUri`.
        "Uri" | "UploadUri" | "SupportInfoUri" | "SystemBackupUri" if namespace.starts_with(ONVIF) => {
            Some(Kind::Resource)
        }
        _ => None,
    }
}

/// Where the text of an element without child elements stands, CDATA included.
fn content(element: Element<'_, '_>, source: &str) -> Option<Range<usize>> {
    if element.children().any(|child| child.is_element()) {
        return None;
    }
    let (range, mut quote) = (element.range(), None);
    let start = source[range.clone()].bytes().position(|byte| {
        match (byte, quote) {
            (b'\'' | b'"', None) => quote = Some(byte),
            (_, Some(open)) if open == byte => quote = None,
            _ => {}
        }
        byte == b'>' && quote.is_none()
    })?;
    let end = source[range.clone()].rfind("</")?;
    (start < end).then(|| range.start + start + 1..range.start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was shown, and the reply with each address replaced by `new`.
    fn replaced(reply: &str, new: &str) -> (Vec<(Kind, String)>, Option<String>) {
        let mut shown = Vec::new();
        let out = replace(reply.as_bytes(), |kind, text| {
            shown.push((kind, text.to_owned()));
            Some(new.to_owned())
        });
        (shown, out.map(|bytes| String::from_utf8(bytes).unwrap()))
    }

    #[test]
    fn only_the_address_changes() {
        let reply = "<e:E xmlns:e='x'><!-- c --><t:XAddr q='>' xmlns:t='http://www.onvif.org/ver10/device/wsdl'> http://a/x?a=1&amp;b </t:XAddr><a>http://other/</a></e:E>";
        let (shown, out) = replaced(reply, "http://b/?c&d");
        assert_eq!(shown, [(Kind::Service, "http://a/x?a=1&b".to_owned())]);
        assert_eq!(out.unwrap(), reply.replace(" http://a/x?a=1&amp;b ", "http://b/?c&amp;d"));
        assert_eq!(replace(reply.as_bytes(), |_, _| None), None, "nothing to change");
    }

    #[test]
    fn an_address_in_pieces_is_replaced_as_a_whole() {
        let (shown, out) = replaced("<XAddr xmlns='http://www.onvif.org/x'>http://a/<![CDATA[b&c]]>d</XAddr>", "new");
        assert_eq!(shown, [(Kind::Service, "http://a/b&cd".to_owned())]);
        assert_eq!(out.unwrap(), "<XAddr xmlns='http://www.onvif.org/x'>new</XAddr>");
    }

    #[test]
    fn services_and_resources_are_told_apart_and_other_elements_are_not_shown() {
        let wsa = format!("<Address xmlns='{WS_ADDRESSING}'>http://a/s</Address>");
        assert_eq!(replaced(&wsa, "x").0, [(Kind::Service, "http://a/s".to_owned())]);
        for name in ["Uri", "UploadUri"] {
            let text = format!("<{name} xmlns='http://www.onvif.org/ver10/schema'>http://a/f</{name}>");
            assert_eq!(replaced(&text, "x").0, [(Kind::Resource, "http://a/f".to_owned())], "{name}");
        }
        let elsewhere = "<ServerUri xmlns='http://www.onvif.org/x'>http://a/</ServerUri>";
        assert_eq!(replaced(elsewhere, "x"), (Vec::new(), None));
        let vendor = "<XAddr xmlns='http://vendor/'>http://a/</XAddr>";
        assert_eq!(replaced(vendor, "x"), (Vec::new(), None));
        let nested = "<XAddr xmlns='http://www.onvif.org/x'><b>http://a/</b></XAddr>";
        assert_eq!(replaced(nested, "x").1, None);
        assert_eq!(replaced("XAddr <", "x").1, None, "no XML");
    }
}
