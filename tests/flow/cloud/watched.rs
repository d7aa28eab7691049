//! What an operator sees: metrics that move with what happens, health and readiness, and a name for every request that nobody outside chooses.

use std::time::Duration;

use http::Method;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use oriel_onvif::device_mgmt::GetDeviceInformation;
use tokio::net::TcpStream;

use super::House;
use super::camera::Camera;
use super::client::{device_service, message, request, soap};

/// Status and text of a page on the listener of metrics.
async fn page(house: &House, path: &str) -> (u16, String) {
    let address = house.cloud.metrics_address().unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.unwrap();
    let asked = http::Request::get(path).header("host", "metrics").body(Empty::<bytes::Bytes>::new()).unwrap();
    let (answer, _) = tokio::join!(
        async {
            let answer = sender.send_request(asked).await.unwrap();
            let status = answer.status().as_u16();
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            drop(sender);
            (status, String::from_utf8(text.to_vec()).unwrap())
        },
        connection
    );
    answer
}

/// The value of a sample.
fn sample(page: &str, name: &str) -> f64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in\n{page}")).parse().unwrap()
}

async fn watched() -> House {
    House::open_with(|config| config.metrics = Some(([127, 0, 0, 1], 0).into())).await
}

#[tokio::test]
async fn metrics_move_with_what_happens_and_name_nobody() {
    let house = watched().await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let asked = soap(&device_service(&camera.id), &house.administrator, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask(asked).await.status, 200);
    assert_eq!(house.ask(request(Method::GET, "/api/v1/devices", "nobody's")).await.status, 401);
    house.ask(request(Method::from_bytes(b"INVENTED").unwrap(), "/d/unknown/", &house.administrator)).await;
    let (status, text) = page(&house, "/metrics").await;
    assert_eq!(status, 200);
    for (name, value) in [
        ("oriel_uplinks{form=\"native\"}", 1.0),
        ("oriel_uplinks{form=\"websocket\"}", 0.0),
        ("oriel_uplinks_opened_total{form=\"native\"}", 1.0),
        ("oriel_requests_total{route=\"device\",method=\"POST\",status=\"2xx\"}", 1.0),
        ("oriel_requests_total{route=\"api\",method=\"GET\",status=\"401\"}", 1.0),
        ("oriel_requests_total{route=\"device\",method=\"other\",status=\"404\"}", 1.0),
        ("oriel_soap_exchange_seconds_count", 1.0),
        ("oriel_streams_opened_total", 1.0),
        ("oriel_draining", 0.0),
        ("oriel_ready", 1.0),
    ] {
        assert!((sample(&text, name) - value).abs() < f64::EPSILON, "{name} is not {value} in\n{text}");
    }
    let received = sample(&text, "oriel_uplink_received_bytes_total");
    assert!(received > 0.0);
    assert!(!text.contains(&*camera.id) && !text.contains("INVENTED"), "{text}");

    camera.device.stop().await;
    let closed = "oriel_uplinks_closed_total{reason=\"peer\"}";
    let after = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let (_, text) = page(&house, "/metrics").await;
            if text.contains(closed) {
                return text;
            }
            tokio::task::yield_now().await;
        }
    });
    let after = after.await.unwrap();
    assert!((sample(&after, "oriel_uplinks{form=\"native\"}")).abs() < f64::EPSILON);
    assert!(sample(&after, "oriel_uplink_received_bytes_total") >= received, "a counter never falls");
}

#[tokio::test]
async fn a_request_by_host_name_is_a_devices_whatever_its_path_looks_like() {
    let house = House::open_with(|config| {
        config.metrics = Some(([127, 0, 0, 1], 0).into());
        config.domain = Some("devices.example".to_owned());
    })
    .await;
    let (puppet, _) = house.witness().await;
    let mut asked = request(Method::GET, "/api/v1/devices", &house.administrator);
    asked.headers_mut().insert("host", format!("{}.devices.example", puppet.id).parse().unwrap());
    let status = house.ask(asked).await.status;
    let (_, text) = page(&house, "/metrics").await;
    let requests: Vec<&str> = text.lines().filter(|line| line.starts_with("oriel_requests_total{")).collect();
    assert!(requests.iter().all(|line| line.contains("route=\"device\"")), "{status}: {requests:?}");
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn health_and_readiness_are_told_apart_from_the_door() {
    let house = watched().await;
    assert_eq!(page(&house, "/health").await, (200, "{\"status\":\"ok\"}\n".to_owned()));
    assert_eq!(page(&house, "/ready").await, (200, "{\"status\":\"ready\"}\n".to_owned()));
    assert_eq!(page(&house, "/elsewhere").await.0, 404);
    let at_the_door = house.ask(request(Method::GET, "/metrics", &house.administrator)).await;
    assert!(!at_the_door.text.contains("oriel_"), "the port for everybody shows no metrics: {at_the_door:?}");
}

#[tokio::test]
async fn a_request_has_a_name_that_the_device_hears_and_no_stranger_chooses() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let claims = [
        ("x-request-id", "mine"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "stranger=1"),
        ("baggage", "stranger=1"),
    ];
    let mut names = Vec::new();
    for _ in 0..2 {
        let mut asked =
            soap(&device_service(&puppet.id), &house.administrator, message(&GetDeviceInformation::default()));
        for (name, value) in claims {
            asked.headers_mut().insert(name, value.parse().unwrap());
        }
        names.push(house.ask(asked).await.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    assert_ne!(names[0], names[1]);
    for (saw, name) in seen.take().iter().zip(&names) {
        assert_eq!(saw.headers["x-request-id"], name.as_str());
        for (claim, value) in claims {
            assert!(saw.headers.get_all(claim).iter().all(|seen| seen != value), "{claim}: {saw:?}");
        }
    }
    let refused = house.ask(request(Method::GET, "/api/v1/devices", "nobody's")).await;
    assert_eq!(refused.headers["x-request-id"].len(), 32);
}
