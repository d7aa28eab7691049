//! A camera that knows nothing of the cloud, in the cloud: our own device plays it, without an uplink of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use oriel_client::{Answer, Auth, Client, Transport, TransportError};
use oriel_cloud::records::DeviceId;
use oriel_device::bridge::{BridgedCamera, CameraEntry, Common, Contact};
use oriel_device::store::{Account, Role, Secret};
use oriel_device::{Config, Device};
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetServices, GetUsers};
use oriel_onvif::ns;
use oriel_onvif::uplink::GetUplinks;
use oriel_soap::With as _;
use oriel_soap::access::Level;
use oriel_uplink::body;
use tempfile::TempDir;

use crate::cloud::House;
use crate::cloud::camera::uplink;

const USERS: [(&str, Role); 3] = [("root", Role::Administrator), ("oper", Role::Operator), ("view", Role::User)];

fn account(name: &str, level: Role, password: &str) -> Account {
    Account { name: name.to_owned(), password: Secret::new(password), level }
}

/// The accounts of the camera.
fn accounts() -> Vec<Account> {
    USERS.map(|(name, level)| account(name, level, &format!("{name} knows a secret 7!"))).to_vec()
}

/// The camera itself.
async fn camera(folder: &TempDir) -> Device {
    let mut config = Config::new(folder.path().join("camera"));
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    config.users = accounts();
    config.information.model = "Plain Camera".to_owned();
    Device::start(config).await.unwrap()
}

fn entry(camera: &Device) -> CameraEntry {
    let address = format!("http://{}/onvif/device_service", camera.addresses()[0]);
    let mut entry = CameraEntry::new("gate", address.parse().unwrap());
    entry.accounts = accounts();
    entry
}

/// A camera behind a bridge, registered at a cloud.
struct Bridged {
    camera: Device,
    bridged: Arc<BridgedCamera>,
    id: DeviceId,
    folder: TempDir,
}

impl Bridged {
    async fn at(house: &House) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let camera = camera(&folder).await;
        let bridged = bridge(&folder, entry(&camera), house).await;
        let id = house.register(bridged.status().fingerprint).await;
        Self { camera, bridged: Arc::new(bridged), id, folder }
    }

    /// With an uplink of `level` that stands.
    async fn connected(house: &House, level: &str) -> Self {
        let bridged = Self::at(house).await;
        bridged.lan(&bridged.bridged).call(uplink(&house.url("https"), level)).await.unwrap();
        house.online(&bridged.id).await;
        bridged
    }

    /// The bridge's client on the LAN, an administrator.
    fn lan(&self, bridged: &Arc<BridgedCamera>) -> Client {
        lan(bridged, "root", "root knows a secret 7!")
    }
}

async fn bridge(folder: &TempDir, entry: CameraEntry, house: &House) -> BridgedCamera {
    let mut common = Common::default();
    common.policies.insert("cloud".to_owned(), house.ca.clone());
    common.call_out.allowed = vec!["127.0.0.0/8".parse().unwrap()];
    common.call_out.allowed_by_uplink = common.call_out.allowed.clone();
    BridgedCamera::start(folder.path().join("gate"), entry, Arc::new(common)).await.unwrap()
}

/// The bridge's own port without its sockets.
struct Port(Arc<BridgedCamera>);

impl Transport for Port {
    fn send(&self, mut request: Request<bytes::Bytes>) -> Answer<'_> {
        Box::pin(async move {
            let here: SocketAddr = ([127, 0, 0, 1], 8080).into();
            request.headers_mut().insert("host", "bridge.lan:8080".parse().unwrap());
            let target = request.uri().path().strip_prefix("/gate").expect("what is asked of it").to_owned();
            *request.uri_mut() = target.parse().unwrap();
            let (head, body) = self.0.lan(request.map(body::full), here, here, "/gate").await.into_parts();
            let body = body.collect().await.map_err(TransportError::Body)?.to_bytes();
            Ok(http::Response::from_parts(head, body))
        })
    }
}

