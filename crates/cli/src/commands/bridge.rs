//! `oriel device` as a bridge: cameras of other make, each as a device of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use oriel_device::BridgeConfig;
use oriel_device::bridge::{
    Believe, CameraEntry, CameraState, Contact, Enrolment, camera_address, clash, name_by_address,
};
use oriel_device::config::{BridgeCloud, Discover};
use oriel_device::store::{Account, Role, Secret};
use oriel_trust::Validation;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{BadConfig, BadUsage};
use crate::output::Output;
use crate::target::{self, Trust, cloud_address};

/// How often the cameras are looked at for what is to be told.
const LOOK: Duration = Duration::from_secs(1);

/// A bridge without a file.
#[derive(Args)]
pub(crate) struct Bridge {
    /// Be the bridge of this camera, `http://camera/onvif/device_service`; on the camera itself, `http://127.0.0.1/onvif/device_service`. May be repeated.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    camera: Vec<String>,
    /// Find the cameras on the networks of this machine, and be the bridge of each.
    #[arg(long, conflicts_with = "config")]
    discover: bool,
    #[command(flatten)]
    account: target::Account,
    /// Believe any camera that is asked by https, such as one that made its certificate itself.
    #[arg(long, conflicts_with = "config")]
    camera_insecure: bool,
    /// The cloud that every camera enrols itself at, https.
    #[arg(long, value_name = "URL", requires = "code", conflicts_with = "config")]
    cloud: Option<String>,
    /// The cloud's enrolment code, good for as many cameras as there are; better given by the environment.
    #[arg(long, env = "ORIEL_CODE", hide_env_values = true)]
    code: Option<String>,
    #[command(flatten)]
    trust: Trust,
    /// Folder that the bridge keeps everything in.
    #[arg(long, value_name = "FOLDER", default_value = "oriel-bridge", conflicts_with = "config")]
    data: PathBuf,
    /// Where the LAN reaches the bridge.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", conflicts_with = "config")]
    listen: SocketAddr,
}

impl Bridge {
    /// The configuration of a bridge, if one is meant.
    pub(crate) fn config(&self, file: Option<&Path>) -> anyhow::Result<Option<BridgeConfig>> {
        let Some(file) = file else { return self.without_file() };
        let bad = |error: oriel_device::ConfigError| BadConfig(error.to_string());
        if !BridgeConfig::is_meant(file).map_err(bad)? {
            return Ok(None);
        }
        Ok(Some(BridgeConfig::load(file).map_err(bad)?))
    }

    fn without_file(&self) -> anyhow::Result<Option<BridgeConfig>> {
        if self.camera.is_empty() && !self.discover {
            return match self.cloud {
                Some(_) => Err(BadUsage::error("--cloud is for the cameras of a bridge: give --camera or --discover")),
                None => Ok(None),
            };
        }
        let account = self.account.given()?.map(|(name, password)| Account {
            name,
            password: Secret::new(password),
            level: Role::Administrator,
        });
        let believe = if self.camera_insecure { Believe::Insecure } else { Believe::System };
        let mut config = BridgeConfig::new(&self.data);
        config.listen = vec![self.listen];
        for text in &self.camera {
            let address = camera_address(text).map_err(|problem| BadUsage(format!("--camera: {problem}")))?;
            let mut entry = CameraEntry::new(name_by_address(&address), address);
            (entry.accounts, entry.believe) = (account.iter().cloned().collect(), believe.clone());
            config.cameras.push(entry);
        }
        if let Some(clash) = clash(&config.cameras) {
            let name = &config.cameras[clash.second].name;
            return Err(BadUsage::error(format!("--camera: {name} is there twice")));
        }
        config.discover = self.discover.then(|| {
            let mut discover = Discover::default();
            (discover.accounts, discover.believe) = (account.into_iter().collect(), believe);
            discover
        });
        config.cloud = self.cloud()?;
        Ok(Some(config))
    }

    fn cloud(&self) -> anyhow::Result<Option<BridgeCloud>> {
        let (Some(cloud), Some(code)) = (&self.cloud, &self.code) else { return Ok(None) };
        let mut cloud = BridgeCloud::new(cloud_address(cloud)?, Secret::new(code));
        cloud.believe = match self.trust.validation()? {
            Validation::Policy(policy) => Believe::Policy(policy),
            Validation::Insecure => Believe::Insecure,
            Validation::SystemRoots => Believe::System,
        };
        Ok(Some(cloud))
    }
}

