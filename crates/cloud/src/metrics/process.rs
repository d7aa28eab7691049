//! The process as the system sees it, by the names that every Prometheus client library uses.

use std::fs;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// Ticks a second in `/proc/self/stat`: 100 to user space on every Linux (`USER_HZ`).
const TICKS: f64 = 100.0;

/// About when the process began: when it was first asked.
pub(super) static STARTED: LazyLock<f64> =
    LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()));

/// The families of this moment; what the system does not tell is left out.
pub(super) fn now() -> Registry {
    let mut registry = Registry::with_prefix("process");
    let start = ConstGauge::new(*STARTED);
    registry.register_with_unit("start_time", "When the cloud began, seconds since 1970", Unit::Seconds, start);
    if let Some(seconds) = cpu() {
        registry.register_with_unit("cpu", "Time on processors", Unit::Seconds, ConstCounter::new(seconds));
    }
    if let Some(bytes) = resident() {
        registry.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, ConstGauge::new(bytes));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder itself is open while it is read.
        registry.register("open_fds", "Open files, connections included", ConstGauge::new(open.count() as u64 - 1));
    }
    if let Some(most) = most_files() {
        registry.register("max_fds", "The most files that may be open", ConstGauge::new(most));
    }
    registry
}

fn cpu() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets, and may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn most_files() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}
