//! From the first start to the next: identity, accounts and uplinks stay; stopping is polite, dropping is quick.

use super::*;
use oriel_device::DeviceError;
use oriel_device::store::StoreError;
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetSystemDateAndTime};
use oriel_onvif::uplink::{Configuration, DeleteUplink, GetUplinks, SetUplink};
use oriel_soap::With;
use oriel_soap::xml::List;

fn uplink(port: usize) -> SetUplink {
    SetUplink::with(|request| {
        request.configuration = Configuration::with(|configuration| {
            configuration.remote_address = format!("https://127.0.0.1:{port}/");
            configuration.certificate_id = Some("device".to_owned());
            configuration.user_level = List::words(&["User"]);
        });
    })
}

#[tokio::test]
async fn the_first_start_makes_an_administrator_once_and_an_identity_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let first = Device::start(config(&folder, |config| config.users.clear())).await.unwrap();
    let credentials = first.first_credentials().unwrap().clone();
    assert!(!format!("{first:?} {credentials:?}").contains(&credentials.password));
    let (uuid, fingerprint) = (first.uuid(), first.fingerprint());
    let pem = std::fs::read_to_string(first.certificate()).unwrap();
    assert!(pem.contains("BEGIN CERTIFICATE") && !pem.contains("PRIVATE"));
    first.stop().await;

    let second = Device::start(config(&folder, |config| config.users.clear())).await.unwrap();
    assert_eq!((second.uuid(), second.fingerprint()), (uuid, fingerprint));
    assert_eq!(second.first_credentials(), None);
    let token = UsernameToken::digest(&credentials.user, &credentials.password, Timestamp::now());
    let request = soap(DEVICE, with_token(&GetDeviceInformation::default(), token));
    assert_eq!(send(second.addresses()[0], request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_folder_has_one_device_and_a_port_too() {
    let camera = Camera::start().await;
    let twice = Device::start(config(&camera.folder, |_| {})).await.unwrap_err();
    assert!(matches!(twice, DeviceError::Store(StoreError::InUse(_))), "{twice}");
    let other = tempfile::tempdir().unwrap();
    let taken = Device::start(config(&other, |config| config.listen = vec![camera.address()])).await.unwrap_err();
    assert!(matches!(taken, DeviceError::Listen { .. }), "{taken}");
    assert!(taken.to_string().contains(&camera.address().to_string()), "{taken}");
}

#[tokio::test]
async fn two_hundred_changes_are_each_durable_when_answered() {
    let camera = Camera::start_with(|config| config.max_uplinks = 64).await;
    let administrator = As::Token("administrator");
    for round in 0..100 {
        camera.ask(administrator, &uplink(1 + round % 7)).await.unwrap();
        let stored = std::fs::read_to_string(camera.folder.path().join("data/state.json")).unwrap();
        assert!(stored.contains(&format!("https://127.0.0.1:{}/", 1 + round % 7)), "round {round}");
        let gone =
            DeleteUplink::with(|request| request.remote_address = format!("https://127.0.0.1:{}/", 1 + round % 7));
        if round < 99 {
            camera.ask(administrator, &gone).await.unwrap();
        }
    }
    let before = camera.ask(administrator, &GetUplinks::default()).await.unwrap().configuration;
    let Camera { device, folder } = camera;
    device.stop().await;
    let again = Camera { device: Device::start(config(&folder, |_| {})).await.unwrap(), folder };
    let after = again.ask(administrator, &GetUplinks::default()).await.unwrap().configuration;
    assert_eq!(before.len(), 1);
    assert_eq!(before[0].remote_address, after[0].remote_address);
    assert_eq!(again.device.uplinks()[0].remote_address, after[0].remote_address);
}

#[tokio::test]
async fn a_document_that_cannot_be_written_is_a_fault_and_changes_nothing() {
    let camera = Camera::start().await;
    // A folder in the place of the spare file makes every write fail.
    std::fs::create_dir(camera.folder.path().join("data/state.json.new")).unwrap();
    let fault = camera.ask(As::Token("administrator"), &uplink(1)).await.unwrap_err();
    assert_eq!(name(&fault), "env:Receiver/ter:Action");
    assert!(fault.reason.contains("nothing was changed"), "{fault}");
    assert!(!fault.reason.contains('/'), "no path of ours is told: {fault}");
    assert_eq!(camera.ask(As::Token("user"), &GetUplinks::default()).await.unwrap().configuration, []);
    std::fs::remove_dir(camera.folder.path().join("data/state.json.new")).unwrap();
    camera.ask(As::Token("administrator"), &uplink(1)).await.unwrap();
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_the_port() {
    let camera = Camera::start().await;
    let address = camera.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let answer = camera.answer(As::Nobody, &GetSystemDateAndTime::default()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let Camera { device, folder } = camera;
    device.stop().await;
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut idle, &mut rest).await.unwrap();
    assert!(rest.is_empty());
    assert!(TcpStream::connect(address).await.is_err());

    // Dropped instead of stopped: the folder is free at once, and the port as soon as the tasks are gone.
    let dropped = Device::start(config(&folder, |_| {})).await.unwrap();
    let address = dropped.addresses()[0];
    drop(dropped);
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    Device::start(config(&folder, |_| {})).await.unwrap();
}
