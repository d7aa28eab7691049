//! Enrolment by ONVIF calls: a factory-fresh device, its LAN as it may fail at every call, and a cloud's certificate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use oriel_client::provision::{Issued, Plan, Provision, ProvisionError, Start};
use oriel_client::transport::Answer;
use oriel_client::{Auth, Client, Direct, Transport, TransportError};
use oriel_device::Device;
use oriel_onvif::security::{GetAllCertPathValidationPolicies, GetAllCertificates, GetAllKeys};
use oriel_onvif::uplink::{ConnectionStatus, GetUplinks};
use oriel_trust::{Authority, Fingerprint, RequestedCertificate};
use tempfile::TempDir;

use super::House;
use super::camera::{Camera, PASSWORD};

const PATIENCE: Duration = Duration::from_secs(20);
const ALIAS: &str = "oriel-test";

/// What can go wrong with the n-th request of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It never leaves.
    Unsent,
    /// Its answer does not come back.
    Unanswered,
}

/// A LAN on which things go wrong, once or from some request on.
struct Lan {
    direct: Direct,
    asked: AtomicUsize,
    fate: Fate,
    lost: std::ops::Range<usize>,
}

impl Transport for Lan {
    fn send(&self, request: http::Request<Bytes>) -> Answer<'_> {
        let lost = self.lost.contains(&self.asked.fetch_add(1, SeqCst));
        Box::pin(async move {
            if lost && self.fate == Fate::Unsent {
                return Err(TransportError::Closed);
            }
            let answer = self.direct.send(request).await;
            if lost { Err(TransportError::Closed) } else { answer }
        })
    }
}

/// A device fresh from the factory, but for the account that its installer gave it.
struct Fresh {
    device: Device,
    _folder: TempDir,
}

impl Fresh {
    async fn unpack(house: &House) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Camera::config(house, &folder);
        config.policies.clear();
        Self { device: Device::start(config).await.unwrap(), _folder: folder }
    }

    /// Its client, over a LAN that loses these requests. Returns what counts them too.
    fn client(&self, fate: Fate, lost: std::ops::Range<usize>) -> (Client, Arc<Lan>) {
        let url = format!("http://{}/onvif/device_service", self.device.addresses()[0]).parse().unwrap();
        let lan = Arc::new(Lan { direct: Direct::new(&url, None).unwrap(), asked: AtomicUsize::new(0), fate, lost });
        let auth = Auth::Password { user: "admin".to_owned(), password: PASSWORD.to_owned() };
        (Client::over(Arc::clone(&lan) as Arc<dyn Transport>, "/onvif/device_service".to_owned(), auth), lan)
    }

    fn lan(&self) -> Client {
        self.client(Fate::Unsent, 0..0).0
    }

    /// All ids of its key store, and its uplinks without how they are doing.
    async fn inventory(&self) -> Vec<String> {
        let client = self.lan();
        let keys = client.call(GetAllKeys::default()).await.unwrap().key_attribute;
        let certificates = client.call(GetAllCertificates::default()).await.unwrap().certificate;
        let policies = client.call(GetAllCertPathValidationPolicies::default()).await.unwrap();
        let uplinks = client.call(GetUplinks::default()).await.unwrap().configuration;
        let keys = keys.into_iter().map(|key| format!("key {} {:?}", key.key_id, key.alias));
        let certificates =
            certificates.into_iter().map(|one| format!("certificate {} {:?}", one.certificate_id, one.alias));
        let policies = policies.cert_path_validation_policy.into_iter();
        let policies = policies.map(|one| format!("policy {} {:?}", one.cert_path_validation_policy_id, one.alias));
        let uplinks = uplinks.into_iter().map(|one| format!("uplink {} {:?}", one.remote_address, one.certificate_id));
        keys.chain(certificates).chain(policies).chain(uplinks).collect()
    }

    /// How many keys, certificates, policies and uplinks it has, less what it was born with.
    async fn gained(&self, born: &[String]) -> [usize; 4] {
        let now = self.inventory().await;
        ["key", "certificate", "policy", "uplink"].map(|kind| {
            let gained = now.iter().filter(|one| one.starts_with(&format!("{kind} ")) && !born.contains(one));
            gained.count()
        })
    }
}

/// The cloud's part, as far as a camera sees it: any key is certified, and known as a device from then on.
struct Counter<'h> {
    house: &'h House,
    authority: Authority,
    known: tokio::sync::Mutex<Vec<Fingerprint>>,
}

