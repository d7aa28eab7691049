//! `oriel forward`: what a person sees of it.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "device", feature = "cloud"))]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A program that is killed if the test fails.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn oriel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    for name in ["ORIEL_CLOUD", "ORIEL_TOKEN", "ORIEL_USER", "ORIEL_PASSWORD", "ORIEL_CA"] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

fn start(arguments: &[&str]) -> (Program, serde_json::Value) {
    let mut program = Program(oriel(arguments).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(program.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let said = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    (program, said)
}

#[test]
fn a_port_leads_to_the_device_until_it_is_ended_and_says_at_once_what_is_wrong() {
    let (_demo, visit) = start(&["demo", "--json"]);
    let text = |key: &str| visit[key].as_str().unwrap().to_owned();
    let (cloud, ca, token, device) = (text("cloud"), text("ca"), text("token"), text("device"));
    let (mut forward, up) = start(&["forward", &device, "--cloud", &cloud, "--ca", &ca, "--token", &token, "--json"]);
    assert_eq!(up["online"], true);
    let service = up["device_service"].as_str().unwrap();
    let call = oriel(&["call", service, "GetUsers", "--user", "any", "--password", "account"]).output().unwrap();
    assert_eq!(call.status.code(), Some(0), "{}", String::from_utf8_lossy(&call.stderr));

    let sent = Command::new("kill").args(["-INT", &forward.0.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(forward.0.wait().unwrap().code(), Some(0));
    assert_eq!(oriel(&["call", service, "GetUsers"]).output().unwrap().status.code(), Some(4), "nobody listens");

    let trusted = ["--cloud", &cloud, "--ca", &ca];
    for (device, options, code, said) in [
        (device.as_str(), ["--token", "wrong", "", ""], 5, "--token"),
        ("nosuchdevice", ["--token", &token, "", ""], 3, "no such device"),
        (&device, ["--token", &token, "--listen", "0.0.0.0:0"], 2, "--expose"),
        (&device, ["", "", "", ""], 2, "ORIEL_TOKEN"),
    ] {
        let options: Vec<&str> = options.into_iter().filter(|option| !option.is_empty()).collect();
        let output = oriel(&[&["forward", device], trusted.as_slice(), &options].concat()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{device} {options:?}: {stderr}");
        assert!(stderr.contains(said), "{device} {options:?}: {stderr}");
    }
}
