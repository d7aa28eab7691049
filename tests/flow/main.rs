//! Flow tests: cloud, device and their peers in one process, over loopback.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bridge;
mod cloud;
mod device;
