//! The part of `tt:Capabilities` for services that came after the first edition (Core §8.1.2.4).

use super::legacy_capabilities::Extension;
use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, XmlRead, XmlWrite};

/// Services that came later.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct CapabilitiesExtension {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Inputs and outputs.
    #[xml(name = "DeviceIO")]
    pub device_io: Option<DeviceIoCapabilities>,
    /// Display.
    pub display: Option<DisplayCapabilities>,
    /// Recording.
    pub recording: Option<RecordingCapabilities>,
    /// Search.
    pub search: Option<SearchCapabilities>,
    /// Replay.
    pub replay: Option<ReplayCapabilities>,
    /// Receivers.
    pub receiver: Option<ReceiverCapabilities>,
    /// Analytics devices.
    pub analytics_device: Option<AnalyticsDeviceCapabilities>,
    /// More.
    pub extensions: Option<Extension>,
}

/// Inputs and outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct DeviceIoCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Video sources.
    pub video_sources: i32,
    /// Video outputs.
    pub video_outputs: i32,
    /// Audio sources.
    pub audio_sources: i32,
    /// Audio outputs.
    pub audio_outputs: i32,
    /// Relays.
    pub relay_outputs: i32,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Display.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct DisplayCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Layouts are fixed.
    pub fixed_layout: bool,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct RecordingCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// From receivers.
    pub receiver_source: bool,
    /// From media profiles.
    pub media_profile_source: bool,
    /// Recordings come and go.
    pub dynamic_recordings: bool,
    /// Tracks come and go.
    pub dynamic_tracks: bool,
    /// Longest text.
    pub max_string_length: i32,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Search.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct SearchCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// In metadata.
    pub metadata_search: bool,
    /// In natural language.
    #[xml(name = "NLSearch")]
    pub nl_search: Option<bool>,
    /// By image.
    pub image_search: Option<bool>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct ReplayCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Receivers.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct ReceiverCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// RTP multicast.
    #[xml(name = "RTP_Multicast")]
    pub rtp_multicast: bool,
    /// RTP over TCP.
    #[xml(name = "RTP_TCP")]
    pub rtp_tcp: bool,
    /// RTP in RTSP over TCP.
    #[xml(name = "RTP_RTSP_TCP")]
    pub rtp_rtsp_tcp: bool,
    /// Most receivers.
    pub supported_receivers: i32,
    /// Longest address.
    #[xml(name = "MaximumRTSPURILength")]
    pub maximum_rtsp_uri_length: i32,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Analytics devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct AnalyticsDeviceCapabilities {
    /// Address of the service.
    #[xml(token)]
    pub x_addr: String,
    /// Rules.
    pub rule_support: Option<bool>,
    /// More.
    pub extension: Option<Extension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}
