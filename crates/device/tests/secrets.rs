//! No password and no key in any answer or in any line of the log, whatever the level.

#![allow(clippy::unwrap_used, reason = "what a test did not expect ends it")]

use jiff::Timestamp;
use oriel_device::store::{Account, Role, Secret};
use oriel_device::{Config, Device};
use oriel_onvif::device_mgmt::{CreateUsers, GetServices, GetUsers, SetUser, User};
use oriel_onvif::security::*;
use oriel_onvif::uplink::{Configuration, GetUplinks, SetUplink};
use oriel_soap::auth::UsernameToken;
use oriel_soap::envelope::{self, Headers};
use oriel_soap::xml::List;
use oriel_soap::{Operation, With};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Everything that was said, on the wire and in the log.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Said {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Asks as `user`, and keeps the answer as it came.
async fn ask<O: Operation>(address: SocketAddr, said: &mut Said, user: &str, password: &str, operation: &O) -> String {
    let token = UsernameToken::digest(user, password, Timestamp::now());
    let message = envelope::request(operation, &Headers { username_token: Some(token), ..Headers::default() });
    let head = format!(
        "POST /onvif/device_service HTTP/1.1\r\nhost: camera\r\nconnection: close\r\ncontent-type: application/soap+xml\r\n\
         content-length: {}\r\n\r\n",
        message.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[head.as_bytes(), &message].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    said.write_all(answer.as_bytes()).unwrap();
    answer
}

/// Everything that the security service says of keys; and the private halves out of the files, in base64.
async fn private_keys(address: SocketAddr, said: &mut Said, password: &str, folder: &Path) -> (String, Vec<String>) {
    let curve = CreateECCKeyPair::with(|request| request.elliptic_curve = "secp256r1".to_owned());
    let primes = CreateRSAKeyPair::with(|request| request.key_length = 2048);
    ask(address, said, "root", password, &curve).await;
    ask(address, said, "root", password, &primes).await;
    let keys = loop {
        let keys = ask(address, said, "root", password, &GetAllKeys::default()).await;
        if !keys.contains("generating") {
            break keys;
        }
    };
    for key_id in keys.split("KeyID>").skip(1).step_by(2).map(|text| text.split('<').next().unwrap().to_owned()) {
        let request = CreatePKCS10CSR::with(|request| {
            request.subject.common_name = vec!["camera".to_owned()];
            request.signature_algorithm =
                AlgorithmIdentifier::with(|algorithm| algorithm.algorithm = "1.2.840.10045.4.3.2".to_owned());
            request.key_id.clone_from(&key_id);
        });
        ask(address, said, "root", password, &request).await;
        ask(address, said, "root", password, &GetPrivateKeyStatus::with(|request| request.key_id = key_id)).await;
    }
    ask(address, said, "root", password, &GetAllCertificates::default()).await;
    let state = std::fs::read_to_string(folder.join("state.json")).unwrap();
    let stored = state.split("\"private\": \"").skip(1).map(|text| text.split('"').next().unwrap().to_owned());
    let own = std::fs::read_to_string(folder.join("certificates/device.key")).unwrap();
    let own: String = own.lines().filter(|line| !line.starts_with("-----")).collect();
    (keys, stored.chain([own]).collect())
}

#[tokio::test]
async fn secrets_stay_inside() {
    let mut said = Said::default();
    let log = said.clone();
    tracing_subscriber::fmt().with_env_filter("trace").with_writer(move || log.clone()).init();
    let (first, second, third, wrong) = ("first-Secret-1", "second-Secret-2", "third-Secret-3", "wrong-Secret-4");

    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    config.call_out.allowed.push("127.0.0.0/8".parse().unwrap());
    config.users = vec![Account { name: "root".to_owned(), password: Secret::new(first), level: Role::Administrator }];
    said.write_all(format!("{config:?}").as_bytes()).unwrap();
    let device = Device::start(config).await.unwrap();
    let address = device.addresses()[0];

    let user = |password: &str| {
        vec![User::with(|user| (user.username, user.password) = ("guest".to_owned(), Some(password.to_owned())))]
    };
    let created =
        ask(address, &mut said, "root", first, &CreateUsers::with(|request| request.user = user(second))).await;
    assert!(created.starts_with("HTTP/1.1 200"), "{created}");
    let changed = ask(address, &mut said, "root", first, &SetUser::with(|request| request.user = user(third))).await;
    assert!(changed.starts_with("HTTP/1.1 200"), "{changed}");
    let again = ask(address, &mut said, "root", first, &CreateUsers::with(|request| request.user = user(second))).await;
    assert!(again.contains("UsernameClash"), "{again}");
    ask(address, &mut said, "guest", wrong, &GetUsers::default()).await;
    ask(address, &mut said, "guest", third, &GetUsers::default()).await;
    let users = ask(address, &mut said, "root", first, &GetUsers::default()).await;
    assert!(users.contains("guest") && users.contains("root"), "{users}");
    let uplink = SetUplink::with(|request| {
        request.configuration = Configuration::with(|uplink| {
            uplink.remote_address = "https://127.0.0.1:9/".to_owned();
            uplink.certificate_id = Some("device".to_owned());
            uplink.user_level = List::words(&["User"]);
        });
    });
    ask(address, &mut said, "root", first, &uplink).await;
    let (keys, found) = private_keys(address, &mut said, first, folder.path()).await;
    assert_eq!(keys.matches(">ok<").count(), 3, "{keys}");
    // The disk fails.
    std::fs::create_dir(folder.path().join("state.json.new")).unwrap();
    let failed = ask(address, &mut said, "root", first, &SetUser::with(|request| request.user = user(second))).await;
    assert!(failed.contains("nothing was changed"), "{failed}");
    ask(address, &mut said, "root", first, &GetUplinks::default()).await;
    ask(address, &mut said, "root", first, &GetServices::with(|request| request.include_capability = true)).await;
    said.write_all(format!("{device:?} {:?} {:?}", device.uplinks(), device.first_credentials()).as_bytes()).unwrap();
    device.stop().await;

    let said = said.text();
    assert!(said.contains("a change cannot be stored"), "the log was heard");
    for secret in [first, second, third, wrong, "PRIVATE KEY"] {
        assert!(!said.contains(secret), "{secret} was told");
    }
    assert_eq!(found.len(), 3, "two keys that were made, and the device's own");
    for secret in found {
        // PKCS#8 has the public key too: of a curve the private half is bytes 36 to 67, of primes it is all of the second half.
        let half = if secret.len() < 300 { &secret[48..88] } else { &secret[secret.len() / 2..][..40] };
        for part in [&half[..20], &half[20..]] {
            assert!(!said.contains(part), "a part of a private key was told");
        }
    }
}
