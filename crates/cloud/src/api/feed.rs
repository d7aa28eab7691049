//! The feed of a device's events: a list, a stream, and how it stands.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::devices::seen;
use super::events::{HEARTBEAT, streamed};
use super::input::{Asked, Caller, Label, Named};
use super::page::{self, Page};
use crate::Shared;
use crate::feed::entry::{Entry, Message};
use crate::feed::{Memory, State as Does};
use crate::records::{DeviceId, FeedQuery, KeptEntry};
use crate::refusal::Refusal;

/// Entries that are read at once for a listener.
const HELPING: usize = 100;

type Reply<T> = Result<T, Refusal>;

/// A whole number that every client can hold exactly (RFC 8259 §6).
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Exact(u64);

impl TryFrom<u64> for Exact {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, &'static str> {
        if number < 1 << 53 { Ok(Self(number)) } else { Err("a number of at most 9007199254740991 is asked for") }
    }
}

/// Which entries; what is left out matches all.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// This topic and those below it, such as `tns1:VideoSource`; gaps are shown with any.
    #[param(inline)]
    topic: Option<Label>,
    /// Not before this time by the device's clock, in Unix milliseconds.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    from: Option<Exact>,
    /// Before this time.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    to: Option<Exact>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// The `next` of the page before.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    after: Option<Exact>,
}

/// One entry; `kind` says what it is.
#[derive(Serialize, ToSchema)]
#[schema(as = FeedItem)]
pub(super) struct View {
    /// Its number: the next entry of the device has the next one.
    number: u64,
    /// When the cloud kept it, in Unix milliseconds.
    came: u64,
    #[serde(flatten)]
    entry: Entry,
}

impl View {
    fn of(kept: &KeptEntry) -> Option<Self> {
        let entry = serde_json::from_str(&kept.content).ok()?;
        Some(Self { number: kept.number, came: kept.came, entry })
    }
}

/// How the feed of a device stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Feed)]
pub(super) struct Standing {
    /// What it does.
    state: Doing,
    /// Why it tells nothing, where it does not.
    reason: Option<String>,
    /// Whether the device keeps messages, so that none is lost while it is away; null as long as that is not known.
    keeps: Option<bool>,
    /// The number of the newest entry.
    newest: u64,
    /// When the cloud last knew that nothing was missing, in Unix milliseconds.
    heard: Option<u64>,
    /// The properties of the device as they are, by topic.
    properties: Vec<Property>,
}

/// What a feed does.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FeedState)]
enum Doing {
    /// It waits for events.
    Running,
    /// It is about to.
    Beginning,
    /// Something is wrong, and it tries again.
    Failing,
    /// The device is not connected.
    Offline,
    /// The device tells no events.
    Unsupported,
    /// This cloud asks no device for events.
    Off,
}

/// A property as it is.
#[derive(Serialize, ToSchema)]
struct Property {
    /// When the cloud came to know, in Unix milliseconds.
    came: u64,
    message: Message,
}

/// Lists what a device told, the newest first.
#[utoipa::path(get, path = "/devices/{id}/events", tag = "devices", operation_id = "listDeviceEvents", params(("id" = String, Path), Which), responses(
    (status = 200, description = "A page of it.", body = Page<View>),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
    Asked(which): Asked<Which>,
) -> Reply<Json<Page<View>>> {
    let device = seen(&caller, &id, &shared)?;
    let limit = page::limit(which.limit)?;
    let topic = which.topic.map(|Label(topic)| topic).unwrap_or_default();
    let number = |exact: Option<Exact>| exact.map(|Exact(number)| number);
    let query = FeedQuery { topic, from: number(which.from), to: number(which.to), before: number(which.after) };
    let read = caller.scope(&shared).feed_entries(&device.id, &query, limit + 1).await?;
    let read: Vec<(String, View)> =
        read.iter().filter_map(|kept| Some((kept.number.to_string(), View::of(kept)?))).collect();
    Ok(Json(Page::taken(read, limit)))
}

/// Shows how the feed of a device stands, and the properties of the device as they are.
#[utoipa::path(get, path = "/devices/{id}/feed", tag = "devices", operation_id = "showDeviceFeed", params(("id" = String, Path)), responses(
    (status = 200, description = "How it stands.", body = Standing),
))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Reply<Json<Standing>> {
    let device = seen(&caller, &id, &shared)?;
    let scope = caller.scope(&shared);
    let known = scope.feed(&device.id).await?;
    let memory = known.as_ref().and_then(|(_, memory)| serde_json::from_str::<Memory>(memory).ok());
    let status = shared.feeds.status(&device.id);
    let state = match status.as_ref().map(|status| status.state) {
        _ if !shared.config.feed.enabled => Doing::Off,
        None | Some(Does::Offline) => Doing::Offline,
        Some(Does::Running) => Doing::Running,
        Some(Does::Beginning) => Doing::Beginning,
        Some(Does::Failing) => Doing::Failing,
        Some(Does::Unsupported) => Doing::Unsupported,
    };
    let states = scope.feed_states(&device.id).await?;
    let property = |came, content: &str| match serde_json::from_str(content).ok()? {
        Entry::Event(message) | Entry::State(message) => Some(Property { came, message }),
        Entry::Gap(_) => None,
    };
    Ok(Json(Standing {
        state,
        keeps: status.as_ref().map(|status| status.keeps).or(memory.as_ref().map(|memory| memory.keeps)),
        reason: status.and_then(|status| status.reason),
        newest: known.map_or(0, |(newest, _)| newest),
        heard: memory.map(|memory| memory.heard),
        properties: states.iter().filter_map(|kept| property(kept.came, &kept.content)).collect(),
    }))
}

