//! Events to many pull points: how long from the event told to the answer read, and what it takes of the device.

use serde_json::json;

use super::{Asked, Pulled, config};
use crate::child::{Child, Core};
use crate::fixture::Fixture;
use crate::load::Outcome;
use crate::process;

/// As many as the device says it has.
pub(super) const POINTS: usize = 64;
/// Events told in a second.
pub(super) const PER_SECOND: f64 = 1000.0;
/// Longer than the events last, so that nobody stops listening before.
const BEYOND: f64 = 0.5;

/// What came of it.
pub(super) struct Events {
    pub(super) told: f64,
    pub(super) arrived: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Parts of a core.
    pub(super) cores: f64,
    /// CPU time for a message that arrived, µs.
    pub(super) message_us: f64,
    /// Resident memory at the end, in bytes.
    pub(super) resident: u64,
}

pub(super) fn measure(fixture: &Fixture, seconds: f64) -> anyhow::Result<Events> {
    let config = config(fixture, "device-events")?;
    let mut device = Child::role(Core::Servers, &["source", "--config", &config])?;
    let address = device.ready("lan")?;
    let mut clients = Child::role(Core::Load, &["clients"])?;
    let pulled = Pulled { address, points: POINTS, seconds: seconds + BEYOND, timeout: 1, told: true };
    clients.ask(&serde_json::to_value(Asked::Pulled(pulled))?)?;
    let before = device.cpu_us();
    let told = device.ask(&json!({ "seconds": seconds, "per_second": PER_SECOND }))?["told"].as_f64().unwrap_or(0.0);
    let cpu = device.cpu_us() - before;
    let resident = process::memory(device.pid()).resident;
    // Nothing is asked: the clients answer when their time is over.
    let outcome: Outcome = serde_json::from_value(clients.next()?)?;
    let all = told * POINTS as f64;
    anyhow::ensure!(outcome.requests as f64 == all, "{} of {all} messages arrived", outcome.requests);
    Ok(Events {
        told: told / seconds,
        arrived: outcome.requests,
        p50_ms: outcome.p50_us / 1000.0,
        p99_ms: outcome.p99_us / 1000.0,
        cores: cpu / 1e6 / seconds,
        message_us: cpu / outcome.requests as f64,
        resident,
    })
}
