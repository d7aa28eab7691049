//! The time zone of this machine, as POSIX writes it, and the time there (Core §8.3.9).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A POSIX time zone (IEEE 1003.1 §8.3) that was understood.
pub(super) struct Zone {
    pub(super) posix: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone of this machine; UTC where it cannot be told.
    pub(super) fn of_this_machine() -> Self {
        let file = std::fs::read("/etc/localtime").unwrap_or_default();
        footer(&file).and_then(Self::parse).unwrap_or_else(|| Self { posix: "UTC0".to_owned(), zone: TimeZone::UTC })
    }

    fn parse(posix: &str) -> Option<Self> {
        Some(Self { zone: TimeZone::posix(posix).ok()?, posix: posix.to_owned() })
    }

    /// Whether the zone has a summer time at all.
    pub(super) fn has_summer_time(&self) -> bool {
        self.posix.contains(',')
    }

    /// The time on the wall.
    pub(super) fn local(&self, now: Timestamp) -> DateTime {
        self.zone.to_datetime(now)
    }
}

/// The rule at the end of a compiled zone (RFC 9636 §3.3), which is the POSIX form.
fn footer(file: &[u8]) -> Option<&str> {
    let inside = file.strip_prefix(b"TZif")?.strip_suffix(b"\n")?;
    let start = inside.iter().rposition(|byte| *byte == b'\n')?;
    std::str::from_utf8(&inside[start + 1..]).ok().filter(|rule| !rule.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_read_from_the_end_of_a_compiled_zone() {
        assert_eq!(footer(b"TZif2...\0\0\nCET-1CEST,M3.5.0,M10.5.0/3\n"), Some("CET-1CEST,M3.5.0,M10.5.0/3"));
        assert_eq!(footer(b"TZif2...\0\0\nUTC0\n"), Some("UTC0"));
        for file in [&b""[..], b"TZif", b"TZif2\n\n", b"Something else\nUTC0\n", b"TZif2\n\xff\n"] {
            assert_eq!(footer(file), None, "{file:?}");
        }
    }

    #[test]
    fn local_time_follows_the_rule() {
        let zone = Zone::parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert!(zone.has_summer_time());
        assert_eq!(zone.local("2026-07-01T12:00:00Z".parse().unwrap()).to_string(), "2026-07-01T14:00:00");
        assert_eq!(zone.local("2026-12-01T12:00:00Z".parse().unwrap()).to_string(), "2026-12-01T13:00:00");
        assert!(Zone::parse("nonsense,").is_none());
    }
}
