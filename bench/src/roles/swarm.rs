//! Many device halves in one process, and the time that it takes all of them to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context as _;
use oriel_trust::client_config;
use oriel_uplink::device::{Credentials, State, Status, Uplink, UplinkConfig, seed};
use rustls::client::Resumption;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Dialler, Talk, say};
use crate::fixture::{members, validation};
use crate::payload::Handler;

/// Dials a second at the first start: the return of all at once is measured apart.
const RATE: u32 = 2000;
/// How long all may take to connect, or to come back.
const PATIENCE: Duration = Duration::from_secs(150);

pub(super) async fn run(dialler: &Dialler, no_resumption: bool) -> anyhow::Result<()> {
    let uplinks = dial(dialler, no_resumption).await?;
    let (_, first) = returned(&uplinks, None).await?;
    say(&first)?;
    let mut talk = Talk::new();
    while let Some(question) = talk.next().await? {
        anyhow::ensure!(question["watch"] == true, "watch, or nothing");
        let begin = Instant::now();
        // Counted from the moment in which the bench tells the cloud, which follows this answer.
        say(&json!({ "watching": uplinks.len() }))?;
        let failures = count_failures(&uplinks);
        let Some(_) = talk.next().await? else { break };
        let (back, mut result) = returned(&uplinks, Some(begin)).await?;
        result["failed_dials"] = json!(failures.failures.load(Relaxed));
        anyhow::ensure!(back == uplinks.len(), "{} devices are lost", uplinks.len() - back);
        say(&result)?;
    }
    Ok(())
}

async fn dial(dialler: &Dialler, no_resumption: bool) -> anyhow::Result<Vec<Uplink>> {
    let validation = validation(&dialler.ca)?;
    let handler = Handler::default();
    let address: oriel_uplink::RemoteAddress = format!("{}://{}/", dialler.form.scheme(), dialler.address).parse()?;
    let mut uplinks = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / RATE);
    for (id, identity) in members(&dialler.members)? {
        pace.tick().await;
        let mut tls = client_config(&validation, Some(&identity))?;
        if no_resumption {
            tls.resumption = Resumption::disabled();
        }
        let credentials = Credentials { tls: Arc::new(tls), token: None };
        let config = UplinkConfig::new(address.clone(), credentials, seed(id.as_bytes()));
        let handler = handler.clone();
        uplinks.push(Uplink::start(config, move |request| handler.clone().answer(request)));
    }
    Ok(uplinks)
}

/// Waits until every uplink stands on a tunnel that is younger than `after`; how many do, and when.
async fn returned(uplinks: &[Uplink], after: Option<Instant>) -> anyhow::Result<(usize, Value)> {
    let stands = move |status: &Status| {
        status.state == State::Connected && status.connected_since.is_some_and(|since| after.is_none_or(|a| since > a))
    };
    let wait = async {
        for uplink in uplinks {
            uplink.status().wait_for(stands).await.context("an uplink ended")?;
        }
        Ok::<(), anyhow::Error>(())
    };
    // Late ones are counted below.
    let _late = tokio::time::timeout(PATIENCE, wait).await;
    let since = |uplink: &Uplink| {
        let status = uplink.status().borrow().clone();
        let connected = status.connected_since.filter(|_| stands(&status))?;
        Some(after.map_or(0.0, |after| (connected - after).as_secs_f64()))
    };
    let mut times: Vec<f64> = uplinks.iter().filter_map(since).collect();
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(0.0);
    let error = uplinks.iter().find_map(|uplink| uplink.status().borrow().error.clone());
    let result = json!({
        "connected": times.len(), "first": at(0.0), "median": at(0.5), "last": at(1.0), "last_error": error,
    });
    Ok((times.len(), result))
}

/// Attempts that failed, over all uplinks.
struct FailureCount {
    failures: Arc<AtomicU64>,
    // Dropping it ends the tasks.
    _tasks: JoinSet<()>,
}

fn count_failures(uplinks: &[Uplink]) -> FailureCount {
    let failures = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for uplink in uplinks {
        let (mut status, failures) = (uplink.status(), Arc::clone(&failures));
        tasks.spawn(async move {
            // The first attempt after a drop is number 1: whatever is beyond it followed a failure.
            let mut seen = 1;
            while status.changed().await.is_ok() {
                let attempts = status.borrow_and_update().attempts.max(1);
                failures.fetch_add(attempts.saturating_sub(seen).into(), Relaxed);
                seen = attempts;
            }
        });
    }
    FailureCount { failures, _tasks: tasks }
}
