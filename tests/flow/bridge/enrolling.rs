//! All cameras of a site come to a cloud by themselves, with one code.

use std::time::Duration;

use oriel_client::api::Api;
use oriel_client::provision::{Plan, Provision, Start};
use oriel_cloud::records::{Actor, Secret as Code};
use oriel_device::bridge::{Believe, CameraState, Enrolment};
use oriel_device::config::BridgeCloud;
use oriel_device::store::Secret;
use oriel_device::{BridgeConfig, Device};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_uplink::device::State;

use super::life::{PASSWORD, Site, any, camera, entry};
use crate::cloud::House;

const NAMES: [&str; 4] = ["dock", "gate", "hall", "roof"];

async fn code(house: &House, uses: u32) -> Code {
    let day = Duration::from_secs(24 * 3600);
    house.scope().add_enrolment(&Actor::system(), "the site", day, uses).await.unwrap().1
}

fn cloud_of(house: &House, code: &str) -> BridgeCloud {
    let mut cloud = BridgeCloud::new(house.url("https").parse().unwrap(), Secret::new(code));
    cloud.believe = Believe::Policy(house.ca.clone());
    cloud
}

/// A bridge of these cameras that may reach a cloud on loopback.
fn configured(site: &Site, cloud: BridgeCloud) -> BridgeConfig {
    let mut config = site.config();
    config.call_out.allowed = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    config.cloud = Some(cloud);
    config
}

async fn cameras(site: &Site) -> (Vec<Device>, String) {
    let mut devices = Vec::new();
    let mut entries = String::new();
    for name in NAMES {
        let device = camera(site.path(), name, PASSWORD, any()).await;
        entries += &entry(name, device.addresses()[0], PASSWORD);
        devices.push(device);
    }
    (devices, entries)
}

fn is_enrolled(state: Option<&CameraState>) -> bool {
    state.is_some_and(|state| matches!(state.enrolment, Enrolment::Done(_)))
}

fn is_connected(state: Option<&CameraState>) -> bool {
    let uplinks = state.and_then(|state| state.device.as_ref()).map(|device| &device.uplinks[..]);
    matches!(uplinks, Some([one]) if one.state == State::Connected)
}

#[tokio::test]
async fn all_cameras_of_a_bridge_come_to_the_cloud_with_one_code_and_stay_who_they_are() {
    let house = House::open().await;
    let mut site = Site::closed();
    let (_devices, entries) = cameras(&site).await;
    site.write(&entries);
    let config = configured(&site, cloud_of(&house, code(&house, NAMES.len() as u32).await.expose()));
    site.start(config.clone()).await;
    let mut ids = Vec::new();
    for name in NAMES {
        site.until(name, "its enrolment", is_enrolled).await;
        let Some(Enrolment::Done(id)) = site.bridge().camera(name).map(|state| state.enrolment) else { unreachable!() };
        let device = house.scope().device(&id).unwrap();
        assert_eq!(device.name, name, "what the bridge calls it");
        let told = house.client(&device.id, &house.administrator).call(GetDeviceInformation::default()).await.unwrap();
        assert_eq!(told.model, format!("Model {name}"), "each device is its own camera");
        ids.push(id);
    }
    let made = house.scope().enrolments(None, 9);
    assert_eq!((made[0].used, made[0].devices.len()), (4, 4));

    // After a restart they dial, and nobody enrols again.
    site.stop().await;
    site.start(config).await;
    for (name, id) in NAMES.into_iter().zip(&ids) {
        site.until(name, "its uplink", is_connected).await;
        assert_eq!(site.bridge().camera(name).unwrap().enrolment, Enrolment::None);
        house.online(&house.scope().device(id).unwrap().id).await;
    }
    assert_eq!(house.scope().enrolments(None, 9)[0].used, 4);
}

