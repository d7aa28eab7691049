//! `oriel events`: what a device behind a cloud told, and what it tells.

use std::time::Duration;

use clap::Args;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use oriel_client::CallError;
use oriel_client::api::Api;
use oriel_client::trace::{Listening, Told};
use oriel_onvif::discovery::printable;
use rustls::ClientConfig;
use serde_json::Value;
use url::{Position, Url};

use super::trace::{asked, is_final, open};
use crate::output::{Output, stderr};
use crate::target::Target;

/// Before the next try, after a stream that broke off.
const AGAIN: Duration = Duration::from_secs(2);

/// Show the events of a device behind a cloud, as the cloud keeps them: the newest, in their order, and with --follow those that come.
///
/// A gap is told where events may be missing, with the reason.
#[derive(Args)]
pub(crate) struct Events {
    #[command(flatten)]
    target: Target,
    /// Go on with what comes. Ends on Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// The newest so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=200))]
    last: u8,
    /// This topic and those below it, such as tns1:VideoSource; gaps are shown with any.
    #[arg(long)]
    topic: Option<String>,
}

impl Events {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut signals = super::Signals::new()?;
        tokio::select! {
            ended = self.show(output) => ended,
            () = signals.asked_to_end() => Ok(()),
        }
    }

    async fn show(&self, output: Output) -> anyhow::Result<()> {
        let (device, token, tls) = self.target.behind_cloud()?;
        let (mut url, _) = asked(&device, &token, "events")?;
        url.query_pairs_mut().append_pair("limit", &self.last.to_string());
        if let Some(topic) = &self.topic {
            url.query_pairs_mut().append_pair("topic", topic);
        }
        let api = Api::new(&device, tls.clone(), Some(&token))?;
        let list = api.get(&url[Position::BeforePath..Position::AfterQuery]).await?;
        // With a topic an empty list says nothing of the others.
        let mut newest = self.topic.is_none().then_some(0);
        for entry in list["items"].as_array().into_iter().flatten().rev() {
            newest = entry["number"].as_u64().or(newest);
            output.print(entry, &line(entry));
        }
        if !self.follow {
            return Ok(());
        }
        // With a topic the newest of all may be another one; what is older than it is not told again.
        let (url, headers) = asked(&device, &token, "events/stream")?;
        self.follow(&url, &headers, &tls, newest, output).await
    }

    async fn follow(
        &self,
        url: &Url,
        headers: &HeaderMap,
        tls: &ClientConfig,
        mut newest: Option<u64>,
        output: Output,
    ) -> anyhow::Result<()> {
        loop {
            let mut headers = headers.clone();
            if let Some(newest) = newest {
                headers.insert("last-event-id", HeaderValue::from(newest));
            }
            let why = match open(url, tls, &headers).await {
                Ok(mut stream) => self.tell(&mut stream, &mut newest, output).await,
                Err(error @ CallError::Status { .. }) if is_final(&error) => return Err(error.into()),
                Err(error) => error.to_string(),
            };
            stderr(&format!("the events broke off: {}; trying again", printable(&why)));
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Tells what comes, and in the end why no more does.
    async fn tell(&self, stream: &mut Listening, newest: &mut Option<u64>, output: Output) -> String {
        loop {
            match stream.next_told::<Value>().await {
                Ok(Some(told)) => {
                    *newest = told.id.parse().ok().or(*newest);
                    if let Some((json, text)) = self.shown(&told) {
                        output.print(&json, &text);
                    }
                }
                Ok(None) => return "the cloud ended it".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    }

    /// What is printed of an event of the stream.
    fn shown(&self, told: &Told<Value>) -> Option<(Value, String)> {
        match told.kind.as_str() {
            "entry" if self.wants(&told.data) => Some((told.data.clone(), line(&told.data))),
            "reset" => {
                let json = serde_json::json!({ "kind": "reset", "newest": told.id.parse::<u64>().ok() });
                Some((json, "some events were missed: the cloud does not have them any more".to_owned()))
            }
            _ => None,
        }
    }

    fn wants(&self, entry: &Value) -> bool {
        let (Some(wanted), Some(topic)) = (&self.topic, entry["topic"].as_str()) else { return true };
        topic.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// One entry for people: one line, whatever the camera put into its texts.
fn line(entry: &Value) -> String {
    let text = |name: &str| printable(entry[name].as_str().unwrap_or_default());
    let time = |name: &str| {
        let at = entry[name].as_i64().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or_default();
        at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    };
    if entry["kind"] == "gap" {
        return format!("{}  events may be missing since {}: {}", time("to"), time("from"), text("reason"));
    }
    let items = |name: &str| {
        let items = entry[name].as_object().into_iter().flatten();
        items
            .map(|(name, value)| printable(&format!("{name}={}", value.as_str().unwrap_or_default())))
            .collect::<Vec<_>>()
    };
    let told = [items("source"), items("key"), items("data")].concat().join(" ");
    let operation = entry["operation"].as_str().map(|word| format!(" ({})", printable(word))).unwrap_or_default();
    format!("{}  {}{operation}  {told}", time("time"), text("topic"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line() {
        let entry = serde_json::json!({
            "kind": "event", "number": 3, "time": 1_800_000_000_123_i64, "topic": "tns1:VideoSource/MotionAlarm",
            "operation": "Changed", "source": { "Source": "1" }, "key": {}, "data": { "State": "true" },
        });
        assert_eq!(
            line(&entry),
            "2027-01-15T08:00:00.123Z  tns1:VideoSource/MotionAlarm (Changed)  Source=1 State=true"
        );
        let gap = serde_json::json!({ "kind": "gap", "from": 0, "to": 1000, "reason": "not_kept" });
        assert!(line(&gap).contains("may be missing since 1970-01-01T00:00:00.000Z: not_kept"), "{}", line(&gap));
    }

    #[test]
    fn a_camera_forges_no_line() {
        let entry = serde_json::json!({
            "kind": "event", "number": 3, "time": 0, "topic": "tns1:A\r\n2027", "operation": "Changed\n",
            "source": { "So\nurce": "1\n2027-01-15T08:00:00.123Z  tns1:VideoSource/MotionAlarm" }, "key": {}, "data": { "State": "\u{1b}[2Jtrue\u{2028}" },
        });
        assert!(
            !line(&entry).contains(|letter: char| letter.is_control() || letter == '\u{2028}'),
            "{:?}",
            line(&entry)
        );
        let gap = serde_json::json!({ "kind": "gap", "from": 0, "to": 1000, "reason": "a\nb" });
        assert_eq!(line(&gap).lines().count(), 1);
    }

    #[test]
    fn what_was_missed_is_said_and_the_beginning_is_not() {
        #[derive(clap::Parser)]
        struct Command {
            #[command(flatten)]
            events: Events,
        }
        let events = <Command as clap::Parser>::parse_from(["events", "abc", "--topic", "tns1:Door"]).events;
        let told = |kind: &str, data: Value| Told { kind: kind.to_owned(), id: "7".to_owned(), data };
        let (json, text) = events.shown(&told("reset", serde_json::json!({}))).unwrap();
        assert!(text.starts_with("some events were missed"), "{text}");
        assert_eq!(json, serde_json::json!({ "kind": "reset", "newest": 7 }));
        assert_eq!(events.shown(&told("snapshot", serde_json::json!({ "number": 7 }))), None);
        let entry = |topic: &str| serde_json::json!({ "kind": "event", "number": 7, "topic": topic });
        assert!(events.shown(&told("entry", entry("tns1:Door/Open"))).is_some());
        assert_eq!(events.shown(&told("entry", entry("tns1:Doors"))), None);
    }
}
