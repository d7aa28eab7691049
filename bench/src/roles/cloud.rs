//! The cloud half as it is, with a count of the connections that came to nothing, and a way to drop all tunnels at once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Context as _;
use oriel_cloud::{Cloud, Config};
use oriel_uplink::cloud::CloseReason;
use serde_json::json;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::{Talk, say};

/// Where the cloud says that a connection could not be accepted, or ended before its first request.
const PORT: &str = "oriel_cloud::port";

pub(super) async fn run(config: &Path) -> anyhow::Result<()> {
    let failures = Arc::new(AtomicU64::new(0));
    tracing::subscriber::set_global_default(Failures(Arc::clone(&failures))).context("the first subscriber")?;
    let cloud = Cloud::start(Config::load(config)?, None).await?;
    say(&json!({ "address": cloud.address().to_string() }))?;
    let mut talk = Talk::new();
    while let Some(question) = talk.next().await? {
        let tunnels = cloud.registry().tunnels();
        if question["drop"] == true {
            for tunnel in &tunnels {
                tunnel.close(CloseReason::Local("the bench drops everybody".to_owned()));
            }
        }
        say(&json!({ "tunnels": tunnels.len(), "failures": failures.load(Relaxed) }))?;
    }
    Ok(())
}

/// Counts what the port says went wrong; nothing else is heard, so that nothing else costs.
struct Failures(Arc<AtomicU64>);

impl Subscriber for Failures {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == PORT && metadata.is_event() && *metadata.level() != Level::INFO
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
