//! The records, in both databases alike, and what happens to them when disks, databases and processes fail.

mod breaking;
pub(super) mod postgres;
mod truth;
