//! `oriel device`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::exit::BadConfig;
use crate::output::Output;

/// Run the device half: an ONVIF device that dials its uplinks, or a bridge that makes a device of each camera behind it.
///
/// SIGTERM lets answers on their way arrive; a second one ends at once.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Device {
    #[command(subcommand)]
    action: Option<Action>,
    /// Configuration file; docs/ref/device.toml explains each key, docs/ref/bridge.toml those of a bridge.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[cfg(feature = "bridge")]
    #[command(flatten)]
    bridge: super::bridge::Bridge,
}

#[derive(Subcommand)]
enum Action {
    Event(super::event::Event),
}

impl Device {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        if let Some(Action::Event(event)) = self.action {
            return event.run(output).await;
        }
        #[cfg(feature = "bridge")]
        if let Some(config) = self.bridge.config(self.config.as_deref())? {
            return super::bridge::run(config, output).await;
        }
        let mut signals = super::Signals::new()?;
        let config = match &self.config {
            Some(file) => oriel_device::Config::load(file),
            None => oriel_device::Config::parse("", Path::new("")),
        };
        let config = config.map_err(|error| BadConfig(error.to_string()))?;
        #[cfg(feature = "traces")]
        let config = {
            let mut config = config;
            config.join_trace = crate::traces::joining();
            config
        };
        let device = oriel_device::Device::start(config).await?;
        announce(&device, output);
        signals.asked_to_end().await;
        signals.unless_hurried(device.stop()).await
    }
}

/// Where a device's service is on the LAN.
pub(super) fn lan_url(device: &oriel_device::Device) -> Option<String> {
    device.addresses().first().map(|address| format!("http://{address}/onvif/device_service"))
}

fn announce(device: &oriel_device::Device, output: Output) {
    let lan = lan_url(device);
    let first = device.first_credentials();
    let json = serde_json::json!({
        "lan": lan,
        "uuid": device.uuid().to_string(),
        "fingerprint": device.fingerprint(),
        "certificate": device.certificate(),
        "user": first.map(|first| &first.user),
        "password": first.map(|first| &first.password),
    });
    let mut text = format!(
        "device on {}\nits key: {}\nits certificate: {}",
        lan.as_deref().unwrap_or("no address"),
        device.fingerprint(),
        device.certificate().display()
    );
    if let Some(first) = first {
        text += &format!("\naccount, shown this once: {} with password {}", first.user, first.password);
    }
    output.print(&json, &text);
}
