//! What a WSDL file says of its operations: their requests, and the actions that clients made from it send.

use super::Service;
use oriel_soap::envelope::inspect;
use oriel_soap::xml::Limits;
use roxmltree::{Document, Node};
use std::collections::BTreeMap;

/// An operation of a port type.
pub(super) struct Operation {
    pub(super) name: String,
    /// The namespace of its request's element.
    pub(super) namespace: String,
    /// The local name of its request's element.
    pub(super) request: String,
}

/// The operations of all port types whose messages are declared in this file.
pub(super) fn operations(wsdl: &Document<'_>) -> Vec<Operation> {
    let requests: BTreeMap<&str, (&str, &str)> = all(wsdl, "message")
        .filter_map(|message| {
            let element = message.children().find_map(|part| part.attribute("element").map(|name| (part, name)));
            Some((message.attribute("name")?, element.and_then(|(part, name)| qualified(part, name))?))
        })
        .collect();
    let own = wsdl.root_element().attribute("targetNamespace").unwrap_or_default();
    all(wsdl, "portType")
        .flat_map(|port| port.children().filter(|node| node.tag_name().name() == "operation"))
        .filter_map(|operation| {
            let input = operation.children().find(|node| node.tag_name().name() == "input")?;
            let (namespace, message) = qualified(input, input.attribute("message")?)?;
            // A message of another file is declared, and compared, there.
            let (namespace, request) = (namespace == own).then(|| requests.get(message))??;
            let name = operation.attribute("name")?.to_owned();
            Some(Operation { name, namespace: (*namespace).to_owned(), request: (*request).to_owned() })
        })
        .collect()
}

/// The actions that the file declares have to be taken with the requests that they stand for.
pub(super) fn actions(wsdl: &Document<'_>, declared: &[Operation], services: &[Service], wrong: &mut Vec<String>) {
    for binding in all(wsdl, "binding") {
        for operation in binding.children().filter(|node| node.tag_name().name() == "operation") {
            let action = operation.children().find_map(|node| node.attribute("soapAction"));
            let (Some(name), Some(action)) = (operation.attribute("name"), action) else { continue };
            let own = declared.iter().find(|declared| declared.name == name);
            let request = own.map(|own| (own.namespace.as_str(), own.request.as_str()));
            // The port type of another file: WS-BaseNotification's, whose requests are named as its operations.
            let other = services.iter().find(|service| service.module == "notification");
            let Some((namespace, request)) = request.or(other.map(|other| (other.namespace.as_str(), name))) else {
                continue;
            };
            if !is_taken(namespace, request, action) {
                wrong.push(format!("the action {action} is refused with {request} of {namespace}"));
            }
        }
    }
}

fn is_taken(namespace: &str, request: &str, action: &str) -> bool {
    let message = format!(
        "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body><q:{request} xmlns:q=\"{namespace}\"/></e:Body></e:Envelope>"
    );
    inspect(message.as_bytes(), Some(action), &Limits::REQUEST).is_ok()
}

fn all<'a, 'input>(wsdl: &'a Document<'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    wsdl.root_element().children().filter(move |node| node.tag_name().name() == name)
}

/// Namespace and local name of a prefixed name.
fn qualified<'a>(at: Node<'a, '_>, name: &'a str) -> Option<(&'a str, &'a str)> {
    let (prefix, local) = name.split_once(':')?;
    Some((at.lookup_namespace_uri(Some(prefix))?, local))
}
