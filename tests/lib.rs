//! Flow tests live in `flow/`.
