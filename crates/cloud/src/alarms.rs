//! Alarms an operator should look at, counted by device.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::records::DeviceId;

/// How often each identity was seen in two places by turns.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Mutex<HashMap<DeviceId, u32>>);

impl Alarms {
    /// One more for `device`. Only registered devices come here, and they are forgotten with their registration.
    pub(crate) fn raise(&self, device: &DeviceId) {
        *self.0.lock().expect("no holder panics").entry(DeviceId::clone(device)).or_default() += 1;
    }

    /// The count of `device`.
    #[must_use]
    pub(crate) fn of(&self, device: &str) -> u32 {
        self.0.lock().expect("no holder panics").get(device).copied().unwrap_or(0)
    }

    /// The device is registered no more.
    pub(crate) fn forget(&self, device: &str) {
        self.0.lock().expect("no holder panics").remove(device);
    }
}
