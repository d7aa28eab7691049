//! Large bodies both ways: as fast as the slower side reads, and no more of them in memory than the windows hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use oriel_uplink::{Body, body};

use super::House;
use super::client::request;

const PIECE: usize = 64 * 1024;
const WHOLE: usize = 64 * 1024 * 1024;

/// What two hops of windows and buffers may hold between the two ends: the tunnel's stream window, raised; the client's; and what TLS and the
/// sockets of this machine take.
const IN_BETWEEN: usize = 16 * 1024 * 1024;

/// A body of `WHOLE` bytes that counts what was taken of it.
fn counted(taken: &Arc<AtomicUsize>) -> Body {
    let (piece, taken) = (Bytes::from(vec![7; PIECE]), Arc::clone(taken));
    let pieces = futures_util::stream::iter(0..WHOLE / PIECE).map(move |_| {
        taken.fetch_add(PIECE, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Frame::data(piece.clone()))
    });
    body::boxed(StreamBody::new(pieces))
}

/// Returns what was taken once the sender has stood still for a while: back-pressure reached it.
async fn standstill(taken: &AtomicUsize) -> usize {
    let mut before = taken.load(Ordering::Relaxed);
    loop {
        // Real time, since what is awaited is that nothing happens.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = taken.load(Ordering::Relaxed);
        if now == before && now > 0 {
            return now;
        }
        before = now;
    }
}

/// Reads to the end, and checks at each step how far the sender is ahead.
async fn read_slowly<B>(mut incoming: B, taken: &AtomicUsize) -> usize
where
    B: http_body_util::BodyExt<Data = Bytes> + Unpin,
    B::Error: std::fmt::Debug,
{
    let mut read = 0;
    while let Some(frame) = incoming.frame().await {
        read += frame.unwrap().into_data().map_or(0, |data| data.len());
        let ahead = taken.load(Ordering::Relaxed).saturating_sub(read);
        assert!(ahead <= IN_BETWEEN, "{ahead} bytes wait between the ends after {read}");
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_waits_for_its_reader() {
    let house = House::open().await;
    for scheme in ["https", "wss"] {
        let taken = Arc::<AtomicUsize>::default();
        let source = Arc::clone(&taken);
        let puppet = house
            .puppet(scheme, move |_: Request<Body>| {
                let body = counted(&source);
                async move { Response::new(body) }
            })
            .await;
        let mut client = house.h2().await;
        let path = format!("/d/{}/recording", puppet.id);
        let asked = house.absolute(request(Method::GET, &path, &house.administrator)).map(body::full);
        let response = client.send_request(asked).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let stalled = standstill(&taken).await;
        println!("{scheme}: {} KiB left the device before anybody read", stalled / 1024);
        assert!(stalled <= IN_BETWEEN, "{stalled} bytes are buffered for a client that does not read");
        assert_eq!(read_slowly(response.into_body(), &taken).await, WHOLE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_waits_for_its_reader() {
    let house = House::open().await;
    let taken = Arc::<AtomicUsize>::default();
    let watched = Arc::clone(&taken);
    let puppet = house
        .puppet("https", move |request: Request<Body>| {
            let taken = Arc::clone(&watched);
            async move {
                let stalled = standstill(&taken).await;
                let read = read_slowly(request.into_body(), &taken).await;
                Response::new(body::full(format!("{stalled} {read}")))
            }
        })
        .await;
    let mut client = house.h2().await;
    let path = format!("/d/{}/firmware", puppet.id);
    let asked = house.absolute(request(Method::PUT, &path, &house.administrator)).map(|_| counted(&taken));
    let response = client.send_request(asked).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let (stalled, read) = text.split_once(' ').unwrap();
    println!("upload: {} KiB left the client before the device read", stalled.parse::<usize>().unwrap() / 1024);
    assert!(stalled.parse::<usize>().unwrap() <= IN_BETWEEN, "{stalled}");
    assert_eq!(read.parse::<usize>().unwrap(), WHOLE);
}

/// Tells when it is dropped.
struct Told(tokio::sync::mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.try_send(()).unwrap();
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_stops_the_device() {
    let house = House::open().await;
    let (ended, mut end) = tokio::sync::mpsc::channel::<()>(1);
    let puppet = house
        .puppet("https", move |_: Request<Body>| {
            let told = Told(ended.clone());
            async move {
                let endless = futures_util::stream::repeat_with(move || {
                    let _owned = &told;
                    Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(&[7; 4096])))
                });
                Response::new(body::boxed(StreamBody::new(endless)))
            }
        })
        .await;
    let mut client = house.h2().await;
    let path = format!("/d/{}/live", puppet.id);
    let asked = house.absolute(request(Method::GET, &path, &house.administrator)).map(body::full);
    let mut response = client.send_request(asked).await.unwrap();
    response.frame().await.unwrap().unwrap();
    drop(response);
    assert_eq!(end.recv().await, Some(()));
    let held = house.cloud.registry().presence(&puppet.id).tunnels;
    assert!(!held[0].tunnel.is_closed());
}
