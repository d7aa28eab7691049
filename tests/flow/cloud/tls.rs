//! TLS of the one port: certificates that are replaced on disk, and who is asked for a certificate of theirs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, StatusCode};
use oriel_trust::{Authority, Fingerprint, Policy};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsConnector;

use super::{HERE, House};

fn write(folder: &Path, authority: &Authority) -> Fingerprint {
    let identity = authority.issue_server(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (chain, key) = identity.to_pem();
    std::fs::write(folder.join("chain.pem"), chain).unwrap();
    std::fs::write(folder.join("key.pem"), key).unwrap();
    identity.fingerprint()
}

/// The key that the cloud shows to a new connection.
async fn shown(house: &House, alpn: &str) -> Fingerprint {
    let stream = house.connect(&[alpn]).await;
    Fingerprint::of(&stream.get_ref().1.peer_certificates().unwrap()[0]).unwrap()
}

#[tokio::test]
async fn replaced_files_are_served_without_a_restart_and_bad_ones_are_not() {
    let files = tempfile::tempdir().unwrap();
    let authority = Authority::new("The operator's CA").unwrap();
    let first = write(files.path(), &authority);
    let (chain, key) = (files.path().join("chain.pem"), files.path().join("key.pem"));
    let mut house = House::open_with(|config| config.tls = Some((chain.clone(), key.clone()))).await;
    assert_eq!(house.cloud.ca(), None);
    house.door.ca = Policy::from_pem(authority.certificate_pem().as_bytes()).unwrap();
    assert_eq!((shown(&house, "h2").await, shown(&house, "http/1.1").await), (first, first));
    assert!(!house.cloud.reload().unwrap(), "nothing changed");

    let (puppet, _) = house.witness().await;
    let held = house.cloud.registry().presence(&puppet.id).tunnels.remove(0);
    let second = write(files.path(), &authority);
    assert_eq!(shown(&house, "h2").await, first, "not before it is told");
    assert!(house.cloud.reload().unwrap());
    assert_eq!((shown(&house, "h2").await, shown(&house, "http/1.1").await), (second, second));
    assert!(!held.tunnel.is_closed(), "who is connected stays");

    let good = std::fs::read(&key).unwrap();
    std::fs::write(&key, "no key").unwrap();
    let error = house.cloud.reload().unwrap_err().to_string();
    assert!(error.contains("key"), "{error}");
    assert_eq!(shown(&house, "h2").await, second);
    // A key that belongs to another certificate, as in the middle of a replacement.
    write(files.path(), &authority);
    std::fs::write(&key, &good).unwrap();
    house.cloud.reload().unwrap_err();
    assert_eq!(shown(&house, "h2").await, second);
    std::fs::remove_file(&chain).unwrap();
    house.cloud.reload().unwrap_err();
    assert_eq!(shown(&house, "http/1.1").await, second);
}

/// A client's certificate store that counts how often it is asked.
#[derive(Debug, Default)]
struct Asked(AtomicUsize);

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn browsers_are_not_asked_for_a_certificate_and_devices_are() {
    let house = House::open().await;
    for (alpn, times) in [(&["h2", "http/1.1"] as &[&str], 0), (&["h2"], 0), (&["http/1.1"], 1), (&[], 1)] {
        let asked = Arc::<Asked>::default();
        let mut config = house.tls(None);
        config.client_auth_cert_resolver = Arc::clone(&asked) as _;
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect("localhost".try_into().unwrap(), house.tcp(HERE).await).await.unwrap();
        assert_eq!(asked.0.load(Ordering::Relaxed), times, "{alpn:?}");
        let chosen = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(chosen.as_deref(), alpn.first().map(|name| name.as_bytes()));
    }
}

#[tokio::test]
async fn the_own_authority_stays_for_the_next_start() {
    let house = House::open().await;
    let ca = std::fs::read(house.cloud.ca().unwrap()).unwrap();
    let House { cloud, folder, door, .. } = house;
    drop(cloud);
    let mut again = oriel_cloud::Cloud::start(super::config(&folder), None).await.unwrap();
    assert_eq!(std::fs::read(again.ca().unwrap()).unwrap(), ca);
    assert!(again.take_setup_link().is_some(), "nobody has used the link that was made first");
    let door = super::Door { address: again.address(), ..door };
    let answer = door.ask(Request::get("/api/v1/health").body(Vec::new()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    // Secret files are for their owner alone.
    use std::os::unix::fs::PermissionsExt as _;
    for file in ["tls/ca.key", "seal.key"] {
        let mode = std::fs::metadata(folder.path().join("cloud").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
}
