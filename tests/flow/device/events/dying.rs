//! Clients that die, and devices that stop.

use super::*;
use oriel_onvif::notification::{FaultKind, Unsubscribe};
use tokio::io::AsyncWriteExt;

/// Returns when a PullMessages waits at the pull point.
pub(super) async fn waits(camera: &Camera, point: &Point) {
    tokio::time::timeout(Duration::from_secs(20), async { while camera.pull(point, 0, 1).await.is_ok() {} })
        .await
        .expect("a PullMessages comes to wait");
}

/// Returns when none waits any more.
async fn waits_no_more(camera: &Camera, point: &Point) -> PullMessagesResponse {
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match camera.pull(point, 0, 10).await {
                Ok(answer) => return answer,
                Err(fault) => assert_eq!(FaultKind::of(&fault), Some(FaultKind::UnableToGetMessages)),
            }
        }
    })
    .await
    .expect("who left waits no more")
}

#[tokio::test]
async fn a_client_whose_connection_dies_leaves_no_pull_behind_and_loses_nothing() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    for round in 0..3 {
        let token = UsernameToken::digest("user", &password("user"), Timestamp::now());
        let body = with_token(&pull(60, 10), token);
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: camera.test\r\nContent-Type: application/soap+xml\r\nContent-Length: {}\r\n\r\n",
            point.path(),
            body.len()
        );
        let mut stream = TcpStream::connect(camera.address()).await.unwrap();
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        waits(&camera, &point).await;
        drop(stream);
        let empty = waits_no_more(&camera, &point).await;
        assert!(empty.notification_message.is_empty());
        camera.hot("s", round);
        let told = camera.pull(&point, 5, 10).await.unwrap();
        assert_eq!(messages(&told)[0].value("Value").unwrap(), round.to_string());
    }
}

#[tokio::test]
async fn ending_a_pull_point_ends_the_pull_that_waits() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    let (waiting, ()) = tokio::join!(camera.pull(&point, 60, 10), async {
        waits(&camera, &point).await;
        camera.at(point.path(), "user", &Unsubscribe::default()).await.unwrap();
    });
    assert_eq!(FaultKind::of(&waiting.unwrap_err()), Some(FaultKind::ResourceUnknown));
}

#[tokio::test]
async fn a_device_that_stops_answers_those_who_wait() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    let token = UsernameToken::digest("user", &password("user"), Timestamp::now());
    let waiting = tokio::spawn(send(camera.address(), soap(point.path(), with_token(&pull(60, 10), token))));
    waits(&camera, &point).await;
    camera.device.stop().await;
    let fault = read::<PullMessages>(&waiting.await.unwrap()).unwrap_err();
    assert_eq!(FaultKind::of(&fault), Some(FaultKind::ResourceUnknown));
}

#[tokio::test]
async fn an_account_that_is_deleted_hears_no_more() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    let token = UsernameToken::digest("user", &password("user"), Timestamp::now());
    let waiting = tokio::spawn(send(camera.address(), soap(point.path(), with_token(&pull(60, 10), token))));
    waits(&camera, &point).await;
    let delete = oriel_onvif::device_mgmt::DeleteUsers::with(|request| request.username = vec!["user".to_owned()]);
    camera.ask(As::Digest("administrator"), &delete).await.unwrap();
    assert_eq!(waiting.await.unwrap().status, StatusCode::INTERNAL_SERVER_ERROR);
}
