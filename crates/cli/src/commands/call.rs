//! `oriel call`: any operation of the tables, its request built from `Name=value` arguments or given as XML.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use oriel_onvif::{ns, tables};
use oriel_soap::Row;
use oriel_soap::envelope::Envelope;
use oriel_soap::xml::{Any, Limits, Ns, Writer, XmlWrite};
use roxmltree::Node;
use serde_json::Value;

use crate::exit::BadUsage;
use crate::output::Output;
use crate::target::Target;

/// Call any operation of a device, directly or through a cloud.
///
/// Parameters build the request: `IncludeCapability=true`, `User.tt:Username=eve` for elements within elements and of the common schema,
/// `@Name=value` for attributes. A second one with the same name begins a second element.
#[derive(Args)]
pub(crate) struct Call {
    #[command(flatten)]
    target: Target,
    /// The operation, such as `GetDeviceInformation`; `uplink:GetServiceCapabilities` where several services have it.
    operation: String,
    /// Parameters.
    #[arg(value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// The request's element from a file, instead of parameters; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "parameters")]
    xml: Option<PathBuf>,
}

impl Call {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let row = find(&self.operation)?;
        let request = match &self.xml {
            Some(path) => from_file(path, row)?,
            None => {
                let root = Element::root(row.service, &self.parameters)?;
                Any::of(row.service, row.name, &root)
            }
        };
        let answer = self.target.client()?.call_raw(row.service, &request).await?;
        let envelope = Envelope::parse(&answer, &Limits::REPLY).map_err(|fault| anyhow::anyhow!("{fault}"))?;
        output.print(&as_json(envelope.body()), as_text(envelope.body(), 0).trim_end());
        Ok(())
    }
}

/// The row of an operation: by name, or by the service's prefix or name and the operation's.
fn find(text: &str) -> anyhow::Result<&'static Row> {
    let (service, name) = text.split_once(':').map_or((None, text), |(service, name)| (Some(service), name));
    let of_service = |row: &Row| {
        service.is_none_or(|service| row.service.prefix == service || row.service.uri.contains(&format!("/{service}/")))
    };
    let found: Vec<&'static Row> =
        tables().iter().flat_map(|table| table.rows).filter(|row| row.name == name && of_service(row)).collect();
    match found.as_slice() {
        [row] => Ok(row),
        [] => Err(BadUsage::error(unknown(text, name))),
        several => {
            let names: Vec<String> = several.iter().map(|row| format!("{}:{name}", row.service.prefix)).collect();
            Err(BadUsage::error(format!("several services have it: say {}", names.join(" or "))))
        }
    }
}

/// What to say of an operation that is in no table, with those that come near.
fn unknown(text: &str, name: &str) -> String {
    let wanted = name.to_lowercase();
    let is_near = |row: &&Row| {
        let known = row.name.to_lowercase();
        known == wanted || (wanted.len() > 3 && (known.contains(&wanted) || wanted.contains(&known)))
    };
    let mut near: Vec<&str> =
        tables().iter().flat_map(|table| table.rows).filter(is_near).map(|row| row.name).collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(5);
    match near.as_slice() {
        [] => format!("no service that we know has an operation `{text}`; docs/ref/coverage.md lists them"),
        near => format!("no service that we know has an operation `{text}`; near it: {}", near.join(", ")),
    }
}

fn from_file(path: &std::path::Path, row: &Row) -> anyhow::Result<Any> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input")?
    } else {
        std::fs::read_to_string(path).map_err(|error| BadUsage(format!("--xml {}: {error}", path.display())))?
    };
    let any = Any::from_xml(&text, &Limits::REQUEST).map_err(|error| BadUsage(format!("--xml: {error}")))?;
    if any.name().local != row.name || any.name().namespace != row.service.uri {
        let name = any.name();
        return Err(BadUsage::error(format!("--xml: the element is {name}, not {} of {}", row.name, row.service.uri)));
    }
    Ok(any)
}

/// The request as a tree, in the order of the arguments.
#[derive(Default)]
pub(super) struct Element {
    attributes: Vec<(String, String)>,
    children: Vec<(Ns, String, Element)>,
    text: Option<String>,
}

impl Element {
    pub(super) fn root(service: Ns, parameters: &[String]) -> anyhow::Result<Self> {
        let mut root = Self::default();
        for parameter in parameters {
            let bad = |why: &str| BadUsage::error(format!("`{parameter}` {why}"));
            let (path, value) = parameter.split_once('=').ok_or_else(|| bad("is not NAME=VALUE"))?;
            if !path.split('.').all(is_name) {
                return Err(bad(
                    "is not NAME=VALUE: a name is that of an element, such as tt:Username, or @ and that of an attribute",
                ));
            }
            root.put(service, path, value)?;
        }
        Ok(root)
    }

    fn put(&mut self, ns: Ns, path: &str, value: &str) -> anyhow::Result<()> {
        if let Some(attribute) = path.strip_prefix('@') {
            self.attributes.push((attribute.to_owned(), value.to_owned()));
            return Ok(());
        }
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let (ns, local) = match first.split_once(':') {
            None => (ns, first),
            Some((prefix, local)) => (known(prefix, ns)?, local),
        };
        // The same leaf again, or a leaf after the last element has it already: a new element begins.
        let open = self
            .children
            .last()
            .is_some_and(|(_, name, child)| name == local && rest.is_some_and(|rest| !child.has(rest)));
        if !open {
            self.children.push((ns, local.to_owned(), Self::default()));
        }
        let (_, _, child) = self.children.last_mut().expect("one was pushed or was there");
        match rest {
            Some(rest) => child.put(ns, rest, value)?,
            None => child.text = Some(value.to_owned()),
        }
        Ok(())
    }

