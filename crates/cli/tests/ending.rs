//! Signals: from the ready line on, whoever asks the program to end gets a proper end.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "device", feature = "cloud"))]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A program that is killed if the test fails.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
        for name in ["ORIEL_CLOUD", "ORIEL_TOKEN", "ORIEL_USER", "ORIEL_PASSWORD", "ORIEL_CA"] {
            command.env_remove(name);
        }
        Self(command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap())
    }

    fn ready(&mut self) -> serde_json::Value {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn ended(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

#[test]
fn a_signal_right_after_the_ready_line_ends_each_half_properly() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(format!("{name}.toml"));
        let listen = if name == "cloud" { "\"127.0.0.1:0\"" } else { "[\"127.0.0.1:0\"]" };
        std::fs::write(&path, format!("data = \"{name}\"\nlisten = {listen}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (cloud, device) = (file("cloud"), file("device"));
    for arguments in [
        ["cloud", "--json", "--config", cloud.as_str()].as_slice(),
        &["device", "--json", "--config", device.as_str()],
        &["demo", "--json"],
    ] {
        for signal in ["-TERM", "-INT"] {
            let mut program = Program::start(arguments);
            program.ready();
            program.signal(signal);
            assert_eq!(program.ended().code(), Some(0), "{arguments:?} {signal}");
        }
    }
}

#[test]
fn a_swarm_that_is_ended_leaves_no_device_behind() {
    let mut demo = Program::start(&["demo", "--json"]);
    let visit = demo.ready();
    let text = |key: &str| visit[key].as_str().unwrap().to_owned();
    let (cloud, ca, token) = (text("cloud"), text("ca"), text("token"));
    let mut swarm = Program::start(&["swarm", "3", "--json", "--cloud", &cloud, "--ca", &ca, "--token", &token]);
    assert_eq!(swarm.ready()["connected"], 3);
    swarm.signal("-TERM");
    assert_eq!(swarm.ended().code(), Some(0));

    // The ids cannot be written, so the swarm fails after the devices were registered.
    let ids = ["--ids", "/nonexistent/ids"];
    let with = [["swarm", "3", "--cloud", &cloud, "--ca", &ca, "--token", &token].as_slice(), &ids].concat();
    assert_eq!(Program::start(&with).ended().code(), Some(1));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let devices = runtime.block_on(devices(&cloud, &ca, &token));
    assert_eq!(devices.len(), 1, "the demo's camera alone: {devices:?}");
    demo.signal("-TERM");
    assert_eq!(demo.ended().code(), Some(0));
}

async fn devices(cloud: &str, ca: &str, token: &str) -> Vec<serde_json::Value> {
    use oriel_client::Transport as _;
    let policy = oriel_trust::Policy::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let tls = oriel_trust::client_config(&oriel_trust::Validation::Policy(policy), None).unwrap();
    let transport = oriel_client::Direct::new(&cloud.parse().unwrap(), Some(tls)).unwrap();
    let request = http::Request::get("/api/v1/devices").header("authorization", format!("Bearer {token}"));
    let answer = transport.send(request.body(bytes::Bytes::new()).unwrap()).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    let list = answer.as_array().or_else(|| answer["items"].as_array());
    list.unwrap_or_else(|| panic!("{answer}")).clone()
}
