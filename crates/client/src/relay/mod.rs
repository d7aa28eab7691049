//! What whoever stands between a client and a device has to do: decide on its own parse, send on what was decided on, and make the addresses of replies lead
//! through itself. The cloud's gateway and the bridge are two such, and decide in this one place.
//!
//! ```text
//! client ── request ─► check: parse, class, level, re-serialised ─► headers that may pass ─► device
//!        ◄─ reply ──── addresses: through us, and remembered as given out ◄────────────────┘
//! ```

pub mod addresses;
mod beginning;
pub mod check;
pub mod clock;
pub mod given_out;
pub mod headers;

pub use beginning::beginning;

use http::StatusCode;
use oriel_soap::Fault;

/// Why a request does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// HTTP's word, and what was wrong.
    Status(StatusCode, String),
    /// SOAP's own words, where the envelope was at fault.
    Fault(Box<Fault>),
}

impl Refused {
    pub(crate) fn status(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::Status(status, detail.into())
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}
