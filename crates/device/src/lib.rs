//! The camera half: services, store, supervisor of uplinks.
//!
//! A device is a SOAP server that is reached in two ways: by the LAN, on ports that it listens on, and by its *uplinks*, tunnels that it
//! dials to clouds and through which the clouds ask (ONVIF Uplink). Both ways lead to one door, so that an operation means the same
//! wherever it is asked; what differs is who asks. On the LAN a caller shows an account by HTTP Digest or WS-UsernameToken. In an uplink
//! the configured level of that uplink counts, and nothing else.
//!
//! ```text
//!    LAN ── ports ──┐                                     ┌─ device service
//!                   ├─► door ─► router ─► handler ────────┤
//!  cloud ─ uplinks ─┘   who?    may it?      │            └─ uplink service
//!            ▲                               ▼
//!        supervisor ◄──── watches ──────── store: one document, durable before the answer
//! ```
//!
//! Whoever looks for devices on the LAN finds it by WS-Discovery (the feature `discovery`).
//!
//! A handler never dials. It validates and writes to the [`store`]; the supervisor compares what is wanted there with what runs, and
//! starts, replaces and drains. That is why an uplink can be changed through itself, why a start after a power cut is nothing special,
//! and why an unreachable cloud costs the others nothing: each uplink has its own task, its own pauses and its own state.
//!
//! At first start the device makes itself an identity: a UUID, a serial number, and a key with a self-signed certificate, which is stored
//! under the `CertificateID` `device`. A cloud is told the [fingerprint](Device::fingerprint) of that key to know the device again.
//!
//! ```no_run
//! # async fn start() -> Result<(), oriel_device::DeviceError> {
//! use oriel_device::{Config, Device};
//!
//! let device = Device::start(Config::new("/var/lib/camera")).await?;
//! println!("reach me at {:?}, know me by {}", device.addresses(), device.fingerprint());
//! device.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Dropping a [`Device`] ends everything it started, at once; [`Device::stop`] lets the answers that are on their way arrive.

mod accounts;
#[cfg(feature = "bridge")]
pub mod bridge;
mod call_out;
pub mod config;
pub mod control;
mod device;
#[cfg(feature = "discovery")]
mod discovery;
mod door;
pub mod events;
mod interfaces;
mod keystore;
mod monitoring;
mod scopes;
mod services;
pub mod store;
mod supervisor;
mod uplinked;

#[cfg(feature = "bridge")]
pub use config::BridgeConfig;
pub use config::{Config, ConfigError};
pub use device::{Device, DeviceError, FirstCredentials, UplinkStatus};
pub use monitoring::occurrences;
