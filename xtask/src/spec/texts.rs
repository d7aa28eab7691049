//! The facts against ONVIF's own texts, on machines that have them: the operations of the WSDL, sections and access classes of the text.

use super::{Fact, Service};
use anyhow::{Context, Result};
use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(super) fn compare(texts: &Path, services: &[Service], wrong: &mut Vec<String>) -> Result<()> {
    if !texts.is_dir() {
        print_line("spec: ../shared/onvif is not there, the facts are not compared with the specifications");
        return Ok(());
    }
    for service in services {
        let wsdl = match service.module.as_str() {
            "device_mgmt" => "wsdl/ver10/device/wsdl/devicemgmt.wsdl",
            "uplink" => "wsdl/ver10/uplink/wsdl/uplink.wsdl",
            "security" => "wsdl/ver10/advancedsecurity/wsdl/advancedsecurity.wsdl",
            other => anyhow::bail!("which WSDL is that of {other}?"),
        };
        against_wsdl(&read(&texts.join(wsdl))?, service, wrong)?;
        against_text(&read(&texts.join(format!("doc/{}.xml", service.document)))?, service, wrong)?;
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

fn against_wsdl(text: &str, service: &Service, wrong: &mut Vec<String>) -> Result<()> {
    let document = Document::parse(text)?;
    let declared: BTreeSet<&str> = document
        .descendants()
        .filter(|node| node.tag_name().name() == "portType")
        .flat_map(|port| port.children().filter(|node| node.tag_name().name() == "operation"))
        .filter_map(|operation| operation.attribute("name"))
        .collect();
    let listed: BTreeSet<&str> = service.operations.iter().map(|Fact(name, ..)| name.as_str()).collect();
    for name in declared.difference(&listed) {
        wrong.push(format!("{}: the WSDL has {name}, the facts have not", service.name));
    }
    for name in listed.difference(&declared) {
        wrong.push(format!("{}: the facts have {name}, the WSDL has not", service.name));
    }
    Ok(())
}

/// Sections whose title is an operation's name, however it is spaced, and that state an access class.
fn against_text(text: &str, service: &Service, wrong: &mut Vec<String>) -> Result<()> {
    let document = Document::parse(text)?;
    let mut sections = BTreeMap::new();
    walk(document.root_element(), "", &mut sections);
    for Fact(name, section, access) in &service.operations {
        let Some(stated) = sections.get(&name.to_lowercase()) else {
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
