//! The upgrade of Uplink §5.1.1: one HTTP/1.1 request and its answer, as bytes. No socket, no clock.

pub mod head;
pub mod request;
pub mod response;
mod token;
pub mod tokens;

pub use token::{AccessToken, TokenError};

/// Most bytes that a head may have, on either side.
pub const MAX_HEAD: usize = 8 * 1024;
