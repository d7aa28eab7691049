//! What became of a device's last connections: kept in memory, a few of each device, for whoever asks why it is offline.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use oriel_uplink::Form;

/// Connections that are remembered of one device.
const MOST: usize = 20;
/// A reason that a peer gave may be long.
const LONGEST: usize = 256;

/// A connection that ended, or an attempt that was refused.
#[derive(Debug, Clone)]
pub struct Past {
    /// When it began.
    pub at: SystemTime,
    /// Where it came from.
    pub source: IpAddr,
    /// How it was made; none when it was refused.
    pub form: Option<Form>,
    /// How long it stood.
    pub lasted: Duration,
    /// Bytes from the device.
    pub bytes_read: u64,
    /// Bytes to the device.
    pub bytes_written: u64,
    /// Why it ended.
    pub reason: String,
}

/// Newest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Past>);

impl History {
    pub(super) fn add(&mut self, mut past: Past) {
        if past.reason.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| past.reason.is_char_boundary(*end)).unwrap_or(0);
            past.reason.truncate(end);
        }
        self.0.truncate(MOST - 1);
        self.0.push_front(past);
    }

    pub(super) fn to_vec(&self) -> Vec<Past> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(n: u64, reason: &str) -> Past {
        Past {
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(n),
            source: [192, 0, 2, 1].into(),
            form: None,
            lasted: Duration::ZERO,
            bytes_read: n,
            bytes_written: 0,
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn the_newest_are_kept_newest_first_and_long_reasons_are_cut() {
        let mut history = History::default();
        for n in 0..100 {
            history.add(past(n, &"ß".repeat(1000)));
        }
        let kept = history.to_vec();
        assert_eq!((kept.len(), kept[0].bytes_read, kept[19].bytes_read), (MOST, 99, 80));
        assert_eq!(kept[0].reason, "ß".repeat(128));
    }
}
