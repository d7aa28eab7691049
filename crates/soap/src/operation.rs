//! Operations and the tables that list all of a service, with structs or without.

use crate::access::AccessClass;
use crate::xml::{Ns, XmlRead, XmlWrite};

/// A request, and with it everything that is fixed about its operation.
pub trait Operation: XmlRead + XmlWrite + Send + Sync + 'static {
    /// What is answered.
    type Response: XmlRead + XmlWrite + Send + 'static;
    /// The service's namespace.
    const SERVICE: Ns;
    /// Name of the operation and of the request's element.
    const NAME: &'static str;
    /// Name of the response's element.
    const RESPONSE: &'static str;
    /// Who may ask.
    const ACCESS: AccessClass;
}

/// What the table says about one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The service's namespace.
    pub service: Ns,
    /// Name of the operation and of the request's element.
    pub name: &'static str,
    /// Who may ask.
    pub access: AccessClass,
    /// Name of the response's element, if the operation has structs.
    pub response: Option<&'static str>,
}

/// All operations of a service.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The service's namespace.
    pub service: Ns,
    /// The operations, in the order of the specification.
    pub rows: &'static [Row],
}

impl Table {
    /// The row of an operation.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

/// The row of an operation in any of the tables.
#[must_use]
pub fn lookup(tables: &[&'static Table], namespace: &str, name: &str) -> Option<&'static Row> {
    tables.iter().find(|table| table.service.uri == namespace)?.find(name)
}

/// The operations of a service: a `pub static TABLE` with all rows, and [`Operation`] for the rows that have structs.
///
/// A row is `Request AccessClass -> Response,` or, for an operation without structs yet, `Name AccessClass;`.
#[macro_export]
macro_rules! operations {
    (@response) => { ::core::option::Option::None };
    (@response $response:ident) => { ::core::option::Option::Some(stringify!($response)) };
    ($(#[$doc:meta])* $service:path => $($name:ident $access:ident $(-> $response:ident)? $(,)? $(;)?)*) => {
        $(#[$doc])*
        pub static TABLE: $crate::operation::Table = $crate::operation::Table {
            service: $service,
            rows: &[$(
                $crate::operation::Row {
                    service: $service,
                    name: stringify!($name),
                    access: $crate::access::AccessClass::$access,
                    response: $crate::operations!(@response $($response)?),
                },
            )*],
        };
        $($(
            impl $crate::operation::Operation for $name {
                type Response = $response;
                const SERVICE: $crate::xml::Ns = $service;
                const NAME: &'static str = stringify!($name);
                const RESPONSE: &'static str = stringify!($response);
                const ACCESS: $crate::access::AccessClass = $crate::access::AccessClass::$access;
            }
        )?)*
    };
}
