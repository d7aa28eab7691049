//! The device service (Core chapter 8), cut along its sections.

mod capabilities;
mod clock;
mod discovery;
mod network;
mod security;
mod system;

use super::{Call, Service};
use oriel_onvif::ns;
use oriel_soap::Router;
use oriel_soap::xml::Any;

/// Where the device service is.
pub(crate) const PATH: &str = "/onvif/device_service";

pub(super) const SERVICE: Service = Service {
    namespace: ns::TDS,
    path: PATH,
    version: capabilities::VERSION,
    capabilities: |shared| Any::of(ns::TDS, "Capabilities", &capabilities::of_this_service(shared)),
};

pub(super) fn bind(router: Router<Call>) -> Router<Call> {
    let router = router
        .on(capabilities::get_wsdl_url)
        .on(capabilities::get_services)
        .on(capabilities::get_service_capabilities)
        .on(capabilities::get_capabilities);
    let router = router.on(network::get_hostname).on(network::get_network_interfaces);
    let router = router.on(system::get_device_information).on(system::get_system_date_and_time);
    let router = router
        .on(discovery::get_scopes)
        .on(discovery::set_scopes)
        .on(discovery::add_scopes)
        .on(discovery::remove_scopes)
        .on(discovery::get_discovery_mode)
        .on(discovery::set_discovery_mode);
    router
        .on(security::get_users)
        .on(security::create_users)
        .on(security::delete_users)
        .on(security::set_user)
        .on(security::get_endpoint_reference)
}
