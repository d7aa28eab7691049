//! What an exchange with a device looks like to whoever has to find a fault: who asked for what, what was answered, what became of the tunnel.
//!
//! Secrets are left out before anything leaves the process that saw them ([`Message::of`]); a trace may be pasted into a ticket.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod listen;
mod outline;
mod tap;

pub use listen::{Listening, Told};
pub use tap::{Listener, Tap, Taps};

/// A SOAP message without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Namespace of the one element in the body.
    pub namespace: String,
    /// Its name: the operation, its response, or `Fault`.
    pub name: String,
    /// Headers and body, a line an element, two spaces a level.
    pub outline: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum What {
    /// A request went to the device.
    Asked {
        /// Its number, which the answer bears too.
        exchange: u64,
        /// Who asked, for people.
        by: String,
        /// HTTP's method.
        method: String,
        /// Path, and the query's length in place of the query.
        target: String,
        /// None where it is no SOAP.
        message: Option<Message>,
    },
    /// The device answered.
    Answered {
        /// The number of the request.
        exchange: u64,
        /// Since it was asked.
        milliseconds: u64,
        /// HTTP's status.
        status: u16,
        /// The type of what came.
        content_type: Option<String>,
        /// Bytes of the body, as far as they are known.
        bytes: Option<u64>,
        /// None where it is no SOAP, or too long to be looked at.
        message: Option<Message>,
    },
    /// There is no answer.
    Failed {
        /// The number of the request.
        exchange: u64,
        /// Since it was asked.
        milliseconds: u64,
        /// Why.
        reason: String,
    },
    /// The device came, went, or changed its tunnel.
    Tunnel {
        /// `online`, `offline`, `revoked`, `removed`.
        status: String,
        /// Tunnels that stand.
        tunnels: usize,
        /// Why it is not online.
        reason: Option<String>,
    },
    /// More happened than the listener took.
    Missed {
        /// How much.
        events: u64,
    },
}

/// What happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unix milliseconds.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl Event {
    /// For people: a line, and the message below it if `whole`.
    #[must_use]
    pub fn pretty(&self, whole: bool) -> String {
        let at = i64::try_from(self.at).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or_default();
        let mut text = at.strftime("%H:%M:%S.").to_string();
        let _infallible = write!(text, "{:03} ", self.at % 1000);
        let message = self.line(&mut text);
        if let (true, Some(message)) = (whole, message) {
            for line in message.outline.lines() {
                text.push_str("\n        ");
                text.push_str(line);
            }
        }
        text
    }

    /// The line; returns what stands below it.
    fn line(&self, text: &mut String) -> Option<&Message> {
        let named = |message: &Option<Message>| {
            message.as_ref().map_or_else(String::new, |message| format!("  {} ({})", message.name, message.namespace))
        };
        let (line, message) = match &self.what {
            What::Asked { exchange, by, method, target, message } => {
                (format!("> {exchange} {method} {target}{}  by {by}", named(message)), message.as_ref())
            }
            What::Answered { exchange, milliseconds, status, content_type, bytes, message } => {
                let kind = content_type.as_ref().filter(|_| message.is_none());
                let kind = kind.map_or_else(String::new, |kind| format!("  {kind}"));
                let bytes = bytes.map_or_else(String::new, |bytes| format!("  {bytes} bytes"));
                let name = named(message);
                (format!("< {exchange} {status}{name}{kind}{bytes}  {milliseconds} ms"), message.as_ref())
            }
            What::Failed { exchange, milliseconds, reason } => {
                (format!("< {exchange} no answer: {reason}  {milliseconds} ms"), None)
            }
            What::Tunnel { status, tunnels, reason } => {
                let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
                (format!("= {status}, tunnels: {tunnels}{reason}"), None)
            }
            What::Missed { events } => (format!("! {events} events were missed: too many for this listener"), None),
        };
        text.push_str(&line);
        message
    }
}

/// A request's target as a trace may tell it: queries carry tokens and passwords, and so do the paths of some cameras.
#[must_use]
pub fn target(path: &str, query: Option<&str>) -> String {
    let path = path.split('/').map(|segment| match segment.split_once('=') {
        Some(_) if segment.split(['=', '_', '&', ';', ',']).any(outline::is_secret) => "(hidden)",
        _ => segment,
    });
    let path = path.collect::<Vec<_>>().join("/");
    match query {
        None => path,
        Some(query) => format!("{path}?({} bytes)", query.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_and_what_stands_below_it() {
        let message = Message { namespace: "urn:x".into(), name: "Go".into(), outline: "Go\n  X: 1\n".into() };
        let asked = Event {
            at: 1_700_000_000_123,
            what: What::Asked {
                exchange: 7,
                by: "ana".into(),
                method: "POST".into(),
                target: target("/onvif/x", Some("token=secret")),
                message: Some(message),
            },
        };
        let line = "22:13:20.123 > 7 POST /onvif/x?(12 bytes)  Go (urn:x)  by ana";
        assert_eq!(asked.pretty(false), line);
        assert_eq!(asked.pretty(true), format!("{line}\n        Go\n          X: 1"));
        let again: Event = serde_json::from_str(&serde_json::to_string(&asked).unwrap()).unwrap();
        assert_eq!(again, asked);
    }

    #[test]
    fn what_did_not_happen_is_told_too() {
        let event = |what| Event { at: 0, what }.pretty(true);
        let failed = What::Failed { exchange: 1, milliseconds: 20, reason: "the device is offline".into() };
        assert_eq!(event(failed), "00:00:00.000 < 1 no answer: the device is offline  20 ms");
        let tunnel = What::Tunnel { status: "offline".into(), tunnels: 0, reason: Some("silent for 30 s".into()) };
        assert_eq!(event(tunnel), "00:00:00.000 = offline, tunnels: 0: silent for 30 s");
        assert!(event(What::Missed { events: 3 }).contains("3 events were missed"));
        let picture = What::Answered {
            exchange: 2,
            milliseconds: 5,
            status: 200,
            content_type: Some("image/jpeg".into()),
            bytes: Some(4000),
            message: None,
        };
        assert_eq!(event(picture), "00:00:00.000 < 2 200  image/jpeg  4000 bytes  5 ms");
    }
}
