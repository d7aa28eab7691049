//! Damaged files, full disks, databases that go away: nothing is lost, nothing crashes, tunnels stay.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use oriel_cloud::records::{Actor, NewDevice, Records, RecordsError};
use oriel_cloud::{Clock, Cloud};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use serde_json::json;
use tempfile::TempDir;

use super::postgres::Postgres;
use crate::cloud::House;
use crate::cloud::api::{DEVICES, call};
use crate::cloud::camera::Camera;
use crate::cloud::client::{device_service, message, soap};

async fn opened(folder: &std::path::Path) -> Result<Records, RecordsError> {
    Records::open(folder, None, Clock::default()).await
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let records = opened(folder.path()).await.unwrap();
    records.first_link().await.unwrap();
    let scope = records.within(&records.first_organisation().unwrap());
    let many = (0..2000).map(|n| NewDevice { name: format!("camera {n}"), key: None }).collect();
    scope.add_devices(&Actor::system(), many).await.unwrap();
    records.close().await;
    let file = folder.path().join("oriel.db");
    let good = std::fs::read(&file).unwrap();
    assert!(good.len() > 64 * 1024, "the file holds what the log had: {}", good.len());
    let no_database = b"this is no database, whatever its name says".repeat(200);
    let mut torn = good.clone();
    for page in torn.chunks_mut(4096).skip(1) {
        page.fill(0xa5);
    }
    for bytes in [no_database, torn, good[..good.len() / 2].to_vec()] {
        std::fs::write(&file, &bytes).unwrap();
        let refused = opened(folder.path()).await.unwrap_err();
        assert!(matches!(refused, RecordsError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains("left as it is"), "{refused}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
    std::fs::write(&file, &good).unwrap();
    let records = opened(folder.path()).await.unwrap();
    assert_eq!(records.within(&records.first_organisation().unwrap()).device_ids().len(), 2000);
}

/// A disk of four megabytes.
struct Disk(TempDir);

impl Disk {
    /// `None` for those who may not mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs"]).arg(folder.path()).output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            println!("skip: a small disk cannot be mounted here");
            return None;
        }
        Some(Self(folder))
    }

    /// Leaves a few pages free.
    fn fill(&self) -> PathBuf {
        let filler = self.0.path().join("filler");
        let mut file = File::create(&filler).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let full = file.metadata().unwrap().len();
        file.set_len(full - 64 * 1024).unwrap();
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_the_change_and_loses_nothing() {
    let Some(disk) = Disk::mount() else { return };
    let data = disk.0.path().join("cloud");
    let house = House::open_with(|config| config.data.clone_from(&data)).await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let filler = disk.fill();
    let names: Vec<_> = (0..1000).map(|n| json!({ "name": format!("{n} {}", "x".repeat(90)) })).collect();
    let import = json!({ "devices": names });
    for _again in 0..3 {
        let answer = call(&house, Method::POST, &format!("{DEVICES}/import"), &import).await;
        assert_eq!(answer.status, StatusCode::INSUFFICIENT_STORAGE, "{answer:?}");
        assert!(answer.problem().contains("nothing was changed"));
        assert_eq!(house.scope().device_ids().len(), 1, "all or none");
        let asked = soap(&device_service(&camera.id), &house.administrator, message(&GetDeviceInformation::default()));
        assert_eq!(house.ask(asked).await.status, StatusCode::OK, "the gateway goes on");
    }
    std::fs::remove_file(filler).unwrap();
    let answer = call(&house, Method::POST, &format!("{DEVICES}/import"), &import).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    drop(house);
    let records = opened(&data).await.unwrap();
    assert_eq!(records.within(&records.first_organisation().unwrap()).device_ids().len(), 1001);
}

#[tokio::test]
async fn a_database_that_restarts_costs_changes_and_nothing_else() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let house = House::open_with(|config| config.database = Some(url.clone())).await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let asked = || soap(&device_service(&camera.id), &house.administrator, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask(asked()).await.status, StatusCode::OK);
    let tunnel = house.cloud.registry().presence(&camera.id).tunnels[0].tunnel.clone();
    postgres.kill();
    assert_eq!(house.ask(asked()).await.status, StatusCode::OK, "the gateway needs no database");
    let refused = call(&house, Method::POST, DEVICES, &json!({ "name": "while it is away" })).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert_eq!(house.scope().device_ids().len(), 1);
    assert!(house.cloud.records().ready().await.is_err());
    postgres.resume();
    let patience = tokio::time::Instant::now() + Duration::from_secs(30);
    while house.cloud.records().ready().await.is_err() {
        assert!(tokio::time::Instant::now() < patience, "it is back");
    }
    let made = call(&house, Method::POST, DEVICES, &json!({ "name": "after" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert!(!tunnel.is_closed(), "the tunnel stayed through all of it");
    let config = oriel_cloud::Config { database: Some(url), ..crate::cloud::config(&house.folder) };
    let House { cloud, folder: _folder, .. } = house;
    drop(cloud);
    let again = Cloud::start(config, None).await.unwrap();
    let first = again.records().first_organisation().unwrap();
    assert_eq!(again.records().within(&first).device_ids().len(), 2);
}

#[tokio::test]
async fn whatever_was_answered_with_yes_is_there_after_a_crash_of_the_database() {
    let Some(postgres) = Postgres::start().map(Arc::new) else { return };
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let records = Records::open(folder.path(), Some(&postgres.url()), Clock::default()).await.unwrap();
    records.first_link().await.unwrap();
    let first = records.first_organisation().unwrap();
    let (scope, actor) = (records.within(&first), Actor::system());
    let (mut acknowledged, mut killer) = (Vec::new(), None);
    while let Ok(device) = scope.add_device(&actor, "camera", None).await {
        acknowledged.push(Arc::clone(&device.id));
        if acknowledged.len() == 30 {
            let postgres = Arc::clone(&postgres);
            killer = Some(tokio::task::spawn_blocking(move || postgres.kill()));
        }
    }
    killer.unwrap().await.unwrap();
    postgres.resume();
    while scope.add_device(&actor, "after", None).await.is_err() {}
    let known = scope.device_ids();
    assert!(acknowledged.iter().all(|id| known.contains(id)));
    std::fs::copy(folder.path().join("seal.key"), other.path().join("seal.key")).unwrap();
    let fresh = Records::open(other.path(), Some(&postgres.url()), Clock::default()).await.unwrap();
    assert_eq!(fresh.within(&first).device_ids(), known, "what is in memory is what is in the store");
}
