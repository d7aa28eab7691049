//! The first head on a TLS connection: an uplink's upgrade (Uplink §5.1.1), or anybody's HTTP.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout, timeout_at},
};

use super::Incoming;
use crate::{
    Io, Rewound,
    upgrade::{
        self,
        request::{HeadError, Judged, names_a_token, parse_within},
        response::write_refusal,
    },
};

/// Bounds on the first bytes of a connection.
#[derive(Debug, Clone)]
pub struct SniffLimits {
    /// Most bytes of an uplink's head.
    pub head_bytes: usize,
    /// The head must be complete within this, from its first byte on.
    pub head_time: Duration,
    /// The first byte must have come within this.
    pub first_byte: Duration,
}

impl Default for SniffLimits {
    fn default() -> Self {
        Self { head_bytes: upgrade::MAX_HEAD, head_time: Duration::from_secs(5), first_byte: Duration::from_secs(10) }
    }
}

/// What a connection turned out to be.
#[derive(Debug)]
pub enum Sniffed<IO> {
    /// A device that dials in.
    Uplink(Incoming<IO>),
    /// Anything else, with every byte still to be read.
    Other(Rewound<IO>),
}

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SniffError {
    /// Closed before its first head was complete.
    #[error("the connection was closed before a request came")]
    Closed,
    /// No first byte in time.
    #[error("no request came in time")]
    Silent,
    /// A wrong upgrade request; it was answered already.
    #[error("an uplink was refused with {}: {}", .0.status, .0.text)]
    Refused(HeadError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// Reads the first head of a connection. An ordinary client is handed on as soon as it is evident that it is no uplink.
///
/// # Errors
/// See [`SniffError`]; the connection is over then.
pub async fn sniff<IO: Io>(mut io: IO, limits: &SniffLimits) -> Result<Sniffed<IO>, SniffError> {
    let mut bytes = BytesMut::with_capacity(1024);
    let read = timeout(limits.first_byte, io.read_buf(&mut bytes)).await.map_err(|_| SniffError::Silent)??;
    if read == 0 {
        return Err(SniffError::Closed);
    }
    let deadline = Instant::now() + limits.head_time;
    loop {
        match parse_within(&bytes, limits.head_bytes) {
            Judged::Other => return Ok(Sniffed::Other(Rewound::new(io, bytes.freeze()))),
            Judged::Uplink(request, used) => {
                // Copied, so that the buffer of the head is not kept alive by a few early bytes.
                let early = Bytes::copy_from_slice(&bytes[used..]);
                return Ok(Sniffed::Uplink(Incoming::new(*request, Rewound::new(io, early))));
            }
            Judged::Broken(error) => return Err(refuse(io, error).await),
            Judged::Partial => {}
        }
        match timeout_at(deadline, io.read_buf(&mut bytes)).await {
            Ok(Ok(0)) => return Err(SniffError::Closed),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(_) if names_a_token(&bytes) => {
                return Err(refuse(io, HeadError { status: 408, text: "the head took too long" }).await);
            }
            // A slow ordinary client is the HTTP server's business; it has a deadline of its own.
            Err(_) => return Ok(Sniffed::Other(Rewound::new(io, bytes.freeze()))),
        }
    }
}

async fn refuse<IO: Io>(mut io: IO, error: HeadError) -> SniffError {
    let status = http::StatusCode::from_u16(error.status).unwrap_or(http::StatusCode::BAD_REQUEST);
    let answer = write_refusal(status, error.text, None);
    // Best effort: whoever does not read its refusal has had its chance.
    let _ = timeout(Duration::from_secs(2), async {
        io.write_all(&answer).await?;
        io.shutdown().await
    })
    .await;
    SniffError::Refused(error)
}
