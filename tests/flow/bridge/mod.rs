//! The bridge: cameras that know nothing of the cloud behind it, and who asks for them in front.

mod enrolling;
mod events;
mod framing;
mod identity;
mod lan;
mod levels;
mod life;
mod many;
mod plain;
mod resources;
mod rough;
mod shut_out;
mod site;
mod smuggling;
mod ssrf;
mod two_hundred;
