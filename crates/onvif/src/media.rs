//! The media service of ONVIF 1 (Media chapter 5). The structs are what a client needs to find a stream and a picture; what else a device
//! says of a profile is kept as it came.

use crate::ns;
use oriel_soap::operations;
use oriel_soap::xml::{Any, AnyAttribute, Duration, XmlRead, XmlWrite};

operations! {
    /// The operations of the service.
    ns::TRT =>
    // §5.2
    CreateProfile                              Actuate;
    GetProfiles                                ReadMedia -> GetProfilesResponse,
    GetProfile                                 ReadMedia;
    AddVideoSourceConfiguration                Actuate;
    AddVideoEncoderConfiguration               Actuate;
    AddAudioSourceConfiguration                Actuate;
    AddAudioEncoderConfiguration               Actuate;
    AddPTZConfiguration                        Actuate;
    AddVideoAnalyticsConfiguration             Actuate;
    AddMetadataConfiguration                   Actuate;
    AddAudioOutputConfiguration                Actuate;
    AddAudioDecoderConfiguration               Actuate;
    RemoveVideoSourceConfiguration             Actuate;
    RemoveVideoEncoderConfiguration            Actuate;
    RemoveAudioSourceConfiguration             Actuate;
    RemoveAudioEncoderConfiguration            Actuate;
    RemovePTZConfiguration                     Actuate;
    RemoveVideoAnalyticsConfiguration          Actuate;
    RemoveMetadataConfiguration                Actuate;
    RemoveAudioOutputConfiguration             Actuate;
    RemoveAudioDecoderConfiguration            Actuate;
    DeleteProfile                              Actuate;
    // §5.3
    GetVideoSources                            ReadMedia;
    // §5.4
    GetVideoSourceConfigurations               ReadMedia;
    GetVideoSourceConfiguration                ReadMedia;
    GetCompatibleVideoSourceConfigurations     ReadMedia;
    GetVideoSourceConfigurationOptions         ReadMedia;
    SetVideoSourceConfiguration                Actuate;
    // §5.5
    GetVideoEncoderConfigurations              ReadMedia;
    GetVideoEncoderConfiguration               ReadMedia;
    GetCompatibleVideoEncoderConfigurations    ReadMedia;
    GetVideoEncoderConfigurationOptions        ReadMedia;
    SetVideoEncoderConfiguration               Actuate;
    GetGuaranteedNumberOfVideoEncoderInstances ReadMedia;
    // §5.6
    GetAudioSources                            ReadMedia;
    // §5.7
    GetAudioSourceConfigurations               ReadMedia;
    GetAudioSourceConfiguration                ReadMedia;
    GetCompatibleAudioSourceConfigurations     ReadMedia;
    GetAudioSourceConfigurationOptions         ReadMedia;
    SetAudioSourceConfiguration                Actuate;
    // §5.8
    GetAudioEncoderConfigurations              ReadMedia;
    GetAudioEncoderConfiguration               ReadMedia;
    GetCompatibleAudioEncoderConfigurations    ReadMedia;
    GetAudioEncoderConfigurationOptions        ReadMedia;
    SetAudioEncoderConfiguration               Actuate;
    // §5.9
    GetVideoAnalyticsConfigurations            ReadMedia;
    GetVideoAnalyticsConfiguration             ReadMedia;
    GetCompatibleVideoAnalyticsConfigurations  ReadMedia;
    SetVideoAnalyticsConfiguration             Actuate;
    // §5.10
    GetMetadataConfigurations                  ReadMedia;
    GetMetadataConfiguration                   ReadMedia;
    GetCompatibleMetadataConfigurations        ReadMedia;
    GetMetadataConfigurationOptions            ReadMedia;
    SetMetadataConfiguration                   Actuate;
    // §5.11
    GetAudioOutputs                            ReadMedia;
    // §5.12
    GetAudioOutputConfigurations               ReadMedia;
    GetAudioOutputConfiguration                ReadMedia;
    GetCompatibleAudioOutputConfigurations     ReadMedia;
    GetAudioOutputConfigurationOptions         ReadMedia;
    SetAudioOutputConfiguration                Actuate;
    // §5.13
    GetAudioDecoderConfigurations              ReadMedia;
    GetAudioDecoderConfiguration               ReadMedia;
    GetCompatibleAudioDecoderConfigurations    ReadMedia;
    GetAudioDecoderConfigurationOptions        ReadMedia;
    SetAudioDecoderConfiguration               Actuate;
    // §5.15
    GetStreamUri                               ReadMedia -> GetStreamUriResponse,
    // §5.16
    GetSnapshotUri                             ReadMedia -> GetSnapshotUriResponse,
    // §5.17
    StartMulticastStreaming                    Actuate;
    StopMulticastStreaming                     Actuate;
    // §5.18
    SetSynchronizationPoint                    Actuate;
    // §5.19
    GetVideoSourceModes                        ReadSystem;
    SetVideoSourceMode                         WriteSystem;
    // §5.20
    CreateOSD                                  Actuate;
    DeleteOSD                                  Actuate;
    GetOSDs                                    ReadMedia;
    GetOSD                                     ReadMedia;
    SetOSD                                     Actuate;
    GetOSDOptions                              ReadMedia;
    // §5.21
    GetServiceCapabilities                     PreAuth;
}

