//! Why a dial failed, by layer: what stands in an uplink's `Error` (Uplink §6.1) and what a person does next.

use std::{fmt, net::IpAddr, time::Duration};

use crate::{backoff::Failure, upgrade::response::AnswerError};

/// The layer that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Name resolution.
    Name,
    /// The call-out policy.
    Address,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// The device's clock.
    Clock,
    /// Getting a token, or the cloud's word on it.
    Token,
    /// The HTTP/1.1 upgrade.
    Upgrade,
    /// HTTP/2.
    Http2,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Address => "address",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Clock => "clock",
            Self::Token => "token",
            Self::Upgrade => "upgrade",
            Self::Http2 => "HTTP/2",
        })
    }
}

/// Why a dial failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name does not resolve.
    #[error("name: {host} cannot be resolved: {text}")]
    Name {
        /// What was asked for.
        host: String,
        /// The resolver's word.
        text: String,
    },
    /// The policy on call-outs refuses every address of the host.
    #[error("address: {host} is at {address}, which this device's call-out policy refuses")]
    Address {
        /// The configured host.
        host: String,
        /// The first refused address.
        address: IpAddr,
    },
    /// No TCP connection.
    #[error("TCP: no connection to {target}: {text}")]
    Tcp {
        /// Host and port, or the address that was tried last.
        target: String,
        /// The system's word.
        text: String,
    },
    /// The TLS handshake failed.
    #[error("TLS: {text}")]
    Tls {
        /// The verdict.
        text: String,
    },
    /// The cloud does not accept our certificate: its alert came instead of an answer.
    #[error("TLS: the cloud refused this device's certificate ({alert})")]
    CertificateRefused {
        /// The alert's name.
        alert: String,
    },
    /// The cloud's certificate is not valid at this device's time.
    #[error("clock: {text}; check this device's date and time first")]
    Clock {
        /// Expired or not valid yet.
        text: String,
    },
    /// No token could be had.
    #[error("token: {text}")]
    Credentials {
        /// The authorization server's or the store's word.
        text: String,
    },
    /// The cloud answered, but with a refusal.
    #[error("{}: the cloud answered {status}{}", refused_layer(*status), refused_text(text, *retry_after))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// A piece of the answer's text.
        text: String,
        /// How long the cloud asks to wait.
        retry_after: Option<Duration>,
        /// Whether a token was shown.
        with_token: bool,
    },
    /// What answered does not speak the upgrade.
    #[error("upgrade: {0}")]
    Upgrade(#[from] AnswerError),
    /// The connection ended during the upgrade.
    #[error("upgrade: the connection ended before the answer: {text}")]
    UpgradeBroken {
        /// What ended it.
        text: String,
    },
    /// HTTP/2 could not be started.
    #[error("HTTP/2: {text}")]
    Http2 {
        /// What went wrong.
        text: String,
    },
    /// A layer took too long.
    #[error("{layer}: no answer within {} s", .after.as_secs())]
    Timeout {
        /// Which one.
        layer: Layer,
        /// The deadline.
        after: Duration,
    },
}

fn refused_layer(status: u16) -> Layer {
    if status == 401 { Layer::Token } else { Layer::Upgrade }
}

fn refused_text(text: &str, retry_after: Option<Duration>) -> String {
    let mut out = String::new();
    if !text.is_empty() {
        out.push_str(": ");
        out.push_str(text);
    }
    if let Some(after) = retry_after {
        out.push_str(&format!(" (again in {} s)", after.as_secs()));
    }
    out
}

impl DialError {
    /// The layer that failed.
    pub fn layer(&self) -> Layer {
        match self {
            Self::Name { .. } => Layer::Name,
            Self::Address { .. } => Layer::Address,
            Self::Tcp { .. } => Layer::Tcp,
            Self::Tls { .. } | Self::CertificateRefused { .. } => Layer::Tls,
            Self::Clock { .. } => Layer::Clock,
            Self::Credentials { .. } => Layer::Token,
            Self::Refused { status, .. } => refused_layer(*status),
            Self::Upgrade(_) | Self::UpgradeBroken { .. } => Layer::Upgrade,
            Self::Http2 { .. } => Layer::Http2,
            Self::Timeout { layer, .. } => *layer,
        }
    }

    /// What the ladder has to know.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Refused { status: 401, with_token: true, .. } => Failure::TokenRefused,
            Self::Refused { status: 403, .. } => Failure::Forbidden,
            Self::Refused { status: 429 | 503, retry_after: Some(after), .. } => Failure::RetryAfter(*after),
            _ => Failure::Transient,
        }
    }
}
