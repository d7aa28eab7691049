//! Batteries and power supplies, by `/sys/class/power_supply`.

use super::{MAX_PARTS, Root, token};
use crate::monitoring::reading::Part;

const SUPPLIES: &str = "sys/class/power_supply";

/// The supplies of this kind; not those of a mouse or a headset.
fn of_kind<'a>(root: &'a Root, kind: &'a str) -> impl Iterator<Item = String> + 'a {
    let is = move |name: &String| {
        let line = |file: &str| root.line(&format!("{SUPPLIES}/{name}/{file}"));
        line("type").is_some_and(|found| found == kind) && line("scope").is_none_or(|scope| scope != "Device")
    };
    root.names(SUPPLIES).into_iter().filter(is)
}

/// What is left in all batteries together, in percent.
pub(super) fn battery(root: &Root) -> Option<f32> {
    let left = |name: String| root.number::<u8>(&format!("{SUPPLIES}/{name}/capacity")).filter(|left| *left <= 100);
    let left: Vec<f32> = of_kind(root, "Battery").filter_map(left).map(f32::from).collect();
    (!left.is_empty()).then(|| left.iter().sum::<f32>() / left.len() as f32)
}

/// The connections to the mains; one without power has failed.
pub(super) fn supplies(root: &Root) -> Vec<Part> {
    let part = |name: String| {
        let online: u8 = root.number(&format!("{SUPPLIES}/{name}/online"))?;
        Some(Part { token: token(&name), failed: online == 0 })
    };
    of_kind(root, "Mains").filter_map(part).take(MAX_PARTS).collect()
}
