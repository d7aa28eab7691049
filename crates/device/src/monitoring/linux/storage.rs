//! Mass storage that says of itself that it has failed, as far as that costs nothing to ask: no disk is woken for it.

use super::{MAX_PARTS, Root, token};
use crate::monitoring::reading::Part;

/// The disks and arrays that can tell a failure, and how they do.
pub(super) fn read(root: &Root) -> Vec<Part> {
    let disks = root.names("sys/block").into_iter().filter_map(|name| {
        let failed = disk(root, &name)?;
        Some(Part { token: token(&name), failed })
    });
    // A file system that met an error counts it; the count stays until it is checked.
    let file_systems = root.names("sys/fs/ext4").into_iter().filter_map(|name| {
        let errors: u64 = root.number(&format!("sys/fs/ext4/{name}/errors_count"))?;
        Some(Part { token: token(&format!("ext4:{name}")), failed: errors > 0 })
    });
    disks.chain(file_systems).take(MAX_PARTS).collect()
}

fn disk(root: &Root, name: &str) -> Option<bool> {
    let number = |file: &str| root.number::<u64>(&format!("sys/block/{name}/{file}"));
    // Linux's software RAID: how many members are missing.
    if let Some(missing) = number("md/degraded") {
        return Some(missing > 0);
    }
    let line = |file: &str| root.line(&format!("sys/block/{name}/{file}"));
    // eMMC (JESD84-B51, PRE_EOL_INFO): 1 normal, 2 four fifths of the spare blocks are used up, 3 nine tenths.
    if let Some(spare) = line("device/pre_eol_info") {
        return match spare.trim_start_matches("0x").parse::<u8>().ok()? {
            0 => None,
            level => Some(level >= 3),
        };
    }
    // SCSI and SATA, NVMe.
    line("device/state").map(|state| matches!(state.as_str(), "offline" | "transport-offline" | "dead"))
}
