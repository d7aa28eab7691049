//! A device whose events this process itself tells: the device half as the program has it, in one thread, with a source that tells so many a second.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use oriel_device::events::Occurrence;
use oriel_device::{Config, Device};
use oriel_onvif::events::Description;
use oriel_onvif::events::topics::{Item, Kind};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Talk, say};

/// What the bench tells: a number and a time.
const TICK: Description = Description {
    topic: "Device/Bench",
    property: false,
    source: &[],
    key: &[],
    data: &[Item { name: "Bench", kind: Kind::STRING, optional: false }],
};
static TOPIC: Description = TICK;

pub(super) async fn run(config: &Path) -> anyhow::Result<()> {
    let device = Device::start(Config::load(config)?).await?;
    device.events().offer(&[&TOPIC]);
    say(&json!({ "lan": device.addresses()[0].to_string() }))?;
    let mut talk = Talk::new();
    while let Some(question) = talk.next().await? {
        let seconds = question["seconds"].as_f64().unwrap_or(1.0);
        let told = tell(&device, seconds, question["per_second"].as_f64().unwrap_or(1000.0)).await?;
        say(&json!({ "told": told }))?;
    }
    device.stop().await;
    Ok(())
}

/// Tells events evenly; what is late is told at once.
async fn tell(device: &Device, seconds: f64, per_second: f64) -> anyhow::Result<u64> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut number = 0;
    while ticks.tick().await < end {
        let value = format!("{number} {}", Timestamp::now().as_nanosecond());
        device.events().tell(Occurrence::of(&TOPIC).data("Bench", value))?;
        number += 1;
    }
    Ok(number)
}
