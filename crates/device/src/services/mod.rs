//! The deeds of each service. A service is a module with a `bind` for its handlers and a row in [`SERVICES`]; both lists are here, so that
//! a build without a service leaves out two lines.

#[cfg(feature = "mqtt")]
mod brokers;
pub(crate) mod device_mgmt;
pub(crate) mod events;
mod notification;
pub(crate) mod security;
pub(crate) mod uplink;

use crate::config::{DiscoveryConfig, Information};
use crate::door::{Base, Delivering};
use crate::events::{Events, Push};
use crate::keystore::KeyStore;
use crate::store::{ChangeError, State, Store};
use crate::supervisor::Reports;
use oriel_onvif::device_mgmt::{OnvifVersion, Service as Shown, ServiceCapabilities};
use oriel_soap::xml::{Any, Ns};
use oriel_soap::{Caller, Fault, HasCaller, Router, With};
use std::sync::Arc;

/// What the handlers work with.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) reports: Reports,
    pub(crate) events: Events,
    pub(crate) push: Push,
    #[cfg(feature = "mqtt")]
    pub(crate) broker_reports: crate::events::broker::BrokerReports,
    #[cfg(feature = "mqtt")]
    pub(crate) max_event_brokers: usize,
    #[cfg(feature = "mqtt")]
    pub(crate) insecure_event_brokers: bool,
    pub(crate) information: Information,
    #[cfg_attr(not(feature = "discovery"), allow(dead_code, reason = "read by discovery alone"))]
    pub(crate) discovery: DiscoveryConfig,
    /// Whether the device can be discovered, if its mode allows it.
    pub(crate) speaks_discovery: bool,
    pub(crate) call_out: crate::config::CallOut,
    pub(crate) max_uplinks: usize,
}

/// What a handler is given beside the request.
#[derive(Clone)]
pub(crate) struct Call {
    /// Who asks.
    pub(crate) caller: Caller,
    /// What addresses in the reply begin with.
    pub(crate) base: Base,
    /// Which subscription is meant, if one is.
    pub(crate) addressed: events::Addressed,
    /// What has to be known of the answer's way out.
    pub(crate) delivering: Delivering,
    /// The device.
    pub(crate) shared: Arc<Shared>,
}

impl HasCaller for Call {
    fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl Call {
    /// A call that means no subscription.
    #[cfg(feature = "bridge")]
    pub(crate) fn new(caller: Caller, base: Base, shared: Arc<Shared>) -> Self {
        Self { caller, base, addressed: events::Addressed::Nothing, delivering: Delivering::default(), shared }
    }

    /// Changes what the device remembers; returns once that is durable.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.shared.store.change(change).await.map_err(|error| match error {
            ChangeError::Refused(fault) => fault,
            ChangeError::NotStored(error) => {
                tracing::error!(%error, "a change cannot be stored");
                // Core §5.8.2.4: no internals in replies; which kind of failure it is helps whoever has to act.
                let kind = if error.kind() == std::io::ErrorKind::StorageFull {
                    "the storage is full"
                } else {
                    "the storage failed"
                };
                Fault::action(format!("{kind}; nothing was changed"))
            }
        })
    }
}

/// A service as GetServices and GetCapabilities tell it.
pub(crate) struct Service {
    pub(crate) namespace: Ns,
    /// Where it is asked.
    pub(crate) path: &'static str,
    /// The edition of the specification that it follows.
    pub(crate) version: (i32, i32),
    /// What its GetServiceCapabilities answers, as GetServices shows it.
    pub(crate) capabilities: fn(&Shared) -> Any,
}

impl Service {
    /// Its row of GetServices, at `x_addr`; with what it can do, if that is asked for.
    pub(crate) fn shown(&self, x_addr: String, include_capability: bool, shared: &Shared) -> Shown {
        let inside = || ServiceCapabilities::with(|inside| inside.any = vec![(self.capabilities)(shared)]);
        Shown::with(|shown| {
            shown.namespace = self.namespace.uri.to_owned();
            shown.x_addr = x_addr;
            shown.version = OnvifVersion::with(|version| (version.major, version.minor) = self.version);
            shown.capabilities = include_capability.then(inside);
        })
    }
}

/// The services, the device service first.
pub(crate) static SERVICES: &[Service] = &[device_mgmt::SERVICE, events::SERVICE, uplink::SERVICE, security::SERVICE];

/// The services that a camera which knows nothing of the cloud has of us, and their handlers.
#[cfg(feature = "bridge")]
pub(crate) mod bridged {
    use super::{Call, Service, security, uplink};
    use oriel_soap::Router;

    /// The services.
    pub(crate) static SERVICES: &[Service] = &[uplink::SERVICE, security::SERVICE];

    /// Their handlers.
    pub(crate) fn router() -> Router<Call> {
        security::bind(uplink::bind(Router::new(&[&oriel_onvif::uplink::TABLE, &oriel_onvif::security::TABLE])))
    }
}

/// All handlers of all services. Operations of services that are not served are unknown here (Core §5.11.2).
pub(crate) fn router() -> Router<Call> {
    let mut served: Vec<_> = SERVICES.iter().filter_map(|service| oriel_onvif::table(service.namespace.uri)).collect();
    // The event service has operations of two namespaces.
    served.push(&oriel_onvif::notification::TABLE);
    let router = Router::new(&served);
    let router = notification::bind(events::bind(security::bind(uplink::bind(device_mgmt::bind(router)))));
    #[cfg(feature = "mqtt")]
    let router = brokers::bind(router);
    router
}
