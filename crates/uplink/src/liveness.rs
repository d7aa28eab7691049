//! Whether the other side is still there (Uplink §5.2): when to ping, when to give up. Pure.
//!
//! Bytes count, not frames: a large frame on a slow line is a sign of life long before it is complete.

use std::time::Duration;

/// The bounds of one tunnel. All times are since the tunnel's start.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Ping after this much silence, and again after as much more.
    pub ping_after: Duration,
    /// Uplink §5.2: no packet for this long, so the peer is gone.
    pub silence: Duration,
    /// A write that makes no progress for this long.
    pub write_stall: Duration,
    /// The peer's SETTINGS must have come by then.
    pub first_settings: Duration,
}

/// What the byte stream shows.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// When the last byte was read.
    pub last_read: Duration,
    /// Since when a write waits, if one does.
    pub blocked_since: Option<Duration>,
    /// Whether the peer's SETTINGS were seen.
    pub settings: bool,
}

/// Why a tunnel is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dead {
    /// Nothing was read for too long.
    Silent,
    /// A write made no progress for too long.
    WriteStalled,
    /// The peer never sent its SETTINGS.
    NoSettings,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nothing until then, at the latest.
    Until(Duration),
    /// Send a ping, then check again.
    Ping,
    /// Close the tunnel.
    Dead(Dead),
}

/// The watch over one tunnel.
#[derive(Debug, Clone)]
pub struct Liveness {
    bounds: Bounds,
    last_ping: Duration,
}

impl Liveness {
    /// A watch that starts with the tunnel.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, last_ping: Duration::ZERO }
    }

    /// Looks at the stream at `now`.
    pub fn check(&mut self, now: Duration, view: View) -> Check {
        let silent_at = view.last_read + self.bounds.silence;
        let settings_at = self.bounds.first_settings;
        let stalled_at = view.blocked_since.map(|since| since + self.bounds.write_stall);
        if now >= silent_at {
            return Check::Dead(Dead::Silent);
        }
        if !view.settings && now >= settings_at {
            return Check::Dead(Dead::NoSettings);
        }
        if stalled_at.is_some_and(|at| now >= at) {
            return Check::Dead(Dead::WriteStalled);
        }
        let ping_at = view.last_read.max(self.last_ping) + self.bounds.ping_after;
        if now >= ping_at {
            self.last_ping = now;
            return Check::Ping;
        }
        let mut next = ping_at.min(silent_at);
        if !view.settings {
            next = next.min(settings_at);
        }
        Check::Until(stalled_at.map_or(next, |at| next.min(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn watch() -> Liveness {
        Liveness::new(Bounds { ping_after: S(10), silence: S(30), write_stall: S(20), first_settings: S(10) })
    }

    fn read_at(last_read: Duration) -> View {
        View { last_read, blocked_since: None, settings: true }
    }

    #[test]
    fn silence_is_pinged_twice_and_dead_after_thirty_seconds() {
        let mut watch = watch();
        let view = read_at(S(100));
        assert_eq!(watch.check(S(100), view), Check::Until(S(110)));
        assert_eq!(watch.check(S(110), view), Check::Ping);
        assert_eq!(watch.check(S(110), view), Check::Until(S(120)));
        assert_eq!(watch.check(S(120), view), Check::Ping);
        assert_eq!(watch.check(S(120), view), Check::Until(S(130)));
        assert_eq!(watch.check(S(130) - Duration::from_millis(1), view), Check::Until(S(130)));
        assert_eq!(watch.check(S(130), view), Check::Dead(Dead::Silent));
    }

    #[test]
    fn a_byte_a_while_keeps_a_tunnel_alive_for_ever() {
        let mut watch = watch();
        for hour in 0..100 {
            let now = S(hour * 29 + 29);
            assert!(!matches!(watch.check(now, read_at(S(hour * 29))), Check::Dead(_)));
        }
    }

    #[test]
    fn a_stuck_write_and_missing_settings_have_their_own_deadline() {
        let mut watch = watch();
        let stuck = View { blocked_since: Some(S(45)), ..read_at(S(60)) };
        assert_eq!(watch.check(S(64), stuck), Check::Until(S(65)));
        assert_eq!(watch.check(S(65), stuck), Check::Dead(Dead::WriteStalled));
        let new = View { settings: false, ..read_at(S(9)) };
        assert_eq!(watch.check(S(9), new), Check::Until(S(10)));
        assert_eq!(watch.check(S(10), new), Check::Dead(Dead::NoSettings));
    }
}
