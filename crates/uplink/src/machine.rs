//! The life of one uplink at the camera's end (Uplink §5.2), as a pure machine: what to dial when, which tunnel to retire.
//!
//! ```text
//!            ┌────────── Wait(ladder) ◄──── DialFailed / Closed (no other tunnel stands)
//!            ▼                                    ▲
//!   start ─► Dial ──Dialled──► standing ──────────┤
//!                                 │ GoAway: Dial at once, keep serving
//!                                 ▼
//!                       second Dialled ─► Retire(first)
//! ```

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::backoff::{Backoff, Failure};

/// Names one tunnel of an uplink, in order of dialling.
pub type TunnelId = u64;

/// A tunnel this young that is told to go away is replaced by the ladder, not at once: two clouds must not play ball.
const TOO_YOUNG: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The attempt succeeded; a tunnel stands.
    Dialled(TunnelId),
    /// The attempt failed.
    DialFailed(Failure),
    /// A standing tunnel ended.
    Closed(TunnelId),
    /// The cloud drains a tunnel, or our own side wants another: dial a second one.
    Replace(TunnelId),
    /// Configuration or credentials changed: every standing tunnel is to be replaced.
    Redial,
    /// No more dialling; let streams in flight finish.
    Stop,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Dial; `refresh` asks for a new token first. Answer with `Dialled(id)` or `DialFailed`.
    Dial {
        /// The tunnel's name if it comes to stand.
        id: TunnelId,
        /// Fetch a new token first.
        refresh: bool,
    },
    /// Finish a tunnel's streams, then close it; bounded by the driver.
    Retire(TunnelId),
    /// Nothing until then, or until something happens.
    WaitUntil(Instant),
    /// Nothing until something happens.
    Wait,
    /// Over: stopped, and no tunnel stands.
    Done,
}

#[derive(Debug)]
enum Attempt {
    None,
    At(Instant),
    Running,
}

/// The machine of one uplink.
#[derive(Debug)]
pub struct Machine {
    backoff: Backoff,
    attempt: Attempt,
    refresh: bool,
    standing: Vec<(TunnelId, Instant)>,
    replaced: Vec<TunnelId>,
    out: VecDeque<Output>,
    next_id: TunnelId,
    attempts: u32,
    stopped: bool,
}

impl Machine {
    /// A machine that dials at once.
    pub fn new(now: Instant, backoff: Backoff) -> Self {
        Self {
            backoff,
            attempt: Attempt::At(now),
            refresh: false,
            standing: Vec::new(),
            replaced: Vec::new(),
            out: VecDeque::new(),
            next_id: 1,
            attempts: 0,
            stopped: false,
        }
    }

    /// Attempts since a tunnel last stood.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When the next attempt starts, if one is waiting.
    pub fn next_attempt(&self) -> Option<Instant> {
        match self.attempt {
            Attempt::At(at) => Some(at),
            _ => None,
        }
    }

    /// Whether an attempt is running.
    pub fn dialling(&self) -> bool {
        matches!(self.attempt, Attempt::Running)
    }

