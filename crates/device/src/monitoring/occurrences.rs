//! What a device has to tell, each in the words of its topic (Core §8.9, Device IO §5.10, Imaging §5.5, Security §5.5.8.1): what is made here
//! is told by [`Events::tell`](crate::events::Events::tell).
//!
//! ```no_run
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! use oriel_device::{Config, Device, occurrences};
//!
//! let device = Device::start(Config::new("/var/lib/camera")).await?;
//! let events = device.events();
//! // Somebody walks by.
//! events.tell(occurrences::motion_alarm("VideoSource_1", true))?;
//! // Nothing moves any more: whoever tells that something began tells its end too.
//! events.tell(occurrences::motion_alarm("VideoSource_1", false))?;
//! # Ok(())
//! # }
//! ```
//!
//! A topic that has no function here is told by its description: [`Occurrence::of`] one of
//! [`topics::find`](oriel_onvif::events::topics::find).

use crate::events::Occurrence;
use jiff::Timestamp;
use oriel_onvif::device_mgmt::NetworkInterfaceConnectionSetting;
use oriel_onvif::events::message::ElementItem;
use oriel_onvif::events::topics::{self, Description, Kind};
use oriel_onvif::ns;
use oriel_soap::Fault;
use oriel_soap::ns::ENV;
use oriel_soap::xml::{Any, Prefixes, ToText, XmlWrite};
use std::fmt;
use uuid::Uuid;

/// When something happened that never did (Core §8.9.4).
pub const NEVER: Timestamp = Timestamp::UNIX_EPOCH;

/// The topics that the device feeds by itself, or that are told here; `tns1` is understood.
pub(crate) mod topic {
    pub(crate) const PROCESSOR_USAGE: &str = "Monitoring/ProcessorUsage";
    pub(crate) const LINK_STATUS: &str = "Monitoring/LinkStatus";
    pub(crate) const LAST_RESET: &str = "Monitoring/OperatingTime/LastReset";
    pub(crate) const LAST_REBOOT: &str = "Monitoring/OperatingTime/LastReboot";
    pub(crate) const LAST_CLOCK_SYNCHRONIZATION: &str = "Monitoring/OperatingTime/LastClockSynchronization";
    pub(crate) const RELATIVE_HUMIDITY: &str = "Monitoring/EnvironmentalConditions/RelativeHumidity";
    pub(crate) const TEMPERATURE: &str = "Monitoring/EnvironmentalConditions/Temperature";
    pub(crate) const BATTERY_CAPACITY: &str = "Monitoring/BatteryCapacity";
    pub(crate) const SHUTDOWN_INITIATED: &str = "Device/OperationMode/ShutdownInitiated";
    pub(crate) const FAN_FAILURE: &str = "Device/HardwareFailure/FanFailure";
    pub(crate) const POWER_SUPPLY_FAILURE: &str = "Device/HardwareFailure/PowerSupplyFailure";
    pub(crate) const STORAGE_FAILURE: &str = "Device/HardwareFailure/StorageFailure";
    pub(crate) const TEMPERATURE_CRITICAL: &str = "Device/HardwareFailure/TemperatureCritical";
    pub(crate) const KEY_STATUS: &str = "Advancedsecurity/Keystore/KeyStatus";
    pub(crate) const DIGITAL_INPUT: &str = "Device/Trigger/DigitalInput";
    pub(crate) const RELAY: &str = "Device/Trigger/Relay";
    pub(crate) const MOTION_ALARM: &str = "VideoSource/MotionAlarm";
}

