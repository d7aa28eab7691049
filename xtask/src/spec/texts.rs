//! The facts against ONVIF's own texts, on machines that have them: the operations of the WSDL, sections and access classes of the text.

mod topics;
mod wsdl;

use super::{Fact, Service};
use anyhow::{Context, Result};
use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use wsdl::Operation;

/// Where the WSDL of a service is; WS-BaseNotification's is the copy that stands beside that of the event service.
const WSDL: [(&str, &str); 15] = [
    ("analytics", "ver20/analytics/wsdl/analytics.wsdl"),
    ("device_io", "ver10/deviceio.wsdl"),
    ("device_mgmt", "ver10/device/wsdl/devicemgmt.wsdl"),
    ("events", "ver10/events/wsdl/event.wsdl"),
    ("imaging", "ver20/imaging/wsdl/imaging.wsdl"),
    ("media", "ver10/media/wsdl/media.wsdl"),
    ("media2", "ver20/media/wsdl/media.wsdl"),
    ("notification", "ver10/events/wsdl/bw-2-vs-mod.wsdl"),
    ("ptz", "ver20/ptz/wsdl/ptz.wsdl"),
    ("receiver", "ver10/receiver.wsdl"),
    ("recording", "ver10/recording.wsdl"),
    ("replay", "ver10/replay.wsdl"),
    ("search", "ver10/search.wsdl"),
    ("security", "ver10/advancedsecurity/wsdl/advancedsecurity.wsdl"),
    ("uplink", "ver10/uplink/wsdl/uplink.wsdl"),
];

pub(super) fn compare(texts: &Path, services: &[Service], wrong: &mut Vec<String>) -> Result<()> {
    if !texts.is_dir() {
        print_line("spec: ../shared/onvif is not there, the facts are not compared with the specifications");
        return Ok(());
    }
    topics::compare(texts, wrong)?;
    for service in services {
        let known = WSDL.iter().find(|(module, _)| *module == service.module);
        let (_, wsdl) = known.with_context(|| format!("which WSDL is that of {}?", service.module))?;
        let wsdl = read(&texts.join("wsdl").join(wsdl))?;
        let wsdl = Document::parse(&wsdl)?;
        let declared = wsdl::operations(&wsdl);
        against_wsdl(&declared, service, services, wrong);
        wsdl::actions(&wsdl, &declared, services, wrong);
        let text = texts.join(format!("doc/{}.xml", service.document));
        if text.is_file() {
            against_text(&read(&text)?, &declared, service, wrong)?;
        } else {
            print_line(&format!(
                "spec: {} is not there, {} is compared with its WSDL alone",
                service.document, service.name
            ));
        }
    }
    Ok(())
}

