//! How fast access keys may be guessed at: failures are counted by source and user name together, and by source. A key cannot be shut out from elsewhere,
//! and names that do not exist are counted like those that do.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::facts::Facts;
use crate::refusal::Refusal;
use crate::throttle::network;

/// Failures are counted, and who fails too often waits, for this long.
const WINDOW: Duration = Duration::from_secs(60);
/// Failures of one user name from one source.
const OF_KEY: u32 = 20;
/// Failures of one source: many cameras' clients may sit behind one address.
const OF_SOURCE: u32 = 200;
/// Of a longer name only so much is told apart.
const LONGEST: usize = 64;

/// The failures of one source.
pub(super) struct Guesses<'f> {
    facts: &'f dyn Facts,
    source: IpAddr,
}

impl<'f> Guesses<'f> {
    pub(super) fn of(facts: &'f dyn Facts, source: IpAddr) -> Self {
        Self { facts, source: network(source) }
    }

    /// How long this source has to wait before it may try `user`.
    pub(super) fn wait(&self, user: &str, now: Instant) -> Option<Duration> {
        let of_source = self.facts.remaining(&self.waiting(""), now);
        of_source.or_else(|| self.facts.remaining(&self.waiting(user), now))
    }

    /// It was wrong.
    pub(super) fn wrong(&self, user: &str, now: Instant) {
        for (name, most) in [(user, OF_KEY), ("", OF_SOURCE)] {
            let key = format!("gateway/wrong/{}/{}", self.source, shortened(name));
            if self.facts.count(&key, WINDOW, now) >= most {
                self.facts.put_if_absent(&self.waiting(name), WINDOW, now);
            }
        }
    }

    fn waiting(&self, user: &str) -> String {
        format!("gateway/wait/{}/{}", self.source, shortened(user))
    }
}

/// What is said to whoever has to wait; the same whatever was tried.
pub(super) fn too_many(wait: Duration) -> Refusal {
    let detail = "too many wrong user names or passwords from here; try again later";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait.max(Duration::from_secs(1)))
}

fn shortened(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MemoryFacts;

    #[test]
    fn who_fails_too_often_waits_and_nobody_else() {
        let (facts, now) = (MemoryFacts::new(1000), Instant::now());
        let here = Guesses::of(&facts, "192.0.2.1".parse().unwrap());
        for _ in 0..OF_KEY {
            assert_eq!(here.wait("key", now), None);
            here.wrong("key", now);
        }
        assert_eq!(here.wait("key", now), Some(WINDOW));
        assert_eq!(here.wait("other", now), None);
        assert_eq!(Guesses::of(&facts, "192.0.2.2".parse().unwrap()).wait("key", now), None);
        assert_eq!(here.wait("key", now + WINDOW), None, "a window later it begins anew");
    }

    #[test]
    fn a_source_that_tries_many_names_waits_for_all_of_them() {
        let (facts, now) = (MemoryFacts::new(1000), Instant::now());
        let source = |last: u16| format!("2001:db8::{last:x}").parse().unwrap();
        for n in 0..OF_SOURCE {
            let guesses = Guesses::of(&facts, source(u16::try_from(n).unwrap()));
            assert_eq!(guesses.wait(&n.to_string(), now), None);
            guesses.wrong(&n.to_string(), now);
        }
        assert!(Guesses::of(&facts, source(9999)).wait("one that never failed", now).is_some());
        assert_eq!(Guesses::of(&facts, "2001:db8:0:1::1".parse().unwrap()).wait("x", now), None);
    }

    #[test]
    fn a_long_name_takes_no_more_room_than_a_short_one() {
        assert_eq!(shortened(&"ö".repeat(1000)).len(), LONGEST);
        assert_eq!(shortened("short"), "short");
    }
}
