//! HTTP/1.1 and HTTP/2 of those who are no uplink: API clients, ONVIF clients, browsers.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::Request;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use http_body_util::combinators::MapErr;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use oriel_uplink::packed::{Deferred, Packed, drive};
use oriel_uplink::{Body, BoxError, body};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use super::unread::Rest;
use crate::{Api, Shared};

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The address, as the PROXY protocol corrected it.
    pub(crate) source: IpAddr,
}

/// How long a request's head may take, and how long a connection may idle between requests.
const HEAD: Duration = Duration::from_secs(30);
/// How long an HTTP/2 connection may go without a new request.
const IDLE: Duration = Duration::from_secs(300);
const STREAMS: u32 = 256;
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// Serves one HTTP/1.1 connection in a task.
pub(super) fn serve_h1<IO>(stream: IO, peer: Peer, shared: &Arc<Shared>, api: Api, place: OwnedSemaphorePermit)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let owner = Arc::clone(shared);
    shared.spawn(&shared.tasks, async move {
        let _place = place;
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 * 1024);
        let shared = Arc::clone(&owner);
        let service = service_fn(move |request| answer(request, peer, Arc::clone(&shared), api.clone()));
        let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = owner.lingered.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ended = connection.await;
    });
}

/// Serves one HTTP/2 connection in a task.
pub(super) fn serve_h2<IO>(stream: IO, peer: Peer, shared: &Arc<Shared>, api: Api, place: OwnedSemaphorePermit)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let owner = Arc::clone(shared);
    shared.spawn(&shared.tasks, async move {
        let _place = place;
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(32 * 1024)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .enable_connect_protocol();
        let (shared, asked) = (Arc::clone(&owner), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&asked);
        let service = service_fn(move |request| {
            count.fetch_add(1, Relaxed);
            answer(request, peer, Arc::clone(&shared), api.clone())
        });
        let stream = Deferred::new(Packed::new(stream));
        let connection = builder.serve_connection(TokioIo::new(stream.clone()), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            _ = drive(connection.as_mut(), stream.clone()) => return,
            () = owner.lingered.cancelled() => {}
            () = idle(&asked) => {}
        }
        // What is in flight goes on to its end.
        connection.as_mut().graceful_shutdown();
        let _ended = drive(connection, stream).await;
    });
}

/// Resolves when no request came for [`IDLE`]: pings alone keep nobody's place.
async fn idle(asked: &AtomicU64) {
    let mut before = u64::MAX;
    loop {
        let now = asked.load(Relaxed);
        if now == before {
            return;
        }
        before = now;
        tokio::time::sleep(IDLE).await;
    }
}

/// A body whose error is a plain type: with a boxed one the compiler cannot see that a connection's future is `Send`.
type Answered = MapErr<Body, fn(BoxError) -> io::Error>;

async fn answer(
    request: Request<Incoming>,
    peer: Peer,
    shared: Arc<Shared>,
    api: Api,
) -> Result<http::Response<Answered>, std::convert::Infallible> {
    let h1 = request.version() < http::Version::HTTP_2;
    let rest = Rest::default();
    let asks_first = request.headers().contains_key(EXPECT);
    let request = request.map(|body| if h1 { body::boxed(rest.of(body)) } else { body::boxed(body) });
    let mut response = crate::request::answer(request, peer, &shared, &api).await;
    rest.settle(asks_first, response.headers_mut()).await;
    // Draining: this connection takes no further request, so that the next one reaches whoever listens now.
    if h1 && shared.draining.is_cancelled() && response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| body.map_err(io::Error::other as fn(BoxError) -> io::Error)))
}