/// The one line of a skipped comparison belongs on the terminal.
#[expect(clippy::print_stdout, reason = "a chore talks to whoever runs it")]
fn print_line(line: &str) {
    println!("{line}");
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn against_wsdl(declared: &[Operation], service: &Service, services: &[Service], wrong: &mut Vec<String>) {
    let (own, lent): (Vec<_>, Vec<_>) = declared.iter().partition(|operation| operation.namespace == service.namespace);
    let requests: BTreeSet<&str> = own.iter().map(|operation| operation.request.as_str()).collect();
    let listed: BTreeSet<&str> = service.operations.iter().map(|Fact(name, ..)| name.as_str()).collect();
    for name in requests.difference(&listed) {
        wrong.push(format!("{}: the WSDL has {name}, the facts have not", service.name));
    }
    for name in listed.difference(&requests) {
        wrong.push(format!("{}: the facts have {name}, the WSDL has not", service.name));
    }
    // A request of another service's namespace has to be among the facts of that one.
    for Operation { name, namespace, request } in lent {
        let owner = services.iter().find(|other| other.namespace == *namespace);
        if !owner.is_some_and(|owner| owner.operations.iter().any(|Fact(name, ..)| name == request)) {
            wrong.push(format!("{}: the request of {name}, {request} of {namespace}, is among no facts", service.name));
        }
    }
}

/// Sections whose title is an operation's name, however it is spaced, and that state an access class.
fn against_text(text: &str, declared: &[Operation], service: &Service, wrong: &mut Vec<String>) -> Result<()> {
    let document = Document::parse(text)?;
    let mut sections = BTreeMap::new();
    walk(document.root_element(), "", &mut sections);
    for Fact(name, section, access) in &service.operations {
        // The title is the operation's name, which is not always its request's.
        let operation = declared.iter().find(|operation| operation.request == *name);
        let title = operation.map_or(name, |operation| &operation.name);
        let Some(stated) = stated(&sections, title) else {
            if !section.is_empty() && sections.values().all(|all| all.iter().all(|(number, _)| number != section)) {
                // A section without operation of its own, as the capabilities of a service: it has to exist at least.
                let exists = numbers(document.root_element(), "").contains(section);
                if !exists {
                    wrong.push(format!("{}: {name} is said to be in §{section}, which is not there", service.name));
                }
            }
            continue;
        };
        // Another service of the same document may have an operation of the same name.
        if !stated.iter().any(|(number, class)| number == section && class == access) {
            wrong.push(format!("{}: {name} is said to be §{section} {access}, the text has {stated:?}", service.name));
        }
    }
    Ok(())
}

/// The sections of that title, or those of a family of operations: `Get<entity>Configurations`.
fn stated<'a>(sections: &'a BTreeMap<String, Vec<(String, String)>>, title: &str) -> Option<&'a Vec<(String, String)>> {
    let title = title.to_lowercase();
    let is_family = |family: &str| {
        family.split_once("<entity>").is_some_and(|(start, end)| title.starts_with(start) && title.ends_with(end))
    };
    sections.get(&title).or_else(|| sections.iter().find(|(family, _)| is_family(family)).map(|(_, stated)| stated))
}

fn is_section(node: &Node<'_, '_>) -> bool {
    matches!(node.tag_name().name(), "chapter" | "section")
}

fn numbered<'a, 'input>(parent: Node<'a, 'input>, number: &str) -> Vec<(String, Node<'a, 'input>)> {
    let dot = if number.is_empty() { "" } else { "." };
    let sections = parent.children().filter(is_section).enumerate();
    sections.map(|(index, section)| (format!("{number}{dot}{}", index + 1), section)).collect()
}

fn numbers(parent: Node<'_, '_>, number: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (number, section) in numbered(parent, number) {
        all.extend(numbers(section, &number));
        all.insert(number);
    }
    all
}

fn walk(parent: Node<'_, '_>, number: &str, sections: &mut BTreeMap<String, Vec<(String, String)>>) {
    for (number, section) in numbered(parent, number) {
        let title = section.children().find(|node| node.tag_name().name() == "title").map(words).unwrap_or_default();
        if let Some(class) = access_class(section) {
            sections.entry(title.to_lowercase()).or_default().push((number.clone(), class));
        }
        walk(section, &number, sections);
    }
}

/// All text, without any white space.
fn words(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|text| text.text());
    texts.flat_map(str::split_whitespace).collect()
}

fn access_class(section: Node<'_, '_>) -> Option<String> {
    section
        .children()
        .filter(|node| !is_section(node))
        .find_map(|node| if node.attribute("role") == Some("access") { Some(class(node)) } else { access_class(node) })
}

