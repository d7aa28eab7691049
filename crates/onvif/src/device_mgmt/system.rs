//! The system (Core §8.3).

use super::legacy_capabilities::Extension;
use crate::ns;
use oriel_soap::xml::{AnyAttribute, XmlRead, XmlWrite};

/// Asks what device this is (§8.3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetDeviceInformation {}

/// What device this is.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetDeviceInformationResponse {
    /// Who made it.
    pub manufacturer: String,
    /// What it is.
    pub model: String,
    /// What runs on it.
    pub firmware_version: String,
    /// Which one it is.
    pub serial_number: String,
    /// What it is made of.
    pub hardware_id: String,
}

/// Asks for the time (§8.3.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetSystemDateAndTime {}

/// The time.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetSystemDateAndTimeResponse {
    /// The time.
    pub system_date_and_time: SystemDateTime,
}

/// The time, and where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct SystemDateTime {
    /// Where it comes from.
    pub date_time_type: SetDateTimeType,
    /// Daylight saving is in force.
    pub daylight_savings: bool,
    /// Time zone.
    pub time_zone: Option<TimeZone>,
    /// UTC.
    #[xml(name = "UTCDateTime")]
    pub utc_date_time: Option<DateTime>,
    /// Local time.
    pub local_date_time: Option<DateTime>,
    /// More.
    pub extension: Option<Extension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Where the time comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum SetDateTimeType {
    /// Set by hand.
    #[default]
    Manual,
    /// By NTP.
    #[xml(name = "NTP")]
    Ntp,
}

/// A time zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct TimeZone {
    /// In the manner of POSIX 1003.1, §8.3.
    #[xml(token, name = "TZ")]
    pub tz: String,
}

/// Date and time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct DateTime {
    /// Time.
    pub time: Time,
    /// Date.
    pub date: Date,
}

/// A time of day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Time {
    /// 0 to 23.
    pub hour: i32,
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 61.
    pub second: i32,
}

/// A date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Date {
    /// Year.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
}
