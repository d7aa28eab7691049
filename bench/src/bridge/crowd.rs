//! Many idle cameras behind one bridge: what each costs it in memory; and what one that hangs costs those who ask the others.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::Effort;
use super::running::{Bridge, Camera, Cloud};
use crate::child::{Child, Core};
use crate::fixture::Fixture;
use crate::load::{Call, Calls, Content, Load, Outcome, Proof, Target, Visit};
use crate::payload::path;
use crate::process::{self, Memory};

/// Every tunnel has been pinged after this: the cloud pings after 10 s of silence, the device after 12 s.
const IDLE: Duration = Duration::from_secs(14);
/// After this, connections to cameras that idled for 15 s are closed too.
const LONGER: Duration = Duration::from_secs(18);
/// Time for a fresh process to come to rest.
const REST: Duration = Duration::from_secs(2);
/// Requests that hold the camera that hangs: more than it has places, and more than may wait for one.
const STUCK: usize = 64;
/// Requests at once to the others, and to how many of them.
const IN_FLIGHT: usize = 4;
const OTHERS: usize = 50;
/// Seconds of a measurement beside the camera that hangs: while all of its places are held and all who may wait do.
const BESIDE: f64 = 5.0;
const KIB: usize = 1024;

/// Memory of a bridge.
pub(super) struct Idle {
    pub(super) start: &'static str,
    /// After [`IDLE`].
    pub(super) with: Memory,
    /// After [`LONGER`] beyond that.
    pub(super) later: Memory,
}

/// A round with a camera that hangs.
#[derive(Clone, Copy)]
pub(super) struct Hang {
    pub(super) without: (f64, f64),
    pub(super) beside: (f64, f64),
}

/// What came of it.
pub(super) struct Crowd {
    pub(super) cameras: usize,
    /// A bridge without cameras.
    pub(super) empty: Memory,
    pub(super) idle: Vec<Idle>,
    pub(super) hangs: Vec<Hang>,
    /// Until all had enrolled themselves.
    pub(super) enrolled: f64,
    /// From the start until all uplinks stood again.
    pub(super) started: f64,
}

/// A cloud and whoever asks it.
struct Scene {
    cameras: Child,
    cloud: Cloud,
    load: Load,
    ids: BTreeMap<String, String>,
}

pub(super) fn measure(
    fixture: &Fixture,
    oriel: &Path,
    effort: Effort,
    memory: bool,
    hang: bool,
) -> anyhow::Result<Crowd> {
    let count = effort.cameras;
    let cameras = Child::role(Core::Any, &["cameras", "--count", &count.to_string()])?;
    let cloud = Cloud::start(Core::Any, fixture, "crowd", 0, count)?;
    let load = connect(fixture, &cloud)?;
    let listed: Vec<Camera> = (1..=count)
        .zip(cameras.ready("addresses")?.split(','))
        .map(|(n, address)| Camera { name: format!("camera-{n:03}"), address: address.to_owned(), account: false })
        .collect();
    let mut scene = Scene { cameras, cloud, load, ids: BTreeMap::new() };
    let start =
        |cloud: &Cloud, listed: &[Camera], name: &str| Bridge::start(Core::Any, fixture, oriel, name, cloud, listed);
    let empty = start(&scene.cloud, &[], "empty-bridge")?;
    std::thread::sleep(REST);
    let empty = process::memory(empty.child.pid());
    let mut crowd = Crowd { cameras: count, empty, idle: Vec::new(), hangs: Vec::new(), enrolled: 0.0, started: 0.0 };

    let begin = Instant::now();
    let mut bridge = start(&scene.cloud, &listed, "bridge-of-many")?;
    scene.ids = bridge.connected(count)?;
    crowd.enrolled = begin.elapsed().as_secs_f64();
    if memory {
        crowd.idle.push(scene.idle("as they enrolled", &bridge)?);
    }
    drop(bridge);
    let begin = Instant::now();
    let mut bridge = start(&scene.cloud, &listed, "bridge-of-many")?;
    bridge.connected(count)?;
    crowd.started = begin.elapsed().as_secs_f64();
    if memory {
        crowd.idle.push(scene.idle("started again", &bridge)?);
    }
    if hang {
        for _ in 0..effort.rounds.min(3) {
            crowd.hangs.push(scene.hang(fixture)?);
        }
    }
    Ok(crowd)
}

fn connect(fixture: &Fixture, cloud: &Cloud) -> anyhow::Result<Load> {
    let mut load = Load::start(Core::Any, &fixture.path("ca.pem"))?;
    let (address, token) = (cloud.address.clone(), Some(cloud.ground.user.clone()));
    load.connect(&Target { name: "user".to_owned(), address, prefix: String::new(), token })?;
    Ok(load)
}

impl Scene {
    fn idle(&mut self, start: &'static str, bridge: &Bridge) -> anyhow::Result<Idle> {
        let prefixes: Vec<String> = self.ids.values().map(|id| format!("/d/{id}")).collect();
        let visited = self.load.visit(&Visit { target: "user".to_owned(), prefixes })?;
        let failure = visited.failure.unwrap_or_default();
        ensure!(visited.failed == 0, "{} cameras do not answer: {failure}", visited.failed);
        std::thread::sleep(IDLE);
        let with = process::memory(bridge.child.pid());
        std::thread::sleep(LONGER);
        Ok(Idle { start, with, later: process::memory(bridge.child.pid()) })
    }

    /// One measurement without and one beside a camera that hangs.
    fn hang(&mut self, fixture: &Fixture) -> anyhow::Result<Hang> {
        let stuck = format!("/d/{}", self.ids.values().next().context("a camera")?);
        let number = self.ids.keys().next().and_then(|name| name.rsplit('-').next()?.parse::<u64>().ok());
        let without = self.others()?;
        let mut other = connect(fixture, &self.cloud)?;
        self.cameras.ask(&json!({ "hang": number.context("its number")? }))?;
        let prefixes = vec![stuck; STUCK];
        let visiting = std::thread::spawn(move || other.visit(&Visit { target: "user".to_owned(), prefixes }));
        std::thread::sleep(Duration::from_secs(1));
        let beside = self.others();
        let visited = visiting.join().map_err(|_| anyhow::anyhow!("the visit"))??;
        self.cameras.ask(&json!({ "hang": 0 }))?;
        ensure!(visited.failed == STUCK as u64, "the camera that hangs has answered {} times", visited.requests);
        ensure!(visited.seconds > BESIDE + 1.0, "nobody waited for the camera that hangs");
        Ok(Hang { without, beside: beside? })
    }

    /// p50 and p99 of requests to the others.
    fn others(&mut self) -> anyhow::Result<(f64, f64)> {
        let call = |id: &String| Call {
            method: "POST".to_owned(),
            // What a token leaves in an envelope, once it is taken out, is shorter than what was sent.
            path: format!("/d/{id}{}", path(KIB as u64, KIB / 5)),
            content: Content::Soap(KIB),
            status: 200,
            answer: KIB,
        };
        let calls: Vec<Call> = self.ids.values().skip(1).take(OTHERS).map(call).collect();
        let target = "user".to_owned();
        let mut calls = Calls { target, calls, proof: Proof::Bearer, key: None, in_flight: IN_FLIGHT, seconds: 0.5 };
        self.load.calls(&calls)?;
        calls.seconds = BESIDE;
        let Outcome { p50_us, p99_us, .. } = self.load.calls(&calls)?;
        Ok((p50_us, p99_us))
    }
}
