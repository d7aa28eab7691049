//! The control socket: how another program of this machine, and of this user, tells a running device what happened.
//!
//! It is `control.sock` in the data folder, for its owner alone. What is written there is one JSON object a line, and so is each answer:
//!
//! ```text
//! → {"tell":{"topic":"tns1:VideoSource/MotionAlarm","source":{"Source":"VideoSource_1"},"data":{"State":"true"}}}
//! ← {"told":{"topic":"tns1:VideoSource/MotionAlarm"}}
//! → {"tell":{"topic":"tns1:VideoSource/Moon"}}
//! ← {"refused":{"kind":"topic","text":"there is no topic …","known":["tns1:…"]}}
//! → {"list":{}}
//! ← {"topics":[{"topic":"tns1:VideoSource/MotionAlarm","property":true,"source":[…],"key":[],"data":[…]}]}
//! ```
//!
//! `oriel device event` is the other side, by [`ask`]. No word here gives rights on the device: nothing is read but its topics, and nothing
//! is done but telling.

mod client;
mod place;
mod server;
mod tell;
mod words;

pub use client::{AskError, ask};
pub use words::{Item, Refusal, RefusalKind, Reply, Request, Tell, Told, Topic, prefixed};

pub(crate) use server::Control;
pub(crate) use tell::Defaults;

/// The name of the socket in the data folder.
pub const SOCKET: &str = "control.sock";

/// The longest line, in bytes: more than the largest message takes.
const MAX_LINE: usize = 64 * 1024;
