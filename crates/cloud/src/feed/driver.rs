//! The feed of one device at work: what the machine asks for goes through the device's tunnel, what it keeps goes to the writer.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use oriel_soap::envelope;
use oriel_uplink::cloud::Class;
use oriel_uplink::{Body, body};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Running;
use super::entry::{Entry, PropertyKey};
use super::machine::{Batch, Feed, Memory, Now, Output};
use super::words::{Answer, Ask, Failure, LONGEST, No};
use super::writer::Outcome;
use crate::Shared;
use crate::records::{Device, FeedBatch, NewEntry, RecordsError};

/// An answer of this length needs no place among those that are long.
const SHORT: usize = 64 * 1024;
/// One that is long has its place for no longer.
const LONG: Duration = Duration::from_secs(10);
/// Entries that are compared with what a Seek brings.
const RECALLED: usize = 8192;
/// How long a feed waits for the store before it asks again.
const STORE: Duration = Duration::from_secs(5);
/// A device that is away for so long takes no memory here.
const AWAY: Duration = Duration::from_secs(600);
/// An unknown length of patience is looked through so often all the same.
const LOOK: Duration = Duration::from_secs(60);

/// Runs until the device is registered no more, is away for long, or the cloud ends.
pub(super) async fn drive(device: &Arc<Device>, running: &Running, shared: &Arc<Shared>) {
    let started = Instant::now();
    let now = || Now { wall: shared.records.clock().now(), monotonic: started.elapsed() };
    let begun = shared.draining.run_until_cancelled(begin(device, shared)).await;
    let Some(Some((mut number, memory, states))) = begun else { return };
    let mut hasher = DefaultHasher::new();
    (&device.id, now().wall).hash(&mut hasher);
    let mut feed = Feed::new(memory, states, hasher.finish(), now());
    let (mut stopping, mut away) = (false, None);
    loop {
        if shared.records.device(&device.id).is_none_or(|device| device.revoked) {
            return;
        }
        if shared.registry.online(&device.id) {
            away = None;
            feed.arrived(now());
        } else {
            feed.left();
            if away.get_or_insert_with(Instant::now).elapsed() > AWAY {
                return;
            }
        }
        let output = feed.poll(now());
        running.tell(feed.status());
        // What is to be kept may be on its way to the store already: dropped and offered again it would be there twice.
        let waited_for = stopping || matches!(output, Output::Keep(_));
        let work = async {
            match output {
                Output::End => return false,
                Output::Wait(until) => {
                    let until = until.map_or_else(|| Instant::now() + LOOK, |until| started + until);
                    let _looked = tokio::time::timeout_at(until, running.look.notified()).await;
                }
                Output::Ask(ask, patience) => {
                    let answer = asked(&ask, patience, device, shared).await;
                    if !shared.registry.online(&device.id) {
                        feed.left();
                    }
                    feed.answered(now(), answer);
                }
                Output::Recall(since) => match recall(device, since, shared).await {
                    Ok(kept) => feed.recalled(kept),
                    Err(_) => tokio::time::sleep(STORE).await,
                },
                Output::Keep(batch) => match keep(&batch, &mut number, device, shared).await {
                    Some(done) => feed.kept(now(), done),
                    None => return false,
                },
            }
            true
        };
        let goes_on = if waited_for { Some(work.await) } else { shared.draining.run_until_cancelled(work).await };
        if goes_on == Some(false) {
            return;
        }
        if goes_on.is_none() {
            stopping = true;
            feed.stop();
        }
    }
}

/// Makes a batch durable, after the entry with this number. Whether it is; none when the feed is over.
async fn keep(batch: &Batch, number: &mut u64, device: &Device, shared: &Shared) -> Option<bool> {
    match shared.feeds.jobs.keep(row(batch, *number, device)).await {
        Outcome::Kept(newest) => {
            *number = newest;
            shared.metrics.fed(batch);
            Some(true)
        }
        Outcome::Failed => Some(false),
        Outcome::Gone => None,
        Outcome::Ending => {
            shared.feeds.lock().over = true;
            None
        }
    }
}

/// What the records know of a feed: the number of its newest entry, what it remembers, and the states of properties.
type Known = (u64, Option<Memory>, HashMap<PropertyKey, u64>);

/// What the records know of the feed; none when the device is no more.
async fn begin(device: &Device, shared: &Shared) -> Option<Known> {
    loop {
        let scope = shared.records.within(&device.organisation);
        scope.device(&device.id)?;
        let read = async {
            let (number, memory) = scope.feed(&device.id).await?.unwrap_or_default();
            let memory = serde_json::from_str(&memory).ok();
            let states = scope.feed_states(&device.id).await?;
            let state = |content: &str| match serde_json::from_str(content) {
                Ok(Entry::Event(message) | Entry::State(message)) => Some((message.property(), message.state())),
                _ => None,
            };
            let states = states.iter().filter_map(|kept| state(&kept.content)).collect();
            Ok::<_, RecordsError>((number, memory, states))
        };
        match read.await {
            Ok(known) => return Some(known),
            Err(_) => tokio::time::sleep(STORE).await,
        }
    }
}

