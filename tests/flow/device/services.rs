//! What the device tells about itself (Core §8.1 to §8.4).

use super::*;
use oriel_onvif::device_mgmt::*;
use oriel_onvif::{ns, uplink};
use oriel_soap::With;

#[tokio::test]
async fn get_services_and_get_capabilities_agree() {
    let camera = Camera::start().await;
    let services = camera.ask(As::Nobody, &GetServices::default()).await.unwrap().service;
    let address = |namespace: &str| {
        services.iter().find(|service| service.namespace == namespace).map(|service| service.x_addr.clone())
    };
    assert_eq!(address(ns::TDS.uri).as_deref(), Some("http://camera.test:80/onvif/device_service"));
    assert_eq!(address(ns::TUP.uri).as_deref(), Some("http://camera.test:80/onvif/uplink_service"));
    assert!(services.iter().all(|service| service.capabilities.is_none()));

    let all = [vec![], vec![CapabilityCategory::All], vec![CapabilityCategory::Device]];
    for category in all {
        let request = GetCapabilities::with(|request| request.category = category.clone());
        let told = camera.ask(As::Nobody, &request).await.unwrap().capabilities;
        assert_eq!(told.device.map(|device| device.x_addr), address(ns::TDS.uri), "{category:?}");
        assert!(told.media.is_none() && told.ptz.is_none() && told.imaging.is_none() && told.analytics.is_none());
    }
    for category in
        [CapabilityCategory::Analytics, CapabilityCategory::Imaging, CapabilityCategory::Media, CapabilityCategory::Ptz]
    {
        let request = GetCapabilities::with(|request| request.category = vec![CapabilityCategory::Device, category]);
        let fault = camera.ask(As::Nobody, &request).await.unwrap_err();
        assert_eq!(name(&fault), "env:Receiver/ter:ActionNotSupported/ter:NoSuchService", "{category:?}");
    }
}

#[tokio::test]
async fn included_capabilities_are_those_of_each_service() {
    let camera = Camera::start().await;
    let request = GetServices::with(|request| request.include_capability = true);
    let services = camera.ask(As::Nobody, &request).await.unwrap().service;
    let included = |namespace: &str| {
        let service = services.iter().find(|service| service.namespace == namespace).unwrap();
        service.capabilities.as_ref().unwrap().any[0].clone()
    };
    let own = camera.ask(As::Nobody, &GetServiceCapabilities::default()).await.unwrap().capabilities;
    assert_eq!(included(ns::TDS.uri).to::<DeviceServiceCapabilities>().unwrap(), own);
    assert_eq!(own.security.username_token, Some(true));
    let own = camera.ask(As::Nobody, &uplink::GetServiceCapabilities::default()).await.unwrap().capabilities;
    assert_eq!(included(ns::TUP.uri).to::<uplink::Capabilities>().unwrap(), own);
}

