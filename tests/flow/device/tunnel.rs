//! The device behind its uplink: what the cloud sees, and uplinks that are changed through themselves.

use super::cloud_end::{Cloud, Tunnel};
use super::*;
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetServices, GetUsers};
use oriel_onvif::uplink::{ConnectionStatus, DeleteUplink, GetUplinks, SetUplink};
use oriel_soap::With;
use oriel_uplink::cloud::CloseReason;

#[tokio::test]
async fn both_forms_connect_show_the_devices_key_and_say_connected() {
    let cloud = Cloud::listen().await;
    let camera = cloud.camera().await;
    for scheme in ["https", "wss"] {
        let mut request = SetUplink::with(|request| request.configuration = cloud.configuration(&["User"]));
        request.configuration.remote_address = cloud.url(scheme);
        camera.ask(As::Digest("administrator"), &request).await.unwrap();
        let tunnel = cloud.tunnel().await;
        assert_eq!(tunnel.fingerprint, Some(camera.device.fingerprint()), "{scheme}");
        let told = tunnel.ask(&GetUplinks::default()).await.unwrap();
        let shown = told.configuration.iter().find(|shown| shown.remote_address == cloud.url(scheme)).unwrap();
        assert_eq!(shown.status, Some(ConnectionStatus::Connected), "{scheme}");
        assert_eq!(shown.error, None);
    }
}

