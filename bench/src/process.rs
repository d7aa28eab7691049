//! What `/proc` says of processes: CPU time and resident memory.

use std::fs::read_to_string;

/// The kernel's unit of CPU time in `/proc`, fixed at 100 a second on Linux.
const TICK_US: f64 = 10_000.0;

/// A process and all that it started.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let mut family = vec![root];
    let everybody: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.get(1)?.parse().ok()?)))
        .collect();
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        family.extend(everybody.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

/// CPU time of one process and of its children that have ended, user and system, in µs, in steps of 10 ms.
pub(crate) fn cpu_us(pid: u32) -> f64 {
    let Some(fields) = stat(pid) else { return 0.0 };
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (11..15).map(ticks).sum::<f64>() * TICK_US
}

/// The fields of `stat` from the state on: those before it may hold spaces.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Resident memory in bytes: all of it, and the part that is backed by no file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) anonymous: u64,
}

pub(crate) fn memory(pid: u32) -> Memory {
    let text = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
    };
    Memory { resident: field("VmRSS"), anonymous: field("RssAnon") }
}

/// The processor, for the report.
pub(crate) fn machine() -> String {
    let text = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores of {}, Linux {}", model.trim_matches([':', ' ', '\t']), kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let me = std::process::id();
        let begin = cpu_us(me);
        let mut sum = 0u64;
        while cpu_us(me) < begin + 2.0 * TICK_US {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let memory = memory(me);
        assert!(memory.resident > memory.anonymous && memory.anonymous > 0, "{memory:?}");
    }

    #[test]
    fn a_family_holds_children() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(family(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
