//! The recording search service (RecordingSearch chapter 5).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the service.
    ns::TSE =>
    GetRecordingSummary          ReadMedia; // §5.4
    GetRecordingInformation      ReadMedia; // §5.5
    GetMediaAttributes           ReadMedia; // §5.6
    FindRecordings               ReadMedia; // §5.7
    GetRecordingSearchResults    ReadMedia; // §5.8
    FindEvents                   ReadMedia; // §5.9
    GetEventSearchResults        ReadMedia; // §5.10
    FindPTZPosition              ReadMedia; // §5.11
    GetPTZPositionSearchResults  ReadMedia; // §5.12
    FindMetadata                 ReadMedia; // §5.13
    GetMetadataSearchResults     ReadMedia; // §5.14
    EndSearch                    ReadMedia; // §5.15
    GetServiceCapabilities       PreAuth; // §5.16
    // In the WSDL, no more or not yet in the text: as all other searches.
    GetSearchState               ReadMedia;
    SearchImageByNLRequest       ReadMedia;
    GetNLSearchResultsRequest    ReadMedia;
    SearchImageByImageRequest    ReadMedia;
    GetImageSearchResultsRequest ReadMedia;
}
