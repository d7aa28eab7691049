//! `cargo xtask check`: what the README promises and what CI runs, in the order of what fails fastest.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::run::{command, has_cargo, output, say, with};
use crate::spec;

/// Seconds that each fuzz target runs.
const FUZZ_SECONDS: &str = "10";

/// Runs all of it.
///
/// # Errors
/// The first thing that does not hold.
pub(crate) fn run(quick: bool) -> anyhow::Result<()> {
    command("cargo", &["fmt", "--all", "--check"])?;
    command("cargo", &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])?;
    command("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    spec::run(false)?;
    device_alone()?;
    if has_cargo("deny") {
        command("cargo", &["deny", "check", "bans", "licenses", "sources"])?;
    } else {
        say("skip: cargo-deny is not installed; `cargo install cargo-deny` to check licences and bans");
    }
    with("cargo", &["doc", "--workspace", "--no-deps", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    tests(postgres())?;
    if quick {
        return Ok(());
    }
    command("cargo", &["build", "--release", "--package", "oriel", "--quiet"])?;
    command("node", &["tests/web/run.mjs", "--oriel", "target/release/oriel"])?;
    fuzz()?;
    command("python3", &["tests/interop/run.py", "--oriel", "target/release/oriel"])
}

/// The store's tests run in PostgreSQL too, a cluster of their own; where it cannot be had they say so and run in SQLite alone.
fn postgres() -> bool {
    if Path::new("/usr/lib/postgresql").exists() {
        return true;
    }
    // Runlevel 1 keeps the package from starting a server of its own.
    let quiet = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")];
    let update = with("apt-get", &["update", "--quiet=2"], &quiet);
    let install = ["install", "--yes", "--quiet=2", "--no-install-recommends", "postgresql"];
    let installed = update.and_then(|()| with("apt-get", &install, &quiet));
    if let Err(error) = &installed {
        say(&format!("skip: PostgreSQL cannot be installed ({error:#}); the store is tested in SQLite alone"));
    }
    installed.is_ok()
}

fn tests(postgres: bool) -> anyhow::Result<()> {
    let environment: &[(&str, &str)] = if postgres { &[] } else { &[("ORIEL_WITHOUT_POSTGRES", "1")] };
    if has_cargo("nextest") {
        with("cargo", &["nextest", "run", "--workspace", "--no-fail-fast"], environment)?;
        return command("cargo", &["test", "--workspace", "--doc", "--quiet"]);
    }
    // Some flow tests measure the process; nextest gives each its own.
    with("cargo", &["test", "--workspace", "--no-fail-fast", "--quiet", "--", "--test-threads=1"], environment)
}

/// The camera's binary has no cloud in it.
fn device_alone() -> anyhow::Result<()> {
    let features = ["--package", "oriel", "--no-default-features", "--features", "device"];
    let tree = output("cargo", &[&["tree", "--edges", "normal", "--prefix", "none"], features.as_slice()].concat())?;
    let banned = ["oriel-cloud", "axum", "opentelemetry", "prometheus", "sqlx"];
    if let Some(line) = tree.lines().find(|line| banned.iter().any(|name| line.starts_with(name))) {
        bail!("`oriel device` alone pulls in {line}");
    }
    command("cargo", &[&["clippy", "--quiet"], features.as_slice(), &["--", "-D", "warnings"]].concat())
}

/// A short run of each target over its corpus.
fn fuzz() -> anyhow::Result<()> {
    if !has_cargo("fuzz") {
        command("cargo", &["install", "cargo-fuzz", "--version", "^0.13", "--quiet"])?;
    }
    let targets = output("cargo", &["fuzz", "list"]).context("the fuzz targets")?;
    let time = format!("-max_total_time={FUZZ_SECONDS}");
    for target in targets.lines() {
        // No sanitizer: they need a nightly compiler, and the parsers are safe Rust; panics, overflows and endless loops are what is looked for.
        let options = ["--", &time, "-timeout=10", "-rss_limit_mb=1024", "-verbosity=0"];
        command("cargo", &[&["fuzz", "run", "--sanitizer", "none", target], options.as_slice()].concat())?;
    }
    Ok(())
}
