//! What `xs:any` brings: kept as XML of its own, so that it can be written again anywhere.

use roxmltree::NodeId;

use super::write::escape;
use super::{Element, Limits, Ns, QName, Writer, XmlError, XmlRead, XmlWrite, parse, read};

/// An element kept as it came, with the namespaces it needs declared on itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Any {
    name: QName,
    xml: String,
}

impl Any {
    /// Keeps an element of a document: comments and processing instructions go, the prefixes stay, since its text may use them.
    #[must_use]
    pub fn from_element(element: Element<'_, '_>) -> Self {
        let (namespace, local) = read::name(element);
        let source = &element.document().input_text()[element.range()];
        let mut xml = String::with_capacity(source.len() + 64);
        serialise(element, &mut xml, &Scope::Own(source), &|_| true, None);
        Self { name: QName::new(namespace, local), xml }
    }

    /// Writes a value of ours as an element.
    #[must_use]
    pub fn of(ns: Ns, local: &str, value: &impl XmlWrite) -> Self {
        let mut writer = Writer::fragment();
        writer.element(ns, local, value);
        Self { name: QName::new(ns.uri, local), xml: writer.finish() }
    }

    /// Takes an element from text.
    ///
    /// # Errors
    /// The text is not one well-formed element.
    pub fn from_xml(text: &str, limits: &Limits) -> Result<Self, XmlError> {
        Ok(Self::from_element(parse(text.as_bytes(), limits)?.root_element()))
    }

    /// Name and namespace.
    #[must_use]
    pub fn name(&self) -> &QName {
        &self.name
    }

    /// The element as text, complete in itself.
    #[must_use]
    pub fn as_xml(&self) -> &str {
        &self.xml
    }

    /// The same with another attribute; one that is there stays as it is.
    #[must_use]
    pub fn with_attribute(&self, ns: Ns, local: &str, value: &str) -> Self {
        let there = parse(self.xml.as_bytes(), &Limits::REPLY)
            .is_ok_and(|document| document.root_element().has_attribute((ns.uri, local)));
        if there {
            return self.clone();
        }
        let mut prefix = ns.prefix.to_owned();
        // One that nothing in the element uses, declared or not.
        while self.xml.contains(&format!("{prefix}:")) || self.xml.contains(&format!("xmlns:{prefix}=")) {
            prefix.push('1');
        }
        // What is kept was written here: the name begins at once and ends before a space, a slash or the tag's end.
        let name = self.xml.find([' ', '/', '>']).unwrap_or(self.xml.len());
        let mut xml = self.xml[..name].to_owned();
        for (left, right) in [(format!(" xmlns:{prefix}=\""), ns.uri), (format!("\" {prefix}:{local}=\""), value)] {
            xml.push_str(&left);
            escape(right, true, &mut xml);
        }
        xml.push('"');
        xml.push_str(&self.xml[name..]);
        Self { name: self.name.clone(), xml }
    }

    /// Reads the element as a type.
    ///
    /// # Errors
    /// It is not of that type.
    pub fn to<T: XmlRead>(&self) -> Result<T, XmlError> {
        let document = parse(self.xml.as_bytes(), &Limits::REPLY)?;
        T::read(document.root_element()).map_err(|error| error.inside(&self.name.local))
    }
}

/// An attribute that `xs:anyAttribute` allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyAttribute {
    /// Namespace, if it has one.
    pub namespace: Option<String>,
    /// Local name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// Which namespaces the first element declares.
enum Scope<'s> {
    /// Those in scope whose prefix the source of the element mentions.
    Own(&'s str),
    /// All in scope.
    All,
}

/// XML of its own that is put first into an element.
pub(crate) struct First<'a> {
    /// The element.
    pub(crate) into: NodeId,
    /// Elements that declare what they need.
    pub(crate) xml: &'a str,
}

/// The document from `root` on, written from the parse: no comments, no processing instructions, entities resolved and escaped
/// again, without the elements that `keep` refuses, and with what is new.
pub(crate) fn reserialise(
    root: Element<'_, '_>,
    out: &mut String,
    keep: &dyn Fn(Element<'_, '_>) -> bool,
    first: Option<&First<'_>>,
) {
    serialise(root, out, &Scope::All, keep, first);
}

