//! `oriel cloud`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use oriel_cloud::Records;
use oriel_cloud::records::Actor;
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
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Write the records to a new file, as lines of JSON. The cloud may run meanwhile.
    ///
    /// In the file, passwords and tokens are hashes, and what is needed in the plain is sealed. Sessions, one-time links and answers kept for repeated
    /// requests stay out.
    Backup(Files),
    /// Read the records from a backup into an empty store: before the cloud's first start, of whichever kind of database.
    Restore(Files),
    /// Print a one-time link by which a user sets a new password, for an administrator who lost it. The cloud must not run meanwhile.
    Link {
        /// The user's e-mail address.
        email: String,
    },
}

/// A backup.
#[derive(Args)]
struct Files {
    /// The backup.
    file: PathBuf,
    /// A second file with the sealing key and the cloud's own authority. Keep it apart from the backup: together they are as good as the data folder.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
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
        if let Some(action) = &self.action {
            let config = self.config().map_err(|error| BadConfig(error.to_string()))?;
            return action.run(&config, output).await;
        }
        let mut signals = super::Signals::new()?;
        super::raise_open_files();
        let mut config = self.config().map_err(|error| BadConfig(error.to_string()))?;
        config.traces.propagation = crate::traces::propagation();
        let given =
            listenfd::ListenFd::from_env().take_tcp_listener(0).context("the socket handed over by LISTEN_FDS")?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut cloud = oriel_cloud::Cloud::start(config.clone(), given).await?;
        announce(&mut cloud, &config, output);
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

impl Action {
    async fn run(&self, config: &oriel_cloud::Config, output: Output) -> anyhow::Result<()> {
        let (files, done, verb) = match self {
            Self::Link { email } => return link(config, email, output).await,
            Self::Backup(files) => {
                (files, oriel_cloud::Backup::write(config, &files.file, files.keys.as_deref()).await?, "written to")
            }
            Self::Restore(files) => (
                files,
                oriel_cloud::Backup::restore(config, &files.file, files.keys.as_deref()).await?,
                "restored from",
            ),
        };
        let json = serde_json::json!({ "file": files.file, "keys": files.keys, "rows": done.rows, "at": done.at });
        output.print(&json, &format!("{} rows {verb} {}", done.rows, files.file.display()));
        Ok(())
    }
}

async fn link(config: &oriel_cloud::Config, email: &str, output: Output) -> anyhow::Result<()> {
    let records = Records::open(&config.data, config.database.as_deref(), oriel_cloud::Clock::default()).await?;
    let user = records.user_of_email(email).with_context(|| format!("no user logs in as {email}"))?;
    let secret = records.within(&user.organisation).reset_link(&Actor::system(), &user.id).await?;
    records.close().await;
    let link = format!("{}/#/redeem/{}", reachable(config, config.listen), secret.expose());
    output.print(&serde_json::json!({ "link": link }), &format!("one-time link, good for a day: {link}"));
    Ok(())
}

/// An address that a browser can open: the first of the configured names where the listener has none of its own.
fn reachable(config: &oriel_cloud::Config, address: SocketAddr) -> String {
    match config.names.first() {
        Some(name) if address.ip().is_unspecified() => format!("https://{name}:{}", address.port()),
        _ => format!("https://{address}"),
    }
}

fn announce(cloud: &mut oriel_cloud::Cloud, config: &oriel_cloud::Config, output: Output) {
    let url = reachable(config, cloud.address());
    let link = cloud.take_setup_link().map(|link| format!("{url}/#/redeem/first/{}", link.expose()));
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