    fn has(&self, path: &str) -> bool {
        let bare = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let child = self.children.iter().rev().find(|(_, name, _)| *name == bare(first));
        child.is_some_and(|(_, _, child)| rest.is_none_or(|rest| child.has(rest)))
    }
}

/// Whether it can stand before the `=`: an element's name, perhaps with a prefix, or an attribute's.
fn is_name(step: &str) -> bool {
    let is_plain = |name: &str| {
        name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    match step.strip_prefix('@') {
        Some(attribute) => is_plain(attribute),
        None => {
            step.split_once(':').map_or_else(|| is_plain(step), |(prefix, name)| is_plain(prefix) && is_plain(name))
        }
    }
}

fn known(prefix: &str, service: Ns) -> anyhow::Result<Ns> {
    let all: Vec<Ns> = tables().iter().map(|table| table.service).chain([ns::TT]).collect();
    all.iter().copied().chain([service]).find(|ns| ns.prefix == prefix).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|ns| ns.prefix).collect();
        BadUsage::error(format!(
            "`{prefix}:` is no prefix that we know: there are {}; --xml takes any",
            names.join(", ")
        ))
    })
}

impl XmlWrite for Element {
    fn write(&self, writer: &mut Writer) {
        for (name, value) in &self.attributes {
            writer.attribute(None, name, value);
        }
        for (ns, name, child) in &self.children {
            writer.element(*ns, name, child);
        }
        if let Some(text) = &self.text {
            writer.value(text);
        }
    }
}

/// `Name: value`, indented.
fn as_text(element: Node<'_, '_>, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let attributes: String = element.attributes().map(|a| format!(" @{}={}", a.name(), a.value())).collect();
    let name = element.tag_name().name();
    let children: Vec<_> = element.children().filter(Node::is_element).collect();
    if children.is_empty() {
        return format!("{indent}{name}:{attributes} {}\n", text_of(element)).replace(":  ", ": ");
    }
    let inner: String = children.into_iter().map(|child| as_text(child, depth + 1)).collect();
    format!("{indent}{name}:{attributes}\n{inner}")
}

fn text_of(element: Node<'_, '_>) -> String {
    element.children().filter_map(|child| child.text()).collect::<String>().trim().to_owned()
}

/// Objects by local name; what comes several times is a list.
fn as_json(element: Node<'_, '_>) -> Value {
    let children: Vec<_> = element.children().filter(Node::is_element).collect();
    if children.is_empty() && element.attributes().len() == 0 {
        return Value::String(text_of(element));
    }
    let mut object = serde_json::Map::new();
    for attribute in element.attributes() {
        object.insert(format!("@{}", attribute.name()), attribute.value().into());
    }
    for child in &children {
        let value = as_json(*child);
        match object.get_mut(child.tag_name().name()) {
            None => drop(object.insert(child.tag_name().name().to_owned(), value)),
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    if children.is_empty() {
        object.insert("#text".to_owned(), text_of(element).into());
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(parameters: &[&str]) -> String {
        let parameters: Vec<String> = parameters.iter().map(ToString::to_string).collect();
        let root = Element::root(ns::TDS, &parameters).unwrap();
        Any::of(ns::TDS, "CreateUsers", &root).as_xml().to_owned()
    }

    #[test]
    fn paths_nest_and_a_repeated_leaf_begins_a_new_element() {
        let text = xml(&["User.tt:Username=a", "User.tt:Password=p", "User.tt:Username=b"]);
        let document = roxmltree::Document::parse(&text).unwrap();
        let users: Vec<_> = document.root_element().children().collect();
        assert_eq!(users.len(), 2, "{text}");
        assert_eq!(as_json(users[0]), serde_json::json!({ "Username": "a", "Password": "p" }));
        assert_eq!(as_json(users[1]), serde_json::json!({ "Username": "b" }));
        assert_eq!(users[0].first_child().unwrap().tag_name().namespace(), Some(ns::TT.uri));
    }

    #[test]
    fn an_operation_of_two_services_asks_which() {
        let error = find("GetServiceCapabilities").unwrap_err().to_string();
        assert!(
            error.contains("tds:GetServiceCapabilities") && error.contains("tup:GetServiceCapabilities"),
            "{error}"
        );
        assert_eq!(find("uplink:GetServiceCapabilities").unwrap().service, ns::TUP);
        assert_eq!(find("SetUplink").unwrap().service, ns::TUP);
        find("Nothing").unwrap_err();
        let near = find("getdeviceinformation").unwrap_err().to_string();
        assert!(near.ends_with("near it: GetDeviceInformation"), "{near}");
    }

    #[test]
    fn a_parameter_that_is_none_is_refused_before_anything_is_sent() {
        for bad in ["Name", "=x", "a b=x", "tt:=x", "a..b=x", "@=x", "1a=x", "zz:Name=x"] {
            let refused = Element::root(ns::TDS, &[bad.to_owned()]).err().unwrap_or_else(|| panic!("{bad} was taken"));
            assert!(refused.is::<BadUsage>(), "{bad}: {refused}");
        }
        for good in ["Name=", "a.tt:b=x=y", "@token=t", "a.@b=c"] {
            Element::root(ns::TDS, &[good.to_owned()]).unwrap();
        }
    }
}