/// Times and marks of what is kept from a time on.
async fn recall(device: &Device, since: u64, shared: &Shared) -> Result<Vec<(u64, u64)>, RecordsError> {
    let scope = shared.records.within(&device.organisation);
    let kept = scope.feed_since(&device.id, since, RECALLED).await?;
    let known = |content: &str| match serde_json::from_str(content) {
        Ok(Entry::Event(message) | Entry::State(message)) => Some((message.time, message.mark())),
        _ => None,
    };
    Ok(kept.iter().filter_map(|entry| known(&entry.content)).collect())
}

fn row(batch: &Batch, after: u64, device: &Device) -> FeedBatch {
    let hex = |key: &PropertyKey| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    FeedBatch {
        organisation: Arc::clone(&device.organisation),
        device: Arc::clone(&device.id),
        after,
        entries: batch
            .entries
            .iter()
            .map(|entry| NewEntry { time: entry.time(), topic: entry.topic().to_owned(), content: entry.content() })
            .collect(),
        states: batch
            .states
            .iter()
            .map(|(key, state)| {
                let state = state.clone().map(|message| (message.topic.clone(), Entry::State(message).content()));
                (hex(key), state)
            })
            .collect(),
        memory: serde_json::to_string(&batch.memory).expect("plain fields are JSON"),
    }
}

/// One question through the device's tunnel.
async fn asked(ask: &Ask, patience: Duration, device: &Device, shared: &Shared) -> Result<Answer, Failure> {
    let message = Bytes::from(ask.message());
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("https://{}{}", device.id, ask.path()))
        .header(CONTENT_TYPE, envelope::CONTENT_TYPE)
        .header(CONTENT_LENGTH, message.len())
        .body(());
    let (head, ()) = request.map_err(|error| Failure::Unreadable(error.to_string()))?.into_parts();
    let tap = shared.taps.of(&device.id, shared.records.clock().now());
    // In an uplink the configured level counts (Uplink §5.3).
    tap.iter().for_each(|tap| tap.asked("the cloud".to_owned(), &head.method, &head.uri, Some(&message)));
    let exchanged =
        tokio::time::timeout(patience, exchange(Request::from_parts(head, body::full(message)), device, shared));
    let late = |_| Failure::Lost(format!("no answer within {} s", patience.as_secs()));
    let answered = exchanged.await.map_err(late).flatten();
    tap.iter().for_each(|tap| {
        let body = answered.as_ref().ok().map(|answer| &**answer.body());
        tap.ended(&answered, body, |failure| failure.text().into_owned());
    });
    let answer = answered?;
    let (status, message) = (answer.status(), answer.into_body());
    let unread = match ask.read(&message) {
        Err(Failure::Unreadable(_)) if !status.is_success() => status,
        read => return read,
    };
    Err(Failure::Fault(No {
        reason: format!("HTTP status {unread}"),
        unknown: matches!(unread, StatusCode::NOT_FOUND | StatusCode::GONE),
        forbidden: matches!(unread, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
        ..No::default()
    }))
}

async fn exchange(request: Request<Body>, device: &Device, shared: &Shared) -> Result<Response<Bytes>, Failure> {
    let way = shared.registry.find(&device.id).await.map_err(|error| Failure::Unsent(error.to_string()))?;
    let answered = way.request(Class::Soap, request).await.map_err(|error| {
        let text = error.to_string();
        if error.unprocessed() { Failure::Unsent(text) } else { Failure::Lost(text) }
    });
    let (head, body) = answered?.into_parts();
    Ok(Response::from_parts(head, gather(body, &shared.feeds.long).await?))
}

/// A whole body. What is long waits for one of a few places, so that many cameras that mean ill take no more memory than a few; whoever has one is not slow.
async fn gather(mut body: Body, long: &Semaphore) -> Result<Bytes, Failure> {
    let (mut whole, mut place, mut end) = (Vec::new(), None, None);
    loop {
        let frame = match end {
            None => body.frame().await,
            Some(end) => {
                let late = |_| Failure::Lost(format!("the answer took longer than {} s", LONG.as_secs()));
                tokio::time::timeout_at(end, body.frame()).await.map_err(late)?
            }
        };
        let data = match frame {
            None => return Ok(whole.into()),
            Some(Err(_)) => return Err(Failure::Lost("the answer broke off".to_owned())),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        if whole.len() + data.len() > LONGEST {
            return Err(Failure::TooLong);
        }
        if place.is_none() && whole.len() + data.len() > SHORT {
            place = long.acquire().await.ok();
            end = Some(Instant::now() + LONG);
        }
        whole.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_long_and_slow_gives_its_place_back() {
        let long = Semaphore::new(1);
        let frames = futures_util::stream::unfold(0, |count| async move {
            // A first helping that is long, and then a byte now and then.
            let size = if count == 0 { SHORT + 1 } else { 1 };
            if count > 0 {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            let data = http_body::Frame::data(Bytes::from(vec![b'x'; size]));
            Some((Ok::<_, std::io::Error>(data), count + 1))
        });
        let began = Instant::now();
        let body = body::boxed(http_body_util::StreamBody::new(Box::pin(frames)));
        assert!(matches!(gather(body, &long).await, Err(Failure::Lost(_))));
        assert!(began.elapsed() <= LONG + Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(long.available_permits(), 1);
    }
}
