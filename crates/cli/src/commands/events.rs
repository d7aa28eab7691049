//! `oriel events`: what a device behind a cloud told, and what it tells.

use std::time::Duration;

use clap::Args;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use oriel_client::CallError;
use oriel_client::api::Api;
use oriel_client::trace::Listening;
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
        let mut newest = None;
        for entry in list["items"].as_array().into_iter().flatten().rev() {
            newest = entry["number"].as_u64();
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
            stderr(&format!("the events broke off: {why}; trying again"));
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Tells what comes, and in the end why no more does.
    async fn tell(&self, stream: &mut Listening, newest: &mut Option<u64>, output: Output) -> String {
        loop {
            match stream.next_of::<Value>().await {
                Ok(Some(entry)) if entry["kind"].is_string() => {
                    *newest = entry["number"].as_u64();
                    if self.wants(&entry) {
                        output.print(&entry, &line(&entry));
                    }
                }
                // The beginning of the stream says where it begins; a reset, that the list has to be asked for again.
                Ok(Some(place)) => {
                    *newest = place["number"].as_u64().or(*newest);
                }
                Ok(None) => return "the cloud ended it".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    }

    fn wants(&self, entry: &Value) -> bool {
        let (Some(wanted), Some(topic)) = (&self.topic, entry["topic"].as_str()) else { return true };
        topic.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// One entry for people.
fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let time = |name: &str| {
        let at = entry[name].as_i64().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or_default();
        at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    };
    if entry["kind"] == "gap" {
        return format!("{}  events may be missing since {}: {}", time("to"), time("from"), text("reason"));
    }
    let items = |name: &str| {
        let items = entry[name].as_object().into_iter().flatten();
        items.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>()
    };
    let told = [items("source"), items("key"), items("data")].concat().join(" ");
    let operation = entry["operation"].as_str().map(|word| format!(" ({word})")).unwrap_or_default();
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
}
