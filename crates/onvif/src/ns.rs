//! The namespaces of ONVIF's schemas and services (Core §5.3).

use oriel_soap::xml::Ns;

/// Types that the services share.
pub const TT: Ns = Ns::new("tt", "http://www.onvif.org/ver10/schema");
/// Device management service.
pub const TDS: Ns = Ns::new("tds", "http://www.onvif.org/ver10/device/wsdl");
/// Uplink service.
pub const TUP: Ns = Ns::new("tup", "http://www.onvif.org/ver10/uplink/wsdl");
/// Security configuration service.
pub const TAS: Ns = Ns::new("tas", "http://www.onvif.org/ver10/advancedsecurity/wsdl");
/// Event service.
pub const TEV: Ns = Ns::new("tev", "http://www.onvif.org/ver10/events/wsdl");
/// Remote discovery; the device types of discovery are in it.
pub const DN: Ns = Ns::new("dn", "http://www.onvif.org/ver10/network/wsdl");
