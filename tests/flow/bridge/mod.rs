//! The bridge: cameras that know nothing of the cloud behind it, and who asks for them in front.

mod plain;
