//! `oriel call`: any operation of the tables, its request built from `Name=value` arguments or given as XML.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use oriel_onvif::{ns, tables};
use oriel_soap::Row;
use oriel_soap::envelope::Envelope;
use oriel_soap::xml::{Any, Limits, Ns, Writer, XmlWrite};
use roxmltree::Node;
use serde_json::Value;

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
        [] => bail!("no service of ours has an operation `{text}`; docs/ref/coverage.md lists them"),
        several => {
            let names: Vec<String> = several.iter().map(|row| format!("{}:{name}", row.service.prefix)).collect();
            bail!("several services have it: say {}", names.join(" or "))
        }
    }
}

fn from_file(path: &std::path::Path, row: &Row) -> anyhow::Result<Any> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input")?
    } else {
        std::fs::read_to_string(path).with_context(|| path.display().to_string())?
    };
    let any = Any::from_xml(&text, &Limits::REQUEST).context("--xml")?;
    if any.name().local != row.name || any.name().namespace != row.service.uri {
        bail!("--xml: the element is {}, not {} of {}", any.name(), row.name, row.service.uri);
    }
    Ok(any)
}

/// The request as a tree, in the order of the arguments.
#[derive(Default)]
struct Element {
    attributes: Vec<(String, String)>,
    children: Vec<(Ns, String, Element)>,
    text: Option<String>,
}

impl Element {
    fn root(service: Ns, parameters: &[String]) -> anyhow::Result<Self> {
        let mut root = Self::default();
        for parameter in parameters {
            let (path, value) =
                parameter.split_once('=').with_context(|| format!("`{parameter}` is not NAME=VALUE"))?;
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

fn known(prefix: &str, service: Ns) -> anyhow::Result<Ns> {
    let all = tables().iter().map(|table| table.service).chain([ns::TT, service]);
    all.into_iter().find(|ns| ns.prefix == prefix).with_context(|| format!("`{prefix}` is no prefix that we know"))
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
    }
}
