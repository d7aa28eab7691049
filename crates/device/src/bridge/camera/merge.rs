//! GetServices of a bridged camera (Core §8.1.2): the camera's own list, with our services in the place of its own of that kind. GetCapabilities has no place
//! for ours: the old list ends before them.
//!
//! Cut and inserted in place, since not every camera's list can be read as the schema has it, and nothing else of it is our business.

use oriel_onvif::ns;
use oriel_soap::xml::{Any, Element, Limits, parse, read};
use std::ops::Range;

/// Whether a reply is a list of services.
pub(super) fn is_list(reply: &[u8]) -> bool {
    let document = parse(reply, &Limits::REPLY);
    document.is_ok_and(|document| document.descendants().any(|node| is(node, "GetServicesResponse")))
}

/// The list of `reply` without the services of these namespaces, and with `ours` at its end. None: it is no list.
pub(super) fn services(reply: &[u8], without: &[&str], ours: &[Any]) -> Option<Vec<u8>> {
    let document = parse(reply, &Limits::REPLY).ok()?;
    let list = document.descendants().find(|node| is(*node, "GetServicesResponse"))?;
    let source = document.input_text();
    let gone = list.children().filter(|node| is(*node, "Service")).filter(|service| {
        let namespace = service.children().find(|child| is(*child, "Namespace"));
        namespace.and_then(|namespace| namespace.text()).is_some_and(|uri| without.contains(&uri.trim()))
    });
    let (before, after, reopened) = edges(source, list.range())?;
    let mut out = String::with_capacity(source.len() + 2048);
    let mut done = 0;
    for service in gone {
        out.push_str(&source[done..service.range().start]);
        done = service.range().end;
    }
    out.push_str(&source[done..before]);
    if let Some(name) = reopened {
        out.push('>');
        ours.iter().for_each(|service| out.push_str(service.as_xml()));
        out.push_str(&format!("</{name}>"));
    } else {
        ours.iter().for_each(|service| out.push_str(service.as_xml()));
    }
    out.push_str(&source[after..]);
    Some(out.into_bytes())
}

fn is(node: Element<'_, '_>, local: &str) -> bool {
    node.is_element() && read::is(node, ns::TDS, local)
}

/// Where an element's content ends, and where what follows it begins; and its name, where it has no content and so no end tag yet.
fn edges(source: &str, range: Range<usize>) -> Option<(usize, usize, Option<&str>)> {
    let element = &source[range.clone()];
    if let Some(open) = element.strip_suffix("/>") {
        let name = open[1..].split(|letter: char| letter.is_ascii_whitespace()).next()?;
        return Some((range.start + open.len(), range.end, Some(name)));
    }
    let end = range.start + element.rfind("</")?;
    Some((end, end, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_onvif::device_mgmt::{GetServices, Service};
    use oriel_soap::With as _;
    use oriel_soap::envelope::read_reply;

    const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";

    fn ours() -> Vec<Any> {
        let uplink = Service::with(|service| {
            service.namespace = ns::TUP.uri.to_owned();
            service.x_addr = "https://cloud/d/1/oriel/uplink_service".to_owned();
            (service.version.major, service.version.minor) = (26, 6);
        });
        vec![Any::of(ns::TDS, "Service", &uplink)]
    }

    fn service(namespace: &str, rest: &str) -> String {
        format!(
            "<x:Service><x:Namespace> {namespace} </x:Namespace><x:XAddr>http://cam/s</x:XAddr>\
             <x:Version><y:Major>2</y:Major><y:Minor>60</y:Minor></x:Version>{rest}</x:Service>"
        )
    }

    fn reply(list: &str) -> String {
        format!(
            "<?xml version='1.0'?><s:Envelope xmlns:s='{SOAP}' xmlns:x='{}' xmlns:y='{}'><s:Body>{list}</s:Body></s:Envelope>",
            ns::TDS.uri,
            ns::TT.uri
        )
    }

    fn names(list: &str) -> Option<Vec<String>> {
        let merged = services(reply(list).as_bytes(), &[ns::TUP.uri, ns::TAS.uri], &ours())?;
        let read = read_reply::<GetServices>(&merged, &Limits::REPLY).unwrap();
        Some(read.service.into_iter().map(|service| service.namespace.trim().to_owned()).collect())
    }

    #[test]
    fn the_cameras_services_stay_and_ours_are_ours() {
        let device = service(ns::TDS.uri, "<x:Capabilities><z:What xmlns:z='urn:z'/></x:Capabilities>");
        let list = format!(
            "<x:GetServicesResponse><!-- a > b -->{device}{}{}</x:GetServicesResponse>",
            service(ns::TUP.uri, ""),
            service(ns::TEV.uri, "")
        );
        assert_eq!(names(&list).unwrap(), [ns::TDS.uri, ns::TEV.uri, ns::TUP.uri]);
        let merged = services(reply(&list).as_bytes(), &[ns::TUP.uri], &ours()).unwrap();
        let text = String::from_utf8(merged).unwrap();
        assert!(text.contains(&device) && text.contains("<!-- a > b -->"), "{text}");
        assert_eq!(text.matches(ns::TUP.uri).count(), 1, "{text}");
    }

    #[test]
    fn an_empty_list_becomes_ours() {
        for empty in [
            "<x:GetServicesResponse/>",
            "<x:GetServicesResponse a='b' />",
            "<x:GetServicesResponse></x:GetServicesResponse>",
            "<GetServicesResponse xmlns='http://www.onvif.org/ver10/device/wsdl'\n/>",
        ] {
            assert_eq!(names(empty).unwrap(), [ns::TUP.uri], "{empty}");
        }
    }

    #[test]
    fn a_service_that_no_schema_would_allow_does_not_keep_ours_away() {
        let merged = services(
            reply("<x:GetServicesResponse><x:Service><x:XAddr/></x:Service></x:GetServicesResponse>").as_bytes(),
            &[],
            &ours(),
        );
        assert!(String::from_utf8(merged.unwrap()).unwrap().contains("oriel/uplink_service"));
    }

    #[test]
    fn what_is_no_list_stays() {
        assert_eq!(names("<x:GetScopesResponse/>"), None);
        assert_eq!(services(b"no xml", &[], &ours()), None);
    }
}
