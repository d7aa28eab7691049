//! Devices of bytes against our cloud: each bound is broken once, that tunnel closes with a reason that names the bound, and the one beside it
//! does not notice.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use oriel_uplink::body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::House;
use super::camera::Puppet;
use super::client::{H2, request};
use super::raw::*;

/// Asks a healthy device without pause, until told to stop.
struct Pulse {
    stop: tokio::sync::oneshot::Sender<()>,
    task: JoinHandle<(usize, Duration)>,
}

impl Pulse {
    async fn of(house: &House, puppet: &Puppet) -> Self {
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let mut client = house.h2().await;
        let asked = house.absolute(request(Method::GET, &format!("/d/{}/pulse", puppet.id), &house.administrator));
        let task = tokio::spawn(async move {
            let (mut count, mut longest) = (0, Duration::ZERO);
            while stopped.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
                let begun = Instant::now();
                let answer = client.send_request(asked.clone().map(body::full)).await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
                count += 1;
                longest = longest.max(begun.elapsed());
            }
            (count, longest)
        });
        Self { stop, task }
    }

    async fn end(self) -> (usize, Duration) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}

/// A client's request to a device of bytes, whose answer is held and not read.
async fn held(house: &House, device: &RawDevice) -> (H2, JoinHandle<Option<http::Response<hyper::body::Incoming>>>) {
    let mut client = house.h2_with_window(1).await;
    let asked = house.absolute(request(Method::GET, &format!("/d/{}/x", device.id), &house.administrator));
    let response = client.send_request(asked.map(body::full));
    (client, tokio::spawn(async move { response.await.ok() }))
}

/// What a device does to its tunnel.
enum Abuse {
    /// The same frames again and again.
    Flood(Vec<u8>),
    /// The same, after the head of an answer on stream 1 that nobody reads.
    Answer(Vec<u8>),
    /// The same, in the place of an answer's head on stream 1.
    Instead(Vec<u8>),
}

async fn abuse(house: &House, how: Abuse) -> String {
    let mut device = house.raw_device().await;
    let id = device.id.clone();
    let (_client, answer, one) = match how {
        Abuse::Flood(one) => (None, None, one),
        Abuse::Answer(one) => {
            let (client, answer) = held(house, &device).await;
            let stream = device.request().await;
            assert_eq!(stream, 1);
            device.io.write_all(&frame(HEADERS, 4, 1, &[0x88])).await.unwrap();
            (Some(client), Some(answer), one)
        }
        Abuse::Instead(one) => {
            let (client, answer) = held(house, &device).await;
            device.request().await;
            (Some(client), Some(answer), one)
        }
    };
    device.flood(one).await;
    let reason = house.closed(&id).await;
    drop(answer);
    reason
}

fn abuses() -> Vec<(&'static str, Abuse, &'static str)> {
    vec![
        ("PING", Abuse::Flood(frame(PING, 0, 0, &[0; 8])), "control frames"),
        ("PING answers", Abuse::Flood(frame(PING, 1, 0, &[0; 8])), "control frames"),
        ("SETTINGS", Abuse::Flood(frame(SETTINGS, 0, 0, &[])), "control frames"),
        ("PRIORITY", Abuse::Flood(frame(PRIORITY, 0, 1, &[0; 5])), "control frames"),
        ("frames nobody knows", Abuse::Flood(frame(0xaa, 0, 0, b"?")), "control frames"),
        ("resets", Abuse::Instead(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])), "reset more streams"),
        ("small DATA", Abuse::Answer(frame(DATA, 0, 1, b"x")), "small or empty frames"),
        ("empty DATA", Abuse::Answer(frame(DATA, 0, 1, &[])), "control frames"),
        ("DATA beyond the window", Abuse::Answer(frame(DATA, 0, 1, &[0; 16 * 1024])), "flow-control"),
        ("a window beyond its bound", Abuse::Flood(frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])), "flow-control"),
        ("a header block without end", Abuse::Instead(endless_header()), "header block"),
        ("interim answers without end", Abuse::Instead(frame(HEADERS, 4, 1, b"\x08\x03103")), "control frames"),
        ("a frame beyond its size", Abuse::Flood(frame(DATA, 0, 1, &[0; 20_000])), "broke HTTP/2"),
        ("a stream of its own", Abuse::Flood(frame(HEADERS, 5, 2, &[0x88])), "broke HTTP/2"),
        ("what is no HTTP/2", Abuse::Flood(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()), "broke HTTP/2"),
    ]
}

