//! Readers that stall: as many as the tunnel allows streams, in both directions, and SOAP on the same tunnel does not notice.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_soap::access::Level;
use oriel_uplink::{Body, body};

use super::House;
use super::camera::{Puppet, soap_ok};
use super::client::{device_service, message, request, soap, whole};

const CALLS: usize = 200;
/// The tunnel's streams less those that are kept for SOAP.
const BULK: usize = 120;

fn endless() -> Body {
    let piece = Bytes::from_static(&[7; 16 * 1024]);
    let pieces = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(Frame::data(piece.clone())));
    body::boxed(StreamBody::new(pieces))
}

/// Answers SOAP; sends without end what is downloaded, and never reads what is uploaded.
async fn service(request: Request<Body>) -> Response<Body> {
    match *request.method() {
        Method::GET => Response::new(endless()),
        Method::PUT => {
            let _unread = request.into_body();
            std::future::pending().await
        }
        _ => soap_ok(),
    }
}

/// Returns when the tunnel holds `streams` and has come to rest.
async fn at_rest(house: &House, puppet: &Puppet, streams: usize) {
    let held = house.cloud.registry().presence(&puppet.id).tunnels.remove(0).tunnel;
    super::until("all streams", || held.open_streams() == streams).await;
    let moved = || held.stats().bytes_read + held.stats().bytes_written;
    let mut before = 0;
    while moved() != before {
        before = moved();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// SOAP on the tunnel that is full of stalled streams.
async fn soap_is_quick(house: &House, puppet: &Puppet, what: &str) {
    let token = house.token(Level::User).await;
    let mut client = house.h2().await;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let asked = soap(&device_service(&puppet.id), &token, message(&GetDeviceInformation::default()));
        let begun = Instant::now();
        let answer = whole(client.send_request(house.absolute(asked).map(body::full)).await.unwrap()).await;
        times.push(begun.elapsed());
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    times.sort_unstable();
    println!("{what}: p50 {:?}, p99 {:?}, longest {:?}", times[CALLS / 2], times[CALLS * 99 / 100], times[CALLS - 1]);
    assert!(times[CALLS / 2] < Duration::from_millis(50), "p50 is {:?}", times[CALLS / 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloads_that_nobody_reads_leave_soap_alone() {
    let house = House::open().await;
    for scheme in ["https", "wss"] {
        let puppet = house.puppet(scheme, service).await;
        let mut client = house.h2().await;
        let mut unread = Vec::new();
        for _ in 0..BULK {
            let asked = house.absolute(request(Method::GET, &format!("/d/{}/live", puppet.id), &house.administrator));
            let response = client.send_request(asked.map(body::full)).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            unread.push(response);
        }
        at_rest(&house, &puppet, BULK).await;
        soap_is_quick(&house, &puppet, &format!("{BULK} unread downloads, {scheme}")).await;
        // One more is told that there is no room, in words.
        let more = house.ask(request(Method::GET, &format!("/d/{}/live", puppet.id), &house.administrator)).await;
        assert_eq!(more.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(more.problem().contains("streams are in use"), "{more:?}");
        // And once one has left, there is.
        unread.pop();
        let asked = house.absolute(request(Method::GET, &format!("/d/{}/live", puppet.id), &house.administrator));
        assert_eq!(client.send_request(asked.map(body::full)).await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_the_device_does_not_read_leave_soap_alone() {
    let house = House::open().await;
    for scheme in ["https", "wss"] {
        let puppet = house.puppet(scheme, service).await;
        let mut clients = Vec::new();
        let mut unanswered = Vec::new();
        for _ in 0..BULK {
            // A connection each: their own windows are not what is tested.
            let mut client = house.h2().await;
            let asked =
                house.absolute(request(Method::PUT, &format!("/d/{}/firmware", puppet.id), &house.administrator));
            unanswered.push(tokio::spawn(client.send_request(asked.map(|_| endless()))));
            clients.push(client);
        }
        at_rest(&house, &puppet, BULK).await;
        soap_is_quick(&house, &puppet, &format!("{BULK} unread uploads, {scheme}")).await;
        unanswered.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
