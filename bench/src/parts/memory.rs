//! Many idle devices: what each costs the cloud in memory, and how long all of them take to return when they are dropped at once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::child::{Child, Core};
use crate::fixture::{Fixture, Ground};
use crate::load::{Load, Target, Visit};
use crate::process::{self, Memory};
use crate::systems::start_cloud;

/// Every tunnel has been pinged after this: the cloud pings after 10 s of silence, the device after 12 s.
const IDLE: Duration = Duration::from_secs(14);

/// Memory of the cloud for one form of tunnel.
pub(crate) struct Idle {
    pub(crate) form: &'static str,
    /// With the records of all devices loaded and none connected.
    pub(crate) without: Memory,
    pub(crate) with: Memory,
}

/// A return of all devices.
pub(crate) struct Return {
    pub(crate) resumption: bool,
    pub(crate) first: f64,
    pub(crate) median: f64,
    pub(crate) last: f64,
    /// Attempts of devices that failed.
    pub(crate) failed_dials: u64,
    /// Connections that the cloud could not accept, or lost before their first request.
    pub(crate) failed_accepts: u64,
    /// Devices that did not answer SOAP afterwards.
    pub(crate) lost: u64,
    /// CPU time of the cloud until all were back, seconds.
    pub(crate) cloud_cpu: f64,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Crowd {
    pub(crate) devices: usize,
    pub(crate) idle: Vec<Idle>,
    pub(crate) returns: Vec<Return>,
}

/// A cloud with its devices.
struct Scene<'a> {
    fixture: &'a Fixture,
    ground: Ground,
    cloud: Child,
    load: Load,
}

pub(crate) fn measure(fixture: &Fixture, devices: usize, memory: bool, drops: bool) -> anyhow::Result<Crowd> {
    let mut crowd = Crowd { devices, ..Crowd::default() };
    let mut scene = Scene::start(fixture, "crowd-native", devices)?;
    let without = process::memory(scene.cloud.pid());
    let mut swarm = scene.swarm(&["--form", "native"])?;
    scene.visit()?;
    if memory {
        std::thread::sleep(IDLE);
        crowd.idle.push(Idle { form: "native", without, with: process::memory(scene.cloud.pid()) });
    }
    if drops {
        crowd.returns.push(scene.drop_all(&mut swarm, true)?);
        drop(swarm);
        scene.wait_for(0)?;
        let mut swarm = scene.swarm(&["--form", "native", "--no-resumption"])?;
        crowd.returns.push(scene.drop_all(&mut swarm, false)?);
    }
    drop(scene);
    if memory {
        let mut scene = Scene::start(fixture, "crowd-websocket", devices)?;
        let without = process::memory(scene.cloud.pid());
        let _swarm = scene.swarm(&["--form", "websocket"])?;
        scene.visit()?;
        std::thread::sleep(IDLE);
        crowd.idle.push(Idle { form: "WebSocket", without, with: process::memory(scene.cloud.pid()) });
    }
    Ok(crowd)
}

impl<'a> Scene<'a> {
    fn start(fixture: &'a Fixture, name: &str, devices: usize) -> anyhow::Result<Self> {
        let ground = fixture.cloud(name, devices)?;
        let cloud = start_cloud(Core::Any, &ground)?;
        let mut load = Load::start(Core::Any, &fixture.path("ca.pem"))?;
        let (address, token) = (cloud.ready("address")?, Some(ground.user.clone()));
        load.connect(&Target { name: "user".to_owned(), address, prefix: String::new(), token })?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(Self { fixture, ground, cloud, load })
    }

    fn swarm(&mut self, arguments: &[&str]) -> anyhow::Result<Child> {
        let (ca, members) = (self.fixture.text("ca.pem"), self.ground.members.display().to_string());
        let address = self.cloud.ready("address")?;
        let base = ["swarm", "--ca", &ca, "--members", &members, "--address", &address];
        let swarm = Child::role(Core::Any, &[base.as_slice(), arguments].concat())?;
        self.wait_for(self.ground.ids.len() as u64)?;
        Ok(swarm)
    }

    fn wait_for(&mut self, tunnels: u64) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        while self.cloud.ask(&json!({}))?["tunnels"] != tunnels {
            ensure!(Instant::now() < end, "the cloud does not come to {tunnels} tunnels");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// One SOAP exchange with each device; how many failed.
    fn visit(&mut self) -> anyhow::Result<u64> {
        let prefixes = self.ground.ids.iter().map(|id| format!("/d/{id}")).collect();
        Ok(self.load.visit(&Visit { target: "user".to_owned(), prefixes })?.failed)
    }

    fn drop_all(&mut self, swarm: &mut Child, resumption: bool) -> anyhow::Result<Return> {
        swarm.ask(&json!({ "watch": true }))?;
        let failures = |answer: &serde_json::Value| answer["failures"].as_u64().unwrap_or(0);
        let before = failures(&self.cloud.ask(&json!({}))?);
        let cpu = self.cloud.cpu_us();
        self.cloud.ask(&json!({ "drop": true }))?;
        let back = swarm.ask(&json!({ "back": true }))?;
        let cloud_cpu = (self.cloud.cpu_us() - cpu) / 1e6;
        let failed_accepts = failures(&self.cloud.ask(&json!({}))?) - before;
        let number = |key: &str| back[key].as_f64().with_context(|| format!("the swarm did not say {key}"));
        Ok(Return {
            resumption,
            first: number("first")?,
            median: number("median")?,
            last: number("last")?,
            failed_dials: number("failed_dials")? as u64,
            failed_accepts,
            lost: self.visit()?,
            cloud_cpu,
        })
    }
}
