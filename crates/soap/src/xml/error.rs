//! What can be wrong with XML, and where.

use std::fmt;

/// An error of reading, with the path of the element or attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlError {
    /// Local names from the element that was read down, with `/` between; attributes with `@`. Empty for the whole document.
    pub path: String,
    /// What is wrong.
    pub kind: XmlErrorKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum XmlErrorKind {
    /// Not well-formed, a document type declaration, or not UTF-8.
    Malformed(String),
    /// A prefix that is declared nowhere.
    UndeclaredPrefix(String),
    /// Larger, deeper or with more nodes than the limits allow.
    TooLarge(&'static str),
    /// A required element is missing.
    Missing,
    /// A required attribute is missing.
    MissingAttribute,
    /// The name is right and the namespace is not.
    WrongNamespace {
        /// The namespace that the element is in, empty if none.
        found: String,
        /// The namespace that the schema gives it.
        wanted: &'static str,
    },
    /// An element that may be there once is there again.
    Duplicate,
    /// The text is no value of the type.
    Value {
        /// The text, shortened.
        text: String,
        /// What would be right.
        wanted: String,
        /// The type is right and the schema does not list the value.
        unlisted: bool,
    },
}

impl XmlError {
    /// An error about the whole document or the element at hand.
    #[must_use]
    pub fn new(kind: XmlErrorKind) -> Self {
        Self { path: String::new(), kind }
    }

    /// The same error seen from the parent of `name`.
    #[must_use]
    pub fn inside(mut self, name: &str) -> Self {
        self.path = if self.path.is_empty() { name.to_owned() } else { format!("{name}/{}", self.path) };
        self
    }
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        match &self.kind {
            XmlErrorKind::Malformed(why) => f.write_str(why),
            XmlErrorKind::UndeclaredPrefix(prefix) => write!(f, "the prefix {prefix:?} is declared nowhere"),
            XmlErrorKind::TooLarge(what) => write!(f, "too large: {what}"),
            XmlErrorKind::Missing => f.write_str("required element is missing"),
            XmlErrorKind::MissingAttribute => f.write_str("required attribute is missing"),
            XmlErrorKind::WrongNamespace { found, wanted } if found.is_empty() => {
                write!(f, "is in no namespace, belongs to {wanted}")
            }
            XmlErrorKind::WrongNamespace { found, wanted } => write!(f, "is in namespace {found}, belongs to {wanted}"),
            XmlErrorKind::Duplicate => f.write_str("may be there only once"),
            XmlErrorKind::Value { text, wanted, .. } => write!(f, "{text:?} is not {wanted}"),
        }
    }
}

impl std::error::Error for XmlError {}

/// A text is no value of the type that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    wanted: String,
    unlisted: bool,
}

impl BadValue {
    /// `wanted` completes the sentence "… is not".
    #[must_use]
    pub fn wanted(wanted: impl Into<String>) -> Self {
        Self { wanted: wanted.into(), unlisted: false }
    }

    /// The schema lists the values, and this one is not among them.
    #[must_use]
    pub fn unlisted(values: &str) -> Self {
        Self { wanted: format!("one of {values}"), unlisted: true }
    }

    pub(crate) fn at(self, text: &str) -> XmlError {
        let mut text: String = text.chars().take(81).collect();
        if let Some((end, _)) = text.char_indices().nth(80) {
            text.truncate(end);
            text.push('…');
        }
        XmlError::new(XmlErrorKind::Value { text, wanted: self.wanted, unlisted: self.unlisted })
    }
}