/// Iterates, since depth is the sender's choice. An element that nothing of is kept is written as an empty one is, so that writing
/// twice changes nothing.
fn serialise(
    root: Element<'_, '_>,
    out: &mut String,
    scope: &Scope<'_>,
    keep: &dyn Fn(Element<'_, '_>) -> bool,
    first: Option<&First<'_>>,
) {
    let mut node = root;
    // Whether the start tag that was written last still lacks its end.
    let mut in_tag = false;
    loop {
        let mut descend = None;
        if node.is_element() {
            if node == root || keep(node) {
                close_tag(&mut in_tag, out);
                out.push('<');
                out.push_str(source_name(node));
                declare(node, (node != root).then(|| node.parent()).flatten(), out, scope);
                attributes(node, out);
                descend = node.first_child();
                let first = first.filter(|first| first.into == node.id());
                if let Some(First { xml, .. }) = first {
                    out.push('>');
                    out.push_str(xml);
                }
                in_tag = descend.is_some() && first.is_none();
                match (descend, first) {
                    (None, None) => out.push_str("/>"),
                    (None, Some(_)) => end_tag(node, out),
                    (Some(_), _) => {}
                }
            }
        } else if let Some(text) = node.text().filter(|text| node.is_text() && !text.is_empty()) {
            close_tag(&mut in_tag, out);
            escape(text, false, out);
        }
        if let Some(child) = descend {
            node = child;
            continue;
        }
        loop {
            if node == root {
                return;
            }
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            node = node.parent().expect("below the root there is a parent");
            if std::mem::take(&mut in_tag) {
                out.push_str("/>");
            } else {
                end_tag(node, out);
            }
        }
    }
}

fn end_tag(element: Element<'_, '_>, out: &mut String) {
    out.push_str("</");
    out.push_str(source_name(element));
    out.push('>');
}

fn close_tag(in_tag: &mut bool, out: &mut String) {
    if std::mem::take(in_tag) {
        out.push('>');
    }
}

/// The name as the source wrote it, prefix and all.
fn source_name<'input>(element: Element<'_, 'input>) -> &'input str {
    let source = &element.document().input_text()[element.range()][1..];
    let end = source.bytes().position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>'));
    &source[..end.unwrap_or(source.len())]
}

/// The declarations that the element has and `outer` has not.
fn declare(element: Element<'_, '_>, outer: Option<Element<'_, '_>>, out: &mut String, scope: &Scope<'_>) {
    for namespace in element.namespaces() {
        let prefix = namespace.name();
        if prefix == Some("xml") {
            continue;
        }
        match outer {
            // One declaration is one object in the document, so that identity is equality.
            Some(outer) if outer.namespaces().any(|other| std::ptr::eq(other, namespace)) => continue,
            None if !needed(prefix, scope) => continue,
            _ => {}
        }
        out.push_str(" xmlns");
        if let Some(prefix) = prefix {
            out.push(':');
            out.push_str(prefix);
        }
        out.push_str("=\"");
        escape(namespace.uri(), true, out);
        out.push('"');
    }
}

/// Whether the source mentions the prefix: in a name, or in a QName in text. With character references, anything may be mentioned.
fn needed(prefix: Option<&str>, scope: &Scope<'_>) -> bool {
    match (scope, prefix) {
        (Scope::All, _) | (Scope::Own(_), None) => true,
        (Scope::Own(source), Some(prefix)) => {
            let bytes = source.as_bytes();
            let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | 0x80..);
            // `ns` is not what `xmlns:x` mentions.
            let begins = |at: usize| at == 0 || !goes_on(bytes[at - 1]);
            source.contains("&#")
                || source.match_indices(prefix).any(|(at, _)| bytes.get(at + prefix.len()) == Some(&b':') && begins(at))
        }
    }
}

fn attributes(element: Element<'_, '_>, out: &mut String) {
    let source = element.document().input_text();
    for attribute in element.attributes() {
        out.push(' ');
        out.push_str(&source[attribute.range_qname()]);
        out.push_str("=\"");
        escape(attribute.value(), true, out);
        out.push('"');
    }
}
