//! How long a subscription lasts (Core §9.1.1, §9.1.3).

use super::clock::Now;
use super::subscription::Refused;
use oriel_onvif::notification::AbsoluteOrRelativeTime;
use std::time::Duration;

/// How long one lasts that does not say.
const USUAL: Duration = Duration::from_secs(60);
/// The shortest life.
pub(crate) const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// The longest life; whoever wants more renews.
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long it is to last from now on.
///
/// # Errors
/// [`Refused::Life`]: too short, in the past, or too long.
pub(super) fn life(now: Now, until: Option<AbsoluteOrRelativeTime>) -> Result<Duration, Refused> {
    let wanted = match until {
        None => return Ok(USUAL),
        Some(AbsoluteOrRelativeTime::At(time)) => time.duration_since(now.wall),
        Some(AbsoluteOrRelativeTime::In(span)) => span.0,
        Some(_) => return Ok(USUAL),
    };
    let refused = || Refused::Life {
        now: now.wall,
        least: now.told(now.monotonic + SHORTEST_LIFE),
        most: now.told(now.monotonic + LONGEST_LIFE),
    };
    let wanted = Duration::try_from(wanted).map_err(|_| refused())?;
    if !(SHORTEST_LIFE..=LONGEST_LIFE).contains(&wanted) {
        return Err(refused());
    }
    Ok(wanted)
}

/// When it ends at the earliest after an answer to a PullMessages with this timeout: the timeout later at least (§9.1.1), and so that who
/// pulls now and then keeps it.
pub(super) fn kept(now: Now, life: Duration, timeout: Duration) -> Duration {
    now.monotonic + timeout.max(life.min(USUAL))
}
