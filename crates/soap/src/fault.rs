//! SOAP faults: codes, subcodes and reasons of Core §5.8.2.2 (§5.11.2.2 in edition 19.06), one type for every service.

use crate::ns;
use crate::xml::{Any, Element, QName, Writer, XmlError, XmlErrorKind, XmlRead, XmlWrite, read};
use std::fmt;

/// The first level of a fault's code (SOAP 1.2 part 1, §5.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Not a SOAP 1.2 envelope.
    VersionMismatch,
    /// A header block that had to be understood was not.
    MustUnderstand,
    /// An encoding that is not supported.
    DataEncodingUnknown,
    /// The request is at fault.
    Sender,
    /// The one who answers is at fault.
    Receiver,
}

impl Code {
    const ALL: [Self; 5] =
        [Self::VersionMismatch, Self::MustUnderstand, Self::DataEncodingUnknown, Self::Sender, Self::Receiver];

    /// The local name in SOAP's namespace.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VersionMismatch => "VersionMismatch",
            Self::MustUnderstand => "MustUnderstand",
            Self::DataEncodingUnknown => "DataEncodingUnknown",
            Self::Sender => "Sender",
            Self::Receiver => "Receiver",
        }
    }
}

/// A SOAP fault, to be sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// First level of the code.
    pub code: Code,
    /// The levels below, outermost first.
    pub subcodes: Vec<QName>,
    /// A sentence for people: Core's reason, and after a colon what is wrong this time.
    pub reason: String,
    /// Elements for programs.
    pub detail: Vec<Any>,
    /// Header blocks that were not understood (MustUnderstand alone).
    pub not_understood: Vec<QName>,
}

