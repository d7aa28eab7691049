//! The main job: a client talks SOAP, through the cloud, to a device that only ever dialled out.

use http::StatusCode;
use http::header::HOST;
use oriel_onvif::device_mgmt::{GetCapabilities, GetDeviceInformation, GetServices, GetSystemDateAndTime};
use oriel_onvif::uplink::{ConnectionStatus, GetUplinks};
use oriel_soap::access::Level;
use oriel_soap::envelope::read_reply;
use oriel_soap::xml::Limits;

use super::House;
use super::camera::Camera;
use super::client::{Answer, device_service, message, soap};

fn information(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/soap+xml; charset=utf-8");
    assert_eq!(answer.headers["content-length"], answer.text.len().to_string());
    read_reply::<GetDeviceInformation>(answer.text.as_bytes(), &Limits::REPLY).unwrap().manufacturer
}

#[tokio::test]
async fn a_bearer_reaches_a_device_over_either_http_and_either_form_of_the_tunnel() {
    let house = House::open().await;
    let token = house.token(Level::User).await;
    for scheme in ["https", "wss"] {
        let camera = Camera::connected(&house, scheme, "User").await;
        let ask = || soap(&device_service(&camera.id), &token, message(&GetDeviceInformation::default()));
        let one = house.ask(ask()).await;
        let two = house.ask_h2(ask()).await;
        assert_eq!((information(&one), information(&two)), ("Oriel".to_owned(), "Oriel".to_owned()), "{scheme}");
        assert_eq!((one.version, two.version), (http::Version::HTTP_11, http::Version::HTTP_2));
        let told = house.client(&camera.id, &token).call(GetUplinks::default()).await.unwrap();
        assert_eq!(told.configuration[0].status, Some(ConnectionStatus::Connected), "{scheme}");
        assert_eq!(told.configuration[0].remote_address, house.url(scheme));
    }
}

#[tokio::test]
async fn addresses_in_answers_lead_back_through_the_gateway() {
    let house = House::open().await;
    let camera = Camera::connected(&house, "https", "User").await;
    let token = house.token(Level::User).await;
    let told = house.client(&camera.id, &token).call(GetServices::default()).await.unwrap();
    let root = format!("https://localhost:{}", house.cloud.address().port());
    for service in &told.service {
        let path = service.x_addr.strip_prefix(&root).unwrap_or_else(|| panic!("{}", service.x_addr));
        assert!(path.starts_with(&format!("/d/{}/onvif/", camera.id)), "{path}");
        // Each address works: what is asked there is answered, over either HTTP.
        let answer = house.ask(soap(path, &token, message(&GetSystemDateAndTime::default()))).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    }
    assert_eq!(told.service.len(), 4, "the device, the uplink, the security and the event service");
    // Whoever asks by another name is answered by that name.
    let mut other = soap(&device_service(&camera.id), &token, message(&GetCapabilities::default()));
    other.headers_mut().insert(HOST, "cloud.example".parse().unwrap());
    let answer = house.ask(other.clone()).await;
    assert!(answer.text.contains(&format!(">https://cloud.example/d/{}/onvif/", camera.id)), "{}", answer.text);
    other.headers_mut().remove(HOST);
    let h2 = house.ask_h2(other).await;
    assert!(h2.text.contains(&format!(">{root}/d/{}/onvif/", camera.id)), "{}", h2.text);
}

#[tokio::test]
async fn two_devices_behind_one_cloud_answer_for_themselves() {
    let house = House::open().await;
    let token = house.token(Level::User).await;
    let (one, other) =
        tokio::join!(Camera::connected(&house, "https", "User"), Camera::connected(&house, "wss", "User"));
    let serial = async |camera: &Camera| {
        let told = house.client(&camera.id, &token).call(GetDeviceInformation::default()).await.unwrap();
        let lan = camera.lan().call(GetDeviceInformation::default()).await.unwrap();
        assert_eq!(told.serial_number, lan.serial_number);
        told.serial_number
    };
    assert_ne!(serial(&one).await, serial(&other).await);
}
