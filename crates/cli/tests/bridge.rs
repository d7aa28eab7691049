//! `oriel device` as a bridge: beside a camera by its address alone, by a file that changes, and a bridged camera that is enrolled like any other.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "bridge", feature = "cloud"))]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use oriel_client::Transport as _;
use serde_json::{Value, json};

/// A program and the lines that it prints; it is killed if the test fails.
struct Program {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// The next line with this value; the others before it are of no interest.
    fn until(&mut self, key: &str, value: &str) -> Value {
        loop {
            let line = self.line();
            if line[key] == value {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }
}

fn oriel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    for name in ["ORIEL_CLOUD", "ORIEL_TOKEN", "ORIEL_USER", "ORIEL_PASSWORD", "ORIEL_CA", "ORIEL_CODE"] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// A camera that knows nothing of any cloud: our own device, without an uplink.
struct Camera {
    lan: String,
    user: String,
    password: String,
    _program: Program,
}

impl Camera {
    fn unpack(folder: &Path, name: &str) -> Self {
        let file = folder.join(format!("{name}.toml"));
        std::fs::write(&file, format!("data = \"{name}\"\nlisten = [\"127.0.0.1:0\"]\nmodel = \"{name}\"\n")).unwrap();
        let mut program = Program::start(oriel(&["device", "--json", "--config", file.to_str().unwrap()]));
        let up = program.line();
        let text = |key: &str| up[key].as_str().unwrap().to_owned();
        Self { lan: text("lan"), user: text("user"), password: text("password"), _program: program }
    }

    fn entry(&self, name: &str) -> String {
        let Self { lan, user, password, .. } = self;
        format!(
            "[[camera]]\nname = \"{name}\"\naddress = \"{lan}\"\n[[camera.account]]\nuser = \"{user}\"\npassword = \"{password}\"\n"
        )
    }

    fn model(&self, at: &str) -> String {
        let call = ["call", at, "GetDeviceInformation", "--json"];
        let output = oriel(&call).env("ORIEL_USER", &self.user).env("ORIEL_PASSWORD", &self.password).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        told["Model"].as_str().unwrap().to_owned()
    }
}

#[test]
fn beside_a_camera_its_address_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let camera = Camera::unpack(folder.path(), "plain");
    let data = folder.path().join("bridge");
    let arguments =
        ["device", "--json", "--camera", &camera.lan, "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let mut command = oriel(&arguments);
    command.env("ORIEL_USER", &camera.user).env("ORIEL_PASSWORD", &camera.password);
    let mut bridge = Program::start(command);
    assert_eq!(bridge.line()["cameras"], 1);
    let up = bridge.until("state", "answers");
    assert!(up["camera"].as_str().unwrap().starts_with("camera-"), "{up}");
    assert_eq!((&up["problem"], &up["enrolment"], &up["uplinks"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!(camera.model(up["lan"].as_str().unwrap()), "plain");
    bridge.signal("-TERM");
    assert!(bridge.child.wait().unwrap().success());
}

#[test]
fn the_file_is_read_again_when_told_and_a_bridged_camera_is_enrolled_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, dock) = (Camera::unpack(folder.path(), "gate"), Camera::unpack(folder.path(), "dock"));
    let file = folder.path().join("bridge.toml");
    let write = |entries: &str| {
        let top = "data = \"bridge\"\nlisten = [\"127.0.0.1:0\"]\nallow_private_addresses = [\"127.0.0.0/8\", \"::1/128\"]\n\
                   allow_private_addresses_by_uplink = [\"127.0.0.0/8\", \"::1/128\"]\n[bridge]\n";
        std::fs::write(&file, format!("{top}{entries}")).unwrap();
    };
    write(&gate.entry("gate"));
    let path = file.to_str().unwrap();
    assert!(oriel(&["config", "check", "device", path]).output().unwrap().status.success());
    let mut bridge = Program::start(oriel(&["device", "--json", "--config", path]));
    let up = bridge.until("state", "answers");
    assert_eq!(up["camera"], "gate");
    let lan = up["lan"].as_str().unwrap().to_owned();
    assert_eq!(gate.model(&lan), "gate");
    write(&format!("{}{}", gate.entry("gate"), dock.entry("dock")));
    bridge.signal("-HUP");
    assert_eq!(bridge.until("camera", "dock")["state"].as_str().unwrap().len(), 7, "unasked or answers");

    // To a real cloud, by hand.
    let mut cloud = Program::start(oriel(&["demo", "--json"]));
    let visit = cloud.line();
    let text = |key: &str| visit[key].as_str().unwrap().to_owned();
    let code = code(&text("cloud"), &text("ca"), &text("token"));
    let mut enroll = oriel(&["enroll", &lan, "--json", "--cloud", &text("cloud"), "--ca", &text("ca")]);
    enroll.env("ORIEL_USER", &gate.user).env("ORIEL_PASSWORD", &gate.password).env("ORIEL_CODE", code);
    let enrolled = enroll.output().unwrap();
    assert_eq!(enrolled.status.code(), Some(0), "{}", String::from_utf8_lossy(&enrolled.stderr));
    let last: Value =
        serde_json::from_slice(enrolled.stdout.split(|byte| *byte == b'\n').nth_back(1).unwrap()).unwrap();
    assert_eq!(last["connected"], true);
    let id = last["device"].as_str().unwrap();
    let call = ["call", id, "GetDeviceInformation", "--json", "--cloud", &text("cloud"), "--ca", &text("ca")];
    let told = oriel(&call).env("ORIEL_TOKEN", text("token")).output().unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["Model"], "gate");

    write(&dock.entry("dock"));
    bridge.signal("-HUP");
    assert_eq!(bridge.until("state", "removed")["camera"], "gate");
}

/// An enrolment code of the demonstration's cloud.
fn code(cloud: &str, ca: &str, token: &str) -> String {
    let policy = oriel_trust::Policy::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let tls = oriel_trust::client_config(&oriel_trust::Validation::Policy(policy), None).unwrap();
    let request = http::Request::post("/api/v1/enrolments")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(bytes::Bytes::from(json!({ "name": "gate" }).to_string()))
        .unwrap();
    let transport = oriel_client::Direct::new(&cloud.parse().unwrap(), Some(tls)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(transport.send(request)).unwrap();
    let made: Value = serde_json::from_slice(answer.body()).unwrap();
    made["code"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[test]
fn what_does_not_belong_together_is_refused() {
    for (arguments, code, words) in [
        (&["device", "--camera", "10.0.0.5"][..], 2, "no address"),
        (&["device", "--camera", "http://u:horse@10.0.0.5/"], 2, "[[camera.account]]"),
        (&["device", "--camera", "http://10.0.0.5/", "--camera", "http://10.0.0.5/x"], 2, "twice"),
        (&["device", "--camera", "http://10.0.0.5/", "--config", "x"], 2, "cannot be used with"),
        (&["device", "--discover", "--user", "u"], 2, "--password"),
        (&["device", "--discover", "--cloud", "https://c"], 2, "--code"),
        (&["device", "--discover", "--cloud", "http://c", "--code", "x"], 2, "https"),
        (&["device", "--cloud", "https://c", "--code", "x"], 2, "--camera or --discover"),
        (&["device", "--config", "no/such/file"], 6, "cannot be read"),
    ] {
        let output = oriel(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(words) && !told.contains("horse"), "{arguments:?}: {told}");
    }
}
