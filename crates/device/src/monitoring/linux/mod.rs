//! Reads a Linux host: small files below `/proc`, `/sys`, `/run` and `/var`, of which each may be missing. What is read is bounded.

mod clock;
mod links;
mod power;
mod processor;
mod sensors;
mod storage;

use super::reading::{Reading, Slow};
use jiff::Timestamp;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The most that is read of a file of one line.
const MAX_LINE: u64 = 4 * 1024;
/// Most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 128;
/// Most parts of a kind that are told: as many tokens as a client can do something with.
pub(super) const MAX_PARTS: usize = 16;

/// The root of a file system: the host's own, or one that a test made up.
#[derive(Debug, Clone)]
pub(crate) struct Root(PathBuf);

impl Root {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// What there is. Everything if `slow`, else only what changes quickly.
    pub(crate) fn look(&self, slow: bool) -> Reading {
        Reading {
            processor: processor::read(self),
            links: links::read(self),
            slow: slow.then(|| {
                let sensors = sensors::read(self);
                Slow {
                    temperature: sensors.temperature,
                    temperature_critical: sensors.critical,
                    humidity: sensors.humidity,
                    sensors: sensors.limited,
                    battery: power::battery(self),
                    fans: sensors.fans,
                    supplies: power::supplies(self),
                    storage: storage::read(self),
                    booted: clock::booted(self),
                    synchronised: clock::synchronised(self),
                }
            }),
        }
    }

    /// Whether this is the root of the very file system that the program runs in.
    fn is_own(&self) -> bool {
        self.0 == Path::new("/")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// The first bytes of a file; nothing when it cannot be read.
    fn head(&self, path: &str, most: u64) -> Option<String> {
        let mut bytes = Vec::new();
        // A file of sysfs may refuse the reading though it can be opened: an interface that is down tells no speed.
        File::open(self.at(path)).ok()?.take(most).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The text of a file of one line.
    fn line(&self, path: &str) -> Option<String> {
        self.head(path, MAX_LINE).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The number in a file.
    fn number<N: FromStr>(&self, path: &str) -> Option<N> {
        self.line(path)?.parse().ok()
    }

    /// A number in thousandths.
    fn milli(&self, path: &str) -> Option<f32> {
        self.number::<i32>(path).map(|milli| (f64::from(milli) / 1000.0) as f32)
    }

    fn exists(&self, path: &str) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// The names in a folder, in order.
    fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(path)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.take(MAX_ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        // `hwmon10` comes after `hwmon9`.
        names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        names
    }

    /// When the content of a file last changed.
    fn changed(&self, path: &str) -> Option<Timestamp> {
        let modified = fs::metadata(self.at(path)).ok()?.modified().ok()?;
        Timestamp::try_from(modified).ok()
    }
}

/// A name of the host as a token: `tt:ReferenceToken` has at most 64 characters, and no spaces look well in it.
fn token(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.:".contains(letter) { letter } else { '_' };
    name.trim().chars().take(64).map(plain).collect()
}

#[cfg(test)]
pub(super) mod made_up;
#[cfg(test)]
mod tests;
