//! Resident memory of the device half: idle, with an uplink, and with every pull point pulled while questions are asked.

use std::path::Path;
use std::time::Duration;

use super::events::POINTS;
use super::requests::start;
use super::{Asked, Pulled, Questions, Shown};
use crate::child::{Child, Core};
use crate::fixture::Fixture;
use crate::parts::device;
use crate::process::{self, Memory};

/// Time to come to rest after the start.
const REST: Duration = Duration::from_secs(2);

/// Of one program.
pub(super) struct Found {
    pub(super) program: &'static str,
    pub(super) idle: Memory,
    pub(super) with_uplink: Memory,
    pub(super) under_load: Memory,
}

pub(super) fn measure(fixture: &Fixture, oriel: &Path, camera: &Path, seconds: f64) -> anyhow::Result<Vec<Found>> {
    let mut found = vec![of("oriel", fixture, oriel, seconds)?];
    if camera.is_file() {
        // A folder of its own: the two are strangers to each other.
        found.push(of("oriel, device half alone", &Fixture::new()?, camera, seconds)?);
    }
    Ok(found)
}

fn of(program: &'static str, fixture: &Fixture, oriel: &Path, seconds: f64) -> anyhow::Result<Found> {
    let (device, lan) = start(Core::Any, fixture, oriel, "device-memory")?;
    std::thread::sleep(REST);
    let idle = process::memory(device.pid());
    let pulled = Pulled { address: lan.clone(), points: POINTS, seconds, timeout: 1, told: false };
    let mut pullers = Child::role(Core::Any, &["clients"])?;
    pullers.ask(&serde_json::to_value(Asked::Pulled(pulled))?)?;
    let mut others = Child::role(Core::Any, &["clients"])?;
    let questions = Questions {
        address: lan,
        method: "POST".to_owned(),
        path: "/onvif/device_service".to_owned(),
        shown: Shown::Md5,
        connections: 16,
        seconds: seconds * 0.8,
        answer: 0,
    };
    others.ask(&serde_json::to_value(Asked::Questions(questions))?)?;
    let under_load = process::memory(device.pid());
    pullers.next()?;
    drop(device);
    let with_uplink = device::measure(fixture, oriel)?;
    Ok(Found { program, idle, with_uplink, under_load })
}