struct Stream {
    shared: Arc<Shared>,
    caller: Caller,
    device: DeviceId,
    /// The number of the newest entry, when it changes.
    newest: watch::Receiver<u64>,
    changes: watch::Receiver<()>,
    opening: Option<String>,
    /// The number of the entry that was told last.
    told: u64,
    /// Read, and not told yet.
    waiting: VecDeque<KeptEntry>,
    /// There may be entries that were not read.
    look: bool,
}

/// Streams what a device tells: first a `snapshot` with the number of the newest entry, then an `entry` for each that follows, and `reset` when some were missed
/// that are kept no more, so that the list has to be asked for again. Send the last id as `Last-Event-ID` to go on from there.
#[utoipa::path(get, path = "/devices/{id}/events/stream", tag = "devices", operation_id = "streamDeviceEvents",
    params(("id" = String, Path), ("Last-Event-ID" = Option<String>, Header, description = "Where to go on.")), responses(
    (status = 200, description = "Server-sent events; the data of an `entry` is a FeedItem.", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn listen(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
    headers: HeaderMap,
) -> Reply<Response> {
    let device = seen(&caller, &id, &shared)?;
    let full = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many listen to this organisation already");
    let newest = shared.feeds.listen(&device.organisation, &device.id).ok_or_else(full)?;
    let now = caller.scope(&shared).feed(&device.id).await?.map_or(0, |(newest, _)| newest);
    let after = headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.parse().ok()));
    let (told, opening) = match after {
        Some(Some(after)) if after <= now => (after, "retry: 2000\n\n".to_owned()),
        Some(_) => (now, format!("retry: 2000\nevent: reset\nid: {now}\ndata: {{}}\n\n")),
        None => (now, format!("retry: 2000\nevent: snapshot\nid: {now}\ndata: {{\"number\":{now}}}\n\n")),
    };
    let changes = shared.records.changes();
    let news = changes.clone();
    let (device, waiting) = (DeviceId::clone(&device.id), VecDeque::new());
    let stream = Stream { shared, caller, device, newest, changes, opening: Some(opening), told, waiting, look: true };
    Ok(streamed(stream::unfold(stream, |mut stream| async move { Some((stream.next().await?, stream)) }), news))
}

impl Stream {
    /// What is said next; `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        loop {
            while let Some(kept) = self.waiting.pop_front() {
                self.told = kept.number;
                if let Some(data) = View::of(&kept).and_then(|view| serde_json::to_string(&view).ok()) {
                    return Some(format!("event: entry\nid: {}\ndata: {data}\n\n", kept.number));
                }
            }
            if std::mem::take(&mut self.look) {
                if !self.stands() {
                    return None;
                }
                // A store that is away ends the stream; whoever comes back goes on from here.
                let scope = self.caller.scope(&self.shared);
                let read = scope.feed_after(&self.device, self.told, HELPING).await.ok()?;
                self.look = read.len() == HELPING;
                self.waiting = read.into();
                if let Some(first) = self.waiting.front().map(|first| first.number)
                    && first > self.told + 1
                {
                    let newest = scope.feed(&self.device).await.ok()??.0;
                    (self.told, self.look) = (newest, false);
                    self.waiting.clear();
                    return Some(format!("event: reset\nid: {newest}\ndata: {{}}\n\n"));
                }
                continue;
            }
            tokio::select! {
                biased;
                () = self.shared.draining.cancelled() => return None,
                changed = self.changes.changed() => {
                    changed.ok()?;
                    if !self.stands() {
                        return None;
                    }
                }
                more = self.newest.changed() => {
                    more.ok()?;
                    self.look = *self.newest.borrow_and_update() > self.told;
                }
                // Some rights end by the clock alone.
                () = tokio::time::sleep(HEARTBEAT) => return self.stands().then(|| ": here\n\n".to_owned()),
            }
        }
    }

    /// Whether the caller may still listen, and there is something to listen to.
    fn stands(&self) -> bool {
        self.shared.records.stands(&self.caller.principal) && seen(&self.caller, &self.device, &self.shared).is_ok()
    }
}
