//! The media service of ONVIF 2 (Media2 chapter 5). The structs are what a client needs to find a stream and a picture, as in
//! [`crate::media`].

use crate::media::{PtzConfiguration, VideoEncoderConfiguration, VideoSourceConfiguration};
use crate::ns;
use oriel_soap::operations;
use oriel_soap::xml::{Any, AnyAttribute, XmlRead, XmlWrite};

operations! {
    /// The operations of the service.
    ns::TR2 =>
    // §5.1
    CreateProfile                                Actuate;
    GetProfiles                                  ReadMedia -> GetProfilesResponse,
    AddConfiguration                             Actuate;
    RemoveConfiguration                          Actuate;
    DeleteProfile                                Actuate;
    // §5.2
    SetEQPresetConfiguration                     WriteSystem;
    // §5.3
    GetVideoSourceConfigurations                 ReadMedia;
    GetVideoEncoderConfigurations                ReadMedia;
    GetAudioSourceConfigurations                 ReadMedia;
    GetAudioEncoderConfigurations                ReadMedia;
    GetAnalyticsConfigurations                   ReadMedia;
    GetMetadataConfigurations                    ReadMedia;
    GetAudioOutputConfigurations                 ReadMedia;
    GetAudioDecoderConfigurations                ReadMedia;
    SetVideoSourceConfiguration                  Actuate;
    SetVideoEncoderConfiguration                 Actuate;
    SetAudioSourceConfiguration                  Actuate;
    SetAudioEncoderConfiguration                 Actuate;
    SetMetadataConfiguration                     Actuate;
    SetAudioOutputConfiguration                  Actuate;
    SetAudioDecoderConfiguration                 Actuate;
    GetVideoSourceConfigurationOptions           ReadMedia;
    GetVideoEncoderConfigurationOptions          ReadMedia;
    GetAudioSourceConfigurationOptions           ReadMedia;
    GetAudioEncoderConfigurationOptions          ReadMedia;
    GetMetadataConfigurationOptions              ReadMedia;
    GetAudioOutputConfigurationOptions           ReadMedia;
    GetAudioDecoderConfigurationOptions          ReadMedia;
    GetVideoEncoderInstances                     ReadMedia;
    // §5.4
    GetStreamUri                                 ReadMedia -> GetStreamUriResponse,
    // §5.5
    GetSnapshotUri                               ReadMedia -> GetSnapshotUriResponse,
    // §5.6
    StartMulticastStreaming                      Actuate;
    StopMulticastStreaming                       Actuate;
    // §5.7
    SetSynchronizationPoint                      Actuate;
    // §5.8
    GetVideoSourceModes                          ReadSystem;
    SetVideoSourceMode                           WriteSystem;
    // §5.9
    CreateOSD                                    Actuate;
    DeleteOSD                                    Actuate;
    GetOSDs                                      ReadMedia;
    SetOSD                                       Actuate;
    GetOSDOptions                                ReadMedia;
    // §5.10
    CreateMask                                   Actuate;
    DeleteMask                                   Actuate;
    GetMasks                                     ReadMedia;
    SetMask                                      Actuate;
    GetMaskOptions                               ReadMedia;
    // §5.11
    GetWebRTCConfigurations                      ReadSystem;
    SetWebRTCConfigurations                      WriteSystem;
    // §5.12
    GetAudioClips                                ReadSystem;
    AddAudioClip                                 WriteSystem;
    AddTTSAudioClip                              WriteSystem;
    SetAudioClip                                 WriteSystem;
    DeleteAudioClip                              WriteSystem;
    PlayAudioClip                                ReadSystem;
    GetPlayingAudioClips                         ReadSystem;
    // §5.13
    GetMulticastAudioDecoderConfigurations       ReadSystem;
    GetMulticastAudioDecoderConfigurationOptions ReadSystem;
    SetMulticastAudioDecoderConfiguration        WriteSystem;
    // §5.14
    GetServiceCapabilities                       PreAuth;
}

/// Asks for profiles (§5.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TR2)]
#[non_exhaustive]
pub struct GetProfiles {
    /// The one profile. Absent: all.
    pub token: Option<String>,
    /// Which of their configurations to tell: `All`, or names such as `VideoEncoder`. Empty: none.
    #[xml(name = "Type")]
    pub types: Vec<String>,
}

/// The profiles.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TR2)]
#[non_exhaustive]
pub struct GetProfilesResponse {
    /// One entry a profile.
    pub profiles: Vec<MediaProfile>,
}

/// A media profile: configurations that go together.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TR2)]
#[non_exhaustive]
pub struct MediaProfile {
    /// Its key.
    #[xml(attr, name = "token")]
    pub token: String,
    /// It cannot be deleted.
    #[xml(attr, name = "fixed")]
    pub fixed: Option<bool>,
    /// Its name, for people.
    pub name: String,
    /// The configurations that were asked for.
    pub configurations: Option<ConfigurationSet>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// The configurations of a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TR2)]
#[non_exhaustive]
pub struct ConfigurationSet {
    /// Which picture.
    pub video_source: Option<VideoSourceConfiguration>,
    /// How it is encoded.
    pub video_encoder: Option<VideoEncoderConfiguration>,
    /// What moves the camera.
    #[xml(name = "PTZ")]
    pub ptz: Option<PtzConfiguration>,
    /// What else there is, in the order in which it came.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// Asks where a stream is (§5.4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TR2)]
#[non_exhaustive]
pub struct GetStreamUri {
    /// How it is to be sent.
    pub protocol: TransportProtocol,
    /// The profile.
    pub profile_token: String,
}

/// How a stream is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum TransportProtocol {
    /// RTP over UDP, to one.
    RtspUnicast,
    /// RTP over UDP, to many.
    RtspMulticast,
    /// SRTP over UDP, to one.
    RtspsUnicast,
    /// SRTP over UDP, to many.
    RtspsMulticast,
    /// RTP in the RTSP connection.
    #[default]
    #[xml(name = "RTSP")]
    Rtsp,
    /// RTP in RTSP in HTTP.
    RtspOverHttp,
    /// One that the schema does not list.
    #[xml(other)]
    Other(String),
}

/// Where the stream is.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TR2)]
#[non_exhaustive]
pub struct GetStreamUriResponse {
    /// The address.
    #[xml(token)]
    pub uri: String,
}

/// Asks where a picture is (§5.5.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TR2)]
#[non_exhaustive]
pub struct GetSnapshotUri {
    /// The profile.
    pub profile_token: String,
}

/// Where the picture is.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TR2)]
#[non_exhaustive]
pub struct GetSnapshotUriResponse {
    /// The address.
    #[xml(token)]
    pub uri: String,
}
