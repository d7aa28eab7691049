//! Which addresses of a device may be asked: a camera's vendor pages take more than SOAP, and a request that came by its uplink is believed there.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use http::uri::PathAndQuery;

use super::addresses::Addresses;
use crate::records::DeviceId;

/// Addresses of each kind that are remembered of one device.
const MOST: usize = 128;
/// Longer ones are not remembered.
const LONGEST: usize = 512;

/// What a device named in its replies, path and query.
#[derive(Debug, Default)]
pub(crate) struct GivenOut(Mutex<HashMap<DeviceId, Known>>);

/// The newest last.
#[derive(Debug, Default)]
struct Known {
    services: VecDeque<String>,
    /// What whoever may read media was told to fetch: snapshots, streams.
    media: VecDeque<String>,
    /// What others were told to fetch or to send: logs, backups, uploads.
    other: VecDeque<String>,
}

/// Who may fetch what a device gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    /// Whoever may read media (READ_MEDIA, Core §5.9.4.3).
    Media,
    /// Administrators.
    Other,
}

impl GivenOut {
    /// Remembers what `device` named. `media`: in a reply by which it tells where its media are.
    pub(super) fn remember(&self, device: &DeviceId, found: Addresses, media: bool) {
        if found.services.is_empty() && found.resources.is_empty() {
            return;
        }
        let mut devices = self.0.lock().expect("no holder panics");
        let known = devices.entry(DeviceId::clone(device)).or_default();
        add(&mut known.services, found.services);
        add(if media { &mut known.media } else { &mut known.other }, found.resources);
    }

    /// The device is registered no more.
    pub(crate) fn forget(&self, device: &str) {
        self.0.lock().expect("no holder panics").remove(device);
    }

    /// Whether a caller who is no administrator may send SOAP to `target`: below `/onvif/` without a query, as every device has it, or where this
    /// device said that a service is.
    pub(super) fn is_service(&self, device: &str, target: &PathAndQuery) -> bool {
        if !is_plain(target.path()) {
            return false;
        }
        if target.path().starts_with("/onvif/") && target.query().is_none() {
            return true;
        }
        let devices = self.0.lock().expect("no holder panics");
        devices.get(device).is_some_and(|known| holds(&known.services, target))
    }

    /// What this device said that `target` is.
    pub(super) fn resource(&self, device: &str, target: &PathAndQuery) -> Option<Resource> {
        if !is_plain(target.path()) {
            return None;
        }
        let devices = self.0.lock().expect("no holder panics");
        let known = devices.get(device)?;
        if holds(&known.media, target) {
            return Some(Resource::Media);
        }
        holds(&known.other, target).then_some(Resource::Other)
    }
}

fn add(known: &mut VecDeque<String>, paths: Vec<String>) {
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

fn holds(known: &VecDeque<String>, target: &PathAndQuery) -> bool {
    known.iter().any(|path| path == target.as_str())
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

    fn services(paths: impl IntoIterator<Item = String>) -> Addresses {
        Addresses { services: paths.into_iter().collect(), ..Addresses::default() }
    }

    fn resources(path: &str) -> Addresses {
        Addresses { resources: vec![path.to_owned()], ..Addresses::default() }
    }

    fn is_service(given: &GivenOut, target: &str) -> bool {
        given.is_service("cam", &target.parse().unwrap())
    }

    #[test]
    fn onvif_paths_and_what_the_device_named_and_nothing_else() {
        let given = GivenOut::default();
        given.remember(&"cam".into(), services(["/event?id=7".to_owned()]), false);
        given.remember(&"other".into(), services(["/elsewhere".to_owned()]), false);
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
    fn a_snapshot_is_no_log_and_no_service() {
        let given = GivenOut::default();
        given.remember(&"cam".into(), resources("/snap?ch=1"), true);
        given.remember(&"cam".into(), resources("/log"), false);
        given.remember(&"cam".into(), resources("/a/../b"), true);
        let resource = |target: &str| given.resource("cam", &target.parse().unwrap());
        assert_eq!(resource("/snap?ch=1"), Some(Resource::Media));
        assert_eq!(resource("/log"), Some(Resource::Other));
        for target in ["/snap", "/snap?ch=2", "/", "/a/../b", "/b"] {
            assert_eq!(resource(target), None, "{target}");
        }
        assert!(!is_service(&given, "/snap?ch=1"));
        assert_eq!(given.resource("other", &"/log".parse().unwrap()), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let given = GivenOut::default();
        given.remember(&"cam".into(), services((0..1000).map(|n| format!("/s/{n}"))), false);
        assert!(is_service(&given, "/s/999") && !is_service(&given, "/s/0"));
        assert_eq!(given.0.lock().unwrap()["cam"].services.len(), MOST);
        given.forget("cam");
        assert!(!is_service(&given, "/s/999"));
    }
}
