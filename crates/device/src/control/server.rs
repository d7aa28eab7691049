//! The answering side of the control socket.

use super::place::Place;
use super::tell::{self, Defaults};
use super::words::{Refusal, RefusalKind, Reply, Request, Told, Topic, prefixed};
use super::{MAX_LINE, SOCKET};
use crate::config::can_be_told;
use crate::events::{Events, Untold};
use crate::store::StoreError;
use oriel_onvif::events::topics::Description;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

/// How many may ask at once; who comes then waits in the kernel's queue.
const MAX_ASKING: usize = 8;
/// How long somebody may take for a line, and for taking its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when the system has no file for another connection.
const NO_FILES: Duration = Duration::from_millis(100);

/// The listening socket. Dropping it closes and removes it.
#[derive(Debug)]
pub(crate) struct Control {
    task: JoinHandle<()>,
    path: PathBuf,
}

impl Control {
    /// Listens in the data folder, which has to be ours: a socket that is there is one that a killed device left behind.
    pub(crate) fn start(folder: &Path, events: Events, defaults: Defaults) -> Result<Self, StoreError> {
        let path = folder.join(SOCKET);
        let listener = listen(folder, &path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        let task = tokio::spawn(accept(listener, Arc::new(Answering { events, defaults })));
        Ok(Self { task, path })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // The folder is still ours. Whoever comes from here on is told at once that no device runs.
        let _ = fs::remove_file(&self.path);
    }
}

fn listen(folder: &Path, path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and no socket; remove it")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let place = Place::of(folder)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(place.path())?;
    // Before it listens, nobody can connect.
    fs::set_permissions(place.path(), Permissions::from_mode(0o600))?;
    socket.listen(64)
}

struct Answering {
    events: Events,
    defaults: Defaults,
}

async fn accept(listener: UnixListener, answering: Arc<Answering>) {
    let places = Arc::new(Semaphore::new(MAX_ASKING));
    // All end with this one.
    let mut asking = JoinSet::new();
    loop {
        while asking.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answering = Arc::clone(&answering);
                asking.spawn(async move {
                    if let Err(error) = serve(stream, &answering).await {
                        tracing::debug!(%error, "somebody at the control socket was cut off");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the control socket cannot be accepted");
                tokio::time::sleep(NO_FILES).await;
            }
        }
    }
}

/// Answers line after line.
async fn serve(stream: UnixStream, answering: &Answering) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    loop {
        let reply = match tokio::time::timeout(PATIENCE, read_line(&mut reading)).await?? {
            Line::End => return Ok(()),
            Line::Whole(line) => answering.answer(&line),
            Line::TooLong => {
                let text = format!("a line has {MAX_LINE} bytes at most");
                Reply::Refused(Refusal::new(RefusalKind::Request, text))
            }
        };
        let mut answer = serde_json::to_vec(&reply)?;
        answer.push(b'\n');
        tokio::time::timeout(PATIENCE, writing.write_all(&answer)).await??;
    }
}

enum Line {
    End,
    Whole(Vec<u8>),
    TooLong,
}

/// The next line. One that is too long is read to its end all the same, and forgotten: whoever still writes would not see the answer.
async fn read_line(reading: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<Line> {
    let (mut line, mut too_long) = (Vec::new(), false);
    loop {
        let buffer = reading.fill_buf().await?;
        let at_end = buffer.is_empty();
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        too_long |= line.len() + taken > MAX_LINE;
        if too_long {
            line.clear();
        } else {
            line.extend_from_slice(&buffer[..taken]);
        }
        reading.consume(end.map_or(taken, |end| end + 1));
        if at_end || end.is_some() {
            return Ok(match (too_long, at_end && line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                // A last line without an end counts.
                (false, false) => Line::Whole(line),
            });
        }
    }
}

impl Answering {
    fn answer(&self, line: &[u8]) -> Reply {
        match serde_json::from_slice(line) {
            Ok(Request::Tell(tell)) => self.tell(tell).map_or_else(Reply::Refused, Reply::Told),
            Ok(Request::List {}) => Reply::Topics(self.offered().map(Topic::from).collect()),
            Err(error) => {
                let known = ["{\"tell\":{\"topic\":…}}", "{\"list\":{}}"];
                Reply::Refused(Refusal::new(RefusalKind::Request, format!("no request: {error}")).knowing(known))
            }
        }
    }

    /// What is offered and can be told.
    fn offered(&self) -> impl Iterator<Item = &'static Description> + use<> {
        self.events.offered().into_iter().filter(|topic| can_be_told(topic))
    }

    fn tell(&self, tell: super::Tell) -> Result<Told, Refusal> {
        let description = tell::topic(&tell.topic)?;
        let topic = prefixed(description);
        if !can_be_told(description) {
            let text = format!("{topic} is the store's own to tell");
            return Err(Refusal::new(RefusalKind::NotOffered, text).knowing(self.offered().map(prefixed)));
        }
        let occurrence = tell::occurrence(tell, &self.defaults)?;
        tracing::debug!(topic, "told by the control socket");
        self.events.tell(occurrence).map_err(|untold| match untold {
            Untold::NotOffered(_) => {
                let text = format!("this device does not offer {topic}; `[events] topics` in its configuration does");
                Refusal::new(RefusalKind::NotOffered, text).knowing(self.offered().map(prefixed))
            }
            untold => Refusal::new(RefusalKind::Device, untold.to_string()),
        })?;
        Ok(Told { topic })
    }
}