fn lan(bridged: &Arc<BridgedCamera>, user: &str, password: &str) -> Client {
    let auth = Auth::Password { user: user.to_owned(), password: password.to_owned() };
    Client::over(Arc::new(Port(Arc::clone(bridged))), "/gate/onvif/device_service".to_owned(), auth)
}

#[tokio::test]
async fn a_camera_that_knows_no_cloud_is_in_the_cloud_as_a_device_of_its_own() {
    let house = House::open().await;
    let gate = Bridged::connected(&house, "Administrator").await;
    let client = house.client(&gate.id, &house.administrator);
    let information = client.call(GetDeviceInformation::default()).await.unwrap();
    assert_eq!(information.model, "Plain Camera");

    let services = client.call(GetServices::with(|asked| asked.include_capability = true)).await.unwrap().service;
    let base = format!("https://localhost:{}/d/{}", house.cloud.address().port(), gate.id);
    let address = |namespace: &str| -> Vec<_> {
        services.iter().filter(|one| one.namespace == namespace).map(|one| one.x_addr.clone()).collect()
    };
    assert_eq!(address(ns::TDS.uri), [format!("{base}/onvif/device_service")]);
    assert_eq!(address(ns::TUP.uri), [format!("{base}/oriel/uplink_service")], "ours, and not the camera's own");
    assert_eq!(address(ns::TAS.uri), [format!("{base}/oriel/security_service")]);
    assert!(services.iter().all(|one| one.capabilities.as_ref().is_some_and(|inside| inside.any.len() == 1)));

    // What the camera has of that kind is empty, and so it stays.
    let uplinks = client.call(GetUplinks::default()).await.unwrap().configuration;
    assert_eq!(uplinks.len(), 1);
    assert!(gate.camera.uplinks().is_empty());
    let status = gate.bridged.status();
    assert_eq!((status.contact, status.uplinks.len()), (Contact::Answers, 1));
}

#[tokio::test]
async fn an_uplink_set_through_itself_is_answered_and_the_camera_stays_reachable() {
    let house = House::open().await;
    let gate = Bridged::connected(&house, "Administrator").await;
    let client = house.client(&gate.id, &house.administrator);
    client.call(uplink(&house.url("https"), "User")).await.unwrap();
    client.call(GetDeviceInformation::default()).await.unwrap();
    client.call(GetUsers::default()).await.expect_err("the level is a user's now");
}

#[tokio::test]
async fn the_level_of_the_uplink_counts_and_on_the_lan_that_of_the_account() {
    let house = House::open().await;
    let gate = Bridged::connected(&house, "User").await;
    let refused = house.client(&gate.id, &house.administrator).call(GetUsers::default()).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    for (name, may) in [("view", false), ("oper", false), ("root", true)] {
        let client = lan(&gate.bridged, name, &format!("{name} knows a secret 7!"));
        client.call(GetDeviceInformation::default()).await.unwrap();
        assert_eq!(client.call(GetUsers::default()).await.is_ok(), may, "{name}");
    }
    let wrong = lan(&gate.bridged, "root", "another secret 7!").call(GetUsers::default()).await.unwrap_err();
    assert!(wrong.is_refusal(), "{wrong}");
    let services = gate.lan(&gate.bridged).call(GetServices::default()).await.unwrap().service;
    assert!(services.iter().all(|one| one.x_addr.starts_with("http://bridge.lan:8080/gate/")), "{services:?}");
}