/// The description of a topic that this file names.
pub(crate) fn described(topic: &'static str) -> &'static Description {
    topics::find(topic).expect("the table has every topic of this file: a test goes through them")
}

fn of(topic: &'static str) -> Occurrence {
    Occurrence::of(described(topic))
}

fn text(value: &(impl ToText + ?Sized)) -> String {
    value.to_text(&mut Prefixes::default()).into_owned()
}

/// Puts an element into the data, under the name that its type has in its schema.
fn with_element(mut occurrence: Occurrence, item: &str, kind: Kind, value: &impl XmlWrite) -> Occurrence {
    let element = Any::of(kind.ns, kind.local, value);
    occurrence.data.element_item.push(ElementItem::new(item, element));
    occurrence
}

/// A property of the whole device whose one item is `Status`.
fn status(topic: &'static str, value: &(impl ToText + ?Sized)) -> Occurrence {
    of(topic).data("Status", text(value))
}

/// How busy a processor is: its average over some seconds, in percent (Core §8.9.1).
pub fn processor_usage(token: &str, percent: f32) -> Occurrence {
    of(topic::PROCESSOR_USAGE).source("Token", token).data("Value", text(&percent))
}

/// How the link of a network interface runs (Core §8.9.2).
pub fn link_status(token: &str, link: &NetworkInterfaceConnectionSetting) -> Occurrence {
    with_element(of(topic::LINK_STATUS).source("Token", token), "Link", Kind::CONNECTION, link)
}

/// How far an upload of firmware or of system information is, in percent (Core §8.9.3).
pub fn upload_status(percent: f32) -> Occurrence {
    status("Monitoring/UploadStatus", &percent)
}

/// Whether the device has worked as long as it is meant to (Core §8.9.4).
pub fn defined_limit_reached(reached: bool) -> Occurrence {
    status("Monitoring/OperatingTime/DefinedLimitReached", &reached)
}

/// Whether the device has worked as long as its kind does between two failures (Core §8.9.4).
pub fn mean_time_between_failures_default_limit_reached(reached: bool) -> Occurrence {
    status("Monitoring/OperatingTime/MeanTimeBetweenFailuresDefaultLimitReached", &reached)
}

/// Whether the device has worked as long as its kind does between two failures, as it is operated (Core §8.9.4).
pub fn mean_time_between_failures_operation_limit_reached(reached: bool) -> Occurrence {
    status("Monitoring/OperatingTime/MeanTimeBetweenFailuresOperationLimitReached", &reached)
}

/// When the device was last reset to factory settings (Core §8.9.4).
pub fn last_reset(time: Timestamp) -> Occurrence {
    status(topic::LAST_RESET, &time)
}

/// When the device last booted (Core §8.9.4).
pub fn last_reboot(time: Timestamp) -> Occurrence {
    status(topic::LAST_REBOOT, &time)
}

/// When the clock was last set by NTP or by SetSystemDateAndTime (Core §8.9.4).
pub fn last_clock_synchronization(time: Timestamp) -> Occurrence {
    status(topic::LAST_CLOCK_SYNCHRONIZATION, &time)
}

/// When somebody last serviced the device (Core §8.9.4).
pub fn last_maintenance(time: Timestamp) -> Occurrence {
    status("Monitoring/Maintenance/Last", &time)
}

/// When it is to be serviced next (Core §8.9.4).
pub fn next_scheduled_maintenance(time: Timestamp) -> Occurrence {
    status("Monitoring/Maintenance/NextScheduled", &time)
}

/// When somebody last fetched a backup of the configuration (Core §8.9.4).
pub fn last_backup(time: Timestamp) -> Occurrence {
    status("Monitoring/Backup/Last", &time)
}

/// Whether the device works beyond what it is certified for (Core §8.9.4).
pub fn outside_certified_area(outside: bool) -> Occurrence {
    status("Monitoring/AreaOfOperation/OutsideCertifiedArea", &outside)
}

/// Whether the device works beyond what it is configured for (Core §8.9.4).
pub fn outside_configured_area(outside: bool) -> Occurrence {
    status("Monitoring/AreaOfOperation/OutsideConfiguredArea", &outside)
}

/// The relative humidity in percent (Core §8.9.5).
pub fn relative_humidity(percent: f32) -> Occurrence {
    status(topic::RELATIVE_HUMIDITY, &percent)
}

/// The temperature of the device in degrees Celsius (Core §8.9.5).
pub fn temperature(celsius: f32) -> Occurrence {
    status(topic::TEMPERATURE, &celsius)
}

/// What is left in the battery, in percent (Core §8.9.6).
pub fn battery_capacity(percent: f32) -> Occurrence {
    of(topic::BATTERY_CAPACITY).data("PercentageRemainingCapacity", text(&percent))
}

/// An operation that goes on after its answer (Core §8.9.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsynchronousOperation<'a> {
    /// What the answer named it by; a new one each time.
    pub token: &'a str,
    /// The operation.
    pub operation_name: &'a str,
    /// The service that has the operation.
    pub service_name: &'a str,
}

