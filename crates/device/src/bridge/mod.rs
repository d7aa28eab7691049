//! The bridge: cameras that know nothing of the cloud, each as a device of its own.
//!
//! ```text
//!  list, LAN ─► compare ─► a keeper each ─► camera: identity, uplinks, door ─► that camera alone
//!                           │ looks for it by its endpoint reference when it is silent
//!                           └ brings it to the cloud
//! ```

mod asked;
pub mod camera;
mod compare;
mod enrol;
mod entry;
mod finder;
mod keeper;
mod known;
mod list;
mod memory;
mod port;
mod search;
mod slot;

pub use camera::{BridgedCamera, CameraStatus, Common, Contact};
pub use entry::{Believe, CameraEntry, Clash, camera_address, camera_name, clash, name_by_address};
pub use list::Bridge;
pub use slot::{CameraState, Enrolment};
