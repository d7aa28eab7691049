//! The load generator: HTTP/2 over TLS with hyper's client, one connection a target, one thread; the same for every system.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oriel_trust::client_config;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::{Talk, calls, say};
use crate::fixture::validation;
use crate::load::{Kind, Outcome, Question, Target, Visit, Work};
use crate::payload::{OCTETS, PIECE, SOAP, path, request};

/// An answer that takes longer is a failure.
pub(super) const ANSWER: Duration = Duration::from_secs(20);
/// Visits at once.
const VISITS: usize = 64;

pub(super) type Sent = UnsyncBoxBody<Bytes, Infallible>;

/// An open connection.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) target: Arc<Target>,
    pub(super) sender: SendRequest<Sent>,
}

pub(super) async fn run(ca: &Path) -> anyhow::Result<()> {
    let mut tls = client_config(&validation(ca)?, None)?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = Arc::new(tls);
    let mut ways = HashMap::new();
    say(&serde_json::json!({ "load": true }))?;
    let mut talk = Talk::new();
    while let Some(question) = talk.next().await? {
        let outcome = match serde_json::from_value(question)? {
            Question::Connect(target) => {
                ways.insert(target.name.clone(), connect(target, &tls).await?);
                Outcome::default()
            }
            Question::Work(work) => do_work(find(&ways, &work.target)?, &work).await?,
            Question::Calls(calls) => calls::run(find(&ways, &calls.target)?, calls).await?,
            Question::Visit(visit) => do_visit(find(&ways, &visit.target)?, &visit).await,
        };
        say(&serde_json::to_value(outcome)?)?;
    }
    Ok(())
}

fn find(ways: &HashMap<String, Way>, name: &str) -> anyhow::Result<Way> {
    ways.get(name).cloned().with_context(|| format!("{name} was not connected"))
}

async fn connect(target: Target, tls: &Arc<ClientConfig>) -> anyhow::Result<Way> {
    let address: std::net::SocketAddr = target.address.parse()?;
    let tcp = TcpStream::connect(address).await.with_context(|| target.name.clone())?;
    tcp.set_nodelay(true)?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(address.ip().into(), tcp).await?;
    anyhow::ensure!(stream.get_ref().1.alpn_protocol() == Some(b"h2"), "{} does not speak HTTP/2", target.name);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(2 << 20).initial_connection_window_size(32 << 20);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // Its end shows in the requests that fail.
    tokio::spawn(connection);
    Ok(Way { target: Arc::new(target), sender })
}

impl Way {
    fn request(&self, prefix: &str, path: &str, kind: &'static str, body: Sent) -> anyhow::Result<Request<Sent>> {
        let mut request = Request::post(format!("https://{}{prefix}{path}", self.target.address))
            .header(header::CONTENT_TYPE, kind)
            .header(header::USER_AGENT, "oriel-bench");
        if let Some(token) = &self.target.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        Ok(request.body(body)?)
    }

    /// One SOAP exchange, checked.
    async fn exchange(&self, prefix: &str, envelope: Bytes, answer: usize) -> anyhow::Result<()> {
        // What a gateway writes anew may be a little shorter.
        let path = path(answer as u64, envelope.len() / 10 * 9);
        let request = self.request(prefix, &path, SOAP, Full::new(envelope).boxed_unsync())?;
        let exchange = async {
            let response = self.sender.clone().send_request(request).await?;
            let status = response.status();
            let (mut body, mut received) = (response.into_body(), 0);
            while let Some(frame) = body.frame().await {
                received += frame?.data_ref().map_or(0, Bytes::len);
            }
            if status != http::StatusCode::OK || received != answer {
                bail!("status {status} with {received} of {answer} bytes");
            }
            Ok(())
        };
        tokio::time::timeout(ANSWER, exchange).await.context("no answer in time")?
    }
}

async fn do_work(way: Way, work: &Work) -> anyhow::Result<Outcome> {
    let begin = Instant::now() + Duration::from_secs_f64(work.ramp);
    let end = begin + Duration::from_secs_f64(work.seconds);
    let mut tasks = JoinSet::new();
    for _ in 0..work.in_flight {
        let (way, work) = (way.clone(), work.clone());
        tasks.spawn(async move {
            match work.kind {
                Kind::Soap => soap(&way, &work, begin, end).await,
                Kind::Down => down(&way, begin, end).await,
                Kind::Up => up(&way, begin, end).await,
            }
        });
    }
    let mut sum = Outcome::default();
    let mut times = Vec::new();
    while let Some(part) = tasks.join_next().await {
        let part = part?;
        sum.requests += part.times.len() as u64;
        sum.bytes += part.bytes;
        sum.failed += u64::from(part.failure.is_some());
        sum.failure = sum.failure.or(part.failure);
        times.extend(part.times);
    }
    sum.seconds = begin.elapsed().as_secs_f64();
    if work.kind != Kind::Soap {
        sum.seconds = work.seconds;
    }
    sum.ranks(times);
    Ok(sum)
}