/// 1,000 CONTINUATION frames after HEADERS, none of which ends the block.
fn endless_header() -> Vec<u8> {
    let mut bytes = frame(HEADERS, 0, 1, &[0x88]);
    for _ in 0..1000 {
        bytes.extend(frame(CONTINUATION, 0, 1, b"\0\x01a\x01b"));
    }
    bytes
}

#[tokio::test]
async fn every_abuse_closes_its_tunnel_with_a_reason_and_nothing_else_suffers() {
    let house = House::open().await;
    let (healthy, _) = house.witness().await;
    let held = house.cloud.registry().presence(&healthy.id).tunnels.remove(0).tunnel;
    let pulse = Pulse::of(&house, &healthy).await;
    let mut wrong = Vec::new();
    for (name, how, word) in abuses() {
        let begun = Instant::now();
        let reason = abuse(&house, how).await;
        println!("{name}: {:?}", begun.elapsed());
        if !reason.contains(word) {
            wrong.push(format!("{name}: {reason}"));
        }
    }
    let (count, longest) = pulse.end().await;
    println!("the healthy tunnel answered {count} times meanwhile, at the longest after {longest:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!held.is_closed());
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

#[tokio::test]
async fn a_header_list_beyond_the_bound_fails_its_request_alone() {
    let house = House::open().await;
    let mut device = house.raw_device().await;
    let (_client, answer) = held(&house, &device).await;
    assert_eq!(device.request().await, 1);
    let mut bytes = frame(HEADERS, 0, 1, &[0x88]);
    bytes.extend(too_many_headers());
    device.io.write_all(&bytes).await.unwrap();
    let answer = super::client::whole(answer.await.unwrap().unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.problem().contains("did not answer properly"), "{answer:?}");
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

const AT_ONCE: u64 = 20;

/// Opens as many streams as it may, and fills the window of each with bytes that nobody reads; returns when the cloud took all of it.
async fn fill(house: &House) -> (RawDevice, Vec<H2>, Vec<JoinHandle<Option<http::Response<hyper::body::Incoming>>>>) {
    let mut device = house.raw_device().await;
    let (mut clients, mut answers) = (Vec::new(), Vec::new());
    for stream in [1, 3, 5, 7] {
        let (client, answer) = held(house, &device).await;
        clients.push(client);
        answers.push(answer);
        assert_eq!(device.request().await, stream);
        device.io.write_all(&frame(HEADERS, 4, stream, &[0x88])).await.unwrap();
        for _ in 0..3 {
            device.io.write_all(&frame(DATA, 0, stream, &[7; 16 * 1024])).await.unwrap();
        }
        device.io.write_all(&frame(DATA, 0, stream, &[7; 16 * 1024 - 1])).await.unwrap();
    }
    (device, clients, answers)
}

#[tokio::test]
async fn twenty_abusers_at_once_cost_less_than_a_mebibyte_each() {
    let house = House::open().await;
    let (healthy, _) = house.witness().await;
    // What the allocator, the runtime and TLS take for the first is not the abusers'.
    abuse(&house, Abuse::Flood(frame(PING, 0, 0, &[0; 8]))).await;
    drop(fill(&house).await);
    let pulse = Pulse::of(&house, &healthy).await;
    let before = resident();
    let mut peak = before;
    let mut fills = Vec::new();
    for _ in 0..AT_ONCE {
        fills.push(fill(&house).await);
        peak = peak.max(resident());
    }
    println!(
        "full windows: {} KiB for each of {AT_ONCE} tunnels, the abusers' own memory included",
        (peak - before) / AT_ONCE / 1024
    );
    assert!((peak - before) / AT_ONCE <= 1 << 20, "{} bytes each", (peak - before) / AT_ONCE);
    drop(fills);

    let before = resident();
    let floods = || abuses().into_iter().cycle_to(AT_ONCE);
    let mut peak = before;
    let all = futures_util::future::join_all(floods().into_iter().map(|how| abuse(&house, how)));
    tokio::pin!(all);
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let reasons = loop {
        tokio::select! {
            reasons = &mut all => break reasons,
            _ = look.tick() => peak = peak.max(resident()),
        }
    };
    assert_eq!(reasons.len() as u64, AT_ONCE);
    println!(
        "floods: {} KiB for each of {AT_ONCE} tunnels, the abusers' own memory included",
        (peak - before) / AT_ONCE / 1024
    );
    assert!((peak - before) / AT_ONCE <= 1 << 20, "{} bytes each", (peak - before) / AT_ONCE);
    let (count, longest) = pulse.end().await;
    println!("the healthy tunnel answered {count} times meanwhile, at the longest after {longest:?}");
}

/// The first abuses again until there are enough.
trait CycleTo {
    fn cycle_to(self, count: u64) -> Vec<Abuse>;
}

impl<I: Iterator<Item = (&'static str, Abuse, &'static str)>> CycleTo for I {
    fn cycle_to(self, count: u64) -> Vec<Abuse> {
        let mut all: Vec<Abuse> = self.map(|(_, how, _)| how).collect();
        let missing = usize::try_from(count).unwrap().saturating_sub(all.len());
        all.extend(abuses().into_iter().take(missing).map(|(_, how, _)| how));
        all
    }
}

#[tokio::test]
async fn a_device_that_takes_no_bytes_is_closed_though_it_talks() {
    let house = House::open().await;
    let (healthy, _) = house.witness().await;
    let mut device = house.upgraded().await;
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    let window = frame(8, 0, 0, &[0x7f, 0xff, 0, 0]);
    device.io.write_all(&[settings, window].concat()).await.unwrap();
    device.io.read_exact(&mut [0; 24]).await.unwrap();
    house.online(&device.id).await;
    let tunnel = house.cloud.registry().presence(&device.id).tunnels.remove(0).tunnel;
    let mut client = house.h2().await;
    let asked = house.absolute(request(Method::PUT, &format!("/d/{}/firmware", device.id), &house.administrator));
    let piece = bytes::Bytes::from_static(&[7; 16 * 1024]);
    let endless =
        futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(hyper::body::Frame::data(piece.clone())));
    let endless = body::boxed(http_body_util::StreamBody::new(endless));
    let upload = tokio::spawn(client.send_request(asked.map(|_| endless)));
    // Nothing is read any more, and the cloud's writes come to a halt.
    let written = || tunnel.stats().bytes_written;
    let mut before = 0;
    while written() != before || before < 100_000 {
        before = written();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let (_unread, mut write) = tokio::io::split(device.io);
    // One word in eleven seconds: the cloud pings in between, and its pings find room in a buffer.
    for _ in 0..10 {
        if write.write_all(&frame(0xaa, 0, 0, &[])).await.is_err() || tunnel.is_closed() {
            break;
        }
        super::after(Duration::from_secs(11)).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reason = house.closed(&device.id).await;
    assert!(reason.contains("write made no progress"), "{reason}");
    assert!(upload.await.unwrap().is_ok_and(|answer| answer.status().is_server_error()), "the client is told");
    let answer = house.ask(request(Method::GET, &format!("/d/{}/", healthy.id), &house.administrator)).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_device_that_never_starts_http_2_is_closed() {
    let house = House::open().await;
    let (healthy, _) = house.witness().await;
    let device = house.upgraded().await;
    super::until("its tunnel", || house.tunnels(&device.id) == 1).await;
    super::after(Duration::from_secs(11)).await;
    let reason = house.closed(&device.id).await;
    assert!(reason.contains("SETTINGS"), "{reason}");
    let answer = house.ask(request(Method::GET, &format!("/d/{}/", healthy.id), &house.administrator)).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_device_that_falls_silent_is_closed() {
    let house = House::open().await;
    let device = house.raw_device().await;
    let tunnel = house.cloud.registry().presence(&device.id).tunnels.remove(0).tunnel;
    // Pings are due in between; nobody answers them.
    while !tunnel.is_closed() {
        super::after(Duration::from_secs(5)).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reason = house.closed(&device.id).await;
    assert!(reason.contains("read deadline"), "{reason}");
}
