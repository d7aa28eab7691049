//! The camera half: services, store, supervisor of uplinks.

mod accounts;
pub mod config;
pub mod store;