impl Outcome {
    /// Its percentiles.
    pub(super) fn ranks(&mut self, mut times: Vec<Duration>) {
        times.sort_unstable();
        let at =
            |part: f64| times.get((times.len() as f64 * part) as usize).map_or(0.0, |time| time.as_secs_f64() * 1e6);
        (self.p50_us, self.p99_us) = (at(0.5), at(0.99));
    }
}

#[derive(Default)]
struct Part {
    times: Vec<Duration>,
    bytes: u64,
    failure: Option<String>,
}

async fn soap(way: &Way, work: &Work, begin: Instant, end: Instant) -> Part {
    let envelope = request(work.sent);
    let prefix = way.target.prefix.clone();
    let mut part = Part::default();
    loop {
        let sent = Instant::now();
        if sent >= end {
            return part;
        }
        if let Err(error) = way.exchange(&prefix, envelope.clone(), work.answer).await {
            part.failure = Some(format!("{error:#}"));
            return part;
        }
        if sent >= begin {
            part.times.push(sent.elapsed());
            part.bytes += (envelope.len() + work.answer) as u64;
        }
    }
}

/// An answer that never ends within the measurement.
async fn down(way: &Way, begin: Instant, end: Instant) -> Part {
    let mut part = Part::default();
    let flow = async {
        let request = way.request(&way.target.prefix, &path(1 << 36, 0), OCTETS, Empty::new().boxed_unsync())?;
        let response = way.sender.clone().send_request(request).await?;
        anyhow::ensure!(response.status() == http::StatusCode::OK, "status {}", response.status());
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if Instant::now() >= begin {
                part.bytes += frame?.data_ref().map_or(0, Bytes::len) as u64;
            }
        }
        bail!("the answer ended")
    };
    let failure = tokio::time::timeout_at(end, flow).await;
    part.failure = failure.ok().and_then(Result::<(), _>::err).map(|error| format!("{error:#}"));
    part
}

/// A request that never ends within the measurement. Counted when the connection takes a piece.
async fn up(way: &Way, begin: Instant, end: Instant) -> Part {
    let piece = Bytes::from(vec![b'u'; PIECE]);
    let taken = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let pieces = stream::repeat_with(move || {
        if Instant::now() >= begin {
            count.fetch_add(PIECE as u64, std::sync::atomic::Ordering::Relaxed);
        }
        Ok::<_, Infallible>(Frame::data(piece.clone()))
    });
    let flow = async {
        let body = StreamBody::new(pieces).boxed_unsync();
        let request = way.request(&way.target.prefix, &path(0, 0), OCTETS, body)?;
        let response = way.sender.clone().send_request(request).await?;
        bail!("answered before the request ended: status {}", response.status())
    };
    let failure = tokio::time::timeout_at(end, flow).await;
    Part {
        times: Vec::new(),
        bytes: taken.load(std::sync::atomic::Ordering::Relaxed),
        failure: failure.ok().and_then(Result::<(), _>::err).map(|error| format!("{error:#}")),
    }
}

/// One exchange with each of many devices, some at a time.
async fn do_visit(way: Way, visit: &Visit) -> Outcome {
    let begin = Instant::now();
    let mut outcome = Outcome::default();
    let mut tasks = JoinSet::new();
    let envelope = request(1024);
    for prefix in &visit.prefixes {
        if tasks.len() >= VISITS {
            note(tasks.join_next().await, &mut outcome);
        }
        let (way, prefix, envelope) = (way.clone(), prefix.clone(), envelope.clone());
        tasks.spawn(async move { way.exchange(&prefix, envelope, 1024).await });
    }
    while let Some(done) = tasks.join_next().await {
        note(Some(done), &mut outcome);
    }
    outcome.seconds = begin.elapsed().as_secs_f64();
    outcome
}

fn note(done: Option<Result<anyhow::Result<()>, tokio::task::JoinError>>, outcome: &mut Outcome) {
    match done {
        Some(Ok(Ok(()))) => outcome.requests += 1,
        Some(Ok(Err(error))) => {
            outcome.failed += 1;
            outcome.failure.get_or_insert(format!("{error:#}"));
        }
        Some(Err(error)) => {
            outcome.failed += 1;
            outcome.failure.get_or_insert(error.to_string());
        }
        None => {}
    }
}
