//! What one organisation may ask of the gateway: requests a second, requests at once, bytes a second. So that no customer takes the room of another.
//!
//! Requests beyond a limit are refused with 429 and the time to wait. Bytes of long answers and uploads are not refused in the middle: they wait, and the
//! waiting reaches whoever sends them.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use oriel_uplink::{Body, BoxError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::config::OrganisationBounds;
use crate::records::OrganisationId;
use crate::refusal::Refusal;

/// What organisations use, each by itself.
#[derive(Debug, Default)]
pub(crate) struct Usages(RwLock<HashMap<OrganisationId, Arc<Usage>>>);

/// What one organisation uses, and what it was refused.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    buckets: Mutex<Buckets>,
    /// Requests that are being answered at this moment.
    pub(crate) open: AtomicU64,
    /// Requests that were let in.
    pub(crate) requests: AtomicU64,
    /// Bytes of requests' bodies.
    pub(crate) bytes_in: AtomicU64,
    /// Bytes of answers' bodies.
    pub(crate) bytes_out: AtomicU64,
    /// Refused: too many requests a second.
    pub(crate) refused_requests: AtomicU64,
    /// Refused: too many at once.
    pub(crate) refused_streams: AtomicU64,
    /// Refused: too many bytes a second.
    pub(crate) refused_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Buckets {
    requests: Bucket,
    bytes: Bucket,
}

/// How much was taken ahead of its time: what may be taken in a second flows off within one.
#[derive(Debug, Default)]
struct Bucket {
    taken: f64,
    since: Option<Instant>,
}

