//! A camera that speaks HTTP by hand, byte for byte, so that it can do it badly.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oriel_client::camera::{Account, Camera, Reach};
use oriel_client::quirks::Quirks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use url::Url;

/// Longer than any of these cameras takes.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Number of its connection, from 0.
    pub(crate) connection: usize,
    /// Number of the request, from 0.
    pub(crate) number: usize,
    /// Request line and headers, as they were written.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Heard {
    /// The value of a header, by its name as it has to be written.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What the camera does about a request.
pub(crate) enum Deed {
    /// Answers, and keeps the connection.
    Say(Vec<u8>),
    /// Answers, and closes it.
    Last(Vec<u8>),
    /// Waits for the word, then answers, and keeps the connection.
    When(Arc<Semaphore>, Vec<u8>),
    /// Answers the beginning, and then nothing more.
    Hang(Vec<u8>),
}

pub(crate) fn say(text: impl AsRef<[u8]>) -> Deed {
    Deed::Say(text.as_ref().to_vec())
}

/// A camera that runs until it is dropped.
pub(crate) struct Rough {
    pub(crate) url: Url,
    pub(crate) heard: Arc<Mutex<Vec<Heard>>>,
    /// A word for each connection that came to its end.
    pub(crate) ended: mpsc::UnboundedReceiver<()>,
    _tasks: JoinSet<()>,
}

impl Rough {
    pub(crate) async fn start(answer: impl Fn(&Heard) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/onvif/device_service", listener.local_addr().unwrap()).parse().unwrap();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (ending, ended) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let (answer, log) = (Arc::new(answer), Arc::clone(&heard));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                let (answer, log, ending) = (Arc::clone(&answer), Arc::clone(&log), ending.clone());
                connections.spawn(async move {
                    let _ended = serve(tcp, connection, &log, &*answer).await;
                    // Whoever listened may be gone.
                    let _ = ending.send(());
                });
            }
        });
        Self { url, heard, ended, _tasks: tasks }
    }

    pub(crate) fn camera(&self, quirks: Quirks) -> Arc<Camera> {
        let reach = Reach { address: self.url.clone(), tls: None, quirks };
        Arc::new(Camera::new(reach).unwrap())
    }

    /// What was heard since the last look.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

async fn serve(
    mut tcp: TcpStream,
    connection: usize,
    log: &Mutex<Vec<Heard>>,
    answer: &(dyn Fn(&Heard) -> Deed + Send + Sync),
) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        let Some((head, body)) = request(&mut tcp, &mut read).await? else { return Ok(()) };
        let heard = {
            let mut log = log.lock().unwrap();
            let heard = Heard { connection, number: log.len(), head, body };
            log.push(heard.clone());
            heard
        };
        match answer(&heard) {
            Deed::Say(bytes) => tcp.write_all(&bytes).await?,
            Deed::When(word, bytes) => {
                word.acquire().await.unwrap().forget();
                tcp.write_all(&bytes).await?;
            }
            Deed::Last(bytes) => return tcp.write_all(&bytes).await,
            Deed::Hang(bytes) => {
                tcp.write_all(&bytes).await?;
                while tcp.read(&mut [0; 1024]).await? > 0 {}
                return Ok(());
            }
        }
    }
}

/// The next request; none at the end.
async fn request(tcp: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<Option<(String, String)>> {
    loop {
        let text = String::from_utf8_lossy(read).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
            let end = if chunked { rest.find("0\r\n\r\n").map(|at| at + 5) } else { Some(length.unwrap_or(0)) };
            if let Some(end) = end.filter(|end| rest.len() >= *end) {
                let (head, body) = (head.to_owned(), rest[..end].to_owned());
                read.drain(..head.len() + 4 + end);
                return Ok(Some((head, body)));
            }
        }
        let mut buffer = [0; 4096];
        match tcp.read(&mut buffer).await? {
            0 => return Ok(None),
            n => read.extend_from_slice(&buffer[..n]),
        }
    }
}

pub(crate) fn eve() -> Account {
    Account { user: "eve".to_owned(), password: "secret".to_owned() }
}

/// An answer with a length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
