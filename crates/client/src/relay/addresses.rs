//! Addresses in a device's replies (Core §8.1.2.2): a device that builds them from its own idea of its host names a LAN that the client cannot reach.
//!
//! Devices that heed `X-Forwarded-*` have named us already, and their replies pass untouched. In others' replies the http addresses in `XAddr`, `Uri` and
//! `Address` are made to lead through whoever relays. Found by our parser, replaced in place: nothing else of the reply changes.

use std::borrow::Cow;

use http::HeaderValue;
use http::uri::PathAndQuery;
use oriel_soap::addresses::{Kind, replace};
use url::Url;

/// What a reply says about addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The reply with addresses that lead through us; `None` when it can stay as it is.
    pub rewritten: Option<Vec<u8>>,
    /// Path and query, as the device knows them, of the services that it named.
    pub services: Vec<String>,
    /// These are subscriptions, which come and go (WS-BaseNotification §4.2).
    pub are_subscriptions: bool,
    /// Scheme and authority of each of these, as the device wrote them; empty where they are ours.
    pub origins: Vec<String>,
    /// The same, of what it says can be fetched or put there.
    pub resources: Vec<String>,
}

/// Looks through a reply, whose addresses have to begin with `base`.
#[must_use]
pub fn addresses(reply: &[u8], base: &str) -> Addresses {
    let mut found = Addresses::default();
    found.rewritten = replace(reply, |kind, address| {
        let (path, ours) = path(address, base)?;
        match kind {
            Kind::Service => {
                found.services.push(path.to_string());
                found.origins.push(origin(address, base).to_owned());
            }
            Kind::Resource => found.resources.push(path.to_string()),
        }
        (!ours).then(|| format!("{base}{path}"))
    });
    let names_subscription = || std::str::from_utf8(reply).is_ok_and(|text| text.contains("SubscriptionReference"));
    found.are_subscriptions = !found.services.is_empty() && names_subscription();
    found
}

/// Scheme and authority, unless they are ours.
fn origin<'a>(address: &'a str, base: &str) -> &'a str {
    let begins_like_ours = address.strip_prefix(base).is_some_and(|path| path.is_empty() || path.starts_with('/'));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find(['/', '?', '#']).map_or(address.len(), |at| authority + at);
    if begins_like_ours { "" } else { &address[..end] }
}

/// Path and query of an address over HTTP, and whether it leads through us already.
fn path<'a>(address: &'a str, base: &str) -> Option<(Cow<'a, str>, bool)> {
    if let Some(path) = address.strip_prefix(base).filter(|path| path.is_empty() || path.starts_with('/')) {
        let inside = inside(path);
        let ours = matches!(inside, Cow::Borrowed(_));
        return Some((inside, ours));
    }
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?;
    // WS-Addressing's names that only look like addresses.
    if rest.starts_with("www.w3.org/") || rest.starts_with("schemas.xmlsoap.org/") || rest.starts_with("www.onvif.org/")
    {
        return None;
    }
    Some((inside(rest.find('/').map_or("/", |at| &rest[at..])), false))
}

/// A path as a client resolves it, which must not lead from this device to the one beside it.
fn inside(path: &str) -> Cow<'_, str> {
    let lower = path.to_ascii_lowercase();
    if !lower.contains("/.") && !lower.contains("/%2e") && !path.contains('\\') {
        return Cow::Borrowed(path);
    }
    Cow::Owned(resolved("/", path).unwrap_or_else(|| "/".to_owned()))
}

/// Where a camera's redirect leads on the camera itself, whichever host it names; path and query, and the fragment. `None` when it leads to no page.
#[must_use]
pub fn location(target: &PathAndQuery, location: &HeaderValue) -> Option<String> {
    let location = location.to_str().ok()?;
    resolved(target.as_str(), location)
}

