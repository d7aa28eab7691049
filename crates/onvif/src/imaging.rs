//! The imaging service (Imaging chapter 5).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the service.
    ns::TIMG =>
    // §5.1
    GetImagingSettings     ReadMedia;
    SetImagingSettings     Actuate;
    GetOptions             ReadMedia;
    // §5.2
    GetPresets             ReadMedia;
    GetCurrentPreset       ReadMedia;
    SetCurrentPreset       Actuate;
    // §5.3
    Move                   Actuate;
    GetMoveOptions         ReadMedia;
    Stop                   Actuate;
    GetStatus              ReadMedia;
    // §5.4
    GetServiceCapabilities PreAuth;
}