macro_rules! generic_faults {
    ($($(#[$doc:meta])* $name:ident: $code:ident $($subcode:literal)?, $reason:literal;)*) => {
        impl Fault {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(text: impl AsRef<str>) -> Self {
                    Self::generic(Code::$code, &[$($subcode)?], $reason, text.as_ref())
                }
            )*
        }
    };
}

generic_faults! {
    /// Something other than the envelope of SOAP 1.2.
    version_mismatch: VersionMismatch, "SOAP version mismatch";
    /// A header block that had to be understood was not.
    must_understand: MustUnderstand, "SOAP header blocks not understood";
    /// An encoding that is not supported.
    data_encoding_unknown: DataEncodingUnknown, "Unsupported SOAP data encoding";
    /// Not well-formed.
    well_formed: Sender "WellFormed", "Well-formed Error";
    /// The wrong element in a place.
    tag_mismatch: Sender "TagMismatch", "Tag Mismatch";
    /// An element is missing.
    tag: Sender "Tag", "No Tag";
    /// A wrong or undeclared namespace.
    namespace: Sender "Namespace", "Namespace Error";
    /// A required attribute is missing.
    missing_attr: Sender "MissingAttr", "Required Attribute not present";
    /// An attribute that may not be there.
    prohib_attr: Sender "ProhibAttr", "Prohibited Attribute";
    /// An argument is missing, is too many or has the wrong type.
    invalid_args: Sender "InvalidArgs", "Invalid Args";
    /// An argument's value is wrong.
    invalid_arg_val: Sender "InvalidArgVal", "Argument Value Invalid";
    /// An operation that no service has.
    unknown_action: Sender "UnknownAction", "Unknown Action";
    /// The device does not permit it.
    operation_prohibited: Sender "OperationProhibited", "Operation not Permitted";
    /// The caller has not the right.
    not_authorized: Sender "NotAuthorized", "Sender not Authorized";
    /// An operation that the service has and this device has not.
    action_not_supported: Receiver "ActionNotSupported", "Optional Action Not Implemented";
    /// The operation failed.
    action: Receiver "Action", "Action Failed";
    /// Not enough memory.
    out_of_memory: Receiver "OutofMemory", "Out of Memory";
    /// Beyond recovery without a reset.
    critical_error: Receiver "CriticalError", "Critical Error";
}

impl Fault {
    fn generic(code: Code, subcode: &[&'static str], reason: &str, text: &str) -> Self {
        let reason = if text.is_empty() { reason.to_owned() } else { format!("{reason}: {text}") };
        let subcodes = subcode.iter().map(|local| QName::of(ns::TER, local)).collect();
        Self { code, subcodes, reason, detail: Vec::new(), not_understood: Vec::new() }
    }

    /// The same fault one level more specific, with a subcode of ONVIF's error namespace.
    #[must_use]
    pub fn subcode(mut self, local: &'static str) -> Self {
        self.subcodes.push(QName::of(ns::TER, local));
        self
    }

    /// The same fault with an element in its detail.
    #[must_use]
    pub fn with_detail(mut self, detail: Any) -> Self {
        self.detail.push(detail);
        self
    }

    /// Whether one of the subcodes is this one of ONVIF's error namespace.
    #[must_use]
    pub fn is(&self, local: &str) -> bool {
        self.subcodes.iter().any(|subcode| subcode.namespace == ns::TER.uri && subcode.local == local)
    }

    /// The HTTP status (SOAP 1.2 part 2, table 20): 400 where the sender is at fault, 500 otherwise, never 200.
    #[must_use]
    pub const fn status(&self) -> http::StatusCode {
        match self.code {
            Code::Sender => http::StatusCode::BAD_REQUEST,
            _ => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn write_subcodes(writer: &mut Writer, subcodes: &[QName]) {
        let Some((first, rest)) = subcodes.split_first() else {
            return;
        };
        writer.start(ns::ENV, "Subcode");
        Self::write_name(writer, first);
        Self::write_subcodes(writer, rest);
        writer.end();
    }

    fn write_name(writer: &mut Writer, name: &QName) {
        writer.start(ns::ENV, "Value");
        if name.namespace == ns::TER.uri {
            writer.use_prefix(ns::TER);
        }
        writer.value(name);
        writer.end();
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "env:{}", self.code.name())?;
        for subcode in &self.subcodes {
            let prefix = if subcode.namespace == ns::TER.uri { "ter:" } else { "" };
            write!(f, "/{prefix}{}", subcode.local)?;
        }
        write!(f, " ({})", self.reason)
    }
}

impl std::error::Error for Fault {}

impl XmlWrite for Fault {
    fn write(&self, writer: &mut Writer) {
        writer.start(ns::ENV, "Code");
        writer.start(ns::ENV, "Value");
        writer.value(&QName::of(ns::ENV, self.code.name()));
        writer.end();
        // Subcodes beyond any real depth come from elsewhere only.
        Self::write_subcodes(writer, &self.subcodes[..self.subcodes.len().min(8)]);
        writer.end();
        writer.start(ns::ENV, "Reason");
        writer.start(ns::ENV, "Text");
        writer.xml_attribute("lang", "en");
        writer.value(&self.reason);
        writer.end();
        writer.end();
        if !self.detail.is_empty() {
            writer.start(ns::ENV, "Detail");
            self.detail.iter().for_each(|any| writer.any(any));
            writer.end();
        }
    }
}

impl XmlRead for Fault {
    fn read(element: Element<'_, '_>) -> Result<Self, XmlError> {
        let missing = |name: &str| XmlError::new(XmlErrorKind::Missing).inside(name);
        let code = read::child(element, ns::ENV, "Code").ok_or_else(|| missing("Code"))?;
        let value = read::child(code, ns::ENV, "Value").ok_or_else(|| missing("Code/Value"))?;
        let name: QName = read::value(value).map_err(|error| error.inside("Code/Value"))?;
        let known = Code::ALL.into_iter().find(|code| name.namespace == ns::ENV.uri && code.name() == name.local);
        let mut subcodes = Vec::new();
        let mut next = read::child(code, ns::ENV, "Subcode");
        while let Some(subcode) = next {
            let value = read::child(subcode, ns::ENV, "Value").ok_or_else(|| missing("Subcode/Value"))?;
            subcodes.push(subcode_name(value));
            next = read::child(subcode, ns::ENV, "Subcode");
        }
        let texts = read::child(element, ns::ENV, "Reason").map(|reason| read::elements(reason).collect::<Vec<_>>());
        let texts = texts.unwrap_or_default();
        let english = |text: &&Element<'_, '_>| {
            text.attributes().any(|lang| lang.name() == "lang" && lang.value().starts_with("en"))
        };
        let text = texts.iter().find(english).or_else(|| texts.first());
        let reason = text.map(|text| read::text(*text)).transpose()?.unwrap_or_default().trim().to_owned();
        let detail = read::child(element, ns::ENV, "Detail");
        let detail = detail.map(|detail| read::elements(detail).map(Any::from_element).collect());
        Ok(Self {
            // A code that SOAP does not have is the answering side's fault.
            code: known.unwrap_or(Code::Receiver),
            subcodes,
            reason,
            detail: detail.unwrap_or_default(),
            not_understood: Vec::new(),
        })
    }
}

/// Published devices forget to declare `ter`: the local name still says what happened.
fn subcode_name(value: Element<'_, '_>) -> QName {
    read::value(value).unwrap_or_else(|_| {
        let text = read::text(value).unwrap_or_default();
        let text = text.trim();
        match text.split_once(':') {
            Some(("ter", local)) => QName::new(ns::TER.uri, local),
            Some((_, local)) => QName::new("", local),
            None => QName::new("", text),
        }
    })
}

impl From<XmlError> for Fault {
    /// Which generic fault of Core says best what is wrong.
    fn from(error: XmlError) -> Self {
        let text = error.to_string();
        match error.kind {
            XmlErrorKind::Malformed(_) | XmlErrorKind::TooLarge(_) => Self::well_formed(text),
            XmlErrorKind::UndeclaredPrefix(_) => Self::namespace(text),
            XmlErrorKind::WrongNamespace { .. } => Self::tag_mismatch(text),
            XmlErrorKind::MissingAttribute => Self::missing_attr(text),
            // An argument is a child of the operation; below that it is an element of an argument.
            XmlErrorKind::Missing if error.path.matches('/').count() > 1 => Self::tag(text),
            XmlErrorKind::Missing | XmlErrorKind::Duplicate => Self::invalid_args(text),
            XmlErrorKind::Value { unlisted: true, .. } => Self::invalid_arg_val(text),
            XmlErrorKind::Value { .. } => Self::invalid_args(text),
        }
    }
}
