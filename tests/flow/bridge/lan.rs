//! Cameras of the bridge's LAN, HTTP/1.1 by hand: a test sees each byte that reaches one, and says each byte that comes back.

use std::sync::{Arc, Mutex};

use oriel_onvif::ns;
use oriel_soap::Envelope;
use oriel_soap::xml::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) const REALM: &str = "rough";

/// One request as it stood on the wire.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Asked {
    /// All values of a header.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let named = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| value.as_str()).collect()
    }

    /// The user that its Digest names.
    pub(super) fn user(&self) -> Option<String> {
        let digest = *self.all("authorization").first()?;
        let rest = digest.strip_prefix("Digest ")?.split("username=\"").nth(1)?;
        Some(rest.split('"').next()?.to_owned())
    }

    /// What it asks for.
    pub(super) fn operation(&self) -> String {
        let message = Envelope::parse(self.body.as_bytes(), &Limits::REQUEST);
        message.map_or_else(|_| String::new(), |message| message.operation().1.to_owned())
    }
}

/// What a camera does about a request.
pub(super) enum Says {
    /// Bytes, and the connection stays.
    Bytes(Vec<u8>),
    /// Bytes, and then the end of the connection.
    Last(Vec<u8>),
    /// The first ones, and then the second ones until nobody takes them any more.
    Endless(Vec<u8>, Vec<u8>),
    /// Nothing, for as long as the other side waits.
    Nothing,
}

/// What is known of a camera from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Connections that were ever opened.
    pub(super) connections: usize,
    /// Those that are open.
    pub(super) open: usize,
    /// Requests whose head and body came.
    pub(super) requests: usize,
    /// Bytes that were taken of endless answers.
    pub(super) endless: usize,
}

type Answers = Arc<dyn Fn(&Asked) -> Says + Send + Sync>;

/// A camera until it is dropped.
pub(super) struct LanCamera {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Asked>>>,
    counts: watch::Sender<Counts>,
    task: JoinHandle<()>,
}

impl Drop for LanCamera {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LanCamera {
    /// Answers as `answer` says.
    pub(super) async fn start(answer: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, counts) = (Arc::default(), watch::Sender::<Counts>::default());
        let (kept, counted) = (Arc::clone(&seen), counts.clone());
        let answer: Answers = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                counted.send_modify(|counts| {
                    counts.connections += 1;
                    counts.open += 1;
                });
                let (kept, counted, answer) = (Arc::clone(&kept), counted.clone(), Arc::clone(&answer));
                connections.spawn(async move {
                    let _ = serve(tcp, &kept, &counted, &answer).await;
                    counted.send_modify(|counts| counts.open -= 1);
                });
            }
        });
        Self { port, seen, counts, task }
    }

    /// Asks for a Digest, and answers those who show one with an empty SOAP body.
    pub(super) async fn plain() -> Self {
        Self::start(with_digest(|asked| {
            Says::Bytes(soap(&format!("<r:{}Response xmlns:r=\"urn:r\"/>", asked.operation())))
        }))
        .await
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/onvif/device_service", self.port)
    }

    /// Takes what was asked up to now.
    pub(super) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// Takes what was asked with credentials: without the questions to which the answer was a challenge.
    pub(super) fn take_signed(&self) -> Vec<Asked> {
        self.take().into_iter().filter(|asked| asked.user().is_some()).collect()
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Waits for an event at the camera.
    pub(super) async fn when(&self, what: &str, holds: impl FnMut(&Counts) -> bool) {
        let mut counts = self.counts.subscribe();
        let waited = tokio::time::timeout(std::time::Duration::from_secs(30), counts.wait_for(holds)).await;
        assert!(waited.is_ok_and(|found| found.is_ok()), "never came: {what}: {:?}", self.counts());
    }
}

/// Answers who shows a Digest; whether it is right is not looked at here.
pub(super) fn with_digest(
    answer: impl Fn(&Asked) -> Says + Send + Sync + 'static,
) -> impl Fn(&Asked) -> Says + Send + Sync + 'static {
    move |asked| if asked.user().is_some() { answer(asked) } else { Says::Bytes(challenge()) }
}

pub(super) fn challenge() -> Vec<u8> {
    let headers = format!("WWW-Authenticate: Digest realm=\"{REALM}\", qop=\"auth\", nonce=\"n\", algorithm=MD5\r\n");
    response("401 Unauthorized", &format!("Content-Type: text/html\r\n{headers}"), b"<html>no</html>")
}

