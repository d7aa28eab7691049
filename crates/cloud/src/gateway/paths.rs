//! Which addresses of each device may be asked: what it named in its replies.

use std::collections::HashMap;
use std::sync::Mutex;

use http::uri::PathAndQuery;
use oriel_client::relay::addresses::Addresses;
use oriel_client::relay::given_out::{Known, Resource, is_usual};

use crate::records::DeviceId;

/// What each device named.
#[derive(Debug, Default)]
pub(crate) struct GivenOut(Mutex<HashMap<DeviceId, Known>>);

impl GivenOut {
    /// Remembers what `device` named. `media`: in a reply by which it tells where its media are.
    pub(super) fn remember(&self, device: &DeviceId, found: Addresses, media: bool) {
        if found.services.is_empty() && found.resources.is_empty() {
            return;
        }
        let mut devices = self.0.lock().expect("no holder panics");
        devices.entry(DeviceId::clone(device)).or_default().remember(found, media);
    }

    /// The device is registered no more.
    pub(crate) fn forget(&self, device: &str) {
        self.0.lock().expect("no holder panics").remove(device);
    }

    /// Whether a caller who is no administrator may send SOAP to `target`: below `/onvif/` without a query, as every device has it, or where this
    /// device said that a service is.
    pub(super) fn is_service(&self, device: &str, target: &PathAndQuery) -> bool {
        if is_usual(target) {
            return true;
        }
        let mut devices = self.0.lock().expect("no holder panics");
        devices.get_mut(device).is_some_and(|known| known.is_service(target))
    }

    /// What this device said that `target` is.
    pub(super) fn resource(&self, device: &str, target: &PathAndQuery) -> Option<Resource> {
        self.0.lock().expect("no holder panics").get_mut(device)?.resource(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_device_named_is_no_address_of_another() {
        let given = GivenOut::default();
        let named = |service: &str, resource: &str| Addresses {
            services: vec![service.to_owned()],
            resources: vec![resource.to_owned()],
            ..Addresses::default()
        };
        given.remember(&"cam".into(), named("/event?id=7", "/snap?ch=1"), true);
        given.remember(&"other".into(), named("/elsewhere", "/log"), false);
        let is_service = |target: &str| given.is_service("cam", &target.parse().unwrap());
        let resource = |target: &str| given.resource("cam", &target.parse().unwrap());
        assert!(is_service("/onvif/device_service") && is_service("/event?id=7"));
        assert!(!is_service("/elsewhere") && !is_service("/onvif/../x"));
        assert_eq!((resource("/snap?ch=1"), resource("/log")), (Some(Resource::Media), None));
        given.forget("cam");
        assert!(!is_service("/event?id=7"));
        assert_eq!(resource("/snap?ch=1"), None);
    }
}
