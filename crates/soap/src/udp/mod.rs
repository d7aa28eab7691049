//! SOAP over UDP (the specification of September 2004), as far as both ends of WS-Discovery share it: interfaces and sockets, repetition of messages, and a
//! bound on what is read and answered. It knows no message; whoever asks and whoever is found drives it.

mod interfaces;
mod port;
mod repeat;
mod throttle;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use interfaces::{Interface, Select, interfaces};
pub use port::{Place, Port, Purpose};
pub use repeat::{MULTICAST, Random, Repeat, UNICAST};
pub use throttle::{Rate, Throttle};

/// Where messages for everybody go: an address of each family, and their port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// By IPv4.
    pub v4: Ipv4Addr,
    /// By IPv6, on one link.
    pub v6: Ipv6Addr,
    /// The port of both.
    pub port: u16,
}
