//! The event service: pull points and brokers (Core chapter 9). What it takes from WS-BaseNotification is in [`crate::notification`].

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the event service under its own namespace.
    ns::TEV =>
    // §9.1
    CreatePullPointSubscription ReadMedia;
    PullMessages                ReadMedia;
    Seek                        ReadMedia;
    // §9.5
    SetSynchronizationPoint     ReadMedia;
    // §9.7
    GetEventProperties          ReadMedia;
    // §9.8
    GetServiceCapabilities      PreAuth;
    // §9.12
    AddEventBroker              WriteSystem;
    DeleteEventBroker           WriteSystem;
    GetEventBrokers             ReadMedia;
}
