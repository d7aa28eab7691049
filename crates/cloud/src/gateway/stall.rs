//! Bodies that nobody moves end: a client that stops reading or sending must not hold a device's stream for ever.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use oriel_uplink::{Body, BoxError};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep};

/// A client that takes nothing, or sends nothing, for this long has gone or means ill.
pub(super) const STALL: Duration = Duration::from_secs(60);

/// A device's answer on its way to a client. Cut when the client takes nothing for [`STALL`], or when `good` says that the caller's right has ended; waiting
/// for the device is not held against the client.
pub(crate) struct Answer {
    state: Arc<State>,
    watchdog: AbortHandle,
}

struct State {
    body: Mutex<Option<Body>>,
    /// Frames handed out so far, doubled; odd while the client asks for one.
    handed: AtomicU64,
}

impl Answer {
    /// Watches over `body`. `changes` tells when `good` has to be asked again.
    pub(crate) fn new(body: Body, changes: watch::Receiver<()>, good: impl Fn() -> bool + Send + 'static) -> Self {
        let state = Arc::new(State { body: Mutex::new(Some(body)), handed: AtomicU64::new(0) });
        let watchdog = tokio::spawn(watch(Arc::downgrade(&state), changes, good)).abort_handle();
        Self { state, watchdog }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.watchdog.abort();
    }
}

async fn watch(state: Weak<State>, mut changes: watch::Receiver<()>, good: impl Fn() -> bool) {
    let mut before = 0;
    let mut look = Instant::now() + STALL;
    loop {
        let changed = tokio::time::timeout_at(look, changes.changed()).await.is_ok();
        let Some(state) = state.upgrade() else { return };
        let now = state.handed.load(Relaxed);
        let stalled = !changed && now == before && now % 2 == 0;
        if stalled || !good() {
            tracing::debug!(stalled, "an answer to a client was cut");
            // Dropping it resets the device's stream.
            drop(state.body.lock().expect("no holder panics").take());
            return;
        }
        if !changed {
            before = now;
            look = Instant::now() + STALL;
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut body = self.state.body.lock().expect("no holder panics");
        let Some(inner) = body.as_mut() else {
            return Poll::Ready(Some(Err("the answer was cut: it was not taken, or the right to it ended".into())));
        };
        let asked = self.state.handed.load(Relaxed) | 1;
        self.state.handed.store(asked, Relaxed);
        let frame = ready!(Pin::new(inner).poll_frame(cx));
        self.state.handed.store(asked + 1, Relaxed);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.state.body.lock().expect("no holder panics").as_ref().is_some_and(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.state.body.lock().expect("no holder panics");
        body.as_ref().map_or_else(SizeHint::default, http_body::Body::size_hint)
    }
}

/// A client's body on its way to a device. Ends with an error when the client sends nothing for [`STALL`], and tells when it is done, for the device's time
/// to answer begins then.
pub(super) struct Upload {
    body: Body,
    patience: Option<Pin<Box<Sleep>>>,
    _done: oneshot::Sender<()>,
}

impl Upload {
    /// The body, and what resolves when it has ended.
    pub(super) fn new(body: Body) -> (Self, oneshot::Receiver<()>) {
        let (done, ended) = oneshot::channel();
        (Self { body, patience: None, _done: done }, ended)
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.patience = None;
            return Poll::Ready(frame);
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(Some(Err("the client stopped sending".into())))
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use oriel_uplink::body;

    fn endless() -> Body {
        let frames = futures_util::stream::repeat_with(|| Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x"))));
        body::boxed(http_body_util::StreamBody::new(frames))
    }

    fn silent() -> Body {
        body::boxed(http_body_util::StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, BoxError>>()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_is_cut_and_one_that_is_taken_slowly_is_not() {
        let (_change, changes) = watch::channel(());
        let mut answer = Answer::new(endless(), changes, || true);
        for _ in 0..10 {
            answer.frame().await.unwrap().unwrap();
            tokio::time::sleep(STALL / 2).await;
        }
        tokio::time::sleep(STALL * 2).await;
        answer.frame().await.unwrap().unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_device_is_not_held_against_the_client() {
        let (_change, changes) = watch::channel(());
        let mut answer = Answer::new(silent(), changes, || true);
        assert!(tokio::time::timeout(STALL * 10, answer.frame()).await.is_err(), "it still waits");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_with_the_right_to_it() {
        let (change, changes) = watch::channel(());
        let right = Arc::new(AtomicU64::new(1));
        let asked = Arc::clone(&right);
        let mut answer = Answer::new(endless(), changes, move || asked.load(Relaxed) == 1);
        answer.frame().await.unwrap().unwrap();
        right.store(0, Relaxed);
        change.send_replace(());
        tokio::time::sleep(Duration::from_millis(1)).await;
        answer.frame().await.unwrap().unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_stands_still_ends_and_says_when() {
        let (mut upload, mut ended) = Upload::new(silent());
        assert!(ended.try_recv().is_err());
        upload.frame().await.unwrap().unwrap_err();
        drop(upload);
        ended.await.unwrap_err();
    }
}
