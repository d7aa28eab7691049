//! The replay control service (Replay chapter 5).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the service.
    ns::TRP =>
    GetReplayUri           ReadMedia; // §5.1
    SetReplayConfiguration Actuate; // §5.3
    GetReplayConfiguration ReadMedia; // §5.4
    GetServiceCapabilities PreAuth; // §5.5
}
