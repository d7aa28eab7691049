//! `oriel enroll`: a camera comes to a cloud by ONVIF calls on its LAN alone; docs/ref/cli.md tells the steps.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use oriel_client::api::Api;
use oriel_client::provision::{Note, Plan, Provision, Start};
use oriel_trust::client_config;
use serde_json::{Value, json};

use super::Signals;
use crate::exit::{BadUsage, NotEnrolled};
use crate::output::Output;
use crate::target::{Camera, Trust, cloud_address};

/// Bring a camera to a cloud: make a key on the camera, get it a certificate with a one-time code, set its uplink, wait until it is connected.
///
/// When it fails, the camera is left as it was found. Repeated, it goes on where it was cut off.
#[derive(Args)]
pub(crate) struct Enroll {
    #[command(flatten)]
    camera: Camera,
    /// The cloud, https.
    #[arg(long, value_name = "URL", env = "ORIEL_CLOUD")]
    cloud: String,
    /// The one-time code that the cloud gave for a camera; better given by the environment.
    #[arg(long, env = "ORIEL_CODE", hide_env_values = true)]
    code: Option<String>,
    #[command(flatten)]
    trust: Trust,
    /// Rights of requests that come by the uplink; several may be given. What a user of the cloud may do is the lesser of this and of his role.
    #[arg(long, default_value = "Administrator")]
    level: Vec<String>,
    /// Put the new uplink in the place of one to this cloud that the camera has already.
    #[arg(long)]
    replace: bool,
    /// On failure, leave on the camera what was made, to go on from there.
    #[arg(long)]
    keep: bool,
    /// How long the camera may take to connect, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    within: u64,
}

impl Enroll {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut signals = Signals::new()?;
        let cloud = cloud_address(&self.cloud)?;
        let api = Api::new(&cloud, client_config(&self.trust.validation()?, None)?, None)?;
        let client = self.camera.client()?;
        let plan = Plan::new(cloud, self.level.clone(), self.replace);
        let watcher = Box::new(move |note: Note| show(&note, output));
        let begun = tokio::select! {
            begun = Provision::begin(&client, plan, watcher) => begun.context("the camera")?,
            () = signals.asked_to_end() => return Err(anyhow!("ended before anything was done")),
        };
        let (mut provision, start) = begun;
        let worked = tokio::select! {
            worked = self.work(&mut provision, start, &api) => worked,
            () = signals.asked_to_end() => Err(anyhow!("ended before the camera was connected")),
        };
        match worked {
            Ok(enrolled) => {
                signals
                    .unless_hurried(provision.finish())
                    .await?
                    .context("the camera is connected; tidying up after")?;
                output.print(&enrolled, "done: the camera is connected");
                Ok(())
            }
            Err(error) => Err(self.failed(error, provision, &mut signals).await),
        }
    }

    async fn work(&self, provision: &mut Provision<'_>, start: Start, api: &Api) -> anyhow::Result<Value> {
        let mut device = Value::Null;
        if start == Start::Fresh {
            let code = self
                .code
                .as_ref()
                .filter(|code| !code.is_empty())
                .ok_or_else(|| BadUsage::error("a new camera needs --code or ORIEL_CODE"))?;
            let request = provision.request().await.context("the camera")?;
            let enrolled = api.enrol(code, &request, None).await.context(NotEnrolled)?;
            provision.note("enrolled", Some(&enrolled.device), "the cloud knows the camera as this device");
            device = enrolled.device.into();
            provision.install(&enrolled.issued).await.context("the camera")?;
        }
        provision.connected(Duration::from_secs(self.within)).await?;
        Ok(json!({ "connected": true, "device": device, "address": provision.address() }))
    }

    /// Undoes what was done, and tells both.
    async fn failed(&self, error: anyhow::Error, provision: Provision<'_>, signals: &mut Signals) -> anyhow::Error {
        if self.keep {
            return error;
        }
        match signals.unless_hurried(provision.undo()).await {
            Ok(Ok(())) => error,
            Ok(Err(left)) => {
                error.context(format!("something is left on the camera ({left}); the next run removes it"))
            }
            Err(hurried) => error.context(format!("{hurried}; the next run removes what is left on the camera")),
        }
    }
}

fn show(note: &Note, output: Output) {
    let json = json!({ "step": note.step, "id": note.id, "text": note.text });
    let id = note.id.as_deref().map(|id| format!("{id}: ")).unwrap_or_default();
    output.print(&json, &format!("{:<12} {id}{}", note.step, note.text));
}
