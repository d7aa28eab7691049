//! ONVIF Uplink chapter 5: the reverse tunnel, both ends.
//!
//! The device dials out over TLS, both sides upgrade, and HTTP/2 then runs with its roles reversed: the cloud asks, the
//! device answers. [`device`] is the camera's end, [`cloud`] the other. What both share is pure and takes `now` as an
//! argument: [`upgrade`] reads and writes the heads, [`frames`] watches frame boundaries in a byte stream, [`backoff`],
//! [`liveness`] and [`machine`] decide when to dial, ping and give up. Nothing here knows SOAP.

pub mod address;
pub mod backoff;
pub mod body;
pub mod cloud;
pub mod device;
mod forward;
pub mod frames;
pub mod liveness;
pub mod machine;
pub mod packed;
mod read_ahead;
mod rewound;
pub mod upgrade;
pub mod websocket;
mod wire;

pub use address::{AddressError, Form, Host, RemoteAddress};
pub use body::{Body, BoxError};
pub use read_ahead::ReadAhead;
pub use rewound::Rewound;
pub use upgrade::AccessToken;

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream that a tunnel can run over: TLS over TCP in life, a pair of pipes in tests.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}
