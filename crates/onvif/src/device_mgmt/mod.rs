//! The device management service (Core chapter 8).

pub mod capabilities;
pub mod discovery;
mod later_capabilities;
pub mod legacy_capabilities;
pub mod network;
pub mod security;
pub mod system;

pub use capabilities::*;
pub use discovery::*;
pub use network::*;
pub use security::*;
pub use system::*;

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the device management service, those that later editions dropped included.
    ns::TDS =>
    // §8.1 capabilities
    GetWsdlUrl             PreAuth -> GetWsdlUrlResponse,
    GetServices            PreAuth -> GetServicesResponse,
    GetServiceCapabilities PreAuth -> GetServiceCapabilitiesResponse,
    GetCapabilities        PreAuth -> GetCapabilitiesResponse,
    // §8.2 network
    GetHostname              PreAuth -> GetHostnameResponse,
    SetHostname              WriteSystem;
    SetHostnameFromDHCP      WriteSystem;
    GetDNS                   ReadSystem;
    SetDNS                   WriteSystem;
    GetNTP                   ReadSystem;
    SetNTP                   WriteSystem;
    GetDynamicDNS            ReadSystem;
    SetDynamicDNS            WriteSystem;
    GetNetworkInterfaces     ReadSystem -> GetNetworkInterfacesResponse,
    SetNetworkInterfaces     WriteSystem;
    GetNetworkProtocols      ReadSystem;
    SetNetworkProtocols      WriteSystem;
    GetNetworkDefaultGateway ReadSystem;
    SetNetworkDefaultGateway WriteSystem;
    GetZeroConfiguration     ReadSystem;
    SetZeroConfiguration     WriteSystem;
    GetIPAddressFilter       ReadSystem;
    SetIPAddressFilter       WriteSystem;
    AddIPAddressFilter       WriteSystem;
    RemoveIPAddressFilter    WriteSystem;
    GetDot11Capabilities     ReadSystem;
    GetDot11Status           ReadSystem;
    ScanAvailableDot11Networks ReadSystem;
    // §8.3 system
    GetDeviceInformation        ReadSystem -> GetDeviceInformationResponse,
    GetSystemUris               ReadSystem;
    GetSystemBackup             ReadSystemSecret;
    RestoreSystem               Unrecoverable;
    StartSystemRestore          Unrecoverable;
    GetSystemDateAndTime        PreAuth -> GetSystemDateAndTimeResponse,
    SetSystemDateAndTime        WriteSystem;
    SetSystemFactoryDefault     Unrecoverable;
    StartFirmwareUpgrade        Unrecoverable;
    UpgradeFirmware             Unrecoverable;
    GetSystemLog                ReadSystemSecret;
    GetSystemSupportInformation ReadSystemSecret;
    SystemReboot                Unrecoverable;
    GetScopes                   ReadSystem -> GetScopesResponse,
    SetScopes                   WriteSystem -> SetScopesResponse,
    AddScopes                   WriteSystem -> AddScopesResponse,
    RemoveScopes                WriteSystem -> RemoveScopesResponse,
    GetDiscoveryMode            ReadSystem -> GetDiscoveryModeResponse,
    SetDiscoveryMode            WriteSystem -> SetDiscoveryModeResponse,
    GetGeoLocation              ReadSystem;
    SetGeoLocation              WriteSystem;
    DeleteGeoLocation           WriteSystem;
    // §8.4 and §5.9.3 security
    GetAccessPolicy      ReadSystemSecret;
    SetAccessPolicy      WriteSystem;
    GetUsers             ReadSystemSecret -> GetUsersResponse,
    CreateUsers          WriteSystem -> CreateUsersResponse,
    DeleteUsers          WriteSystem -> DeleteUsersResponse,
    SetUser              WriteSystem -> SetUserResponse,
    GetRemoteUser        ReadSystem;
    SetRemoteUser        WriteSystem;
    GetEndpointReference PreAuth -> GetEndpointReferenceResponse,
    GetUserRoles         ReadSystem;
    SetUserRole          WriteSystem;
    DeleteUserRole       WriteSystem;
    SetHashingAlgorithm  WriteSystem;
    // §8.5 security policies
    GetPasswordComplexityOptions       ReadSystem;
    GetPasswordComplexityConfiguration ReadSystem;
    SetPasswordComplexityConfiguration WriteSystem;
    GetPasswordHistoryConfiguration    ReadSystem;
    SetPasswordHistoryConfiguration    WriteSystem;
    GetAuthFailureWarningOptions       ReadSystem;
    GetAuthFailureWarningConfiguration ReadSystem;
    SetAuthFailureWarningConfiguration WriteSystem;
    // §8.6 to §8.8 relays, auxiliary commands, storage
    GetRelayOutputs            ReadMedia;
    SetRelayOutputSettings     Actuate;
    SetRelayOutputState        Actuate;
    SendAuxiliaryCommand       Actuate;
    GetStorageConfigurations   ReadMedia;
    CreateStorageConfiguration Actuate;
    GetStorageConfiguration    ReadMedia;
    SetStorageConfiguration    Actuate;
    DeleteStorageConfiguration Actuate;
    // In the WSDL, no more in the text of Core: the class of what took their place, the stricter one where that leaves a doubt.
    UpgradeSystemFirmware         Unrecoverable;
    GetRemoteDiscoveryMode        ReadSystem;
    SetRemoteDiscoveryMode        WriteSystem;
    GetDPAddresses                ReadSystem;
    SetDPAddresses                WriteSystem;
    CreateCertificate             WriteSystem;
    GetCertificates               ReadSystemSecret;
    GetCertificatesStatus         ReadSystemSecret;
    SetCertificatesStatus         WriteSystem;
    DeleteCertificates            Unrecoverable;
    GetPkcs10Request              ReadSystemSecret;
    LoadCertificates              Unrecoverable;
    GetClientCertificateMode      ReadSystemSecret;
    SetClientCertificateMode      WriteSystem;
    GetCACertificates             ReadSystemSecret;
    LoadCertificateWithPrivateKey Unrecoverable;
    GetCertificateInformation     ReadSystemSecret;
    LoadCACertificates            Unrecoverable;
    CreateDot1XConfiguration      Unrecoverable;
    SetDot1XConfiguration         Unrecoverable;
    GetDot1XConfiguration         ReadSystemSecret;
    GetDot1XConfigurations        ReadSystemSecret;
    DeleteDot1XConfiguration      Unrecoverable;
}
