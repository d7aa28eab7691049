//! When the host booted, and when its clock was last set by NTP.

use super::Root;
use jiff::Timestamp;

/// Files that a time service writes when it has set the clock, or has kept it set.
const SET_BY: [&str; 6] = [
    // systemd-timesyncd, at each answer of its server.
    "run/systemd/timesync/synchronized",
    // chrony and ntpd, about each hour as long as they follow a server.
    "var/lib/chrony/chrony.drift",
    "var/lib/chrony/drift",
    "var/lib/ntpsec/ntp.drift",
    "var/lib/ntp/ntp.drift",
    "var/db/ntpd.drift",
];

/// When the host booted, as its clock now says: it moves when the clock is set.
pub(super) fn booted(root: &Root) -> Option<Timestamp> {
    // The counts of interrupts come before it, a long line on a large machine.
    let text = root.head("proc/stat", 256 * 1024)?;
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

/// When the clock was last set by NTP, as far as a time service left a trace of it.
pub(super) fn synchronised(root: &Root) -> Option<Timestamp> {
    SET_BY.iter().filter_map(|file| root.changed(file)).max()
}