/// How far a file is.
#[derive(Debug, Clone, Default, PartialEq, XmlWrite)]
#[xml(ns = ns::TT)]
pub struct FileProgress {
    /// Its name.
    pub file_name: String,
    /// From 0 to 1.
    pub progress: f32,
}

#[derive(XmlWrite)]
#[xml(ns = ns::TT)]
struct ArrayOfFileProgress {
    file_progress: Vec<FileProgress>,
}

/// How far an operation is, from 0 to 1, and each of its files, if it has any (Core §8.9.7).
pub fn asynchronous_operation(
    operation: &AsynchronousOperation<'_>,
    progress: f32,
    files: &[FileProgress],
) -> Occurrence {
    let told = of("Monitoring/AsynchronousOperationStatus")
        .source("Token", operation.token)
        .source("OperationName", operation.operation_name)
        .source("ServiceName", operation.service_name)
        .data("Progress", text(&progress));
    if files.is_empty() {
        return told;
    }
    with_element(told, "FileProgressStatus", Kind::FILES, &ArrayOfFileProgress { file_progress: files.to_vec() })
}

/// That an operation failed, having come as far as `progress` (Core §8.9.7).
pub fn asynchronous_operation_failed(
    operation: &AsynchronousOperation<'_>,
    progress: f32,
    error: &Fault,
) -> Occurrence {
    let told = asynchronous_operation(operation, progress, &[]);
    with_element(told, "Error", Kind { ns: ENV, ..Kind::FAULT }, error)
}

/// That the device is about to stop (Core §8.9.8). [`Device::stop`](crate::Device::stop) tells it by itself.
pub fn shutdown_initiated() -> Occurrence {
    of(topic::SHUTDOWN_INITIATED)
}

/// That an upload begins (Core §8.9.8).
pub fn upload_initiated() -> Occurrence {
    of("Device/OperationMode/UploadInitiated")
}

/// Whether the washer's tank is nearly empty (Core §8.9.9).
pub fn liquid_low(low: bool) -> Occurrence {
    of("Monitoring/Washer/LiquidLow").data("IsLow", text(&low))
}

/// Whether a fan has failed (Core §8.9.10).
pub fn fan_failure(token: &str, failed: bool) -> Occurrence {
    failure(topic::FAN_FAILURE, token, failed)
}

/// Whether a power supply has failed (Core §8.9.10).
pub fn power_supply_failure(token: &str, failed: bool) -> Occurrence {
    failure(topic::POWER_SUPPLY_FAILURE, token, failed)
}

/// Whether a mass storage device has failed (Core §8.9.10).
pub fn storage_failure(token: &str, failed: bool) -> Occurrence {
    failure(topic::STORAGE_FAILURE, token, failed)
}

pub(crate) fn failure(topic: &'static str, token: &str, failed: bool) -> Occurrence {
    of(topic).source("Token", token).data("Failed", text(&failed))
}

/// Whether the device is too hot or too cold to go on (Core §8.9.10).
pub fn temperature_critical(critical: bool) -> Occurrence {
    of(topic::TEMPERATURE_CRITICAL).data("Critical", text(&critical))
}

/// A place on earth.
#[derive(Debug, Clone, Copy, Default, PartialEq, XmlWrite)]
pub struct GeoLocation {
    /// East of Greenwich, in degrees.
    #[xml(attr, name = "lon")]
    pub lon: f64,
    /// North of the equator, in degrees.
    #[xml(attr, name = "lat")]
    pub lat: f64,
    /// Above the sea, in metres.
    #[xml(attr, name = "elevation")]
    pub elevation: Option<f32>,
}

/// Where the device is (Core §8.9.11).
pub fn geo_location(token: &str, location: GeoLocation) -> Occurrence {
    let told = of("Monitoring/GeoLocation").source("Token", token);
    with_element(told, "CurrentLocation", Kind::LOCATION, &location)
}

