//! `oriel-bench device`: what a device of ours costs on its LAN: a question with HTTP Digest beside nginx and a bare hyper, events to many pull points, memory.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::fixture::Fixture;
use crate::page::{print, say};
use crate::payload::{CAMERA_PASSWORD, CAMERA_USER};

mod events;
mod memory;
mod page;
mod requests;

const PARTS: [&str; 3] = ["requests", "events", "memory"];

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A tenth of the effort, for a look; no page is written.
    #[arg(long)]
    quick: bool,
    /// Only these: requests, events, memory; no page is written.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Seconds of each measurement, for whoever looks at the processes meanwhile; no page is written.
    #[arg(long)]
    seconds: Option<f64>,
    /// The program that is started as the device; without it the one beside this program.
    #[arg(long, value_name = "FILE")]
    oriel: Option<PathBuf>,
    /// The program without the cloud half and without the bridge, whose memory is looked at too; without it the one in target/camera/release, if it is there.
    #[arg(long, value_name = "FILE")]
    camera: Option<PathBuf>,
}

impl Options {
    fn part(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    fn is_full(&self) -> bool {
        self.only.is_empty() && !self.quick && self.seconds.is_none()
    }
}

/// A line to the role `clients`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Asked {
    Questions(Questions),
    Pulled(Pulled),
}

/// One question, asked again and again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Questions {
    pub(crate) address: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) shown: Shown,
    pub(crate) connections: usize,
    pub(crate) seconds: f64,
    /// Bytes of the answer; nought is any.
    pub(crate) answer: usize,
}

/// How a client shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shown {
    Nothing,
    /// HTTP Digest; the challenge is kept and counted on.
    Md5,
    Sha256,
    /// WS-UsernameToken with PasswordDigest, a new one each time.
    Token,
}

/// Pull points, each pulled by a client of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pulled {
    pub(crate) address: String,
    pub(crate) points: usize,
    pub(crate) seconds: f64,
    /// Seconds that a pull waits.
    pub(crate) timeout: u32,
    /// Whether events of the bench are told meanwhile.
    pub(crate) told: bool,
}

/// How long, how often.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    seconds: f64,
}

/// Everything that a run found.
#[derive(Default)]
struct Findings {
    requests: Option<requests::Requests>,
    events: Option<events::Events>,
    memory: Option<Vec<memory::Found>>,
    seconds: f64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    for name in &options.only {
        anyhow::ensure!(PARTS.contains(&name.as_str()), "--only {name}: one of {}", PARTS.join(", "));
    }
    let begin = Instant::now();
    let beside = std::env::current_exe()?;
    let folder = beside.parent().context("a program is in a folder")?;
    let oriel = options.oriel.clone().unwrap_or_else(|| folder.join("oriel"));
    anyhow::ensure!(oriel.is_file(), "{} is not built (cargo build --release -p oriel)", oriel.display());
    let own = folder.parent().unwrap_or(folder).join("camera/release/oriel");
    let camera = options.camera.clone().unwrap_or(own);
    let mut findings = measure(options, &oriel, &camera)?;
    findings.seconds = begin.elapsed().as_secs_f64();
    let text = page::write(&findings);
    print(&text)?;
    if options.is_full() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/bench/device.md");
        std::fs::write(&page, text).with_context(|| page.display().to_string())?;
    }
    Ok(())
}

fn measure(options: &Options, oriel: &Path, camera: &Path) -> anyhow::Result<Findings> {
    let (rounds, seconds) = if options.quick { (1, 0.5) } else { (7, 1.0) };
    let effort = Effort { rounds, seconds: options.seconds.unwrap_or(seconds) };
    let fixture = Fixture::new()?;
    let mut findings = Findings::default();
    if options.part("requests") {
        say("requests …");
        findings.requests = Some(requests::measure(&fixture, oriel, effort)?);
    }
    if options.part("events") {
        say("events …");
        let seconds = options.seconds.unwrap_or(if options.quick { 2.0 } else { 20.0 });
        findings.events = Some(events::measure(&fixture, seconds)?);
    }
    if options.part("memory") {
        say("memory …");
        let seconds = options.seconds.unwrap_or(if options.quick { 2.0 } else { 10.0 });
        findings.memory = Some(memory::measure(&fixture, oriel, camera, seconds)?);
    }
    Ok(findings)
}

/// The configuration of a device with the one account, in a folder of its own.
fn config(fixture: &Fixture, name: &str) -> anyhow::Result<String> {
    let text = format!(
        "listen = [\"127.0.0.1:0\"]\ndata = {:?}\nserial = \"BENCH\"\n\
         [[user]]\nname = {CAMERA_USER:?}\npassword = {CAMERA_PASSWORD:?}\nlevel = \"Administrator\"\n",
        fixture.path(name)
    );
    Ok(fixture.write(&format!("{name}.toml"), &text)?.display().to_string())
}
