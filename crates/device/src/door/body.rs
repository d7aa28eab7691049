//! A request's body, with a bound on its size and on its time; and plain answers where there is no SOAP to answer with.

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use oriel_uplink::{Body, body};
use std::time::Duration;

/// How long a body may take to arrive.
const TIME: Duration = Duration::from_secs(20);

/// Reads the whole body.
///
/// # Errors
/// The answer: 413, 408, or 400 when the connection broke.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, Refused> {
    match tokio::time::timeout(TIME, collect(body, most)).await {
        Ok(read) => read,
        Err(_) => {
            let text = format!("the request did not arrive within {} s", TIME.as_secs());
            Err(plain(StatusCode::REQUEST_TIMEOUT, text))
        }
    }
}

async fn collect(mut body: Body, most: usize) -> Result<Bytes, Refused> {
    let too_large = || plain(StatusCode::PAYLOAD_TOO_LARGE, format!("the request is larger than {most} bytes"));
    // Who announces too much need not send it.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let mut message = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| plain(StatusCode::BAD_REQUEST, format!("the request cannot be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if message.len() + data.len() > most {
            return Err(too_large());
        }
        message.extend_from_slice(&data);
    }
    Ok(message.freeze())
}

/// The answer to a request that does not get through the door.
pub(crate) type Refused = Box<Response<Body>>;

/// An answer in plain text.
pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> Refused {
    let mut text = text.into();
    text.push('\n');
    let length = text.len();
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    Box::new(response)
}