/// How an upgrade of the firmware by a cloud ended; `uuid` is the device's (Core §8.9.12).
pub fn cloud_firmware_upgrade_completed(uuid: Uuid, success: bool, information: &str) -> Occurrence {
    of("Monitoring/CloudFirmwareUpgrade/Completed")
        .source("UUID", uuid.to_string())
        .data("Success", text(&success))
        .data("Information", information)
}

/// What a sensor measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// In degrees Celsius.
    Temperature,
    /// In percent.
    RelativeHumidity,
    /// In grams a cubic metre.
    AbsoluteHumidity,
}

/// On which side of its range a sensor left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Too much.
    High,
    /// Too little.
    Low,
}

/// That a sensor left its range (Core §8.9.13). Told once, when it does.
pub fn sensor(quantity: Quantity, side: Side, sensor_id: &str, value: f32, threshold: f32) -> Occurrence {
    of(sensor_topic(quantity, side))
        .source("SensorID", sensor_id)
        .data("Value", text(&value))
        .data("Threshold", text(&threshold))
}

pub(crate) fn sensor_topic(quantity: Quantity, side: Side) -> &'static str {
    match (quantity, side) {
        (Quantity::Temperature, Side::High) => "Device/Sensor/Temperature/High",
        (Quantity::Temperature, Side::Low) => "Device/Sensor/Temperature/Low",
        (Quantity::RelativeHumidity, Side::High) => "Device/Sensor/RelativeHumidity/High",
        (Quantity::RelativeHumidity, Side::Low) => "Device/Sensor/RelativeHumidity/Low",
        (Quantity::AbsoluteHumidity, Side::High) => "Device/Sensor/AbsoluteHumidity/High",
        (Quantity::AbsoluteHumidity, Side::Low) => "Device/Sensor/AbsoluteHumidity/Low",
    }
}

/// How a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// It can be used.
    Ok,
    /// It is being made.
    Generating,
    /// It cannot be used.
    Corrupt,
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Generating => "generating",
            Self::Corrupt => "corrupt",
        })
    }
}

/// That the status of a key changed; the old one is left out when the key is new (Security §5.5.8.1).
pub fn key_status(key_id: &str, old: Option<KeyStatus>, new: KeyStatus) -> Occurrence {
    let told = of(topic::KEY_STATUS).source("KeyID", key_id);
    let told = match old {
        Some(old) => told.data("OldStatus", old.to_string()),
        None => told,
    };
    told.data("NewStatus", new.to_string())
}

/// The state of a digital input: active, or the circuit closed (Device IO §5.10).
pub fn digital_input(token: &str, logical_state: bool) -> Occurrence {
    of(topic::DIGITAL_INPUT).source("InputToken", token).data("LogicalState", text(&logical_state))
}

/// The state of a relay output (Device IO §5.10).
pub fn relay(token: &str, active: bool) -> Occurrence {
    of(topic::RELAY).source("RelayToken", token).data("LogicalState", if active { "active" } else { "inactive" })
}

/// Whether something moves before a video source (Imaging §5.5).
pub fn motion_alarm(video_source: &str, state: bool) -> Occurrence {
    of(topic::MOTION_ALARM).source("Source", video_source).data("State", text(&state))
}

/// Whether a video source gives no picture (Imaging §5.5).
pub fn signal_loss(video_source: &str, state: bool) -> Occurrence {
    of("VideoSource/SignalLoss").source("Source", video_source).data("State", text(&state))
}

/// Whether the cells that a rule watches show motion (Analytics).
pub fn cell_motion(
    video_source_configuration: &str,
    video_analytics_configuration: &str,
    rule: &str,
    is_motion: bool,
) -> Occurrence {
    of("RuleEngine/CellMotionDetector/Motion")
        .source("VideoSourceConfigurationToken", video_source_configuration)
        .source("VideoAnalyticsConfigurationToken", video_analytics_configuration)
        .source("Rule", rule)
        .data("IsMotion", text(&is_motion))
}