impl<'h> Counter<'h> {
    fn open(house: &'h House) -> Self {
        Self { house, authority: Authority::new("devices").unwrap(), known: tokio::sync::Mutex::default() }
    }

    async fn certify(&self, request: &[u8]) -> Issued {
        let request = RequestedCertificate::read(request).unwrap();
        let mut known = self.known.lock().await;
        if !known.contains(&request.fingerprint()) {
            self.house.register(request.fingerprint()).await;
            known.push(request.fingerprint());
        }
        Issued {
            certificate: self.authority.certify_client(&request, "camera").unwrap().to_vec(),
            anchors: self.house.ca.anchors.iter().map(|anchor| anchor.to_vec()).collect(),
            remote_address: self.house.url("https"),
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            alias: ALIAS.to_owned(),
            cloud: self.house.url("https").parse().unwrap(),
            levels: vec!["Administrator".to_owned()],
            replace: false,
        }
    }

    /// One run of the command, without what it does on failure.
    async fn work(&self, provision: &mut Provision<'_>, start: Start) -> Result<(), ProvisionError> {
        if start == Start::Fresh {
            let request = provision.request().await?;
            provision.install(&self.certify(&request).await).await?;
        }
        provision.connected(PATIENCE).await
    }

    /// A run that is undone when it fails, or not.
    async fn run(&self, client: &Client, plan: Plan, undo: bool) -> Result<(), ProvisionError> {
        let (mut provision, start) = Provision::begin(client, plan, Box::new(|_| {})).await?;
        match self.work(&mut provision, start).await {
            Ok(()) => provision.finish().await,
            Err(error) if undo => {
                provision.undo().await.expect("the way is whole again");
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The requests that a run takes when nothing goes wrong; waiting for the connection makes them vary a little.
    async fn requests(&self) -> usize {
        let camera = Fresh::unpack(self.house).await;
        let (client, lan) = camera.client(Fate::Unsent, 0..0);
        self.run(&client, self.plan(), true).await.unwrap();
        lan.asked.load(SeqCst)
    }
}

/// A key, the camera's certificate and the anchor, a policy, an uplink; the anchor's public key is one more to the device.
const ENROLLED: [usize; 4] = [2, 2, 1, 1];

#[tokio::test]
async fn a_device_from_the_factory_is_online_by_onvif_calls_alone_and_a_second_run_changes_nothing() {
    let house = House::open().await;
    let counter = Counter::open(&house);
    let camera = Fresh::unpack(&house).await;
    let born = camera.inventory().await;
    counter.run(&camera.lan(), counter.plan(), true).await.unwrap();
    assert_eq!(camera.gained(&born).await, ENROLLED);
    let uplinks = camera.lan().call(GetUplinks::default()).await.unwrap().configuration;
    assert_eq!(uplinks[0].status, Some(ConnectionStatus::Connected));

    let enrolled = camera.inventory().await;
    let client = camera.lan();
    let (mut provision, start) = Provision::begin(&client, counter.plan(), Box::new(|_| {})).await.unwrap();
    assert_eq!(start, Start::Set);
    counter.work(&mut provision, start).await.unwrap();
    provision.finish().await.unwrap();
    assert_eq!(camera.inventory().await, enrolled);
}

#[tokio::test]
async fn a_run_that_is_killed_at_any_call_is_finished_by_the_next_without_leftovers() {
    let house = House::open().await;
    let counter = Counter::open(&house);
    let requests = counter.requests().await;
    assert!(requests > 15, "{requests}");
    for fate in [Fate::Unsent, Fate::Unanswered] {
        for killed in 0..requests {
            let camera = Fresh::unpack(&house).await;
            let born = camera.inventory().await;
            let before = counter.known.lock().await.len();
            // From that call on, nothing goes through: whoever was killed undoes nothing.
            let (client, _) = camera.client(fate, killed..usize::MAX);
            let patience =
                tokio::time::timeout(Duration::from_millis(500), counter.run(&client, counter.plan(), false));
            let _killed = patience.await;
            counter
                .run(&camera.lan(), counter.plan(), true)
                .await
                .unwrap_or_else(|error| panic!("{fate:?} {killed}: {error}"));
            assert_eq!(camera.gained(&born).await, ENROLLED, "{fate:?} {killed}: {:?}", camera.inventory().await);
            assert_eq!(
                counter.known.lock().await.len(),
                before + 1,
                "{fate:?} {killed}: one key, so that one code is enough"
            );
        }
    }
}

#[tokio::test]
async fn a_run_that_fails_at_any_call_leaves_the_camera_as_it_was() {
    let house = House::open().await;
    let counter = Counter::open(&house);
    let requests = counter.requests().await;
    let camera = Fresh::unpack(&house).await;
    let born = camera.inventory().await;
    let mut failed = 0;
    for fate in [Fate::Unsent, Fate::Unanswered] {
        for lost in 0..requests {
            let (client, _) = camera.client(fate, lost..lost + 1);
            let outcome = counter.run(&client, counter.plan(), true).await;
            let uplinks = camera.lan().call(GetUplinks::default()).await.unwrap().configuration;
            if let Some(uplink) = uplinks.first() {
                // A look at the connection failed and the next one did not, or what is left to tidy up after it: the camera is connected.
                assert_eq!(uplink.status, Some(ConnectionStatus::Connected), "{fate:?} {lost}: {outcome:?}");
                tear_down(&camera).await;
            } else {
                failed += 1;
            }
            assert_eq!(camera.inventory().await, born, "{fate:?} {lost}: {outcome:?}");
        }
    }
    assert!(failed > requests, "{failed} of {requests} twice");
}

/// What `oriel uplink delete` and a failing run after it do.
async fn tear_down(camera: &Fresh) {
    use oriel_onvif::uplink::DeleteUplink;
    use oriel_soap::With as _;
    let client = camera.lan();
    for uplink in client.call(GetUplinks::default()).await.unwrap().configuration {
        client.call(DeleteUplink::with(|delete| delete.remote_address = uplink.remote_address)).await.unwrap();
    }
    let plan = Plan {
        alias: ALIAS.to_owned(),
        cloud: "https://elsewhere".parse().unwrap(),
        levels: Vec::new(),
        replace: false,
    };
    let (provision, _) = Provision::begin(&client, plan, Box::new(|_| {})).await.unwrap();
    provision.undo().await.unwrap();
}

#[tokio::test]
async fn a_replacement_takes_over_or_leaves_the_former_uplink_in_place() {
    let house = House::open().await;
    let counter = Counter::open(&house);
    let camera = Fresh::unpack(&house).await;
    let born = camera.inventory().await;
    counter.run(&camera.lan(), counter.plan(), true).await.unwrap();
    let former = camera.inventory().await;

    let replace = || Plan { replace: true, ..counter.plan() };
    // A certificate that the cloud does not know: the camera is refused.
    let client = camera.lan();
    let (mut provision, start) = Provision::begin(&client, replace(), Box::new(|_| {})).await.unwrap();
    assert_eq!(start, Start::Fresh);
    let request = RequestedCertificate::read(&provision.request().await.unwrap()).unwrap();
    let unknown = Issued {
        certificate: counter.authority.certify_client(&request, "camera").unwrap().to_vec(),
        anchors: house.ca.anchors.iter().map(|anchor| anchor.to_vec()).collect(),
        remote_address: house.url("https"),
    };
    provision.install(&unknown).await.unwrap();
    let error = provision.connected(Duration::from_millis(500)).await.unwrap_err();
    assert!(matches!(error, ProvisionError::NotConnected { .. }), "{error}");
    provision.undo().await.unwrap();
    assert_eq!(camera.inventory().await, former);
    let (provision, start) = Provision::begin(&client, counter.plan(), Box::new(|_| {})).await.unwrap();
    assert_eq!(start, Start::Set);
    provision.connected(PATIENCE).await.unwrap();

    counter.run(&camera.lan(), replace(), true).await.unwrap();
    assert_eq!(camera.gained(&born).await, ENROLLED);
    assert_ne!(camera.inventory().await, former, "another key");
}

#[tokio::test]
async fn an_uplink_that_somebody_else_made_is_not_touched() {
    let house = House::open().await;
    let counter = Counter::open(&house);
    let camera = Camera::connected(&house, "https", "Administrator").await;
    let client = camera.lan();
    let begun = Provision::begin(&client, counter.plan(), Box::new(|_| {})).await;
    let Err(ProvisionError::Exists(address)) = begun.map(|_| ()) else { panic!("it was touched") };
    assert_eq!(address, house.url("https"));
}
