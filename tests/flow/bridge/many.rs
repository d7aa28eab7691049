//! Cameras beside each other: one that hangs holds what is its own and nothing else.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use oriel_onvif::ns;
use oriel_soap::access::Level;
use tokio::task::JoinSet;

use super::lan::{LanCamera, Says, with_digest};
use super::site::{Site, element, get};

fn information() -> String {
    element(ns::TDS.uri, "GetDeviceInformation")
}

#[tokio::test]
async fn a_camera_that_hangs_does_not_slow_the_one_beside_it() {
    const CALLERS: usize = 100;
    let hanging = LanCamera::start(with_digest(|_| Says::Nothing)).await;
    let good = LanCamera::plain().await;
    let (hung, site) = (Arc::new(Site::of(&hanging).await), Site::of(&good).await);
    let mut waiting = JoinSet::new();
    for number in 0..CALLERS {
        let hung = Arc::clone(&hung);
        let request =
            if number % 2 == 0 { super::site::soap(super::site::DEVICE, &information()) } else { get("/onvif/x") };
        waiting.spawn(async move { hung.ask(Level::Administrator, request).await.status });
    }
    hanging.when("questions that hang", |counts| counts.requests > 4).await;
    // Nothing that hung is over, and nobody has waited for it.
    for _ in 0..20 {
        let answer = site.call(Level::User, &information()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let counts = hanging.counts();
    assert!(counts.open <= 16, "one camera holds {} connections", counts.open);
    // All of them are told, some at once, the others when their time is over.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(300)).await;
    tokio::time::resume();
    let mut told = Vec::new();
    while let Some(status) = waiting.join_next().await {
        told.push(status.unwrap());
    }
    assert_eq!(told.len(), CALLERS);
    assert!(told.iter().all(|status| !status.is_success()), "{told:?}");
    hanging.when("the end of its connections", |counts| counts.open == 0).await;
}

#[tokio::test]
async fn an_idle_camera_keeps_no_connection_for_ever_and_a_busy_one_does_not_open_one_each_time() {
    let camera = LanCamera::plain().await;
    let site = Site::of(&camera).await;
    for _ in 0..20 {
        assert_eq!(site.call(Level::User, &information()).await.status, StatusCode::OK);
    }
    let counts = camera.counts();
    assert!(counts.connections <= 4, "{counts:?}");
    assert!(counts.requests <= 24, "a challenge for every question: {counts:?}");
}

#[tokio::test]
async fn who_leaves_takes_the_question_along() {
    let camera = LanCamera::start(with_digest(|_| Says::Nothing)).await;
    let site = Arc::new(Site::of(&camera).await);
    for round in 1..=40 {
        let asking = tokio::spawn({
            let site = Arc::clone(&site);
            async move { site.call(Level::User, &information()).await.status }
        });
        camera.when("the question", |counts| counts.requests > round).await;
        asking.abort();
        camera.when("the end of the connection", |counts| counts.open == 0).await;
    }
}