/// A SOAP answer.
pub(super) fn soap(body: &str) -> Vec<u8> {
    response("200 OK", "Content-Type: application/soap+xml; charset=utf-8\r\n", envelope(body).as_bytes())
}

pub(super) fn envelope(body: &str) -> String {
    format!("<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>{body}</s:Body></s:Envelope>")
}

/// An answer with its length; `headers` are whole lines.
pub(super) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The reply to GetServices of a camera that has them at these addresses.
pub(super) fn services(named: &[(&str, &str)]) -> String {
    let service = |(namespace, address): &(&str, &str)| {
        format!(
            "<d:Service><d:Namespace>{namespace}</d:Namespace><d:XAddr>{address}</d:XAddr><d:Version>\
             <t:Major>2</t:Major><t:Minor>60</t:Minor></d:Version></d:Service>"
        )
    };
    let all: String = named.iter().map(service).collect();
    let (tds, tt) = (ns::TDS.uri, ns::TT.uri);
    format!("<d:GetServicesResponse xmlns:d=\"{tds}\" xmlns:t=\"{tt}\">{all}</d:GetServicesResponse>")
}

async fn serve(
    mut tcp: TcpStream,
    seen: &Mutex<Vec<Asked>>,
    counts: &watch::Sender<Counts>,
    answer: &Answers,
) -> std::io::Result<()> {
    let mut ahead = Vec::new();
    while let Some(asked) = read(&mut tcp, &mut ahead).await? {
        let says = answer(&asked);
        seen.lock().unwrap().push(asked);
        counts.send_modify(|counts| counts.requests += 1);
        match says {
            Says::Bytes(bytes) => tcp.write_all(&bytes).await?,
            Says::Last(bytes) => {
                tcp.write_all(&bytes).await?;
                return tcp.shutdown().await;
            }
            Says::Endless(first, rest) => {
                tcp.write_all(&first).await?;
                loop {
                    tcp.write_all(&rest).await?;
                    counts.send_modify(|counts| counts.endless += rest.len());
                }
            }
            // Returns when the other side has had enough.
            Says::Nothing => while tcp.read(&mut [0; 1024]).await? > 0 {},
        }
    }
    Ok(())
}

/// The next request by its length or its chunks; none at the end of the connection.
async fn read(tcp: &mut TcpStream, ahead: &mut Vec<u8>) -> std::io::Result<Option<Asked>> {
    let Some(end) = until(tcp, ahead, |bytes| find(bytes, b"\r\n\r\n")).await? else { return Ok(None) };
    let head = String::from_utf8_lossy(&ahead[..end]).into_owned();
    ahead.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let pair = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let mut asked = Asked { method, target, headers: lines.filter_map(pair).collect(), body: String::new() };
    let length = asked.all("content-length").first().and_then(|length| length.parse::<usize>().ok());
    let chunked = !asked.all("transfer-encoding").is_empty();
    let body = match length {
        _ if chunked => chunks(tcp, ahead).await?,
        Some(length) => take(tcp, ahead, length).await?,
        None => Vec::new(),
    };
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(asked))
}

async fn chunks(tcp: &mut TcpStream, ahead: &mut Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = until(tcp, ahead, |bytes| find(bytes, b"\r\n")).await?.unwrap_or_default();
        let size = usize::from_str_radix(&String::from_utf8_lossy(&ahead[..end]), 16).unwrap_or_default();
        ahead.drain(..end + 2);
        whole.extend(take(tcp, ahead, size).await?);
        take(tcp, ahead, 2).await?;
        if size == 0 {
            return Ok(whole);
        }
    }
}

async fn take(tcp: &mut TcpStream, ahead: &mut Vec<u8>, length: usize) -> std::io::Result<Vec<u8>> {
    until(tcp, ahead, |bytes| (bytes.len() >= length).then_some(length))
        .await?
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok(ahead.drain(..length).collect())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Reads on until something is found; none when the connection ends before.
async fn until<T>(
    tcp: &mut TcpStream,
    ahead: &mut Vec<u8>,
    mut found: impl FnMut(&[u8]) -> Option<T>,
) -> std::io::Result<Option<T>> {
    loop {
        if let Some(found) = found(ahead) {
            return Ok(Some(found));
        }
        if tcp.read_buf(ahead).await? == 0 {
            return Ok(None);
        }
    }
}