/// Runs the bridge until somebody wants it to end; SIGHUP reads its file again.
pub(crate) async fn run(config: BridgeConfig, output: Output) -> anyhow::Result<()> {
    let mut signals = super::Signals::new()?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    super::raise_open_files();
    #[cfg(feature = "traces")]
    let config = {
        let mut config = config;
        config.join_trace = crate::traces::joining();
        config
    };
    let listed = config.cameras.len();
    let bridge = oriel_device::bridge::Bridge::start(config).await?;
    let lan = bridge.addresses().first().map(|address| format!("http://{address}"));
    let text = format!("bridge on {}, {listed} cameras listed", lan.as_deref().unwrap_or("no address"));
    output.print(&json!({ "lan": lan, "cameras": listed }), &text);
    let mut told = Told { lan: lan.unwrap_or_default(), output, before: BTreeMap::new() };
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = signals.asked_to_end() => break,
            _ = hangup.recv() => bridge.reload(),
            _ = ticks.tick() => told.changes(&bridge.cameras()),
        }
    }
    signals.unless_hurried(bridge.stop()).await
}

/// What was told of each camera.
struct Told {
    lan: String,
    output: Output,
    before: BTreeMap<String, Value>,
}

impl Told {
    /// Tells what is new: a line a camera.
    fn changes(&mut self, cameras: &[CameraState]) {
        let gone: Vec<String> =
            self.before.keys().filter(|name| !cameras.iter().any(|camera| camera.name == **name)).cloned().collect();
        for name in gone {
            self.before.remove(&name);
            self.output.print(&json!({ "camera": name, "state": "removed" }), &format!("{name}: removed"));
        }
        for camera in cameras {
            let now = self.line(camera);
            if camera.device.is_none() && camera.problem.is_none() {
                // It is being started.
                continue;
            }
            if self.before.get(&camera.name) != Some(&now) {
                self.output.print(&now, &text(&now));
                self.before.insert(camera.name.clone(), now);
            }
        }
    }

    fn line(&self, camera: &CameraState) -> Value {
        let device = camera.device.as_ref();
        let uplinks: Vec<Value> = device.iter().flat_map(|device| &device.uplinks).map(uplink).collect();
        json!({
            "camera": camera.name,
            "title": camera.title,
            "lan": format!("{}/{}/onvif/device_service", self.lan, camera.name),
            "address": camera.address.as_str(),
            "state": state(camera),
            "problem": camera.problem,
            "uuid": device.map(|device| device.uuid.to_string()),
            "fingerprint": device.map(|device| device.fingerprint),
            "uplinks": uplinks,
            "enrolment": enrolment(&camera.enrolment),
        })
    }
}

fn uplink(uplink: &oriel_device::UplinkStatus) -> Value {
    json!({ "address": uplink.remote_address, "status": format!("{:?}", uplink.state), "error": uplink.error })
}

/// One word for how the camera does.
fn state(camera: &CameraState) -> &'static str {
    match camera.device.as_ref().map(|device| &device.contact) {
        None => "failed",
        Some(Contact::Unasked) => "unasked",
        Some(Contact::Answers) => "answers",
        Some(Contact::Silent(_)) => "silent",
    }
}

fn enrolment(enrolment: &Enrolment) -> Value {
    match enrolment {
        Enrolment::None => Value::Null,
        Enrolment::Waiting => json!({ "state": "waiting" }),
        Enrolment::Failed { times, reason } => json!({ "state": "failed", "times": times, "reason": reason }),
        Enrolment::Done(device) => json!({ "state": "done", "device": device }),
    }
}

/// The line for people.
fn text(line: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut text = format!("{}: {} at {}", word(&line["camera"]), word(&line["state"]), word(&line["address"]));
    if let Some(problem) = line["problem"].as_str() {
        text += &format!("; {problem}");
    }
    if let Some(key) = line["fingerprint"].as_str() {
        text += &format!("\n  here: {}\n  its key: {key}", word(&line["lan"]));
    }
    for uplink in line["uplinks"].as_array().into_iter().flatten() {
        text += &format!("\n  uplink to {}: {}", word(&uplink["address"]), word(&uplink["status"]));
        if let Some(error) = uplink["error"].as_str() {
            text += &format!(", {error}");
        }
    }
    match line["enrolment"]["state"].as_str() {
        Some("failed") => text += &format!("\n  not enrolled: {}", word(&line["enrolment"]["reason"])),
        Some("done") => text += &format!("\n  enrolled as {}", word(&line["enrolment"]["device"])),
        _ => {}
    }
    text
}
