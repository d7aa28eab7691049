//! `oriel uplink`: the configuration interface of Uplink chapter 6.

use clap::{Args, Subcommand};
use oriel_onvif::uplink::{Configuration, ConnectionStatus, DeleteUplink, GetUplinks, SetUplink};
use oriel_soap::With as _;
use oriel_soap::xml::List;
use serde_json::json;

use crate::output::Output;
use crate::target::Target;

/// Show, set or delete a device's uplinks.
#[derive(Args)]
pub(crate) struct Uplink {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show the configured uplinks and how each is doing.
    Get {
        #[command(flatten)]
        target: Target,
    },
    /// Add an uplink, or change the one with this address.
    Set {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        wanted: Box<Wanted>,
    },
    /// Remove an uplink.
    Delete {
        #[command(flatten)]
        target: Target,
        /// The uplink's address, as `get` shows it.
        #[arg(long, value_name = "URL")]
        address: String,
    },
}

#[derive(Args)]
struct Wanted {
    /// Where the device shall dial: https://… for the native form, wss://… for the WebSocket form.
    #[arg(long, value_name = "URL")]
    address: String,
    /// Certificate that the device shows (mTLS), an id of its key store.
    #[arg(long, value_name = "ID", conflicts_with = "authorization_server")]
    certificate: Option<String>,
    /// Authorization server that the device gets its access token from.
    #[arg(long, value_name = "TOKEN")]
    authorization_server: Option<String>,
    /// Validation policy for the cloud's certificate, an id of the device's key store.
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    /// Rights of requests that come by this uplink; several may be given.
    #[arg(long, default_value = "Administrator")]
    level: Vec<String>,
}

impl Uplink {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        match self.action {
            Action::Get { target } => {
                let answer = target.client()?.call(GetUplinks::default()).await?;
                let json = answer.configuration.iter().map(as_json).collect();
                let text: Vec<String> = answer.configuration.iter().map(as_text).collect();
                let text = if text.is_empty() { "no uplinks".to_owned() } else { text.join("\n") };
                output.print(&serde_json::Value::Array(json), &text);
            }
            Action::Set { target, wanted } => {
                let address = wanted.address.clone();
                target.client()?.call(SetUplink::with(|set| set.configuration = wanted.configuration())).await?;
                output.print(&json!({ "set": address }), &format!("set {address}"));
            }
            Action::Delete { target, address } => {
                target.client()?.call(DeleteUplink::with(|delete| delete.remote_address.clone_from(&address))).await?;
                output.print(&json!({ "deleted": address }), &format!("deleted {address}"));
            }
        }
        Ok(())
    }
}

impl Wanted {
    fn configuration(self) -> Configuration {
        Configuration::with(|configuration| {
            configuration.remote_address = self.address;
            configuration.certificate_id = self.certificate;
            configuration.authorization_server = self.authorization_server;
            configuration.cert_path_validation_policy_id = self.policy;
            configuration.user_level = self.level.into_iter().collect::<List<String>>();
        })
    }
}

/// The schema's word, whichever edition's word the device used.
fn word(status: &ConnectionStatus) -> &str {
    match status {
        ConnectionStatus::Offline => "Offline",
        ConnectionStatus::Connecting => "Connecting",
        ConnectionStatus::Connected => "Connected",
        ConnectionStatus::Other(other) => other,
        _ => "unknown",
    }
}

fn as_json(configuration: &Configuration) -> serde_json::Value {
    json!({
        "address": configuration.remote_address,
        "certificate": configuration.certificate_id,
        "authorization_server": configuration.authorization_server,
        "policy": configuration.cert_path_validation_policy_id,
        "level": configuration.user_level.join(" "),
        "status": configuration.status.as_ref().map(word),
        "error": configuration.error,
    })
}

fn as_text(configuration: &Configuration) -> String {
    let status = configuration.status.as_ref().map_or("unknown", word);
    let error = configuration.error.as_ref().map(|error| format!("\n  {error}")).unwrap_or_default();
    format!("{:<10} {}  ({}){error}", status, configuration.remote_address, configuration.user_level.join(" "))
}
