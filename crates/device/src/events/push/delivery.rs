//! What is to be sent to one consumer next, and when (Core §9.3). Pure: takes `now`.
//!
//! ```text
//!   queue of the subscription ─► a few at once ─► POST ─┬─ taken ─────────► gone
//!                                     ▲                 ├─ away ──────────► all of it again, later and later
//!                                     └─── ladder ──────┴─ refused ───────► each for itself; one that is refused again and again is given up
//! ```
//! The order stays as it was told. Nothing ends the subscription but its time: a consumer that is away for long loses what its queue
//! has no room for, and hears of the rest.

use oriel_uplink::backoff::{Backoff, Failure, STABLE};
use std::time::Duration;

/// Most messages in one `Notify`.
const MOST: usize = 16;
/// A message that was refused so often is given up, so that the others get through.
const REFUSALS: u32 = 4;

/// How a consumer took what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has it.
    Taken,
    /// It answered that it does not want it: the HTTP status.
    Refused(u16),
    /// It could not be asked, or said that it will be back: perhaps when.
    Away(String, Option<Duration>),
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for a message.
    Rest,
    /// Nothing is sent before this.
    Wait(Duration),
    /// Send what [`Delivery::sending`] has.
    Send,
}

/// What is on its way to one consumer.
#[derive(Debug)]
pub(super) struct Delivery<T> {
    batch: Vec<T>,
    /// How often the first one was refused, alone.
    refusals: u32,
    /// One at a time: one of them was refused.
    alone: bool,
    not_before: Duration,
    failing: bool,
    ladder: Backoff,
}

impl<T> Delivery<T> {
    /// `seed` makes the pauses this subscription's own.
    pub(super) fn new(seed: u64) -> Self {
        let ladder = Backoff::new(seed);
        Self { batch: Vec::new(), refusals: 0, alone: false, not_before: Duration::ZERO, failing: false, ladder }
    }

    /// Whether more may be taken from the queue. While the consumer is away, what waits stays where it can be dropped in an order.
    pub(super) fn has_room(&self) -> bool {
        self.batch.is_empty() || (!self.failing && self.batch.len() < MOST)
    }

    /// Takes a message from the queue.
    pub(super) fn add(&mut self, message: T) {
        self.batch.push(message);
    }

    /// What to do now.
    pub(super) fn step(&self, now: Duration) -> Step {
        match self.batch.is_empty() {
            true => Step::Rest,
            false if now < self.not_before => Step::Wait(self.not_before),
            false => Step::Send,
        }
    }

    /// What is to be sent together.
    pub(super) fn sending(&self) -> &[T] {
        if self.alone { &self.batch[..self.batch.len().min(1)] } else { &self.batch }
    }

    /// What became of what was sent; gives back a message that is given up.
    pub(super) fn sent(&mut self, now: Duration, outcome: &Outcome) -> Option<T> {
        match outcome {
            Outcome::Taken => {
                let taken = self.sending().len();
                self.batch.drain(..taken);
                (self.refusals, self.failing) = (0, false);
                self.alone &= !self.batch.is_empty();
                self.ladder.stood(STABLE);
                None
            }
            Outcome::Away(_, after) => {
                self.pause(now, after.map_or(Failure::Transient, Failure::RetryAfter));
                None
            }
            Outcome::Refused(_) => {
                let was_alone = self.sending().len() <= 1;
                self.alone = true;
                self.refusals += u32::from(was_alone);
                self.pause(now, Failure::Transient);
                if self.refusals < REFUSALS || self.batch.is_empty() {
                    return None;
                }
                // The next one has its own chances, and waits as long as this one would have.
                self.refusals = 0;
                let given_up = self.batch.remove(0);
                self.alone &= !self.batch.is_empty();
                Some(given_up)
            }
        }
    }

