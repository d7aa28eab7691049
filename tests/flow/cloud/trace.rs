//! A device's exchanges as they are told to whoever listens: by its administrators alone, without secrets, and of that device alone.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use oriel_client::CallError;
use oriel_client::trace::{Event, Listening, What};
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_soap::access::Level;
use serde_json::json;

use super::House;
use super::api::{DEVICES, call};
use super::camera::Camera;
use super::client::{device_service, enveloped, message, request, soap};

async fn listen(house: &House, id: &str, token: &str) -> Result<Listening, CallError> {
    let url = format!("https://localhost:{}{DEVICES}/{id}/trace", house.cloud.address().port()).parse().unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    Listening::open(&url, Some(house.tls(None)), headers).await
}

async fn next(listening: &mut Listening) -> Event {
    let event = tokio::time::timeout(Duration::from_secs(10), listening.next()).await;
    event.expect("an event in time").expect("a stream").expect("its next event")
}

#[tokio::test]
async fn an_exchange_is_told_without_its_secrets_to_who_listens_to_that_device() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let mut listening = listen(&house, &camera.id, &house.administrator).await.unwrap();
    let first = next(&mut listening).await.what;
    assert!(matches!(&first, What::Tunnel { status, tunnels: 1, .. } if status == "online"), "{first:?}");
    let ask = |message: Vec<u8>| house.ask(soap(&device_service(&camera.id), &house.administrator, message));
    assert_eq!(ask(message(&GetDeviceInformation::default())).await.status, StatusCode::OK);
    let asked = next(&mut listening).await;
    let What::Asked { exchange, by, message: Some(message), .. } = &asked.what else { panic!("{asked:?}") };
    assert_eq!(message.name, "GetDeviceInformation");
    assert!(by.ends_with("(Administrator)"), "{by}");
    let answered = next(&mut listening).await;
    let What::Answered { exchange: of, status: 200, message: Some(message), .. } = &answered.what else {
        panic!("{answered:?}")
    };
    assert_eq!((of, message.name.as_str()), (exchange, "GetDeviceInformationResponse"));
    assert!(message.outline.contains("Manufacturer: Oriel"), "{}", message.outline);
    let user = "<t:CreateUsers xmlns:t='http://www.onvif.org/ver10/device/wsdl' xmlns:s='http://www.onvif.org/ver10/schema'><t:User><s:Username>ana</s:Username><s:Password>hunter2hunter2</s:Password><s:UserLevel>User</s:UserLevel></t:User></t:CreateUsers>";
    assert_eq!(ask(enveloped(user).into_bytes()).await.status, StatusCode::OK);
    for _ in 0..2 {
        let text = next(&mut listening).await.pretty(true);
        assert!(text.contains("CreateUsers") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_soap_and_what_gets_no_answer_is_told_too() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let mut listening = listen(&house, &camera.id, &house.administrator).await.unwrap();
    next(&mut listening).await;
    drop(camera.device);
    let gone = next(&mut listening).await.what;
    assert!(matches!(&gone, What::Tunnel { status, tunnels: 0, reason: Some(_) } if status == "offline"), "{gone:?}");
    let asked = soap(&device_service(&camera.id), &house.administrator, message(&GetDeviceInformation::default()));
    assert_eq!(house.ask(asked).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(matches!(next(&mut listening).await.what, What::Asked { .. }));
    let failed = next(&mut listening).await.what;
    assert!(matches!(&failed, What::Failed { reason, .. } if reason.contains("offline")), "{failed:?}");
}

#[tokio::test]
async fn only_who_may_listens_and_the_audit_log_says_so() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let operator = house.token(Level::Operator).await;
    for (id, token, status) in [
        (&*camera.id, operator.as_str(), StatusCode::FORBIDDEN),
        (&*camera.id, "nobody's", StatusCode::UNAUTHORIZED),
        ("unknown", house.administrator.as_str(), StatusCode::NOT_FOUND),
    ] {
        let refused = listen(&house, id, token).await.err();
        assert!(matches!(&refused, Some(CallError::Status { status: said, .. }) if *said == status), "{refused:?}");
    }
    let mut listening = listen(&house, &camera.id, &house.administrator).await.unwrap();
    next(&mut listening).await;
    let audit = house.ask(request(Method::GET, "/api/v1/audit?action=device.trace", &house.administrator)).await.json();
    assert_eq!(audit["items"][0]["target"], json!(&*camera.id));
    let removed = call(&house, Method::DELETE, &format!("{DEVICES}/{}", camera.id), &json!({})).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let ended = async { while let Ok(Some(_)) = listening.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("there is nothing to listen to any more");
}
