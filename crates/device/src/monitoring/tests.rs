//! What can be told by a function is told; and the watch on a machine, from the outside.

use super::occurrences::*;
use super::*;
use crate::store::{DiscoveryEntry, Files, Keystore, State, StoreError, VERSION};
use jiff::Timestamp;
use oriel_onvif::device_mgmt::NetworkInterfaceConnectionSetting;
use oriel_onvif::events::topics;
use oriel_soap::Fault;
use std::collections::BTreeSet;
use uuid::Uuid;

/// One of each function.
fn all() -> Vec<Occurrence> {
    let (now, link) = (Timestamp::UNIX_EPOCH, NetworkInterfaceConnectionSetting::default());
    let operation = AsynchronousOperation { token: "1", operation_name: "Export", service_name: "recording" };
    let file = FileProgress { file_name: "a".to_owned(), progress: 1.0 };
    let sensors = [Quantity::Temperature, Quantity::RelativeHumidity, Quantity::AbsoluteHumidity]
        .into_iter()
        .flat_map(|quantity| [Side::High, Side::Low].map(|side| sensor(quantity, side, "s", 1.0, 0.5)));
    [
        processor_usage("cpu", 1.0),
        link_status("eth0", &link),
        upload_status(1.0),
        defined_limit_reached(true),
        mean_time_between_failures_default_limit_reached(true),
        mean_time_between_failures_operation_limit_reached(true),
        last_reset(now),
        last_reboot(now),
        last_clock_synchronization(now),
        last_maintenance(now),
        next_scheduled_maintenance(now),
        last_backup(now),
        outside_certified_area(true),
        outside_configured_area(true),
        relative_humidity(1.0),
        temperature(1.0),
        battery_capacity(1.0),
        asynchronous_operation(&operation, 0.5, &[file]),
        asynchronous_operation_failed(&operation, 0.5, &Fault::action("it went wrong")),
        shutdown_initiated(),
        upload_initiated(),
        liquid_low(true),
        fan_failure("1", true),
        power_supply_failure("1", true),
        storage_failure("1", true),
        temperature_critical(true),
        geo_location("gps", GeoLocation::default()),
        cloud_firmware_upgrade_completed(Uuid::nil(), true, "2.7.1"),
        key_status("k", None, KeyStatus::Generating),
        key_status("k", Some(KeyStatus::Generating), KeyStatus::Ok),
        digital_input("1", true),
        relay("1", true),
        motion_alarm("1", true),
        signal_loss("1", true),
        cell_motion("1", "2", "3", true),
    ]
    .into_iter()
    .chain(sensors)
    .collect()
}

fn every_topic() -> Events {
    let events = Events::new("urn:uuid:test".to_owned(), None);
    events.offer(&topics::catalogue().iter().collect::<Vec<_>>());
    events
}

#[test]
fn what_a_function_makes_is_as_its_topic_is_described() {
    let events = every_topic();
    let mut told = BTreeSet::new();
    for occurrence in all() {
        let description = topics::describe(&occurrence.topic).unwrap();
        events.tell(occurrence.clone()).unwrap_or_else(|untold| panic!("{untold}"));
        let items = description.source.iter().chain(description.data).filter(|item| !item.kind.element);
        for item in items {
            let given =
                occurrence.source.iter().chain(&occurrence.data.simple_item).find(|given| given.name == item.name);
            let fits = given.is_none_or(|given| item.kind.accepts(&given.value));
            assert!(fits, "{}: {given:?}", description.topic);
        }
        for item in description.data.iter().filter(|item| item.kind.element) {
            let element = occurrence.data.element(item.name);
            assert!(
                element.is_none_or(|element| *element.name() == item.kind.name()),
                "{}: {element:?}",
                description.topic
            );
        }
        told.insert(description.topic);
    }
    let chapter = topics::catalogue().iter().map(|topic| topic.topic).filter(|topic| {
        ["Monitoring/", "Device/OperationMode/", "Device/HardwareFailure/", "Device/Sensor/", "Device/Trigger/"]
            .iter()
            .any(|branch| topic.starts_with(branch))
    });
    let missing: Vec<_> = chapter.filter(|topic| !told.contains(topic)).collect();
    assert!(missing.is_empty(), "no function for {missing:?}");
}

fn store(folder: &tempfile::TempDir) -> Store {
    let state = State {
        brokers: Vec::new(),
        version: VERSION,
        uuid: Uuid::nil(),
        serial: "1".to_owned(),
        users: Vec::new(),
        uplinks: Vec::new(),
        keystore: Keystore::default(),
        discovery: DiscoveryEntry::default(),
        kept: Default::default(),
    };
    Store::open::<StoreError>(Box::new(Files), folder.path(), |_| Ok(state)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_looked_at_each_five_seconds_until_the_watch_ends() {
    let machine = linux::made_up::MadeUp::with(&[("proc/stat", "cpu  0 0 0 0 0 0 0 0")]);
    let folder = tempfile::tempdir().unwrap();
    let mut sources = Sources { topics: Vec::new(), ..Sources::default() };
    sources.machine = Some(Machine { root: machine.path().to_owned(), ..Machine::default() });
    let events = Events::new("urn:uuid:test".to_owned(), None);
    let monitoring = Monitoring::start(events.clone(), store(&folder), &sources).await;
    let mut follower = events.follow(Default::default(), Default::default());
    let began = Instant::now();
    for look in 1..=3_u64 {
        machine.set("proc/stat", &format!("cpu  {} 0 0 {} 0 0 0 0", look * look * 10, look * 100 - look * look * 10));
        let message = loop {
            match follower.next().await {
                crate::events::Next::Message(message) if message.message.value("Token").is_some() => break message,
                crate::events::Next::Message(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(message.message.value("Value"), Some(((2 * look - 1) * 10).to_string().as_str()));
        // The thread that reads is not in this time.
        assert_eq!(began.elapsed().as_secs(), look * 5);
    }
    drop(monitoring);
    machine.set("proc/stat", "cpu  1000 0 0 0 0 0 0 0");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let more = tokio::time::timeout(Duration::from_secs(1), follower.next()).await;
    assert!(more.is_err(), "{more:?}");
}
