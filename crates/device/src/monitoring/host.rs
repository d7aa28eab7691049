//! What of a look at the host is to be told: each state when it changes, each measurement as sparingly as Core §8.9 recommends.
//!
//! Pure: the clock and the readings come from outside.

use super::occurrences::{self, Quantity, Side, topic};
use super::reading::{Link, Measured, Part, Reading, Sensor, Slow, Ticks};
use super::sparing::{Change, Sparing, tenths};
use crate::events::Occurrence;
use jiff::Timestamp;
use oriel_onvif::device_mgmt::{Duplex, NetworkInterfaceConnectionSetting};
use oriel_soap::With;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The token of the processors, which are told as one.
const PROCESSOR: &str = "cpu";
/// The interval of temperature and humidity (§8.9.5).
const MINUTE: Duration = Duration::from_secs(60);
/// How far the time of the boot has to move: less is the clock being set right, more is that the clock was wrong at the boot.
const CLOCK_WAS_WRONG: i64 = 60;
/// How far back within its range a sensor has to come before it can leave it again: degrees, or percent.
const BACK: f32 = 1.0;

/// What is known of the host.
#[derive(Debug)]
pub(crate) struct Host {
    offered: BTreeSet<&'static str>,
    ticks: Option<Ticks>,
    usage: Sparing,
    links: BTreeMap<String, Link>,
    temperature: Sparing,
    humidity: Sparing,
    battery: Sparing,
    critical: Option<bool>,
    parts: BTreeMap<(&'static str, String), bool>,
    beyond: BTreeSet<(String, Side)>,
    booted: Option<Timestamp>,
    synchronised: Option<Timestamp>,
}

/// What a look brought.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Topics that the host can feed, as it turns out.
    pub(crate) offer: Vec<&'static str>,
    /// What happened.
    pub(crate) tell: Vec<Occurrence>,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self {
            offered: BTreeSet::new(),
            ticks: None,
            // §8.9.1: the interval is that of the looks. What a person would not see on a dial is not worth a message.
            usage: Sparing::every(MINUTE, Change::By(1.0)),
            links: BTreeMap::new(),
            // §8.9.5: five percent, one percent, and a minute.
            temperature: Sparing::every(MINUTE, Change::Part { of: 0.05, least: 0.5 }),
            humidity: Sparing::every(MINUTE, Change::By(1.0)),
            // §8.9.6
            battery: Sparing::on(Change::By(2.0)),
            critical: None,
            parts: BTreeMap::new(),
            beyond: BTreeSet::new(),
            booted: None,
            synchronised: None,
        }
    }

    /// Takes a look in, made at `now` by a clock that only goes forward.
    pub(crate) fn handle(&mut self, now: Duration, reading: &Reading) -> News {
        let mut news = News::default();
        self.processor(now, reading.processor, &mut news);
        self.links(&reading.links, &mut news);
        if let Some(slow) = &reading.slow {
            self.conditions(now, slow, &mut news);
            self.sensors(&slow.sensors, &mut news);
            self.times(slow, &mut news);
            let parts = [
                (topic::FAN_FAILURE, &slow.fans),
                (topic::POWER_SUPPLY_FAILURE, &slow.supplies),
                (topic::STORAGE_FAILURE, &slow.storage),
            ];
            for (topic, parts) in parts {
                self.parts(topic, parts, &mut news);
            }
        }
        news
    }

    fn offer(&mut self, topic: &'static str, news: &mut News) {
        if self.offered.insert(topic) {
            news.offer.push(topic);
        }
    }

    /// §8.9.1: the average since the last look.
    fn processor(&mut self, now: Duration, ticks: Option<Ticks>, news: &mut News) {
        let Some(ticks) = ticks else { return };
        self.offer(topic::PROCESSOR_USAGE, news);
        let Some(before) = self.ticks.replace(ticks) else { return };
        // A counter that went back, as some do when a processor is switched off, gives no average.
        let (Some(busy), Some(total)) =
            (ticks.busy.checked_sub(before.busy), ticks.total.checked_sub(before.total).filter(|total| *total > 0))
        else {
            return;
        };
        let percent = tenths((busy.min(total) as f64 * 100.0 / total as f64) as f32);
        if self.usage.wants(now, percent) {
            news.tell.push(occurrences::processor_usage(PROCESSOR, percent));
        }
    }

    /// §8.9.2.
    fn links(&mut self, links: &[Link], news: &mut News) {
        for link in links {
            self.offer(topic::LINK_STATUS, news);
            if self.links.get(&link.token) != Some(link) {
                news.tell.push(occurrences::link_status(&link.token, &setting(link)));
                self.links.insert(link.token.clone(), link.clone());
            }
        }
        let gone = |token: &String| !links.iter().any(|link| link.token == *token);
        let gone: Vec<String> = self.links.keys().filter(|token| gone(token)).cloned().collect();
        for link in gone.iter().filter_map(|token| self.links.remove(token)) {
            news.tell.push(occurrences::link_status(&link.token, &setting(&link)).gone());
        }
    }

    /// §8.9.5, §8.9.6 and the critical temperature of §8.9.10.
    fn conditions(&mut self, now: Duration, slow: &Slow, news: &mut News) {
        if let Some(celsius) = slow.temperature.map(tenths) {
            self.offer(topic::TEMPERATURE, news);
            if self.temperature.wants(now, celsius) {
                news.tell.push(occurrences::temperature(celsius));
            }
        }
        if let Some(percent) = slow.humidity.map(tenths) {
            self.offer(topic::RELATIVE_HUMIDITY, news);
            if self.humidity.wants(now, percent) {
                news.tell.push(occurrences::relative_humidity(percent));
            }
        }
        if let Some(percent) = slow.battery.map(tenths) {
            self.offer(topic::BATTERY_CAPACITY, news);
            if self.battery.wants(now, percent) {
                news.tell.push(occurrences::battery_capacity(percent));
            }
        }
        if let Some(critical) = slow.temperature_critical {
            self.offer(topic::TEMPERATURE_CRITICAL, news);
            if self.critical.replace(critical) != Some(critical) {
                news.tell.push(occurrences::temperature_critical(critical));
            }
        }
    }

    /// §8.9.10: what can fail.
    fn parts(&mut self, topic: &'static str, parts: &[Part], news: &mut News) {
        for part in parts {
            self.offer(topic, news);
            if self.parts.insert((topic, part.token.clone()), part.failed) != Some(part.failed) {
                news.tell.push(occurrences::failure(topic, &part.token, part.failed));
            }
        }
        let gone = |key: &(&'static str, String)| key.0 == topic && !parts.iter().any(|part| part.token == key.1);
        let gone: Vec<_> = self.parts.keys().filter(|key| gone(key)).cloned().collect();
        for key in gone {
            let failed = self.parts.remove(&key).unwrap_or_default();
            news.tell.push(occurrences::failure(topic, &key.1, failed).gone());
        }
    }

    /// §8.9.13: told when a sensor leaves its range, not while it is beyond it.
    fn sensors(&mut self, sensors: &[Sensor], news: &mut News) {
        self.beyond.retain(|(id, _)| sensors.iter().any(|sensor| sensor.id == *id));
        for sensor in sensors {
            let quantity = match sensor.measured {
                Measured::Temperature => Quantity::Temperature,
                Measured::RelativeHumidity => Quantity::RelativeHumidity,
            };
            for (side, limit) in [(Side::High, sensor.high), (Side::Low, sensor.low)] {
                let Some(limit) = limit else { continue };
                self.offer(occurrences::sensor_topic(quantity, side), news);
                let by = if side == Side::High { sensor.value - limit } else { limit - sensor.value };
                let key = (sensor.id.clone(), side);
                if by > 0.0 {
                    if self.beyond.insert(key) {
                        let (value, limit) = (tenths(sensor.value), tenths(limit));
                        news.tell.push(occurrences::sensor(quantity, side, &sensor.id, value, limit));
                    }
                } else if by <= -BACK {
                    self.beyond.remove(&key);
                }
            }
        }
    }

    /// §8.9.4: boot and clock.
    fn times(&mut self, slow: &Slow, news: &mut News) {
        if let Some(booted) = slow.booted {
            self.offer(topic::LAST_REBOOT, news);
            let moved = self.booted.map(|before| (booted.as_second() - before.as_second()).abs());
            if moved.is_none_or(|moved| moved >= CLOCK_WAS_WRONG) {
                self.booted = Some(booted);
                news.tell.push(occurrences::last_reboot(booted));
            }
        }
        if let Some(synchronised) = slow.synchronised {
            self.offer(topic::LAST_CLOCK_SYNCHRONIZATION, news);
            if self.synchronised.replace(synchronised) != Some(synchronised) {
                news.tell.push(occurrences::last_clock_synchronization(synchronised));
            }
        }
    }
}

/// A link as the schema has it: without a carrier the speed is 0, and where the driver does not tell it, -1, as Linux has it.
fn setting(link: &Link) -> NetworkInterfaceConnectionSetting {
    NetworkInterfaceConnectionSetting::with(|setting| {
        setting.auto_negotiation = link.negotiates == Some(true);
        setting.speed = if link.up { link.speed.unwrap_or(-1) } else { 0 };
        setting.duplex = if link.full_duplex == Some(false) { Duplex::Half } else { Duplex::Full };
    })
}

#[cfg(test)]
mod tests;
