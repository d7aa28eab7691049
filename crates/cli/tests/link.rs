//! `oriel cloud link`: for an administrator who lost the password.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "device", feature = "cloud"))]

use std::process::Command;

use oriel_cloud::records::Actor;
use oriel_cloud::{Clock, Records};

#[tokio::test]
async fn a_link_is_printed_for_somebody_who_is_known_and_for_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let config = folder.path().join("cloud.toml");
    std::fs::write(&config, "data = \"data\"\nnames = [\"cloud.example.org\"]\n").unwrap();
    let records = Records::open(&data, None, Clock::default()).await.unwrap();
    let first = records.first_link().await.unwrap().unwrap();
    let me = Actor::system();
    records.redeem(&me, first.expose(), Some("alice@example.org"), None, "phc").await.unwrap();
    records.close().await;
    drop(records);
    let link = |email: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_oriel"));
        program.args(["cloud", "--json", "--config"]).arg(&config).args(["link", email]).output().unwrap()
    };
    let unknown = link("bob@example.org");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no user logs in as bob@example.org"));
    let made = link("Alice@example.org");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let secret =
        said["link"].as_str().unwrap().strip_prefix("https://cloud.example.org:8443/#/redeem/").unwrap().to_owned();
    let records = Records::open(&data, None, Clock::default()).await.unwrap();
    assert!(records.link(&secret).await.is_ok());
}
