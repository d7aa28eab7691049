//! WS-BaseNotification, whose subscriptions the event service uses (Core §9.3), and the endpoint references of WS-Addressing that it
//! names them by.

mod fault;

pub use fault::{BaseFault, FaultKind};

use crate::events::{Filter, SubscriptionPolicy};
use crate::ns;
use jiff::Timestamp;
use oriel_soap::ns::WSA;
use oriel_soap::operations;
use oriel_soap::xml::{
    Any, AnyAttribute, BadValue, Duration, Element, FromText, Prefixes, QName, ToText, Writer, XmlError, XmlRead,
    XmlWrite, read,
};
use std::borrow::Cow;
use std::fmt;

operations! {
    /// The operations of all ports.
    ns::WSNT =>
    // §9.1
    Renew              ReadMedia -> RenewResponse,
    Unsubscribe        ReadMedia -> UnsubscribeResponse,
    // Without a class in Core: reading and one's own subscription as above; what makes the device call an address of the caller's
    // choice is more, and what feeds it messages that are not its own is more still.
    GetCurrentMessage  ReadMedia -> GetCurrentMessageResponse,
    PauseSubscription  ReadMedia -> PauseSubscriptionResponse,
    ResumeSubscription ReadMedia -> ResumeSubscriptionResponse,
    CreatePullPoint    ReadMedia;
    GetMessages        ReadMedia;
    DestroyPullPoint   ReadMedia;
    Subscribe          Actuate -> SubscribeResponse,
    // One way, so that it has no answer's struct.
    Notify             WriteSystem;
}