/// Asks for the profiles (§5.2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetProfiles {}

/// The profiles.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TRT)]
#[non_exhaustive]
pub struct GetProfilesResponse {
    /// One entry a profile.
    pub profiles: Vec<Profile>,
}

/// A media profile: configurations that go together.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Profile {
    /// Its key.
    #[xml(attr, name = "token")]
    pub token: String,
    /// It cannot be deleted.
    #[xml(attr, name = "fixed")]
    pub fixed: Option<bool>,
    /// Its name, for people.
    pub name: String,
    /// Which picture.
    pub video_source_configuration: Option<VideoSourceConfiguration>,
    /// How it is encoded. Absent: no picture comes from this profile.
    pub video_encoder_configuration: Option<VideoEncoderConfiguration>,
    /// What moves the camera. Absent: nothing does, by this profile.
    #[xml(name = "PTZConfiguration")]
    pub ptz_configuration: Option<PtzConfiguration>,
    /// What else there is, in the order in which it came.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Which picture a profile takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct VideoSourceConfiguration {
    /// Its key.
    #[xml(attr, name = "token")]
    pub token: String,
    /// The video source.
    pub source_token: String,
    /// What else there is, in the order in which it came.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// How a picture is encoded, in either media service.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct VideoEncoderConfiguration {
    /// Its key.
    #[xml(attr, name = "token")]
    pub token: String,
    /// The name of the encoding: `JPEG`, `H264`, `H265`.
    pub encoding: String,
    /// Its size.
    pub resolution: VideoResolution,
    /// What else there is, in the order in which it came.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// The size of a picture, in pixels.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct VideoResolution {
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
}

/// What moves a camera, in either media service.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct PtzConfiguration {
    /// Its key.
    #[xml(attr, name = "token")]
    pub token: String,
    /// The PTZ node.
    pub node_token: String,
    /// What else there is, in the order in which it came.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Asks where a stream is (§5.15.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TRT)]
#[non_exhaustive]
pub struct GetStreamUri {
    /// How it is to be sent.
    pub stream_setup: StreamSetup,
    /// The profile.
    pub profile_token: String,
}

/// How a stream is to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct StreamSetup {
    /// To one or to many.
    pub stream: StreamType,
    /// By what.
    pub transport: Transport,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// To one receiver or to many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum StreamType {
    /// To one.
    #[default]
    #[xml(name = "RTP-Unicast")]
    RtpUnicast,
    /// To many.
    #[xml(name = "RTP-Multicast")]
    RtpMulticast,
}

/// By what a stream is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Transport {
    /// The protocol.
    pub protocol: TransportProtocol,
    /// What else there is, in the order in which it came.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// What carries a stream's packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum TransportProtocol {
    /// RTP over UDP.
    #[xml(name = "UDP")]
    Udp,
    /// RTP over TCP without RTSP; no longer in use.
    #[xml(name = "TCP")]
    Tcp,
    /// RTP in the RTSP connection.
    #[default]
    #[xml(name = "RTSP")]
    Rtsp,
    /// RTP in RTSP in HTTP.
    #[xml(name = "HTTP")]
    Http,
}

/// Where the stream is.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TRT)]
#[non_exhaustive]
pub struct GetStreamUriResponse {
    /// The address.
    pub media_uri: MediaUri,
}

/// Asks where a picture is (§5.16.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TRT)]
#[non_exhaustive]
pub struct GetSnapshotUri {
    /// The profile.
    pub profile_token: String,
}

/// Where the picture is.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TRT)]
#[non_exhaustive]
pub struct GetSnapshotUriResponse {
    /// The address.
    pub media_uri: MediaUri,
}

/// An address of media. How long it holds is in the schema required, and left out by some.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct MediaUri {
    /// The address.
    #[xml(token)]
    pub uri: String,
    /// It holds for one connection.
    pub invalid_after_connect: Option<bool>,
    /// It holds until the device restarts.
    pub invalid_after_reboot: Option<bool>,
    /// How long it holds; zero is for ever.
    pub timeout: Option<Duration>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}
