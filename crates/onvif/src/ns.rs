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
/// WS-BaseNotification, of whose operations the event service has some.
pub const WSNT: Ns = Ns::new("wsnt", "http://docs.oasis-open.org/wsn/b-2");
/// WS-Topics, in which the event service tells its topics.
pub const WSTOP: Ns = Ns::new("wstop", "http://docs.oasis-open.org/wsn/t-1");
/// ONVIF's topics (Core §9.6.1); the prefix is the one that clients in the field compare as text.
pub const TNS1: Ns = Ns::new("tns1", "http://www.onvif.org/ver10/topics");
/// WS-BaseFaults, of which the faults of WS-BaseNotification are made.
pub const WSRF_BF: Ns = Ns::new("wsrf-bf", "http://docs.oasis-open.org/wsrf/bf-2");
/// WS-Resource, which has the fault of a subscription that is not there.
pub const WSRF_R: Ns = Ns::new("wsrf-r", "http://docs.oasis-open.org/wsrf/r-2");
/// XML Schema, whose types items have.
pub const XS: Ns = Ns::new("xs", "http://www.w3.org/2001/XMLSchema");
/// Media service of ONVIF 1.
pub const TRT: Ns = Ns::new("trt", "http://www.onvif.org/ver10/media/wsdl");
/// Media service of ONVIF 2.
pub const TR2: Ns = Ns::new("tr2", "http://www.onvif.org/ver20/media/wsdl");
/// PTZ service.
pub const TPTZ: Ns = Ns::new("tptz", "http://www.onvif.org/ver20/ptz/wsdl");
/// Imaging service.
pub const TIMG: Ns = Ns::new("timg", "http://www.onvif.org/ver20/imaging/wsdl");
/// Device IO service.
pub const TMD: Ns = Ns::new("tmd", "http://www.onvif.org/ver10/deviceIO/wsdl");
/// Analytics service.
pub const TAN: Ns = Ns::new("tan", "http://www.onvif.org/ver20/analytics/wsdl");
/// Recording control service.
pub const TRC: Ns = Ns::new("trc", "http://www.onvif.org/ver10/recording/wsdl");
/// Recording search service.
pub const TSE: Ns = Ns::new("tse", "http://www.onvif.org/ver10/search/wsdl");
/// Replay control service.
pub const TRP: Ns = Ns::new("trp", "http://www.onvif.org/ver10/replay/wsdl");
/// Receiver service.
pub const TRV: Ns = Ns::new("trv", "http://www.onvif.org/ver10/receiver/wsdl");
/// Remote discovery; the device types of discovery are in it.
pub const DN: Ns = Ns::new("dn", "http://www.onvif.org/ver10/network/wsdl");
/// WS-Discovery.
pub const WSD: Ns = Ns::new("d", "http://schemas.xmlsoap.org/ws/2005/04/discovery");
