//! One HTTP/1.1 connection, and what became of a request on it.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use crate::TransportError;
use crate::origin::Origin;

/// A connection that ends when it is dropped.
pub(crate) struct Connection<B> {
    sender: SendRequest<B>,
    driver: AbortHandle,
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The longest head of an answer.
const HEAD: usize = 64 * 1024;

/// HTTP/1.1 as cameras speak it: header names in title case, which some compare letter by letter, and few demands on what comes back.
fn tolerant() -> Builder {
    let mut builder = Builder::new();
    builder
        .title_case_headers(true)
        .max_buf_size(HEAD)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    builder
}

/// What became of a request.
pub(crate) enum Sent<B> {
    Answered(Connection<B>, Response<Incoming>),
    /// Not a byte of it left, so that it may be sent again.
    Unsent(Request<B>),
}

impl<B> Sent<B> {
    /// For a new connection, where there is no second try.
    pub(crate) fn answered(self) -> Result<(Connection<B>, Response<Incoming>), TransportError> {
        match self {
            Self::Answered(connection, response) => Ok((connection, response)),
            Self::Unsent(_) => Err(TransportError::Closed),
        }
    }
}

impl<B> Connection<B> {
    /// Whether the other side closed it, as far as is known.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<B> Connection<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    pub(crate) async fn open(origin: &Origin) -> Result<Self, TransportError> {
        let (sender, driver) = tolerant().handshake(TokioIo::new(origin.connect().await?)).await?;
        Ok(Self { sender, driver: tokio::spawn(driver.with_upgrades()).abort_handle() })
    }

    /// Waits until the answer before is read, which whoever reads it has to do.
    pub(crate) async fn send(mut self, request: Request<B>) -> Result<Sent<B>, TransportError> {
        if self.sender.ready().await.is_err() {
            return Ok(Sent::Unsent(request));
        }
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(Sent::Answered(self, response)),
            Err(mut error) => match error.take_message() {
                Some(request) => Ok(Sent::Unsent(request)),
                None => Err(error.into_error().into()),
            },
        }
    }
}
