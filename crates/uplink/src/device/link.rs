//! A tunnel that stands, at the camera's end: an HTTP/2 server on the connection that we dialled.

use std::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::{Limits, Stop, stop::Ending};
use crate::{
    Body, Io, body,
    frames::Side,
    liveness::{Check, Dead, Liveness},
    packed::Deferred,
    wire::{Meter, Wire},
};

/// How often is looked whether HTTP/2 has begun, where it is only tried.
const LOOK: Duration = Duration::from_millis(10);
/// How long a tunnel that was only tried may take to end.
const LAST: Duration = Duration::from_secs(1);

/// An upgraded connection, not served yet.
pub struct Link {
    io: Box<dyn Io>,
    meter: Arc<Meter>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// How a served tunnel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// The cloud closed it.
    Peer,
    /// The cloud closed it with an HTTP/2 error.
    PeerError {
        /// The HTTP/2 error code.
        code: u32,
        /// What the cloud said beside it, if anything.
        text: String,
    },
    /// No byte came for the read deadline.
    Silent,
    /// A write made no progress.
    WriteStalled,
    /// The cloud did not complete the HTTP/2 handshake.
    NoSettings,
    /// The cloud sent too many control frames.
    Flood,
    /// We were told to stop, and everything in flight finished.
    Drained,
    /// We were told to stop, and something in flight took too long.
    DrainTimeout,
    /// The connection broke, or HTTP/2 did.
    Broken(String),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer => f.write_str("the cloud closed the tunnel"),
            Self::PeerError { code, text } if text.is_empty() => {
                write!(f, "the cloud closed the tunnel: {}", h2::Reason::from(*code).description())
            }
            Self::PeerError { text, .. } => write!(f, "the cloud closed the tunnel: {text}"),
            Self::Silent => f.write_str("nothing came from the cloud within the read deadline"),
            Self::WriteStalled => f.write_str("the cloud takes no more bytes"),
            Self::NoSettings => f.write_str("the cloud did not start HTTP/2"),
            Self::Flood => f.write_str("the cloud sent more control frames per second than is allowed"),
            Self::Drained => f.write_str("drained"),
            Self::DrainTimeout => f.write_str("drained, but a stream did not finish in time"),
            Self::Broken(text) => write!(f, "the tunnel broke: {text}"),
        }
    }
}

impl From<Dead> for Closed {
    fn from(dead: Dead) -> Self {
        match dead {
            Dead::Silent => Self::Silent,
            Dead::WriteStalled => Self::WriteStalled,
            Dead::NoSettings => Self::NoSettings,
        }
    }
}

impl Link {
    pub(super) fn new(io: impl Io) -> Self {
        Self { io: Box::new(io), meter: Arc::new(Meter::new()) }
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Waits until the cloud has begun HTTP/2, and ends the tunnel: for who wants to know whether there would be one. A request that comes meanwhile is
    /// answered with 503.
    ///
    /// # Errors
    /// How the tunnel ended before that; [`Closed::NoSettings`] when nothing came within [`Limits::first_settings`].
    pub async fn try_out(self, limits: &Limits) -> Result<(), Closed> {
        let (meter, stop) = (Arc::clone(&self.meter), Stop::new());
        let unavailable = |_: Request<Body>| async {
            let mut response = Response::new(body::empty());
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            response
        };
        let mut served = std::pin::pin!(self.serve(unavailable, limits, stop.clone()));
        let begun = async {
            while meter.settings() == 0 {
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            closed = &mut served => Err(closed),
            () = begun => {
                stop.drain(LAST);
                let _drained = served.await;
                Ok(())
            }
        }
    }

    /// Serves requests until the tunnel ends. The cloud's GOAWAY does not end it: see [`Link::serve_noting`].
    pub async fn serve<S, F>(self, service: S, limits: &Limits, stop: Stop) -> Closed
    where
        S: Fn(Request<Body>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        self.serve_noting(service, limits, stop, || {}).await
    }

    /// [`Link::serve`], and calls `on_goaway` once when the cloud drains the tunnel: time to dial another one. This one
    /// goes on serving, for the cloud goes on using it.
    pub async fn serve_noting<S, F>(
        self,
        service: S,
        limits: &Limits,
        stop: Stop,
        on_goaway: impl FnOnce() + Send,
    ) -> Closed
    where
        S: Fn(Request<Body>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let Self { io, meter } = self;
        let wire = Deferred::new(Wire::new(io, Side::Server, limits.rates(), Arc::clone(&meter)));
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = service(request.map(into_body));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = builder(limits).serve_connection(TokioIo::new(wire.clone()), service);
        let connection = Box::pin(connection);
        let watch = Watch {
            liveness: Liveness::new(limits.liveness()),
            timer: Box::pin(sleep_until(meter.start())),
            drain_until: None,
            on_goaway: Some(on_goaway),
            meter,
            wire,
            waited: false,
        };
        run(connection, watch, stop.watch()).await
    }
}

fn into_body(incoming: Incoming) -> Body {
    if hyper::body::Body::is_end_stream(&incoming) { body::empty() } else { body::boxed(incoming) }
}

fn builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_header_list_size(limits.header_list_size)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_send_buf_size(limits.send_buffer)
        .max_pending_accept_reset_streams(limits.pending_resets)
        // Counts over the connection's whole life; `frames::Bucket` bounds the rate instead.
        .max_local_error_reset_streams(None);
    builder
}

/// The part of hyper's connection that is used here, so that its many type parameters stay in one place.
trait Connection: Future<Output = Result<(), hyper::Error>> + Send {
    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<I, S, B> Connection for http2::Connection<I, S, TokioExecutor>
where
    http2::Connection<I, S, TokioExecutor>: Future<Output = Result<(), hyper::Error>> + Send,
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<crate::BoxError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<crate::BoxError>,
    TokioExecutor: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        Self::graceful_shutdown(self);
    }
}

