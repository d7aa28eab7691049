//! Addresses in a device's replies (Core §8.1.2.2): a device that builds them from its own idea of its host names a LAN that the client cannot reach.
//!
//! Devices that heed `X-Forwarded-*` have named us already, and their replies pass untouched. In others' replies the http addresses in `XAddr`, `Uri` and
//! `Address` are made to lead through this gateway. Found by our parser, replaced in place: nothing else of the reply changes.

use std::ops::Range;

use memchr::memmem;
use oriel_soap::xml::{Limits, parse};

use super::Call;

/// Elements that hold an address to call: services (Core §8.1), media and snapshots, subscriptions (WS-Addressing).
const ELEMENTS: [&str; 3] = ["XAddr", "Uri", "Address"];

/// The reply with addresses that lead through the gateway; `None` when it can stay as it is.
pub(super) fn rewrite(reply: &[u8], call: &Call) -> Option<Vec<u8>> {
    if !ELEMENTS.iter().any(|name| memmem::find(reply, name.as_bytes()).is_some()) {
        return None;
    }
    let base = format!("https://{}/d/{}", call.authority, call.device);
    let document = parse(reply, &Limits::REPLY).ok()?;
    let texts = document.descendants().filter(|node| node.is_text());
    let texts = texts.filter(|text| text.parent().is_some_and(|parent| ELEMENTS.contains(&parent.tag_name().name())));
    let replaced: Vec<(Range<usize>, String)> =
        texts.filter_map(|text| Some((text.range(), through(text.text()?.trim(), &base)?))).collect();
    if replaced.is_empty() {
        return None;
    }
    // Ranges are of the text without a byte order mark.
    let original = reply.strip_prefix(b"\xef\xbb\xbf").unwrap_or(reply);
    let mut out = Vec::with_capacity(original.len() + replaced.len() * base.len());
    let mut done = 0;
    for (range, address) in replaced {
        out.extend_from_slice(&original[done..range.start]);
        out.extend_from_slice(escape(&address).as_bytes());
        done = range.end;
    }
    out.extend_from_slice(&original[done..]);
    Some(out)
}

/// The same path below our base; `None` for what is no address over HTTP or leads through us already.
fn through(address: &str, base: &str) -> Option<String> {
    if address.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?;
    // WS-Addressing's names that only look like addresses.
    if rest.starts_with("www.w3.org/") || rest.starts_with("schemas.xmlsoap.org/") || rest.starts_with("www.onvif.org/")
    {
        return None;
    }
    let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    let slash = if path.starts_with('?') { "/" } else { "" };
    Some(format!("{base}{slash}{path}"))
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
            peer: crate::port::Peer { source: [127, 0, 0, 1].into() },
        }
    }

    fn rewritten(reply: &str) -> Option<String> {
        rewrite(reply.as_bytes(), &call()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_lan_address_leads_through_the_gateway_and_all_else_stays() {
        let reply = "<e:E xmlns:e='x'><!-- c --><t:XAddr xmlns:t='t'>http://192.168.1.64:80/onvif/device?a=1&amp;b</t:XAddr><a>http://other/</a></e:E>";
        let expected = reply.replace("http://192.168.1.64:80/", "https://cloud.example:8443/d/cam/");
        assert_eq!(rewritten(reply).unwrap(), expected);
    }

    #[test]
    fn what_leads_through_us_or_is_no_address_stays() {
        for text in [
            "https://cloud.example:8443/d/cam/onvif/device_service",
            "rtsp://192.168.1.64/stream",
            "192.168.1.64",
            "http://www.w3.org/2005/08/addressing/anonymous",
        ] {
            assert_eq!(rewritten(&format!("<r><Address>{text}</Address></r>")), None, "{text}");
        }
        assert_eq!(rewritten("<r><b>http://192.168.1.64/</b></r>"), None);
    }

    #[test]
    fn a_host_that_only_begins_like_ours_is_not_ours() {
        let reply = "<r><XAddr>https://cloud.example:8443/d/camera2/x</XAddr></r>";
        assert_eq!(rewritten(reply).unwrap(), "<r><XAddr>https://cloud.example:8443/d/cam/d/camera2/x</XAddr></r>");
    }

    #[test]
    fn a_reply_that_is_no_xml_stays() {
        assert_eq!(rewritten("XAddr <"), None);
    }
}
