//! What the service tells of itself, and what a pull point hears.

use super::*;
use oriel_onvif::device_mgmt::{CapabilityCategory, GetCapabilities, GetServices};
use oriel_onvif::events::{GetEventProperties, GetServiceCapabilities, SetSynchronizationPoint};
use oriel_onvif::notification::{Renew, Unsubscribe};
use oriel_onvif::ns;
use std::time::Instant;

#[tokio::test]
async fn every_list_tells_the_same_of_the_service() {
    let camera = Camera::with_events().await;
    let request = GetServices::with(|request| request.include_capability = true);
    let services = camera.ask(As::Nobody, &request).await.unwrap().service;
    let row = services.iter().find(|service| service.namespace == ns::TEV.uri).unwrap();
    assert_eq!(row.x_addr, format!("http://camera.test:80{EVENTS}"));
    let own = camera.ask(As::Nobody, &GetServiceCapabilities::default()).await.unwrap().capabilities;
    assert_eq!(row.capabilities.as_ref().unwrap().any[0].to::<oriel_onvif::events::Capabilities>().unwrap(), own);
    assert_eq!(own.max_pull_points, Some(64));
    assert_eq!(own.persistent_notification_storage, Some(true));
    let request = GetCapabilities::with(|request| request.category = vec![CapabilityCategory::Events]);
    let old = camera.ask(As::Nobody, &request).await.unwrap().capabilities.events.unwrap();
    assert_eq!(old.x_addr, row.x_addr);
    assert!(old.ws_pull_point_support);
    assert_eq!(Some(old.ws_subscription_policy_support), own.ws_subscription_policy_support);
    assert_eq!(
        Some(old.ws_pausable_subscription_manager_interface_support),
        own.ws_pausable_subscription_manager_interface_support
    );
}

#[tokio::test]
async fn the_topics_are_told_with_what_their_messages_look_like() {
    let camera = Camera::with_events().await;
    let told = camera.at(EVENTS, "user", &GetEventProperties::default()).await.unwrap();
    let roots: Vec<_> = told.topic_set.any.iter().map(|root| root.name().local.to_string()).collect();
    assert!(roots.contains(&"VideoSource".to_owned()) && roots.contains(&"Device".to_owned()), "{roots:?}");
    assert!(roots.contains(&"EventBuffer".to_owned()), "what Seek tells is a topic too");
    let video = told.topic_set.any.iter().find(|root| root.name().local == "VideoSource").unwrap().as_xml();
    assert!(video.contains("MotionAlarm") && video.contains("topic=\"true\"") && video.contains("IsProperty=\"true\""));
    assert_eq!(told.topic_expression_dialect.len(), 2);
    assert_eq!(told.message_content_filter_dialect, [oriel_onvif::events::content::ITEM_FILTER]);
    assert!(!told.message_content_schema_location.is_empty() && !told.topic_namespace_location.is_empty());
}

#[tokio::test]
async fn a_pull_point_begins_with_the_states_and_hears_what_changes() {
    let camera = Camera::with_events().await;
    camera.motion("gate", false);
    let point = camera.create("user", &create(60)).await.unwrap();
    let first = camera.pull(&point, 60, 10).await.unwrap();
    assert_eq!(states(&first), [(PropertyOperation::Initialized, "gate".into(), "false".into())]);
    let text = camera.post(point.path(), {
        camera.motion("gate", true);
        let token = UsernameToken::digest("user", &password("user"), Timestamp::now());
        with_token(&pull(60, 10), token)
    });
    let text = text.await.text;
    // As clients in the field compare it, prefix and all, and as strict readers want it.
    assert!(text.contains(">tns1:VideoSource/MotionAlarm<"), "{text}");
    assert!(text.contains("xmlns:tns1=\"http://www.onvif.org/ver10/topics\""), "{text}");
    assert!(text.contains("PropertyOperation=\"Changed\""), "{text}");
    let told = read::<PullMessages>(&Answer { status: StatusCode::OK, headers: HeaderMap::new(), text }).unwrap();
    let holder = &told.notification_message[0];
    assert_eq!(holder.topic.as_ref().unwrap().topic.to_string(), "tns1:VideoSource/MotionAlarm");
    assert!(holder.producer_reference.as_ref().unwrap().address.starts_with("urn:uuid:"));
    assert!(told.termination_time > told.current_time);
}

#[tokio::test]
async fn an_empty_answer_comes_at_its_timeout_and_a_message_at_once() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    let started = Instant::now();
    let empty = camera.pull(&point, 1, 10).await.unwrap();
    assert!(empty.notification_message.is_empty());
    assert!(started.elapsed() >= Duration::from_secs(1));
    let started = Instant::now();
    let (waiting, ()) = tokio::join!(camera.pull(&point, 60, 10), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        camera.hot("s", 7);
    });
    assert_eq!(messages(&waiting.unwrap()).len(), 1);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_limit_beyond_ours_is_no_fault() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    (0..1000).for_each(|value| camera.hot("s", value));
    let mut values = Vec::new();
    while values.len() < 1000 {
        let some = camera.pull(&point, 1, i32::MAX).await.unwrap();
        assert!(!some.notification_message.is_empty() && some.notification_message.len() < 1000);
        values.extend(messages(&some).iter().map(|message| message.value("Value").unwrap().parse::<usize>().unwrap()));
    }
    assert!(values.into_iter().eq(0..1000));
}

#[tokio::test]
async fn a_synchronisation_point_repeats_the_states() {
    let camera = Camera::with_events().await;
    camera.motion("gate", true);
    let point = camera.create("user", &create(60)).await.unwrap();
    for _ in 0..2 {
        let told = camera.pull(&point, 5, 10).await.unwrap();
        assert_eq!(states(&told), [(PropertyOperation::Initialized, "gate".into(), "true".into())]);
        camera.at(point.path(), "user", &SetSynchronizationPoint::default()).await.unwrap();
    }
}

#[tokio::test]
async fn it_is_renewed_and_ended_at_its_own_address_and_at_the_service_by_its_header() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    let renew = Renew::with(|renew| renew.termination_time = Some(AbsoluteOrRelativeTime::In(span(600))));
    let renewed = camera.at(point.path(), "user", &renew).await.unwrap();
    let lasts = renewed.termination_time.duration_since(renewed.current_time.unwrap());
    assert_eq!(lasts, SignedDuration::from_secs(600));
    let headers = Headers {
        username_token: Some(UsernameToken::digest("user", &password("user"), Timestamp::now())),
        blocks: point.reference.reference_parameters.as_ref().unwrap().any.clone(),
        ..Headers::default()
    };
    let ended = camera.post(EVENTS, envelope::request(&Unsubscribe::default(), &headers)).await;
    assert_eq!(ended.status, StatusCode::OK, "{ended:?}");
    let fault = camera.pull(&point, 1, 1).await.unwrap_err();
    assert_eq!(
        oriel_onvif::notification::FaultKind::of(&fault),
        Some(oriel_onvif::notification::FaultKind::ResourceUnknown)
    );
}
