//! What is behind every device, real or stood in for: its folder and identity, its key store, and the uplinks that it dials.

use crate::config::DEVICE_CERTIFICATE;
use crate::device::{DeviceError, UplinkStatus};
use crate::door::Origin;
use crate::keystore::KeyMaker;
use crate::monitoring::LAST_RESET;
use crate::services::Shared;
use crate::store::{Account, DiscoveryEntry, Files, Folder, Keystore, State, Store, VERSION};
use crate::supervisor::{Means, Serve, Supervisor, Tunnel};
use http::{Request, Response};
use jiff::Timestamp;
use oriel_soap::Levels;
use oriel_trust::{Fingerprint, Identity};
use oriel_uplink::Body;
use oriel_uplink::device::{BoxFuture, State as Connection};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// What a device has on disk.
pub(crate) struct Opened {
    folder: Folder,
    pub(crate) store: Store,
    identity: Identity,
}

impl Opened {
    /// Opens a data folder, or makes it at first start, with the accounts that `first` names then.
    pub(crate) fn open(
        data: &Path,
        first: impl FnOnce() -> Result<Vec<Account>, DeviceError>,
    ) -> Result<Self, DeviceError> {
        let folder = Folder::open(data)?;
        let store = Store::open::<DeviceError>(Box::new(Files), folder.path(), |disk| {
            let state = first_state(first()?);
            folder.make_identity::<DeviceError>(disk, &state.serial)?;
            Ok(state)
        })?;
        let identity = folder.identity()?;
        Ok(Self { folder, store, identity })
    }

    /// The identities that are built into the device's key store: its own, and `others`.
    pub(crate) fn identities(&self, mut others: BTreeMap<String, Identity>) -> BTreeMap<String, Identity> {
        others.insert(DEVICE_CERTIFICATE.to_owned(), self.identity.clone());
        others
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// What an [`Uplinked`] keeps of it.
    pub(crate) fn into_parts(self) -> (Folder, Fingerprint) {
        let fingerprint = self.identity.fingerprint();
        (self.folder, fingerprint)
    }
}

/// The document of a device that starts for the first time.
fn first_state(users: Vec<Account>) -> State {
    // Core §8.9.4: nothing was there before the first start.
    let reset = (LAST_RESET.to_owned(), Timestamp::now().to_string());
    let kept = [reset].into();
    let uuid = Uuid::new_v4();
    let serial = uuid.simple().to_string()[..12].to_ascii_uppercase();
    State {
        version: VERSION,
        uuid,
        serial,
        users,
        uplinks: Vec::new(),
        keystore: Keystore::default(),
        discovery: DiscoveryEntry::default(),
        kept,
        brokers: Vec::new(),
    }
}

/// The uplinks of a device, and what they need. Dropping it ends them.
pub(crate) struct Uplinked {
    supervisor: Supervisor,
    /// Ends with this value.
    _maker: KeyMaker,
    serve: Serve,
    shared: Arc<Shared>,
    fingerprint: Fingerprint,
    folder: Folder,
}

impl Uplinked {
    /// Dials the uplinks that the store wants, and serves what comes through them by `answer`. `local`: where the LAN reaches the device.
    pub(crate) fn start<A, F>(
        shared: Arc<Shared>,
        opened: (Folder, Fingerprint),
        insecure: bool,
        local: SocketAddr,
        answer: A,
    ) -> Self
    where
        A: Fn(Request<Body>, Origin) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let (folder, fingerprint) = opened;
        let serve: Serve = Arc::new(move |tunnel, request| Box::pin(answer(request, Origin::Uplink { tunnel, local })));
        let means = Means {
            uuid: shared.store.state().uuid,
            keys: Arc::clone(&shared.keys),
            call_out: shared.call_out.clone(),
            insecure,
            serve: Arc::clone(&serve),
            made: HashMap::new(),
        };
        let supervisor = Supervisor::start(shared.store.watch(), means, shared.reports.clone());
        let maker = KeyMaker::start(shared.store.clone(), shared.events.clone());
        Self { supervisor, _maker: maker, serve, shared, fingerprint, folder }
    }

    /// What the handlers work with.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The device's name for ever.
    pub(crate) fn uuid(&self) -> Uuid {
        self.shared.store.state().uuid
    }

    /// The fingerprint of the device's own key.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The file with the device's own certificate, in PEM.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.certificate()
    }

    /// How the uplinks do, in the order in which they were set.
    pub(crate) fn uplinks(&self) -> Vec<UplinkStatus> {
        let status = |address: &str| {
            let report = self.shared.reports.of(address);
            let (state, error) = report.map_or((Connection::Offline, None), |report| (report.status, report.error));
            UplinkStatus { remote_address: address.to_owned(), state, error }
        };
        self.shared.store.state().uplinks.iter().map(|entry| status(&entry.remote_address)).collect()
    }

    /// What an uplink named `address` with these rights would answer through.
    pub(crate) fn service(
        &self,
        address: &str,
        levels: Levels,
    ) -> impl Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Clone + Send + Sync + 'static + use<> {
        let (serve, tunnel) = (Arc::clone(&self.serve), Tunnel::fixed(address, levels));
        move |request| serve(tunnel.clone(), request)
    }

    /// The device's services for this very process.
    #[cfg(feature = "bridge")]
    pub(crate) fn own_service(
        &self,
    ) -> impl Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Clone + Send + Sync + 'static + use<> {
        let serve = Arc::clone(&self.serve);
        move |request| serve(Tunnel::own(), request)
    }

    /// Drains every uplink, and returns when all are closed.
    pub(crate) async fn stop(self) {
        self.supervisor.stop().await;
    }
}
