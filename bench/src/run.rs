//! `oriel-bench uplink`: what is measured in which order, and where the tables go.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;

use crate::fixture::Fixture;
use crate::page;
use crate::parts::{device, distance, memory, speed};
use crate::process::Memory;
use crate::systems::NAMES;

const PARTS: [&str; 5] = ["speed", "distance", "memory", "drop", "device"];

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A tenth of the effort, for a look; no page is written.
    #[arg(long)]
    quick: bool,
    /// Only these: parts (speed, distance, memory, drop, device) and systems (direct, oriel, haproxy, nginx, rathole, ssh, …); no page is written.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Seconds of each measurement of requests, for whoever looks at the processes meanwhile; no page is written.
    #[arg(long)]
    seconds: Option<f64>,
    /// Devices of the crowd; without it 10,000, or 500 when it is quick.
    #[arg(long)]
    devices: Option<usize>,
    /// The program whose device half is looked at; without it the one beside this program.
    #[arg(long, value_name = "FILE")]
    oriel: Option<PathBuf>,
}

/// Everything that a run found. A part that was not asked for is none; one that failed says why.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) speed: Option<speed::Speed>,
    pub(crate) distance: Option<distance::Distance>,
    pub(crate) crowd: Option<memory::Crowd>,
    pub(crate) device: Option<anyhow::Result<Memory>>,
    pub(crate) seconds: f64,
}

impl Options {
    fn part(&self, name: &str) -> bool {
        let named = |names: &[&str]| self.only.iter().any(|only| names.contains(&only.as_str()));
        let systems = name == "speed" && named(&NAMES);
        self.only.is_empty() || self.only.iter().any(|only| only == name) || systems
    }

    fn system(&self, name: &str) -> bool {
        let some = self.only.iter().any(|only| NAMES.contains(&only.as_str()));
        !some || self.only.iter().any(|only| only == name)
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    for name in &options.only {
        let known = PARTS.contains(&name.as_str()) || NAMES.contains(&name.as_str());
        anyhow::ensure!(
            known,
            "--only {name}: neither a part ({}) nor a system ({})",
            PARTS.join(", "),
            NAMES.join("; ")
        );
    }
    let begin = Instant::now();
    let beside = std::env::current_exe()?;
    let folder = beside.parent().context("a program is in a folder")?;
    let oriel = options.oriel.clone().unwrap_or_else(|| folder.join("oriel"));
    let tools = folder.parent().unwrap_or(folder).join("bench-tools");
    let mut findings = measure(options, &tools, &oriel)?;
    findings.seconds = begin.elapsed().as_secs_f64();
    let text = page::write(&findings);
    page::print(&text)?;
    if options.only.is_empty() && !options.quick && options.devices.is_none() && options.seconds.is_none() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/bench/uplink.md");
        std::fs::write(&page, text).with_context(|| page.display().to_string())?;
    }
    Ok(())
}

fn measure(options: &Options, tools: &Path, oriel: &Path) -> anyhow::Result<Findings> {
    let fixture = Fixture::new()?;
    let mut findings = Findings::default();
    let (rounds, seconds) = if options.quick { (1, 0.5) } else { (5, 1.0) };
    let seconds = options.seconds.unwrap_or(seconds);
    if options.part("speed") {
        page::say("speed …");
        let effort = speed::Effort { rounds, seconds };
        findings.speed = Some(speed::measure(&fixture, tools, effort, |name| options.system(name))?);
    }
    if options.part("distance") {
        page::say("distance …");
        findings.distance = Some(distance::measure(&fixture, if options.quick { 1.5 } else { 4.0 })?);
    }
    let (idle, drops) = (options.part("memory"), options.part("drop"));
    if idle || drops {
        let devices = options.devices.unwrap_or(if options.quick { 500 } else { 10_000 });
        page::say(&format!("{devices} devices …"));
        findings.crowd = Some(memory::measure(&fixture, devices, idle, drops)?);
    }
    if options.part("device") {
        page::say("the device half …");
        findings.device = Some(device::measure(&fixture, oriel));
    }
    Ok(findings)
}
