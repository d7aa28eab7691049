//! The namespaces of SOAP and of the standards around it.

use crate::xml::Ns;

/// SOAP 1.2 envelope.
pub const ENV: Ns = Ns::new("env", "http://www.w3.org/2003/05/soap-envelope");
/// SOAP 1.1 envelope, refused.
pub const ENV11: Ns = Ns::new("env11", "http://schemas.xmlsoap.org/soap/envelope/");
/// ONVIF's faults.
pub const TER: Ns = Ns::new("ter", "http://www.onvif.org/ver10/error");
/// WS-Addressing 1.0.
pub const WSA: Ns = Ns::new("wsa", "http://www.w3.org/2005/08/addressing");
/// WS-Addressing as WS-Discovery uses it.
pub const WSADIS: Ns = Ns::new("wsadis", "http://schemas.xmlsoap.org/ws/2004/08/addressing");
/// WS-Security.
pub const WSSE: Ns =
    Ns::new("wsse", "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd");
/// WS-Security utilities.
pub const WSU: Ns =
    Ns::new("wsu", "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd");
