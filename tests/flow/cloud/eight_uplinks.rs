//! Many uplinks of one device: most lead nowhere or to liars, and those that lead home do not notice. Uplinks that are changed through themselves.

use http::StatusCode;
use oriel_onvif::device_mgmt::GetDeviceInformation;
use oriel_onvif::uplink::{DeleteUplink, GetUplinks};
use oriel_soap::With as _;
use oriel_trust::Policy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

use super::House;
use super::abuse_by_cloud::Liar;
use super::camera::{Camera, uplink};
use super::client::{device_service, message, soap};
use super::raw::read_head;

/// A device that believes the house and a liar's authority.
async fn trusting(house: &House, liar: &Liar) -> Camera {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Camera::config(house, &folder);
    let anchors = Policy::from_pem(liar.authority.certificate_pem().as_bytes()).unwrap();
    config.policies.insert("liar".to_owned(), anchors);
    let device = oriel_device::Device::start(config).await.unwrap();
    let id = house.register(device.fingerprint()).await;
    Camera { device, id, _folder: folder }
}

/// A listener that does `each` with every connection.
async fn lying<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream));
        }
    });
    port
}

async fn closed() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port()
}

async fn silent() -> u16 {
    lying(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await
}

async fn garbled() -> u16 {
    lying(|mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-liar\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

/// Refuses at `/refuses`; elsewhere it upgrades, and speaks something else than HTTP/2.
async fn refuse_or_babble(mut io: TlsStream<TcpStream>) {
    let head = read_head(&mut io).await;
    let answer: &[u8] = if head.starts_with("GET /refuses ") {
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 11\r\n\r\nnot for you"
    } else {
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\nHTTP/2? Never heard of it."
    };
    let _ = io.write_all(answer).await;
    let _ = io.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn six_liars_cost_the_two_that_lead_home_nothing() {
    let house = House::open().await;
    let stranger = House::open().await;
    let liar = Liar::listen().await;
    let camera = trusting(&house, &liar).await;
    camera.dial(&house.url("https"), "User").await;
    camera.dial(&house.url("wss"), "User").await;
    super::until("both tunnels", || house.tunnels(&camera.id) == 2).await;

    let (closed, silent, garbled) = (closed().await, silent().await, garbled().await);
    let liar_url = liar.url("https", "/refuses");
    tokio::spawn(liar.serve(refuse_or_babble));
    let by = |url: &str| {
        let mut request = uplink(url, "User");
        request.configuration.cert_path_validation_policy_id = Some("liar".to_owned());
        request
    };
    camera.dial(&format!("https://127.0.0.1:{closed}/"), "User").await;
    camera.dial(&format!("https://127.0.0.1:{silent}/"), "User").await;
    camera.dial(&format!("https://127.0.0.1:{garbled}/"), "User").await;
    camera.dial(&stranger.url("https"), "User").await;
    camera.lan().call(by(&liar_url)).await.unwrap();
    camera.lan().call(by(&liar_url.replace("/refuses", "/garbage"))).await.unwrap();

    let error = |url: &str| {
        let found = camera.device.uplinks().into_iter().find(|uplink| uplink.remote_address == url).unwrap();
        found.error.unwrap_or_default()
    };
    for (url, word) in [
        (format!("https://127.0.0.1:{closed}/"), "TCP"),
        (format!("https://127.0.0.1:{garbled}/"), "TLS"),
        (stranger.url("https"), "nobody this device trusts"),
        (liar_url.clone(), "not for you"),
        (liar_url.replace("/refuses", "/garbage"), "HTTP/2"),
    ] {
        super::until(word, || error(&url).contains(word)).await;
    }
    let held = house.cloud.registry().presence(&camera.id).tunnels;
    for _ in 0..50 {
        let asked = soap(&device_service(&camera.id), &house.administrator, message(&GetDeviceInformation::default()));
        assert_eq!(house.ask(asked).await.status, StatusCode::OK);
    }
    assert!(held.iter().all(|held| !held.tunnel.is_closed()), "the tunnels that stood still stand");
    assert_eq!(camera.device.uplinks().len(), 8);
    let ninth = camera.lan().call(uplink("https://127.0.0.1:1/", "User")).await.unwrap_err().to_string();
    assert!(ninth.contains("MaxUplinks") && ninth.contains('8'), "{ninth}");
}

#[tokio::test]
async fn an_uplink_is_replaced_and_deleted_through_itself_and_each_answer_arrives() {
    let house = House::open().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = Camera::config(&house, &folder);
    config.policies.insert("the same by another name".to_owned(), house.ca.clone());
    let device = oriel_device::Device::start(config).await.unwrap();
    let camera = Camera { id: house.register(device.fingerprint()).await, device, _folder: folder };
    camera.dial(&house.url("https"), "Administrator").await;
    house.online(&camera.id).await;

    let first = house.cloud.registry().presence(&camera.id).tunnels.remove(0).tunnel;
    let mut changed = uplink(&house.url("https"), "Administrator");
    changed.configuration.cert_path_validation_policy_id = Some("the same by another name".to_owned());
    let answer = house.ask(soap(&device_service(&camera.id), &house.administrator, message(&changed))).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.text.contains("SetUplinkResponse"), "{answer:?}");
    first.closed().await;
    // Through its successor, though nobody waited for it.
    let client = house.client(&camera.id, &house.administrator);
    assert_eq!(client.call(GetUplinks::default()).await.unwrap().configuration.len(), 1);

    let gone = DeleteUplink::with(|request| request.remote_address = house.url("https"));
    let answer = house.ask(soap(&device_service(&camera.id), &house.administrator, message(&gone))).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.text.contains("DeleteUplinkResponse"), "{answer:?}");
    super::until("the end of the tunnel", || house.tunnels(&camera.id) == 0).await;
    assert!(camera.device.uplinks().is_empty());
}
