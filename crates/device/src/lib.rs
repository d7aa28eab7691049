//! The camera half: services, store, supervisor of uplinks.
