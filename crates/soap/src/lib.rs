//! SOAP without services: envelope, fault, access classes, operations table, router, authentication.

extern crate self as oriel_soap;

pub mod access;
pub mod auth;
pub mod envelope;
pub mod fault;
pub mod ns;
pub mod operation;
pub mod router;
pub mod xml;

pub use access::{AccessClass, Caller, Level, Levels, Via};
pub use envelope::Envelope;
pub use fault::Fault;
pub use operation::{Operation, Row, Table};
pub use router::{HasCaller, Reply, Router};
pub use xml::{With, XmlRead, XmlWrite};