/// The class as Core names it; Security §5.5.6.2 has one that Core does not have, which comes nearest to this.
fn class(node: Node<'_, '_>) -> String {
    match words(node).as_str() {
        "WRITE_SYSTEM_SECRET" => "WRITE_SYSTEM".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WSDL: &str = r#"<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:a="urn:a" xmlns:b="urn:b" targetNamespace="urn:a">
        <w:message name="GoIn"><w:part name="parameters" element="a:Go"/></w:message>
        <w:message name="TurnIn"><w:part name="parameters" element="a:TurnAround"/></w:message>
        <w:message name="LendIn"><w:part name="parameters" element="b:Lend"/></w:message>
        <w:portType name="One"><w:operation name="Go"><w:input message="a:GoIn"/></w:operation></w:portType>
        <w:portType name="Two"><w:operation name="Turn"><w:input message="a:TurnIn"/></w:operation>
            <w:operation name="Lend"><w:input message="a:LendIn"/></w:operation>
            <w:operation name="Elsewhere"><w:input message="b:ElsewhereIn"/></w:operation></w:portType>
        <w:binding name="OneBinding"><w:operation name="Go"><x soapAction="urn:a/Stop"/></w:operation></w:binding>
        <w:binding name="TwoBinding"><w:operation name="Lend"><x soapAction="urn:b/LendRequest"/></w:operation></w:binding>
        </w:definitions>"#;

    const TEXT: &str = r#"<book><chapter><title>Motion</title>
        <section><title>Go</title><para role="access">ACTUATE</para></section>
        <section><title>Turn</title><list><para role="access">READ_MEDIA</para></list></section>
        <section><title>Get&lt;entity&gt;List</title><para role="access">READ_SYSTEM</para></section></chapter></book>"#;

    fn service(namespace: &str, operations: &[[&str; 3]]) -> Service {
        Service {
            name: "Motion".into(),
            module: "motion".into(),
            namespace: namespace.into(),
            document: String::new(),
            edition: String::new(),
            operations: operations
                .iter()
                .map(|[name, at, access]| Fact((*name).into(), (*at).into(), (*access).into()))
                .collect(),
        }
    }

    #[test]
    fn requests_are_compared_not_the_names_of_operations() {
        let wsdl = Document::parse(WSDL).unwrap();
        let declared = wsdl::operations(&wsdl);
        let compared = |services: &[Service]| {
            let mut wrong = Vec::new();
            against_wsdl(&declared, &services[0], services, &mut wrong);
            wrong
        };
        let right = service("urn:a", &[["Go", "", ""], ["TurnAround", "", ""]]);
        assert_eq!(compared(&[right, service("urn:b", &[["Lend", "", ""]])]), [""; 0]);
        let wrong = service("urn:a", &[["Go", "", ""], ["Turn", "", ""]]);
        let expected = [
            "Motion: the WSDL has TurnAround, the facts have not",
            "Motion: the facts have Turn, the WSDL has not",
            "Motion: the request of Lend, Lend of urn:b, is among no facts",
        ];
        assert_eq!(compared(&[wrong, service("urn:b", &[["Borrow", "", ""]])]), expected);
        let mut refused = Vec::new();
        wsdl::actions(&wsdl, &declared, &[], &mut refused);
        assert_eq!(refused, ["the action urn:a/Stop is refused with Go of urn:a"]);
    }

    #[test]
    fn classes_are_those_of_the_operations_section_or_of_its_familys() {
        let declared = wsdl::operations(&Document::parse(WSDL).unwrap());
        let compared = |operations: &[[&str; 3]]| {
            let mut wrong = Vec::new();
            against_text(TEXT, &declared, &service("urn:a", operations), &mut wrong).unwrap();
            wrong
        };
        let right = [
            ["Go", "1.1", "ACTUATE"],
            ["TurnAround", "1.2", "READ_MEDIA"],
            ["GetAxisList", "1.3", "READ_SYSTEM"],
            ["Old", "", "ACTUATE"],
        ];
        assert_eq!(compared(&right), [""; 0]);
        let wrong = [
            ["Go", "1.1", "READ_MEDIA"],
            ["TurnAround", "", "READ_MEDIA"],
            ["GetAxisList", "1.3", "ACTUATE"],
            ["Old", "1.4", "ACTUATE"],
        ];
        let expected = [
            "Motion: Go is said to be §1.1 READ_MEDIA, the text has [(\"1.1\", \"ACTUATE\")]",
            "Motion: TurnAround is said to be § READ_MEDIA, the text has [(\"1.2\", \"READ_MEDIA\")]",
            "Motion: GetAxisList is said to be §1.3 ACTUATE, the text has [(\"1.3\", \"READ_SYSTEM\")]",
            "Motion: Old is said to be in §1.4, which is not there",
        ];
        assert_eq!(compared(&wrong), expected);
    }
}
