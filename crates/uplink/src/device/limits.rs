//! Every bound of a tunnel at the camera's end.

use std::time::Duration;

use crate::{liveness::Bounds, wire::FrameRates};

/// The bounds of one tunnel.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most requests at once.
    pub max_concurrent_streams: u32,
    /// Most bytes of one request's headers.
    pub header_list_size: u32,
    /// A stream's receive window, bytes.
    pub stream_window: u32,
    /// The connection's receive window, bytes: room for every stream to stall.
    pub connection_window: u32,
    /// Most bytes of one response that wait to be sent.
    pub send_buffer: usize,
    /// Streams that may be reset before they were accepted.
    pub pending_resets: usize,
    /// Control frames a second that nothing asked for.
    pub control_rate: u32,
    /// Control frames at once.
    pub control_burst: u32,
    /// The cloud's preface and SETTINGS must have come within this.
    pub first_settings: Duration,
    /// Ping after this much silence.
    pub ping_after: Duration,
    /// Uplink §5.2: reconnect after this much silence.
    pub silence: Duration,
    /// A tunnel whose writes make no progress this long is dead.
    pub write_stall: Duration,
    /// How long a tunnel that was replaced still takes requests: some are on their way to it, and the cloud may look at its new tunnel later than we.
    pub linger: Duration,
    /// How long a tunnel that is replaced or drained may take to finish its streams.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 128,
            header_list_size: 64 * 1024,
            stream_window: 128 * 1024,
            connection_window: 129 * 128 * 1024,
            send_buffer: 256 * 1024,
            pending_resets: 64,
            control_rate: 200,
            control_burst: 1000,
            first_settings: Duration::from_secs(10),
            ping_after: Duration::from_secs(12),
            silence: Duration::from_secs(30),
            write_stall: Duration::from_secs(20),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(30),
        }
    }
}

impl Limits {
    pub(crate) fn liveness(&self) -> Bounds {
        Bounds {
            ping_after: self.ping_after,
            silence: self.silence,
            write_stall: self.write_stall,
            first_settings: self.first_settings,
        }
    }

    pub(crate) fn rates(&self) -> FrameRates {
        FrameRates {
            control: self.control_rate,
            control_burst: self.control_burst,
            resets: self.control_rate,
            resets_burst: self.control_burst,
        }
    }
}
