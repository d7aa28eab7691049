//! `oriel demo`: a cloud with a camera behind it, in one process, on loopback, set up by the same calls that an installer makes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use oriel_client::{Auth, Client};
use oriel_cloud::records::{Actor, NewToken, Role};
use oriel_onvif::uplink::{Configuration, ConnectionStatus, GetUplinks, SetUplink};
use oriel_soap::With as _;
use oriel_soap::xml::List;

use super::device::lan_url;
use crate::output::Output;

/// How long the camera may take to dial. On loopback it takes milliseconds.
const CONNECT: Duration = Duration::from_secs(15);
/// The validation policy that names the cloud's authority.
const POLICY: &str = "cloud";

/// Run a cloud with a camera behind it, in one process, on loopback.
#[derive(Args)]
pub(crate) struct Demo {}

/// What a visitor needs.
struct Visit {
    cloud: String,
    ca: PathBuf,
    token: String,
    device: String,
    lan: String,
    user: String,
    password: String,
}

impl Demo {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut signals = super::Signals::new()?;
        super::raise_open_files();
        let temporary = tempfile::tempdir().context("a temporary folder")?;
        let data = temporary.path();
        let cloud = start_cloud(data).await?;
        let ca = cloud.ca().context("the demo's cloud has an authority of its own")?.to_owned();
        let device = start_device(data, &ca).await?;
        let visit = introduce(&cloud, &device, ca).await?;
        tokio::select! {
            set = set_uplink(&visit) => {
                set?;
                announce(&visit, output);
                signals.asked_to_end().await;
            }
            () = signals.asked_to_end() => {}
        }
        signals.unless_hurried(async { tokio::join!(device.stop(), cloud.drain()) }).await?;
        Ok(())
    }
}

async fn start_cloud(data: &Path) -> anyhow::Result<oriel_cloud::Cloud> {
    let text = "data = \"cloud\"\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 2";
    let mut config = oriel_cloud::Config::parse(text, data).context("the demo's own configuration")?;
    config.traces.propagation = crate::traces::propagation();
    Ok(oriel_cloud::Cloud::start(config, None).await?)
}

async fn start_device(data: &Path, ca: &Path) -> anyhow::Result<oriel_device::Device> {
    let anchors = std::fs::read(ca).with_context(|| ca.display().to_string())?;
    let mut config = oriel_device::Config::new(data.join("device"));
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    config.policies.insert(POLICY.to_owned(), oriel_trust::Policy::from_pem(&anchors)?);
    // The demo's cloud is on loopback, which a camera does not dial otherwise.
    config.call_out.allowed = vec!["127.0.0.0/8".parse()?];
    config.join_trace = crate::traces::joining();
    Ok(oriel_device::Device::start(config).await?)
}

/// Registers the device's key at the cloud, and gathers what a visitor needs.
async fn introduce(cloud: &oriel_cloud::Cloud, device: &oriel_device::Device, ca: PathBuf) -> anyhow::Result<Visit> {
    let actor = Actor::system();
    let organisation = cloud.records().first_organisation().context("a new cloud makes an organisation")?;
    let records = cloud.records().within(&organisation);
    let registered = records.add_device(&actor, "Demo camera", Some(device.fingerprint())).await?;
    let (_, token) = records.add_token(&actor, NewToken::of(Role::Administrator, "demo")).await?;
    let first = device.first_credentials().context("a new camera makes an account")?;
    Ok(Visit {
        cloud: format!("https://{}", cloud.address()),
        ca,
        token: token.expose().to_owned(),
        device: registered.id.to_string(),
        lan: lan_url(device).context("the camera has no address")?,
        user: first.user.clone(),
        password: first.password.clone(),
    })
}

/// By ONVIF, as an installer would: SetUplink on the LAN, then GetUplinks until it is connected.
async fn set_uplink(visit: &Visit) -> anyhow::Result<()> {
    let auth = Auth::Password { user: visit.user.clone(), password: visit.password.clone() };
    let client = Client::new(&visit.lan.parse()?, None, auth)?;
    let configuration = Configuration::with(|configuration| {
        configuration.remote_address = format!("{}/", visit.cloud);
        configuration.certificate_id = Some(oriel_device::config::DEVICE_CERTIFICATE.to_owned());
        configuration.cert_path_validation_policy_id = Some(POLICY.to_owned());
        configuration.user_level = List::words(&["Administrator"]);
    });
    client.call(SetUplink::with(|set| set.configuration = configuration)).await?;
    let connected = async {
        loop {
            let uplinks = client.call(GetUplinks::default()).await?.configuration;
            if uplinks.iter().any(|uplink| uplink.status == Some(ConnectionStatus::Connected)) {
                return Ok::<(), anyhow::Error>(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(CONNECT, connected).await.context("the camera did not reach the cloud")?
}

fn announce(visit: &Visit, output: Output) {
    let Visit { cloud, ca, token, device, lan, user, password } = visit;
    let json = serde_json::json!({
        "cloud": cloud, "ca": ca, "token": token, "device": device, "lan": lan, "user": user, "password": password,
    });
    let ca = ca.display();
    let text = format!(
        "A cloud is on {cloud}; a camera behind it dialled in as device {device}.

Ask the camera through the cloud:
  oriel call {device} GetDeviceInformation --cloud {cloud} --ca {ca} --token {token}
or with any SOAP client, at {cloud}/d/{device}/onvif/device_service with `Authorization: Bearer {token}`.

Ask it directly, as on its LAN:
  oriel call {lan} GetDeviceInformation --user {user} --password {password}
  oriel uplink get {lan} --user {user} --password {password}

Everything is on loopback. Ctrl-C ends it."
    );
    output.print(&json, &text);
}
