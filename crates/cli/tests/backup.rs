//! `oriel cloud backup` and `restore`: what an operator types, against a cloud that runs.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "device", feature = "cloud"))]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn oriel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    command.args(arguments).env_remove("ORIEL_TRACES").env_remove("ORIEL_LOG");
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn one_command_backs_up_a_running_cloud_and_one_restores_it_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["old", "new"] {
        std::fs::write(at(&format!("{name}.toml")), format!("data = \"{name}\"\nlisten = \"127.0.0.1:0\"\n")).unwrap();
    }
    let (old, new, file, keys) = (at("old.toml"), at("new.toml"), at("records.jsonl"), at("keys.json"));
    let nothing = oriel(&["cloud", "backup", &file, "--config", &old]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(1), "{}", said(&nothing));
    assert!(said(&nothing).contains("there are no records here"), "{}", said(&nothing));

    let run = |config: &str| {
        let started = oriel(&["cloud", "--json", "--config", config]).stdout(Stdio::piped()).spawn();
        let mut program = Program(started.unwrap());
        let mut line = String::new();
        BufReader::new(program.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        (program, serde_json::from_str::<serde_json::Value>(&line).unwrap())
    };
    let (_running, up) = run(&old);
    assert!(up["setup_link"].is_string());
    let ca = std::fs::read(up["ca"].as_str().unwrap()).unwrap();
    let backup = oriel(&["cloud", "backup", &file, "--keys", &keys, "--config", &old, "--json"]).output().unwrap();
    assert!(backup.status.success(), "{}", said(&backup));
    let written: serde_json::Value = serde_json::from_slice(&backup.stdout).unwrap();
    for file in [&file, &keys] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    let again = oriel(&["cloud", "backup", &file, "--config", &old]).output().unwrap();
    assert!(!again.status.success(), "it overwrites nothing");

    let restore = |config: &str| {
        oriel(&["cloud", "restore", &file, "--keys", &keys, "--config", config, "--json"]).output().unwrap()
    };
    let restored = restore(&new);
    assert!(restored.status.success(), "{}", said(&restored));
    let read: serde_json::Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!((&read["rows"], &read["at"]), (&written["rows"], &written["at"]));
    let twice = restore(&new);
    assert!(!twice.status.success() && said(&twice).contains("holds records already"), "{}", said(&twice));
    let (_moved, up) = run(&new);
    assert_eq!(std::fs::read(up["ca"].as_str().unwrap()).unwrap(), ca, "cameras go on trusting it");
    let in_use = restore(&new);
    assert!(
        !in_use.status.success() && said(&in_use).contains("another process uses this folder"),
        "{}",
        said(&in_use)
    );
}
