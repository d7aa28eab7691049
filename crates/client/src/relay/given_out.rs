//! Which addresses of a device may be asked: a camera's vendor pages take more than SOAP, and a request that a relay lets through is believed there.

use std::collections::VecDeque;

use http::uri::PathAndQuery;

use super::addresses::Addresses;

/// Addresses of each kind that are remembered of one device.
const MOST: usize = 128;
/// Longer ones are not remembered.
const LONGEST: usize = 512;

/// What one device named in its replies, path and query. What was named or used last stays longest.
#[derive(Debug, Default)]
pub struct Known {
    services: VecDeque<String>,
    /// Apart, since they come and go: whoever subscribes often makes no service forgotten.
    subscriptions: VecDeque<String>,
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
        let services = if found.are_subscriptions { &mut self.subscriptions } else { &mut self.services };
        let is_usual = |path: &String| path.parse().is_ok_and(|path| is_usual(&path));
        add(services, found.services.into_iter().filter(|path| !is_usual(path)));
        add(if media { &mut self.media } else { &mut self.other }, found.resources);
    }

    /// Whether the device said that a service is at `target`.
    #[must_use]
    pub fn is_service(&mut self, target: &PathAndQuery) -> bool {
        is_plain(target.path()) && (holds(&mut self.services, target) || holds(&mut self.subscriptions, target))
    }

    /// What the device said that `target` is.
    #[must_use]
    pub fn resource(&mut self, target: &PathAndQuery) -> Option<Resource> {
        if !is_plain(target.path()) {
            return None;
        }
        if holds(&mut self.media, target) {
            return Some(Resource::Media);
        }
        holds(&mut self.other, target).then_some(Resource::Other)
    }
}

/// Whether SOAP may go there on any device: below `/onvif/` without a query, as every device has it.
#[must_use]
pub fn is_usual(target: &PathAndQuery) -> bool {
    is_plain(target.path()) && target.path().starts_with("/onvif/") && target.query().is_none()
}

fn add(known: &mut VecDeque<String>, paths: impl IntoIterator<Item = String>) {
    for path in paths.into_iter().filter(|path| path.len() <= LONGEST) {
        known.retain(|before| *before != path);
        if known.len() == MOST {
            known.pop_front();
        }
        known.push_back(path);
    }
}

/// Whether it was named; if so, it was used just now.
fn holds(known: &mut VecDeque<String>, target: &PathAndQuery) -> bool {
    let found = known.iter().position(|path| path == target.as_str()).and_then(|at| known.remove(at));
    found.map(|path| known.push_back(path)).is_some()
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

    fn is_service(known: &mut Known, target: &str) -> bool {
        let target = target.parse().unwrap();
        is_usual(&target) || known.is_service(&target)
    }

    #[test]
    fn onvif_paths_and_what_the_device_named_and_nothing_else() {
        let mut known = Known::default();
        known.remember(services(["/event?id=7".to_owned()]), false);
        for target in ["/onvif/device_service", "/onvif/Events/x", "/event?id=7"] {
            assert!(is_service(&mut known, target), "{target}");
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
            assert!(!is_service(&mut known, target), "{target}");
        }
    }

    #[test]
    fn a_snapshot_is_no_log_and_no_service() {
        let mut known = Known::default();
        known.remember(resources("/snap?ch=1"), true);
        known.remember(resources("/log"), false);
        known.remember(resources("/a/../b"), true);
        let mut resource = |target: &str| known.resource(&target.parse().unwrap());
        assert_eq!(resource("/snap?ch=1"), Some(Resource::Media));
        assert_eq!(resource("/log"), Some(Resource::Other));
        for target in ["/snap", "/snap?ch=2", "/", "/a/../b", "/b"] {
            assert_eq!(resource(target), None, "{target}");
        }
        assert!(!is_service(&mut known, "/snap?ch=1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Known::default();
        known.remember(services((0..1000).map(|n| format!("/s/{n}"))), false);
        assert!(is_service(&mut known, "/s/999") && !is_service(&mut known, "/s/0"));
        assert_eq!(known.services.len(), MOST);
    }

    #[test]
    fn what_is_named_again_or_used_stays() {
        let mut known = Known::default();
        known.remember(services(["/ptz", "/media", "/old"].map(str::to_owned)), false);
        for number in 0..MOST {
            known.remember(services([format!("/s/{number}"), "/ptz".to_owned()]), false);
            assert!(is_service(&mut known, "/media"), "{number}");
        }
        assert!(is_service(&mut known, "/ptz") && !is_service(&mut known, "/old"));
        assert_eq!(known.services.len(), MOST);
    }

    #[test]
    fn who_subscribes_often_makes_no_service_forgotten() {
        let mut known = Known::default();
        known.remember(services(["/ptz".to_owned()]), false);
        for number in 0..1000 {
            let named = Addresses { are_subscriptions: true, ..services([format!("/event/{number}?x")]) };
            known.remember(named, false);
            known.remember(services([format!("/onvif/event/{number}")]), false);
        }
        assert!(is_service(&mut known, "/ptz") && is_service(&mut known, "/event/999?x"));
        assert_eq!((known.services.len(), known.subscriptions.len()), (1, MOST));
    }
}
