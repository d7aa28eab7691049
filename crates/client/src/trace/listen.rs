//! Listening to a trace: server-sent events (HTML Living Standard §9.2) over HTTP/1.1.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use rustls::ClientConfig;
use url::{Position, Url};

use super::Event;
use crate::connection::Connection;
use crate::origin::Origin;
use crate::{CallError, TransportError};

/// For the beginning of the answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Whoever tells nothing for so long, not even that it stands, is gone: a stream says so every 15 s.
const SILENT: Duration = Duration::from_secs(60);
/// The longest event.
const LONGEST: usize = 256 * 1024;
/// Of a refusal as much is read.
const REFUSAL: usize = 16 * 1024;

/// A stream of events. Dropping it ends the connection.
pub struct Listening {
    body: Incoming,
    lines: Lines,
    _connection: Connection<Full<Bytes>>,
}

impl Listening {
    /// Asks for the events at `url`, with these headers.
    ///
    /// # Errors
    /// [`CallError::Status`] with what the other side says, or that it cannot be reached.
    pub async fn open(url: &Url, tls: Option<ClientConfig>, headers: HeaderMap) -> Result<Self, CallError> {
        let origin = Origin::new(url, tls)?;
        let bad = |error: http::Error| TransportError::Address(error.to_string());
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let mut request = Request::get(target).body(Full::default()).map_err(bad)?;
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, origin.host()?);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let asked = async { Connection::open(&origin).await?.send(request).await?.answered() };
        let asked = tokio::time::timeout(ANSWER, asked).await;
        let (connection, response) = asked.map_err(|_| TransportError::Timeout("HTTP"))??;
        if response.status() != StatusCode::OK {
            let status = response.status();
            let body = tokio::time::timeout(ANSWER, Limited::new(response.into_body(), REFUSAL).collect()).await;
            let body = body.map_err(|_| TransportError::Timeout("HTTP"))?.map_err(TransportError::Body)?.to_bytes();
            return Err(CallError::Status { status, text: String::from_utf8_lossy(&body).into_owned() });
        }
        Ok(Self { body: response.into_body(), lines: Lines::default(), _connection: connection })
    }

    /// The next event; `None` at the stream's end.
    ///
    /// # Errors
    /// The stream broke off, fell silent, or is none.
    pub async fn next(&mut self) -> Result<Option<Event>, CallError> {
        self.next_of().await
    }

    /// The same of a stream whose events are something else; what cannot be read as that is passed over.
    ///
    /// # Errors
    /// As [`Listening::next`].
    pub async fn next_of<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, CallError> {
        Ok(self.next_told().await?.map(|told| told.data))
    }

    /// The same, with what the event calls itself.
    ///
    /// # Errors
    /// As [`Listening::next`].
    pub async fn next_told<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<Told<T>>, CallError> {
        loop {
            while let Some(data) = self.lines.next() {
                // Events of other kinds are not ours to read.
                if let Ok(data) = serde_json::from_str(&data) {
                    return Ok(Some(Told { kind: self.lines.kind.clone(), id: self.lines.id.clone(), data }));
                }
            }
            let frame = tokio::time::timeout(SILENT, self.body.frame()).await;
            match frame.map_err(|_| TransportError::Timeout("the trace"))? {
                None => return Ok(None),
                Some(frame) => {
                    let data = frame.map_err(TransportError::Http)?.into_data().unwrap_or_default();
                    if !self.lines.push(&data) {
                        return Err(CallError::Unreadable("an event of the trace is too long".to_owned()));
                    }
                }
            }
        }
    }
}

/// One event with its name and its id; both are empty where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<T> {
    /// What kind of event it is.
    pub kind: String,
    /// What to send as `Last-Event-ID` to go on after it.
    pub id: String,
    /// What it says.
    pub data: T,
}

/// From bytes to the data of events.
#[derive(Default)]
struct Lines {
    /// What came and is no line yet.
    rest: Vec<u8>,
    /// Data of the event that is being read.
    data: String,
    /// Its name, and the name and the id of the last that was read.
    named: String,
    kind: String,
    id: String,
    /// How far `rest` was read.
    at: usize,
}

impl Lines {
    /// Takes what came; false when an event is longer than it may be.
    fn push(&mut self, bytes: &[u8]) -> bool {
        self.rest.drain(..self.at);
        self.at = 0;
        self.rest.extend_from_slice(bytes);
        self.rest.len() + self.data.len() <= LONGEST
    }

    /// The data of the next whole event.
    fn next(&mut self) -> Option<String> {
        loop {
            let rest = &self.rest[self.at..];
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            self.at += end + 1;
            if line.is_empty() {
                self.kind = std::mem::take(&mut self.named);
                if !self.data.is_empty() {
                    return Some(std::mem::take(&mut self.data));
                }
            } else if let Some(data) = line.strip_prefix(b"data:") {
                let data = String::from_utf8_lossy(data);
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(&data));
            } else if let Some(name) = line.strip_prefix(b"event:") {
                self.named = String::from_utf8_lossy(name).trim().to_owned();
            } else if let Some(id) = line.strip_prefix(b"id:") {
                self.id = String::from_utf8_lossy(id).trim().to_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let stream = b"retry: 2000\n\n: here\n\nevent: x\nid: 1\ndata: {\"a\":\ndata: 1}\n\ndata:two\r\n\r\n";
        for cut in 1..stream.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in [&stream[..cut], &stream[cut..]] {
                assert!(lines.push(piece));
                found.extend(std::iter::from_fn(|| lines.next()));
            }
            assert_eq!(found, ["{\"a\":\n1}", "two"], "cut at {cut}");
        }
        let mut lines = Lines::default();
        assert!(!lines.push(&vec![b'x'; LONGEST + 1]), "an endless line is refused");
    }

    #[test]
    fn an_event_says_what_it_is_and_where() {
        let mut lines = Lines::default();
        assert!(lines.push(b"retry: 2000\nevent: reset\nid: 7\ndata: {}\n\ndata: x\n\n"));
        assert_eq!(lines.next().as_deref(), Some("{}"));
        assert_eq!((&*lines.kind, &*lines.id), ("reset", "7"));
        assert_eq!(lines.next().as_deref(), Some("x"));
        assert_eq!((&*lines.kind, &*lines.id), ("", "7"), "the name is one event's, the id stays");
    }
}
