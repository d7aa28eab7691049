//! The event service on the LAN: pull points by their addresses, and the chapter's faults (Core chapter 9).

mod addressing;
mod dying;
mod faults;
mod many;
mod seeking;
mod told;

use super::*;
use jiff::SignedDuration;
use oriel_device::events::Occurrence;
use oriel_onvif::events::{
    CreatePullPointSubscription, Filter, Message, PropertyOperation, PullMessages, PullMessagesResponse, topics,
};
use oriel_onvif::notification::{AbsoluteOrRelativeTime, EndpointReference};
use oriel_soap::With;
use oriel_soap::xml::{Any, Duration as Span};
use std::time::Duration;

const EVENTS: &str = "/onvif/event_service";
const MOTION: &str = "VideoSource/MotionAlarm";
const HOT: &str = "Device/Sensor/Temperature/High";

/// A subscription, as its maker knows it.
struct Point {
    user: &'static str,
    reference: EndpointReference,
}

impl Point {
    /// The path of its address.
    fn path(&self) -> &str {
        self.reference.address.strip_prefix("http://camera.test:80").unwrap()
    }
}

impl Camera {
    /// A camera with a few topics.
    async fn with_events() -> Self {
        Self::start_with(quiet).await
    }

    fn motion(&self, source: &str, state: bool) {
        let motion = Occurrence::of(topics::find(MOTION).unwrap()).source("Source", source);
        self.device.events().tell(motion.data("State", state.to_string())).unwrap();
    }

    fn hot(&self, sensor: &str, value: usize) {
        let hot = Occurrence::of(topics::find(HOT).unwrap()).source("SensorID", sensor);
        self.device.events().tell(hot.data("Value", value.to_string()).data("Threshold", "1")).unwrap();
    }

    /// Asks an operation at a path, with a token.
    async fn at<O: Operation>(&self, path: &str, user: &str, operation: &O) -> Result<O::Response, Fault> {
        let token = UsernameToken::digest(user, &password(user), Timestamp::now());
        read::<O>(&self.post(path, with_token(operation, token)).await)
    }

    async fn create(&self, user: &'static str, request: &CreatePullPointSubscription) -> Result<Point, Fault> {
        let made = self.at(EVENTS, user, request).await?;
        Ok(Point { user, reference: made.subscription_reference })
    }

    async fn pull(&self, point: &Point, seconds: i64, limit: i32) -> Result<PullMessagesResponse, Fault> {
        self.at(point.path(), point.user, &pull(seconds, limit)).await
    }
}

/// A camera that has these topics, and nothing that tells anything by itself of them.
fn quiet(config: &mut Config) {
    config.sources.machine = None;
    config.sources.video_sources.clear();
    config.sources.topics =
        [MOTION, HOT, "Device/OperationMode/ShutdownInitiated"].map(|topic| topics::find(topic).unwrap()).into();
}

/// The answer to an operation, or its fault, which never has status 200.
fn read<O: Operation>(answer: &Answer) -> Result<O::Response, Fault> {
    match envelope::read_reply::<O>(answer.text.as_bytes(), &Limits::REPLY) {
        Ok(response) => Ok(response),
        Err(ReplyError::Fault(fault)) => {
            assert_eq!(answer.status, fault.status());
            Err(fault)
        }
        Err(unreadable) => panic!("{unreadable:?}: {answer:?}"),
    }
}

fn span(seconds: i64) -> Span {
    Span(SignedDuration::from_secs(seconds))
}

/// A pull point of motion and temperatures.
fn create(seconds: i64) -> CreatePullPointSubscription {
    let mut request = filtered(&of_topics("tns1:VideoSource//.|tns1:Device/Sensor//."));
    request.initial_termination_time = Some(AbsoluteOrRelativeTime::In(span(seconds)));
    request
}

/// One with a filter, whose elements use the prefixes `wsnt`, `tns1` and `tt`.
fn filtered(filters: &str) -> CreatePullPointSubscription {
    let text = format!(
        "<f xmlns:wsnt=\"{}\" xmlns:tns1=\"{}\" xmlns:tt=\"{}\">{filters}</f>",
        oriel_onvif::ns::WSNT.uri,
        oriel_onvif::ns::TNS1.uri,
        oriel_onvif::ns::TT.uri
    );
    let filter: Filter = Any::from_xml(&text, &Limits::REQUEST).unwrap().to().unwrap();
    CreatePullPointSubscription::with(|request| {
        request.filter = Some(filter);
        request.initial_termination_time = Some(AbsoluteOrRelativeTime::In(span(60)));
    })
}

fn of_topics(expression: &str) -> String {
    let dialect = oriel_onvif::events::expression::CONCRETE_SET;
    format!("<wsnt:TopicExpression Dialect=\"{dialect}\">{expression}</wsnt:TopicExpression>")
}

fn of_contents(expression: &str) -> String {
    let dialect = oriel_onvif::events::content::ITEM_FILTER;
    format!("<wsnt:MessageContent Dialect=\"{dialect}\">{expression}</wsnt:MessageContent>")
}

fn pull(seconds: i64, limit: i32) -> PullMessages {
    PullMessages::with(|request| (request.timeout, request.message_limit) = (span(seconds), limit))
}

/// The messages in an answer.
fn messages(answer: &PullMessagesResponse) -> Vec<Message> {
    answer.notification_message.iter().map(|holder| holder.message.onvif().unwrap().unwrap()).collect()
}

/// The states in an answer: operation, source, state.
fn states(answer: &PullMessagesResponse) -> Vec<(PropertyOperation, String, String)> {
    let state = |message: Message| {
        let value = |name: &str| message.value(name).unwrap().to_owned();
        (message.property_operation.unwrap(), value("Source"), value("State"))
    };
    messages(answer).into_iter().map(state).collect()
}
