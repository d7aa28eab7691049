//! `oriel forward`: a local HTTP port that leads to a device behind a cloud.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;
use http::StatusCode;
use oriel_client::forward::{Forward as Port, Gateway};
use oriel_client::{Auth, CallError, Client};
use oriel_onvif::device_mgmt::GetSystemDateAndTime;
use serde_json::json;

use crate::exit::BadUsage;
use crate::output::Output;
use crate::target::Target;

/// Open a local HTTP port that leads to a device behind a cloud, for programs that can do neither host names nor bearer tokens. Ends on Ctrl-C.
///
/// A program asks http://127.0.0.1:PORT/onvif/device_service with any account or none; addresses in the answers lead through the port too.
#[derive(Args)]
pub(crate) struct Forward {
    #[command(flatten)]
    target: Target,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Allow --listen to be more than loopback: whoever reaches the port then has the token's rights on the device.
    #[arg(long)]
    expose: bool,
}

impl Forward {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut signals = super::Signals::new()?;
        if !self.listen.ip().is_loopback() && !self.expose {
            return Err(BadUsage::error(format!(
                "--listen {}: whoever reaches the port has the token's rights on the device; with --expose it may be more than loopback",
                self.listen
            )));
        }
        let (url, token, tls) = self.target.behind_cloud()?;
        let gateway = Gateway::new(&url, tls.clone(), &token)?;
        let client = Client::new(&url, Some(tls), Auth::Bearer(token))?;
        let online = tokio::select! {
            online = is_online(&client) => online.context(url)?,
            () = signals.asked_to_end() => return Ok(()),
        };
        let listening = Port::start(self.listen, gateway, self.expose).await;
        let port = listening.with_context(|| format!("cannot listen on {}", self.listen))?;
        announce(port.address(), online, output);
        signals.asked_to_end().await;
        signals.unless_hurried(port.stop()).await
    }
}

/// Whether the device answers; a cloud that is not there or does not let us in is an error, before a program finds out.
async fn is_online(client: &Client) -> Result<bool, CallError> {
    match client.call(GetSystemDateAndTime::default()).await {
        Ok(_) => Ok(true),
        Err(CallError::Fault { status, .. } | CallError::Status { status, .. })
            if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) =>
        {
            Ok(false)
        }
        // The device answers, if only with a fault of its own.
        Err(error @ CallError::Fault { .. }) if !error.is_refusal() && !is_unknown(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_unknown(error: &CallError) -> bool {
    matches!(error, CallError::Fault { status: StatusCode::NOT_FOUND, .. })
}

fn announce(address: SocketAddr, online: bool, output: Output) {
    let url = format!("http://{address}");
    let service = format!("{url}/onvif/device_service");
    let mut text = format!("{service} leads to the device, with any account or none; Ctrl-C ends it");
    if !online {
        text += "\nit does not answer at the moment; the port works as soon as it does";
    }
    output.print(&json!({ "url": url, "device_service": service, "online": online }), &text);
}
