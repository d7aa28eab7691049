//! The words of ONVIF: types and operations of each service, and no deeds.
//!
//! A service is a module: the structs of its WSDL under their names there, and a `TABLE` with every operation, whether it has structs
//! yet or not.

pub mod device_mgmt;
pub mod ns;
pub mod security;
pub mod uplink;

use oriel_soap::operation::{Row, Table};

/// The tables of all services.
#[must_use]
pub fn tables() -> &'static [&'static Table] {
    static TABLES: [&Table; 3] = [&device_mgmt::TABLE, &uplink::TABLE, &security::TABLE];
    &TABLES
}

/// The row of an operation of any service.
#[must_use]
pub fn lookup(namespace: &str, name: &str) -> Option<&'static Row> {
    oriel_soap::operation::lookup(tables(), namespace, name)
}
