//! `oriel trace`: what a device is asked and what it answers, as it happens.

use std::time::Duration;

use clap::Args;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use oriel_client::CallError;
use oriel_client::trace::{Event, Listening};
use rustls::ClientConfig;
use url::Url;

use crate::exit::BadUsage;
use crate::output::{Output, stderr};
use crate::target::Target;

/// Before the next try, after a trace that broke off.
const AGAIN: Duration = Duration::from_secs(2);

/// Show what a device behind a cloud is asked and what it answers, as it happens, and what becomes of its tunnels. Ends on Ctrl-C.
///
/// Passwords, keys, queries and whatever only administrators may read are left out. The cloud's audit log tells who listened.
#[derive(Args)]
pub(crate) struct Trace {
    #[command(flatten)]
    target: Target,
    /// A line an event, without the messages.
    #[arg(long)]
    brief: bool,
    /// End after so many events.
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
}

impl Trace {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut signals = super::Signals::new()?;
        tokio::select! {
            ended = self.listen(output) => ended,
            () = signals.asked_to_end() => Ok(()),
        }
    }

    async fn listen(&self, output: Output) -> anyhow::Result<()> {
        let (device, token, tls) = self.target.behind_cloud()?;
        let (url, headers) = asked(&device, &token, "trace")?;
        let mut left = self.count.unwrap_or(u64::MAX);
        // The first try tells what is wrong; afterwards a cloud that restarts is waited for.
        let mut listening = Some(open(&url, &tls, &headers).await?);
        while left > 0 {
            let event = match &mut listening {
                Some(stream) => stream.next().await,
                None => {
                    tokio::time::sleep(AGAIN).await;
                    match open(&url, &tls, &headers).await {
                        Ok(stream) => listening = Some(stream),
                        Err(error @ CallError::Status { .. }) if is_final(&error) => return Err(error.into()),
                        Err(_) => {}
                    }
                    continue;
                }
            };
            match event {
                Ok(Some(event)) => {
                    print(&event, self.brief, output);
                    left -= 1;
                }
                ended => {
                    let why = ended.err().map_or_else(|| "the cloud ended it".to_owned(), |error| error.to_string());
                    stderr(&format!("the trace broke off: {why}; trying again"));
                    listening = None;
                }
            }
        }
        Ok(())
    }
}

/// The address in the API of what is asked about a device, for the cloud's address of the device.
pub(super) fn asked(device: &Url, token: &str, what: &str) -> anyhow::Result<(Url, HeaderMap)> {
    let id = device.path_segments().into_iter().flatten().nth(1).unwrap_or_default();
    let mut url = device.clone();
    url.set_query(None);
    url.set_path(&format!("/api/v1/devices/{id}/{what}"));
    let bad = |_| BadUsage::error("the token is not one that a header could hold");
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(bad)?;
    value.set_sensitive(true);
    Ok((url, HeaderMap::from_iter([(AUTHORIZATION, value)])))
}

pub(super) async fn open(url: &Url, tls: &ClientConfig, headers: &HeaderMap) -> Result<Listening, CallError> {
    Listening::open(url, Some(tls.clone()), headers.clone()).await.map_err(|error| match error {
        CallError::Status { status, text } => CallError::Status { status, text: detail(&text) },
        error => error,
    })
}

/// What a refusal says (RFC 9457).
fn detail(text: &str) -> String {
    let problem = serde_json::from_str::<serde_json::Value>(text).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    detail.unwrap_or(text).to_owned()
}

/// Whether waiting does not help.
pub(super) fn is_final(error: &CallError) -> bool {
    let CallError::Status { status, .. } = error else { return false };
    matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
}

fn print(event: &Event, brief: bool, output: Output) {
    let json = if output.json { serde_json::to_value(event).unwrap_or_default() } else { serde_json::Value::Null };
    output.print(&json, &event.pretty(!brief));
}
