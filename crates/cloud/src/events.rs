//! What happens to devices, told to whoever listens (HTML, server-sent events). Each organisation has one ring of its last events; a listener is a place in
//! it and holds nothing else, so a slow one costs nothing: it finds its place gone, and is told to begin anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::records::{DeviceId, OrganisationId};

/// Events that are kept of one organisation, for those who come back.
const KEPT: usize = 1024;
/// Listeners of one organisation.
const LISTENERS: usize = 256;

/// Whether a device can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// A tunnel stands.
    Online,
    /// It has none.
    Offline,
    /// It is shut out.
    Revoked,
    /// It is registered no more; only events say this.
    Removed,
}

impl Status {
    /// As the API says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Revoked => "revoked",
            Self::Removed => "removed",
        }
    }
}

/// A device changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DeviceEvent {
    /// The device.
    #[schema(value_type = String)]
    pub(crate) id: DeviceId,
    /// Its name for people.
    pub(crate) name: String,
    /// What it is now.
    pub(crate) status: Status,
    /// Why it is not online.
    pub(crate) reason: Option<String>,
    /// Unix milliseconds.
    pub(crate) at: u64,
}

/// The rings.
#[derive(Debug)]
pub(crate) struct Events {
    /// Tells this process's numbers from its predecessor's.
    run: String,
    rings: Mutex<HashMap<OrganisationId, Ring>>,
}

#[derive(Debug)]
struct Ring {
    /// The number of the last event; its receivers are the listeners.
    last: watch::Sender<u64>,
    /// The newest last.
    kept: VecDeque<Arc<DeviceEvent>>,
}

impl Default for Ring {
    fn default() -> Self {
        Self { last: watch::Sender::new(0), kept: VecDeque::new() }
    }
}

impl Events {
    /// No events yet. `run` is another text in each process.
    pub(crate) fn new(run: String) -> Self {
        Self { run, rings: Mutex::default() }
    }

    /// Tells the organisation's listeners.
    pub(crate) fn publish(&self, organisation: &OrganisationId, event: DeviceEvent) {
        let mut rings = self.rings.lock().expect("no holder panics");
        let ring = rings.entry(Arc::clone(organisation)).or_default();
        if ring.kept.len() == KEPT {
            ring.kept.pop_front();
        }
        ring.kept.push_back(Arc::new(event));
        ring.last.send_modify(|last| *last += 1);
    }

    /// The organisation is no more.
    pub(crate) fn forget(&self, organisation: &str) {
        self.rings.lock().expect("no holder panics").remove(organisation);
    }

    /// Listens from now on, or from what followed the event `after`; `None` when too many do already.
    pub(crate) fn listen(self: &Arc<Self>, organisation: &OrganisationId, after: Option<&str>) -> Option<Listener> {
        let mut rings = self.rings.lock().expect("no holder panics");
        let ring = rings.entry(Arc::clone(organisation)).or_default();
        if ring.last.receiver_count() >= LISTENERS {
            return None;
        }
        let (news, now) = (ring.last.subscribe(), *ring.last.borrow());
        let place = after.map(|after| self.place(after));
        let lost = place.is_some_and(|place| !place.is_some_and(|place| place <= now && ring.holds(place)));
        let next = place.flatten().filter(|_| !lost).unwrap_or(now);
        Some(Listener { events: Arc::clone(self), organisation: Arc::clone(organisation), news, seen: next, lost })
    }

    /// The number in an event's id, if this process gave it.
    fn place(&self, id: &str) -> Option<u64> {
        let (run, number) = id.rsplit_once('-')?;
        (run == self.run).then(|| number.parse().ok()).flatten()
    }
}

impl Ring {
    /// Whether what followed the event `place` is still here.
    fn holds(&self, place: u64) -> bool {
        *self.last.borrow() - self.kept.len() as u64 <= place
    }
}

/// What a listener hears next.
#[derive(Debug)]
pub(crate) enum Heard {
    /// An event.
    Device(Arc<DeviceEvent>),
    /// What was between is lost: ask for everything again.
    Reset,
    /// The organisation is no more.
    End,
}

