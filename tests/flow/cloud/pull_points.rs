//! Pull points of a real device behind a real cloud: their addresses lead through the gateway, and a pull may wait as long as the device lets it.

use std::time::Duration;

use http::StatusCode;
use jiff::SignedDuration;
use oriel_device::events::Occurrence;
use oriel_onvif::events::{CreatePullPointSubscription, PullMessages, PullMessagesResponse, topics};
use oriel_onvif::notification::{AbsoluteOrRelativeTime, FaultKind, Renew, Unsubscribe};
use oriel_soap::access::Level;
use oriel_soap::envelope::{self, ReplyError};
use oriel_soap::xml::{Duration as Span, Limits};
use oriel_soap::{Fault, Operation, With as _};

use super::camera::Camera;
use super::client::{message, soap};
use super::{House, after};

const HOT: &str = "Device/Sensor/Temperature/High";

fn hot(camera: &Camera, value: u32) {
    let hot = Occurrence::of(topics::find(HOT).unwrap()).source("SensorID", "s");
    camera.device.events().tell(hot.data("Value", value.to_string()).data("Threshold", "1")).unwrap();
}

fn span(seconds: i64) -> Span {
    Span(SignedDuration::from_secs(seconds))
}

fn pull(seconds: i64) -> PullMessages {
    PullMessages::with(|request| (request.timeout, request.message_limit) = (span(seconds), 100))
}

/// The values in an answer; what else a device tells is left out.
fn values(answer: &PullMessagesResponse) -> Vec<String> {
    let messages = answer.notification_message.iter().filter_map(|holder| holder.message.onvif().unwrap());
    messages.filter_map(|message| message.value("SensorID").and(message.value("Value")).map(str::to_owned)).collect()
}

/// Asks at a path of the cloud.
async fn at<O: Operation>(house: &House, path: &str, token: &str, operation: &O) -> Result<O::Response, Fault> {
    let answer = house.ask(soap(path, token, message(operation))).await;
    match envelope::read_reply::<O>(answer.text.as_bytes(), &Limits::REPLY) {
        Ok(response) => {
            assert_eq!(answer.status, StatusCode::OK);
            Ok(response)
        }
        Err(ReplyError::Fault(fault)) => Err(fault),
        Err(other) => panic!("{other}: {answer:?}"),
    }
}

/// A pull point made through the cloud: its path there.
async fn create(house: &House, camera: &Camera, token: &str) -> String {
    let request = CreatePullPointSubscription::with(|request| {
        let text = "<f xmlns:n=\"http://docs.oasis-open.org/wsn/b-2\" xmlns:tns1=\"http://www.onvif.org/ver10/topics\">\
             <n:TopicExpression Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">tns1:Device/Sensor//.\
             </n:TopicExpression></f>";
        request.filter = Some(oriel_soap::xml::Any::from_xml(text, &Limits::REQUEST).unwrap().to().unwrap());
        request.initial_termination_time = Some(AbsoluteOrRelativeTime::In(span(60)));
    });
    let path = format!("/d/{}/onvif/event_service", camera.id);
    let made = at(house, &path, token, &request).await.unwrap();
    let address = made.subscription_reference.address;
    let base = format!("https://localhost:{}", house.cloud.address().port());
    let path = address.strip_prefix(&base).unwrap_or_else(|| panic!("{address} does not lead to {base}"));
    assert!(path.starts_with(&format!("/d/{}/onvif/subscription/", camera.id)), "{path}");
    path.to_owned()
}

#[tokio::test]
async fn a_pull_point_is_made_pulled_renewed_and_ended_through_the_cloud() {
    let house = House::open().await;
    for scheme in ["https", "wss"] {
        let camera = Camera::connected(&house, scheme, "Operator").await;
        let token = house.token(Level::User).await;
        let point = create(&house, &camera, &token).await;
        hot(&camera, 1);
        assert_eq!(values(&at(&house, &point, &token, &pull(60)).await.unwrap()), ["1"]);
        let minute = pull(60);
        let (waited, ()) = tokio::join!(at(&house, &point, &token, &minute), async {
            while at(&house, &point, &token, &pull(0)).await.is_ok() {}
            hot(&camera, 2);
        });
        assert_eq!(values(&waited.unwrap()), ["2"]);
        let renew = Renew::with(|renew| renew.termination_time = Some(AbsoluteOrRelativeTime::In(span(600))));
        at(&house, &point, &token, &renew).await.unwrap();
        at(&house, &point, &token, &Unsubscribe::default()).await.unwrap();
        let fault = at(&house, &point, &token, &pull(0)).await.unwrap_err();
        assert_eq!(FaultKind::of(&fault), Some(FaultKind::ResourceUnknown));
    }
}

#[tokio::test]
async fn a_pull_waits_its_whole_minute_behind_the_gateway() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "Operator").await;
    let token = house.token(Level::User).await;
    let point = create(&house, &camera, &token).await;
    for minutes in [1, 2] {
        let long = pull(60 * minutes);
        let waiting = at(&house, &point, &token, &long);
        let passing = async {
            while at(&house, &point, &token, &pull(0)).await.is_ok() {}
            for _ in 0..12 * minutes {
                after(Duration::from_secs(5)).await;
                // The tunnel is seen to live, as it would be in real time.
                let fault = at(&house, &point, &token, &pull(0)).await.map(drop);
                if fault.is_ok() {
                    break;
                }
            }
        };
        let (answer, ()) = tokio::join!(waiting, passing);
        assert!(values(&answer.unwrap()).is_empty());
    }
}

#[tokio::test]
async fn a_client_that_leaves_the_cloud_leaves_no_pull_at_the_device() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "Operator").await;
    let token = house.token(Level::User).await;
    let point = create(&house, &camera, &token).await;
    {
        let long = pull(60);
        let waiting = at(&house, &point, &token, &long);
        let seen = async { while at(&house, &point, &token, &pull(0)).await.is_ok() {} };
        tokio::select! {
            answer = waiting => panic!("nothing happened: {answer:?}"),
            () = seen => {}
        }
    }
    let ended = async { while at(&house, &point, &token, &pull(0)).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("who left waits no more");
    hot(&camera, 7);
    assert_eq!(values(&at(&house, &point, &token, &pull(5)).await.unwrap()), ["7"]);
}

#[tokio::test]
async fn another_clouds_pull_point_is_none() {
    let (house, other) = (House::open().await, House::open().await);
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let token = house.token(Level::Administrator).await;
    let point = create(&house, &camera, &token).await;
    let id = point.rsplit('/').next().unwrap();
    // What an uplink to another cloud would ask through, with all rights.
    let service = camera.device.uplink_service(&other.url("https"), oriel_soap::Levels::ADMINISTRATOR);
    let request = soap(&format!("/onvif/subscription/{id}"), "", message(&Unsubscribe::default()));
    let answer = service(request.map(oriel_uplink::body::full)).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    hot(&camera, 3);
    assert_eq!(values(&at(&house, &point, &token, &pull(5)).await.unwrap()), ["3"], "it is there still");
    // The same cloud in the other form is the same.
    let service = camera.device.uplink_service(&house.url("wss"), oriel_soap::Levels::ADMINISTRATOR);
    let request = soap(&format!("/onvif/subscription/{id}"), "", message(&Unsubscribe::default()));
    assert_eq!(service(request.map(oriel_uplink::body::full)).await.status(), StatusCode::OK);
}
