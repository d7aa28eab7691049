//! The bridge: cameras that know nothing of the cloud, each as a device of its own.

mod compare;
mod entry;

pub use entry::{Believe, CameraEntry, Clash, camera_address, camera_name, clash, name_by_address};
