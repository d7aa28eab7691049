//! What one organisation may ask of its devices, and that another does not notice (429 with Retry-After).

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use oriel_cloud::records::{NewToken, OrganisationLimits, Role};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_uplink::body;

use super::camera::Puppet;
use super::client::{device_service, message, request, soap, whole};
use super::{House, me};

impl House {
    /// Limits for the first organisation.
    async fn limit(&self, limits: OrganisationLimits) {
        let id = self.cloud.records().first_organisation().unwrap();
        self.cloud.records().change_organisation(&me(), &id, None, None, Some(limits)).await.unwrap();
    }

    /// A token of another organisation.
    async fn stranger(&self) -> String {
        let records = self.cloud.records();
        let (other, ..) = records.add_organisation(&me(), "another", "boss@example.net").await.unwrap();
        let new = NewToken::of(Role::Administrator, "another's");
        records.within(&other.id).add_token(&me(), new).await.unwrap().1.expose().to_owned()
    }
}

fn asked(puppet: &Puppet, token: &str) -> Request<Vec<u8>> {
    soap(&device_service(&puppet.id), token, message(&GetDeviceInformation::default()))
}

#[tokio::test]
async fn more_requests_a_second_than_agreed_are_refused_with_the_time_to_wait() {
    let house = House::open().await;
    let (puppet, seen) = house.witness().await;
    let stranger = house.stranger().await;
    house.limit(OrganisationLimits { requests_per_second: Some(1), ..Default::default() }).await;
    let mut client = house.h2().await;
    let mut ask = async |token: &str| {
        whole(client.send_request(house.absolute(asked(&puppet, token)).map(body::full)).await.unwrap()).await
    };
    let mut statuses = Vec::new();
    let mut refused = None;
    for _ in 0..10 {
        let answer = ask(&house.administrator).await;
        statuses.push(answer.status);
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
        }
    }
    assert_eq!(statuses[0], StatusCode::OK);
    let refused = refused.unwrap_or_else(|| panic!("ten at once are more than one a second: {statuses:?}"));
    assert_eq!(refused.headers[RETRY_AFTER], "1");
    assert!(refused.fault().reason.contains("1 requests a second"), "{refused:?}");
    let passed = statuses.iter().filter(|status| **status == StatusCode::OK).count();
    assert_eq!(seen.take().len(), passed, "what was refused never reached the device");
    // Another organisation is served all the while; here it has no such device.
    assert_eq!(ask(&stranger).await.status, StatusCode::NOT_FOUND);
    house.limit(OrganisationLimits::default()).await;
    assert_eq!(ask(&house.administrator).await.status, StatusCode::OK);
}

#[tokio::test]
async fn more_at_once_than_agreed_are_refused_until_one_has_ended() {
    let house = House::open().await;
    let forever = house
        .puppet("https", |_| async {
            let endless = futures_util::stream::pending::<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>();
            http::Response::new(body::boxed(http_body_util::StreamBody::new(endless)))
        })
        .await;
    house.limit(OrganisationLimits { streams: Some(2), ..Default::default() }).await;
    let mut client = house.h2().await;
    let mut ask = async || {
        let asked = request(Method::GET, &format!("/d/{}/live", forever.id), &house.administrator);
        client.send_request(house.absolute(asked).map(body::full)).await.unwrap()
    };
    let (first, _second) = (ask().await, ask().await);
    assert_eq!(first.status(), StatusCode::OK);
    let refused = whole(ask().await).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.problem().contains("2 requests at once"), "{refused:?}");
    drop(first);
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while ask().await.status() != StatusCode::OK {
        assert!(tokio::time::Instant::now() < patience, "a place comes back when its stream has ended");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn bytes_beyond_the_rate_wait_and_are_not_lost() {
    let house = House::open().await;
    let puppet = house.puppet("https", |_| async { http::Response::new(body::full(vec![7; 512 * 1024])) }).await;
    house.limit(OrganisationLimits { bytes_per_second: Some(256 * 1024), ..Default::default() }).await;
    let mut client = house.h2().await;
    let asked = request(Method::GET, &format!("/d/{}/clip", puppet.id), &house.administrator);
    let begun = std::time::Instant::now();
    let answer = client.send_request(house.absolute(asked).map(body::full)).await.unwrap();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(bytes.len(), 512 * 1024);
    assert!(begun.elapsed() > Duration::from_millis(1400), "{:?}", begun.elapsed());
}
