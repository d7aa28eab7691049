//! The listener of metrics, health and readiness: plain HTTP, for whoever watches the cloud, apart from the port that everybody reaches.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::{CloudError, Shared};

/// Watchers at once; who comes when all places are taken waits in the kernel's queue.
const WATCHERS: usize = 16;
/// How long a head may take, and how long a connection may idle.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may last: it takes a place.
const LIFE: Duration = Duration::from_secs(300);

type Answer = Response<Full<bytes::Bytes>>;

/// Listens where the configuration says, if it does.
///
/// # Errors
/// The port cannot be had.
pub(crate) async fn bind(address: Option<SocketAddr>) -> Result<Option<TcpListener>, CloudError> {
    std::sync::LazyLock::force(&super::process::STARTED);
    let Some(address) = address else { return Ok(None) };
    TcpListener::bind(address).await.map(Some).map_err(|source| CloudError::Listen { address, source })
}

/// Answers until the cloud ends; while it drains, too.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(WATCHERS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let watched = Arc::clone(&shared);
                shared.spawn(&shared.watchers, async move {
                    let _ended = tokio::time::timeout(LIFE, serve(tcp, watched)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(tcp: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request.method(), request.uri().path(), &shared).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(16 * 1024);
    if let Err(error) = builder.serve_connection(TokioIo::new(tcp), service).await {
        tracing::debug!(%error, "a connection for metrics broke off");
    }
}

async fn answer(method: &Method, path: &str, shared: &Shared) -> Answer {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET is known here\n".to_owned());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match path {
        "/metrics" => text(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            super::page(shared).await,
        ),
        "/health" => json(StatusCode::OK, &serde_json::json!({ "status": "ok" })),
        "/ready" => match shared.unready().await {
            None => json(StatusCode::OK, &serde_json::json!({ "status": "ready" })),
            Some(reason) => {
                let json_text = serde_json::json!({ "status": "unready", "reason": reason });
                json(StatusCode::SERVICE_UNAVAILABLE, &json_text)
            }
        },
        _ => text(StatusCode::NOT_FOUND, "text/plain", "here are /metrics, /health and /ready\n".to_owned()),
    }
}

fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    text(status, "application/json", format!("{value}\n"))
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
