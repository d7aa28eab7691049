//! From where exchanges happen to who listens. While nobody listens to anything, an exchange costs one look at a number.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Response, Uri};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::{Event, Message, What, target};

/// Events that wait for one listener.
const KEPT: usize = 128;
/// Devices that are listened to at once; whoever serves several owners bounds each by [`Taps::devices`].
const DEVICES: usize = 128;
/// Listeners of one device.
const LISTENERS: usize = 8;

/// The devices that somebody listens to.
#[derive(Debug, Default)]
pub struct Taps {
    /// How many, readable without the lock.
    open: AtomicUsize,
    exchanges: AtomicU64,
    taps: Mutex<HashMap<Arc<str>, broadcast::Sender<Event>>>,
}

/// Somebody who listens to one device. Dropping it ends that.
#[derive(Debug)]
pub struct Listener {
    events: broadcast::Receiver<Event>,
    taps: Arc<Taps>,
    device: Arc<str>,
}

/// One exchange that is listened to.
#[derive(Debug)]
pub struct Tap {
    events: broadcast::Sender<Event>,
    exchange: u64,
    began: (Instant, u64),
}

impl Taps {
    /// Listens to a device; `None` when too many listen already.
    #[must_use]
    pub fn listen(self: &Arc<Self>, device: &str) -> Option<Listener> {
        let mut taps = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, device) = (taps.len(), Arc::<str>::from(device));
        let events = match taps.get(&device) {
            Some(events) if events.receiver_count() < LISTENERS => events.subscribe(),
            None if known < DEVICES => {
                let (sender, events) = broadcast::channel(KEPT);
                taps.insert(Arc::clone(&device), sender);
                self.open.store(known + 1, Relaxed);
                events
            }
            _ => return None,
        };
        Some(Listener { events, taps: Arc::clone(self), device })
    }

    /// The devices that are listened to now.
    #[must_use]
    pub fn devices(&self) -> Vec<Arc<str>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// For an exchange with a device that begins at `now` (Unix milliseconds); `None` when nobody listens.
    #[must_use]
    pub fn of(&self, device: &str, now: u64) -> Option<Tap> {
        if self.open.load(Relaxed) == 0 {
            return None;
        }
        let events = self.taps.lock().unwrap_or_else(PoisonError::into_inner).get(device)?.clone();
        Some(Tap { events, exchange: self.exchanges.fetch_add(1, Relaxed) + 1, began: (Instant::now(), now) })
    }

    /// Tells what is no exchange.
    pub fn tell(&self, device: &str, now: u64, what: impl FnOnce() -> What) {
        if let Some(tap) = self.of(device, now) {
            let _nobody = tap.events.send(Event { at: now, what: what() });
        }
    }
}

impl Tap {
    /// Milliseconds since the beginning.
    fn milliseconds(&self) -> u64 {
        self.began.0.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn tell(&self, what: What) {
        // An error means that nobody listens any more.
        let _nobody = self.events.send(Event { at: self.began.1.saturating_add(self.milliseconds()), what });
    }

    /// The request goes to the device, with `message` if it is SOAP.
    pub fn asked(&self, by: String, method: &Method, uri: &Uri, message: Option<&[u8]>) {
        self.tell(What::Asked {
            exchange: self.exchange,
            by,
            method: method.to_string(),
            target: target(uri.path(), uri.query()),
            message: message.and_then(Message::of),
        });
    }

    /// The device answered, with `message` if it was read whole.
    pub fn answered<B>(&self, response: &Response<B>, message: Option<&[u8]>) {
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        self.tell(What::Answered {
            exchange: self.exchange,
            milliseconds: self.milliseconds(),
            status: response.status().as_u16(),
            content_type: text(CONTENT_TYPE)
                .map(|kind| kind.chars().filter(|char| !char.is_control()).take(200).collect()),
            bytes: message.map(|message| message.len() as u64).or_else(|| text(CONTENT_LENGTH)?.parse().ok()),
            message: message.and_then(Message::of),
        });
    }

    /// What came of it, with `message` if it was read whole.
    pub fn ended<B, E>(&self, ended: &Result<Response<B>, E>, message: Option<&[u8]>, why: impl Fn(&E) -> String) {
        match ended {
            Ok(response) => self.answered(response, message),
            Err(error) => self.failed(why(error)),
        }
    }

    /// There is no answer.
    pub fn failed(&self, reason: String) {
        self.tell(What::Failed { exchange: self.exchange, milliseconds: self.milliseconds(), reason });
    }
}

impl Listener {
    /// What happens next; waits for it.
    pub async fn next(&mut self) -> Option<What> {
        self.event().await.map(|event| event.what)
    }

    /// The same, with its time. What was missed has the time 0.
    pub async fn event(&mut self) -> Option<Event> {
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(events)) => Some(Event { at: 0, what: What::Missed { events } }),
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut taps = self.taps.taps.lock().unwrap_or_else(PoisonError::into_inner);
        // This one still counts.
        if taps.get(&self.device).is_some_and(|events| events.receiver_count() <= 1) {
            taps.remove(&self.device);
        }
        self.taps.open.store(taps.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_listens_hears_its_device_and_nobody_else_costs_anything() {
        let taps = Arc::new(Taps::default());
        assert!(taps.of("a", 0).is_none());
        let mut first = taps.listen("a").unwrap();
        assert!(taps.of("b", 0).is_none(), "nobody listens to it");
        let tap = taps.of("a", 5).unwrap();
        tap.asked("ana".into(), &Method::GET, &Uri::from_static("/snap?token=x"), None);
        tap.answered(&Response::builder().status(404).body(()).unwrap(), None);
        let heard = (first.next().await.unwrap(), first.next().await.unwrap());
        assert!(
            matches!(&heard.0, What::Asked { exchange: 1, target, .. } if target == "/snap?(7 bytes)"),
            "{heard:?}"
        );
        assert!(matches!(heard.1, What::Answered { exchange: 1, status: 404, .. }), "{heard:?}");
        let second = taps.listen("a").unwrap();
        drop(first);
        assert!(taps.of("a", 0).is_some(), "one still listens");
        drop(second);
        assert!(taps.of("a", 0).is_none());
        assert!(taps.taps.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn listeners_and_what_waits_for_them_are_bounded() {
        let taps = Arc::new(Taps::default());
        let of_one: Vec<_> = (0..=LISTENERS).map(|_| taps.listen("a")).collect();
        assert_eq!(of_one.iter().flatten().count(), LISTENERS);
        let of_many: Vec<_> = (0..DEVICES).map(|n| taps.listen(&n.to_string())).collect();
        assert_eq!(of_many.iter().flatten().count(), DEVICES - 1);
        let mut slow = of_one.into_iter().flatten().next().unwrap();
        for _ in 0..KEPT + 3 {
            taps.tell("a", 1, || What::Missed { events: 0 });
        }
        assert_eq!(slow.next().await, Some(What::Missed { events: 3 }));
    }
}
