//! A device's upgrade request, waiting for the cloud's word (Uplink §5.1.1).

use std::{io, time::Duration};

use http::StatusCode;
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{Driver, Limits, Tunnel, tunnel};
use crate::{
    AccessToken, Form, Io, Rewound,
    upgrade::{
        request::UpgradeRequest,
        response::{write_native, write_refusal, write_websocket},
    },
    websocket::{Role, WebSocketBytes},
};

/// An uplink that was not answered yet. Dropping it closes the connection without an answer.
#[derive(Debug)]
pub struct Incoming<IO> {
    request: UpgradeRequest,
    io: Rewound<IO>,
}

/// What to tell a device that may not come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// A text for whoever reads the device's `Error`.
    pub text: String,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// 401: no token, or one that does not hold.
    pub fn unauthorized(text: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, text: text.into(), retry_after: None }
    }

    /// 403: known, but not wanted.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, text: text.into(), retry_after: None }
    }

    /// 503: later.
    pub fn busy(retry_after: Duration) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: "the cloud takes no more uplinks at the moment".into(),
            retry_after: Some(retry_after),
        }
    }
}

/// Why an accepted uplink did not come to stand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The connection broke.
    #[error("the connection broke during the upgrade: {0}")]
    Io(#[from] io::Error),
    /// The 101 or the preface did not leave in time.
    #[error("the device does not take the answer to its upgrade")]
    Slow,
    /// HTTP/2 could not be started.
    #[error("HTTP/2 could not be started: {0}")]
    Http2(String),
}

impl<IO: Io> Incoming<IO> {
    pub(super) fn new(request: UpgradeRequest, io: Rewound<IO>) -> Self {
        Self { request, io }
    }

    /// Native or inside WebSocket.
    pub fn form(&self) -> Form {
        self.request.form
    }

    /// The access token, if one was shown.
    pub fn token(&self) -> Option<&AccessToken> {
        self.request.token.as_ref()
    }

    /// Path and query without any token: fit for a log.
    pub fn target(&self) -> &str {
        &self.request.target
    }

    /// `Host` as it came, with or without port.
    pub fn host(&self) -> Option<&str> {
        self.request.host.as_deref()
    }

    /// The connection that the request came on.
    pub fn get_ref(&self) -> &IO {
        self.io.get_ref()
    }

    /// Answers no and closes.
    ///
    /// # Errors
    /// When the answer did not leave within 5 s.
    pub async fn refuse(mut self, refusal: Refusal) -> io::Result<()> {
        let answer = write_refusal(refusal.status, &refusal.text, refusal.retry_after);
        let send = async {
            self.io.write_all(&answer).await?;
            self.io.shutdown().await
        };
        timeout(Duration::from_secs(5), send).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Answers 101 and starts HTTP/2. Spawn the [`Driver`] as a task of its own: nothing moves without it.
    ///
    /// # Errors
    /// When the answer or the preface does not leave in time.
    pub async fn accept(self, limits: &Limits) -> Result<(Tunnel, Driver), AcceptError> {
        let form = self.request.form;
        let start = async {
            let Self { request, mut io } = self;
            let answer = match &request.websocket_key {
                Some(key) => write_websocket(request.protocol, key),
                None => write_native(request.protocol),
            };
            // Flushed alone: published devices take the 101 for a whole segment.
            io.write_all(&answer).await?;
            io.flush().await?;
            match form {
                Form::Native => tunnel::start(io, form, limits).await,
                Form::WebSocket => tunnel::start(WebSocketBytes::new(io, Role::Server).await, form, limits).await,
            }
        };
        timeout(limits.first_settings, Box::pin(start)).await.map_err(|_| AcceptError::Slow)?
    }
}

/// Starts a tunnel on a connection that needs no upgrade any more: a relay's far side, or a test.
///
/// # Errors
/// When the preface does not leave in time.
pub async fn over<IO: Io>(io: IO, limits: &Limits) -> Result<(Tunnel, Driver), AcceptError> {
    let start = tunnel::start(io, Form::Native, limits);
    timeout(limits.first_settings, start).await.map_err(|_| AcceptError::Slow)?
}
