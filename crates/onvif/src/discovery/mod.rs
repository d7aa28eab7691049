//! WS-Discovery's messages as ONVIF uses them (Core chapter 7; WS-Discovery of April 2005 with WS-Addressing of August 2004, SOAP 1.2): words
//! for both ends, and no deeds.
//!
//! Reading is tolerant, since what comes by UDP was written by anybody: prefixes are free, what is too long or too much is left out, `MetadataVersion`
//! and `RelatesTo` may be missing. A message whose action names something else than its body is none.

mod read;
mod scopes;
mod write;

pub use scopes::{MatchingRule, printable, values};

use crate::ns;
use oriel_soap::Fault;
use oriel_soap::xml::QName;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where messages for everybody go, by IPv4 (WS-Discovery §2.4).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// Where messages for everybody go, by IPv6, on one link (WS-Discovery §2.4).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);
/// The port of both groups.
pub const PORT: u16 = 3702;
/// The longest message, in bytes: what fits into one datagram.
pub const LONGEST: usize = 65_535;

/// The type of every ONVIF device (Core §7.3.2.1).
pub const DEVICE: QName = QName::of(ns::TDS, "Device");
/// The type of cameras and encoders, which older ones show alone.
pub const NETWORK_VIDEO_TRANSMITTER: QName = QName::of(ns::DN, "NetworkVideoTransmitter");

/// A message and the headers that tell what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// The message's own name.
    pub message_id: Option<String>,
    /// The name of the message that this one answers.
    pub relates_to: Option<String>,
    /// Its place among the sender's messages.
    pub sequence: Option<AppSequence>,
    /// What it says.
    pub message: Message,
}

impl Packet {
    /// A message of ours, by this name.
    #[must_use]
    pub fn new(message_id: impl Into<String>, message: Message) -> Self {
        Self { message_id: Some(message_id.into()), relates_to: None, sequence: None, message }
    }

    /// As an answer to the message of this name.
    #[must_use]
    pub fn answering(mut self, message_id: Option<&str>) -> Self {
        self.relates_to = message_id.map(str::to_owned);
        self
    }

    /// With its place among the sender's messages, which Hello, Bye and answers have to tell (WS-Discovery §7).
    #[must_use]
    pub fn at(mut self, sequence: AppSequence) -> Self {
        self.sequence = Some(sequence);
        self
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// It is no message of WS-Discovery, or one that says something else than its action does.
    pub fn parse(datagram: &[u8]) -> Result<Self, Fault> {
        read::packet(datagram)
    }

    /// The datagram.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        write::packet(self)
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// To everybody: I am here, or I have changed (Core §7.3.2).
    Hello(Target),
    /// To everybody: the device of this endpoint reference leaves (Core §7.3.5).
    Bye(String),
    /// To everybody: who is like this (Core §7.3.3)?
    Probe(Probe),
    /// The answer to a probe; none is not said.
    ProbeMatches(Vec<Target>),
    /// To everybody: where is the device of this endpoint reference (Core §7.3.4)?
    Resolve(String),
    /// The answer to it.
    ResolveMatches(Option<Target>),
}

impl Message {
    /// The name of its element, and the end of its action.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "Hello",
            Self::Bye(_) => "Bye",
            Self::Probe(_) => "Probe",
            Self::ProbeMatches(_) => "ProbeMatches",
            Self::Resolve(_) => "Resolve",
            Self::ResolveMatches(_) => "ResolveMatches",
        }
    }

    /// Whether it answers one that asked.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::ProbeMatches(_) | Self::ResolveMatches(_))
    }
}

/// A device as it tells of itself; a target service in the words of WS-Discovery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The address of its endpoint reference, `urn:uuid:…`, the same on every network and for good (Core §7.3.1).
    pub endpoint: String,
    /// What it is.
    pub types: Vec<QName>,
    /// More about it, as URIs (Core §7.3.2.2).
    pub scopes: Vec<String>,
    /// Where its device service is, by its own words.
    pub xaddrs: Vec<String>,
    /// Grows whenever the others change.
    pub metadata_version: Option<u32>,
}

/// Whom a probe looks for; whoever has all of it answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// Types that it has to have.
    pub types: Vec<QName>,
    /// Scopes that have to match one of its own each.
    pub scopes: Vec<String>,
    /// How scopes are compared: the URI of a [`MatchingRule`].
    pub match_by: Option<String>,
}

impl Probe {
    /// Whether the target is one that is looked for.
    ///
    /// # Errors
    /// `d:MatchingRuleNotSupported`, which is said to who asked by unicast alone (Core §7.3.6).
    pub fn matches(&self, target: &Target) -> Result<bool, Fault> {
        let rule = MatchingRule::of(self.match_by.as_deref())?;
        let typed = self.types.iter().all(|wanted| target.types.contains(wanted));
        Ok(typed && self.scopes.iter().all(|wanted| target.scopes.iter().any(|scope| rule.matches(wanted, scope))))
    }
}

/// A place among the messages of one sender (WS-Discovery §7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppSequence {
    /// Grows with each start of the sender.
    pub instance_id: u32,
    /// A sequence within the instance.
    pub sequence_id: Option<String>,
    /// Grows with each message.
    pub message_number: u32,
}

/// The datagram of a fault, which is said to whoever asked by unicast, and to nobody else (Core §7.3.6).
#[must_use]
pub fn fault(message_id: &str, relates_to: Option<&str>, fault: &Fault) -> Vec<u8> {
    write::fault(message_id, relates_to, fault)
}

/// Whether two names, of endpoints or of messages, are the same. A UUID is one in any case, as `urn:uuid:…`, as `uuid:…` and bare.
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    key(one) == key(other)
}

/// A name in the one form that it is compared in.
#[must_use]
pub fn key(name: &str) -> String {
    let name = name.trim_ascii();
    let mut bare = name;
    for prefix in ["urn:", "uuid:"] {
        if bare.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            bare = &bare[prefix.len()..];
        }
    }
    let is_uuid = bare.len() == 36 && bare.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_uuid { format!("urn:uuid:{}", bare.to_ascii_lowercase()) } else { name.to_owned() }
}

#[cfg(test)]
mod tests;
