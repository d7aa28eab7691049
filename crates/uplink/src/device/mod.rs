//! The camera's end of the tunnel: dial, serve what the cloud asks, watch, dial again.

mod credentials;
mod dial;
mod error;
mod limits;
mod link;
mod name;
mod opening;
mod status;
mod stop;
mod uplink;

pub use credentials::{CredentialSource, Credentials};
pub use dial::{AddressPolicy, Dial, Timeouts, dial, secure};
pub use error::{DialError, Layer};
pub use limits::Limits;
pub use link::{Closed, Link};
pub use name::{Resolver, connect};
pub use opening::dial_over;
pub use status::{State, Status, Traffic};
pub use stop::Stop;
pub use uplink::{BoxFuture, Connect, Uplink, UplinkConfig};

pub use crate::backoff::seed;
