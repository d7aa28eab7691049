//! Who is connected: several tunnels of one device, the way between them, and devices that move (Uplink §5.2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use oriel_cloud::records::DeviceId;
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_trust::Identity;
use oriel_uplink::cloud::CloseReason;
use oriel_uplink::device::{Closed, Limits, Stop, dial_over};
use oriel_uplink::{Body, body};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::client::{Answer, device_service, message, request, soap};
use super::{HERE, House};

/// One tunnel that nobody dials again; its device answers with the tunnel's number.
pub(super) struct One {
    stop: Stop,
    served: JoinHandle<Closed>,
}

impl Drop for One {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// A device with tunnels by hand.
struct Many {
    id: DeviceId,
    identity: Identity,
    /// Ends what `/hold` asked for.
    release: Arc<Notify>,
}

impl Many {
    async fn at(house: &House) -> Self {
        let identity = Identity::self_signed("many", &[]).unwrap();
        let id = house.register(identity.fingerprint()).await;
        Self { id, identity, release: Arc::default() }
    }

    async fn dial(&self, house: &House, number: usize) -> One {
        self.dial_from(house, number, HERE).await
    }

    async fn dial_from(&self, house: &House, number: usize, source: &str) -> One {
        let before = house.tunnels(&self.id);
        let tls = house.tls_as(Some(&self.identity), source).await;
        let address = house.url("https").parse().unwrap();
        let link = dial_over(tls, &address, None, Duration::from_secs(10)).await.unwrap();
        let (stop, release) = (Stop::new(), Arc::clone(&self.release));
        let service = move |request: Request<Body>| {
            let release = Arc::clone(&release);
            async move {
                if request.uri().path() == "/hold" {
                    release.notified().await;
                }
                Response::new(body::full(number.to_string()))
            }
        };
        let stopped = stop.clone();
        let served = tokio::spawn(async move { link.serve(service, &Limits::default(), stopped).await });
        super::until("the new tunnel", || house.tunnels(&self.id) > before).await;
        One { stop, served }
    }

    async fn number(&self, house: &House) -> String {
        house.ask(request(Method::GET, &format!("/d/{}/", self.id), &house.administrator)).await.text
    }

    async fn soap(&self, house: &House) -> Answer {
        house
            .ask(soap(&device_service(&self.id), &house.administrator, message(&GetDeviceInformation::default())))
            .await
    }
}

#[tokio::test]
async fn the_newest_of_four_tunnels_is_used_and_the_next_when_it_goes() {
    let house = House::open().await;
    let many = Many::at(&house).await;
    let mut held = Vec::new();
    for number in 1..=4 {
        held.push(many.dial(&house, number).await);
        assert_eq!(many.number(&house).await, number.to_string());
    }
    assert_eq!(house.tunnels(&many.id), 4);
    for left in (1..4).rev() {
        drop(held.pop());
        super::until("the end of the newest", || house.tunnels(&many.id) == left).await;
        assert_eq!(many.number(&house).await, left.to_string());
    }
}

#[tokio::test]
async fn the_fifth_tunnel_evicts_the_oldest_once_its_streams_are_done() {
    let house = House::open().await;
    let many = Many::at(&house).await;
    let mut first = many.dial(&house, 1).await;
    let oldest = house.cloud.registry().presence(&many.id).tunnels[0].tunnel.clone();
    let mut client = house.h2().await;
    let held = house.absolute(request(Method::GET, &format!("/d/{}/hold", many.id), &house.administrator));
    let held = tokio::spawn(client.send_request(held.map(body::full)));
    super::until("the stream on the oldest", || oldest.open_streams() == 1).await;
    let mut others = Vec::new();
    for number in 2..=5 {
        others.push(many.dial(&house, number).await);
    }
    let leaving = || house.cloud.registry().presence(&many.id).tunnels[0].leaving;
    super::until("the eviction", leaving).await;
    // A GOAWAY without an error would ask the device to dial one more in its place.
    assert!(!oldest.is_draining());
    assert_eq!(many.number(&house).await, "5");
    // Its stream is not done, so it stands, though no request comes to it any more.
    assert!(!oldest.is_closed());
    many.release.notify_one();
    let response = held.await.unwrap().unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "1");
    assert_eq!(oldest.closed().await, CloseReason::Evicted);
    (&mut first.served).await.unwrap();
    assert_eq!(many.number(&house).await, "5");
}