struct Watch<G> {
    liveness: Liveness,
    timer: Pin<Box<Sleep>>,
    drain_until: Option<Instant>,
    on_goaway: Option<G>,
    meter: Arc<Meter>,
    wire: Deferred<Wire<Box<dyn Io>>>,
    waited: bool,
}

async fn run<G: FnOnce() + Send>(
    mut connection: Pin<Box<impl Connection>>,
    mut watch: Watch<G>,
    mut stop: watch::Receiver<Option<Ending>>,
) -> Closed {
    stop.mark_changed();
    let mut lingers_until = None;
    loop {
        tokio::select! {
            biased;
            ending = next_stop(&mut stop) => {
                let until = Instant::now() + ending.within;
                watch.drain_until = Some(watch.drain_until.map_or(until, |before| before.min(until)));
                watch.timer.as_mut().reset(Instant::now());
                lingers_until = Some(Box::pin(sleep(ending.linger)));
            }
            () = lingered(&mut lingers_until) => {
                lingers_until = None;
                connection.as_mut().graceful_shutdown();
            }
            closed = poll_fn(|cx| watch.turn(connection.as_mut(), cx)) => return closed,
        }
    }
}

/// Boxed, since it is there for the last seconds of a tunnel's life only.
async fn lingered(sleep: &mut Option<Pin<Box<Sleep>>>) {
    match sleep {
        Some(sleep) => sleep.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn next_stop(stop: &mut watch::Receiver<Option<Ending>>) -> Ending {
    loop {
        if stop.changed().await.is_err() {
            return std::future::pending().await;
        }
        if let Some(ending) = *stop.borrow_and_update() {
            return ending;
        }
    }
}

impl<G: FnOnce() + Send> Watch<G> {
    fn turn(&mut self, mut connection: Pin<&mut impl Connection>, cx: &mut Context<'_>) -> Poll<Closed> {
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(self.ended(result));
            }
            match self.meter.goaway() {
                Some(0) => {
                    if let Some(tell) = self.on_goaway.take() {
                        tell();
                    }
                }
                Some(code) => return Poll::Ready(self.peer_error(code)),
                None => {}
            }
            if self.meter.flooded() || self.meter.reset_too_often() {
                self.meter.send_bye(11, Closed::Flood.to_string());
                let _ = connection.as_mut().poll(cx);
                self.wire.flush_now(cx);
                return Poll::Ready(Closed::Flood);
            }
            if let Some(what) = self.meter.violation() {
                self.meter.send_bye(3, what.to_owned());
                let _ = connection.as_mut().poll(cx);
                self.wire.flush_now(cx);
                return Poll::Ready(Closed::Broken(what.to_owned()));
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                self.wire.settle(cx, &mut self.waited);
                return Poll::Pending;
            }
            if let Some(closed) = self.tick() {
                return Poll::Ready(closed);
            }
            // Polled again: for the timer to be registered, and for a ping to leave.
        }
    }

    fn tick(&mut self) -> Option<Closed> {
        let now = Instant::now();
        if self.drain_until.is_some_and(|until| now >= until) {
            return Some(Closed::DrainTimeout);
        }
        let next = match self.liveness.check(self.meter.now(), self.meter.view()) {
            Check::Dead(dead) => return Some(dead.into()),
            Check::Ping => {
                self.meter.send_ping();
                now
            }
            Check::Until(at) => self.meter.start() + at,
        };
        let next = self.drain_until.map_or(next, |until| next.min(until));
        self.timer.as_mut().reset(next);
        None
    }

    fn peer_error(&self, code: u32) -> Closed {
        Closed::PeerError { code, text: self.meter.goaway_text() }
    }

    fn ended(&self, result: Result<(), hyper::Error>) -> Closed {
        match (result, self.meter.goaway()) {
            (_, Some(code)) if code != 0 => self.peer_error(code),
            (_, _) if self.drain_until.is_some() => Closed::Drained,
            (Ok(()), _) => Closed::Peer,
            (Err(error), _) => Closed::Broken(text_of(&error)),
        }
    }
}

/// hyper's own text hides the cause.
fn text_of(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
