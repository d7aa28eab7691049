//! Why a tunnel ended, and why a request on it did.

use crate::{BoxError, liveness::Dead};

/// Why a tunnel ended; each text says which bound, if it was one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The device closed it, without complaint.
    #[error("the device closed the tunnel")]
    Peer,
    /// The device closed it with an HTTP/2 error.
    #[error("the device closed the tunnel: {0}")]
    PeerError(String),
    /// Closed from this side, for the reason given.
    #[error("closed here: {0}")]
    Local(String),
    /// No byte came for the read deadline.
    #[error("nothing was received within the read deadline")]
    Silent,
    /// A write made no progress.
    #[error("a write made no progress within the write deadline")]
    WriteStalled,
    /// The HTTP/2 handshake was not completed.
    #[error("the device sent no HTTP/2 SETTINGS within the deadline")]
    NoSettings,
    /// Too many control frames.
    #[error("the device sent more control frames per second than is allowed")]
    ControlFlood,
    /// Too many resets.
    #[error("the device reset more streams per second than is allowed")]
    ResetFlood,
    /// Too many small frames that nobody read yet.
    #[error("the device sent more small or empty frames than are allowed unread: {0}")]
    SmallFrames(String),
    /// A header block without an end.
    #[error("the device sent a header block in more pieces than are allowed")]
    HeaderFlood,
    /// The device broke HTTP/2.
    #[error("the device broke HTTP/2: {0}")]
    Protocol(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(String),
    /// The device's right to be here was taken back.
    #[error("the device's access was revoked")]
    Revoked,
    /// Newer tunnels of the same device took its place.
    #[error("newer tunnels of the same device took its place")]
    Evicted,
    /// The cloud shuts down.
    #[error("the cloud shuts down")]
    Shutdown,
    /// Nobody held the tunnel any more.
    #[error("the tunnel was let go of")]
    Dropped,
}

impl From<Dead> for CloseReason {
    fn from(dead: Dead) -> Self {
        match dead {
            Dead::Silent => Self::Silent,
            Dead::WriteStalled => Self::WriteStalled,
            Dead::NoSettings => Self::NoSettings,
        }
    }
}

impl CloseReason {
    /// The HTTP/2 error code that tells the device.
    pub(crate) fn code(&self) -> u32 {
        match self {
            Self::ControlFlood | Self::ResetFlood | Self::HeaderFlood | Self::SmallFrames(_) => 11,
            Self::NoSettings => 4,
            Self::Protocol(_) => 1,
            // Not NO_ERROR: that asks the device to dial another tunnel at once.
            _ => 8,
        }
    }

    /// `in_header_block`: the last frame seen left a header block open. `h2` names both floods alike.
    pub(crate) fn of(error: &h2::Error, in_header_block: bool) -> Self {
        if error.is_io() {
            // A device that loses its power of speech does not end TLS in form.
            let end = error.get_io().is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof);
            return if end { Self::Peer } else { Self::Io(error.to_string()) };
        }
        if error.is_remote() {
            return Self::PeerError(error.to_string());
        }
        let text = error.to_string();
        match error.reason() {
            Some(h2::Reason::ENHANCE_YOUR_CALM) if in_header_block => Self::HeaderFlood,
            Some(h2::Reason::ENHANCE_YOUR_CALM) => Self::SmallFrames(text),
            _ => Self::Protocol(text),
        }
    }
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The tunnel had closed before anything of the request was sent.
    #[error("the tunnel had closed: {0}")]
    NotSent(CloseReason),
    /// The tunnel has ended.
    #[error("the tunnel is closed: {0}")]
    Closed(CloseReason),
    /// The device takes no more requests on this tunnel.
    #[error("the device is leaving this tunnel")]
    GoingAway,
    /// No stream or no memory was free in time.
    #[error("the tunnel is busy: {0}")]
    Busy(&'static str),
    /// The device reset the stream; `refused` says that it did not begin to process the request.
    #[error("the device reset the stream: {text}")]
    Reset {
        /// The HTTP/2 reason.
        text: String,
        /// Whether the request is safe to repeat.
        refused: bool,
    },
    /// The device does not offer extended CONNECT (RFC 8441).
    #[error("the device does not offer extended CONNECT")]
    NotOffered,
    /// The request cannot be sent over HTTP/2.
    #[error("the request cannot be sent: {0}")]
    Invalid(String),
    /// The request's own body failed.
    #[error("the request's body failed: {0}")]
    Body(BoxError),
}

impl RequestError {
    /// Whether the device certainly has not begun to process the request: it may be sent on another tunnel.
    pub fn unprocessed(&self) -> bool {
        matches!(self, Self::NotSent(_) | Self::GoingAway | Self::Busy(_) | Self::Reset { refused: true, .. })
    }
}
