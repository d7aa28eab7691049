//! The cloud's end of the tunnel: tell an uplink from other connections, answer its upgrade, and ask through it.

mod bodies;
mod budget;
mod driver;
mod gate;
mod incoming;
mod limits;
mod pump;
mod reason;
mod request;
mod sniff;
mod stream;
mod tunnel;

pub use budget::Budget;
pub use driver::Driver;
pub use gate::Class;
pub use incoming::{AcceptError, Incoming, Refusal, over};
pub use limits::Limits;
pub use reason::{CloseReason, RequestError};
pub use sniff::{SniffError, SniffLimits, Sniffed, sniff};
pub use stream::TunnelStream;
pub use tunnel::{Stats, Tunnel};
