//! The PTZ service (PTZ chapter 5).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the service.
    ns::TPTZ =>
    // §5.1
    GetNodes                    ReadMedia;
    GetNode                     ReadMedia;
    // §5.2
    GetConfigurations           ReadMedia;
    GetConfiguration            ReadMedia;
    GetConfigurationOptions     ReadMedia;
    SetConfiguration            Actuate;
    GetCompatibleConfigurations ReadMedia;
    // §5.3
    AbsoluteMove                Actuate;
    RelativeMove                Actuate;
    ContinuousMove              Actuate;
    GeoMove                     Actuate;
    Stop                        Actuate;
    MoveAndStartTracking        Actuate;
    GetStatus                   ReadMedia;
    // §5.4
    SetPreset                   Actuate;
    GetPresets                  ReadMedia;
    GotoPreset                  Actuate;
    RemovePreset                Actuate;
    // §5.5
    GotoHomePosition            Actuate;
    SetHomePosition             Actuate;
    // §5.6
    SendAuxiliaryCommand        Actuate;
    // §5.8
    GetPresetTours              ReadMedia;
    GetPresetTour               ReadMedia;
    GetPresetTourOptions        ReadMedia;
    CreatePresetTour            Actuate;
    ModifyPresetTour            Actuate;
    OperatePresetTour           Actuate;
    RemovePresetTour            Actuate;
    // §5.10
    GetServiceCapabilities      PreAuth;
}
