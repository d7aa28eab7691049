//! `oriel swarm`: many devices against a cloud, for load. Each has its own key and its own uplinks; all answer through one device's services.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use oriel_device::Device;
use oriel_soap::Levels;
use oriel_trust::{Identity, Validation, client_config};
use oriel_uplink::RemoteAddress;
use oriel_uplink::device::{Credentials, State, Uplink, UplinkConfig, seed};
use serde_json::{Value, json};
use url::Url;

use crate::output::Output;
use crate::target::Trust;

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
    cloud: Url,
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
        let validation = self.trust.validation()?;
        let api = Api::new(&self.cloud, &validation, &self.token)?;
        let members = self.enlist(&api).await?;
        if let Some(path) = &self.ids {
            let lines: String = members.iter().map(|member| format!("{}\n", member.id)).collect();
            std::fs::write(path, lines).with_context(|| path.display().to_string())?;
        }
        let ran = self.live(&members, &validation, output).await;
        let dismissed = dismiss(&api, &members).await;
        ran.and(dismissed)
    }

    async fn live(&self, members: &[Member], validation: &Validation, output: Output) -> anyhow::Result<()> {
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let mut config = oriel_device::Config::new(folder.path());
        config.listen = vec![([127, 0, 0, 1], 0).into()];
        let device = Device::start(config).await?;
        let begin = Instant::now();
        let uplinks = tokio::select! {
            uplinks = self.dial(members, validation, &device) => uplinks?,
            ended = super::asked_to_end() => return ended,
        };
        let seconds = begin.elapsed().as_secs_f64();
        output.print(
            &json!({ "connected": uplinks.len(), "seconds": seconds }),
            &format!("{} devices are connected after {seconds:.1} s; Ctrl-C ends them", uplinks.len()),
        );
        super::asked_to_end().await?;
        Ok(())
    }

    /// Makes keys and registers them, a batch a call.
    async fn enlist(&self, api: &Api) -> anyhow::Result<Vec<Member>> {
        let mut members = Vec::new();
        let names: Vec<String> = (1..=self.devices).map(|n| format!("swarm {n}")).collect();
        for batch in names.chunks(BATCH) {
            let make = |name: &String| Identity::self_signed(name, &[]).map(|identity| (name.clone(), identity));
            let made = batch.iter().map(make).collect::<Result<Vec<_>, _>>()?;
            let list: Vec<Value> =
                made.iter().map(|(name, id)| json!({ "name": name, "fingerprint": id.fingerprint() })).collect();
            let answer = api.post("/api/v1/devices/import", &json!({ "devices": list })).await?;
            let ids = answer["ids"].as_array().context("the cloud's answer has no ids")?;
            if ids.len() != made.len() {
                bail!("the cloud registered {} of {} devices", ids.len(), made.len());
            }
            let ids = ids.iter().map(|id| id.as_str().unwrap_or_default().to_owned());
            members.extend(ids.zip(made).map(|(id, (_, identity))| Member { id, identity }));
        }
        Ok(members)
    }

    async fn dial(&self, members: &[Member], validation: &Validation, device: &Device) -> anyhow::Result<Vec<Uplink>> {
        let mut address = self.cloud.clone();
        if matches!(self.form, Form::Websocket) && address.set_scheme("wss").is_err() {
            bail!("--cloud {address}: has to be an https address");
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
            uplinks.push(Uplink::start(config, device.uplink_service(self.cloud.as_str(), Levels::ADMINISTRATOR)));
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

async fn dismiss(api: &Api, members: &[Member]) -> anyhow::Result<()> {
    for batch in members.chunks(BATCH) {
        let ids: Vec<&str> = batch.iter().map(|member| member.id.as_str()).collect();
        api.post("/api/v1/devices/remove", &json!({ "ids": ids })).await?;
    }
    Ok(())
}

/// The cloud's API, as far as a swarm needs it.
struct Api {
    transport: oriel_client::Direct,
    authorization: http::HeaderValue,
}

impl Api {
    fn new(cloud: &Url, validation: &Validation, token: &str) -> anyhow::Result<Self> {
        let transport = oriel_client::Direct::new(cloud, Some(client_config(validation, None)?))?;
        let mut authorization: http::HeaderValue = format!("Bearer {token}").parse().context("--token")?;
        authorization.set_sensitive(true);
        Ok(Self { transport, authorization })
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        use oriel_client::Transport as _;
        let request = http::Request::post(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::AUTHORIZATION, self.authorization.clone())
            .body(bytes::Bytes::from(body.to_string()))?;
        let answer = self.transport.send(request).await?;
        let text = String::from_utf8_lossy(answer.body());
        if !answer.status().is_success() {
            bail!("{path}: {} {text}", answer.status());
        }
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }
}
