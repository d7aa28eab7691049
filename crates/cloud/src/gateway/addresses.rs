//! Addresses in a device's replies (Core §8.1.2.2): a device that builds them from its own idea of its host names a LAN that the client cannot reach.
//!
//! Devices that heed `X-Forwarded-*` have named us already, and their replies pass untouched. In others' replies the http addresses in `XAddr`, `Uri` and
//! `Address` are made to lead through this gateway. Found by our parser, replaced in place: nothing else of the reply changes.

use std::ops::Range;

use memchr::memmem;
use oriel_soap::xml::{Limits, parse};
use roxmltree::Node;

use super::Call;

const ONVIF: &str = "http://www.onvif.org/";
const WS_ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";

/// What a reply says about addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    /// The reply with addresses that lead through the gateway; `None` when it can stay as it is.
    pub(super) rewritten: Option<Vec<u8>>,
    /// Path and query, as the device knows them, of the services that it named.
    pub(super) services: Vec<String>,
}

/// Looks through a reply.
pub(super) fn addresses(reply: &[u8], call: &Call) -> Addresses {
    let mut found = Addresses::default();
    if !["XAddr", "Uri", "Address"].iter().any(|name| memmem::find(reply, name.as_bytes()).is_some()) {
        return found;
    }
    let base = format!("https://{}/d/{}", call.authority, call.device);
    let Ok(document) = parse(reply, &Limits::REPLY) else { return found };
    let source = document.input_text();
    let (mut out, mut done) = (String::new(), 0);
    for element in document.descendants().filter(|node| node.is_element()) {
        let Some(kind) = kind(element) else { continue };
        let text: String = element.children().filter_map(|child| child.text()).collect();
        let Some((path, ours)) = path(text.trim(), &base) else { continue };
        if kind == Kind::Service {
            found.services.push(path.to_owned());
        }
        if let (false, Some(range)) = (ours, content(element, source)) {
            out.push_str(&source[done..range.start]);
            out.push_str(&escape(&format!("{base}{path}")));
            done = range.end;
        }
    }
    if done > 0 {
        out.push_str(&source[done..]);
        found.rewritten = Some(out.into_bytes());
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// SOAP is asked there: a service (Core §8.1.2), a subscription (WS-Addressing).
    Service,
    /// Something is fetched there: a snapshot, a stream.
    Resource,
}

fn kind(element: Node<'_, '_>) -> Option<Kind> {
    let namespace = element.tag_name().namespace().unwrap_or_default();
    match element.tag_name().name() {
        "XAddr" if namespace.starts_with(ONVIF) => Some(Kind::Service),
        "Address" if namespace == WS_ADDRESSING => Some(Kind::Service),
        "Uri" if namespace.starts_with(ONVIF) => Some(Kind::Resource),
        _ => None,
    }
}

/// Where the text of an element without child elements stands, CDATA included.
fn content(element: Node<'_, '_>, source: &str) -> Option<Range<usize>> {
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

/// Path and query of an address over HTTP, and whether it leads through us already.
fn path<'a>(address: &'a str, base: &str) -> Option<(&'a str, bool)> {
    if let Some(path) = address.strip_prefix(base).filter(|path| path.is_empty() || path.starts_with('/')) {
        return Some((path, true));
    }
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?;
    // WS-Addressing's names that only look like addresses.
    if rest.starts_with("www.w3.org/") || rest.starts_with("schemas.xmlsoap.org/") || rest.starts_with("www.onvif.org/")
    {
        return None;
    }
    Some((rest.find('/').map_or("/", |at| &rest[at..]), false))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            device: "cam".into(),
            authority: "cloud.example:8443".parse().unwrap(),
            target: "/".parse().unwrap(),
            levels: oriel_soap::access::Levels::ADMINISTRATOR,
            token: String::new(),
            peer: crate::port::Peer { source: [127, 0, 0, 1].into() },
        }
    }

    fn rewritten(reply: &str) -> Option<String> {
        addresses(reply.as_bytes(), &call()).rewritten.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn services(reply: &str) -> Vec<String> {
        addresses(reply.as_bytes(), &call()).services
    }

    #[test]
    fn a_lan_address_leads_through_the_gateway_and_all_else_stays() {
        let reply = "<e:E xmlns:e='x'><!-- c --><t:XAddr q='>' xmlns:t='http://www.onvif.org/ver10/device/wsdl'>http://192.168.1.64:80/onvif/device?a=1&amp;b</t:XAddr><a>http://other/</a></e:E>";
        let expected = reply.replace("http://192.168.1.64:80/", "https://cloud.example:8443/d/cam/");
        assert_eq!(rewritten(reply).unwrap(), expected);
        assert_eq!(services(reply), ["/onvif/device?a=1&b"]);
    }

    #[test]
    fn what_leads_through_us_or_is_no_address_stays() {
        for text in [
            "https://cloud.example:8443/d/cam/onvif/device_service",
            "rtsp://192.168.1.64/stream",
            "192.168.1.64",
            "http://www.w3.org/2005/08/addressing/anonymous",
        ] {
            assert_eq!(rewritten(&format!("<Address xmlns='{WS_ADDRESSING}'>{text}</Address>")), None, "{text}");
        }
        for strange in ["<b>http://192.168.1.64/</b>", "<XAddr xmlns='http://vendor/'>http://192.168.1.64/</XAddr>"] {
            assert_eq!(addresses(strange.as_bytes(), &call()), Addresses::default(), "{strange}");
        }
    }

    #[test]
    fn a_host_that_only_begins_like_ours_is_not_ours() {
        let reply = "<XAddr xmlns='http://www.onvif.org/x'>https://cloud.example:8443/d/camera2/x</XAddr>";
        assert!(rewritten(reply).unwrap().contains(">https://cloud.example:8443/d/cam/d/camera2/x<"));
    }

    #[test]
    fn an_address_in_pieces_is_replaced_as_a_whole() {
        let reply = "<XAddr xmlns='http://www.onvif.org/x'>http://a/<![CDATA[b&c]]>d</XAddr>";
        assert!(rewritten(reply).unwrap().ends_with(">https://cloud.example:8443/d/cam/b&amp;cd</XAddr>"));
        assert_eq!(services(reply), ["/b&cd"]);
    }

    #[test]
    fn a_snapshot_is_no_service() {
        let reply = "<Uri xmlns='http://www.onvif.org/ver10/schema'>http://192.168.1.64/snap.jpg</Uri>";
        assert!(rewritten(reply).unwrap().contains("/d/cam/snap.jpg"));
        assert!(services(reply).is_empty());
    }

    #[test]
    fn a_reply_that_is_no_xml_stays() {
        assert_eq!(rewritten("XAddr <"), None);
    }
}
