//! The bridge: cameras that know nothing of the cloud, each as a device of its own.

pub mod camera;
mod compare;
mod entry;

pub use camera::{BridgedCamera, CameraStatus, Common, Contact};
pub use entry::{Believe, CameraEntry, Clash, camera_address, camera_name, clash, name_by_address};
