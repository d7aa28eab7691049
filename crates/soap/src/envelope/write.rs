//! Writing envelopes: requests of a client, replies of a server.

use super::{Addressing, Envelope};
use crate::auth::UsernameToken;
use crate::fault::{Code, Fault};
use crate::ns;
use crate::operation::Operation;
use crate::xml::{Any, Limits, Ns, QName, Writer, XmlWrite};
use std::fmt;

/// The headers of a request.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// WS-Security.
    pub username_token: Option<UsernameToken>,
    /// WS-Addressing.
    pub addressing: Option<Addressing>,
    /// Other blocks: the reference parameters of the endpoint that the request goes to (WS-Addressing 1.0 SOAP binding, §3).
    pub blocks: Vec<Any>,
}

/// The message of a request.
#[must_use]
pub fn request<O: Operation>(operation: &O, headers: &Headers) -> Vec<u8> {
    enclose(headers, |writer| writer.element(O::SERVICE, O::NAME, operation))
}

/// The message of a request that has no struct: `body` is the one element of its Body.
#[must_use]
pub fn request_raw(body: &Any, headers: &Headers) -> Vec<u8> {
    enclose(headers, |writer| writer.any(body))
}

/// The message of a reply.
#[must_use]
pub fn reply(ns: Ns, local: &str, content: &impl XmlWrite, addressing: Option<Addressing>) -> Vec<u8> {
    enclose(&Headers { addressing, ..Headers::default() }, |writer| writer.element(ns, local, content))
}

fn enclose(headers: &Headers, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::document();
    writer.start(ns::ENV, "Envelope");
    if !headers.is_empty() {
        writer.start(ns::ENV, "Header");
        headers.write(&mut writer);
        writer.end();
    }
    writer.start(ns::ENV, "Body");
    body(&mut writer);
    writer.finish().into_bytes()
}

impl Headers {
    fn is_empty(&self) -> bool {
        self.username_token.is_none()
            && self.blocks.is_empty()
            && self.addressing.as_ref().is_none_or(Addressing::is_empty)
    }

    fn write(&self, writer: &mut Writer) {
        if let Some(addressing) = &self.addressing {
            addressing.write(writer);
        }
        self.blocks.iter().for_each(|block| writer.any(block));
        if let Some(token) = &self.username_token {
            security(writer, token);
        }
    }

    /// The blocks as XML that declares what it needs: in a Header of their own, or each for itself, since a Header that is there has prefixes of its own.
    pub(super) fn fragment(&self, enclosed: bool) -> String {
        let block = |write: &dyn Fn(&mut Writer)| {
            let mut writer = Writer::fragment();
            write(&mut writer);
            writer.finish()
        };
        if self.is_empty() {
            return String::new();
        }
        if enclosed {
            return block(&|writer| {
                writer.start(ns::ENV, "Header");
                self.write(writer);
            });
        }
        let given = self.addressing.iter().flat_map(Addressing::given);
        let mut xml: String =
            given.map(|(ns, local, value)| block(&|writer| writer.element(ns, local, value))).collect();
        xml.extend(self.blocks.iter().map(Any::as_xml));
        if let Some(token) = &self.username_token {
            xml += &block(&|writer| security(writer, token));
        }
        xml
    }
}

fn security(writer: &mut Writer, token: &UsernameToken) {
    writer.start(ns::WSSE, "Security");
    writer.attribute(Some(ns::ENV), "mustUnderstand", "1");
    writer.element(ns::WSSE, "UsernameToken", token);
    writer.end();
}

impl Fault {
    /// The message, with the header that SOAP 1.2 asks for with some codes (part 1, §5.4.7 and §5.4.8).
    #[must_use]
    pub fn to_envelope(&self, addressing: Option<&Addressing>) -> Vec<u8> {
        let mut writer = Writer::document();
        writer.start(ns::ENV, "Envelope");
        let upgrade = self.code == Code::VersionMismatch;
        if upgrade || !self.not_understood.is_empty() || addressing.is_some() {
            writer.start(ns::ENV, "Header");
            if let Some(addressing) = addressing {
                addressing.write(&mut writer);
            }
            if upgrade {
                writer.start(ns::ENV, "Upgrade");
                writer.start(ns::ENV, "SupportedEnvelope");
                writer.attribute(None, "qname", &QName::of(ns::ENV, "Envelope"));
                writer.end();
                writer.end();
            }
            for name in &self.not_understood {
                writer.start(ns::ENV, "NotUnderstood");
                writer.attribute(None, "qname", name);
                writer.end();
            }
            writer.end();
        }
        writer.start(ns::ENV, "Body");
        writer.element(ns::ENV, "Fault", self);
        writer.finish().into_bytes()
    }
}

/// A request was not answered as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyError {
    /// The other side answered with a fault.
    Fault(Fault),
    /// The answer cannot be read; the text says why.
    Unreadable(String),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Unreadable(why) => write!(f, "the answer cannot be read: {why}"),
        }
    }
}

impl std::error::Error for ReplyError {}

/// Reads the answer to an operation.
///
/// # Errors
/// It is a fault, or it is not the answer.
pub fn read_reply<O: Operation>(message: &[u8], limits: &Limits) -> Result<O::Response, ReplyError> {
    let unreadable = |fault: Fault| ReplyError::Unreadable(fault.reason);
    let envelope = Envelope::parse(message, limits).map_err(unreadable)?;
    if let Some(fault) = envelope.fault() {
        return Err(ReplyError::Fault(fault));
    }
    envelope.read(O::SERVICE, O::RESPONSE).map_err(unreadable)
}
