//! Two hundred cameras behind one bridge, of which one takes every question and answers none.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use oriel_onvif::device_mgmt::GetHostname;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::life::{PASSWORD, Site, any, clock, entry};

const CAMERAS: usize = 200;
/// How many ask the one that hangs.
const HANGING: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_cameras_start_and_serve_and_do_not_notice_the_one_that_hangs() {
    let mut site = Site::closed();
    let (mut cameras, mut entries) = (JoinSet::new(), String::new());
    for number in 0..CAMERAS {
        let listener = TcpListener::bind(any()).await.unwrap();
        write!(entries, "{}", entry(&format!("camera-{number}"), listener.local_addr().unwrap(), PASSWORD)).unwrap();
        if number == 0 {
            cameras.spawn(async move {
                let mut taken = Vec::new();
                loop {
                    taken.push(listener.accept().await.unwrap());
                }
            });
        } else {
            cameras.spawn(clock(listener));
        }
    }
    site.write(&entries);
    let begun = Instant::now();
    site.start(site.config()).await;
    for number in 1..CAMERAS {
        site.answers(&format!("camera-{number}")).await;
    }
    println!("{CAMERAS} cameras answer after {:?}", begun.elapsed());
    let mut hanging = JoinSet::new();
    for _ in 0..HANGING {
        let client = site.client("camera-0", PASSWORD);
        hanging.spawn(async move { client.call(GetHostname::default()).await.map(drop) });
    }
    let mut slowest = Duration::ZERO;
    for number in 1..CAMERAS {
        let asked = Instant::now();
        site.client(&format!("camera-{number}"), PASSWORD).call(GetHostname::default()).await.unwrap();
        slowest = slowest.max(asked.elapsed());
    }
    println!("the slowest answer took {slowest:?}");
    // Whoever waits for a place at the one that hangs waits ten seconds, and for its answer thirty: nobody did, however busy this machine is.
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    hanging.abort_all();
    let before = Instant::now();
    site.stop().await;
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
}
