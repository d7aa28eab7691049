//! The event service: pull points, and what is common to all subscriptions (Core chapter 9). What happens is told by [`crate::events`].

mod address;
mod faults;
mod properties;
mod pull_points;
mod subscriptions;

pub(crate) use address::{Addressed, reference};
pub(crate) use faults::{fault, refused, wanted};

use super::{Call, Service, Shared};
use crate::events::{MAX_PRODUCERS, MAX_PULL_POINTS};
use oriel_onvif::events::*;
use oriel_onvif::ns;
use oriel_soap::xml::Any;
#[cfg(feature = "mqtt")]
use oriel_soap::xml::List;
use oriel_soap::{Fault, Router, With};

pub(super) const SERVICE: Service = Service {
    namespace: ns::TEV,
    path: "/onvif/event_service",
    version: (26, 6),
    capabilities: |shared| Any::of(ns::TEV, "Capabilities", &capabilities(shared)),
};

pub(super) fn bind(router: Router<Call>) -> Router<Call> {
    let router = router.on(get_service_capabilities).on(properties::get_event_properties);
    let router = router.on(pull_points::create_pull_point_subscription).on(pull_points::set_synchronization_point);
    let router = router.on_as::<PullMessages, _, _, _>(pull_points::pull_messages);
    router.on(pull_points::seek).on(subscriptions::renew).on(subscriptions::unsubscribe)
}

/// What works; what is not said does not.
pub(super) fn capabilities(shared: &Shared) -> Capabilities {
    Capabilities::with(|capabilities| {
        capabilities.ws_subscription_policy_support = Some(true);
        capabilities.ws_pausable_subscription_manager_interface_support = Some(true);
        capabilities.max_pull_points = i32::try_from(MAX_PULL_POINTS).ok();
        capabilities.max_notification_producers = i32::try_from(MAX_PRODUCERS).ok();
        #[cfg(feature = "mqtt")]
        {
            capabilities.max_event_brokers = i32::try_from(shared.max_event_brokers).ok();
            capabilities.event_broker_protocols = Some(List(super::brokers::protocols()));
        }
        capabilities.persistent_notification_storage = Some(shared.events.keeps());
        capabilities.metadata_over_mqtt = Some(false);
    })
}

async fn get_service_capabilities(
    call: Call,
    _: GetServiceCapabilities,
) -> Result<GetServiceCapabilitiesResponse, Fault> {
    Ok(GetServiceCapabilitiesResponse::with(|response| {
        response.capabilities = capabilities(&call.shared);
    }))
}