fn resolved(target: &str, reference: &str) -> Option<String> {
    let base = Url::parse("https://device").and_then(|device| device.join(target)).ok()?;
    let led = base.join(reference).ok().filter(|led| matches!(led.scheme(), "http" | "https"))?;
    // Beyond the first slash, so that nothing before it decides: `//host` is a path here.
    let path = led.path().trim_start_matches('/');
    let query = led.query().map_or_else(String::new, |query| format!("?{query}"));
    let fragment = led.fragment().map_or_else(String::new, |fragment| format!("#{fragment}"));
    Some(format!("/{path}{query}{fragment}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WS_ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";

    const BASE: &str = "https://cloud.example:8443/d/cam";

    fn rewritten(reply: &str) -> Option<String> {
        addresses(reply.as_bytes(), BASE).rewritten.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn services(reply: &str) -> Vec<String> {
        addresses(reply.as_bytes(), BASE).services
    }

    #[test]
    fn a_lan_address_leads_through_the_gateway_and_all_else_stays() {
        let reply = "<e:E xmlns:e='x'><!-- c --><t:XAddr q='>' xmlns:t='http://www.onvif.org/ver10/device/wsdl'>http://192.168.1.64:80/onvif/device?a=1&amp;b</t:XAddr><a>http://other/</a></e:E>";
        let expected = reply.replace("http://192.168.1.64:80/", "https://cloud.example:8443/d/cam/");
        assert_eq!(rewritten(reply).unwrap(), expected);
        assert_eq!(services(reply), ["/onvif/device?a=1&b"]);
        assert_eq!(addresses(reply.as_bytes(), BASE).origins, ["http://192.168.1.64:80"]);
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
            assert_eq!(addresses(strange.as_bytes(), BASE), Addresses::default(), "{strange}");
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
    fn subscriptions_are_told_from_services() {
        let address = format!("<Address xmlns='{WS_ADDRESSING}'>http://192.168.1.64/event?id=7</Address>");
        let reply = format!("<SubscriptionReference xmlns='urn:e'>{address}</SubscriptionReference>");
        assert!(addresses(reply.as_bytes(), BASE).are_subscriptions);
        assert!(!addresses(address.as_bytes(), BASE).are_subscriptions);
    }

    #[test]
    fn a_snapshot_is_no_service() {
        let reply = "<Uri xmlns='http://www.onvif.org/ver10/schema'>http://192.168.1.64/snap.jpg</Uri>";
        assert!(rewritten(reply).unwrap().contains("/d/cam/snap.jpg"));
        assert!(services(reply).is_empty());
        assert_eq!(addresses(reply.as_bytes(), BASE).resources, ["/snap.jpg"]);
    }

    #[test]
    fn where_the_host_names_the_device_there_is_no_prefix() {
        let base = "https://cam.cams.example.org";
        let reply = "<XAddr xmlns='http://www.onvif.org/x'>http://192.168.1.64/onvif/x</XAddr>";
        let expected = reply.replace("http://192.168.1.64", base);
        assert_eq!(addresses(reply.as_bytes(), base).rewritten.unwrap(), expected.as_bytes());
        assert_eq!(addresses(expected.as_bytes(), base).rewritten, None);
    }

    #[test]
    fn a_reply_that_is_no_xml_stays() {
        assert_eq!(rewritten("XAddr <"), None);
    }

    #[test]
    fn dots_lead_to_no_other_device() {
        for (text, expected) in [
            (format!("{BASE}/../other/onvif/x"), "/other/onvif/x"),
            (format!("{BASE}/a/%2E%2e/..\\..\\other"), "/other"),
            ("http://10.0.0.1/../../d/other/x".to_owned(), "/d/other/x"),
        ] {
            let reply = format!("<XAddr xmlns='http://www.onvif.org/x'>{text}</XAddr>");
            assert!(rewritten(&reply).unwrap().contains(&format!(">{BASE}{expected}<")), "{text}");
            assert_eq!(services(&reply), [expected], "{text}");
        }
    }

    #[test]
    fn a_redirect_stays_on_the_camera() {
        let target = "/a/b?c".parse().unwrap();
        for (led, expected) in [
            ("http://192.168.1.64/login.htm?x#y", Some("/login.htm?x#y")),
            ("https://evil.example/steal", Some("/steal")),
            ("//evil.example/steal", Some("/steal")),
            ("\\\\evil.example/steal", Some("/steal")),
            ("next", Some("/a/next")),
            ("?d", Some("/a/b?d")),
            ("", Some("/a/b?c")),
            ("../../../d/other/x", Some("/d/other/x")),
            ("/%2e%2e/other", Some("/other")),
            ("http://h//x", Some("/x")),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("http://", None),
        ] {
            let found = location(&target, &HeaderValue::from_str(led).unwrap());
            assert_eq!(found.as_deref(), expected, "{led}");
        }
    }
}
