//! What a feed does about answers that do not come, cannot be read or say no.

use std::time::Duration;

use super::{Failure, Feed, LIMIT, No, Now, PULL, Reason, Stage};

/// How long a device that has no event service is left alone.
const NOTHING: Duration = Duration::from_secs(3600);
/// How long one that does not let us is.
const FORBIDDEN: Duration = Duration::from_secs(300);
/// A pull that was lost earlier was not silent for too long.
const CLOSED: Duration = Duration::from_secs(10);
/// Pulls wait no shorter, in seconds.
const SHORTEST: i64 = 5;

impl Feed {
    pub(super) fn nothing(&mut self, now: Now, why: &str) {
        self.stage = Stage::Nothing;
        self.reason = Some(why.to_owned());
        self.rest = now.monotonic + NOTHING;
    }

    /// Tries again later, from where it can go on.
    pub(super) fn failed(&mut self, now: Now, failure: &Failure) {
        self.reason = Some(failure.text().into_owned());
        self.rest = now.monotonic + self.backoff.next();
        if let Failure::Fault(no) = failure {
            if self.stage == Stage::Create {
                self.lives = (self.lives + 1) % 3;
            }
            if no.forbidden {
                self.rest = now.monotonic + FORBIDDEN;
            }
        }
        // A device that restarted may have moved its services.
        if self.backoff.tries() > 2 && !matches!(failure, Failure::Unsent(_)) {
            self.service = None;
        }
        if !matches!(self.stage, Stage::OldServices | Stage::Capabilities) || self.service.is_none() {
            self.resume(now);
        }
    }

    /// An answer is gone, and perhaps messages with it.
    pub(super) fn lost(&mut self, reason: Reason) {
        if self.memory.keeps {
            self.again = true;
        } else {
            self.lacks(reason);
        }
    }

    /// From when on something may be missing is told when the feed goes on, and why first.
    pub(super) fn lacks(&mut self, reason: Reason) {
        if self.memory.position.is_some() {
            self.missing.get_or_insert((self.memory.heard, reason));
        }
    }

    pub(super) fn forget_point(&mut self) {
        self.point = None;
        self.memory.point = None;
    }

    pub(super) fn no_pull(&mut self, now: Now, no: &No) {
        self.faults += 1;
        if let Some(longest) = no.longest {
            self.seconds = longest.clamp(1, PULL);
        } else if !no.unknown {
            self.seconds = (self.seconds / 2).max(SHORTEST);
        }
        if no.unknown || (self.faults >= 3 && !no.forbidden) {
            if no.unknown {
                self.forget_point();
            }
            if self.memory.keeps {
                self.again = true;
            } else {
                self.lacks(Reason::NotKept);
                self.forget_point();
            }
            self.faults = 0;
        }
        let first = no.unknown && self.backoff.tries() == 0;
        self.failed(now, &Failure::Fault(no.clone()));
        if first {
            // Most often it lived no longer; nothing is wrong.
            (self.rest, self.reason) = (now.monotonic, None);
        }
    }

    /// One message that is too long, or that breaks the XML, spoils the others of its answer: they are asked for again in smaller helpings.
    pub(super) fn unread(&mut self, now: Now, failure: &Failure) {
        let smaller = (self.limit / 8).max(1);
        if self.memory.keeps && self.limit > 1 {
            (self.again, self.ceiling) = (true, smaller);
        } else {
            let reason = if *failure == Failure::TooLong { Reason::TooLong } else { Reason::Unreadable };
            self.lacks(reason);
            self.ceiling = LIMIT;
        }
        self.limit = smaller;
        self.failed(now, failure);
    }

    pub(super) fn no_seek(&mut self, now: Now, no: &No) {
        if no.unknown {
            self.forget_point();
            self.failed(now, &Failure::Fault(no.clone()));
            return;
        }
        self.again = false;
        self.replay = None;
        self.lacks(Reason::SeekRefused);
        self.anew();
        self.stage = Stage::Pull;
    }

    /// The pull point tells all states, and nothing that was told before.
    pub(super) fn anew(&mut self) {
        self.overlap.clear();
        self.previous.clear();
        self.untold = self.states.keys().copied().collect();
    }

    /// A pull ended early though its tunnel stands: a camera, or a proxy in front of it, may close what is silent for so long.
    pub(super) fn closed(&mut self, now: Now) {
        if self.online && now.monotonic.saturating_sub(self.asked) >= CLOSED {
            self.seconds = (self.seconds / 2).max(SHORTEST);
        }
    }
}
