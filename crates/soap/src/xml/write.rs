//! Writing well-formed XML: names by namespace, prefixes declared once on the first element.

use super::{Any, AnyAttribute, Ns, ToText, XmlWrite};
use std::borrow::Cow;

/// Which prefix stands for which namespace in one document.
#[derive(Debug, Default)]
pub struct Prefixes {
    taken: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl Prefixes {
    /// The prefix of a namespace of ours.
    pub fn of_ns(&mut self, ns: Ns) -> &str {
        let index = self.of(ns);
        &self.taken[index].0
    }

    fn of(&mut self, ns: Ns) -> usize {
        let found = self.taken.iter().position(|(_, uri)| *uri == ns.uri);
        found.unwrap_or_else(|| self.take(ns.prefix, Cow::Borrowed(ns.uri)))
    }

    /// The prefix of a namespace that came from outside.
    pub fn of_uri(&mut self, uri: &str) -> &str {
        let found = self.taken.iter().position(|(_, taken)| taken == uri);
        let index = found.unwrap_or_else(|| self.take("ns", Cow::Owned(uri.to_owned())));
        &self.taken[index].0
    }

    fn take(&mut self, wish: &'static str, uri: Cow<'static, str>) -> usize {
        let mut prefix = Cow::Borrowed(wish);
        let mut number = 1;
        while self.taken.iter().any(|(taken, _)| *taken == prefix) {
            prefix = Cow::Owned(format!("{wish}{number}"));
            number += 1;
        }
        self.taken.push((prefix, uri));
        self.taken.len() - 1
    }
}

/// Writes one document or one element.
#[derive(Debug)]
pub struct Writer {
    out: String,
    /// Where in `out` the names of the open elements are.
    open: Vec<(usize, usize)>,
    in_tag: bool,
    /// Where the first element's name ends: the declarations go there.
    declarations: Option<usize>,
    prefixes: Prefixes,
}

impl Writer {
    /// A document, with XML declaration.
    #[must_use]
    pub fn document() -> Self {
        let mut writer = Self::fragment();
        writer.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        writer
    }

    /// One element, without XML declaration.
    #[must_use]
    pub fn fragment() -> Self {
        Self {
            out: String::with_capacity(1024),
            open: Vec::with_capacity(8),
            in_tag: false,
            declarations: None,
            prefixes: Prefixes::default(),
        }
    }

    /// An element with this content.
    pub fn element<T: XmlWrite + ?Sized>(&mut self, ns: Ns, local: &str, content: &T) {
        self.start(ns, local);
        content.write(self);
        self.end();
    }

    /// Opens an element.
    pub fn start(&mut self, ns: Ns, local: &str) {
        self.close_tag();
        self.out.push('<');
        let start = self.out.len();
        self.name(ns, local);
        let end = self.out.len();
        self.open.push((start, end));
        self.declarations.get_or_insert(end);
        self.in_tag = true;
    }

    /// Closes the element that was opened last.
    pub fn end(&mut self) {
        let Some((start, end)) = self.open.pop() else { return };
        if self.in_tag {
            self.out.push_str("/>");
            self.in_tag = false;
        } else {
            self.out.push_str("</");
            self.out.extend_from_within(start..end);
            self.out.push('>');
        }
    }

    /// An attribute of the element that was just opened.
    pub fn attribute<T: ToText + ?Sized>(&mut self, ns: Option<Ns>, local: &str, value: &T) {
        debug_assert!(self.in_tag, "attributes come before content");
        let text = value.to_text(&mut self.prefixes);
        self.out.push(' ');
        match ns {
            Some(ns) => self.name(ns, local),
            None => self.out.push_str(local),
        }
        self.quoted(&text);
    }

    /// Takes the usual prefix of a namespace whose names come as values.
    pub fn use_prefix(&mut self, ns: Ns) {
        self.prefixes.of(ns);
    }

