//! A standing tunnel as the cloud holds it: cloned freely, asked from anywhere, driven by its [`Driver`].

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use h2::client::{Builder, SendRequest};
use tokio::{sync::Notify, time::Instant};

use super::{AcceptError, CloseReason, Driver, Limits, driver, gate::Gate};
use crate::{
    Form, Io,
    frames::Side,
    packed::Deferred,
    wire::{Meter, Wire},
};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One device's tunnel. It ends when it is closed from either side, when its [`Driver`] is dropped, or when the last
/// clone and the last stream are gone.
#[derive(Clone)]
pub struct Tunnel {
    pub(super) shared: Arc<Shared>,
    pub(super) send: SendRequest<Bytes>,
}

/// What the tunnel's clones and its driver share.
pub(super) struct Shared {
    pub(super) id: u64,
    pub(super) form: Form,
    pub(super) gate: Arc<Gate>,
    pub(super) meter: Arc<Meter>,
    /// Wakes the driver after a command.
    pub(super) driver: AtomicWaker,
    pub(super) close_asked: Mutex<Option<CloseReason>>,
    pub(super) reason: OnceLock<CloseReason>,
    pub(super) ended: Notify,
    pub(super) settled: Notify,
    drained: AtomicBool,
}

/// A tunnel's figures.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes read, TLS excluded.
    pub bytes_read: u64,
    /// Bytes written, TLS excluded.
    pub bytes_written: u64,
    /// How long ago the last byte was read.
    pub silent_for: Duration,
    /// Streams opened ever.
    pub streams_opened: u64,
    /// Streams open now.
    pub open_streams: usize,
    /// Round trip of the last ping, if one was answered.
    pub rtt: Option<Duration>,
    /// When the tunnel came to stand.
    pub since: Instant,
    /// Whether the windows are raised at the moment.
    pub boosted: bool,
}

/// Starts HTTP/2 as its client on an upgraded connection.
pub(super) async fn start<IO: Io>(io: IO, form: Form, limits: &Limits) -> Result<(Tunnel, Driver), AcceptError> {
    let meter = Arc::new(Meter::new());
    let wire = Deferred::new(Wire::new(io, Side::Client, limits.rates(), Arc::clone(&meter)));
    let (send, connection) =
        builder(limits).handshake(wire.clone()).await.map_err(|error| AcceptError::Http2(error.to_string()))?;
    let shared = Arc::new(Shared {
        id: NEXT_ID.fetch_add(1, Relaxed),
        form,
        gate: Arc::new(Gate::new(limits.clone())),
        meter,
        driver: AtomicWaker::new(),
        close_asked: Mutex::new(None),
        reason: OnceLock::new(),
        ended: Notify::new(),
        settled: Notify::new(),
        drained: AtomicBool::new(false),
    });
    let driver = driver::new(connection, wire, Arc::clone(&shared));
    Ok((Tunnel { shared, send }, driver))
}

fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window(limits.stream_window))
        .max_header_list_size(limits.header_list)
        .initial_max_send_streams(limits.max_streams as usize)
        .max_concurrent_reset_streams(limits.reset_streams)
        // Counts over the connection's whole life; the reset rate is bounded by `frames::Bucket` instead.
        .max_local_error_reset_streams(None)
        .max_send_buffer_size(limits.send_buffer)
        .data_frame_budget(limits.small_frame_debt)
        .enable_push(false);
    builder
}

impl Shared {
    /// Ends the tunnel's life in the books; the first reason stands.
    pub(super) fn end(&self, reason: CloseReason) {
        if self.reason.set(reason).is_ok() {
            self.ended.notify_waiters();
            self.settled.notify_waiters();
        }
    }

    pub(super) fn take_close(&self) -> Option<CloseReason> {
        self.close_asked.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn close(&self, reason: CloseReason) {
        self.close_asked.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        self.driver.wake();
    }

    /// Raises the windows, budget allowing.
    pub(super) fn boost(&self) {
        if self.gate.boost() {
            self.driver.wake();
        }
    }
}

impl Tunnel {
    /// A number that no other tunnel of this process has.
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// Native or inside WebSocket.
    pub fn form(&self) -> Form {
        self.shared.form
    }

    /// Tells the device to dial another tunnel (GOAWAY, NO_ERROR). This one stays usable until it is closed: a client's
    /// GOAWAY bars only pushes (RFC 9113 §6.8). Other makers' devices may close it as soon as it is idle.
    pub fn drain(&self) {
        if !self.shared.drained.swap(true, Relaxed) {
            self.shared.meter.send_goaway();
            self.shared.driver.wake();
        }
    }

    /// Ends the tunnel at once; open streams fail.
    pub fn close(&self, reason: CloseReason) {
        self.shared.close(reason);
    }

    /// Waits for the end.
    pub async fn closed(&self) -> CloseReason {
        loop {
            let ended = self.shared.ended.notified();
            if let Some(reason) = self.close_reason() {
                return reason;
            }
            ended.await;
        }
    }

    /// Why the tunnel ended, if it has.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.shared.reason.get().cloned()
    }

    /// Whether the tunnel has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.reason.get().is_some()
    }

    /// Whether either side has announced that this tunnel will end.
    pub fn is_draining(&self) -> bool {
        self.shared.drained.load(Relaxed) || self.shared.meter.goaway().is_some()
    }

    /// Whether the device takes no more requests here.
    pub fn is_going_away(&self) -> bool {
        self.shared.meter.goaway().is_some()
    }

    /// Streams open now.
    pub fn open_streams(&self) -> usize {
        self.shared.gate.streams().0 as usize
    }

    /// The tunnel's figures.
    pub fn stats(&self) -> Stats {
        let meter = &self.shared.meter;
        let (open, opened) = self.shared.gate.streams();
        Stats {
            bytes_read: meter.bytes_read(),
            bytes_written: meter.bytes_written(),
            silent_for: meter.now().saturating_sub(meter.view().last_read),
            streams_opened: opened,
            open_streams: open as usize,
            rtt: meter.rtt(),
            since: meter.start(),
            boosted: self.shared.gate.boosted(),
        }
    }
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel").field("id", &self.shared.id).field("form", &self.shared.form).finish_non_exhaustive()
    }
}
