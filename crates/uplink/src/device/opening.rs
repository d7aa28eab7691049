//! The upgrade on an open connection, from the camera's side (Uplink §5.1.1).

use std::{
    io,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout, timeout_at},
};

use super::{DialError, Layer, Link};
use crate::{
    AccessToken, Form, Io, RemoteAddress, Rewound,
    upgrade::{
        request,
        response::{self, Answer, snippet},
        tokens::H2C_REVERSE,
    },
    websocket::{Role, WebSocketBytes},
};

/// Most bytes of a refusal's body that are read for the error text.
const MAX_TEXT: usize = 2048;
/// Most interim answers (1xx) before the real one.
const MAX_INTERIM: usize = 8;

/// Upgrades a connection that is open already, TLS or not: a test's pipe, or a transport of somebody else's.
///
/// # Errors
/// See [`DialError`]; `time` bounds the whole upgrade.
pub async fn dial_over<IO: Io>(
    mut io: IO,
    address: &RemoteAddress,
    token: Option<&AccessToken>,
    time: Duration,
) -> Result<Link, DialError> {
    let deadline = Instant::now() + time;
    let exchange = exchange(&mut io, address, token, deadline);
    let early = timeout_at(deadline, exchange)
        .await
        .map_err(|_| DialError::Timeout { layer: Layer::Upgrade, after: time })??;
    let io = Rewound::new(io, early);
    Ok(match address.form() {
        Form::Native => Link::new(io),
        Form::WebSocket => Link::new(WebSocketBytes::new(io, Role::Client).await),
    })
}

/// Sends the request, reads the answer; gives what followed the 101 in the same segment.
async fn exchange<IO: Io>(
    io: &mut IO,
    address: &RemoteAddress,
    token: Option<&AccessToken>,
    deadline: Instant,
) -> Result<Bytes, DialError> {
    let key = if address.form() == Form::WebSocket { websocket_key() } else { String::new() };
    let head = request::write(address, token, &key);
    // A cloud that refuses our certificate may already have closed; its alert is then what is read.
    let sent = async {
        io.write_all(&head).await?;
        io.flush().await
    }
    .await;
    let mut bytes = BytesMut::with_capacity(1024);
    for _ in 0..MAX_INTERIM {
        let (answer, used) = read_head(io, &mut bytes, &sent).await?;
        let _ = bytes.split_to(used);
        match answer.status {
            101 => {
                answer.verify(address.form(), &H2C_REVERSE, &key)?;
                return Ok(Bytes::copy_from_slice(&bytes));
            }
            100..=199 => {}
            _ => return Err(refused(io, answer, bytes, token.is_some(), deadline).await),
        }
    }
    Err(DialError::UpgradeBroken { text: "too many interim answers".into() })
}

async fn read_head<IO: Io>(
    io: &mut IO,
    bytes: &mut BytesMut,
    sent: &io::Result<()>,
) -> Result<(Answer, usize), DialError> {
    loop {
        if let Some(done) = response::parse(bytes)? {
            return Ok(done);
        }
        match io.read_buf(bytes).await {
            Ok(0) => {
                let text = match sent {
                    Err(error) => error.to_string(),
                    Ok(()) => "closed by the other side".into(),
                };
                return Err(DialError::UpgradeBroken { text });
            }
            Ok(_) => {}
            Err(error) => return Err(broken(&error)),
        }
    }
}

/// With TLS 1.3 a refused certificate shows as an alert on the first read after the handshake.
fn broken(error: &io::Error) -> DialError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => DialError::CertificateRefused { alert: format!("{alert:?}") },
        Some(other) => DialError::Tls { text: other.to_string() },
        None => DialError::UpgradeBroken { text: error.to_string() },
    }
}

async fn refused<IO: Io>(
    io: &mut IO,
    answer: Answer,
    mut body: BytesMut,
    with_token: bool,
    deadline: Instant,
) -> DialError {
    let wanted = answer.content_length().unwrap_or(MAX_TEXT).min(MAX_TEXT);
    // A text is worth a moment, not the rest of the deadline.
    let until = deadline.min(Instant::now() + Duration::from_secs(1));
    let read = async { while body.len() < wanted && io.read_buf(&mut body).await.is_ok_and(|n| n > 0) {} };
    let _ = timeout_at(until, read).await;
    let _ = timeout(Duration::from_millis(100), io.shutdown()).await;
    DialError::Refused {
        status: answer.status,
        text: snippet(&body[..body.len().min(wanted)]),
        retry_after: answer.retry_after(SystemTime::now()),
        with_token,
    }
}

fn websocket_key() -> String {
    let mut key = [0; 16];
    // The key only tells answers apart (RFC 6455 §4.1); one that is not random is still a key.
    let _ = rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut key);
    STANDARD.encode(key)
}
