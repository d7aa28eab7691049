//! One camera that knows nothing of the cloud, as a device of its own: its own folder, identity, key store and uplinks; what it does not answer itself goes to
//! that camera alone.
//!
//! ```text
//!    LAN ──────┐          ┌─ Uplink, Security ─► our handlers
//!              ├─► door ──┤
//!  cloud ──────┘  who?    └─ all else: level, own parse, re-serialised ─► way: permits, deadline ─► the camera's origin
//!  uplinks                                                                      replies: addresses lead through us
//! ```

mod called;
mod common;
mod contact;
mod door;
mod exchange;
mod fetch;
mod known;
mod legacy;
mod list;
mod logins;
mod merge;
mod refusal;
mod relayed;
mod remembered;
mod way;

pub use common::Common;
pub use contact::Contact;

use super::CameraEntry;
use crate::call_out::Dialler;
use crate::device::{DeviceError, UplinkStatus};
use crate::door::Origin;
use crate::events::{Events, Push};
use crate::keystore::KeyStore;
use crate::services::Shared;
use crate::supervisor::Reports;
use crate::uplinked::{Opened, Uplinked};
use door::Door;
use http::{Request, Response};
use oriel_soap::Levels;
use oriel_trust::Fingerprint;
use oriel_uplink::Body;
use oriel_uplink::device::BoxFuture;
use remembered::Remembered;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use url::Url;
use uuid::Uuid;

/// How a bridged camera does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CameraStatus {
    /// Its name in the list.
    pub name: String,
    /// Its device service on the LAN, as it is asked at present.
    pub address: Url,
    /// Its endpoint reference, as far as the entry tells.
    pub endpoint: Option<String>,
    /// How the last requests to it went.
    pub contact: Contact,
    /// The name of the virtual device, for ever.
    pub uuid: Uuid,
    /// The fingerprint of the virtual device's own key, by which a cloud knows it.
    pub fingerprint: Fingerprint,
    /// Its uplinks, in the order in which they were set.
    pub uplinks: Vec<UplinkStatus>,
}

/// A camera as a device of its own. Dropping it ends everything that it started.
pub struct BridgedCamera {
    uplinked: Uplinked,
    door: Arc<Door>,
}

impl fmt::Debug for BridgedCamera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BridgedCamera")
            .field("name", &self.door.entry().name)
            .field("uuid", &self.uplinked.uuid())
            .finish_non_exhaustive()
    }
}

impl BridgedCamera {
    /// Opens the camera's folder, or makes it with an identity at first start, and dials its uplinks. The camera itself is not asked yet.
    ///
    /// # Errors
    /// [`DeviceError`]. Nothing is left running then.
    pub async fn start(folder: PathBuf, entry: CameraEntry, common: Arc<Common>) -> Result<Self, DeviceError> {
        // Its accounts are those of the entry, on every day alike.
        let remembered = Remembered::new(&folder);
        let opened = tokio::task::spawn_blocking(move || Opened::open(&folder, || Ok(Vec::new()))).await;
        let opened = opened.map_err(|_| DeviceError::Interrupted)??;
        let shared = Arc::new(Shared {
            store: opened.store.clone(),
            keys: Arc::new(KeyStore::new(opened.identities(BTreeMap::new()), common.policies.clone())),
            reports: Reports::default(),
            // The event service is the camera's own.
            push: Push::new(Dialler::new(common.call_out.clone()), opened.store.state().uuid, || {
                Err("a bridged camera sends its messages itself".to_owned())
            }),
            #[cfg(feature = "mqtt")]
            broker_reports: Default::default(),
            #[cfg(feature = "mqtt")]
            max_event_brokers: 0,
            #[cfg(feature = "mqtt")]
            insecure_event_brokers: false,
            events: Events::new(opened.store.state().uuid.urn().to_string(), None),
            information: crate::config::Information::default(),
            // The camera is found as itself.
            discovery: crate::config::DiscoveryConfig::default(),
            speaks_discovery: false,
            call_out: common.call_out.clone(),
            max_uplinks: common.max_uplinks,
        });
        let insecure = common.insecure_uplinks;
        let door = Arc::new(Door::new(entry, Arc::clone(&shared), common, remembered)?);
        door.recall().await;
        let answering = Arc::clone(&door);
        // The cloud says where it was asked; where it does not, nothing better is known.
        let local = (Ipv4Addr::UNSPECIFIED, 0).into();
        let uplinked = Uplinked::start(shared, opened.into_parts(), insecure, local, move |request, origin| {
            let door = Arc::clone(&answering);
            async move { door.serve(request, origin, "").await }
        });
        Ok(Self { uplinked, door })
    }

    /// The camera is to be reached otherwise from now on: at another address, with other accounts or quirks. Requests under way finish; the uplinks stay up.
    ///
    /// # Errors
    /// [`DeviceError::Camera`]: the entry cannot be used. Then it stays as it was.
    pub fn change(&self, entry: CameraEntry) -> Result<(), DeviceError> {
        self.door.change(entry)
    }

    /// From now on nothing is passed to whatever is at the camera's address, and whoever asks is told why; with none, it is again. What the bridge itself
    /// asks passes all the same.
    pub fn hold(&self, why: Option<Arc<str>>) {
        self.door.hold(why);
    }

    /// How it does.
    pub fn status(&self) -> CameraStatus {
        let entry = self.door.entry();
        CameraStatus {
            name: entry.name.clone(),
            address: entry.address.clone(),
            endpoint: entry.endpoint.clone(),
            contact: self.door.watch().borrow().clone(),
            uuid: self.uplinked.uuid(),
            fingerprint: self.uplinked.fingerprint(),
            uplinks: self.uplinked.uplinks(),
        }
    }

    /// The entry as it is at present.
    pub fn entry(&self) -> Arc<CameraEntry> {
        self.door.entry()
    }

    /// The file with the virtual device's own certificate, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.uplinked.certificate()
    }

    /// Tells when the camera does not answer any more, and when it does again.
    pub fn watch(&self) -> watch::Receiver<Contact> {
        self.door.watch()
    }

    /// What an uplink named `address` with these rights would answer through.
    pub fn uplink_service(
        &self,
        address: &str,
        levels: Levels,
    ) -> impl Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Clone + Send + Sync + 'static + use<> {
        self.uplinked.service(address, levels)
    }

    /// What the bridge itself asks through, with an administrator's rights.
    pub(super) fn own_service(
        &self,
    ) -> impl Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Clone + Send + Sync + 'static + use<> {
        self.uplinked.own_service()
    }

    /// Serves a request that came to the bridge's own port. `prefix` is what was taken off its path, such as `/gate`; `local` is our end of the connection.
    /// The caller shows one of the entry's accounts, by HTTP Digest over the path with its prefix or by WS-UsernameToken.
    pub async fn lan(
        &self,
        request: Request<Body>,
        peer: SocketAddr,
        local: SocketAddr,
        prefix: &str,
    ) -> Response<Body> {
        self.door.serve(request, Origin::Lan { peer, local }, prefix).await
    }

    /// Drains every uplink, and returns when all are closed: within some ten seconds.
    pub async fn stop(self) {
        self.uplinked.stop().await;
    }
}