#[tokio::test]
async fn a_code_that_is_no_good_is_told_and_a_good_one_counts_at_once() {
    let house = House::open().await;
    let mut site = Site::closed();
    let gate = camera(site.path(), "gate", PASSWORD, any()).await;
    site.write(&entry("gate", gate.addresses()[0], PASSWORD));
    site.start(configured(&site, cloud_of(&house, "no code"))).await;
    site.until("gate", "why not", |state| {
        let enrolment = state.map(|state| &state.enrolment);
        matches!(enrolment, Some(Enrolment::Failed { reason, .. }) if reason.contains("this code is not known"))
    })
    .await;
    let client = site.client("gate", PASSWORD);
    let keys = client.call(oriel_onvif::security::GetAllKeys::default()).await.unwrap().key_attribute;
    assert!(keys.iter().all(|key| key.alias.as_deref().is_none_or(|alias| !alias.starts_with("oriel-"))), "{keys:?}");
    let good = configured(&site, cloud_of(&house, code(&house, 1).await.expose()));
    site.bridge().apply(&good).unwrap();
    site.until("gate", "its enrolment", is_enrolled).await;
}

#[tokio::test]
async fn a_camera_that_fails_after_the_cloud_let_it_in_stays_one_device() {
    let house = House::open().await;
    let mut site = Site::closed();
    let gate = camera(site.path(), "gate", PASSWORD, any()).await;
    site.write(&entry("gate", gate.addresses()[0], PASSWORD));
    let good = configured(&site, cloud_of(&house, code(&house, 3).await.expose()));
    // The cloud is asked; the uplink to it is refused, for the address is a private one.
    let mut wrong = good.clone();
    wrong.call_out.allowed = Vec::new();
    for tries in [2, 1] {
        site.start(wrong.clone()).await;
        site.until("gate", "tries that fail", |state| {
            let enrolment = state.map(|state| &state.enrolment);
            matches!(enrolment, Some(Enrolment::Failed { times, reason }) if *times >= tries && reason.contains("SetUplink"))
        })
        .await;
        site.stop().await;
    }
    site.start(good).await;
    site.until("gate", "its enrolment", is_enrolled).await;
    let made = house.scope().enrolments(None, 9);
    assert_eq!((made[0].used, made[0].devices.len()), (1, 1), "one key, one device, one use");
    let Some(Enrolment::Done(id)) = site.bridge().camera("gate").map(|state| state.enrolment) else { unreachable!() };
    assert!(made[0].devices.values().all(|device| **device == *id), "{made:?}");
    house.online(&house.scope().device(&id).unwrap().id).await;
}

#[tokio::test]
async fn a_bridged_camera_is_enrolled_by_hand_as_any_other() {
    let house = House::open().await;
    let mut site = Site::closed();
    let gate = camera(site.path(), "gate", PASSWORD, any()).await;
    site.write(&entry("gate", gate.addresses()[0], PASSWORD));
    let mut config = configured(&site, cloud_of(&house, "none"));
    config.cloud = None;
    site.start(config).await;
    site.answers("gate").await;
    // What `oriel enroll http://bridge/gate/onvif/device_service` does.
    let api = Api::new(&house.url("https").parse().unwrap(), house.tls(None), None).unwrap();
    let client = site.client("gate", PASSWORD);
    let plan = Plan::new(house.url("https").parse().unwrap(), vec!["Administrator".to_owned()], false);
    let (mut provision, start) = Provision::begin(&client, plan, Box::new(|_| {})).await.unwrap();
    assert_eq!(start, Start::Fresh);
    let request = provision.request().await.unwrap();
    let enrolled = api.enrol(code(&house, 1).await.expose(), &request, None).await.unwrap();
    provision.install(&enrolled.issued).await.unwrap();
    provision.connected(Duration::from_secs(30)).await.unwrap();
    provision.finish().await.unwrap();
    let device = house.scope().device(&enrolled.device).unwrap();
    let told = house.client(&device.id, &house.administrator).call(GetDeviceInformation::default()).await.unwrap();
    assert_eq!(told.model, "Model gate");
}
