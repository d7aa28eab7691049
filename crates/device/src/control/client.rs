//! The asking side of the control socket.

use super::place::Place;
use super::words::{Reply, Request};
use super::{MAX_LINE, SOCKET};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// How long the device has for an answer: it waits for nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer: the list of all topics is long.
const MAX_ANSWER: u64 = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// No device runs on that folder.
    #[error("{0}: no device runs on this data folder")]
    NoDevice(PathBuf),
    /// The socket is another user's.
    #[error("{0}: the socket is for the user that the device runs as")]
    NotLetIn(PathBuf),
    /// The socket cannot be used.
    #[error("{path}: {source}")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What came is no answer.
    #[error("{0}: the answer cannot be read")]
    Unreadable(PathBuf),
    /// What is asked is longer than a device reads.
    #[error("what is to be told is longer than {MAX_LINE} bytes")]
    TooLong,
}

/// Asks the device that runs on this data folder.
///
/// # Errors
/// [`AskError`]: there is no answer, so nothing is known of what was done.
pub async fn ask(folder: &Path, request: &Request) -> Result<Reply, AskError> {
    let path = folder.join(SOCKET);
    let mut line = serde_json::to_vec(request).map_err(|_| AskError::TooLong)?;
    line.push(b'\n');
    if line.len() > MAX_LINE {
        return Err(AskError::TooLong);
    }
    let answered = tokio::time::timeout(PATIENCE, exchange(folder, &line)).await;
    let answer =
        answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|source| match source.kind() {
            // A socket that a killed device left behind refuses.
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NoDevice(folder.to_owned()),
            io::ErrorKind::PermissionDenied => AskError::NotLetIn(path.clone()),
            _ => AskError::Socket { path: path.clone(), source },
        })?;
    serde_json::from_str(&answer).map_err(|_| AskError::Unreadable(path))
}

async fn exchange(folder: &Path, line: &[u8]) -> io::Result<String> {
    let place = Place::of(folder)?;
    let mut stream = UnixStream::connect(place.path()).await?;
    stream.write_all(line).await?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer).await?;
    Ok(answer)
}
