//! The task of one tunnel at the cloud's end: moves HTTP/2, pings, raises windows, and knows why it ended.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::client::Connection;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{CloseReason, tunnel::Shared};
use crate::{
    Io,
    liveness::{Check, Liveness},
    packed::Deferred,
    wire::Wire,
};

/// Drives a tunnel to its end. Spawn it as a task of its own; dropping it ends the tunnel.
#[must_use = "nothing moves unless the driver is spawned"]
pub struct Driver(Pin<Box<dyn Future<Output = CloseReason> + Send>>);

impl Future for Driver {
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        self.0.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

pub(super) fn new<IO: Io>(
    connection: Connection<Deferred<Wire<IO>>, Bytes>,
    stream: Deferred<Wire<IO>>,
    shared: Arc<Shared>,
) -> Driver {
    let liveness = Liveness::new(shared.gate.limits().liveness());
    let limits = shared.gate.limits();
    let timer = sleep_until(shared.meter.start() + limits.ping_after.min(limits.first_settings));
    let ending = Ending(shared);
    Driver(Box::pin(Run { ending, connection, stream, waited: false, liveness, timer, settings: 0, boosted: false }))
}

pin_project! {
    struct Run<IO> {
        // Before the connection: dropping the driver names the reason before open streams fail.
        ending: Ending,
        connection: Connection<Deferred<Wire<IO>>, Bytes>,
        stream: Deferred<Wire<IO>>,
        waited: bool,
        liveness: Liveness,
        #[pin]
        timer: Sleep,
        settings: u32,
        boosted: bool,
    }
}

/// Says "dropped" if nothing else ended the tunnel.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end(CloseReason::Dropped);
    }
}

impl<IO: Io> Future for Run<IO> {
    type Output = CloseReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let mut run = self.project();
        let shared = Arc::clone(&run.ending.0);
        shared.driver.register(cx.waker());
        loop {
            if let Some(reason) = shared.take_close() {
                return Poll::Ready(finish(run.connection, run.stream, &shared, reason, cx));
            }
            follow_windows(run.connection, run.boosted, &shared);
            match Pin::new(&mut *run.connection).poll(cx) {
                Poll::Ready(result) => {
                    let reason = ended(&shared, result);
                    shared.end(reason.clone());
                    return Poll::Ready(reason);
                }
                Poll::Pending => {}
            }
            if let Some(reason) = broken_bound(&shared) {
                return Poll::Ready(finish(run.connection, run.stream, &shared, reason, cx));
            }
            if *run.settings != shared.meter.settings() {
                *run.settings = shared.meter.settings();
                shared.gate.set_peer_max(run.connection.max_concurrent_send_streams());
                shared.settled.notify_waiters();
            }
            if run.timer.as_mut().poll(cx).is_pending() {
                run.stream.settle(cx, run.waited);
                return Poll::Pending;
            }
            match tick(run.liveness, &shared) {
                Ok(next) => run.timer.as_mut().reset(next),
                Err(reason) => return Poll::Ready(finish(run.connection, run.stream, &shared, reason, cx)),
            }
            // Polled again: for the timer to be registered, and for a ping to leave.
        }
    }
}

/// Tells the device why, as far as the connection takes it without waiting, and ends the tunnel.
fn finish<IO: Io>(
    connection: &mut Connection<Deferred<Wire<IO>>, Bytes>,
    stream: &Deferred<Wire<IO>>,
    shared: &Shared,
    reason: CloseReason,
    cx: &mut Context<'_>,
) -> CloseReason {
    shared.end(reason.clone());
    shared.meter.send_bye(reason.code(), reason.to_string());
    let _ = Pin::new(connection).poll(cx);
    stream.flush_now(cx);
    reason
}

fn ended(shared: &Arc<Shared>, result: Result<(), h2::Error>) -> CloseReason {
    match result {
        Err(error) => broken_bound(shared).unwrap_or_else(|| CloseReason::of(&error, shared.meter.in_header_block())),
        // Nobody but the driver itself holds the tunnel: HTTP/2 ended because nobody can ask any more.
        Ok(()) if Arc::strong_count(shared) <= 2 && shared.meter.goaway().is_none() => CloseReason::Dropped,
        Ok(()) => CloseReason::Peer,
    }
}

fn broken_bound(shared: &Shared) -> Option<CloseReason> {
    // A reset is a control frame as well: the narrower bound names what happened.
    if shared.meter.reset_too_often() {
        Some(CloseReason::ResetFlood)
    } else if shared.meter.flooded() {
        Some(CloseReason::ControlFlood)
    } else {
        shared.meter.violation().map(|what| CloseReason::Protocol(what.to_owned()))
    }
}

/// Brings the windows in line with what the gate decided.
fn follow_windows<IO: Io>(connection: &mut Connection<Deferred<Wire<IO>>, Bytes>, boosted: &mut bool, shared: &Shared) {
    let wanted = shared.gate.boosted();
    if wanted == *boosted {
        return;
    }
    let limits = shared.gate.limits();
    let window = if wanted { limits.boosted_window } else { limits.stream_window };
    // Refused while an earlier SETTINGS is not acknowledged; tried again at the next poll.
    if connection.set_initial_window_size(window).is_ok() {
        connection.set_target_window_size(limits.connection_window(window));
        *boosted = wanted;
    }
}

/// Looks at the stream; gives the time of the next look, or why the tunnel is over.
fn tick(liveness: &mut Liveness, shared: &Shared) -> Result<Instant, CloseReason> {
    shared.gate.rest(Instant::now());
    let meter = &shared.meter;
    let next = match liveness.check(meter.now(), meter.view()) {
        Check::Dead(dead) => return Err(dead.into()),
        Check::Ping => {
            meter.send_ping();
            // At once: the next look, after the ping was handed to the connection, gives the time to wait for.
            return Ok(Instant::now());
        }
        Check::Until(at) => meter.start() + at,
    };
    Ok(shared.gate.rest_in().map_or(next, |rest| next.min(Instant::now() + rest)))
}