    /// An attribute that came by `xs:anyAttribute`.
    pub fn any_attribute(&mut self, attribute: &AnyAttribute) {
        debug_assert!(self.in_tag, "attributes come before content");
        self.out.push(' ');
        if let Some(uri) = &attribute.namespace {
            if uri == XML {
                self.out.push_str("xml");
            } else {
                self.out.push_str(self.prefixes.of_uri(uri));
            }
            self.out.push(':');
        }
        self.out.push_str(&attribute.name);
        self.quoted(&attribute.value);
    }

    /// `xml:lang` and its like.
    pub(crate) fn xml_attribute(&mut self, local: &str, value: &str) {
        self.out.push_str(" xml:");
        self.out.push_str(local);
        self.quoted(value);
    }

    /// A simple value as text.
    pub fn value<T: ToText + ?Sized>(&mut self, value: &T) {
        let text = value.to_text(&mut self.prefixes);
        if !text.is_empty() {
            self.close_tag();
            escape(&text, false, &mut self.out);
        }
    }

    /// An element that came by `xs:any`.
    pub fn any(&mut self, any: &Any) {
        self.close_tag();
        self.out.push_str(any.as_xml());
    }

    /// Closes what is open and hands out the text.
    #[must_use]
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        if let Some(at) = self.declarations {
            let mut declarations = String::with_capacity(64 * self.prefixes.taken.len());
            for (prefix, uri) in &self.prefixes.taken {
                declarations.push_str(" xmlns:");
                declarations.push_str(prefix);
                declarations.push_str("=\"");
                escape(uri, true, &mut declarations);
                declarations.push('"');
            }
            self.out.insert_str(at, &declarations);
        }
        self.out
    }

    fn name(&mut self, ns: Ns, local: &str) {
        // Never a default namespace of ours, so that a bare name is in none.
        if ns == Ns::NONE {
            return self.out.push_str(local);
        }
        let index = self.prefixes.of(ns);
        self.out.push_str(&self.prefixes.taken[index].0);
        self.out.push(':');
        self.out.push_str(local);
    }

    fn quoted(&mut self, value: &str) {
        self.out.push_str("=\"");
        escape(value, true, &mut self.out);
        self.out.push('"');
    }

    fn close_tag(&mut self) {
        if self.in_tag {
            self.out.push('>');
            self.in_tag = false;
        }
    }
}

const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Text or attribute value. What XML 1.0 cannot express becomes U+FFFD.
pub(crate) fn escape(text: &str, attribute: bool, out: &mut String) {
    let bytes = text.as_bytes();
    let (mut done, mut at) = (0, 0);
    while let Some(found) = bytes[at..].iter().position(|byte| MARKED[usize::from(*byte)]) {
        at += found;
        let (with, len) = match bytes[at] {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'\r' => ("&#13;", 1),
            b'"' if attribute => ("&quot;", 1),
            b'\n' if attribute => ("&#10;", 1),
            b'\t' if attribute => ("&#9;", 1),
            // U+FFFE and U+FFFF.
            0xef if matches!(bytes[at..], [_, 0xbf, 0xbe | 0xbf, ..]) => ("\u{fffd}", 3),
            b'"' | b'\n' | b'\t' | 0xef => {
                at += 1;
                continue;
            }
            _ => ("\u{fffd}", 1),
        };
        out.push_str(&text[done..at]);
        out.push_str(with);
        at += len;
        done = at;
    }
    out.push_str(&text[done..]);
}

/// Bytes to look at: markup, control characters, and the first byte of U+FFFE and U+FFFF.
const MARKED: [bool; 256] = {
    let mut marked = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        marked[byte] = true;
        byte += 1;
    }
    marked[b'&' as usize] = true;
    marked[b'<' as usize] = true;
    marked[b'>' as usize] = true;
    marked[b'"' as usize] = true;
    marked[0xef] = true;
    marked
};
