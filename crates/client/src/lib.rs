//! The ONVIF client role: typed and raw calls over a transport.
