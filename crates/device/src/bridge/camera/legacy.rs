//! Cameras from before GetServices: their services by GetCapabilities, the list that came before it (Core §8.1.2.4).

use oriel_onvif::device_mgmt::{OnvifVersion, Service};
use oriel_onvif::ns;
use oriel_soap::With as _;
use oriel_soap::xml::{Element, Limits, Ns, parse, read};

/// Which service an element of the old list is about.
const SERVICES: [(&str, Ns); 11] = [
    ("Device", ns::TDS),
    ("Media", ns::TRT),
    ("Events", ns::TEV),
    ("PTZ", ns::TPTZ),
    ("Imaging", ns::TIMG),
    ("Analytics", ns::TAN),
    ("DeviceIO", ns::TMD),
    ("Recording", ns::TRC),
    ("Search", ns::TSE),
    ("Replay", ns::TRP),
    ("Receiver", ns::TRV),
];

/// The services in a reply to GetCapabilities. None: there is no such list in it.
pub(super) fn services(reply: &[u8]) -> Option<Vec<Service>> {
    let document = parse(reply, &Limits::REPLY).ok()?;
    let list = document.descendants().find(|node| is(*node, ns::TDS, "GetCapabilitiesResponse"))?;
    let elements = list.descendants().filter(|node| node.is_element() && read::name(*node).0 == ns::TT.uri);
    let found = elements.filter_map(|element| {
        let (_, namespace) = SERVICES.iter().find(|(name, _)| *name == read::name(element).1)?;
        let address = read::elements(element).find(|child| is(*child, ns::TT, "XAddr"))?;
        let address = address.text().map(str::trim).filter(|address| !address.is_empty())?;
        Some(service(*namespace, address))
    });
    Some(found.collect())
}

/// A service of which no more is known.
pub(super) fn service(namespace: Ns, address: &str) -> Service {
    Service::with(|service| {
        service.namespace = namespace.uri.to_owned();
        service.x_addr = address.to_owned();
        // The old list does not say it; it was made for the second edition of the specifications.
        service.version = OnvifVersion::with(|version| version.major = 2);
    })
}

fn is(node: Element<'_, '_>, namespace: Ns, local: &str) -> bool {
    node.is_element() && read::is(node, namespace, local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_an_address_is_a_service() {
        let reply = format!(
            "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' xmlns:d='{}' xmlns:t='{}'><s:Body><d:GetCapabilitiesResponse>\
             <d:Capabilities><t:Device><t:XAddr>http://a/dev</t:XAddr><t:Network/></t:Device><t:Media><t:XAddr> http://a/m </t:XAddr></t:Media>\
             <t:PTZ/><t:Extension><t:Recording><t:XAddr>http://a/rec</t:XAddr></t:Recording><t:Extensions><t:XAddr>http://a/x</t:XAddr>\
             </t:Extensions></t:Extension></d:Capabilities></d:GetCapabilitiesResponse></s:Body></s:Envelope>",
            ns::TDS.uri,
            ns::TT.uri
        );
        let found = services(reply.as_bytes()).unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.namespace.as_str(), one.x_addr.as_str())).collect();
        assert_eq!(found, [(ns::TDS.uri, "http://a/dev"), (ns::TRT.uri, "http://a/m"), (ns::TRC.uri, "http://a/rec")]);
        assert_eq!(services(b"<x/>"), None);
    }
}
