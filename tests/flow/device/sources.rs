//! Where events come from: whoever tells something by the control socket, the machine that the device runs on, the device itself. What is
//! told arrives at a pull point on the LAN, as its description says.

use super::*;
use jiff::SignedDuration;
use oriel_device::config::Machine;
use oriel_device::control::{self, Item, Refusal, RefusalKind, Reply, Request as Asked, Tell};
use oriel_device::occurrences;
use oriel_onvif::events::message::{Message, PropertyOperation};
use oriel_onvif::events::topics::{self, Description, Kind};
use oriel_onvif::events::{CreatePullPointSubscription, GetEventProperties, PullMessages};
use oriel_onvif::notification::Topic;
use oriel_onvif::security::CreateECCKeyPair;
use oriel_soap::With;
use oriel_soap::xml::Duration as Span;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

const ADMINISTRATOR: As<'static> = As::Token("administrator");
/// Longer than anything here takes.
const PATIENCE: i64 = 20;

/// A device without a machine, so that nothing happens by itself.
async fn quiet() -> Camera {
    Camera::start_with(|config| config.sources.machine = None).await
}

impl Camera {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn control(&self, request: &Asked) -> Reply {
        control::ask(&self.data(), request).await.unwrap()
    }

    async fn tell(&self, tell: Tell) -> Reply {
        self.control(&Asked::Tell(tell)).await
    }
}

/// A pull point, and what came by it and was not looked for yet.
struct Listening<'a> {
    camera: &'a Camera,
    path: String,
    waiting: Vec<(Topic, Message)>,
}

impl<'a> Listening<'a> {
    async fn to(camera: &'a Camera) -> Self {
        let made = camera.ask(ADMINISTRATOR, &CreatePullPointSubscription::default()).await.unwrap();
        let address: http::Uri = made.subscription_reference.address.parse().unwrap();
        Self { camera, path: address.path().to_owned(), waiting: Vec::new() }
    }

