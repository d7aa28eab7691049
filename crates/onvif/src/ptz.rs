//! The PTZ service (PTZ chapter 5).

use crate::ns;
use oriel_soap::operations;
use oriel_soap::xml::{Any, AnyAttribute, Duration, XmlRead, XmlWrite};

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
    ContinuousMove              Actuate -> ContinuousMoveResponse,
    GeoMove                     Actuate;
    Stop                        Actuate -> StopResponse,
    MoveAndStartTracking        Actuate;
    GetStatus                   ReadMedia;
    // §5.4
    SetPreset                   Actuate;
    GetPresets                  ReadMedia -> GetPresetsResponse,
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

/// Moves until told otherwise (§5.3.3).
#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = ns::TPTZ)]
#[non_exhaustive]
pub struct ContinuousMove {
    /// A profile with a PTZ configuration.
    pub profile_token: String,
    /// How fast, and where to.
    pub velocity: PtzSpeed,
    /// How long at most. Absent: as the configuration says.
    pub timeout: Option<Duration>,
}

/// It moves.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct ContinuousMoveResponse {}

/// A speed; what is absent goes on as it does.
#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct PtzSpeed {
    /// To the right and up.
    pub pan_tilt: Option<Vector2D>,
    /// Inwards.
    pub zoom: Option<Vector1D>,
}

/// Two numbers of a space; a generic space goes from -1 to 1.
#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Vector2D {
    /// The first.
    #[xml(attr, name = "x")]
    pub x: f32,
    /// The second.
    #[xml(attr, name = "y")]
    pub y: f32,
    /// The space that the numbers are of. Absent: the default one of the configuration.
    #[xml(attr, name = "space")]
    pub space: Option<String>,
}

/// One number of a space; a generic space goes from 0 or -1 to 1.
#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct Vector1D {
    /// The number.
    #[xml(attr, name = "x")]
    pub x: f32,
    /// The space that the numbers are of. Absent: the default one of the configuration.
    #[xml(attr, name = "space")]
    pub space: Option<String>,
}

/// Ends what moves (§5.3.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TPTZ)]
#[non_exhaustive]
pub struct Stop {
    /// A profile with a PTZ configuration.
    pub profile_token: String,
    /// Ends pan and tilt; so does its absence.
    pub pan_tilt: Option<bool>,
    /// Ends the zoom; so does its absence.
    pub zoom: Option<bool>,
}

/// Nothing moves.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct StopResponse {}

/// Asks for the presets (§5.4.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TPTZ)]
#[non_exhaustive]
pub struct GetPresets {
    /// A profile with a PTZ configuration.
    pub profile_token: String,
}

/// The presets.
#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = ns::TPTZ)]
#[non_exhaustive]
pub struct GetPresetsResponse {
    /// One entry a preset.
    pub preset: Vec<PtzPreset>,
}

/// A place that was kept.
#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct PtzPreset {
    /// Its key.
    #[xml(attr, name = "token")]
    pub token: Option<String>,
    /// Its name, for people.
    pub name: Option<String>,
    /// Where it is.
    #[xml(name = "PTZPosition")]
    pub ptz_position: Option<PtzVector>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// A place.
#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct PtzVector {
    /// To the right and up.
    pub pan_tilt: Option<Vector2D>,
    /// Inwards.
    pub zoom: Option<Vector1D>,
}
