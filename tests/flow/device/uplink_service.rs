//! The uplink service on the LAN: every fault of Uplink chapter 6, and what a Set keeps and ignores.

use super::*;
use oriel_onvif::uplink::*;
use oriel_soap::With;
use oriel_soap::xml::List;

const ADMINISTRATOR: As<'_> = As::Digest("administrator");

fn valid(address: &str) -> SetUplink {
    SetUplink::with(|request| {
        request.configuration = Configuration::with(|configuration| {
            configuration.remote_address = address.to_owned();
            configuration.certificate_id = Some("device".to_owned());
            configuration.user_level = List::words(&["User"]);
        });
    })
}

#[tokio::test]
async fn capabilities_say_what_works() {
    let camera = Camera::start_with(|config| config.max_uplinks = 5).await;
    let told = camera.ask(As::Nobody, &GetServiceCapabilities::default()).await.unwrap().capabilities;
    assert_eq!(told.max_uplinks, Some(5));
    assert_eq!(told.protocols, Some(List(vec![Protocol::Https, Protocol::Wss])));
    assert_eq!(told.authorization_modes, Some(List(vec![AuthorizationMode::MutualTls])));
    assert_eq!(told.streaming_over_uplink, Some(false));
}

type Change = fn(&mut Configuration);

#[tokio::test]
async fn each_mistake_has_its_fault_and_changes_nothing() {
    let camera = Camera::start().await;
    let cases: &[(&str, Change)] = &[
        ("InvalidArgVal/ter:CertificateID", |c| c.certificate_id = Some("none such".to_owned())),
        ("InvalidArgVal/ter:CertPathValidationPolicyID", |c| {
            c.cert_path_validation_policy_id = Some("none such".to_owned());
        }),
        ("InvalidArgVal/ter:AuthorizationServerConfigurationToken", |c| {
            c.certificate_id = None;
            c.authorization_server = Some("none such".to_owned());
        }),
        ("InvalidArgs/ter:MissingAuthentication", |c| c.certificate_id = None),
        ("InvalidArgs/ter:MissingAuthentication", |c| c.certificate_id = Some(String::new())),
        ("InvalidArgs/ter:AmbiguousAuthentication", |c| c.authorization_server = Some("any".to_owned())),
        ("InvalidArgs/ter:ProtocolNotSupported", |c| c.remote_address = "http://127.0.0.1/".to_owned()),
        ("InvalidArgs/ter:ProtocolNotSupported", |c| c.remote_address = "ws://127.0.0.1/".to_owned()),
        ("InvalidArgVal/ter:Address", |c| c.remote_address = "127.0.0.1".to_owned()),
        ("InvalidArgVal/ter:Address", |c| c.remote_address = String::new()),
        ("InvalidArgVal/ter:Address", |c| c.remote_address = "https://user:pw@127.0.0.1/".to_owned()),
        ("InvalidArgVal/ter:Address", |c| c.remote_address = "https://10.1.2.3/".to_owned()),
        ("InvalidArgVal/ter:Address", |c| c.remote_address = "https://[::1]/".to_owned()),
        ("InvalidArgVal/ter:Address", |c| c.remote_address = "https://169.254.169.254/".to_owned()),
        ("InvalidArgVal", |c| c.user_level = List::words(&["User", "Janitor"])),
        ("InvalidArgVal", |c| c.user_level = List::words(&["Extended"])),
        ("InvalidArgVal", |c| c.user_level = List::words(&[])),
    ];
    for (expected, change) in cases {
        let mut request = valid("https://127.0.0.1:9/");
        change(&mut request.configuration);
        let fault = camera.ask(ADMINISTRATOR, &request).await.unwrap_err();
        assert_eq!(name(&fault), format!("env:Sender/ter:{expected}"), "{request:?}");
        assert!(fault.reason.contains(": "), "says what is wrong this time: {}", fault.reason);
    }
    assert_eq!(camera.ask(ADMINISTRATOR, &GetUplinks::default()).await.unwrap().configuration, []);

    let gone = DeleteUplink::with(|request| request.remote_address = "https://127.0.0.1:9/".to_owned());
    assert_eq!(name(&camera.ask(ADMINISTRATOR, &gone).await.unwrap_err()), "env:Sender/ter:InvalidArgVal/ter:Address");
}

