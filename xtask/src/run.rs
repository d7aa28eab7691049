//! Running programs from the root of the workspace, with a line that says which.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_owned(), Path::to_owned)
}

/// Says `line` to whoever watches.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    let _gone = writeln!(std::io::stdout().lock(), "{line}");
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn command(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    with(program, arguments, &[])
}

/// Runs a program with more environment.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn with(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    say(&format!("\n── {program} {}", arguments.join(" ")));
    let begin = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("`{program} {}` failed: {status}", arguments.join(" "));
    }
    say(&format!("── {:.1} s", begin.elapsed().as_secs_f64()));
    Ok(())
}

/// What a program prints.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("`{program} {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a cargo subcommand is installed.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    let answer =
        Command::new("cargo").args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    answer.is_ok_and(|status| status.success())
}
