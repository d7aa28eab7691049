//! Addresses in a device's replies (Core §8.1.2.2): a device that builds them from its own idea of its host names a LAN that the client cannot reach.
//!
//! Devices that heed `X-Forwarded-*` have named us already, and their replies pass untouched. In others' replies the http addresses in `XAddr`, `Uri` and
//! `Address` are made to lead through this gateway. Found by our parser, replaced in place: nothing else of the reply changes.

use oriel_soap::addresses::{Kind, replace};

use super::Call;

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
    let base = format!("https://{}/d/{}", call.authority, call.device);
    let mut services = Vec::new();
    let rewritten = replace(reply, |kind, address| {
        let (path, ours) = path(address, &base)?;
        if kind == Kind::Service {
            services.push(path.to_owned());
        }
        (!ours).then(|| format!("{base}{path}"))
    });
    Addresses { rewritten, services }
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

#[cfg(test)]
mod tests {
    use super::*;

    const WS_ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";

    fn call() -> Call {
        Call {
            device: "cam".into(),
            authority: "cloud.example:8443".parse().unwrap(),
            target: "/".parse().unwrap(),
            levels: oriel_soap::access::Levels::ADMINISTRATOR,
            caller: crate::records::Principal {
                organisation: "org".into(),
                user: None,
                by: crate::records::By::Token("t".into()),
                role: crate::records::Role::Viewer,
                instance: false,
                devices: None,
            },
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
