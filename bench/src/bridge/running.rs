//! A cloud that lets bridged cameras in by a code, and `oriel device` as their bridge.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use oriel_cloud::records::Actor;
use oriel_cloud::{Clock, Records};
use serde_json::Value;

use crate::child::{Child, Core};
use crate::fixture::{Fixture, Ground};
use crate::payload::{CAMERA_PASSWORD, CAMERA_USER};
use crate::systems::start_cloud;

/// How long all cameras of a bridge may take until their uplinks stand.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a code is good.
const HOUR: Duration = Duration::from_secs(3600);

/// A cloud that runs.
pub(super) struct Cloud {
    pub(super) child: Child,
    pub(super) address: String,
    pub(super) ground: Ground,
    code: String,
}

impl Cloud {
    /// With `devices` of its own, and a code for so many cameras.
    pub(super) fn start(
        core: Core,
        fixture: &Fixture,
        name: &str,
        devices: usize,
        cameras: usize,
    ) -> anyhow::Result<Self> {
        let ground = fixture.cloud(name, devices)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let code = runtime.block_on(code(&fixture.path(name), cameras))?;
        let child = start_cloud(core, &ground)?;
        let address = child.ready("address")?;
        Ok(Self { child, address, ground, code })
    }
}

async fn code(data: &Path, cameras: usize) -> anyhow::Result<String> {
    let (records, actor) = (Records::open(data, None, Clock::default()).await?, Actor::system());
    let organisation = records.first_organisation().context("the store has an organisation")?;
    let (_, code) = records.within(&organisation).add_enrolment(&actor, "", HOUR, u32::try_from(cameras)?).await?;
    let code = code.expose().to_owned();
    records.close().await;
    Ok(code)
}

/// A camera of the bridge's list.
#[derive(Clone)]
pub(super) struct Camera {
    pub(super) name: String,
    /// Host and port.
    pub(super) address: String,
    /// Whether the bridge knows an account on it.
    pub(super) account: bool,
}

/// A bridge that runs.
pub(super) struct Bridge {
    pub(super) child: Child,
    log: PathBuf,
}

impl Bridge {
    /// Starts one that keeps its things in the folder `name`; its cameras enrol themselves, unless they did so already.
    pub(super) fn start(
        core: Core,
        fixture: &Fixture,
        oriel: &Path,
        name: &str,
        cloud: &Cloud,
        cameras: &[Camera],
    ) -> anyhow::Result<Self> {
        let mut config = format!(
            "listen = [\"127.0.0.1:0\"]\ndata = {:?}\nallow_private_addresses = [\"127.0.0.0/8\"]\n\
             [bridge.cloud]\nurl = \"https://{}\"\ncode = {:?}\nca = {:?}\n",
            fixture.path(name),
            cloud.address,
            cloud.code,
            fixture.path("ca.pem")
        );
        for Camera { name, address, account } in cameras {
            let _ =
                write!(config, "[[camera]]\nname = {name:?}\naddress = \"http://{address}/onvif/device_service\"\n");
            if *account {
                let _ = write!(
                    config,
                    "[[camera.account]]\nuser = {CAMERA_USER:?}\npassword = {CAMERA_PASSWORD:?}\nlevel = \"User\"\n"
                );
            }
        }
        let config = fixture.write(&format!("{name}.toml"), &config)?.display().to_string();
        let log = fixture.path(&format!("{name}.log"));
        let child = Child::program(core, oriel, &["--json", "device", "--config", &config], &log)?;
        let mut bridge = Self { child, log };
        bridge.wait(|lines| (!lines.is_empty()).then_some(()))?;
        Ok(bridge)
    }

    /// Waits until so many cameras stand at the cloud. The ids of those that have enrolled themselves since the start, by name.
    pub(super) fn connected(&mut self, cameras: usize) -> anyhow::Result<BTreeMap<String, String>> {
        self.wait(|lines| {
            let mut last = BTreeMap::new();
            for line in lines {
                if let Some(name) = line["camera"].as_str() {
                    last.insert(name, line);
                }
            }
            let stands = |line: &Value| {
                let mut uplinks = line["uplinks"].as_array().into_iter().flatten();
                uplinks.any(|uplink| uplink["status"] == "Connected") && line["enrolment"]["state"] != "waiting"
            };
            if last.values().filter(|line| stands(line)).count() < cameras {
                return None;
            }
            let id = |line: &Value| line["enrolment"]["device"].as_str().map(str::to_owned);
            Some(last.into_iter().filter_map(|(name, line)| Some((name.to_owned(), id(line)?))).collect())
        })
    }

    /// Looks at the lines that the bridge has printed until they tell what is wanted.
    fn wait<T>(&mut self, mut look: impl FnMut(&[Value]) -> Option<T>) -> anyhow::Result<T> {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = std::fs::read_to_string(&self.log)?;
            let lines: Vec<Value> = text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .filter(|line: &Value| line["lan"].is_string())
                .collect();
            if let Some(found) = look(&lines) {
                return Ok(found);
            }
            if self.child.ended() || Instant::now() > end {
                let last: Vec<&str> = text.lines().rev().take(5).collect();
                bail!("the bridge does not come to what is awaited of it: {}", last.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
