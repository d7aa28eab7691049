//! The handler behind ordinary servers: one port with TLS (HTTP/2 and HTTP/1.1 by ALPN), one without (HTTP/1.1).

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use oriel_trust::{ClientAuth, Identity, ReloadingIdentity, server_config};
use oriel_uplink::body;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Talk, listener, say};
use crate::payload::Handler;

pub(super) async fn run(folder: &Path) -> anyhow::Result<()> {
    let identity = Identity::load(&folder.join("server.pem"), &folder.join("server.key"))?;
    let mut tls = server_config(Arc::new(ReloadingIdentity::fixed(&identity)), ClientAuth::No)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (secure, plain) = (listener().await?, listener().await?);
    let ready = json!({ "tls": secure.local_addr()?.to_string(), "plain": plain.local_addr()?.to_string() });
    let handler = Handler::default();
    tokio::spawn(serve_tls(secure, TlsAcceptor::from(Arc::new(tls)), handler.clone()));
    tokio::spawn(serve_plain(plain, handler));
    say(&ready)?;
    Talk::new().next().await.map(drop).context("the bench")
}

async fn serve_tls(listener: TcpListener, acceptor: TlsAcceptor, handler: Handler) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, handler) = (acceptor.clone(), handler.clone());
        tokio::spawn(async move {
            let _nagle = tcp.set_nodelay(true);
            // A client that gives up during the handshake is no matter here.
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
                h2(tls, handler).await;
            } else {
                h1(tls, handler).await;
            }
        });
    }
}

async fn serve_plain(listener: TcpListener, handler: Handler) {
    while let Ok((tcp, _)) = listener.accept().await {
        let _nagle = tcp.set_nodelay(true);
        tokio::spawn(h1(tcp, handler.clone()));
    }
}

async fn h2<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: IO, handler: Handler) {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(16 << 20);
    let _ended =
        builder.serve_connection(TokioIo::new(io), service_fn(move |request| answer(request, handler.clone()))).await;
}

async fn h1<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: IO, handler: Handler) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    let _ended =
        builder.serve_connection(TokioIo::new(io), service_fn(move |request| answer(request, handler.clone()))).await;
}

async fn answer(
    request: Request<Incoming>,
    handler: Handler,
) -> Result<http::Response<oriel_uplink::Body>, Infallible> {
    Ok(handler.answer(request.map(body::boxed)).await)
}
