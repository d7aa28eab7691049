//! When a measurement is told again: after an interval, or on a change that is worth it (the recommendations of Core §8.9).

use std::time::Duration;

/// How far a value has to move to be told at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// By so much, in the value's own unit.
    By(f32),
    /// By this part of what was told last; but at least by so much, since near zero every flicker is a large part.
    Part {
        /// The part, 0.05 being five percent.
        of: f32,
        /// The least.
        least: f32,
    },
}

/// A measurement that is told sparingly.
#[derive(Debug, Clone)]
pub(crate) struct Sparing {
    change: Change,
    every: Option<Duration>,
    told: Option<(Duration, f32)>,
}

impl Sparing {
    /// Told on a change alone.
    pub(crate) fn on(change: Change) -> Self {
        Self { change, every: None, told: None }
    }

    /// Told on a change, and after each interval.
    pub(crate) fn every(every: Duration, change: Change) -> Self {
        Self { change, every: Some(every), told: None }
    }

    /// Whether `value` is to be told now; then it counts as told.
    pub(crate) fn wants(&mut self, now: Duration, value: f32) -> bool {
        if !value.is_finite() {
            return false;
        }
        let wanted = match self.told {
            None => true,
            // The same again is no news, however long ago it was told.
            Some((_, before)) if before.to_bits() == value.to_bits() => false,
            Some((at, before)) => {
                let due = self.every.is_some_and(|every| now.saturating_sub(at) >= every);
                due || self.change.is_between(before, value)
            }
        };
        if wanted {
            self.told = Some((now, value));
        }
        wanted
    }
}

impl Change {
    fn is_between(self, before: f32, after: f32) -> bool {
        let moved = (after - before).abs();
        match self {
            Self::By(least) => moved >= least,
            Self::Part { of, least } => moved >= (before.abs() * of).max(least),
        }
    }
}

/// Tenths, which is more than sensors are good for.
pub(crate) fn tenths(value: f32) -> f32 {
    // Adding zero makes of a negative zero a plain one.
    (value * 10.0).round() / 10.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mut sparing: Sparing, values: &[(u64, f32)]) -> Vec<(u64, f32)> {
        let wants = |&(seconds, value): &(u64, f32)| sparing.wants(Duration::from_secs(seconds), value);
        values.iter().copied().filter(wants).collect()
    }

    #[test]
    fn the_first_value_is_told_and_the_same_one_never_again() {
        let sparing = Sparing::every(Duration::from_secs(60), Change::By(1.0));
        assert_eq!(told(sparing, &[(0, 40.0), (60, 40.0), (600, 40.0)]), [(0, 40.0)]);
    }

    #[test]
    fn a_small_change_waits_for_the_interval_and_a_large_one_does_not() {
        let sparing = Sparing::every(Duration::from_secs(60), Change::By(1.0));
        let seen = [(0, 40.0), (5, 40.9), (10, 41.0), (65, 41.5), (70, 41.6), (75, 40.6), (80, 39.6)];
        assert_eq!(told(sparing, &seen), [(0, 40.0), (10, 41.0), (70, 41.6), (75, 40.6), (80, 39.6)]);
    }

    #[test]
    fn a_slow_drift_is_told_against_what_was_told_not_against_the_last_look() {
        let drift: Vec<_> = (0..100u16).map(|step| (u64::from(step), 50.0 + f32::from(step) * 0.1)).collect();
        let told = told(Sparing::on(Change::By(2.0)), &drift);
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told.windows(2).all(|pair| pair[1].1 - pair[0].1 < 2.2), "{told:?}");
    }

    #[test]
    fn part_of_nearly_nothing_is_not_nothing() {
        let part = || Sparing::on(Change::Part { of: 0.05, least: 0.5 });
        assert_eq!(told(part(), &[(0, 0.0), (1, 0.4), (2, -0.4), (3, 0.5)]), [(0, 0.0), (3, 0.5)]);
        assert_eq!(told(part(), &[(0, 40.0), (1, 41.9), (2, 42.0)]), [(0, 40.0), (2, 42.0)]);
        assert_eq!(told(part(), &[(0, -40.0), (1, -41.9), (2, -42.0)]), [(0, -40.0), (2, -42.0)]);
    }

    #[test]
    fn what_is_no_number_is_not_told() {
        assert_eq!(told(Sparing::on(Change::By(1.0)), &[(0, f32::NAN), (1, f32::INFINITY)]), []);
        assert_eq!(tenths(-0.04).to_bits(), 0.0_f32.to_bits());
        assert_eq!(tenths(36.66), 36.7);
    }
}
