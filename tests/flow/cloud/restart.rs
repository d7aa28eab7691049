//! A cloud that restarts: drain, GOAWAY, a successor on the same port and folder, and nobody notices.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use oriel_cloud::{Clock, Cloud, Config, Records};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_uplink::{Body, body};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::camera::Camera;
use super::client::{device_service, message, request, soap};
use super::{Door, House, policy_of};

/// A tunnel younger than this is replaced by the ladder, since two clouds must not play ball with a device.
const OF_AGE: Duration = Duration::from_millis(5100);

/// A cloud on a socket that outlives it, as a service manager holds it.
struct Held {
    listener: std::net::TcpListener,
    config: Config,
}

impl Held {
    async fn open() -> (Self, House) {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let config = super::config(&folder);
        let mut cloud = Cloud::start(config.clone(), Some(listener.try_clone().unwrap())).await.unwrap();
        let administrator = super::administrator(&mut cloud).await;
        let door = Door { address: cloud.address(), ca: policy_of(cloud.ca().unwrap()), proxied: false };
        (Self { listener, config }, House { cloud, administrator, door, folder })
    }

    async fn successor(&self) -> Cloud {
        Cloud::start(self.config.clone(), Some(self.listener.try_clone().unwrap())).await.unwrap()
    }
}

/// 50 requests a second, each on a fresh connection, until told to stop; what failed, and how many there were.
struct Load {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<(usize, Vec<String>)>,
}

impl Load {
    fn start(door: &Door, asked: &Request<Vec<u8>>) -> Self {
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let (door, asked) = (door.clone(), asked.clone());
        let task = tokio::spawn(async move {
            let mut tick = interval(Duration::from_millis(20));
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut requests = JoinSet::new();
            loop {
                tokio::select! {
                    _ = &mut stopped => break,
                    _ = tick.tick() => {
                        let (door, asked, h2) = (door.clone(), asked.clone(), requests.len() % 2 == 0);
                        requests.spawn(async move { if h2 { door.ask_h2(asked).await } else { door.ask(asked).await } });
                    }
                }
            }
            let (count, mut failed) = (requests.len(), Vec::new());
            while let Some(answer) = requests.join_next().await {
                match answer {
                    Ok(answer) if answer.status == StatusCode::OK => {}
                    Ok(answer) => failed.push(format!("{}: {}", answer.status, answer.text)),
                    Err(panicked) => failed.push(panicked.to_string()),
                }
            }
            (count, failed)
        });
        Self { stop, task }
    }

    async fn end(self) -> (usize, Vec<String>) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}

/// Returns when the device's tunnel is old enough to be moved at once.
async fn of_age(house: &House, id: &str) {
    let since = house.cloud.registry().presence(id).tunnels[0].tunnel.stats().since;
    sleep_until(since + OF_AGE).await;
}

/// A drain that has begun: the folder is the successor's.
async fn begun(cloud: Cloud) -> tokio::task::JoinHandle<()> {
    let tunnels = cloud.registry().tunnels();
    let draining = tokio::spawn(cloud.drain());
    super::until("the beginning of the drain", || tunnels.iter().all(|tunnel| tunnel.is_draining())).await;
    draining
}