/// One who listens.
#[derive(Debug)]
pub(crate) struct Listener {
    events: Arc<Events>,
    organisation: OrganisationId,
    news: watch::Receiver<u64>,
    /// The number of the last event that was heard.
    seen: u64,
    lost: bool,
}

impl Listener {
    /// The id of what was heard last, to come back with.
    pub(crate) fn cursor(&self) -> String {
        format!("{}-{}", self.events.run, self.seen)
    }

    /// Waits for the next. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.now() {
                return heard;
            }
            if self.news.changed().await.is_err() {
                return Heard::End;
            }
        }
    }

    fn now(&mut self) -> Option<Heard> {
        let rings = self.events.rings.lock().expect("no holder panics");
        let Some(ring) = rings.get(&self.organisation) else { return Some(Heard::End) };
        let last = *self.news.borrow_and_update();
        if std::mem::take(&mut self.lost) || !ring.holds(self.seen) {
            self.seen = last;
            return Some(Heard::Reset);
        }
        let behind = usize::try_from(last - self.seen).ok().filter(|behind| *behind > 0)?;
        self.seen += 1;
        Some(Heard::Device(Arc::clone(&ring.kept[ring.kept.len() - behind])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: usize) -> DeviceEvent {
        DeviceEvent { id: n.to_string().into(), name: String::new(), status: Status::Online, reason: None, at: 0 }
    }

    async fn ids(listener: &mut Listener, count: usize) -> Vec<String> {
        let mut heard = Vec::new();
        for _ in 0..count {
            match listener.next().await {
                Heard::Device(event) => heard.push(event.id.to_string()),
                other => panic!("{other:?}"),
            }
        }
        heard
    }

    #[tokio::test]
    async fn a_listener_hears_its_organisation_from_now_on() {
        let events = Arc::new(Events::new("run".to_owned()));
        let (ours, theirs) = ("a".into(), "b".into());
        events.publish(&ours, event(0));
        let mut listener = events.listen(&ours, None).unwrap();
        events.publish(&theirs, event(7));
        events.publish(&ours, event(1));
        events.publish(&ours, event(2));
        assert_eq!(ids(&mut listener, 2).await, ["1", "2"]);
        let waiting = tokio::spawn(async move { ids(&mut listener, 1).await });
        events.publish(&ours, event(3));
        assert_eq!(waiting.await.unwrap(), ["3"]);
    }

    #[tokio::test]
    async fn who_comes_back_hears_what_it_missed() {
        let events = Arc::new(Events::new("run".to_owned()));
        let ours = "a".into();
        let mut listener = events.listen(&ours, None).unwrap();
        (1..4).for_each(|n| events.publish(&ours, event(n)));
        assert_eq!(ids(&mut listener, 1).await, ["1"]);
        let cursor = listener.cursor();
        drop(listener);
        assert_eq!(ids(&mut events.listen(&ours, Some(&cursor)).unwrap(), 2).await, ["2", "3"]);
    }

    #[tokio::test]
    async fn who_was_away_too_long_or_comes_from_elsewhere_begins_anew() {
        let events = Arc::new(Events::new("run".to_owned()));
        let ours = "a".into();
        let mut slow = events.listen(&ours, None).unwrap();
        let cursor = slow.cursor();
        (0..=KEPT).for_each(|n| events.publish(&ours, event(n)));
        assert!(matches!(slow.next().await, Heard::Reset));
        events.publish(&ours, event(5000));
        assert_eq!(ids(&mut slow, 1).await, ["5000"]);
        for from in [cursor.as_str(), "other-1", "run-999999", "nonsense", "run-x"] {
            let mut listener = events.listen(&ours, Some(from)).unwrap();
            assert!(matches!(listener.next().await, Heard::Reset), "{from}");
        }
        assert_eq!(events.rings.lock().unwrap()["a"].kept.len(), KEPT);
    }

    #[tokio::test]
    async fn the_end_of_an_organisation_ends_its_listeners() {
        let events = Arc::new(Events::new("run".to_owned()));
        let ours = "a".into();
        let mut listener = events.listen(&ours, None).unwrap();
        events.forget("a");
        assert!(matches!(listener.next().await, Heard::End));
    }
}
