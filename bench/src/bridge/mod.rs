//! `oriel-bench bridge`: what a bridge before cameras that know nothing of the cloud costs: for each request, beside nginx as a plain proxy; for each camera
//! that idles; and what a camera that hangs costs the others.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;

use crate::fixture::Fixture;
use crate::page::{print, say};

mod crowd;
mod page;
mod requests;
mod running;

const PARTS: [&str; 3] = ["requests", "memory", "hang"];

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A tenth of the effort and of the cameras, for a look; no page is written.
    #[arg(long)]
    quick: bool,
    /// Only these: requests, memory, hang; no page is written.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Seconds of each measurement of requests, for whoever looks at the processes meanwhile; no page is written.
    #[arg(long)]
    seconds: Option<f64>,
    /// Cameras of the crowd; without it 200, or 20 when it is quick.
    #[arg(long)]
    cameras: Option<usize>,
    /// The program that is started as the bridge; without it the one beside this program.
    #[arg(long, value_name = "FILE")]
    oriel: Option<PathBuf>,
}

impl Options {
    fn part(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    fn is_full(&self) -> bool {
        self.only.is_empty() && !self.quick && self.seconds.is_none() && self.cameras.is_none()
    }
}

/// How long, how often, with how many cameras.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    seconds: f64,
    cameras: usize,
}

/// Everything that a run found.
#[derive(Default)]
struct Findings {
    requests: Option<requests::Requests>,
    crowd: Option<crowd::Crowd>,
    seconds: f64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    for name in &options.only {
        anyhow::ensure!(PARTS.contains(&name.as_str()), "--only {name}: one of {}", PARTS.join(", "));
    }
    let begin = Instant::now();
    let beside = std::env::current_exe()?;
    let beside = beside.parent().context("a program is in a folder")?.join("oriel");
    let oriel = options.oriel.clone().unwrap_or(beside);
    anyhow::ensure!(oriel.is_file(), "{} is not built (cargo build --release -p oriel)", oriel.display());
    let mut findings = measure(options, &oriel)?;
    findings.seconds = begin.elapsed().as_secs_f64();
    let text = page::write(&findings);
    print(&text)?;
    if options.is_full() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/bench/bridge.md");
        std::fs::write(&page, text).with_context(|| page.display().to_string())?;
    }
    Ok(())
}

fn measure(options: &Options, oriel: &Path) -> anyhow::Result<Findings> {
    let (rounds, seconds, cameras) = if options.quick { (1, 0.5, 20) } else { (5, 1.0, 200) };
    let seconds = options.seconds.unwrap_or(seconds);
    let effort = Effort { rounds, seconds, cameras: options.cameras.unwrap_or(cameras) };
    let fixture = Fixture::new()?;
    let mut findings = Findings::default();
    if options.part("requests") {
        say("requests …");
        findings.requests = Some(requests::measure(&fixture, oriel, effort)?);
    }
    let (memory, hang) = (options.part("memory"), options.part("hang"));
    if memory || hang {
        say(&format!("{} cameras …", effort.cameras));
        findings.crowd = Some(crowd::measure(&fixture, oriel, effort, memory, hang)?);
    }
    Ok(findings)
}
