//! Every bound of a tunnel at the cloud's end.

use std::time::Duration;

use super::Budget;
use crate::{liveness::Bounds, wire::FrameRates};

/// The bounds. Clone one for the whole process: the [`Budget`] inside is shared by its clones.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most streams at once, if the device does not allow fewer.
    pub max_streams: u32,
    /// Streams that only [`super::Class::Soap`] may use, so that stalled viewers never block SOAP.
    pub soap_reserve: u32,
    /// How long a request waits for a free stream before it is told "busy".
    pub slot_wait: Duration,
    /// A stream's receive window, bytes.
    pub stream_window: u32,
    /// A stream's receive window while media flows, bytes.
    pub boosted_window: u32,
    /// A bulk response that grew beyond this raises the windows, bytes.
    pub boost_after: u64,
    /// How long no bulk stream must have been open before the windows fall back.
    pub boost_idle: Duration,
    /// Most bytes of one response's headers.
    pub header_list: u32,
    /// Most bytes of one request's body that wait to be sent.
    pub send_buffer: usize,
    /// What unread DATA frames below 256 bytes may cost, (256 − length) each, before the tunnel is closed.
    pub small_frame_debt: usize,
    /// Streams remembered after they were reset.
    pub reset_streams: usize,
    /// Control frames a second that nothing of ours asked for.
    pub control_rate: u32,
    /// Control frames at once.
    pub control_burst: u32,
    /// Streams that the device may reset a second, beyond one for each request.
    pub reset_rate: u32,
    /// Streams that it may reset at once.
    pub reset_burst: u32,
    /// The 101 must have left, and the device's SETTINGS come, within this.
    pub first_settings: Duration,
    /// Ping a tunnel that was silent this long.
    pub ping_after: Duration,
    /// A tunnel that was silent this long is dead.
    pub silence: Duration,
    /// A tunnel whose writes make no progress this long is dead.
    pub write_stall: Duration,
    /// What all tunnels together may be made to buffer.
    pub budget: Budget,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_streams: 128,
            soap_reserve: 8,
            slot_wait: Duration::from_secs(2),
            stream_window: 64 * 1024,
            boosted_window: 1024 * 1024,
            boost_after: 256 * 1024,
            boost_idle: Duration::from_secs(10),
            header_list: 64 * 1024,
            send_buffer: 128 * 1024,
            small_frame_debt: 256 * 1024,
            reset_streams: 64,
            control_rate: 100,
            control_burst: 1000,
            reset_rate: 20,
            reset_burst: 200,
            first_settings: Duration::from_secs(10),
            ping_after: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            write_stall: Duration::from_secs(20),
            budget: Budget::default(),
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
            resets: self.reset_rate,
            resets_burst: self.reset_burst,
        }
    }

    /// All streams may stall with a full window and there is still room for one more.
    pub(crate) fn connection_window(&self, stream_window: u32) -> u32 {
        let sum = u64::from(stream_window) * (u64::from(self.max_streams) + 1);
        u32::try_from(sum).unwrap_or(u32::MAX).min((1 << 31) - 1)
    }
}
