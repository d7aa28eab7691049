//! `oriel swarm`: many devices against a cloud, for load. Each has its own key and its own uplinks; all answer through one device's services.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use oriel_client::api::Api;
use oriel_device::Device;
use oriel_soap::Levels;
use oriel_trust::{Identity, Validation, client_config};
use oriel_uplink::RemoteAddress;
use oriel_uplink::device::{Credentials, State, Uplink, UplinkConfig, seed};
use serde_json::{Value, json};
use url::Url;

use super::Signals;
use crate::output::Output;
use crate::target::{Trust, cloud_address};

/// Devices that are registered by one API call.
const BATCH: usize = 1000;

/// Run many devices against a cloud, for load: they register by the API, dial, and answer SOAP. Ends on SIGTERM, and removes its devices.
#[derive(Args)]
pub(crate) struct Swarm {
    /// How many.
    #[arg(value_parser = clap::value_parser!(u32).range(1..=18_000))]
    devices: u32,
    /// The cloud.
    #[arg(long, value_name = "URL", env = "ORIEL_CLOUD")]
    cloud: String,
    /// An administrator's token of the cloud.
    #[arg(long, env = "ORIEL_TOKEN", hide_env_values = true)]
    token: String,
    #[command(flatten)]
    trust: Trust,
    /// Form of the tunnels.
    #[arg(long, value_enum, default_value = "native")]
    form: Form,
    /// How many begin to dial each second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// How long all may take to connect, in seconds.
    #[arg(long, default_value_t = 120)]
    within: u64,
    /// Write the ids of the devices to this file, one a line.
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    Native,
    Websocket,
}

struct Member {
    id: String,
    identity: Identity,
}

impl Swarm {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut signals = super::Signals::new()?;
        super::raise_open_files();
        let cloud = cloud_address(&self.cloud)?;
        let validation = self.trust.validation()?;
        let api = Api::new(&cloud, client_config(&validation, None)?, Some(&self.token))?;
        // Filled as the cloud answers, so that whatever ends us, what was registered by then is dismissed.
        let mut members = Vec::new();
        let lived = match self.enlist(&api, &mut members, &mut signals).await {
            Ok(true) => self.live(&cloud, &members, &validation, output, &mut signals).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        let dismissed = signals.unless_hurried(dismiss(&api, &members)).await.flatten();
        if let (Err(_), Err(error)) = (&lived, &dismissed) {
            tracing::error!(%error, "the devices could not be removed from the cloud");
        }
        lived.and(dismissed)
    }

    /// Dials with all, and stays until somebody wants us to end.
    async fn live(
        &self,
        cloud: &Url,
        members: &[Member],
        validation: &Validation,
        output: Output,
        signals: &mut Signals,
    ) -> anyhow::Result<()> {
        if let Some(path) = &self.ids {
            let lines: String = members.iter().map(|member| format!("{}\n", member.id)).collect();
            std::fs::write(path, lines).with_context(|| path.display().to_string())?;
        }
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let mut config = oriel_device::Config::new(folder.path());
        config.listen = vec![([127, 0, 0, 1], 0).into()];
        let device = Device::start(config).await?;
        let begin = Instant::now();
        let uplinks = tokio::select! {
            uplinks = self.dial(cloud, members, validation, &device) => uplinks?,
            () = signals.asked_to_end() => return Ok(()),
        };
        let seconds = begin.elapsed().as_secs_f64();
        output.print(
            &json!({ "connected": uplinks.len(), "seconds": seconds }),
            &format!("{} devices are connected after {seconds:.1} s; Ctrl-C ends them", uplinks.len()),
        );
        signals.asked_to_end().await;
        Ok(())
    }

    /// Makes keys and registers them, a batch a call. False if somebody wants us to end.
    async fn enlist(&self, api: &Api, members: &mut Vec<Member>, signals: &mut Signals) -> anyhow::Result<bool> {
        let names: Vec<String> = (1..=self.devices).map(|n| format!("swarm {n}")).collect();
        for names in names.chunks(BATCH) {
            let mut batch = std::pin::pin!(register(api, names, members));
            let asked = tokio::select! {
                registered = &mut batch => { registered?; false }
                () = signals.asked_to_end() => true,
            };
            if asked {
                // The cloud may have registered them already: their ids have to be known to dismiss them.
                signals.unless_hurried(batch).await??;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn dial(
        &self,
        cloud: &Url,
        members: &[Member],
        validation: &Validation,
        device: &Device,
    ) -> anyhow::Result<Vec<Uplink>> {
        let mut address = cloud.clone();
        if matches!(self.form, Form::Websocket) {
            address.set_scheme("wss").expect("https and wss are alike to a URL");
        }
        let address: RemoteAddress = address.as_str().parse().context("--cloud")?;
        let mut uplinks = Vec::with_capacity(members.len());
        let mut pace = tokio::time::interval(Duration::from_secs(1) / self.rate);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        for member in members {
            pace.tick().await;
            let tls = Arc::new(client_config(validation, Some(&member.identity))?);
            let credentials = Credentials { tls, token: None };
            let config = UplinkConfig::new(address.clone(), credentials, seed(member.id.as_bytes()));
            uplinks.push(Uplink::start(config, device.uplink_service(cloud.as_str(), Levels::ADMINISTRATOR)));
        }
        let all = async {
            for uplink in &uplinks {
                uplink.status().wait_for(|status| status.state == State::Connected).await.context("an uplink ended")?;
            }
            Ok::<(), anyhow::Error>(())
        };
        if tokio::time::timeout(Duration::from_secs(self.within), all).await.is_err() {
            let count = uplinks.iter().filter(|uplink| uplink.status().borrow().state == State::Connected).count();
            let why = uplinks.iter().find_map(|uplink| uplink.status().borrow().error.clone()).unwrap_or_default();
            bail!("{count} of {} devices are connected after {} s: {why}", uplinks.len(), self.within);
        }
        Ok(uplinks)
    }
}

/// Makes a key for each name, and registers them by one call.
async fn register(api: &Api, names: &[String], members: &mut Vec<Member>) -> anyhow::Result<()> {
    let make = |name: &String| Identity::self_signed(name, &[]).map(|identity| (name.clone(), identity));
    let made = names.iter().map(make).collect::<Result<Vec<_>, _>>()?;
    let list: Vec<Value> =
        made.iter().map(|(name, id)| json!({ "name": name, "fingerprint": id.fingerprint() })).collect();
    let answer = api.post("/api/v1/devices/import", &json!({ "devices": list })).await?;
    let ids: Vec<&str> = answer["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let wanted = made.len();
    members.extend(ids.iter().zip(made).map(|(id, (_, identity))| Member { id: (*id).to_owned(), identity }));
    if ids.len() != wanted {
        bail!("the cloud registered {} of {wanted} devices", ids.len());
    }
    Ok(())
}

async fn dismiss(api: &Api, members: &[Member]) -> anyhow::Result<()> {
    for batch in members.chunks(BATCH) {
        let ids: Vec<&str> = batch.iter().map(|member| member.id.as_str()).collect();
        api.post("/api/v1/devices/remove", &json!({ "ids": ids })).await?;
    }
    Ok(())
}