impl Bucket {
    /// What is still taken, `rate` of which flows off each second.
    fn level(&mut self, rate: u64, now: Instant) -> f64 {
        let passed = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.since = Some(now);
        self.taken = (self.taken - passed.as_secs_f64() * per_second(rate)).max(0.0);
        self.taken
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate beyond 2^52 a second is none")]
fn per_second(rate: u64) -> f64 {
    rate as f64
}

impl Usages {
    /// What `organisation` uses. `stands` says which organisations there still are: the others are forgotten when a new one comes.
    fn of(&self, organisation: &OrganisationId, stands: impl Fn(&str) -> bool) -> Arc<Usage> {
        if let Some(usage) = self.0.read().expect("no holder panics").get(organisation) {
            return Arc::clone(usage);
        }
        let mut usages = self.0.write().expect("no holder panics");
        usages.retain(|known, _| stands(known));
        Arc::clone(usages.entry(OrganisationId::clone(organisation)).or_default())
    }

    /// Lets one request of `organisation` in.
    ///
    /// # Errors
    /// 429, which says what there is too much of.
    pub(super) fn enter(
        &self,
        organisation: &OrganisationId,
        bounds: OrganisationBounds,
        stands: impl Fn(&str) -> bool,
        now: Instant,
    ) -> Result<Arc<Place>, Refusal> {
        let usage = self.of(organisation, stands);
        let mut buckets = usage.buckets.lock().expect("no holder panics");
        // A second's worth at once, and no more.
        if buckets.requests.level(bounds.requests_per_second, now) + 1.0
            > per_second(bounds.requests_per_second).max(1.0)
        {
            usage.refused_requests.fetch_add(1, Relaxed);
            return Err(too_much(&format!("{} requests a second", bounds.requests_per_second), 1));
        }
        let behind = buckets.bytes.level(bounds.bytes_per_second, now) / per_second(bounds.bytes_per_second.max(1));
        if behind > 1.0 {
            usage.refused_bytes.fetch_add(1, Relaxed);
            return Err(too_much(&format!("{} bytes a second", bounds.bytes_per_second), seconds(behind)));
        }
        if usage.open.load(Relaxed) >= bounds.streams {
            usage.refused_streams.fetch_add(1, Relaxed);
            return Err(too_much(&format!("{} requests at once", bounds.streams), 1));
        }
        buckets.requests.taken += 1.0;
        usage.open.fetch_add(1, Relaxed);
        usage.requests.fetch_add(1, Relaxed);
        drop(buckets);
        Ok(Arc::new(Place { usage, bytes_per_second: bounds.bytes_per_second }))
    }

    /// What an organisation used up to now; nothing if it asked for nothing.
    pub(crate) fn get(&self, organisation: &str) -> Arc<Usage> {
        self.0.read().expect("no holder panics").get(organisation).cloned().unwrap_or_default()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on both sides")]
fn seconds(behind: f64) -> u32 {
    behind.ceil().clamp(1.0, 3600.0) as u32
}

fn too_much(what: &str, seconds: u32) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, format!("this organisation may have {what}; try again later"))
        .retry_after(Duration::from_secs(seconds.into()))
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// To the device.
    In,
    /// To the client.
    Out,
}

/// A request's place among those of its organisation, for as long as it is being answered.
#[derive(Debug)]
pub(super) struct Place {
    usage: Arc<Usage>,
    bytes_per_second: u64,
}

impl Place {
    /// Accounts for bytes that were moved, and says how long the next ones have to wait.
    pub(super) fn moved(&self, way: Way, bytes: usize, now: Instant) -> Duration {
        let counter = match way {
            Way::In => &self.usage.bytes_in,
            Way::Out => &self.usage.bytes_out,
        };
        counter.fetch_add(bytes as u64, Relaxed);
        let rate = self.bytes_per_second.max(1);
        let mut buckets = self.usage.buckets.lock().expect("no holder panics");
        let level = buckets.bytes.level(rate, now) + per_second(bytes as u64);
        buckets.bytes.taken = level;
        // A quarter of a second ahead is no hurry.
        Duration::try_from_secs_f64((level / per_second(rate) - 0.25).clamp(0.0, 60.0)).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.usage.open.fetch_sub(1, Relaxed);
    }
}

/// A body whose bytes are accounted for, and which waits when its organisation is too far ahead. Trailers are left out: a device's would be headers that
/// nobody has looked at.
pub(super) struct Metered {
    body: Body,
    place: Arc<Place>,
    way: Way,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    /// Accounts to `place`.
    pub(super) fn new(body: Body, place: Arc<Place>, way: Way) -> Self {
        Self { body, place, way, wait: None }
    }
}

impl http_body::Body for Metered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
        let Some(data) = frame.data_ref() else { return Poll::Ready(None) };
        let wait = self.place.moved(self.way, data.len(), Instant::now());
        if !wait.is_zero() {
            self.wait = Some(Box::pin(sleep(wait)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream of bytes whose reading is accounted for in the same way.
pub(super) struct MeteredIo<IO> {
    io: IO,
    place: Arc<Place>,
    way: Way,
    wait: Option<Pin<Box<Sleep>>>,
}

impl<IO> MeteredIo<IO> {
    /// Accounts to `place` what is read from `io`.
    pub(super) fn new(io: IO, place: Arc<Place>, way: Way) -> Self {
        Self { io, place, way, wait: None }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for MeteredIo<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        let wait = self.place.moved(self.way, buffer.filled().len() - before, Instant::now());
        if !wait.is_zero() {
            self.wait = Some(Box::pin(sleep(wait)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for MeteredIo<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use oriel_uplink::body;

    const BOUNDS: OrganisationBounds =
        OrganisationBounds { requests_per_second: 10, streams: 4, bytes_per_second: 1000 };

    fn enter(usages: &Usages, organisation: &str, now: Instant) -> Result<Arc<Place>, Refusal> {
        usages.enter(&organisation.into(), BOUNDS, |_| true, now)
    }

    #[test]
    fn a_second_s_worth_of_requests_and_the_rest_as_time_passes() {
        let (usages, now) = (Usages::default(), Instant::now());
        for _ in 0..10 {
            enter(&usages, "a", now).unwrap();
        }
        let refused = enter(&usages, "a", now).unwrap_err();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.detail.contains("10 requests a second"), "{refused:?}");
        enter(&usages, "b", now).expect("another organisation's room is its own");
        enter(&usages, "a", now + Duration::from_millis(101)).unwrap();
        enter(&usages, "a", now + Duration::from_millis(102)).unwrap_err();
        assert_eq!(usages.get("a").refused_requests.load(Relaxed), 2);
    }

    #[test]
    fn so_many_at_once_and_places_come_back() {
        let (usages, now) = (Usages::default(), Instant::now());
        let mut places: Vec<_> = (0..4).map(|_| enter(&usages, "a", now).unwrap()).collect();
        assert!(enter(&usages, "a", now).unwrap_err().detail.contains("4 requests at once"));
        places.pop();
        enter(&usages, "a", now).unwrap();
    }

    #[test]
    fn who_is_far_ahead_with_bytes_waits_and_gets_no_more_requests() {
        let (usages, now) = (Usages::default(), Instant::now());
        let place = enter(&usages, "a", now).unwrap();
        assert_eq!(place.moved(Way::Out, 250, now), Duration::ZERO);
        assert_eq!(place.moved(Way::In, 1750, now).as_millis(), 1750);
        assert!(enter(&usages, "a", now).unwrap_err().detail.contains("1000 bytes a second"));
        enter(&usages, "a", now + Duration::from_secs(1)).unwrap();
        let usage = usages.get("a");
        assert_eq!((usage.bytes_in.load(Relaxed), usage.bytes_out.load(Relaxed)), (1750, 250));
    }

    #[test]
    fn an_organisation_that_is_gone_is_forgotten() {
        let (usages, now) = (Usages::default(), Instant::now());
        enter(&usages, "a", now).unwrap();
        usages.enter(&"b".into(), BOUNDS, |known| known != "a", now).unwrap();
        assert_eq!(usages.0.read().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_keeps_to_the_rate_and_leaves_its_trailers() {
        let usages = Usages::default();
        let place = enter(&usages, "a", Instant::now()).unwrap();
        let frames = [
            Frame::data(Bytes::from_static(&[0; 1250])),
            Frame::data(Bytes::from_static(b"x")),
            Frame::trailers(http::HeaderMap::new()),
        ];
        let frames = futures_util::stream::iter(frames.map(Ok::<_, BoxError>));
        let body = body::boxed(http_body_util::StreamBody::new(frames));
        let mut metered = Metered::new(body, place, Way::Out);
        let begun = tokio::time::Instant::now();
        metered.frame().await.unwrap().unwrap();
        assert!(begun.elapsed() < Duration::from_millis(10));
        metered.frame().await.unwrap().unwrap();
        assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
        assert!(metered.frame().await.is_none());
        drop(metered);
        assert_eq!(usages.get("a").open.load(Relaxed), 0);
    }
}
