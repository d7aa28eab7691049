//! Which addresses of a device may be asked: a camera's vendor pages take more than SOAP, and a request that a relay lets through is believed there.

use std::collections::VecDeque;

use http::uri::PathAndQuery;

use super::addresses::Addresses;

/// Addresses of each kind that are remembered of one device.
const MOST: usize = 128;
/// Longer ones are not remembered.
const LONGEST: usize = 512;

/// What one device named in its replies, path and query; the newest last.
#[derive(Debug, Default)]
pub struct Known {
    services: VecDeque<String>,
    /// What whoever may read media was told to fetch: snapshots, streams.
    media: VecDeque<String>,
    /// What others were told to fetch or to send: logs, backups, uploads.
    other: VecDeque<String>,
}

/// Who may fetch what a device gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Whoever may read media (READ_MEDIA, Core §5.9.4.3).
    Media,
    /// Administrators.
    Other,
}

impl Known {
    /// Remembers what the device named. `media`: in a reply by which it tells where its media are.
    pub fn remember(&mut self, found: Addresses, media: bool) {
        add(&mut self.services, found.services);
        add(if media { &mut self.media } else { &mut self.other }, found.resources);
    }

    /// Whether the device said that a service is at `target`.
    #[must_use]
    pub fn is_service(&self, target: &PathAndQuery) -> bool {
        is_plain(target.path()) && holds(&self.services, target)
    }

    /// What the device said that `target` is.
    #[must_use]
    pub fn resource(&self, target: &PathAndQuery) -> Option<Resource> {
        if !is_plain(target.path()) {
            return None;
        }
        if holds(&self.media, target) {
            return Some(Resource::Media);
        }
        holds(&self.other, target).then_some(Resource::Other)
    }
}

/// Whether SOAP may go there on any device: below `/onvif/` without a query, as every device has it.
#[must_use]
pub fn is_usual(target: &PathAndQuery) -> bool {
    is_plain(target.path()) && target.path().starts_with("/onvif/") && target.query().is_none()
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
#[must_use]
pub fn is_plain(path: &str) -> bool {
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

    fn is_service(known: &Known, target: &str) -> bool {
        let target = target.parse().unwrap();
        is_usual(&target) || known.is_service(&target)
    }

    #[test]
    fn onvif_paths_and_what_the_device_named_and_nothing_else() {
        let mut known = Known::default();
        known.remember(services(["/event?id=7".to_owned()]), false);
        for target in ["/onvif/device_service", "/onvif/Events/x", "/event?id=7"] {
            assert!(is_service(&known, target), "{target}");
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
            assert!(!is_service(&known, target), "{target}");
        }
    }

    #[test]
    fn a_snapshot_is_no_log_and_no_service() {
        let mut known = Known::default();
        known.remember(resources("/snap?ch=1"), true);
        known.remember(resources("/log"), false);
        known.remember(resources("/a/../b"), true);
        let resource = |target: &str| known.resource(&target.parse().unwrap());
        assert_eq!(resource("/snap?ch=1"), Some(Resource::Media));
        assert_eq!(resource("/log"), Some(Resource::Other));
        for target in ["/snap", "/snap?ch=2", "/", "/a/../b", "/b"] {
            assert_eq!(resource(target), None, "{target}");
        }
        assert!(!is_service(&known, "/snap?ch=1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Known::default();
        known.remember(services((0..1000).map(|n| format!("/s/{n}"))), false);
        assert!(is_service(&known, "/s/999") && !is_service(&known, "/s/0"));
        assert_eq!(known.services.len(), MOST);
    }
}
