//! The chores of the project: `cargo xtask check | spec | bench`.

use clap::{Parser, Subcommand};

mod check;
mod run;
mod spec;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that has to hold: format, lints, tests, other people's programs, a short run of the fuzz targets.
    Check {
        /// Leave out other people's programs and the fuzz targets.
        #[arg(long)]
        quick: bool,
    },
    /// Compare the tables of operations with the facts of the specifications.
    Spec {
        /// Write docs/ref/coverage.md instead of comparing it.
        #[arg(long)]
        write: bool,
    },
    /// Measure, and write the table into docs/ref/bench.
    Bench {
        /// What to measure, and its options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        what: Vec<String>,
    },
}

fn main() -> anyhow::Result<()> {
    // Every path of the chores is from the root, wherever they were called.
    std::env::set_current_dir(run::root())?;
    match Arguments::parse().chore {
        Chore::Check { quick } => check::run(quick),
        Chore::Spec { write } => spec::run(write),
        Chore::Bench { what } => {
            run::command("cargo", &["build", "--release", "--package", "oriel", "--package", "oriel-bench"])?;
            let what: Vec<&str> = what.iter().map(String::as_str).collect();
            run::command("target/release/oriel-bench", &what)
        }
    }
}
