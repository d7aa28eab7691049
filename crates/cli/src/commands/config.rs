//! `oriel config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::BadConfig;
use crate::output::Output;

/// Check configuration files.
#[derive(Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Read a file and the certificates that it names as `oriel cloud` or `oriel device` would, and say what is wrong with them.
    Check {
        /// The half that the file is for.
        half: Half,
        /// The file.
        file: PathBuf,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Half {
    #[cfg(feature = "cloud")]
    Cloud,
    #[cfg(feature = "device")]
    Device,
}

/// A single device's file, or a bridge's.
#[cfg(feature = "device")]
fn device(file: &std::path::Path) -> Result<(), oriel_device::ConfigError> {
    #[cfg(feature = "bridge")]
    if oriel_device::BridgeConfig::is_meant(file)? {
        return oriel_device::BridgeConfig::load(file).map(drop);
    }
    oriel_device::Config::load(file).map(drop)
}

impl Config {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let Action::Check { half, file } = self.action;
        let checked = match half {
            #[cfg(feature = "cloud")]
            Half::Cloud => oriel_cloud::Config::load(&file)
                .map_err(|error| error.to_string())
                .and_then(|config| config.verify().map_err(|error| format!("{}: {error}", file.display()))),
            // Reads the certificates and policies that the file names.
            #[cfg(feature = "device")]
            Half::Device => device(&file).map_err(|error| error.to_string()),
        };
        checked.map_err(BadConfig)?;
        output.print(&serde_json::json!({ "file": file, "ok": true }), &format!("{}: can be used", file.display()));
        Ok(())
    }
}