/// Asks for messages to be sent to an address (Core §9.3; WS-BaseNotification §4.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSNT)]
#[non_exhaustive]
pub struct Subscribe {
    /// Where to.
    pub consumer_reference: EndpointReference,
    /// Which messages. Absent: all.
    pub filter: Option<Filter>,
    /// Until when the subscription is to last.
    pub initial_termination_time: Option<AbsoluteOrRelativeTime>,
    /// How messages are chosen and sent beyond that.
    pub subscription_policy: Option<SubscriptionPolicy>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// The subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSNT)]
#[non_exhaustive]
pub struct SubscribeResponse {
    /// Where to renew, pause and end it.
    pub subscription_reference: EndpointReference,
    /// The device's clock; Core §9.3.2 has it required.
    pub current_time: Option<Timestamp>,
    /// Until when it lasts; Core §9.3.2 has it required.
    pub termination_time: Option<Timestamp>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Messages for a subscriber: the body of what is sent to its address (WS-BaseNotification §3.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSNT)]
#[non_exhaustive]
pub struct Notify {
    /// The messages, oldest first; at least one.
    pub notification_message: Vec<NotificationMessage>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// The action of [`Notify`] (Core §9.3, the WSDL's binding).
pub const NOTIFY_ACTION: &str = "http://docs.oasis-open.org/wsn/bw-2/NotificationConsumer/Notify";

/// Asks for the last message of a topic (WS-BaseNotification §4.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSNT)]
#[non_exhaustive]
pub struct GetCurrentMessage {
    /// The topic.
    pub topic: TopicExpression,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// The last message.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetCurrentMessageResponse {
    /// The message; ONVIF has a `tt:Message`.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Stops messages for a while (WS-BaseNotification §6.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct PauseSubscription {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Messages have stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct PauseSubscriptionResponse {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Lets messages go on (WS-BaseNotification §6.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct ResumeSubscription {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Messages go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct ResumeSubscriptionResponse {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Makes a subscription last longer (Core §9.1.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSNT)]
#[non_exhaustive]
pub struct Renew {
    /// Until when, or how long from now. Absent: as long as the device likes.
    pub termination_time: Option<AbsoluteOrRelativeTime>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// How long it lasts.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSNT)]
#[non_exhaustive]
pub struct RenewResponse {
    /// Until when.
    pub termination_time: Timestamp,
    /// The device's clock.
    pub current_time: Option<Timestamp>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Ends a subscription (Core §9.1.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Unsubscribe {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// It has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct UnsubscribeResponse {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// A time, or a span from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AbsoluteOrRelativeTime {
    /// At that time.
    At(Timestamp),
    /// So long from now.
    In(Duration),
}

impl FromText for AbsoluteOrRelativeTime {
    fn from_text(text: &str, scope: Element<'_, '_>) -> Result<Self, BadValue> {
        if text.trim_ascii_start().starts_with(['P', '-']) {
            return Duration::from_text(text, scope).map(Self::In);
        }
        Timestamp::from_text(text, scope)
            .map(Self::At)
            .map_err(|_| BadValue::wanted("a time such as 2026-01-31T12:00:00Z, or a duration such as PT60S"))
    }
}

impl ToText for AbsoluteOrRelativeTime {
    fn to_text(&self, prefixes: &mut Prefixes) -> Cow<'_, str> {
        match self {
            Self::At(time) => time.to_text(prefixes),
            Self::In(span) => span.to_text(prefixes),
        }
    }
}

impl XmlRead for AbsoluteOrRelativeTime {
    fn read(element: Element<'_, '_>) -> Result<Self, XmlError> {
        read::value(element)
    }
}

impl XmlWrite for AbsoluteOrRelativeTime {
    fn write(&self, writer: &mut Writer) {
        writer.value(self);
    }
}

/// One message of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSNT)]
#[non_exhaustive]
pub struct NotificationMessage {
    /// The subscription that it came by.
    pub subscription_reference: Option<EndpointReference>,
    /// What it is about.
    pub topic: Option<TopicExpression>,
    /// Who made it.
    pub producer_reference: Option<EndpointReference>,
    /// What happened.
    pub message: Message,
}

/// What happened; ONVIF has a `tt:Message` in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Message {
    /// The content.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// A topic, in a dialect.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct TopicExpression {
    /// The dialect, a URI.
    #[xml(attr)]
    pub dialect: Option<String>,
    /// The topic.
    #[xml(text)]
    pub topic: Topic,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// The path of a concrete topic, from the root on: `tns1:VideoSource/MotionAlarm`. A step whose prefix the sender did not declare keeps it
/// in its name, in no namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topic(pub Vec<QName>);

impl FromText for Topic {
    fn from_text(text: &str, scope: Element<'_, '_>) -> Result<Self, BadValue> {
        // A step without a prefix is in no namespace, whatever the default one is (WS-Topics §6.2).
        let step = |step: &str| match step.split_once(':') {
            Some((prefix, local)) => scope
                .lookup_namespace_uri(Some(prefix))
                .map_or_else(|| QName::new("", step), |namespace| QName::new(namespace, local)),
            None => QName::new("", step),
        };
        Ok(Self(text.trim_ascii().split('/').map(step).collect()))
    }
}

impl ToText for Topic {
    fn to_text(&self, prefixes: &mut Prefixes) -> Cow<'_, str> {
        // Clients in the field compare the text, prefix and all.
        if self.0.iter().any(|step| step.namespace == ns::TNS1.uri) {
            prefixes.of_ns(ns::TNS1);
        }
        let steps: Vec<_> = self.0.iter().map(|step| step.to_text(prefixes)).collect();
        Cow::Owned(steps.join("/"))
    }
}

impl Topic {
    /// Namespace and name of each step. A step without a namespace of its own belongs to its parent's (WS-Topics §6.2), so that
    /// `tns1:Device/Trigger` and `tns1:Device/tns1:Trigger` are the same topic.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().scan("", |namespace, step| {
            if !step.namespace.is_empty() {
                *namespace = &step.namespace;
            }
            Some((*namespace, step.local.as_ref()))
        })
    }
}

impl fmt::Display for Topic {
    /// For people: ONVIF's own namespace is `tns1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            f.write_str(if index > 0 { "/" } else { "" })?;
            match step.namespace == ns::TNS1.uri {
                true => write!(f, "{}:{}", ns::TNS1.prefix, step.local)?,
                false => write!(f, "{step}")?,
            }
        }
        Ok(())
    }
}

/// Where messages are to be sent, and what has to stand in their headers (WS-Addressing 1.0 core, §2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = WSA)]
#[non_exhaustive]
pub struct EndpointReference {
    /// The address.
    #[xml(token)]
    pub address: String,
    /// What each message to it carries as headers.
    pub reference_parameters: Option<ReferenceParameters>,
    /// What else there is to know.
    pub metadata: Option<Metadata>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What each message to an endpoint carries as headers.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct ReferenceParameters {
    /// The headers.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// What else there is to know of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Metadata {
    /// The content.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}
