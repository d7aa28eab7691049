//! Who is it: HTTP Digest and WS-UsernameToken, on both ends (Core §5.9.1, §5.9.3, §5.9.5).

mod token;

pub use token::{Password, UsernameToken};
