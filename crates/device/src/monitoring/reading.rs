//! What one look at the host gives (Core §8.9). What a host does not have is absent.

use jiff::Timestamp;

/// One look at the host.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// The processors' time so far.
    pub(crate) processor: Option<Ticks>,
    /// The network interfaces, unless the look was a quick one that left them out.
    pub(crate) links: Vec<Link>,
    /// What changes slowly; a quick look leaves it out.
    pub(crate) slow: Option<Slow>,
}

/// What is looked at now and then only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Slow {
    /// The temperature of the device in degrees Celsius: that of its hottest part.
    pub(crate) temperature: Option<f32>,
    /// Whether a part is as hot as its maker calls critical; absent when no part has such a limit.
    pub(crate) temperature_critical: Option<bool>,
    /// Relative humidity in percent.
    pub(crate) humidity: Option<f32>,
    /// Sensors with limits.
    pub(crate) sensors: Vec<Sensor>,
    /// What is left in the batteries, in percent.
    pub(crate) battery: Option<f32>,
    /// The fans that can tell a failure.
    pub(crate) fans: Vec<Part>,
    /// The power supplies.
    pub(crate) supplies: Vec<Part>,
    /// The mass storage that can tell a failure.
    pub(crate) storage: Vec<Part>,
    /// When the host booted, by its clock of now.
    pub(crate) booted: Option<Timestamp>,
    /// When its clock was last set by NTP.
    pub(crate) synchronised: Option<Timestamp>,
}

/// How long processors worked and how long they were there, in any unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    /// At work.
    pub(crate) busy: u64,
    /// At work or idle.
    pub(crate) total: u64,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its name, which is its token in GetNetworkInterfaces.
    pub(crate) token: String,
    /// Whether there is a carrier.
    pub(crate) up: bool,
    /// Megabits a second, where the driver tells it.
    pub(crate) speed: Option<i32>,
    /// Whether it sends and receives at once, where the driver tells it.
    pub(crate) full_duplex: Option<bool>,
    /// Whether it negotiates, where the driver tells it.
    pub(crate) negotiates: Option<bool>,
}

/// A part that works or has failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) token: String,
    /// Whether it has failed.
    pub(crate) failed: bool,
}

/// What a sensor measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measured {
    /// Degrees Celsius.
    Temperature,
    /// Percent.
    RelativeHumidity,
}

/// A sensor with a limit or two.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sensor {
    /// Its name.
    pub(crate) id: String,
    /// What it measures.
    pub(crate) measured: Measured,
    /// What it shows.
    pub(crate) value: f32,
    /// Above this it is too much.
    pub(crate) high: Option<f32>,
    /// Below this it is too little.
    pub(crate) low: Option<f32>,
}
