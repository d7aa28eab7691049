//! `oriel-bench cloud`: what the API, access keys and a start cost, with as many records as a large installation has, in each kind of store.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;

use crate::fixture::Fixture;
use crate::page::{print, say};

mod ground;
mod keys;
mod page;
mod postgres;
mod requests;
mod start;

use ground::Size;
use postgres::Postgres;

const PARTS: [&str; 3] = ["requests", "keys", "start"];

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A tenth of the effort and of the records, for a look; no page is written.
    #[arg(long)]
    quick: bool,
    /// Only these: requests, keys, start; no page is written.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The program that is started; without it the one beside this program.
    #[arg(long, value_name = "FILE")]
    oriel: Option<PathBuf>,
}

impl Options {
    fn part(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// How long, how often, with how many records.
struct Effort {
    rounds: usize,
    seconds: f64,
    /// Records of the requests.
    usual: Size,
    /// Records of the start.
    large: Size,
}

/// Everything that a run found, a store at a time.
#[derive(Default)]
struct Findings {
    requests: Vec<requests::Requests>,
    starts: Vec<start::Start>,
    keys: Option<keys::Keys>,
    /// Why there is nothing of PostgreSQL.
    absent: Option<String>,
    seconds: f64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    for name in &options.only {
        anyhow::ensure!(PARTS.contains(&name.as_str()), "--only {name}: one of {}", PARTS.join(", "));
    }
    let begin = Instant::now();
    let beside = std::env::current_exe()?;
    let oriel = beside.parent().context("a program is in a folder")?.join("oriel");
    let mut findings = measure(options, options.oriel.as_deref().unwrap_or(&oriel))?;
    findings.seconds = begin.elapsed().as_secs_f64();
    let text = page::write(&findings);
    print(&text)?;
    if options.only.is_empty() && !options.quick {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/bench/cloud.md");
        std::fs::write(&page, text).with_context(|| page.display().to_string())?;
    }
    Ok(())
}

fn measure(options: &Options, oriel: &Path) -> anyhow::Result<Findings> {
    let effort = if options.quick {
        Effort { rounds: 1, seconds: 0.5, usual: Size::new(1_000, 10_000), large: Size::new(10_000, 10_000) }
    } else {
        Effort { rounds: 3, seconds: 1.0, usual: Size::new(10_000, 100_000), large: Size::new(100_000, 100_000) }
    };
    let fixture = Fixture::new()?;
    let mut findings = Findings::default();
    if options.part("keys") {
        say("access keys …");
        findings.keys = Some(keys::measure(&fixture, &effort)?);
    }
    let postgres = match Postgres::start() {
        Ok(postgres) => Some(postgres),
        Err(error) => {
            findings.absent = Some(format!("{error:#}"));
            None
        }
    };
    let stores = std::iter::once(None).chain(postgres.iter().map(Some));
    for database in stores {
        let name = database.map_or("SQLite", |_| "PostgreSQL");
        if options.part("requests") {
            say(&format!("requests, {name} …"));
            findings.requests.push(requests::measure(&fixture, database, &effort)?);
        }
        if options.part("start") {
            say(&format!("start, {name} …"));
            findings.starts.push(start::measure(&fixture, oriel, database, effort.large)?);
        }
    }
    Ok(findings)
}