    /// One PullMessages.
    async fn pull(&mut self, seconds: i64) -> usize {
        let request = PullMessages::with(|pull| {
            (pull.timeout, pull.message_limit) = (Span(SignedDuration::from_secs(seconds)), 100);
        });
        let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
        let answer = self.camera.post(&self.path, with_token(&request, token)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let response = envelope::read_reply::<PullMessages>(answer.text.as_bytes(), &Limits::REPLY).unwrap();
        for told in &response.notification_message {
            let topic = told.topic.as_ref().unwrap().topic.clone();
            self.waiting.push((topic, told.message.onvif().unwrap().unwrap()));
        }
        response.notification_message.len()
    }

    /// The next message of the topic that is as wanted; what is before it and of other topics stays.
    async fn next_that(&mut self, topic: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        let topic = Topic::of(topics::find(topic).unwrap());
        loop {
            if let Some(at) = self.waiting.iter().position(|(of, message)| *of == topic && wanted(message)) {
                return self.waiting.remove(at).1;
            }
            assert_ne!(self.pull(PATIENCE).await, 0, "nothing of {topic:?} that was wanted; seen: {:?}", self.waiting);
        }
    }

    async fn next(&mut self, topic: &str) -> Message {
        self.next_that(topic, |_| true).await
    }

    /// Takes the states that are told at the beginning.
    async fn past_the_beginning(mut self) -> Self {
        while self.pull(0).await > 0 {}
        self.waiting.clear();
        self
    }
}

/// A value of a type, not the one that a property has at first.
fn sample(kind: Kind) -> String {
    match kind.local {
        "boolean" => "true".to_owned(),
        "float" => "12.5".to_owned(),
        "dateTime" => "2026-01-31T12:00:00Z".to_owned(),
        "ReferenceToken" | "KeyID" => "Token_7".to_owned(),
        "string" => "some text, with <signs> & \"quotes\"".to_owned(),
        "RelayLogicalState" => "active".to_owned(),
        "KeyStatus" => "ok".to_owned(),
        "IPv4Address" => "192.0.2.1".to_owned(),
        "IPv6Address" => "2001:db8::1".to_owned(),
        _ if kind.element => {
            format!("<x:{0} xmlns:x=\"{1}\"><x:Part>1</x:Part></x:{0}>", kind.local, kind.ns.uri)
        }
        _ => panic!("there is no sample of {kind:?}: add one"),
    }
}

/// All items of the description, with samples.
fn telling(description: &Description) -> Tell {
    let texts = |items: &[topics::Item], element: bool| -> BTreeMap<String, String> {
        let items = items.iter().filter(|item| item.kind.element == element);
        items.map(|item| (item.name.to_owned(), sample(item.kind))).collect()
    };
    Tell {
        topic: control::prefixed(description),
        source: texts(description.source, false),
        key: texts(description.key, false),
        data: texts(description.data, false),
        elements: texts(description.data, true),
        ..Tell::default()
    }
}

/// Holds the message against the description, item by item.
fn assert_as_described(description: &Description, message: &Message) {
    let named = |list: &Option<oriel_onvif::events::message::ItemList>| -> Vec<(String, String)> {
        list.iter().flat_map(|list| &list.simple_item).map(|item| (item.name.clone(), item.value.clone())).collect()
    };
    let expected = |items: &[topics::Item]| -> Vec<(String, String)> {
        let items = items.iter().filter(|item| !item.kind.element);
        items.map(|item| (item.name.to_owned(), sample(item.kind))).collect()
    };
    let topic = description.topic;
    for (list, items) in
        [(&message.source, description.source), (&message.key, description.key), (&message.data, description.data)]
    {
        assert_eq!(named(list), expected(items), "{topic}");
        assert_eq!(list.is_some(), !items.is_empty(), "{topic}: an empty group");
        for item in items.iter().filter(|item| item.kind.element) {
            let element = list.as_ref().unwrap().element(item.name).unwrap_or_else(|| panic!("{topic}: {}", item.name));
            assert_eq!(*element.name(), item.kind.name(), "{topic}");
            assert!(element.as_xml().contains(">1<"), "{topic}: {}", element.as_xml());
        }
    }
    assert_eq!(message.property_operation.is_some(), description.property, "{topic}");
}

/// The chapter's own list, so that a topic that the table lost is missed here: Core §8.9, then motion and digital input.
const WANTED: [&str; 38] = [
    "Monitoring/ProcessorUsage",
    "Monitoring/LinkStatus",
    "Monitoring/UploadStatus",
    "Monitoring/OperatingTime/DefinedLimitReached",
    "Monitoring/OperatingTime/MeanTimeBetweenFailuresDefaultLimitReached",
    "Monitoring/OperatingTime/MeanTimeBetweenFailuresOperationLimitReached",
    "Monitoring/OperatingTime/LastReset",
    "Monitoring/OperatingTime/LastReboot",
    "Monitoring/OperatingTime/LastClockSynchronization",
    "Monitoring/Maintenance/Last",
    "Monitoring/Maintenance/NextScheduled",
    "Monitoring/Backup/Last",
    "Monitoring/AreaOfOperation/OutsideCertifiedArea",
    "Monitoring/AreaOfOperation/OutsideConfiguredArea",
    "Monitoring/EnvironmentalConditions/RelativeHumidity",
    "Monitoring/EnvironmentalConditions/Temperature",
    "Monitoring/BatteryCapacity",
    "Monitoring/AsynchronousOperationStatus",
    "Device/OperationMode/ShutdownInitiated",
    "Device/OperationMode/UploadInitiated",
    "Monitoring/Washer/LiquidLow",
    "Device/HardwareFailure/FanFailure",
    "Device/HardwareFailure/PowerSupplyFailure",
    "Device/HardwareFailure/StorageFailure",
    "Device/HardwareFailure/TemperatureCritical",
    "Monitoring/GeoLocation",
    "Monitoring/CloudFirmwareUpgrade/Completed",
    "Device/Sensor/Temperature/High",
    "Device/Sensor/Temperature/Low",
    "Device/Sensor/RelativeHumidity/High",
    "Device/Sensor/RelativeHumidity/Low",
    "Device/Sensor/AbsoluteHumidity/High",
    "Device/Sensor/AbsoluteHumidity/Low",
    "VideoSource/MotionAlarm",
    "RuleEngine/CellMotionDetector/Motion",
    "Device/Trigger/DigitalInput",
    "Device/Trigger/Relay",
    "Advancedsecurity/Keystore/KeyStatus",
];

#[tokio::test]
async fn each_topic_of_the_table_told_by_the_control_socket_arrives_as_its_description_says() {
    let camera = quiet().await;
    let mut listening = Listening::to(&camera).await.past_the_beginning().await;
    let mut told = BTreeSet::new();
    for description in topics::catalogue() {
        let reply = camera.tell(telling(description)).await;
        if description.topic == "EventBuffer/Begin" {
            // Only the store itself can know where it begins.
            assert!(matches!(reply, Reply::Refused(Refusal { kind: RefusalKind::NotOffered, .. })), "{reply:?}");
            continue;
        }
        assert!(matches!(&reply, Reply::Told(told) if told.topic == control::prefixed(description)), "{reply:?}");
        assert_as_described(description, &listening.next(description.topic).await);
        assert!(
            listening.waiting.is_empty(),
            "{}: more came than was told: {:?}",
            description.topic,
            listening.waiting
        );
        told.insert(description.topic);
    }
    let missing: Vec<_> = WANTED.iter().filter(|topic| !told.contains(**topic)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn what_a_camera_maker_tells_by_the_handle_is_the_same() {
    let camera = quiet().await;
    let mut listening = Listening::to(&camera).await.past_the_beginning().await;
    let events = camera.device.events();
    let operation = occurrences::AsynchronousOperation {
        token: "export-1",
        operation_name: "ExportRecordedData",
        service_name: "recording",
    };
    let file = occurrences::FileProgress { file_name: "a.mp4".to_owned(), progress: 0.5 };
    let failure = Fault::action("the disk is full");
    for occurrence in [
        occurrences::upload_status(40.0),
        occurrences::asynchronous_operation(&operation, 0.25, &[file]),
        occurrences::asynchronous_operation_failed(&operation, 0.5, &failure),
        occurrences::cloud_firmware_upgrade_completed(camera.device.uuid(), true, "2.7.1"),
        occurrences::geo_location("gps", occurrences::GeoLocation { lon: 13.4, lat: 52.5, elevation: None }),
    ] {
        events.tell(occurrence).unwrap();
    }
    assert_eq!(listening.next("Monitoring/UploadStatus").await.value("Status"), Some("40"));
    let running = listening.next("Monitoring/AsynchronousOperationStatus").await;
    assert_eq!(running.value("Progress"), Some("0.25"));
    let files = running.data.as_ref().unwrap().element("FileProgressStatus").unwrap().as_xml();
    assert!(files.contains("FileName>a.mp4<") && files.contains("Progress>0.5<"), "{files}");
    let failed = listening.next("Monitoring/AsynchronousOperationStatus").await;
    let error = failed.data.as_ref().unwrap().element("Error").unwrap();
    assert_eq!((error.name().local.as_ref(), error.as_xml().contains("the disk is full")), ("Fault", true));
    let upgraded = listening.next("Monitoring/CloudFirmwareUpgrade/Completed").await;
    assert_eq!(upgraded.value("UUID"), Some(camera.device.uuid().to_string().as_str()));
    let place = listening.next("Monitoring/GeoLocation").await;
    let place = place.data.as_ref().unwrap().element("CurrentLocation").unwrap().as_xml().to_owned();
    assert!(
        place.contains("lon=\"13.4\"") && place.contains("lat=\"52.5\"") && !place.contains("elevation"),
        "{place}"
    );
}

#[tokio::test]
async fn a_listener_is_told_the_states_that_are_known_from_the_start() {
    let camera = quiet().await;
    let mut listening = Listening::to(&camera).await;
    let reset = listening.next("Monitoring/OperatingTime/LastReset").await;
    assert_eq!(reset.property_operation, Some(PropertyOperation::Initialized));
    let reset: Timestamp = reset.value("Status").unwrap().parse().unwrap();
    assert!((Timestamp::now() - reset).get_seconds() < 60, "the first start is the reset: {reset}");
    for topic in ["Monitoring/Backup/Last", "Monitoring/OperatingTime/LastClockSynchronization"] {
        assert_eq!(listening.next(topic).await.value("Status"), Some("1970-01-01T00:00:00Z"), "{topic}");
    }
    let motion = listening.next("VideoSource/MotionAlarm").await;
    assert_eq!((motion.value("Source"), motion.value("State")), (Some("VideoSource_1"), Some("false")));
    let input = listening.next("Device/Trigger/DigitalInput").await;
    assert_eq!((input.value("InputToken"), input.value("LogicalState")), (Some("DigitalInput_1"), Some("false")));
}

#[tokio::test]
async fn motion_begins_and_ends_and_a_source_goes() {
    let camera = quiet().await;
    let mut listening = Listening::to(&camera).await.past_the_beginning().await;
    let tell = |state: &str, gone: bool| Tell {
        topic: "VideoSource/MotionAlarm".to_owned(),
        data: if gone { BTreeMap::new() } else { [("State".to_owned(), state.to_owned())].into() },
        gone,
        ..Tell::default()
    };
    // The same again is no news.
    for (state, gone) in [("true", false), ("true", false), ("false", false), ("", true)] {
        assert!(matches!(camera.tell(tell(state, gone)).await, Reply::Told(_)));
    }
    let topic = "VideoSource/MotionAlarm";
    let mut seen = Vec::new();
    for _ in 0..3 {
        let message = listening.next(topic).await;
        assert_eq!(message.value("Source"), Some("VideoSource_1"), "filled in, since there is one");
        seen.push((message.property_operation.unwrap(), message.value("State").map(str::to_owned)));
    }
    let (on, off) = (Some("true".to_owned()), Some("false".to_owned()));
    let expected =
        [(PropertyOperation::Changed, on), (PropertyOperation::Changed, off), (PropertyOperation::Deleted, None)];
    assert_eq!(seen, expected);
}

/// A made-up machine.
fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    // As sysfs: what is there is there at once.
    let mut new = tempfile::NamedTempFile::new_in(root).unwrap();
    writeln!(new, "{text}").unwrap();
    new.persist(file).unwrap();
}

async fn on_machine(root: &Path) -> Camera {
    let root = root.to_owned();
    Camera::start_with(|config| {
        let mut machine = Machine::default();
        (machine.root, machine.every) = (root, Duration::from_millis(20));
        (config.sources.machine, config.sources.topics) = (Some(machine), Vec::new());
    })
    .await
}

/// A machine that has everything.
const BOARD: [(&str, &str); 19] = [
    ("proc/stat", "cpu  100 0 0 900 0 0 0 0 0 0\nbtime 1700000000"),
    ("sys/class/net/eth0/operstate", "up"),
    ("sys/class/net/eth0/speed", "1000"),
    ("sys/class/net/eth0/duplex", "full"),
    ("sys/class/thermal/thermal_zone0/temp", "41000"),
    ("sys/class/thermal/thermal_zone0/trip_point_0_type", "critical"),
    ("sys/class/thermal/thermal_zone0/trip_point_0_temp", "90000"),
    ("sys/class/hwmon/hwmon0/name", "board"),
    ("sys/class/hwmon/hwmon0/humidity1_input", "50000"),
    ("sys/class/hwmon/hwmon0/fan1_input", "1000"),
    ("sys/class/hwmon/hwmon0/fan1_fault", "0"),
    ("sys/class/hwmon/hwmon0/temp1_input", "30000"),
    ("sys/class/hwmon/hwmon0/temp1_max", "60000"),
    ("sys/class/power_supply/BAT0/type", "Battery"),
    ("sys/class/power_supply/BAT0/capacity", "80"),
    ("sys/class/power_supply/AC/type", "Mains"),
    ("sys/class/power_supply/AC/online", "1"),
    ("sys/block/sda/device/state", "running"),
    ("run/systemd/timesync/synchronized", ""),
];

#[tokio::test]
async fn what_happens_to_the_machine_arrives_at_a_pull_point() {
    let machine = tempfile::tempdir().unwrap();
    let set = |path: &str, text: &str| write(machine.path(), path, text);
    for (path, text) in BOARD {
        set(path, text);
    }
    let camera = on_machine(machine.path()).await;
    let mut listening = Listening::to(&camera).await;

    // First what it is.
    let link = listening.next("Monitoring/LinkStatus").await;
    assert_eq!((link.property_operation, link.value("Token")), (Some(PropertyOperation::Initialized), Some("eth0")));
    let setting = link.data.as_ref().unwrap().element("Link").unwrap().as_xml();
    assert!(setting.contains("Speed>1000<") && setting.contains("Duplex>Full<"), "{setting}");
    let first = [
        ("Monitoring/OperatingTime/LastReboot", "Status", "2023-11-14T22:13:20Z"),
        ("Monitoring/EnvironmentalConditions/Temperature", "Status", "41"),
        ("Monitoring/EnvironmentalConditions/RelativeHumidity", "Status", "50"),
        ("Monitoring/BatteryCapacity", "PercentageRemainingCapacity", "80"),
        ("Device/HardwareFailure/FanFailure", "Failed", "false"),
        ("Device/HardwareFailure/PowerSupplyFailure", "Failed", "false"),
        ("Device/HardwareFailure/StorageFailure", "Failed", "false"),
        ("Device/HardwareFailure/TemperatureCritical", "Critical", "false"),
    ];
    for (topic, item, value) in first {
        assert_eq!(listening.next(topic).await.value(item), Some(value), "{topic}");
    }
    let set_right = listening.next("Monitoring/OperatingTime/LastClockSynchronization").await;
    let set_right: Timestamp = set_right.value("Status").unwrap().parse().unwrap();
    assert!((Timestamp::now() - set_right).get_seconds() < 60, "{set_right}");

    // Then what becomes of it.
    set("proc/stat", "cpu  350 0 0 1650 0 0 0 0 0 0\nbtime 1700000000");
    set("sys/class/net/eth0/operstate", "down");
    set("sys/class/thermal/thermal_zone0/temp", "95000");
    set("sys/class/hwmon/hwmon0/humidity1_input", "52000");
    set("sys/class/hwmon/hwmon0/fan1_fault", "1");
    set("sys/class/hwmon/hwmon0/temp1_input", "61000");
    set("sys/class/power_supply/BAT0/capacity", "70");
    set("sys/class/power_supply/AC/online", "0");
    set("sys/block/sda/device/state", "offline");
    let usage = listening.next("Monitoring/ProcessorUsage").await;
    assert_eq!((usage.value("Token"), usage.value("Value")), (Some("cpu"), Some("25")));
    let link = listening.next("Monitoring/LinkStatus").await;
    assert!(link.data.as_ref().unwrap().element("Link").unwrap().as_xml().contains("Speed>0<"));
    let then = [
        ("Monitoring/EnvironmentalConditions/Temperature", "Status", "95"),
        ("Monitoring/EnvironmentalConditions/RelativeHumidity", "Status", "52"),
        ("Monitoring/BatteryCapacity", "PercentageRemainingCapacity", "70"),
        ("Device/HardwareFailure/FanFailure", "Failed", "true"),
        ("Device/HardwareFailure/PowerSupplyFailure", "Failed", "true"),
        ("Device/HardwareFailure/StorageFailure", "Failed", "true"),
        ("Device/HardwareFailure/TemperatureCritical", "Critical", "true"),
    ];
    for (topic, item, value) in then {
        let message = listening.next_that(topic, |message| message.value(item) == Some(value)).await;
        assert_eq!(message.property_operation, Some(PropertyOperation::Changed), "{topic}");
    }
    let hot = listening.next("Device/Sensor/Temperature/High").await;
    assert_eq!(
        (hot.value("SensorID"), hot.value("Value"), hot.value("Threshold")),
        (Some("board:temp1"), Some("61"), Some("60"))
    );
}

#[tokio::test]
async fn what_the_machine_does_not_have_is_not_offered_and_what_is_plugged_in_is() {
    let machine = tempfile::tempdir().unwrap();
    write(machine.path(), "proc/stat", "cpu  100 0 0 900 0 0 0 0 0 0");
    let camera = on_machine(machine.path()).await;
    let offered = async || -> Vec<String> {
        let Reply::Topics(topics) = camera.control(&Asked::List {}).await else { panic!("no list") };
        topics.into_iter().map(|topic| topic.topic.trim_start_matches("tns1:").to_owned()).collect()
    };
    let before = offered().await;
    let expected = [
        "Monitoring/OperatingTime/LastReset",
        "Device/OperationMode/ShutdownInitiated",
        "Advancedsecurity/Keystore/KeyStatus",
        "Monitoring/ProcessorUsage",
    ];
    for topic in expected {
        assert!(before.contains(&topic.to_owned()), "{topic}: {before:?}");
    }
    assert!(!before.contains(&"Monitoring/BatteryCapacity".to_owned()), "{before:?}");
    let battery = Tell {
        topic: "Monitoring/BatteryCapacity".to_owned(),
        data: [("PercentageRemainingCapacity".to_owned(), "50".to_owned())].into(),
        ..Tell::default()
    };
    let Reply::Refused(refusal) = camera.tell(battery).await else { panic!("it is not offered") };
    assert_eq!(refusal.kind, RefusalKind::NotOffered);
    assert!(refusal.known.contains(&"tns1:Monitoring/ProcessorUsage".to_owned()), "{refusal:?}");

    let mut listening = Listening::to(&camera).await;
    write(machine.path(), "sys/class/power_supply/BAT0/type", "Battery");
    write(machine.path(), "sys/class/power_supply/BAT0/capacity", "64");
    let told = listening.next("Monitoring/BatteryCapacity").await;
    assert_eq!(told.value("PercentageRemainingCapacity"), Some("64"));
    assert!(offered().await.contains(&"Monitoring/BatteryCapacity".to_owned()));
    let properties = camera.ask(ADMINISTRATOR, &GetEventProperties::default()).await.unwrap();
    let set = format!("{:?}", properties.topic_set);
    assert!(set.contains("BatteryCapacity") && !set.contains("GeoLocation"), "{set}");
}

#[tokio::test]
async fn a_backup_is_remembered_over_a_restart_and_the_reset_stays_the_first_start() {
    let Camera { device, folder } = quiet().await;
    let camera = Camera { device, folder };
    let reset = Listening::to(&camera).await.next("Monitoring/OperatingTime/LastReset").await;
    let backup = Tell {
        topic: "Monitoring/Backup/Last".to_owned(),
        data: [("Status".to_owned(), "2026-01-31T12:00:00Z".to_owned())].into(),
        ..Tell::default()
    };
    assert!(matches!(camera.tell(backup).await, Reply::Told(_)));
    let document = camera.data().join("state.json");
    // The keeper follows what is told; the file says when it has.
    tokio::time::timeout(Duration::from_secs(PATIENCE as u64), async {
        while !std::fs::read_to_string(&document).unwrap().contains("2026-01-31T12:00:00Z") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let Camera { device, folder } = camera;
    device.stop().await;
    let again = Camera {
        device: Device::start(config(&folder, |config| config.sources.machine = None)).await.unwrap(),
        folder,
    };
    let mut listening = Listening::to(&again).await;
    assert_eq!(listening.next("Monitoring/Backup/Last").await.value("Status"), Some("2026-01-31T12:00:00Z"));
    let same = listening.next("Monitoring/OperatingTime/LastReset").await;
    assert_eq!(same.value("Status"), reset.value("Status"));
}

#[tokio::test]
async fn whoever_waits_is_told_that_the_device_stops() {
    let camera = quiet().await;
    let Listening { path, .. } = Listening::to(&camera).await.past_the_beginning().await;
    let address = camera.address();
    let request = PullMessages::with(|pull| {
        (pull.timeout, pull.message_limit) = (Span(SignedDuration::from_secs(60)), 10);
    });
    let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
    let waiting = tokio::spawn(send(address, soap(&path, with_token(&request, token))));
    // The pull is under way when the device says that another one is not let in; asked by a second connection.
    tokio::time::timeout(Duration::from_secs(PATIENCE as u64), async {
        loop {
            let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
            let second = PullMessages::with(|pull| pull.message_limit = 1);
            if camera.post(&path, with_token(&second, token)).await.status != StatusCode::OK {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("the pull never began"));
    let Camera { device, folder: _folder } = camera;
    device.stop().await;
    let answer = waiting.await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.text.contains("Device/OperationMode/ShutdownInitiated"), "{}", answer.text);
}

#[tokio::test]
async fn a_key_is_told_when_it_is_wanted_and_when_it_is_made() {
    let camera = quiet().await;
    let mut listening = Listening::to(&camera).await.past_the_beginning().await;
    let made = camera
        .ask(ADMINISTRATOR, &CreateECCKeyPair::with(|request| request.elliptic_curve = "secp256r1".to_owned()))
        .await
        .unwrap();
    let topic = "Advancedsecurity/Keystore/KeyStatus";
    let (first, second) = (listening.next(topic).await, listening.next(topic).await);
    for message in [&first, &second] {
        assert_eq!(message.value("KeyID"), Some(made.key_id.as_str()));
        assert_eq!(message.property_operation, None);
    }
    assert_eq!((first.value("OldStatus"), first.value("NewStatus")), (None, Some("generating")));
    assert_eq!((second.value("OldStatus"), second.value("NewStatus")), (Some("generating"), Some("ok")));
}

#[tokio::test]
async fn the_socket_is_its_owner_s_is_found_below_a_long_path_and_goes_with_the_device() {
    let camera = quiet().await;
    let socket = camera.data().join(control::SOCKET);
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let Camera { device, folder } = camera;
    device.stop().await;
    assert!(!socket.exists());
    let gone = control::ask(&folder.path().join("data"), &Asked::List {}).await.unwrap_err();
    assert!(matches!(gone, control::AskError::NoDevice(_)), "{gone}");

    let long = folder.path().join("a".repeat(100)).join("b".repeat(100));
    let device = Device::start(config(&folder, |config| config.data = long.clone())).await.unwrap();
    assert!(matches!(control::ask(&long, &Asked::List {}).await.unwrap(), Reply::Topics(_)));
    assert_eq!(std::fs::metadata(long.join(control::SOCKET)).unwrap().permissions().mode() & 0o777, 0o600);
    device.stop().await;
    assert!(!long.join(control::SOCKET).exists());
}

#[tokio::test]
async fn a_socket_that_a_killed_device_left_is_replaced_and_a_file_in_its_place_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let socket = data.join(control::SOCKET);
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists(), "as a killed device leaves it");
    let stale = control::ask(&data, &Asked::List {}).await.unwrap_err();
    assert!(matches!(stale, control::AskError::NoDevice(_)), "{stale}");
    let device = Device::start(config(&folder, |_| {})).await.unwrap();
    assert!(matches!(control::ask(&data, &Asked::List {}).await.unwrap(), Reply::Topics(_)));
    device.stop().await;

    std::fs::write(&socket, "precious").unwrap();
    let refused = Device::start(config(&folder, |_| {})).await.unwrap_err().to_string();
    assert!(refused.contains("control.sock") && refused.contains("no socket"), "{refused}");
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "precious");
}

#[tokio::test]
async fn hostile_lines_are_refused_and_the_device_goes_on() {
    let camera = quiet().await;
    let socket = camera.data().join(control::SOCKET);
    let say = async |bytes: &[u8]| -> String {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        // The device may close before all is said.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    let deep = [vec![b'['; 60_000], vec![b'\n']].concat();
    let long = [vec![b'x'; 1_000_000], vec![b'\n']].concat();
    let hostile: [&[u8]; 10] = [
        b"\n",
        b"null\n",
        b"{}\n",
        b"{\"tell\":{}}\n",
        b"{\"tell\":{\"topic\":7}}\n",
        b"{\"tell\":{\"topic\":\"tns1:VideoSource/MotionAlarm\",\"rights\":\"all\"}}\n",
        b"{\"list\":{}} {\"list\":{}}\n",
        b"\xff\xfe\n",
        &deep,
        &long,
    ];
    for bytes in hostile {
        let answer = say(bytes).await;
        let reply: Reply = serde_json::from_str(answer.trim()).unwrap_or_else(|error| panic!("{error}: {answer}"));
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(matches!(reply, Reply::Refused(Refusal { kind: RefusalKind::Request, .. })), "{shown}: {reply:?}");
    }
    assert_eq!(say(b"").await, "");
    // Several on one connection, and a last one without an end.
    let answers = say(b"{\"list\":{}}\nnonsense\n{\"list\":{}}").await;
    let kinds: Vec<_> = answers.lines().map(|line| &line[..9]).collect();
    assert_eq!(kinds, ["{\"topics\"", "{\"refused", "{\"topics\""]);
    // Those who say nothing take places; whoever comes then is answered once they go.
    let silent: Vec<UnixStream> =
        futures_util::future::join_all((0..8).map(async |_| UnixStream::connect(&socket).await.unwrap())).await;
    let waiting = say(b"{\"list\":{}}\n");
    drop(silent);
    assert!(waiting.await.starts_with("{\"topics\""));
}

#[tokio::test]
async fn the_list_says_what_the_descriptions_say() {
    let camera = quiet().await;
    let Reply::Topics(listed) = camera.control(&Asked::List {}).await else { panic!("no list") };
    let listed: HashMap<_, _> = listed.into_iter().map(|topic| (topic.topic.clone(), topic)).collect();
    assert_eq!(listed.len(), topics::catalogue().len() - 1, "all but the one that only the store can tell");
    let keys = &listed["tns1:Advancedsecurity/Keystore/KeyStatus"];
    let item = |name: &str, kind: &str, optional| Item {
        name: name.to_owned(),
        kind: kind.to_owned(),
        element: false,
        optional,
    };
    assert!(!keys.property);
    assert_eq!(keys.source, [item("KeyID", "tas:KeyID", false)]);
    assert_eq!(keys.data, [item("OldStatus", "tas:KeyStatus", true), item("NewStatus", "tas:KeyStatus", false)]);
    assert!(listed["tns1:Monitoring/LinkStatus"].data[0].element);
}
