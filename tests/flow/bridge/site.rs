//! A site: one bridged camera, asked as a cloud asks it by an uplink of some level.

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use oriel_device::bridge::{BridgedCamera, CameraEntry, Common};
use oriel_device::store::{Account, Role, Secret};
use oriel_soap::access::{Level, Levels};
use oriel_soap::envelope;
use oriel_uplink::body;
use tempfile::TempDir;

use super::lan::{LanCamera, envelope as enveloped};

/// The camera's accounts, one a level.
pub(super) const ACCOUNTS: [(&str, Role); 3] =
    [("root", Role::Administrator), ("oper", Role::Operator), ("view", Role::User)];
pub(super) const LEVELS: [Level; 3] = [Level::User, Level::Operator, Level::Administrator];
pub(super) const DEVICE: &str = "/onvif/device_service";

/// An answer, as far as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// Whether its body ended as it should.
    pub(super) whole: bool,
}

pub(super) struct Site {
    pub(super) bridged: BridgedCamera,
    _folder: TempDir,
}

impl Site {
    pub(super) async fn of(camera: &LanCamera) -> Self {
        Self::with(camera, |_, _| {}).await
    }

    pub(super) async fn with(camera: &LanCamera, change: impl FnOnce(&mut CameraEntry, &mut Common)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut entry = CameraEntry::new("gate", camera.address().parse().unwrap());
        entry.accounts = ACCOUNTS.map(|(name, level)| account(name, level)).to_vec();
        let mut common = Common::default();
        change(&mut entry, &mut common);
        let data: PathBuf = folder.path().join("gate");
        let bridged = BridgedCamera::start(data, entry, Arc::new(common)).await.unwrap();
        Self { bridged, _folder: folder }
    }

    /// The same after a restart of the bridge.
    pub(super) async fn again(self) -> Self {
        let Self { bridged, _folder: folder } = self;
        let entry = CameraEntry::clone(&bridged.entry());
        bridged.stop().await;
        let bridged = BridgedCamera::start(folder.path().join("gate"), entry, Arc::default()).await.unwrap();
        Self { bridged, _folder: folder }
    }

    /// Asks by an uplink of this level.
    pub(super) async fn ask(&self, level: Level, request: Request<Vec<u8>>) -> Answer {
        let response = self.head(level, request).await;
        let (head, mut incoming) = response.into_parts();
        let (mut text, mut whole) = (Vec::new(), true);
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => text.extend(frame.into_data().unwrap_or_default()),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        Answer { status: head.status, headers: head.headers, text, whole }
    }

    /// The answer with a body that was not read yet.
    pub(super) async fn head(&self, level: Level, request: Request<Vec<u8>>) -> http::Response<oriel_uplink::Body> {
        self.bridged.uplink_service("https://cloud.example/", Levels::of(level))(request.map(body::full)).await
    }

    /// Asks an operation at the device service.
    pub(super) async fn call(&self, level: Level, element: &str) -> Answer {
        self.ask(level, soap(DEVICE, element)).await
    }
}

pub(super) fn account(name: &str, level: Role) -> Account {
    Account { name: name.to_owned(), password: Secret::new(format!("{name} knows a secret 7!")), level }
}

/// A SOAP request of one element.
pub(super) fn soap(path: &str, element: &str) -> Request<Vec<u8>> {
    let request = Request::post(path).header("content-type", envelope::CONTENT_TYPE).header("host", "cloud.example");
    request.body(enveloped(element).into_bytes()).unwrap()
}

pub(super) fn get(path: &str) -> Request<Vec<u8>> {
    Request::get(path).header("host", "cloud.example").body(Vec::new()).unwrap()
}

/// An operation without arguments.
pub(super) fn element(namespace: &str, name: &str) -> String {
    format!("<o:{name} xmlns:o=\"{namespace}\"/>")
}