#[tokio::test]
async fn nothing_that_a_request_brings_along_counts_in_a_tunnel() {
    let cloud = Cloud::listen().await;
    let camera = cloud.camera().await;
    cloud.set(&camera, &["User"]).await;
    let tunnel = cloud.tunnel().await;
    // The right credentials of an administrator lift nothing, and wrong ones take nothing away.
    let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
    let answer = tunnel.post(DEVICE, with_token(&GetUsers::default(), token)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(name(&fault_of(&answer)), "env:Sender/ter:NotAuthorized");
    let token = UsernameToken::digest("nobody", "guessed", Timestamp::now());
    let mut request = soap(DEVICE, with_token(&GetDeviceInformation::default(), token));
    request.headers_mut().insert("authorization", "Digest nonsense".parse().unwrap());
    assert_eq!(tunnel.send(request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn addresses_are_those_of_whoever_asked() {
    let cloud = Cloud::listen().await;
    let camera = cloud.camera().await;
    cloud.set(&camera, &["User"]).await;
    let tunnel = cloud.tunnel().await;
    let mut request = soap(DEVICE, envelope::request(&GetServices::default(), &Headers::default()));
    for (name, value) in [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "cloud.example:8443"),
        ("x-forwarded-prefix", "/d/camera-1"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let forwarded = tunnel.send(request.clone()).await;
    assert!(
        forwarded.text.contains(">https://cloud.example:8443/d/camera-1/onvif/device_service<"),
        "{}",
        forwarded.text
    );
    assert!(
        forwarded.text.contains(">https://cloud.example:8443/d/camera-1/onvif/uplink_service<"),
        "{}",
        forwarded.text
    );
    // The same request on the LAN: there the forwarded headers are anybody's.
    let lan = camera.send(request).await;
    assert!(lan.text.contains(">http://camera.test:80/onvif/device_service<"), "{}", lan.text);
}

#[tokio::test]
async fn an_uplink_is_changed_through_itself_and_the_answer_arrives() {
    let cloud = Cloud::listen().await;
    let loopback = || "127.0.0.0/8".parse().unwrap();
    let camera = cloud.camera_with(|config| config.call_out.allowed_by_uplink.push(loopback())).await;
    cloud.set(&camera, &["Administrator"]).await;
    let first = cloud.tunnel().await;
    let at = |host: &str| {
        let mut request = SetUplink::with(|request| request.configuration = cloud.configuration(&["Administrator"]));
        request.configuration.remote_address = cloud.url("https").replace("127.0.0.1", host);
        request
    };

    // Another name of the same machine is another uplink: the first one adds it, and is then deleted through itself.
    let other = at("LOCALHOST");
    first.ask(&other).await.unwrap();
    let second = cloud.tunnel().await;
    assert_eq!(second.ask(&GetUplinks::default()).await.unwrap().configuration.len(), 2);
    let gone = DeleteUplink::with(|request| request.remote_address = cloud.url("https"));
    first.ask(&gone).await.unwrap();
    assert_eq!(first.tunnel.closed().await, CloseReason::Peer);
    assert_eq!(addresses(&second).await, [other.configuration.remote_address]);

    // The letter case of a host makes no other place: the second one replaces itself.
    let replaced = at("localhost");
    second.ask(&replaced).await.unwrap();
    let third = cloud.tunnel().await;
    assert_eq!(second.tunnel.closed().await, CloseReason::Peer);
    assert_eq!(addresses(&third).await, [replaced.configuration.remote_address]);
}

async fn addresses(tunnel: &Tunnel) -> Vec<String> {
    let told = tunnel.ask(&GetUplinks::default()).await.unwrap();
    told.configuration.into_iter().map(|shown| shown.remote_address).collect()
}

#[tokio::test]
async fn less_rights_count_at_once_and_leave_the_tunnel_standing() {
    let cloud = Cloud::listen().await;
    let camera = cloud.camera().await;
    cloud.set(&camera, &["Administrator"]).await;
    let tunnel = cloud.tunnel().await;
    tunnel.ask(&GetUsers::default()).await.unwrap();
    let request = SetUplink::with(|request| request.configuration = cloud.configuration(&["User"]));
    tunnel.ask(&request).await.unwrap();
    // The supervisor takes the step on its own time: until then the answer is one of the two, and then it stays.
    while tunnel.ask(&GetUsers::default()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(tunnel.ask(&request).await.unwrap_err().is("NotAuthorized"));
    assert!(!tunnel.tunnel.is_closed());
}

#[tokio::test]
async fn a_cloud_may_not_lead_the_device_into_the_network_it_stands_in() {
    let cloud = Cloud::listen().await;
    let camera = cloud.camera().await;
    cloud.set(&camera, &["Administrator"]).await;
    let tunnel = cloud.tunnel().await;
    let at = |address: &str| {
        let mut request = SetUplink::with(|request| request.configuration = cloud.configuration(&["User"]));
        request.configuration.remote_address = address.to_owned();
        request
    };
    // An address literal is refused at once; the LAN may set it.
    let inside = at("https://127.0.0.1:9/elsewhere");
    assert_eq!(name(&tunnel.ask(&inside).await.unwrap_err()), "env:Sender/ter:InvalidArgVal/ter:Address");
    camera.ask(As::Digest("administrator"), &inside).await.unwrap();
    let refused = camera.ask(As::Digest("administrator"), &at("https://10.0.0.1/")).await.unwrap_err();
    assert_eq!(name(&refused), "env:Sender/ter:InvalidArgVal/ter:Address");
    // A name is refused when it is resolved, and Error says why.
    let named = at(&cloud.url("https").replace("127.0.0.1", "localhost"));
    tunnel.ask(&named).await.unwrap();
    let error = loop {
        let told = tunnel.ask(&GetUplinks::default()).await.unwrap().configuration;
        let shown = told.into_iter().find(|shown| shown.remote_address == named.configuration.remote_address).unwrap();
        assert_ne!(shown.status, Some(ConnectionStatus::Connected));
        if let Some(error) = shown.error {
            break error;
        }
    };
    assert!(error.contains("address"), "{error}");
    // What stands under an address that the LAN chose can be changed through the uplink, and stays dialled.
    tunnel
        .ask(&SetUplink::with(|request| request.configuration = cloud.configuration(&["Operator", "Administrator"])))
        .await
        .unwrap();
    assert!(tunnel.ask(&GetUplinks::default()).await.is_ok());
}
