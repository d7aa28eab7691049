//! Temperatures, humidity and fans, by `/sys/class/hwmon`, `/sys/class/thermal` and `/sys/bus/iio`.

use super::{MAX_PARTS, Root, token};
use crate::monitoring::reading::{Measured, Part, Sensor};

const HWMON: &str = "sys/class/hwmon";
const THERMAL: &str = "sys/class/thermal";
const IIO: &str = "sys/bus/iio/devices";

/// What a broken sensor shows is beyond these, in degrees Celsius.
const BELIEVABLE: std::ops::RangeInclusive<f32> = -90.0..=250.0;

#[derive(Debug, Default)]
pub(super) struct Sensors {
    /// The hottest part.
    pub(super) temperature: Option<f32>,
    /// Whether a part has reached its critical limit; absent when none has one.
    pub(super) critical: Option<bool>,
    pub(super) humidity: Option<f32>,
    pub(super) limited: Vec<Sensor>,
    pub(super) fans: Vec<Part>,
}

pub(super) fn read(root: &Root) -> Sensors {
    let mut found = Sensors::default();
    for chip in root.names(HWMON) {
        let folder = format!("{HWMON}/{chip}");
        let name = root.line(&format!("{folder}/name")).unwrap_or(chip);
        for file in root.names(&folder) {
            if let Some(stem) = file.strip_suffix("_input") {
                found.channel(root, &Channel { folder: &folder, chip: &name, stem });
            }
        }
    }
    for zone in root.names(THERMAL) {
        if zone.starts_with("thermal_zone") {
            found.zone(root, &format!("{THERMAL}/{zone}"));
        }
    }
    for device in root.names(IIO) {
        let folder = format!("{IIO}/{device}");
        let humidity = root.milli(&format!("{folder}/in_humidityrelative_input"));
        found.humidity = found.humidity.or(humidity.filter(|value| (0.0..=100.0).contains(value)));
    }
    found.limited.truncate(MAX_PARTS);
    found.fans.truncate(MAX_PARTS);
    found
}

/// A sensor of a chip: `temp1`, `fan2`.
struct Channel<'a> {
    folder: &'a str,
    chip: &'a str,
    stem: &'a str,
}

impl Channel<'_> {
    fn file(&self, of: &str) -> String {
        format!("{}/{}_{of}", self.folder, self.stem)
    }

    fn is_set(&self, root: &Root, of: &str) -> Option<bool> {
        root.number::<u8>(&self.file(of)).map(|flag| flag != 0)
    }

    /// The chip with what its maker calls the sensor.
    fn name(&self, root: &Root) -> String {
        let label = root.line(&self.file("label")).unwrap_or_else(|| self.stem.to_owned());
        token(&format!("{}:{label}", self.chip))
    }

    fn limited(&self, root: &Root, measured: Measured, value: f32) -> Option<Sensor> {
        // Zero, and what no part survives, is how drivers say that there is no limit.
        let limit = |of: &str| root.milli(&self.file(of)).filter(|limit| *limit != 0.0 && BELIEVABLE.contains(limit));
        let (high, low) = (limit("max"), limit("min"));
        let limited = high.is_some() || low.is_some();
        limited.then(|| Sensor { id: self.name(root), measured, value, high, low })
    }
}

impl Sensors {
    fn channel(&mut self, root: &Root, channel: &Channel<'_>) {
        if channel.stem.starts_with("fan") {
            self.fans.extend(fan(root, channel));
            return;
        }
        if channel.is_set(root, "fault") == Some(true) {
            return;
        }
        let Some(value) = root.milli(&channel.file("input")) else { return };
        if channel.stem.starts_with("temp") && BELIEVABLE.contains(&value) {
            self.hottest(value);
            let critical = root.milli(&channel.file("crit")).filter(|limit| *limit > 0.0 && BELIEVABLE.contains(limit));
            self.reached(critical.map(|limit| value >= limit));
            self.limited.extend(channel.limited(root, Measured::Temperature, value));
        } else if channel.stem.starts_with("humidity") && (0.0..=100.0).contains(&value) {
            self.humidity.get_or_insert(value);
            self.limited.extend(channel.limited(root, Measured::RelativeHumidity, value));
        }
    }

    /// A thermal zone, with the points at which the kernel slows down or switches off.
    fn zone(&mut self, root: &Root, folder: &str) {
        let Some(value) = root.milli(&format!("{folder}/temp")).filter(|value| BELIEVABLE.contains(value)) else {
            return;
        };
        self.hottest(value);
        for point in 0..12 {
            let Some(kind) = root.line(&format!("{folder}/trip_point_{point}_type")) else { break };
            if matches!(kind.as_str(), "hot" | "critical") {
                let limit = root.milli(&format!("{folder}/trip_point_{point}_temp")).filter(|limit| *limit > 0.0);
                self.reached(limit.map(|limit| value >= limit));
            }
        }
    }

    fn hottest(&mut self, value: f32) {
        self.temperature = Some(self.temperature.map_or(value, |hottest| hottest.max(value)));
    }

    fn reached(&mut self, reached: Option<bool>) {
        if let Some(reached) = reached {
            self.critical = Some(self.critical.unwrap_or(false) || reached);
        }
    }
}

/// A fan that can tell a failure: by a flag of its chip, or by a least speed. One that just stands still may have been told to.
fn fan(root: &Root, channel: &Channel<'_>) -> Option<Part> {
    let flags = [channel.is_set(root, "fault"), channel.is_set(root, "alarm")];
    let least = root.number::<u32>(&channel.file("min")).filter(|least| *least > 0);
    let slow = least.and_then(|least| Some(root.number::<u32>(&channel.file("input"))? < least));
    let told: Vec<bool> = flags.into_iter().chain([slow]).flatten().collect();
    (!told.is_empty()).then(|| Part { token: channel.name(root), failed: told.contains(&true) })
}
