//! Requests: CPU time of all processes for each, how many a second, and how long one takes that is alone.

use std::collections::BTreeMap;
use std::path::Path;

use crate::child::Core;
use crate::fixture::Fixture;
use crate::load::{Kind, Load, Outcome, Work};
use crate::systems::{self, NAMES, Started, System};

/// What is sent, and how much of it at once.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    sent: usize,
    answer: usize,
    in_flight: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// In the order of the tables. The last one is the one whose latency counts.
pub(crate) const WORKLOADS: [Workload; 4] = [
    Workload { name: "1 KiB there and back, 32 in flight", sent: KIB, answer: KIB, in_flight: 32 },
    Workload { name: "1 MiB answers, 4 in flight", sent: KIB, answer: MIB, in_flight: 4 },
    Workload { name: "1 MiB requests, 4 in flight", sent: MIB, answer: KIB, in_flight: 4 },
    Workload { name: "1 KiB there and back, one at a time", sent: KIB, answer: KIB, in_flight: 1 },
];

/// One system under one workload: medians over the rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// All processes, the load generator's among them.
    pub(crate) cpu_us: f64,
    /// Without the load generator.
    pub(crate) servers_us: f64,
    /// The first process on the way alone: the proxy, our cloud, the tunnel's entrance.
    pub(crate) first_us: f64,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
}

/// By workload, then by system.
#[derive(Default)]
pub(crate) struct Speed {
    pub(crate) figures: BTreeMap<(usize, &'static str), Figures>,
    pub(crate) absent: Vec<(&'static str, String)>,
}

/// Measures the systems that `wanted` admits, in turns.
pub(crate) fn measure(
    fixture: &Fixture,
    tools: &Path,
    effort: Effort,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Speed> {
    let mut load = Load::start(Core::Load, &fixture.path("ca.pem"))?;
    let mut speed = Speed::default();
    let mut running = Vec::new();
    for started in systems::start(fixture, tools, &mut load, wanted)? {
        match started {
            Started::Running(system) => running.push(system),
            Started::Absent(name, why) => speed.absent.push((name, why)),
        }
    }
    let mut rounds: BTreeMap<(usize, &'static str), Vec<Figures>> = BTreeMap::new();
    for _ in 0..effort.rounds {
        for (number, workload) in WORKLOADS.iter().enumerate() {
            let mut broken = None;
            for (at, system) in running.iter().enumerate() {
                match one(&mut load, system, workload, effort.seconds) {
                    Ok(figures) => rounds.entry((number, system.name)).or_default().push(figures),
                    Err(error) if system.name == "oriel" || system.name == "direct" => return Err(error),
                    Err(error) => broken = Some((at, error)),
                }
            }
            // Another program that fails is told in the table and not asked again.
            if let Some((at, error)) = broken {
                speed.absent.push((running.remove(at).name, format!("{error:#}")));
            }
        }
    }
    speed.figures = rounds.into_iter().map(|(key, figures)| (key, median(&figures))).collect();
    Ok(speed)
}

fn one(load: &mut Load, system: &System, workload: &Workload, seconds: f64) -> anyhow::Result<Figures> {
    let Workload { sent, answer, in_flight, .. } = *workload;
    let target = system.name.to_owned();
    let mut work = Work { target, kind: Kind::Soap, sent, answer, in_flight, ramp: 0.0, seconds: 0.2 };
    load.work(&work)?;
    work.seconds = seconds;
    let before = (load.0.cpu_us(), system.cpu_us());
    let Outcome { requests, seconds, p50_us, p99_us, .. } = load.work(&work)?;
    let after = (load.0.cpu_us(), system.cpu_us());
    let requests = requests as f64;
    let each: Vec<f64> = after.1.iter().zip(&before.1).map(|(after, before)| (after - before) / requests).collect();
    let (servers_us, first_us) = (each.iter().sum::<f64>(), each.first().copied().unwrap_or(0.0));
    let cpu_us = servers_us + (after.0 - before.0) / requests;
    Ok(Figures { cpu_us, servers_us, first_us, per_second: requests / seconds, p50_us, p99_us })
}

fn median(figures: &[Figures]) -> Figures {
    let of = |field: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figures {
        cpu_us: of(|f| f.cpu_us),
        servers_us: of(|f| f.servers_us),
        first_us: of(|f| f.first_us),
        per_second: of(|f| f.per_second),
        p50_us: of(|f| f.p50_us),
        p99_us: of(|f| f.p99_us),
    }
}

impl Speed {
    pub(crate) fn of(&self, workload: usize, system: &str) -> Option<Figures> {
        let name = NAMES.into_iter().find(|name| *name == system)?;
        self.figures.get(&(workload, name)).copied()
    }
}
