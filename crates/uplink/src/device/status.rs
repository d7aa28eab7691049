//! What is known of an uplink, for `Status` and `Error` (Uplink §6.1) and for a person.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::Layer;
use crate::{machine::TunnelId, wire::Meter};

/// The words of the schema's ConnectionStatus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// Not connected, and no attempt is running.
    #[default]
    Offline,
    /// An attempt is running.
    Connecting,
    /// At least one tunnel stands.
    Connected,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offline => "Offline",
            Self::Connecting => "Connecting",
            Self::Connected => "Connected",
        })
    }
}

/// Bytes over an uplink's whole life, TLS excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bytes from the cloud.
    pub read: u64,
    /// Bytes to the cloud.
    pub written: u64,
}

/// What ended tunnels carried, and the meters of those that stand.
#[derive(Debug, Default)]
pub(super) struct Totals(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    ended: Traffic,
    standing: Vec<(TunnelId, Arc<Meter>)>,
}

impl Totals {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        // Plain numbers: a panic elsewhere leaves them right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stands(&self, id: TunnelId, meter: Arc<Meter>) {
        self.sums().standing.push((id, meter));
    }

    pub(super) fn ended(&self, id: TunnelId) {
        let mut sums = self.sums();
        if let Some(at) = sums.standing.iter().position(|(standing, _)| *standing == id) {
            let (_, meter) = sums.standing.swap_remove(at);
            sums.ended.read += meter.bytes_read();
            sums.ended.written += meter.bytes_written();
        }
    }
}

/// An uplink's state at one moment; [`Status::traffic`] is live.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Status {
    /// The schema's word.
    pub state: State,
    /// Why the last attempt failed or the last tunnel ended; none while connected.
    pub error: Option<String>,
    /// The layer that `error` is about.
    pub layer: Option<Layer>,
    /// Attempts since a tunnel last stood, the running one included.
    pub attempts: u32,
    /// Since when a tunnel stands.
    pub connected_since: Option<Instant>,
    /// When the next attempt starts.
    pub next_attempt_at: Option<Instant>,
    /// How the last tunnel ended.
    pub last_close: Option<String>,
    pub(super) totals: Arc<Totals>,
}

impl Status {
    /// Bytes so far.
    pub fn traffic(&self) -> Traffic {
        let sums = self.totals.sums();
        sums.standing.iter().fold(sums.ended, |sum, (_, meter)| Traffic {
            read: sum.read + meter.bytes_read(),
            written: sum.written + meter.bytes_written(),
        })
    }
}
