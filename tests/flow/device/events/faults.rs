//! The chapter's faults, each with its detail (Core §9.9).

use super::*;
use oriel_onvif::events::{PullMessagesFaultResponse, SetSynchronizationPoint, SubscriptionPolicy};
use oriel_onvif::notification::{BaseFault, FaultKind, Renew, Unsubscribe};
use oriel_soap::fault::Code;

/// What is in the detail of a fault of this kind.
#[track_caller]
fn detail(fault: &Fault, kind: FaultKind) -> BaseFault {
    assert_eq!(FaultKind::of(fault), Some(kind), "{fault}");
    assert_eq!(fault.code, Code::Receiver);
    assert_eq!(fault.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let detail: BaseFault = fault.detail[0].to().unwrap();
    assert!((Timestamp::now().duration_since(detail.timestamp)).as_secs() < 60);
    detail
}

#[tokio::test]
async fn what_cannot_be_selected_is_refused_by_its_own_fault() {
    let camera = Camera::with_events().await;
    let topic = |dialect: &str, text: &str| {
        format!("<wsnt:TopicExpression Dialect=\"{dialect}\">{text}</wsnt:TopicExpression>")
    };
    let set = oriel_onvif::events::expression::CONCRETE_SET;
    for (filter, kind) in [
        (topic("urn:other", "tns1:VideoSource"), FaultKind::TopicExpressionDialectUnknown),
        (topic(set, "tns1:VideoSource//"), FaultKind::InvalidTopicExpression),
        (topic(set, "nobody:VideoSource"), FaultKind::InvalidTopicExpression),
        (topic(set, "tns1:AudioSource/Loud"), FaultKind::TopicNotSupported),
        (of_contents("boolean(//tt:SimpleItem[@Name=\"a\""), FaultKind::InvalidMessageContentExpression),
        (
            "<wsnt:ProducerProperties Dialect=\"x\">y</wsnt:ProducerProperties>".into(),
            FaultKind::InvalidProducerPropertiesExpression,
        ),
        ("<x:Odd xmlns:x=\"urn:x\"/>".into(), FaultKind::InvalidFilter),
    ] {
        let fault = camera.create("user", &filtered(&filter)).await.map(drop).unwrap_err();
        let detail = detail(&fault, kind);
        assert_eq!(detail.unknown_filter.len(), usize::from(kind == FaultKind::InvalidFilter));
    }
}

#[tokio::test]
async fn policies_are_known_or_named_in_the_fault() {
    let camera = Camera::with_events().await;
    let with = |policy: &str| {
        let policy: SubscriptionPolicy =
            Any::from_xml(&format!("<p>{policy}</p>"), &Limits::REQUEST).unwrap().to().unwrap();
        let mut request = create(60);
        request.subscription_policy = Some(policy);
        request
    };
    let odd = with("<x:Odd xmlns:x=\"urn:x\"/>");
    let fault = camera.create("user", &odd).await.map(drop).unwrap_err();
    assert_eq!(detail(&fault, FaultKind::UnrecognizedPolicyRequest).unrecognized_policy[0].local, "Odd");
    let raw = with("<n:UseRaw xmlns:n=\"http://docs.oasis-open.org/wsn/b-2\"/>");
    let fault = camera.create("user", &raw).await.map(drop).unwrap_err();
    assert_eq!(detail(&fault, FaultKind::UnsupportedPolicyRequest).unsupported_policy[0].local, "UseRaw");
    camera.motion("gate", true);
    let changed = with("<e:ChangedOnly xmlns:e=\"http://www.onvif.org/ver10/events/wsdl\"/>");
    let point = camera.create("user", &changed).await.unwrap();
    camera.motion("gate", false);
    let told = camera.pull(&point, 5, 10).await.unwrap();
    assert_eq!(states(&told), [(PropertyOperation::Changed, "gate".into(), "false".into())]);
}

#[tokio::test]
async fn times_that_do_not_do_are_refused_with_those_that_would() {
    let camera = Camera::with_events().await;
    let day = 86_400;
    let at = |seconds: i64| Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let absolute = |seconds| {
        let until = Some(AbsoluteOrRelativeTime::At(at(seconds)));
        let mut request = create(60);
        request.initial_termination_time = until;
        request
    };
    for request in [create(0), create(-60), create(10 * day), absolute(-60), absolute(10 * day)] {
        let fault = camera.create("user", &request).await.map(drop).unwrap_err();
        let detail = detail(&fault, FaultKind::UnacceptableInitialTerminationTime);
        let (least, most) = (detail.minimum_time.unwrap(), detail.maximum_time.unwrap());
        assert!(least < at(60) && most > at(day - 60) && most < at(day + 60), "{least} {most}");
    }
    let point = camera.create("user", &absolute(3600)).await.unwrap();
    let renew = |seconds| Renew::with(|renew| renew.termination_time = Some(AbsoluteOrRelativeTime::In(span(seconds))));
    let fault = camera.at(point.path(), "user", &renew(10 * day)).await.unwrap_err();
    assert!(detail(&fault, FaultKind::UnacceptableTerminationTime).maximum_time.is_some());
    camera.at(point.path(), "user", &renew(60)).await.unwrap();
}

#[tokio::test]
async fn what_is_no_subscription_is_unknown_whatever_is_asked_of_it() {
    let camera = Camera::with_events().await;
    let nowhere = format!("/onvif/subscription/{}", "0".repeat(32));
    let theirs = camera.create("operator", &create(60)).await.unwrap();
    for path in [EVENTS, DEVICE, &nowhere, theirs.path()] {
        let unknown = [
            camera.at(path, "user", &pull(1, 1)).await.map(drop),
            camera.at(path, "user", &Renew::default()).await.map(drop),
            camera.at(path, "user", &Unsubscribe::default()).await.map(drop),
            camera.at(path, "user", &SetSynchronizationPoint::default()).await.map(drop),
            camera.at(path, "user", &oriel_onvif::events::Seek::default()).await.map(drop),
        ];
        for fault in unknown.map(Result::unwrap_err) {
            detail(&fault, FaultKind::ResourceUnknown);
        }
    }
    assert_eq!(camera.post("/onvif/subscription/7", Vec::new()).await.status, StatusCode::NOT_FOUND);
    camera.at(theirs.path(), "administrator", &Unsubscribe::default()).await.unwrap();
}

#[tokio::test]
async fn pulls_have_limits_and_say_them() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    let fault = camera.pull(&point, 121, 10).await.unwrap_err();
    let limits: PullMessagesFaultResponse = fault.detail[0].to().unwrap();
    assert_eq!(limits.max_timeout, span(120));
    assert!(limits.max_message_limit > 0);
    assert_eq!(fault.status(), StatusCode::INTERNAL_SERVER_ERROR);
    for bad in [pull(-1, 10), pull(1, 0), pull(1, -1)] {
        let fault = camera.at(point.path(), "user", &bad).await.unwrap_err();
        assert_eq!(name(&fault), "env:Sender/ter:InvalidArgVal");
    }
    camera.hot("s", 1);
    for most in [60, 120] {
        camera.at(point.path(), "user", &oriel_onvif::events::SetSynchronizationPoint::default()).await.unwrap();
        camera.hot("s", most);
        assert!(!camera.pull(&point, most.try_into().unwrap(), 10).await.unwrap().notification_message.is_empty());
    }
}

#[tokio::test]
async fn a_second_pull_beside_one_that_waits_is_refused() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    let (first, ()) = tokio::join!(camera.pull(&point, 60, 10), async {
        let second = loop {
            match camera.pull(&point, 0, 10).await {
                Ok(empty) => assert!(empty.notification_message.is_empty(), "the first one does not wait yet"),
                Err(fault) => break fault,
            }
        };
        detail(&second, FaultKind::UnableToGetMessages);
        camera.hot("s", 1);
    });
    assert_eq!(messages(&first.unwrap()).len(), 1);
}

#[tokio::test]
async fn nobody_in_particular_may_subscribe_and_no_level_more_than_its_class() {
    let camera = Camera::with_events().await;
    assert_eq!(camera.answer(As::Nobody, &create(60)).await.status, StatusCode::UNAUTHORIZED);
    for user in ["user", "operator", "administrator"] {
        let point = camera.create(user, &create(60)).await.unwrap();
        camera.at(point.path(), user, &Unsubscribe::default()).await.unwrap();
    }
}
