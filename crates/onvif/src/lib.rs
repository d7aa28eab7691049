//! The words of ONVIF: types and operations of each service.
