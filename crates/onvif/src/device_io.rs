//! The device IO service (DeviceIo chapter 5).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of the service.
    ns::TMD =>
    // §5.1
    GetVideoOutputs                     ReadMedia;
    // §5.2
    GetVideoOutputConfiguration         ReadMedia;
    SetVideoOutputConfiguration         Actuate;
    // §5.3
    GetVideoSources                     ReadMedia;
    // §5.4
    GetAudioOutputs                     ReadMedia;
    // §5.5
    GetAudioSources                     ReadMedia;
    // §5.6
    GetRelayOutputOptions               PreAuth;
    SetRelayOutputSettings              Actuate;
    // §5.7
    GetDigitalInputs                    ReadSystem;
    GetDigitalInputConfigurationOptions ReadSystem;
    SetDigitalInputConfigurations       Actuate;
    // §5.8
    GetSerialPorts                      ReadSystem;
    GetSerialPortConfiguration          ReadSystem;
    SetSerialPortConfiguration          Actuate;
    GetSerialPortConfigurationOptions   ReadSystem;
    SendReceiveSerialCommand            Actuate;
    // §5.9
    GetServiceCapabilities              PreAuth;
    // Without a class in the text: as the Get beside it, and as the operation of that name of the Media service, where they moved.
    GetVideoOutputConfigurationOptions  ReadMedia;
    GetVideoSourceConfiguration         ReadMedia;
    SetVideoSourceConfiguration         Actuate;
    GetVideoSourceConfigurationOptions  ReadMedia;
    GetAudioSourceConfiguration         ReadMedia;
    SetAudioSourceConfiguration         Actuate;
    GetAudioSourceConfigurationOptions  ReadMedia;
    GetAudioOutputConfiguration         ReadMedia;
    SetAudioOutputConfiguration         Actuate;
    GetAudioOutputConfigurationOptions  ReadMedia;
}
