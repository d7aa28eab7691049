//! `oriel cloud`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::BadConfig;
use crate::output::Output;

/// Run the cloud half: uplinks, gateway and API on one TLS port.
///
/// SIGTERM drains: no new connections, requests in flight finish, devices are told to dial again; a second one ends at once. SIGHUP reads the certificate
/// files again.
#[derive(Args)]
pub(crate) struct Cloud {
    /// Configuration file; docs/ref/cloud.toml explains each key.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Cloud {
    /// The configuration.
    pub(crate) fn config(&self) -> Result<oriel_cloud::Config, oriel_cloud::ConfigError> {
        match &self.config {
            Some(file) => oriel_cloud::Config::load(file),
            None => oriel_cloud::Config::parse("", Path::new("")),
        }
    }

    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut signals = super::Signals::new()?;
        super::raise_open_files();
        let mut config = self.config().map_err(|error| BadConfig(error.to_string()))?;
        config.traces.propagation = crate::traces::propagation();
        let given =
            listenfd::ListenFd::from_env().take_tcp_listener(0).context("the socket handed over by LISTEN_FDS")?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut cloud = oriel_cloud::Cloud::start(config, given).await?;
        announce(&mut cloud, output);
        loop {
            tokio::select! {
                () = signals.asked_to_end() => break,
                _ = hangup.recv() => {
                    if let Err(error) = cloud.reload() {
                        tracing::error!(%error, "the certificate files cannot be used; the old certificate stays");
                    }
                }
            }
        }
        signals.unless_hurried(cloud.drain()).await
    }
}

fn announce(cloud: &mut oriel_cloud::Cloud, output: Output) {
    let url = format!("https://{}", cloud.address());
    let link = cloud.take_setup_link().map(|link| format!("{url}/#/redeem/{}", link.expose()));
    let metrics = cloud.metrics_address().map(|address| format!("http://{address}/metrics"));
    let json = serde_json::json!({ "cloud": url, "ca": cloud.ca(), "metrics": metrics, "setup_link": link });
    let mut text = format!("cloud on {url}");
    if let Some(metrics) = metrics {
        text += &format!("\nits metrics: {metrics}");
    }
    if let Some(ca) = cloud.ca() {
        text += &format!("\nits certificate authority: {}", ca.display());
    }
    if let Some(link) = link {
        text += &format!("\nthe first administrator's one-time link, shown this once: {link}");
    }
    output.print(&json, &text);
}
