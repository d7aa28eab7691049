//! The device half as it is shipped, alone in its process, with one uplink: its memory.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::child::{Child, Core};
use crate::fixture::Fixture;
use crate::load::{Load, Target, Visit};
use crate::process::{self, Memory};
use crate::systems::start_cloud;

const PASSWORD: &str = "bench-password";

/// Starts `oriel device`, gives it an uplink by ONVIF, asks it once, and looks.
pub(crate) fn measure(fixture: &Fixture, oriel: &Path) -> anyhow::Result<Memory> {
    ensure!(oriel.is_file(), "{} is not built (cargo build --release -p oriel)", oriel.display());
    let config = format!(
        "listen = [\"127.0.0.1:0\"]\ndata = {:?}\nallow_private_addresses = [\"127.0.0.0/8\"]\n\
         [[user]]\nname = \"admin\"\npassword = \"{PASSWORD}\"\nlevel = \"Administrator\"\n\
         [[policy]]\nid = \"cloud\"\nanchors = {:?}\n",
        fixture.path("device"),
        fixture.path("ca.pem")
    );
    let config = fixture.write("device.toml", &config)?.display().to_string();
    let log = fixture.path("device.log");
    let mut device = Child::program(Core::Any, oriel, &["--json", "device", "--config", &config], &log)?;
    let ready = wait(|| {
        ensure!(!device.ended(), "oriel device: {}", std::fs::read_to_string(&log).unwrap_or_default());
        Ok(serde_json::from_str::<Value>(std::fs::read_to_string(&log)?.lines().next().unwrap_or_default()).ok())
    })?;
    let say = |key: &str| ready[key].as_str().map(str::to_owned).with_context(|| format!("the device's {key}"));
    let ground = fixture.cloud_with("device-cloud", vec![("device".to_owned(), say("fingerprint")?.parse()?)])?;
    let id = &ground.ids[0];
    let mut cloud = start_cloud(Core::Any, &ground)?;
    let address = cloud.ready("address")?;
    let set = Command::new(oriel)
        .args(["uplink", "set", &say("lan")?, "--user", "admin", "--password", PASSWORD])
        .args(["--address", &format!("https://{address}/"), "--certificate", "device", "--policy", "cloud"])
        .output()?;
    ensure!(set.status.success(), "oriel uplink set: {}", String::from_utf8_lossy(&set.stderr));
    wait(|| Ok((cloud.ask(&json!({}))?["tunnels"] == 1).then_some(())))?;
    let mut load = Load::start(Core::Any, &fixture.path("ca.pem"))?;
    let target = Target { name: "user".to_owned(), address, prefix: String::new(), token: Some(ground.user) };
    load.connect(&target)?;
    // The device's own answer has another length than the bench's: whether it comes is what matters here.
    load.visit(&Visit { target: "user".to_owned(), prefixes: vec![format!("/d/{id}")] })?;
    std::thread::sleep(Duration::from_secs(2));
    Ok(process::memory(device.pid()))
}

fn wait<T>(mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if let Some(found) = look()? {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("it takes too long")
}
