//! The faults of WS-BaseNotification, and what stands in them (WS-BaseFaults §2, Core §9.9).

use super::EndpointReference;
use crate::ns;
use jiff::Timestamp;
use oriel_soap::fault::{Code, Fault};
use oriel_soap::xml::{Any, AnyAttribute, QName, XmlRead, XmlWrite};

/// What stands in a fault; the elements behind `fault_cause` belong to some of the faults alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::WSRF_BF)]
#[non_exhaustive]
pub struct BaseFault {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Who found it.
    pub originator: Option<EndpointReference>,
    /// What happened, for programs.
    pub error_code: Option<ErrorCode>,
    /// What happened, for people.
    pub description: Vec<String>,
    /// Why.
    pub fault_cause: Option<FaultCause>,
    /// The filters that are not known (InvalidFilterFault).
    #[xml(ns = ns::WSNT)]
    pub unknown_filter: Vec<QName>,
    /// The policies that are not known (UnrecognizedPolicyRequestFault).
    #[xml(ns = ns::WSNT)]
    pub unrecognized_policy: Vec<QName>,
    /// The policies that are known and not supported (UnsupportedPolicyRequestFault).
    #[xml(ns = ns::WSNT)]
    pub unsupported_policy: Vec<QName>,
    /// The earliest end of a subscription (the two faults on termination times).
    #[xml(ns = ns::WSNT)]
    pub minimum_time: Option<Timestamp>,
    /// The latest end of a subscription (the two faults on termination times).
    #[xml(ns = ns::WSNT)]
    pub maximum_time: Option<Timestamp>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// A code, in a dialect.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct ErrorCode {
    /// The dialect, a URI.
    #[xml(attr, name = "dialect")]
    pub dialect: Option<String>,
    /// The content.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// The fault behind a fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct FaultCause {
    /// The content.
    #[xml(any)]
    pub any: Vec<Any>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $ns:ident $element:literal;)*) => {
        /// Which fault it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[$doc])* $name,)*
        }

        impl FaultKind {
            /// Every fault.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn element(self) -> (oriel_soap::xml::Ns, &'static str) {
                match self {
                    $(Self::$name => (ns::$ns, $element),)*
                }
            }
        }
    };
}

kinds! {
    /// There is no such subscription.
    ResourceUnknown: WSRF_R "ResourceUnknownFault";
    /// A filter is of no kind that is known.
    InvalidFilter: WSNT "InvalidFilterFault";
    /// A topic expression's dialect is not known.
    TopicExpressionDialectUnknown: WSNT "TopicExpressionDialectUnknownFault";
    /// A topic expression does not follow its dialect.
    InvalidTopicExpression: WSNT "InvalidTopicExpressionFault";
    /// There is no such topic.
    TopicNotSupported: WSNT "TopicNotSupportedFault";
    /// One topic was to be named, and there were several.
    MultipleTopicsSpecified: WSNT "MultipleTopicsSpecifiedFault";
    /// A filter on the producer's properties cannot be used.
    InvalidProducerPropertiesExpression: WSNT "InvalidProducerPropertiesExpressionFault";
    /// A filter on contents cannot be used.
    InvalidMessageContentExpression: WSNT "InvalidMessageContentExpressionFault";
    /// A policy is not known.
    UnrecognizedPolicyRequest: WSNT "UnrecognizedPolicyRequestFault";
    /// A policy is known and not supported.
    UnsupportedPolicyRequest: WSNT "UnsupportedPolicyRequestFault";
    /// Messages cannot be sent as `Notify`.
    NotifyMessageNotSupported: WSNT "NotifyMessageNotSupportedFault";
    /// A subscription cannot begin with such a termination time.
    UnacceptableInitialTerminationTime: WSNT "UnacceptableInitialTerminationTimeFault";
    /// A subscription cannot have such a termination time.
    UnacceptableTerminationTime: WSNT "UnacceptableTerminationTimeFault";
    /// There is no message of that topic.
    NoCurrentMessageOnTopic: WSNT "NoCurrentMessageOnTopicFault";
    /// The subscription could not be made.
    SubscribeCreationFailed: WSNT "SubscribeCreationFailedFault";
    /// The messages cannot be had.
    UnableToGetMessages: WSNT "UnableToGetMessagesFault";
    /// The subscription cannot be ended.
    UnableToDestroySubscription: WSNT "UnableToDestroySubscriptionFault";
    /// The subscription cannot be paused.
    PauseFailed: WSNT "PauseFailedFault";
    /// The subscription cannot go on.
    ResumeFailed: WSNT "ResumeFailedFault";
}

impl FaultKind {
    /// The name of the element in the fault's detail.
    #[must_use]
    pub const fn name(self) -> QName {
        let (ns, local) = self.element();
        QName::of(ns, local)
    }

    /// The fault as it is sent: the receiver's, as Core §9.9 has it, with the element in its detail and its name as the subcode too, for
    /// whoever does not read details.
    #[must_use]
    pub fn fault(self, reason: &str, mut detail: BaseFault) -> Fault {
        let (ns, local) = self.element();
        if detail.description.is_empty() {
            detail.description.push(reason.to_owned());
        }
        Fault {
            code: Code::Receiver,
            subcodes: vec![self.name()],
            reason: reason.to_owned(),
            detail: vec![Any::of(ns, local, &detail)],
            not_understood: Vec::new(),
        }
    }

    /// Which fault of WS-BaseNotification a fault is, by its detail.
    #[must_use]
    pub fn of(fault: &Fault) -> Option<Self> {
        let is = |kind: &&Self| fault.detail.iter().any(|any| *any.name() == kind.name());
        Self::ALL.iter().find(is).copied()
    }
}

impl BaseFault {
    /// What every fault has in it.
    #[must_use]
    pub fn at(timestamp: Timestamp) -> Self {
        Self { timestamp, ..Self::default() }
    }
}
