//! The device as it is found: scopes and discovery mode by their operations, and Hello, answers and Bye over loopback, on a port of the test's own.

use super::*;
use oriel_client::discovery::{Discovery, Found, Heard, Options, Probe};
use oriel_device::store::State;
use oriel_onvif::device_mgmt::*;
use oriel_soap::With;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

const LONG: Duration = Duration::from_secs(20);
const ADMINISTRATOR: As<'_> = As::Token("administrator");

fn set_scopes(scopes: &[&str]) -> SetScopes {
    SetScopes::with(|request| request.scopes = scopes.iter().map(ToString::to_string).collect())
}

fn add_scopes(scopes: &[&str]) -> AddScopes {
    AddScopes::with(|request| request.scope_item = scopes.iter().map(ToString::to_string).collect())
}

fn remove_scopes(scopes: &[&str]) -> RemoveScopes {
    RemoveScopes::with(|request| request.scope_item = scopes.iter().map(ToString::to_string).collect())
}

fn set_mode(mode: DiscoveryMode) -> SetDiscoveryMode {
    SetDiscoveryMode::with(|request| request.discovery_mode = mode)
}

impl Camera {
    async fn configurable(&self) -> Vec<String> {
        let scopes = self.ask(As::Token("user"), &GetScopes::default()).await.unwrap().scopes;
        let set = scopes.into_iter().filter(|scope| scope.scope_def == ScopeDefinition::Configurable);
        set.map(|scope| scope.scope_item).collect()
    }

    fn state(&self) -> State {
        let document = std::fs::read(self.folder.path().join("data/state.json")).unwrap();
        serde_json::from_slice(&document).unwrap()
    }
}

#[tokio::test]
async fn scopes_are_set_added_and_removed_beside_those_of_the_device() {
    let mut camera = Camera::start_with(|config| config.information.location = Some("hall/7".to_owned())).await;
    let (name, hall) = ("onvif://www.onvif.org/name/Oriel", "onvif://www.onvif.org/location/hall/7");
    assert_eq!(camera.configurable().await, [name, hall]);
    let scopes = camera.ask(As::Token("user"), &GetScopes::default()).await.unwrap().scopes;
    let fixed: Vec<_> = scopes.iter().filter(|scope| scope.scope_def == ScopeDefinition::Fixed).collect();
    for category in ["name/", "hardware/", "SerialNumber/", "type/"] {
        let one = format!("onvif://www.onvif.org/{category}");
        assert!(fixed.iter().any(|scope| scope.scope_item.starts_with(&one)), "{category}: {fixed:?}");
    }
    assert!(!scopes.iter().any(|scope| scope.scope_item.contains("/Profile/")), "it conforms to none yet");

    let gate = "onvif://www.onvif.org/name/Gate%201";
    camera.ask(ADMINISTRATOR, &add_scopes(&[gate, name, gate])).await.unwrap();
    assert_eq!(camera.configurable().await, [name, hall, gate]);
    let removed = camera.ask(ADMINISTRATOR, &remove_scopes(&[name])).await.unwrap();
    assert_eq!(removed.scope_item, [name]);
    assert_eq!(camera.configurable().await, [hall, gate]);
    // The device's own among them change nothing, and the rest of the configurable ones goes.
    let own = &fixed[0].scope_item;
    camera.ask(ADMINISTRATOR, &set_scopes(&[own, "http://example.org/floor/2"])).await.unwrap();
    assert_eq!(camera.configurable().await, ["http://example.org/floor/2"]);

    let Camera { device, folder } = camera;
    device.stop().await;
    camera = Camera { device: Device::start(config(&folder, |_| {})).await.unwrap(), folder };
    assert_eq!(camera.configurable().await, ["http://example.org/floor/2"], "kept, whatever the configuration says");
}

