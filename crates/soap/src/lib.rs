//! SOAP 1.2 as ONVIF uses it, without any service: envelope, fault, access classes, operations tables, router, authentication.
//!
//! # The words
//!
//! A message is a plain struct. [`XmlRead`] and [`XmlWrite`] are derived: the element's name belongs to the field (its name in
//! PascalCase, or `name = "..."`), the namespace to the schema that declares it. Prefixes mean nothing on input. An element of a foreign
//! namespace is an extension, whatever its local name: kept where the struct has an `any` field, else ignored. Wire structs are
//! `#[non_exhaustive]` with `Default`, and built with [`With`].
//!
//! [`operations!`] lists every operation of a service with its access class, those that have structs and those that have none yet. The
//! table answers without a router too ([`operation::lookup`]), since a gateway decides on its own parse.
//!
//! # From bytes to a handler
//!
//! Who calls stands in the HTTP header, in the envelope, or in both. So the door parses once, authenticates, and then hands the
//! parsed envelope on:
//!
//! 1. [`envelope::ContentType::parse`] (HTTP 415 otherwise) and [`Envelope::parse`] (a [`Fault`] otherwise: [`Reply::of_fault`]);
//! 2. [`Envelope::username_token`] and [`auth::Authenticator::authenticate`]; where [`Router::row`] says `PRE_AUTH`, credentials that do
//!    not hold count as none, so that a client with a wrong clock can still ask for the time;
//! 3. [`Router::dispatch`]: known, allowed, readable, offered, in this order. Everything that borrows from the message is done when
//!    `dispatch` returns; the future owns what it needs;
//! 4. a caller who showed nothing and was refused gets HTTP 401 with [`auth::Authenticator::challenges`] in place of the fault
//!    (Core §5.9.1).
//!
//! A gateway instead calls [`envelope::inspect`], looks the operation up, asks [`access::allowed`], and sends on
//! [`Envelope::reserialise`]: what the next parser reads is what was decided on.
//!
//! ```
//! use oriel_soap::access::{Caller, Levels, Via};
//! use oriel_soap::envelope::{self, Headers};
//! use oriel_soap::xml::{Limits, Ns, XmlRead, XmlWrite};
//! use oriel_soap::{Envelope, Fault, Router, With, operations};
//!
//! const CLOCK: Ns = Ns::new("clk", "http://example.org/clock");
//!
//! operations! {
//!     /// The operations of a clock.
//!     CLOCK =>
//!     SetAlarm WriteSystem -> SetAlarmResponse,
//!     Wind     Actuate;
//! }
//!
//! #[derive(Debug, Default, XmlRead, XmlWrite)]
//! #[xml(ns = CLOCK)]
//! struct SetAlarm {
//!     hour: i32,
//! }
//!
//! #[derive(Debug, Default, PartialEq, XmlRead, XmlWrite)]
//! #[xml(ns = CLOCK)]
//! struct SetAlarmResponse {
//!     hours_left: i32,
//! }
//!
//! async fn set_alarm(_: Caller, request: SetAlarm) -> Result<SetAlarmResponse, Fault> {
//!     match request.hour {
//!         0..24 => Ok(SetAlarmResponse { hours_left: 24 - request.hour }),
//!         hour => Err(Fault::invalid_arg_val(format!("{hour} is no hour")).subcode("Hour")),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let router = Router::new(&[&TABLE]).on(set_alarm);
//!
//! let message = envelope::request(&SetAlarm::with(|request| request.hour = 7), &Headers::default());
//! let envelope = Envelope::parse(&message, &Limits::REQUEST).unwrap();
//! let peer = "192.0.2.1:1024".parse().unwrap();
//! let caller = Caller { levels: Levels::ADMINISTRATOR, user: None, via: Via::Lan { peer } };
//! let reply = router.dispatch(&envelope, None, caller).await;
//!
//! assert_eq!(reply.status, 200);
//! let response = envelope::read_reply::<SetAlarm>(&reply.body, &Limits::REPLY).unwrap();
//! assert_eq!(response, SetAlarmResponse { hours_left: 17 });
//!
//! let stranger = router.dispatch(&envelope, None, Caller::anonymous(Via::Lan { peer })).await;
//! assert!(stranger.fault.unwrap().is("NotAuthorized"));
//! # }
//! ```

// The derive names this crate from everywhere, from within too.
extern crate self as oriel_soap;

pub mod access;
pub mod addresses;
pub mod auth;
pub mod envelope;
pub mod fault;
pub mod ns;
pub mod operation;
pub mod router;
#[cfg(feature = "udp")]
pub mod udp;
pub mod xml;

pub use access::{AccessClass, Caller, Level, Levels, Via};
pub use envelope::Envelope;
pub use fault::Fault;
pub use operation::{Operation, Row, Table};
pub use router::{HasCaller, Reply, Router};
pub use xml::{With, XmlRead, XmlWrite};