#[tokio::test]
async fn every_service_answers_at_its_address_and_any_of_them_takes_any_request() {
    let camera = Camera::start().await;
    for path in [DEVICE, UPLINK] {
        for message in [
            envelope::request(&GetSystemDateAndTime::default(), &Headers::default()),
            envelope::request(&uplink::GetServiceCapabilities::default(), &Headers::default()),
        ] {
            assert_eq!(camera.post(path, message).await.status, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn identity_is_told_as_configured_and_stays() {
    let camera = Camera::start_with(|config| {
        config.information.manufacturer = "Maker & Sons".to_owned();
        config.information.name = "Gate <1>".to_owned();
        config.information.location = Some("country/de/hall 7".to_owned());
    })
    .await;
    let who = As::Token("user");
    let told = camera.ask(who, &GetDeviceInformation::default()).await.unwrap();
    assert_eq!(told.manufacturer, "Maker & Sons");
    assert_eq!(told.serial_number.len(), 12, "made at first start");
    let scopes = camera.ask(who, &GetScopes::default()).await.unwrap().scopes;
    let has = |item: &str| scopes.iter().any(|scope| scope.scope_item == item);
    assert!(has("onvif://www.onvif.org/name/Gate%20%3C1%3E"), "{scopes:?}");
    assert!(has("onvif://www.onvif.org/location/country/de/hall%207"), "{scopes:?}");
    assert!(has(&format!("onvif://www.onvif.org/SerialNumber/{}", told.serial_number)), "{scopes:?}");
    assert!(scopes.iter().any(|scope| scope.scope_item.starts_with("onvif://www.onvif.org/hardware/")));
    let guid = camera.ask(As::Nobody, &GetEndpointReference::default()).await.unwrap().guid;
    assert_eq!(guid, format!("urn:uuid:{}", camera.device.uuid()));
    assert!(camera.ask(As::Nobody, &GetWsdlUrl::default()).await.unwrap().wsdl_url.starts_with("https://"));
    let host = camera.ask(As::Nobody, &GetHostname::default()).await.unwrap().hostname_information;
    assert!(!host.from_dhcp && host.name.is_some());
}

#[tokio::test]
async fn the_time_is_told_to_anybody_in_utc_and_on_the_wall() {
    let camera = Camera::start().await;
    let before = Timestamp::now();
    let told = camera.ask(As::Nobody, &GetSystemDateAndTime::default()).await.unwrap().system_date_and_time;
    let utc = told.utc_date_time.unwrap();
    let text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        utc.date.year, utc.date.month, utc.date.day, utc.time.hour, utc.time.minute, utc.time.second
    );
    let seconds = text.parse::<Timestamp>().unwrap().as_second() - before.as_second();
    assert!((0..=60).contains(&seconds), "{text}");
    assert!(told.local_date_time.is_some());
    assert!(!told.time_zone.unwrap().tz.is_empty());
}

#[tokio::test]
async fn network_interfaces_are_those_of_this_machine() {
    let camera = Camera::start().await;
    let told = camera.ask(As::Token("user"), &GetNetworkInterfaces::default()).await.unwrap().network_interfaces;
    assert!(!told.is_empty());
    for interface in &told {
        assert!(!interface.token.is_empty() && interface.enabled);
        let v4 = interface.ipv4.iter().flat_map(|v4| &v4.config.manual);
        for address in v4 {
            address.address.parse::<std::net::Ipv4Addr>().unwrap();
            assert!((0..=32).contains(&address.prefix_length));
        }
    }
}

#[tokio::test]
async fn what_the_tables_have_and_the_device_has_not_is_told_apart() {
    let camera = Camera::start().await;
    let ask = |body: &str| {
        let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
        let headers = Headers { username_token: Some(token), ..Headers::default() };
        let body = oriel_soap::xml::Any::from_xml(body, &oriel_soap::xml::Limits::REQUEST).unwrap();
        camera.post(DEVICE, envelope::request_raw(&body, &headers))
    };
    let known = ask("<t:SystemReboot xmlns:t=\"http://www.onvif.org/ver10/device/wsdl\"/>").await;
    assert_eq!(name(&fault_of(&known)), "env:Receiver/ter:ActionNotSupported");
    assert_eq!(known.status, StatusCode::INTERNAL_SERVER_ERROR);
    let unknown = ask("<t:MakeCoffee xmlns:t=\"http://www.onvif.org/ver10/device/wsdl\"/>").await;
    assert_eq!(name(&fault_of(&unknown)), "env:Sender/ter:UnknownAction");
    let elsewhere = ask("<t:GetUsers xmlns:t=\"urn:elsewhere\"/>").await;
    assert_eq!(name(&fault_of(&elsewhere)), "env:Sender/ter:UnknownAction");
    // A gateway knows this one, since other devices have it; there is no PTZ service here.
    let not_served = ask("<t:GetNodes xmlns:t=\"http://www.onvif.org/ver20/ptz/wsdl\"/>").await;
    assert_eq!(name(&fault_of(&not_served)), "env:Sender/ter:UnknownAction");
}
