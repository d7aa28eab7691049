//! The recording control service (RecordingControl chapter 5).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the service.
    ns::TRC =>
    CreateRecording              Actuate; // §5.4
    DeleteRecording              Actuate; // §5.5
    GetRecordings                ReadMedia; // §5.6
    SetRecordingConfiguration    Actuate; // §5.7
    GetRecordingConfiguration    ReadMedia; // §5.8
    CreateTrack                  Actuate; // §5.9
    DeleteTrack                  Actuate; // §5.10
    GetTrackConfiguration        ReadMedia; // §5.11
    SetTrackConfiguration        Actuate; // §5.12
    CreateRecordingJob           Actuate; // §5.13
    DeleteRecordingJob           Actuate; // §5.14
    GetRecordingJobs             ReadMedia; // §5.15
    SetRecordingJobConfiguration Actuate; // §5.16
    GetRecordingJobConfiguration ReadMedia; // §5.17
    SetRecordingJobMode          Actuate; // §5.18
    GetRecordingJobState         ReadMedia; // §5.19
    GetRecordingOptions          ReadMedia; // §5.20
    ExportRecordedData           ReadMedia; // §5.21
    StopExportRecordedData       ReadMedia; // §5.22
    GetExportRecordedDataState   ReadMedia; // §5.23
    OverrideSegmentDuration      Actuate; // §5.24
    GetServiceCapabilities       PreAuth; // §5.25
    ListRecordedSegments         ReadMedia; // §5.26
    ExportRecordedSegments       ReadMedia; // §5.27
    StopExportRecordedSegments   ReadMedia; // §5.28
}