#[tokio::test]
async fn a_new_password_and_a_new_address_count_from_the_next_request_on_and_the_uplink_stays() {
    let house = House::open().await;
    let gate = Bridged::connected(&house, "Administrator").await;
    let client = house.client(&gate.id, &house.administrator);
    let asks = || client.call(GetUsers::default());
    asks().await.unwrap();
    let mut changed = entry(&gate.camera);
    changed.accounts = vec![account("root", Role::Administrator, "what it is not 7!")];
    gate.bridged.change(changed.clone()).unwrap();
    let refused = asks().await.unwrap_err().to_string();
    assert!(refused.contains("does not take the bridge's account \"root\""), "{refused}");
    changed.accounts = accounts();
    gate.bridged.change(changed.clone()).unwrap();
    asks().await.unwrap();

    // Another camera at another address, as far as the bridge can tell; the old one is gone.
    let other = tempfile::tempdir().unwrap();
    let moved = camera(&other).await;
    let Bridged { camera: before, bridged, folder: _folder, .. } = &gate;
    bridged.change(entry(&moved)).unwrap();
    assert_ne!(before.addresses(), moved.addresses());
    asks().await.unwrap();
    assert_eq!(house.tunnels(&gate.id), 1);
    assert_eq!(bridged.status().address, entry(&moved).address);
}

#[tokio::test]
async fn a_camera_that_is_gone_is_told_at_once_by_layer_and_is_there_again_when_it_is_back() {
    let house = House::open().await;
    let gate = Bridged::connected(&house, "Administrator").await;
    let client = house.client(&gate.id, &house.administrator);
    let Bridged { camera: lost, bridged, id, folder } = gate;
    let mut told = bridged.watch();
    client.call(GetDeviceInformation::default()).await.unwrap();
    let address = lost.addresses()[0];
    lost.stop().await;

    let first = client.call(GetDeviceInformation::default()).await.unwrap_err().to_string();
    assert!(first.contains("TCP"), "{first}");
    told.wait_for(|contact| matches!(contact, Contact::Silent(why) if why.contains("TCP"))).await.unwrap();
    for _ in 0..20 {
        client.call(GetDeviceInformation::default()).await.unwrap_err();
    }
    // What is ours is answered all the same.
    client.call(GetUplinks::default()).await.unwrap();
    assert_eq!(house.tunnels(&id), 1);

    let mut config = Config::new(folder.path().join("camera"));
    config.listen = vec![address];
    let _back = Device::start(config).await.unwrap();
    let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while let Err(error) = client.call(GetDeviceInformation::default()).await {
        assert!(tokio::time::Instant::now() < patience, "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(bridged.status().contact, Contact::Answers);
}

#[tokio::test]
async fn identity_and_uplinks_outlive_the_bridge() {
    let house = House::open().await;
    let gate = Bridged::connected(&house, "Administrator").await;
    let before = gate.bridged.status();
    let Bridged { camera, bridged, id, folder } = gate;
    let uplinks = before.uplinks.clone();
    Arc::into_inner(bridged).expect("nobody else has it").stop().await;
    assert_eq!(uplinks.len(), 1);
    let again = bridge(&folder, entry(&camera), &house).await;
    house.online(&id).await;
    assert_eq!((again.status().uuid, again.status().fingerprint), (before.uuid, before.fingerprint));
    let client = house.client(&id, &house.administrator);
    client.call(GetDeviceInformation::default()).await.unwrap();
}

#[tokio::test]
async fn what_needs_nobody_is_asked_of_the_camera_without_its_accounts() {
    let house = House::open().await;
    let gate = Bridged::at(&house).await;
    let nobody =
        Client::over(Arc::new(Port(Arc::clone(&gate.bridged))), "/gate/onvif/device_service".to_owned(), Auth::None);
    nobody.call(GetServices::default()).await.unwrap();
    let refused = nobody.call(GetUsers::default()).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    for level in [Level::User, Level::Operator] {
        let service = gate.bridged.uplink_service("https://cloud.example/", level.into());
        let request =
            Request::post("/oriel/nothing").header("content-type", "application/soap+xml").body(body::full(""));
        assert_eq!(service(request.unwrap()).await.status(), StatusCode::BAD_REQUEST);
    }
}
