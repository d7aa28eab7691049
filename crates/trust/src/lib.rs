//! Keys, certificates and validation policies, for both halves.
