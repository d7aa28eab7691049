//! Devices of the cloud: the real one, and puppets whose service is the test's own.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use oriel_client::{Auth, Client};
use oriel_cloud::records::DeviceId;
use oriel_device::store::{Account, Role, Secret};
use oriel_device::{Config, Device};
use oriel_onvif::uplink::{Configuration, SetUplink};
use oriel_soap::With as _;
use oriel_soap::access::Level;
use oriel_soap::xml::List;
use oriel_trust::Identity;
use oriel_uplink::device::{Credentials, Uplink, UplinkConfig, seed};
use oriel_uplink::{Body, body};
use tempfile::TempDir;

use super::House;

pub(super) const PASSWORD: &str = "an administrator's secret 7!";

/// The device half, registered at a cloud.
pub(super) struct Camera {
    pub(super) device: Device,
    pub(super) id: DeviceId,
    pub(super) _folder: TempDir,
}

impl Camera {
    /// A device that is registered, and has no uplink yet.
    pub(super) async fn at(house: &House) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::start(Self::config(house, &folder)).await.unwrap();
        let id = house.register(device.fingerprint()).await;
        Self { device, id, _folder: folder }
    }

    pub(super) fn config(house: &House, folder: &TempDir) -> Config {
        let mut config = Config::new(folder.path().join("device"));
        config.listen = vec![([127, 0, 0, 1], 0).into()];
        config.users = vec![Account {
            name: "admin".to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
            level: Role::Administrator,
        }];
        config.policies.insert("cloud".to_owned(), house.ca.clone());
        config.call_out.allowed = vec!["127.0.0.0/8".parse().unwrap()];
        config
    }

    /// A device with an uplink of `level` that stands.
    pub(super) async fn connected(house: &House, scheme: &str, level: &str) -> Self {
        let camera = Self::at(house).await;
        camera.dial(&house.url(scheme), level).await;
        house.online(&camera.id).await;
        camera
    }

    /// The device's client on the LAN.
    pub(super) fn lan(&self) -> Client {
        let url = format!("http://{}/onvif/device_service", self.device.addresses()[0]).parse().unwrap();
        Client::new(&url, None, Auth::Password { user: "admin".to_owned(), password: PASSWORD.to_owned() }).unwrap()
    }

    /// Sets an uplink, as the LAN does.
    pub(super) async fn dial(&self, address: &str, level: &str) {
        self.lan().call(uplink(address, level)).await.unwrap();
    }
}

/// SetUplink with the device's own certificate and the cloud's authority.
pub(crate) fn uplink(address: &str, level: &str) -> SetUplink {
    SetUplink::with(|request| {
        request.configuration = Configuration::with(|configuration| {
            configuration.remote_address = address.to_owned();
            configuration.certificate_id = Some("device".to_owned());
            configuration.cert_path_validation_policy_id = Some("cloud".to_owned());
            configuration.user_level = List::words(&[level]);
        });
    })
}

impl House {
    /// A client of a device, through the cloud.
    pub(crate) fn client(&self, id: &str, token: &str) -> Client {
        let url = format!("https://localhost:{}/d/{id}/onvif/device_service", self.cloud.address().port());
        Client::new(&url.parse().unwrap(), Some(self.tls(None)), Auth::Bearer(token.to_owned())).unwrap()
    }

    /// A registered device whose requests are answered by `service`, connected in the form of `scheme`.
    pub(super) async fn puppet<S, F>(&self, scheme: &str, service: S) -> Puppet
    where
        S: Fn(Request<Body>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let identity = Identity::self_signed("puppet", &[]).unwrap();
        let id = self.register(identity.fingerprint()).await;
        let uplink = self.dial_as(&identity, scheme, service);
        self.online(&id).await;
        Puppet { id, _uplink: uplink }
    }

    /// An uplink that shows `identity`.
    pub(super) fn dial_as<S, F>(&self, identity: &Identity, scheme: &str, service: S) -> Uplink
    where
        S: Fn(Request<Body>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let credentials = Credentials { tls: Arc::new(self.tls(Some(identity))), token: None };
        let address = self.url(scheme).parse().unwrap();
        Uplink::start(UplinkConfig::new(address, credentials, seed(identity.fingerprint().as_bytes())), service)
    }

    /// A registered device that keeps what it was asked and answers with an empty SOAP body.
    pub(super) async fn witness(&self) -> (Puppet, Seen) {
        let seen = Seen::default();
        let puppet = self.puppet("https", seen.service(|_| soap_ok())).await;
        (puppet, seen)
    }
}

/// A device of the test's own making.
pub(super) struct Puppet {
    pub(super) id: DeviceId,
    pub(super) _uplink: Uplink,
}

/// One request as the device got it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// What a device was asked.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<Asked>>>);

impl Seen {
    /// A service that keeps each request, and answers as `answer` does.
    pub(super) fn service<A>(&self, answer: A) -> impl Fn(Request<Body>) -> ServiceFuture + Clone + Send + 'static
    where
        A: Fn(&Asked) -> Response<Body> + Clone + Send + 'static,
    {
        let seen = self.clone();
        move |request| {
            let (seen, answer) = (seen.clone(), answer.clone());
            Box::pin(async move {
                let (parts, body) = request.into_parts();
                // A body that is not what its head promised is no request.
                let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                let body = String::from_utf8_lossy(&body).into_owned();
                let asked = Asked { method: parts.method, uri: parts.uri, headers: parts.headers, body };
                let response = answer(&asked);
                seen.0.lock().unwrap().push(asked);
                response
            })
        }
    }

    /// Takes what was asked up to now.
    pub(super) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

pub(super) type ServiceFuture = std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A SOAP answer that says nothing.
pub(super) fn soap_ok() -> Response<Body> {
    let text = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body/></s:Envelope>";
    Response::builder()
        .header("content-type", "application/soap+xml; charset=utf-8")
        .header("content-length", text.len())
        .body(body::full(text))
        .unwrap()
}

/// What a tunnel refuses anybody of this level.
pub(super) const LEVELS: [Level; 3] = [Level::User, Level::Operator, Level::Administrator];
