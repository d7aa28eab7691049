//! How the network interfaces do, by `/sys/class/net`.

use super::{MAX_PARTS, Root};
use crate::monitoring::ethtool;
use crate::monitoring::reading::Link;

pub(super) fn read(root: &Root) -> Vec<Link> {
    let names: Vec<String> = root.names("sys/class/net").into_iter().filter(|name| name != "lo").collect();
    // Where there are real ones, bridges and virtual ones are the machine's inner matters.
    let real = |name: &String| root.exists(&format!("sys/class/net/{name}/device"));
    let only_real = names.iter().any(real);
    let told = names.into_iter().filter(|name| !only_real || real(name));
    told.filter_map(|name| link(root, name)).take(MAX_PARTS).collect()
}

fn link(root: &Root, token: String) -> Option<Link> {
    let file = |name: &str| format!("sys/class/net/{token}/{name}");
    // One that is switched off refuses to tell its carrier, and has none.
    let up = match root.line(&file("operstate"))?.as_str() {
        "up" => true,
        // Drivers that do not track the state.
        "unknown" => root.number::<u8>(&file("carrier")) == Some(1),
        _ => false,
    };
    let speed = root.number::<i32>(&file("speed")).filter(|speed| *speed > 0);
    let full_duplex = root.line(&file("duplex")).and_then(|duplex| match duplex.as_str() {
        "full" => Some(true),
        "half" => Some(false),
        _ => None,
    });
    let negotiates = if root.is_own() { ethtool::negotiates(&token) } else { None };
    Some(Link { up, speed: speed.filter(|_| up), full_duplex, negotiates, token })
}
