//! Which addresses of a device SOAP may be sent to: a camera's vendor pages take more than SOAP, and a request that came by its uplink is believed there.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use http::uri::PathAndQuery;

use crate::records::DeviceId;

/// Services and subscriptions that are remembered of one device.
const MOST: usize = 128;
/// Longer ones are not remembered.
const LONGEST: usize = 512;

/// The paths that devices named in their replies, as addresses of services.
#[derive(Debug, Default)]
pub(crate) struct GivenOut(Mutex<HashMap<DeviceId, VecDeque<String>>>);

impl GivenOut {
    /// Remembers what `device` named.
    pub(crate) fn remember(&self, device: &DeviceId, paths: Vec<String>) {
        if paths.is_empty() {
            return;
        }
        let mut devices = self.0.lock().expect("no holder panics");
        let known = devices.entry(DeviceId::clone(device)).or_default();
        for path in paths.into_iter().filter(|path| path.len() <= LONGEST) {
            if known.contains(&path) {
                continue;
            }
            if known.len() == MOST {
                known.pop_front();
            }
            known.push_back(path);
        }
    }

    /// The device is registered no more.
    pub(crate) fn forget(&self, device: &str) {
        self.0.lock().expect("no holder panics").remove(device);
    }

    /// Whether a caller who is no administrator may send SOAP to `target`: below `/onvif/` without a query, as every device has it, or where this
    /// device said that a service is.
    pub(crate) fn is_service(&self, device: &str, target: &PathAndQuery) -> bool {
        if !is_plain(target.path()) {
            return false;
        }
        if target.path().starts_with("/onvif/") && target.query().is_none() {
            return true;
        }
        let devices = self.0.lock().expect("no holder panics");
        devices.get(device).is_some_and(|known| known.iter().any(|path| path == target.as_str()))
    }
}

/// A path that means the same to whoever reads it: no dot segments, plain or escaped, no empty segments, no backslashes.
fn is_plain(path: &str) -> bool {
    let escaped = path.to_ascii_lowercase();
    let dots = |segment: &str| matches!(segment.replace("%2e", ".").as_str(), "." | "..");
    !escaped.contains("//")
        && !escaped.contains('\\')
        && !escaped.contains("%2f")
        && !escaped.contains("%5c")
        && !escaped.split('/').any(dots)
        && !escaped.contains(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_service(given: &GivenOut, target: &str) -> bool {
        given.is_service("cam", &target.parse().unwrap())
    }

    #[test]
    fn onvif_paths_and_what_the_device_named_and_nothing_else() {
        let given = GivenOut::default();
        given.remember(&"cam".into(), vec!["/event?id=7".to_owned()]);
        given.remember(&"other".into(), vec!["/elsewhere".to_owned()]);
        for target in ["/onvif/device_service", "/onvif/Events/x", "/event?id=7"] {
            assert!(is_service(&given, target), "{target}");
        }
        for target in [
            "/",
            "/cgi-bin/reboot",
            "/elsewhere",
            "/event?id=8",
            "/event",
            "/onvif/x?reboot=1",
            "/onvif/../cgi-bin/x",
            "/onvif/%2E%2e/x",
            "/onvif/.%2e/x",
            "/onvif//x",
            "/onvif/..%2fx",
            "/onvif/..;/x",
            "/ONVIF/x",
        ] {
            assert!(!is_service(&given, target), "{target}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let given = GivenOut::default();
        given.remember(&"cam".into(), (0..1000).map(|n| format!("/s/{n}")).collect());
        assert!(is_service(&given, "/s/999") && !is_service(&given, "/s/0"));
        assert_eq!(given.0.lock().unwrap()["cam"].len(), MOST);
        given.forget("cam");
        assert!(!is_service(&given, "/s/999"));
    }
}
