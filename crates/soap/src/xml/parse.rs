//! Parsing with bounds: size, depth, nodes, attributes and namespaces are limited before anything is built.

use super::{XmlError, XmlErrorKind};
use memchr::{memchr, memchr3, memmem};
use roxmltree::{Document, Error, ParsingOptions};

/// Bounds on one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the text.
    pub bytes: usize,
    /// Elements, texts, comments and processing instructions together.
    pub nodes: u32,
    /// Elements within elements.
    pub depth: usize,
}

impl Limits {
    /// For what a server reads: 1 MiB, 20,000 nodes, 64 levels.
    pub const REQUEST: Self = Self { bytes: 1 << 20, nodes: 20_000, depth: 64 };
    /// For what a client reads: 8 MiB, 400,000 nodes, 128 levels.
    pub const REPLY: Self = Self { bytes: 8 << 20, nodes: 400_000, depth: 128 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::REQUEST
    }
}

/// Attributes on one element, namespace declarations included. Some clients declare every namespace they know on the envelope.
const ATTRIBUTES: usize = 256;
/// Steps that namespace declarations may cost the parser, which copies what is in scope to each element that declares something.
const NAMESPACE_STEPS: usize = 2_000_000;

/// Parses UTF-8 text without a document type declaration.
///
/// # Errors
/// Not well-formed, not UTF-8, with a DTD, or beyond `limits`.
pub fn parse<'input>(text: &'input [u8], limits: &Limits) -> Result<Document<'input>, XmlError> {
    if text.len() > limits.bytes {
        return Err(XmlError::new(XmlErrorKind::TooLarge("more bytes than are taken")));
    }
    let text = std::str::from_utf8(text).map_err(|_| malformed("the text is not UTF-8"))?;
    scan(text.as_bytes(), limits)?;
    let options = ParsingOptions { nodes_limit: limits.nodes, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| match error {
        Error::DtdDetected => malformed("a document type declaration is not allowed in SOAP"),
        Error::UnknownNamespace(prefix, _) => XmlError::new(XmlErrorKind::UndeclaredPrefix(prefix)),
        Error::NodesLimitReached => XmlError::new(XmlErrorKind::TooLarge("more elements than are taken")),
        Error::AttributesLimitReached | Error::NamespacesLimitReached => {
            XmlError::new(XmlErrorKind::TooLarge("more attributes or namespaces than are taken"))
        }
        error => malformed(&error.to_string()),
    })
}

fn malformed(why: &str) -> XmlError {
    XmlError::new(XmlErrorKind::Malformed(why.to_owned()))
}

/// Walks over the tags without building anything. It takes the text to be well-formed: where it is not, the parser behind says so.
fn scan(text: &[u8], limits: &Limits) -> Result<(), XmlError> {
    // Namespaces in scope at each open element.
    let mut scopes: Vec<usize> = Vec::with_capacity(16);
    let mut steps = 0;
    let mut at = 0;
    while let Some(found) = memchr(b'<', &text[at..]) {
        at += found + 1;
        let rest = &text[at..];
        at += if rest.starts_with(b"!--") {
            after(rest, b"-->")
        } else if rest.starts_with(b"![CDATA[") {
            after(rest, b"]]>")
        } else if rest.starts_with(b"?") {
            after(rest, b"?>")
        } else if rest.starts_with(b"!") {
            // The parser takes one that declares nothing.
            return Err(malformed("a document type declaration is not allowed in SOAP"));
        } else if rest.starts_with(b"/") {
            scopes.pop();
            after(rest, b">")
        } else {
            let tag = Tag::scan(rest);
            if tag.malformed {
                // The parser takes it, but whoever reads what is written anew from our parse need not.
                return Err(malformed("a prefix is declared that cannot be, or for no namespace"));
            }
            let outer = scopes.last().copied().unwrap_or(0);
            let scope = outer + tag.namespaces;
            if tag.attributes > ATTRIBUTES {
                return Err(XmlError::new(XmlErrorKind::TooLarge("more attributes on one element than are taken")));
            }
            if tag.namespaces > 0 {
                steps += scope * tag.namespaces;
            }
            if steps > NAMESPACE_STEPS {
                return Err(XmlError::new(XmlErrorKind::TooLarge("more namespace declarations than are taken")));
            }
            if scopes.len() >= limits.depth {
                return Err(XmlError::new(XmlErrorKind::TooLarge("more levels of elements than are taken")));
            }
            if !tag.empty {
                scopes.push(scope);
            }
            tag.len
        };
    }
    Ok(())
}

fn after(text: &[u8], end: &[u8]) -> usize {
    memmem::find(text, end).map_or(text.len(), |at| at + end.len())
}

#[derive(Default)]
struct Tag {
    len: usize,
    attributes: usize,
    namespaces: usize,
    empty: bool,
    /// A prefix is declared for no namespace, or it is `xmlns` (Namespaces in XML 1.0, §2.2 and §3).
    malformed: bool,
}

impl Tag {
    fn scan(text: &[u8]) -> Self {
        let mut tag = Self::default();
        let mut at = 0;
        while let Some(found) = memchr3(b'>', b'"', b'\'', &text[at..]) {
            let end = at + found;
            if text[end] == b'>' {
                tag.empty = end > 0 && text[end - 1] == b'/';
                tag.len = end + 1;
                return tag;
            }
            // Between two values stands the name of the second.
            tag.attributes += 1;
            let value = end + 1;
            let close = memchr(text[end], &text[value..]);
            if let Some(prefix) = declared(&text[at..end], at == 0) {
                tag.namespaces += 1;
                tag.malformed |= prefix == b":xmlns" || close == Some(0) && prefix.starts_with(b":");
            }
            at = close.map_or(text.len(), |close| value + close + 1);
        }
        tag.len = text.len();
        tag
    }
}

/// What follows `xmlns` in a declaration's name, the colon included; none if the attribute before this equals sign declares nothing. `first`: the
/// element's name stands before it.
fn declared(text: &[u8], first: bool) -> Option<&[u8]> {
    const XMLNS: &[u8] = b"xmlns";
    let rest = if first {
        let apart = |at: &usize| at.checked_sub(1).is_some_and(|before| text[before].is_ascii_whitespace());
        &text[memmem::find_iter(text, XMLNS).find(apart)? + XMLNS.len()..]
    } else {
        text.trim_ascii_start().strip_prefix(XMLNS)?
    };
    let name = rest.trim_ascii_end();
    Some(name.strip_suffix(b"=").unwrap_or(name).trim_ascii_end())
}
