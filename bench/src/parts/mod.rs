//! What is measured, a file a subject.

pub(crate) mod device;
pub(crate) mod distance;
pub(crate) mod memory;
pub(crate) mod speed;
