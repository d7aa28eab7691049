//! Forwarded requests: CPU time of the bridge alone for each, beside nginx alone, and how much later an answer comes.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use super::Effort;
use super::running::{Bridge, Camera, Cloud};
use crate::child::{Child, Core};
use crate::fixture::Fixture;
use crate::load::{Kind, Load, Outcome, Target, Work};
use crate::systems::{Shared, connect_device, start_nginx};

/// What is asked for, and how much of it at once.
pub(super) struct Workload {
    pub(super) name: &'static str,
    answer: usize,
    in_flight: usize,
}

const KIB: usize = 1024;

/// In the order of the tables. The last one is the one whose latency counts.
pub(super) const WORKLOADS: [Workload; 3] = [
    Workload { name: "1 KiB there and back, 32 in flight", answer: KIB, in_flight: 32 },
    Workload { name: "64 KiB answers, 32 in flight", answer: 64 * KIB, in_flight: 32 },
    Workload { name: "1 KiB there and back, one at a time", answer: KIB, in_flight: 1 },
];

/// A way to a camera, and the way that it adds a hop to.
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) without: Option<&'static str>,
    /// The hop whose CPU time counts.
    hop: Option<Shared>,
}

/// One way under one workload: medians over the rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// CPU time of the hop alone, if there is one.
    pub(super) hop_us: Option<f64>,
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// What came of it.
pub(super) struct Requests {
    pub(super) ways: Vec<Way>,
    /// By workload, then in the order of the ways.
    pub(super) figures: Vec<Vec<Figures>>,
    /// How often the camera that asks for Digest had to say so, and how many connections it has seen.
    pub(super) digest: (u64, u64),
    /// Why there is nothing of nginx.
    pub(super) absent: Option<String>,
}

/// Everything that runs.
struct Scene {
    load: Load,
    ways: Vec<Way>,
    absent: Option<String>,
    digest: Child,
    /// Kept running.
    _others: Vec<Child>,
}

pub(super) fn measure(fixture: &Fixture, oriel: &Path, effort: Effort) -> anyhow::Result<Requests> {
    let mut scene = start(fixture, oriel)?;
    let mut rounds = vec![vec![Vec::new(); scene.ways.len()]; WORKLOADS.len()];
    for _ in 0..effort.rounds {
        for (workload, figures) in WORKLOADS.iter().zip(&mut rounds) {
            for (way, figures) in scene.ways.iter().zip(figures) {
                figures.push(one(&mut scene.load, way, workload, effort.seconds)?);
            }
        }
    }
    let figures = rounds.iter().map(|ways| ways.iter().map(|figures| median(figures)).collect()).collect();
    let told = scene.digest.ask(&json!({}))?;
    let count = |key: &str| told[key].as_u64().unwrap_or(0);
    let digest = (count("challenges"), count("connections"));
    Ok(Requests { ways: scene.ways, figures, digest, absent: scene.absent })
}

fn start(fixture: &Fixture, oriel: &Path) -> anyhow::Result<Scene> {
    let handler = Child::role(Core::Servers, &["handler", "--folder", &fixture.text("")])?;
    let plain = Child::role(Core::Servers, &["cameras"])?;
    let digest = Child::role(Core::Servers, &["cameras", "--digest"])?;
    let mut load = Load::start(Core::Load, &fixture.path("ca.pem"))?;
    let mut connect = |name: &str, address: &str, prefix: String, token: Option<&String>| {
        load.connect(&Target { name: name.to_owned(), address: address.to_owned(), prefix, token: token.cloned() })
    };
    connect("direct", &handler.ready("tls")?, String::new(), None)?;
    let mut ways = vec![Way { name: "direct", without: None, hop: None }];
    let mut absent = None;
    match start_nginx(fixture, "nginx-plain", &plain.ready("addresses")?, "proxy_pass http://u;") {
        Ok((address, nginx)) => {
            connect("nginx", &address.to_string(), String::new(), None)?;
            ways.push(Way { name: "nginx", without: Some("direct"), hop: Some(nginx.into()) });
        }
        Err(error) => absent = Some(format!("{error:#}")),
    }
    let camera = |name: &str, camera: &Child, account| {
        Ok::<_, anyhow::Error>(Camera { name: name.to_owned(), address: camera.ready("addresses")?, account })
    };
    let cameras = [camera("bridge", &plain, false)?, camera("digest", &digest, true)?];
    let cloud = Cloud::start(Core::Servers, fixture, "cloud", 1, cameras.len())?;
    let token = Some(&cloud.ground.user);
    let device = connect_device(Core::Servers, fixture, &cloud.ground, &cloud.address)?;
    connect("device", &cloud.address, format!("/d/{}", device.ready("id")?), token)?;
    ways.push(Way { name: "device", without: None, hop: None });
    let mut bridge = Bridge::start(Core::Servers, fixture, oriel, "bridge", &cloud, &cameras)?;
    let ids = bridge.connected(cameras.len())?;
    let hop: Shared = bridge.child.into();
    for (name, without) in [("bridge", "device"), ("digest", "device")] {
        let id = ids.get(name).context("the camera's id")?;
        connect(name, &cloud.address, format!("/d/{id}"), token)?;
        ways.push(Way { name, without: Some(without), hop: Some(hop.clone()) });
    }
    Ok(Scene { load, ways, absent, digest, _others: vec![handler, plain, cloud.child, device] })
}

fn one(load: &mut Load, way: &Way, workload: &Workload, seconds: f64) -> anyhow::Result<Figures> {
    let Workload { answer, in_flight, .. } = *workload;
    let target = way.name.to_owned();
    let mut work = Work { target, kind: Kind::Soap, sent: KIB, answer, in_flight, ramp: 0.0, seconds: seconds / 5.0 };
    load.work(&work)?;
    work.seconds = seconds;
    let cpu = || way.hop.as_ref().map(|hop| hop.cpu_us());
    let before = cpu();
    let Outcome { requests, seconds, p50_us, p99_us, .. } = load.work(&work)?;
    let requests = requests as f64;
    let hop_us = cpu().zip(before).map(|(after, before)| (after - before) / requests);
    Ok(Figures { hop_us, per_second: requests / seconds, p50_us, p99_us })
}

/// Each field by itself.
fn median(figures: &[Figures]) -> Figures {
    let of = |field: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    let hop_us = of(|f| f.hop_us.unwrap_or(f64::NAN));
    Figures {
        hop_us: (!hop_us.is_nan()).then_some(hop_us),
        per_second: of(|f| f.per_second),
        p50_us: of(|f| f.p50_us),
        p99_us: of(|f| f.p99_us),
    }
}

impl Requests {
    pub(super) fn of(&self, workload: usize, way: &str) -> Option<Figures> {
        let at = self.ways.iter().position(|one| one.name == way)?;
        self.figures.get(workload)?.get(at).copied()
    }
}
