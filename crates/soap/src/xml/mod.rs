//! XML as SOAP uses it: typed reading and strict writing, by namespace and never by prefix.

mod any;
mod error;
mod parse;
pub mod read;
mod types;
mod write;

pub use any::{Any, AnyAttribute};
pub(crate) use any::{First, reserialise};
pub use error::{BadValue, XmlError, XmlErrorKind};
pub use oriel_soap_derive::{XmlRead, XmlWrite};
pub use parse::{Limits, parse};
pub use types::{Base64, Duration, List, QName, Token};
pub use write::{Prefixes, Writer};

/// An element of a parsed document.
pub type Element<'a, 'input> = roxmltree::Node<'a, 'input>;

/// A namespace and the prefix that we write it with; what others write is free.
#[derive(Debug, Clone, Copy)]
pub struct Ns {
    /// Prefix on output, unless it is taken.
    pub prefix: &'static str,
    /// Name of the namespace.
    pub uri: &'static str,
}

impl Ns {
    /// No namespace.
    pub const NONE: Self = Self::new("", "");

    /// A namespace with its usual prefix.
    #[must_use]
    pub const fn new(prefix: &'static str, uri: &'static str) -> Self {
        Self { prefix, uri }
    }
}

impl PartialEq for Ns {
    fn eq(&self, other: &Self) -> bool {
        self.uri == other.uri
    }
}

impl Eq for Ns {}

/// A type that can be read from an element; the element's name is its field's business.
pub trait XmlRead: Sized {
    /// Reads attributes and content.
    ///
    /// # Errors
    /// What is missing, twice there, of the wrong type or in the wrong namespace, with its path.
    fn read(element: Element<'_, '_>) -> Result<Self, XmlError>;
}

/// A type that can be written as an element; the element's name is its field's business.
pub trait XmlWrite {
    /// Writes attributes, then content, into the start tag that is open.
    fn write(&self, writer: &mut Writer);
}

/// A simple type, read from text or from an attribute's value.
pub trait FromText: Sized {
    /// Reads the text; `scope` resolves the prefixes of QNames.
    ///
    /// # Errors
    /// The text is no value of this type.
    fn from_text(text: &str, scope: Element<'_, '_>) -> Result<Self, BadValue>;
}

/// A simple type, written as text or as an attribute's value.
pub trait ToText {
    /// The text; a QName takes its prefix from `prefixes`.
    fn to_text(&self, prefixes: &mut Prefixes) -> std::borrow::Cow<'_, str>;
}

/// Building a `#[non_exhaustive]` wire struct: `User::with(|user| user.username = name)`.
pub trait With: Default {
    /// The default, as changed by `set`.
    fn with(set: impl FnOnce(&mut Self)) -> Self {
        let mut value = Self::default();
        set(&mut value);
        value
    }
}

impl<T: Default> With for T {}
