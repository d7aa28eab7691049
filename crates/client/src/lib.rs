//! The ONVIF client role: typed calls for the operations of our tables, raw calls for the rest.
//!
//! A [`Client`] speaks to one device, on the LAN or through a cloud's gateway; which of them is the [`Transport`]'s business. Addresses that a device
//! gives are followed by their path alone, on the host that is known to work: behind NAT a device's own idea of its host leads nowhere.

use http::StatusCode;
use oriel_soap::Fault;

pub mod api;
mod ask;
mod body;
mod call;
pub mod camera;
mod connection;
mod credentials;
pub mod discovery;
pub mod forward;
pub mod layers;
mod origin;
mod pool;
pub mod provision;
pub mod quirks;
pub mod relay;
pub mod trace;
pub mod transport;

pub use call::{Auth, Client};
pub use transport::{Answer, Direct, Transport, TransportError};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The request did not get there, or the answer did not come back.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The device, or the cloud on its way, answered with a fault.
    #[error("{fault}")]
    Fault {
        /// HTTP's word beside it.
        status: StatusCode,
        /// SOAP's word.
        fault: Fault,
    },
    /// The answer is not SOAP: a proxy, a gateway, a web server.
    #[error("HTTP status {status}: {text}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The beginning of the text that came with it.
        text: String,
    },
    /// The answer is SOAP, but not the answer to this operation.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl CallError {
    /// Whether the caller was not let in: wrong credentials, or too few rights.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Fault { status, fault } => {
                matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) || fault.is("NotAuthorized")
            }
            Self::Status { status, .. } => matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
            _ => false,
        }
    }
}