#[tokio::test]
async fn an_offline_device_is_offline_at_once() {
    let house = House::open().await;
    let many = Many::at(&house).await;
    let _one = many.dial(&house, 1).await;
    house.cloud.registry().presence(&many.id).tunnels[0].tunnel.close(CloseReason::Local("a test".to_owned()));
    super::until("the release", || house.cloud.registry().presence(&many.id).tunnels.is_empty()).await;
    let asked = Instant::now();
    let answer = many.soap(&house).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.fault().reason.contains("offline"), "{answer:?}");
    assert_eq!(answer.headers["retry-after"], "5");
    let answer = house.ask(request(Method::GET, &format!("/d/{}/", many.id), &house.administrator)).await;
    assert!(answer.problem().contains("offline"), "{answer:?}");
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_device_that_moves_is_waited_for() {
    let house = House::open().await;
    let many = Many::at(&house).await;
    let mut one = many.dial(&house, 1).await;
    one.stop.drain(Duration::from_secs(5));
    assert_eq!((&mut one.served).await.unwrap(), Closed::Drained);
    super::until("the release", || house.cloud.registry().presence(&many.id).tunnels.is_empty()).await;
    let door = house.door.clone();
    let asked = soap(&device_service(&many.id), &house.administrator, message(&GetDeviceInformation::default()));
    let asked = tokio::spawn(async move { door.ask(asked).await });
    let mut waiting = Box::pin(house.cloud.registry().find(&many.id));
    assert!(waiting.as_mut().now_or_never().is_none(), "the device is known to be moving");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!asked.is_finished());
    let _two = many.dial(&house, 2).await;
    waiting.await.unwrap();
    let answer = asked.await.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "2"));
}

#[tokio::test]
async fn patience_with_a_moving_device_ends() {
    let house = House::open().await;
    let many = Many::at(&house).await;
    let mut one = many.dial(&house, 1).await;
    one.stop.drain(Duration::from_secs(5));
    (&mut one.served).await.unwrap();
    let asked = Instant::now();
    let answer = many.soap(&house).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let waited = asked.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(12)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn one_key_in_two_places_raises_an_alarm() {
    let house = House::open_with(|config| config.proxy_protocol = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let many = Many::at(&house).await;
    let alarms = async || super::api::show(&house, &many.id).await["alarms"].as_u64().unwrap();
    let _a = many.dial_from(&house, 1, "192.0.2.10").await;
    let _again = many.dial_from(&house, 2, "192.0.2.10").await;
    assert_eq!(alarms().await, 0, "one place, twice");
    let _b = many.dial_from(&house, 3, "198.51.100.20").await;
    assert_eq!(alarms().await, 0, "a device may have moved");
    let _a = many.dial_from(&house, 4, "192.0.2.10").await;
    super::until("the last tunnel", || house.tunnels(&many.id) == 4).await;
    assert_eq!(alarms().await, 1, "it is here again");
    let view = super::api::show(&house, &many.id).await;
    let sources: Vec<&str> =
        view["tunnels"].as_array().unwrap().iter().map(|held| held["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["192.0.2.10", "192.0.2.10", "198.51.100.20", "192.0.2.10"]);
}

#[tokio::test]
async fn a_copied_key_is_noticed_though_each_tunnel_ends_before_the_next() {
    let house = House::open_with(|config| config.proxy_protocol = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let many = Many::at(&house).await;
    for (number, source) in ["192.0.2.10", "198.51.100.20", "192.0.2.10", "198.51.100.20"].into_iter().enumerate() {
        let one = many.dial_from(&house, number, source).await;
        drop(one);
        super::until("the release", || house.cloud.registry().presence(&many.id).tunnels.is_empty()).await;
    }
    assert!(super::api::show(&house, &many.id).await["alarms"].as_u64().unwrap() >= 1);
}

/// A device that was here and is not any more.
pub(super) async fn offline(house: &House) -> DeviceId {
    let many = Many::at(house).await;
    let _one = many.dial(house, 1).await;
    house.cloud.registry().presence(&many.id).tunnels[0].tunnel.close(CloseReason::Local("a test".to_owned()));
    super::until("the release", || house.cloud.registry().presence(&many.id).tunnels.is_empty()).await;
    many.id
}
