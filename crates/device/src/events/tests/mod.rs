//! The hub by the chapter's rules, in virtual time.

mod bounds;
mod lives;
mod properties;
mod pulls;
mod replays;

use super::clock::Now;
use super::hub::{Hub, Made};
use super::pull::Progress;
use super::subscription::{Kind, Lasts, Refused, Wanted};
use super::{Notification, Occurrence};
use jiff::{SignedDuration, Timestamp};
use oriel_onvif::events::{Filter, PropertyOperation, Selection, topics};
use oriel_onvif::notification::AbsoluteOrRelativeTime;
use oriel_soap::xml::{Any, Duration as Span, Limits};
use oriel_soap::{Caller, Level, Levels, Via, With};
use std::sync::Arc;
use std::time::Duration;

/// A hub with clocks that stand still until they are told to go.
struct House {
    hub: Hub,
    now: Now,
}

/// What a message is, in short: `Changed VideoSource/MotionAlarm gate=true`.
fn short(message: &Notification) -> String {
    let operation = message.message.property_operation.map_or("", |operation| match operation {
        PropertyOperation::Initialized => "Initialized ",
        PropertyOperation::Changed => "Changed ",
        PropertyOperation::Deleted => "Deleted ",
    });
    let topic = message.topic.0.iter().map(|step| step.local.as_ref()).collect::<Vec<_>>().join("/");
    let values = message.message.groups().flat_map(|group| &group.simple_item).map(|item| item.value.as_str());
    format!("{operation}{topic} {}", values.collect::<Vec<_>>().join("="))
}

fn shorts(messages: &[Arc<Notification>]) -> Vec<String> {
    messages.iter().map(|message| short(message)).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lan(user: &str, level: Level) -> Caller {
    let via = Via::Lan { peer: ([10, 0, 0, 1], 5).into() };
    Caller { levels: Levels::of(level), user: Some(user.to_owned()), via }
}

fn admin() -> Caller {
    lan("admin", Level::Administrator)
}

fn uplink(address: &str) -> Caller {
    Caller { levels: Levels::ADMINISTRATOR, user: None, via: Via::Uplink { address: address.into() } }
}

fn span(seconds: i64) -> Option<AbsoluteOrRelativeTime> {
    Some(AbsoluteOrRelativeTime::In(Span(SignedDuration::from_secs(seconds))))
}

fn wanted(until: Option<AbsoluteOrRelativeTime>) -> Wanted {
    Wanted { selection: Selection::default(), changed_only: false, until, kind: Kind::PullPoint }
}

/// What one topic expression selects.
fn topics_of(expression: &str) -> Selection {
    let text = format!(
        "<n:TopicExpression xmlns:n=\"http://docs.oasis-open.org/wsn/b-2\" xmlns:tns1=\"http://www.onvif.org/ver10/topics\" \
         Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">{expression}</n:TopicExpression>"
    );
    let any = Any::from_xml(&text, &Limits::REQUEST).unwrap();
    Selection::read(&Filter::with(|filter| filter.any = vec![any])).unwrap()
}

const MOTION: &str = "VideoSource/MotionAlarm";
const SHUTDOWN: &str = "Device/OperationMode/ShutdownInitiated";
const HOT: &str = "Device/Sensor/Temperature/High";
const OPERATION: &str = "Monitoring/AsynchronousOperationStatus";

fn motion(source: &str, state: bool) -> Occurrence {
    Occurrence::of(topics::find(MOTION).unwrap()).source("Source", source).data("State", state.to_string())
}

/// Something that happens, with so much text.
fn hot(sensor: &str) -> Occurrence {
    Occurrence::of(topics::find(HOT).unwrap()).source("SensorID", sensor).data("Value", "41").data("Threshold", "40")
}

fn shutdown() -> Occurrence {
    Occurrence::of(topics::find(SHUTDOWN).unwrap())
}

impl House {
    fn new() -> Self {
        Self::with(Hub::default())
    }

    fn with(mut hub: Hub) -> Self {
        let offered: Vec<_> = [MOTION, SHUTDOWN, HOT, "Device/Trigger/DigitalInput", OPERATION]
            .map(|topic| topics::find(topic).unwrap())
            .into();
        hub.offer(&offered);
        let wall = "2026-01-31T12:00:00Z".parse().unwrap();
        Self { hub, now: Now { wall, monotonic: seconds(1000) } }
    }

    /// Both clocks go.
    fn pass(&mut self, time: Duration) {
        self.now.monotonic += time;
        self.now.wall = self.now.wall.checked_add(time).unwrap();
    }

    /// Somebody sets the clock on the wall.
    fn set_clock(&mut self, by: i64) {
        self.now.wall = self.now.wall.checked_add(SignedDuration::from_secs(by)).unwrap();
    }

    fn in_wall(&self, seconds: i64) -> Timestamp {
        self.now.wall.checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }

    fn tell(&mut self, occurrence: Occurrence) {
        self.hub.tell(self.now, occurrence).unwrap();
    }

    fn make(&mut self, caller: &Caller, wanted: Wanted) -> Result<Made, Refused> {
        self.hub.subscribe(self.now, caller, wanted)
    }

    /// A pull point of the administrator's that lasts so long.
    fn pull_point(&mut self, lasts: i64) -> Made {
        self.make(&admin(), wanted(span(lasts))).unwrap()
    }

    fn begin(&mut self, made: &Made, timeout: u64, limit: usize) -> Result<(), Refused> {
        self.hub.begin_pull(self.now, &made.id, &admin(), seconds(timeout), limit).map(drop)
    }

    fn progress(&mut self, made: &Made) -> Progress {
        self.hub.progress(self.now, made.key)
    }

    /// The messages that are answered at once, and arrive.
    fn pulled(&mut self, made: &Made) -> Vec<String> {
        shorts(&self.answer(made).0)
    }

    fn answer(&mut self, made: &Made) -> (Vec<Arc<Notification>>, Lasts) {
        self.begin(made, 0, 1000).unwrap();
        let Progress::Done { messages, lasts, epoch } = self.progress(made) else { panic!("no answer at once") };
        self.hub.delivered(made.key, epoch, Vec::new());
        (messages, lasts)
    }

    fn is_there(&mut self, made: &Made) -> bool {
        self.hub.synchronise(self.now, &made.id, &admin()).is_ok()
    }
}
