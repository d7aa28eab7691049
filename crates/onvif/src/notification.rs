//! WS-BaseNotification, whose subscriptions the event service uses (Core §9.3).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of all ports.
    ns::WSNT =>
    // §9.1
    Renew              ReadMedia;
    Unsubscribe        ReadMedia;
    // Without a class in Core: reading and one's own subscription as above; what makes the device call an address of the caller's
    // choice is more, and what feeds it messages that are not its own is more still.
    GetCurrentMessage  ReadMedia;
    PauseSubscription  ReadMedia;
    ResumeSubscription ReadMedia;
    CreatePullPoint    ReadMedia;
    GetMessages        ReadMedia;
    DestroyPullPoint   ReadMedia;
    Subscribe          Actuate;
    Notify             WriteSystem;
}
