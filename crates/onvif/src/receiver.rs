//! The receiver service (Receiver chapter 5).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the service.
    ns::TRV =>
    // §5.4
    GetReceivers           ReadMedia;
    GetReceiver            ReadMedia;
    CreateReceiver         Actuate;
    DeleteReceiver         Actuate;
    ConfigureReceiver      Actuate;
    SetReceiverMode        Actuate;
    GetReceiverState       ReadMedia;
    // §5.5
    GetServiceCapabilities PreAuth;
}