#[tokio::test]
async fn scopes_that_cannot_be_are_refused_and_nothing_changes() {
    let camera = Camera::start().await;
    let before = camera.configurable().await;
    let fixed = "onvif://www.onvif.org/hardware/Oriel%20Device";
    let refused = camera.ask(ADMINISTRATOR, &remove_scopes(&[&before[0], fixed])).await.unwrap_err();
    assert_eq!(name(&refused), "env:Sender/ter:OperationProhibited/ter:FixedScope");
    let refused = camera.ask(ADMINISTRATOR, &remove_scopes(&[&before[0], "urn:none"])).await.unwrap_err();
    assert_eq!(name(&refused), "env:Sender/ter:InvalidArgVal/ter:NoScope");
    let many: Vec<String> = (0..33).map(|number| format!("urn:{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long: Vec<String> = (0..20).map(|number| format!("urn:{number}:{}", "x".repeat(240))).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    for too_many in [many, long] {
        for refused in [
            camera.ask(ADMINISTRATOR, &set_scopes(&too_many)).await.map(drop),
            camera.ask(ADMINISTRATOR, &add_scopes(&too_many)).await.map(drop),
        ] {
            assert_eq!(name(&refused.unwrap_err()), "env:Receiver/ter:Action/ter:TooManyScopes");
        }
    }
    let endless = format!("urn:{}", "x".repeat(300));
    for scope in ["", "no scheme", "name", "onvif://www.onvif.org/name/a b", "urn:<a>", "urn:ü", "urn:\u{7f}", &endless]
    {
        let refused = camera.ask(ADMINISTRATOR, &set_scopes(&[scope])).await.unwrap_err();
        assert_eq!(name(&refused), "env:Sender/ter:InvalidArgVal", "{scope:?}");
    }
    let refused = camera.ask(ADMINISTRATOR, &set_scopes(&[])).await.unwrap_err();
    assert_eq!(name(&refused), "env:Sender/ter:InvalidArgs");
    for who in ["operator", "user"] {
        let refused = camera.ask(As::Token(who), &set_scopes(&["urn:x"])).await.unwrap_err();
        assert!(refused.is("NotAuthorized"), "{who}: {refused}");
    }
    assert_eq!(camera.configurable().await, before);
}

#[tokio::test]
async fn what_cannot_be_found_says_so() {
    let camera = Camera::start().await;
    let told = camera.ask(As::Nobody, &GetServiceCapabilities::default()).await.unwrap().capabilities.system;
    assert_eq!(
        (told.discovery_not_supported, told.discovery_resolve, told.discovery_bye),
        (Some(true), Some(false), Some(false))
    );
    let mode = camera.ask(As::Token("user"), &GetDiscoveryMode::default()).await.unwrap().discovery_mode;
    assert_eq!(mode, DiscoveryMode::NonDiscoverable);
    let refused = camera.ask(ADMINISTRATOR, &set_mode(DiscoveryMode::Discoverable)).await.unwrap_err();
    assert_eq!(name(&refused), "env:Receiver/ter:ActionNotSupported");
    assert_eq!(camera.state().discovery.instance_id, 0);
}

/// A port that nothing uses at the moment.
fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Somebody who looks on loopback.
struct Seeker {
    port: u16,
    discovery: Discovery,
    heard: Receiver<Heard>,
}

impl Seeker {
    fn start() -> Self {
        let port = free_port();
        let mut options = Options::default();
        (options.interfaces, options.port, options.ipv6) = (vec!["lo".to_owned()], port, false);
        let discovery = Discovery::open(&options).unwrap();
        let heard = discovery.hear();
        Self { port, discovery, heard }
    }

    fn on(&self, config: &mut Config) {
        (config.discovery.interfaces, config.discovery.port) = (vec!["lo".to_owned()], self.port);
    }

    async fn hello(&mut self) -> Found {
        match tokio::time::timeout(LONG, self.heard.recv()).await.expect("a Hello in time").unwrap() {
            Heard::Hello(found) => found,
            other => panic!("{other:?}"),
        }
    }

    async fn probe(&self, scopes: &[&str], wait: Duration) -> Vec<Found> {
        let mut probe = Probe::default();
        (probe.scopes, probe.wait) = (scopes.iter().map(ToString::to_string).collect(), wait);
        self.discovery.probe(&probe).await
    }

    /// One that has to be there, however busy the machine is.
    async fn find(&self, scopes: &[&str]) -> Found {
        for wait in [1, 2, 8].map(Duration::from_secs) {
            if let Some(found) = self.probe(scopes, wait).await.pop() {
                return found;
            }
        }
        panic!("not found by {scopes:?}");
    }
}

#[tokio::test]
async fn the_device_says_hello_is_found_by_what_it_is_and_says_bye() {
    let mut seeker = Seeker::start();
    let camera = Camera::start_with(|config| seeker.on(config)).await;
    let endpoint = format!("urn:uuid:{}", camera.device.uuid());
    let address = format!("http://{}/onvif/device_service", camera.address());
    let hello = seeker.hello().await;
    assert_eq!((&hello.endpoint, hello.address().unwrap().as_str()), (&endpoint, address.as_str()));
    assert_eq!((hello.name().as_deref(), hello.metadata_version), (Some("Oriel"), 1));
    assert!(hello.is_onvif());
    let found = seeker.find(&["onvif://www.onvif.org/name/Oriel", "onvif://www.onvif.org/hardware"]).await;
    assert_eq!((&found.endpoint, found.address().unwrap().as_str()), (&endpoint, address.as_str()));
    assert_eq!(seeker.probe(&["onvif://www.onvif.org/name/Other"], Duration::from_secs(1)).await, []);
    assert_eq!(seeker.discovery.resolve(&endpoint, LONG).await.unwrap().endpoint, endpoint);

    let told = camera.ask(As::Nobody, &GetServiceCapabilities::default()).await.unwrap().capabilities.system;
    assert_eq!(
        (told.discovery_not_supported, told.discovery_resolve, told.discovery_bye),
        (Some(false), Some(true), Some(true))
    );
    let category = GetCapabilities::with(|request| request.category = vec![CapabilityCategory::Device]);
    let legacy = camera.ask(As::Nobody, &category).await.unwrap().capabilities.device.unwrap().system.unwrap();
    assert!(legacy.discovery_resolve && legacy.discovery_bye && !legacy.remote_discovery);

    camera.device.stop().await;
    let bye = tokio::time::timeout(LONG, seeker.heard.recv()).await.unwrap().unwrap();
    assert_eq!(bye, Heard::Bye(endpoint));
}

#[tokio::test]
async fn a_scope_that_is_set_is_told_with_a_higher_version_and_a_new_start_is_the_same_device() {
    let mut seeker = Seeker::start();
    let camera = Camera::start_with(|config| seeker.on(config)).await;
    let first = seeker.hello().await;
    let gate = "onvif://www.onvif.org/name/Gate";
    camera.ask(ADMINISTRATOR, &set_scopes(&[gate])).await.unwrap();
    let second = seeker.hello().await;
    assert!(second.metadata_version > first.metadata_version, "{second:?}");
    assert_eq!((second.name().as_deref(), &second.endpoint), (Some("Gate"), &first.endpoint));
    assert_eq!(seeker.find(&[gate]).await.metadata_version, second.metadata_version);
    // The same again is no change, and nothing is said.
    camera.ask(ADMINISTRATOR, &set_scopes(&[gate])).await.unwrap();

    let before = camera.state().discovery;
    let Camera { device, folder } = camera;
    // As a power cut would end it.
    drop(device);
    let camera = Camera { device: restart(&folder, &seeker).await, folder };
    let third = seeker.hello().await;
    assert_eq!((&third.endpoint, third.name().as_deref()), (&first.endpoint, Some("Gate")));
    let after = camera.state().discovery;
    assert!(after.instance_id > before.instance_id, "{} then {}", before.instance_id, after.instance_id);
    // It listens on another port now.
    assert_eq!(third.metadata_version, second.metadata_version + 1);
}

/// The folder is free as soon as the tasks of the device before are gone.
async fn restart(folder: &TempDir, seeker: &Seeker) -> Device {
    loop {
        match Device::start(config(folder, |config| seeker.on(config))).await {
            Ok(device) => return device,
            Err(oriel_device::DeviceError::Store(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_device_that_is_not_to_be_discovered_is_silent_until_it_is() {
    let mut seeker = Seeker::start();
    let camera = Camera::start_with(|config| seeker.on(config)).await;
    let hello = seeker.hello().await;
    seeker.find(&[]).await;
    let mode = async || camera.ask(As::Token("user"), &GetDiscoveryMode::default()).await.unwrap().discovery_mode;
    assert_eq!(mode().await, DiscoveryMode::Discoverable);
    camera.ask(ADMINISTRATOR, &set_mode(DiscoveryMode::NonDiscoverable)).await.unwrap();
    assert_eq!(mode().await, DiscoveryMode::NonDiscoverable);
    assert_eq!(seeker.probe(&[], Duration::from_secs(2)).await, []);
    assert_eq!(seeker.discovery.resolve(&hello.endpoint, Duration::from_secs(1)).await, None);
    assert!(seeker.heard.try_recv().is_err(), "no Bye: it shall not send such messages");
    camera.ask(ADMINISTRATOR, &set_mode(DiscoveryMode::Discoverable)).await.unwrap();
    assert_eq!(seeker.hello().await.endpoint, hello.endpoint);
    seeker.find(&[]).await;
    camera.ask(ADMINISTRATOR, &set_mode(DiscoveryMode::NonDiscoverable)).await.unwrap();
    let Camera { device, folder } = camera;
    device.stop().await;
    let _again = restart(&folder, &seeker).await;
    assert_eq!(seeker.probe(&[], Duration::from_secs(1)).await, [], "kept");
    assert!(seeker.heard.try_recv().is_err(), "neither Bye nor Hello");
}