async fn under_load(overlapping: bool) {
    let (held, house) = Held::open().await;
    let camera = Camera::connected(&house, "https", "User").await;
    of_age(&house, &camera.id).await;
    let asked = soap(&device_service(&camera.id), &house.administrator, message(&GetDeviceInformation::default()));
    let load = Load::start(&house.door, &asked);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let House { cloud: first, door, folder: _folder, .. } = house;
    let started = Instant::now();
    let second = if overlapping {
        let draining = begun(first).await;
        let second = held.successor().await;
        draining.await.unwrap();
        second
    } else {
        first.drain().await;
        held.successor().await
    };
    println!("drained and replaced within {:?}", started.elapsed());
    second.registry().find(&camera.id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (count, failed) = load.end().await;
    println!("overlapping {overlapping}: {} of {count} requests failed", failed.len());
    assert_eq!(failed, Vec::<String>::new(), "of {count}");
    assert!(count > 50);
    assert_eq!(door.ask(asked).await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_request_fails_when_the_successor_starts_at_once() {
    under_load(true).await;
}

#[tokio::test]
async fn no_request_fails_when_the_successor_waits_for_the_end() {
    under_load(false).await;
}

#[tokio::test]
async fn a_drain_moves_the_device_at_once_and_an_open_stream_finishes() {
    let (held, house) = Held::open().await;
    let (send, receive) = mpsc::channel::<Bytes>(1);
    let receive = Arc::new(tokio::sync::Mutex::new(Some(receive)));
    let puppet = house
        .puppet("https", move |_: Request<Body>| {
            let receive = Arc::clone(&receive);
            async move {
                let Some(pieces) = receive.lock().await.take() else { return Response::new(body::full("moved")) };
                let pieces = futures_util::stream::unfold(pieces, |mut pieces| async move {
                    pieces.recv().await.map(|piece| (Ok::<_, std::io::Error>(Frame::data(piece)), pieces))
                });
                Response::new(body::boxed(StreamBody::new(pieces)))
            }
        })
        .await;
    of_age(&house, &puppet.id).await;
    let path = format!("/d/{}/live", puppet.id);
    let mut client = house.h2().await;
    let asked = house.absolute(request(Method::GET, &path, &house.administrator)).map(body::full);
    let mut response = client.send_request(asked).await.unwrap().into_body();
    send.send(Bytes::from_static(b"before")).await.unwrap();
    assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "before");

    let House { cloud: first, door, administrator, folder: _folder } = house;
    let asked = Instant::now();
    let draining = begun(first).await;
    let second = held.successor().await;
    second.registry().find(&puppet.id).await.unwrap();
    println!("moved within {:?}", asked.elapsed());
    assert!(asked.elapsed() < Duration::from_secs(2), "at once, not by the ladder: {:?}", asked.elapsed());
    let moved = door.ask(request(Method::GET, &path, &administrator)).await;
    assert_eq!(moved.text, "moved");
    // The stream on the first cloud is as alive as ever.
    assert!(!draining.is_finished());
    send.send(Bytes::from_static(b"after")).await.unwrap();
    assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "after");
    drop(send);
    assert_eq!(response.collect().await.unwrap().to_bytes(), "");
    draining.await.unwrap();
}

#[tokio::test]
async fn a_drain_does_not_wait_longer_than_it_was_told() {
    let house = House::open_with(|config| config.drain = Duration::from_secs(2)).await;
    let puppet = house.puppet("https", |_: Request<Body>| std::future::pending::<Response<Body>>()).await;
    let mut client = house.h2().await;
    let asked = house.absolute(request(Method::GET, &format!("/d/{}/hang", puppet.id), &house.administrator));
    let asked = tokio::spawn(client.send_request(asked.map(body::full)));
    let held = house.cloud.registry().presence(&puppet.id).tunnels.remove(0);
    super::until("the open stream", || held.tunnel.open_streams() == 1).await;
    let started = Instant::now();
    house.cloud.drain().await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(held.tunnel.is_closed());
    // Cut off, or told so; it does not hang.
    if let Ok(response) = asked.await.unwrap() {
        assert!(!response.status().is_success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_answered_is_there_after_a_drain_and_one_that_was_refused_is_not() {
    let house = House::open().await;
    let House { cloud, administrator, door, folder } = house;
    let mut asking = JoinSet::new();
    for number in 0..40 {
        let name = format!("camera {number}");
        let mut asked = request(Method::POST, "/api/v1/devices", &administrator);
        asked.headers_mut().insert("content-type", "application/json".parse().unwrap());
        *asked.body_mut() = serde_json::json!({ "name": name }).to_string().into_bytes();
        let door = door.clone();
        asking.spawn(async move { (name, door.ask(asked).await.status) });
    }
    let first = asking.join_next().await.unwrap().unwrap();
    let draining = tokio::spawn(cloud.drain());
    let mut answers = vec![first];
    while let Some(answered) = asking.join_next().await {
        // Who comes when the port is closed already hears nothing.
        answers.extend(answered.ok());
    }
    draining.await.unwrap();
    let records = Records::open(&folder.path().join("cloud"), None, Clock::default()).await.unwrap();
    let scope = records.within(&records.first_organisation().unwrap());
    let kept: HashSet<String> =
        scope.devices(None, 100, |_| true).iter().map(|device| device.name.to_string()).collect();
    for (name, status) in answers {
        assert!(matches!(status.as_u16(), 201 | 503), "{name}: {status}");
        assert_eq!(kept.contains(&name), status == StatusCode::CREATED, "{name}: {status}");
    }
}
