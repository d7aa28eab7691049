//! What the device can do and where to ask (Core §8.1). GetServices and GetCapabilities read one list of services.

use super::super::{Call, SERVICES, Service, Shared, events};
use crate::accounts::{MAX_NAME, MAX_PASSWORD, MAX_USERS};
use crate::interfaces;
use oriel_onvif::device_mgmt::*;
use oriel_onvif::ns;
use oriel_soap::xml::{List, Ns};
use oriel_soap::{Fault, With};

/// The edition of Core that the device follows.
pub(super) const VERSION: (i32, i32) = (26, 6);

pub(super) async fn get_wsdl_url(_: Call, _: GetWsdlUrl) -> Result<GetWsdlUrlResponse, Fault> {
    // Nothing here departs from ONVIF's own files, so that is where they are.
    Ok(GetWsdlUrlResponse::with(|response| {
        response.wsdl_url = "https://www.onvif.org/profiles/specifications/".to_owned();
    }))
}

pub(super) async fn get_services(call: Call, request: GetServices) -> Result<GetServicesResponse, Fault> {
    let show =
        |service: &Service| service.shown(call.base.join(service.path), request.include_capability, &call.shared);
    Ok(GetServicesResponse::with(|response| {
        response.service = SERVICES.iter().map(show).collect();
    }))
}

pub(super) async fn get_service_capabilities(
    call: Call,
    _: GetServiceCapabilities,
) -> Result<GetServiceCapabilitiesResponse, Fault> {
    Ok(GetServiceCapabilitiesResponse::with(|response| {
        response.capabilities = of_this_service(&call.shared);
    }))
}

/// The capabilities of the device service. What is not said is not supported.
pub(super) fn of_this_service(shared: &Shared) -> DeviceServiceCapabilities {
    let number = |number: usize| i32::try_from(number).ok();
    DeviceServiceCapabilities::with(|capabilities| {
        capabilities.network = NetworkCapabilities::with(|network| network.ip_version6 = Some(has_ipv6()));
        capabilities.security = SecurityCapabilities::with(|security| {
            security.default_access_policy = Some(true);
            security.username_token = Some(true);
            security.http_digest = Some(true);
            security.max_users = number(MAX_USERS);
            security.max_user_name_length = number(MAX_NAME);
            security.max_password_length = number(MAX_PASSWORD);
            security.hashing_algorithms = Some(List::words(&["MD5", "SHA-256"]));
        });
        capabilities.system = SystemCapabilities::with(|system| {
            let found = shared.speaks_discovery;
            system.discovery_not_supported = Some(!found);
            (system.discovery_resolve, system.discovery_bye) = (Some(found), Some(found));
            // What it was has left Core with its release 2.6.1.
            system.remote_discovery = Some(false);
            system.network_config_not_supported = Some(true);
            system.user_config_not_supported = Some(false);
        });
    })
}

fn has_ipv6() -> bool {
    // Whoever cannot list its interfaces has none to offer.
    interfaces::interfaces().is_ok_and(|found| found.iter().any(|interface| !interface.v6.is_empty()))
}

fn version((major, minor): (i32, i32)) -> OnvifVersion {
    OnvifVersion::with(|version| (version.major, version.minor) = (major, minor))
}

pub(super) async fn get_capabilities(call: Call, request: GetCapabilities) -> Result<GetCapabilitiesResponse, Fault> {
    // No category means all (§8.1.2.4).
    let all = request.category.is_empty() || request.category.contains(&CapabilityCategory::All);
    for category in &request.category {
        if let Some(namespace) = namespace(*category).filter(|wanted| address(&call, *wanted).is_none()) {
            let fault = Fault::action_not_supported(format!("this device has no service {}", namespace.uri));
            return Err(fault.subcode("NoSuchService"));
        }
    }
    let wants = |category| all || request.category.contains(&category);
    Ok(GetCapabilitiesResponse::with(|response| {
        if wants(CapabilityCategory::Device) {
            response.capabilities.device = address(&call, ns::TDS).map(|address| legacy_device(address, &call.shared));
        }
        if wants(CapabilityCategory::Events) {
            let can = events::capabilities(&call.shared);
            response.capabilities.events = address(&call, ns::TEV).map(|address| legacy_events(address, &can));
        }
    }))
}

/// The service that a category stands for; all of them for All.
fn namespace(category: CapabilityCategory) -> Option<Ns> {
    const fn ver10(prefix: &'static str, uri: &'static str) -> Option<Ns> {
        Some(Ns::new(prefix, uri))
    }
    match category {
        CapabilityCategory::Device => Some(ns::TDS),
        CapabilityCategory::Events => Some(ns::TEV),
        CapabilityCategory::Media => ver10("trt", "http://www.onvif.org/ver10/media/wsdl"),
        CapabilityCategory::Analytics => ver10("tan", "http://www.onvif.org/ver20/analytics/wsdl"),
        CapabilityCategory::Imaging => ver10("timg", "http://www.onvif.org/ver20/imaging/wsdl"),
        CapabilityCategory::Ptz => ver10("tptz", "http://www.onvif.org/ver20/ptz/wsdl"),
        _ => None,
    }
}

fn address(call: &Call, namespace: Ns) -> Option<String> {
    SERVICES.iter().find(|service| service.namespace == namespace).map(|service| call.base.join(service.path))
}

/// The event service's part of the old list: what GetServiceCapabilities tells, as far as it goes.
fn legacy_events(address: String, can: &oriel_onvif::events::Capabilities) -> legacy_capabilities::EventCapabilities {
    legacy_capabilities::EventCapabilities::with(|events| {
        events.x_addr = address;
        events.ws_subscription_policy_support = can.ws_subscription_policy_support == Some(true);
        events.ws_pull_point_support = can.max_pull_points.is_some_and(|most| most > 0);
        events.ws_pausable_subscription_manager_interface_support =
            can.ws_pausable_subscription_manager_interface_support == Some(true);
    })
}

/// The device's part of the old list (annex A); what it can do beyond is told by GetServices alone.
fn legacy_device(address: String, shared: &Shared) -> legacy_capabilities::DeviceCapabilities {
    use legacy_capabilities::*;
    DeviceCapabilities::with(|device| {
        device.x_addr = address;
        device.network = Some(NetworkCapabilities::with(|network| {
            network.ip_filter = Some(false);
            network.zero_configuration = Some(false);
            network.ip_version6 = Some(has_ipv6());
            network.dyn_dns = Some(false);
        }));
        device.system = Some(SystemCapabilities::with(|system| {
            system.supported_versions = vec![version(VERSION)];
            (system.discovery_resolve, system.discovery_bye) = (shared.speaks_discovery, shared.speaks_discovery);
        }));
        device.io = Some(IoCapabilities::with(|io| {
            (io.input_connectors, io.relay_outputs) = (Some(0), Some(0));
        }));
        // The TLS versions mean our own port, and that speaks plain HTTP.
        device.security = Some(SecurityCapabilities::default());
    })
}
