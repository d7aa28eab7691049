//! Room for the bodies of requests: one pool for those who have shown who they are, and pools of their own for strangers, of which each network has a share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::refusal::Refusal;
use crate::throttle::network;

/// Requests of strangers from one network at once.
const EACH: u32 = 32;

/// Room that a body has, given back when dropped.
pub(crate) struct Room<'r> {
    _permit: SemaphorePermit<'r>,
    _share: Option<Share<'r>>,
}

/// KiB of a body whose length is stated, or of the longest that is taken.
fn kib(headers: &HeaderMap, most: usize) -> u32 {
    let stated = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    u32::try_from(stated.unwrap_or(most).min(most) / 1024 + 1).unwrap_or(u32::MAX)
}

fn full() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests are on their way; try again")
}

/// Room for a body of at most `most` bytes in `pool`, whose unit is KiB.
///
/// # Errors
/// 503.
pub(crate) fn take<'r>(pool: &'r Semaphore, headers: &HeaderMap, most: usize) -> Result<Room<'r>, Refusal> {
    let permit = pool.try_acquire_many(kib(headers, most)).map_err(|_| full())?;
    Ok(Room { _permit: permit, _share: None })
}

/// Room for requests of those who have shown nothing: they take none from those who have, and one network leaves some to the others.
pub(crate) struct Strangers {
    pool: Semaphore,
    held: Mutex<HashMap<IpAddr, u32>>,
}

struct Share<'r>(&'r Strangers, IpAddr);

impl Strangers {
    /// With room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { pool: Semaphore::new(bytes / 1024), held: Mutex::default() }
    }

    /// As [`take`].
    ///
    /// # Errors
    /// 503, when the pool is full or the network of `source` has its share.
    pub(crate) fn take(&self, source: IpAddr, headers: &HeaderMap, most: usize) -> Result<Room<'_>, Refusal> {
        let share = self.share(network(source)).ok_or_else(full)?;
        let room = take(&self.pool, headers, most)?;
        Ok(Room { _share: Some(share), ..room })
    }

    fn share(&self, network: IpAddr) -> Option<Share<'_>> {
        let mut held = self.held.lock().expect("no holder panics");
        let count = held.entry(network).or_default();
        if *count >= EACH {
            return None;
        }
        *count += 1;
        Some(Share(self, network))
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut held = self.0.held.lock().expect("no holder panics");
        if let Some(count) = held.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_takes_its_share_and_leaves_the_rest() {
        let strangers = Strangers::new(64 * 1024);
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let none = HeaderMap::new();
        let mut held: Vec<_> = (0..EACH).map(|_| strangers.take(one, &none, 512).unwrap()).collect();
        assert!(strangers.take(one, &none, 512).is_err());
        assert!(strangers.take(other, &none, 512).is_ok());
        held.pop();
        assert!(strangers.take(one, &none, 512).is_ok());
        drop(held);
        assert!(strangers.held.lock().unwrap().is_empty());
        assert!(strangers.take(one, &none, 65 * 1024).is_err(), "longer than all the room there is");
    }
}