    /// Since when the oldest tunnel that is not being replaced stands.
    pub fn standing_since(&self) -> Option<Instant> {
        self.standing.iter().map(|(_, since)| *since).min()
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Dialled(id) => self.dialled(now, id),
            Input::DialFailed(failure) => {
                self.attempt = Attempt::None;
                if !self.stopped {
                    self.climb(now, failure);
                }
            }
            Input::Closed(id) => self.closed(now, id),
            Input::Replace(id) => self.replace(now, id, false),
            Input::Redial => {
                for (id, _) in self.standing.clone() {
                    self.replace(now, id, true);
                }
                if let Attempt::At(at) = &mut self.attempt {
                    *at = now.min(*at);
                }
            }
            Input::Stop => {
                self.stopped = true;
                if !self.dialling() {
                    self.attempt = Attempt::None;
                }
                self.out.extend(self.standing.iter().map(|(id, _)| Output::Retire(*id)));
            }
        }
    }

    /// What to do next; call until it waits or is done.
    pub fn poll(&mut self, now: Instant) -> Output {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        match self.attempt {
            Attempt::At(at) if at <= now => {
                self.attempt = Attempt::Running;
                self.attempts = self.attempts.saturating_add(1);
                let id = self.next_id;
                self.next_id += 1;
                Output::Dial { id, refresh: std::mem::take(&mut self.refresh) }
            }
            Attempt::At(at) => Output::WaitUntil(at),
            Attempt::None if self.stopped && self.standing.is_empty() => Output::Done,
            Attempt::None | Attempt::Running => Output::Wait,
        }
    }

    fn dialled(&mut self, now: Instant, id: TunnelId) {
        self.attempt = Attempt::None;
        self.attempts = 0;
        self.standing.push((id, now));
        if self.stopped {
            self.out.push_back(Output::Retire(id));
            return;
        }
        self.out.extend(self.replaced.drain(..).map(Output::Retire));
    }

    fn closed(&mut self, now: Instant, id: TunnelId) {
        let Some(at) = self.standing.iter().position(|(standing, _)| *standing == id) else {
            return;
        };
        let (_, since) = self.standing.remove(at);
        self.replaced.retain(|old| *old != id);
        self.backoff.stood(now - since);
        let covered = self.standing.iter().any(|(other, _)| !self.replaced.contains(other));
        if !self.stopped && matches!(self.attempt, Attempt::None) && !covered {
            self.climb(now, Failure::Transient);
        }
    }

    fn replace(&mut self, now: Instant, id: TunnelId, at_once: bool) {
        let Some((_, since)) = self.standing.iter().find(|(standing, _)| *standing == id) else {
            return;
        };
        if self.stopped || self.replaced.contains(&id) {
            return;
        }
        let lived = now - *since;
        self.replaced.push(id);
        if !matches!(self.attempt, Attempt::None) {
            return;
        }
        if at_once || lived >= TOO_YOUNG {
            self.attempt = Attempt::At(now);
        } else {
            self.climb(now, Failure::Transient);
        }
    }

    fn climb(&mut self, now: Instant, failure: Failure) {
        let next = self.backoff.next(failure);
        self.refresh |= next.refresh;
        self.attempt = Attempt::At(now + next.wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn started() -> (Machine, Instant) {
        let now = Instant::now();
        let mut machine = Machine::new(now, Backoff::new(5));
        assert_eq!(machine.poll(now), Output::Dial { id: 1, refresh: false });
        assert_eq!(machine.poll(now), Output::Wait);
        (machine, now)
    }

    fn wait(machine: &mut Machine, now: Instant) -> Duration {
        match machine.poll(now) {
            Output::WaitUntil(at) => at - now,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lost_tunnel_is_dialled_again_by_the_ladder() {
        let (mut machine, now) = started();
        machine.handle(now, Input::Dialled(1));
        assert_eq!(machine.poll(now), Output::Wait);
        let later = now + S(100);
        machine.handle(later, Input::Closed(1));
        let first = wait(&mut machine, later);
        assert!(first < S(4));
        assert_eq!(machine.poll(later + first), Output::Dial { id: 2, refresh: false });
        machine.handle(later + first, Input::DialFailed(Failure::Transient));
        assert!(wait(&mut machine, later + first) > first);
        assert_eq!(machine.attempts(), 1);
    }

    #[test]
    fn goaway_dials_a_second_tunnel_at_once_and_retires_the_first_when_it_stands() {
        let (mut machine, now) = started();
        machine.handle(now, Input::Dialled(1));
        let now = now + S(60);
        machine.handle(now, Input::Replace(1));
        assert_eq!(machine.poll(now), Output::Dial { id: 2, refresh: false });
        machine.handle(now, Input::Replace(1));
        assert_eq!(machine.poll(now), Output::Wait, "told twice, dialled once");
        machine.handle(now, Input::Dialled(2));
        assert_eq!(machine.poll(now), Output::Retire(1));
        assert_eq!(machine.poll(now), Output::Wait);
        machine.handle(now, Input::Closed(1));
        assert_eq!(machine.poll(now), Output::Wait, "the second one stands");
    }

    #[test]
    fn a_replacement_that_fails_climbs_while_the_first_serves_on() {
        let (mut machine, now) = started();
        machine.handle(now, Input::Dialled(1));
        let now = now + S(60);
        machine.handle(now, Input::Replace(1));
        assert_eq!(machine.poll(now), Output::Dial { id: 2, refresh: false });
        machine.handle(now, Input::DialFailed(Failure::Transient));
        let pause = wait(&mut machine, now);
        assert!(pause >= S(1));
        // The cloud closes the first meanwhile: the waiting attempt stays.
        machine.handle(now, Input::Closed(1));
        assert_eq!(wait(&mut machine, now), pause);
        assert_eq!(machine.poll(now + pause), Output::Dial { id: 3, refresh: false });
    }

    #[test]
    fn a_cloud_that_drains_every_new_tunnel_meets_the_ladder() {
        let (mut machine, now) = started();
        machine.handle(now, Input::Dialled(1));
        machine.handle(now + S(1), Input::Replace(1));
        assert!(wait(&mut machine, now + S(1)) >= S(1));
    }

    #[test]
    fn a_refused_token_is_fetched_anew_before_the_next_attempt() {
        let (mut machine, now) = started();
        machine.handle(now, Input::DialFailed(Failure::TokenRefused));
        assert_eq!(machine.poll(now), Output::Dial { id: 2, refresh: true });
        machine.handle(now, Input::DialFailed(Failure::Transient));
        let pause = wait(&mut machine, now);
        assert_eq!(machine.poll(now + pause), Output::Dial { id: 3, refresh: false });
    }

    #[test]
    fn stop_retires_what_stands_and_is_done_when_it_has_closed() {
        let (mut machine, now) = started();
        machine.handle(now, Input::Dialled(1));
        machine.handle(now, Input::Stop);
        assert_eq!(machine.poll(now), Output::Retire(1));
        assert_eq!(machine.poll(now), Output::Wait);
        machine.handle(now, Input::Closed(1));
        assert_eq!(machine.poll(now), Output::Done);
    }

    #[test]
    fn stop_during_an_attempt_retires_the_tunnel_that_still_comes() {
        let (mut machine, now) = started();
        machine.handle(now, Input::Stop);
        assert_eq!(machine.poll(now), Output::Wait);
        machine.handle(now, Input::Dialled(1));
        assert_eq!(machine.poll(now), Output::Retire(1));
        machine.handle(now, Input::Closed(1));
        assert_eq!(machine.poll(now), Output::Done);
        let (mut machine, now) = started();
        machine.handle(now, Input::Stop);
        machine.handle(now, Input::DialFailed(Failure::Transient));
        assert_eq!(machine.poll(now), Output::Done);
    }

    #[test]
    fn redial_replaces_what_stands_and_hurries_what_waits() {
        let (mut machine, now) = started();
        machine.handle(now, Input::Dialled(1));
        machine.handle(now, Input::Redial);
        assert_eq!(machine.poll(now), Output::Dial { id: 2, refresh: false });
        let (mut machine, now) = started();
        machine.handle(now, Input::DialFailed(Failure::Forbidden));
        machine.handle(now, Input::Redial);
        assert_eq!(machine.poll(now), Output::Dial { id: 2, refresh: false });
    }
}