#[tokio::test]
async fn more_than_max_uplinks_is_refused_with_the_number() {
    let camera = Camera::start_with(|config| config.max_uplinks = 2).await;
    for port in 1..=2 {
        camera.ask(ADMINISTRATOR, &valid(&format!("https://127.0.0.1:{port}/"))).await.unwrap();
    }
    let fault = camera.ask(ADMINISTRATOR, &valid("https://127.0.0.1:3/")).await.unwrap_err();
    assert_eq!(name(&fault), "env:Receiver/ter:Action/ter:MaxUplinks");
    assert!(fault.reason.contains('2'), "{}", fault.reason);
    camera.ask(ADMINISTRATOR, &valid("https://127.0.0.1:2/")).await.unwrap();
}

#[tokio::test]
async fn status_and_error_of_a_set_are_ignored_and_the_address_is_the_key() {
    let camera = Camera::start().await;
    let mut request = valid("https://127.0.0.1:9/a");
    request.configuration.status = Some(ConnectionStatus::Connected);
    request.configuration.error = Some("made up".to_owned());
    request.configuration.user_level = List::words(&["onvif:Operator", "User"]);
    camera.ask(ADMINISTRATOR, &request).await.unwrap();
    let shown = camera.ask(ADMINISTRATOR, &GetUplinks::default()).await.unwrap().configuration;
    assert_eq!(shown.len(), 1);
    assert_ne!(shown[0].status, Some(ConnectionStatus::Connected));
    assert_ne!(shown[0].error.as_deref(), Some("made up"));
    assert_eq!(shown[0].user_level, request.configuration.user_level);
    assert_eq!(shown[0].certificate_id.as_deref(), Some("device"));

    camera.ask(ADMINISTRATOR, &valid("https://127.0.0.1:9/a")).await.unwrap();
    let shown = camera.ask(ADMINISTRATOR, &GetUplinks::default()).await.unwrap().configuration;
    assert_eq!((shown.len(), shown[0].user_level.join(" ")), (1, "User".to_owned()));
    let other = DeleteUplink::with(|request| request.remote_address = "https://127.0.0.1:9/b".to_owned());
    camera.ask(ADMINISTRATOR, &other).await.unwrap_err();
    let same = DeleteUplink::with(|request| request.remote_address = "HTTPS://127.0.0.1:9/a".to_owned());
    camera.ask(ADMINISTRATOR, &same).await.unwrap();
    assert_eq!(camera.ask(ADMINISTRATOR, &GetUplinks::default()).await.unwrap().configuration, []);
}

#[tokio::test]
async fn an_error_names_the_layer_that_failed() {
    let camera = Camera::start().await;
    let closed = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let deaf = super::cloud_end::Cloud::listen().await;
    // Nobody listens there; a server that no root vouches for; a name that does not exist.
    let cases = [
        (format!("https://127.0.0.1:{closed}/"), "TCP"),
        (deaf.url("https"), "TLS"),
        ("https://no-such-host.invalid/".to_owned(), "name"),
    ];
    for (address, _) in &cases {
        camera.ask(ADMINISTRATOR, &valid(address)).await.unwrap();
    }
    let stream = deaf.attempt().await;
    drop(stream);
    for (address, layer) in &cases {
        let error = loop {
            let shown = camera.ask(As::Token("user"), &GetUplinks::default()).await.unwrap().configuration;
            let shown = shown.into_iter().find(|shown| shown.remote_address == *address).unwrap();
            if let Some(error) = shown.error {
                break error;
            }
        };
        assert!(error.contains(layer), "{address}: {error}");
    }
}