    fn pause(&mut self, now: Duration, why: Failure) {
        self.failing = true;
        self.not_before = now + self.ladder.next(why).wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Outcome {
        Outcome::Away("no route".to_owned(), None)
    }

    fn with(messages: std::ops::Range<u32>) -> Delivery<u32> {
        let mut delivery = Delivery::new(7);
        messages.for_each(|message| delivery.add(message));
        delivery
    }

    #[test]
    fn what_waits_goes_together_and_in_order() {
        let mut delivery = with(0..0);
        assert_eq!(delivery.step(Duration::ZERO), Step::Rest);
        let mut next = 0..;
        while delivery.has_room() {
            delivery.add(next.next().unwrap());
        }
        assert_eq!(delivery.step(Duration::ZERO), Step::Send);
        assert_eq!(delivery.sending(), (0..MOST as u32).collect::<Vec<_>>());
        assert_eq!(delivery.sent(Duration::ZERO, &Outcome::Taken), None);
        assert_eq!(delivery.step(Duration::ZERO), Step::Rest);
        assert!(delivery.has_room());
    }

    #[test]
    fn one_that_is_away_is_asked_later_and_later_for_ever_and_loses_nothing_of_it() {
        let mut delivery = with(0..3);
        let (mut now, mut waits) = (Duration::ZERO, Vec::new());
        // A day of it.
        while now < Duration::from_secs(86_400) {
            assert_eq!(delivery.step(now), Step::Send);
            assert_eq!(delivery.sending(), [0, 1, 2]);
            assert_eq!(delivery.sent(now, &away()), None);
            assert!(!delivery.has_room(), "the rest waits in the queue");
            let Step::Wait(until) = delivery.step(now) else { panic!("a pause follows") };
            waits.push((until - now).as_secs());
            now = until;
        }
        assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
        assert!(waits.iter().all(|wait| (1..=30).contains(wait)), "{waits:?}");
        assert_eq!(delivery.sent(now, &Outcome::Taken), None);
        assert_eq!(delivery.step(now), Step::Rest);
        // It is there again: the pauses begin anew.
        delivery.add(3);
        delivery.sent(now, &away());
        let Step::Wait(until) = delivery.step(now) else { panic!("a pause follows") };
        assert!(until - now < Duration::from_secs(4));
    }

    #[test]
    fn one_that_says_when_it_is_back_is_not_asked_before() {
        let mut delivery = with(0..1);
        delivery.sent(Duration::ZERO, &Outcome::Away("503".to_owned(), Some(Duration::from_secs(120))));
        let Step::Wait(until) = delivery.step(Duration::ZERO) else { panic!("a pause follows") };
        assert!((120..=132).contains(&until.as_secs()), "{until:?}");
    }

    #[test]
    fn one_message_that_is_refused_does_not_take_the_others_along() {
        let mut delivery = with(0..4);
        let (mut now, mut taken, mut given_up, mut asked) = (Duration::ZERO, Vec::new(), Vec::new(), 0);
        while delivery.step(now) != Step::Rest {
            if let Step::Wait(until) = delivery.step(now) {
                now = until;
                continue;
            }
            asked += 1;
            let sending = delivery.sending().to_vec();
            let outcome = if sending.contains(&1) { Outcome::Refused(500) } else { Outcome::Taken };
            if outcome == Outcome::Taken {
                taken.extend(sending);
            }
            given_up.extend(delivery.sent(now, &outcome));
        }
        assert_eq!((taken, given_up), (vec![0, 2, 3], vec![1]));
        assert_eq!(asked, 1 + 1 + REFUSALS + 2);
        assert!(delivery.has_room());
    }

    #[test]
    fn a_consumer_that_refuses_all_loses_one_after_the_other_and_slowly() {
        let mut delivery = with(0..3);
        let (mut now, mut given_up) = (Duration::ZERO, Vec::new());
        while delivery.step(now) != Step::Rest {
            match delivery.step(now) {
                Step::Wait(until) => now = until,
                _ => given_up.extend(delivery.sent(now, &Outcome::Refused(400))),
            }
        }
        assert_eq!(given_up, [0, 1, 2]);
        assert!(now > Duration::from_secs(100), "{now:?}");
    }
}
