//! What one camera named in its replies: where it may be asked, and by what name it knows these places itself.

use super::door::DEVICE_SERVICE;
use http::uri::PathAndQuery;
use oriel_client::relay::addresses::Addresses;
use oriel_client::relay::given_out::{self, Resource, is_usual};
use std::collections::VecDeque;
use url::{Origin, Url};

/// Places whose own name is remembered.
const MOST: usize = 128;
/// The longest name of a place.
const LONGEST: usize = 512;

/// What one camera named.
#[derive(Debug, Default)]
pub(super) struct Known {
    given: given_out::Known,
    /// Path and query, and scheme and authority as the camera wrote them, where those are not the ones that it is asked at. The newest last.
    names: VecDeque<(String, String)>,
    /// The camera itself has something where every device service is looked for.
    names_usual: bool,
}

impl Known {
    /// Remembers what the camera named, which is asked at `address`. `media`: in a reply by which it tells where its media are.
    pub(super) fn remember(&mut self, found: Addresses, media: bool, address: &Url) {
        let own = address.origin();
        for (path, origin) in found.services.iter().zip(&found.origins) {
            let same = |origin: &str| Url::parse(origin).is_ok_and(|named| named.origin() == own);
            self.names.retain(|(known, _)| known != path);
            if origin.is_empty() || same(origin) || path.len() + origin.len() > LONGEST {
                continue;
            }
            if self.names.len() == MOST {
                self.names.pop_front();
            }
            self.names.push_back((path.clone(), origin.clone()));
        }
        self.names_usual |= found.services.iter().any(|path| path == DEVICE_SERVICE);
        self.given.remember(found, media);
    }

    /// Whether a caller who is no administrator may send SOAP there.
    pub(super) fn is_service(&mut self, target: &PathAndQuery) -> bool {
        is_usual(target) || self.given.is_service(target)
    }

    /// Whether the camera itself said that there is something where every device service is looked for.
    pub(super) fn names_usual(&self) -> bool {
        self.names_usual
    }

    /// What the camera said that is there.
    pub(super) fn resource(&mut self, target: &PathAndQuery) -> Option<Resource> {
        self.given.resource(target)
    }

    /// What the camera calls this place itself.
    pub(super) fn own_name(&mut self, target: &str, address: &Url) -> String {
        let named = self.names.iter().position(|(path, _)| path == target);
        match named.and_then(|at| self.names.remove(at)) {
            Some((path, origin)) => {
                let name = format!("{origin}{path}");
                // What is used is remembered longest.
                self.names.push_back((path, origin));
                name
            }
            None => match address.origin() {
                Origin::Tuple(..) => format!("{}{target}", address.origin().ascii_serialization()),
                Origin::Opaque(_) => target.to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(origin: &str, path: &str) -> Addresses {
        Addresses { services: vec![path.to_owned()], origins: vec![origin.to_owned()], ..Addresses::default() }
    }

    #[test]
    fn a_camera_behind_a_router_is_called_by_the_name_that_it_has_for_itself() {
        let address = "http://203.0.113.7:8081/onvif/device_service".parse().unwrap();
        let mut known = Known::default();
        known.remember(named("http://192.168.1.64:80", "/event/1?x=2"), false, &address);
        known.remember(named("HTTP://203.0.113.7:8081", "/onvif/media"), false, &address);
        known.remember(named("", "/ours"), false, &address);
        let mut name = |target: &str| known.own_name(target, &address);
        assert_eq!(name("/event/1?x=2"), "http://192.168.1.64:80/event/1?x=2");
        assert_eq!(name("/onvif/media"), "http://203.0.113.7:8081/onvif/media");
        assert_eq!(name("/event/1"), "http://203.0.113.7:8081/event/1");
        assert_eq!(known.names.len(), 1);
        known.remember(named("http://203.0.113.7:8081", "/event/1?x=2"), false, &address);
        assert_eq!(known.own_name("/event/1?x=2", &address), "http://203.0.113.7:8081/event/1?x=2", "it learnt better");
    }

    #[test]
    fn names_are_bounded() {
        let address = "http://10.0.0.5/onvif/device_service".parse().unwrap();
        let mut known = Known::default();
        for number in 0..10_000 {
            known.remember(named("http://cam", &format!("/event/{number}")), false, &address);
        }
        known.remember(named("http://cam", &"/x".repeat(LONGEST)), false, &address);
        assert_eq!(known.names.len(), MOST);
        assert_eq!(known.own_name("/event/9999", &address), "http://cam/event/9999");
    }
}
