//! The words on the wire: what other editions and makers write is read, what we write is the newest schema's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use oriel_onvif::device_mgmt::{
    self, CreateUsers, DeviceServiceCapabilities, GetCapabilitiesResponse, GetServicesResponse, OnvifVersion, Service,
    ServiceCapabilities, User, UserLevel, legacy_capabilities,
};
use oriel_onvif::security::{
    self, AlgorithmIdentifier, CSRAttribute, CreatePKCS10CSR, DistinguishedName, DistinguishedNameMore,
    GetCertificateResponse, X509v3Extension,
};
use oriel_onvif::uplink::{
    self, AuthorizationMode, Configuration, ConnectionStatus, GetUplinksResponse, Protocol, SetUplink,
};
use oriel_onvif::{lookup, ns, tables};
use oriel_soap::envelope::{self, Envelope, Headers};
use oriel_soap::xml::{Any, Base64, Limits, List, Ns, Writer, XmlRead, XmlWrite, parse};
use oriel_soap::{AccessClass, With};
use std::collections::BTreeSet;

fn read<T: XmlRead>(text: &str) -> T {
    T::read(parse(text.as_bytes(), &Limits::REPLY).unwrap().root_element()).unwrap()
}

fn written(ns: Ns, name: &str, value: &impl XmlWrite) -> String {
    let mut writer = Writer::fragment();
    writer.element(ns, name, value);
    writer.finish()
}

#[test]
fn the_status_has_two_names_and_one_is_sent() {
    let with = |status: &str| {
        let text = format!(
            r#"<r xmlns="{}"><Configuration><RemoteAddress> https://c/ </RemoteAddress><UserLevel>Operator User</UserLevel><Status>{status}</Status></Configuration></r>"#,
            ns::TUP.uri
        );
        read::<GetUplinksResponse>(&text).configuration.remove(0)
    };
    for status in ["Online", "Connected"] {
        let configuration = with(status);
        assert_eq!(configuration.status, Some(ConnectionStatus::Connected));
        assert_eq!(configuration.remote_address, "https://c/");
        assert_eq!(*configuration.user_level, ["Operator", "User"]);
        assert!(written(ns::TUP, "Configuration", &configuration).contains("<tup:Status>Connected</tup:Status>"));
    }
    assert_eq!(with("Dreaming").status, Some(ConnectionStatus::Other("Dreaming".into())));
}

#[test]
fn authorization_modes_have_two_names_and_one_is_sent() {
    let text = r#"<c MaxUplinks="4" Protocols="https wss" AuthorizationModes="mTLS JWT AccessToken" StreamingOverUplink="1" New="x"/>"#;
    let capabilities: uplink::Capabilities = read(text);
    let modes = [AuthorizationMode::MutualTls, AuthorizationMode::AccessToken, AuthorizationMode::AccessToken];
    assert_eq!(**capabilities.authorization_modes.as_ref().unwrap(), modes);
    assert_eq!(**capabilities.protocols.as_ref().unwrap(), [Protocol::Https, Protocol::Wss]);
    let text = written(ns::TUP, "Capabilities", &capabilities);
    assert!(
        text.contains(r#"AuthorizationModes="mTLS AccessToken AccessToken" StreamingOverUplink="true" New="x""#),
        "{text}"
    );
}

#[test]
fn set_uplink_is_written_in_schema_order() {
    let request = SetUplink::with(|request| {
        request.configuration = Configuration::with(|configuration| {
            configuration.remote_address = "wss://cloud.example/?a=1&b=2".into();
            configuration.certificate_id = Some("cert".into());
            configuration.user_level = List::words(&["Administrator"]);
            configuration.cert_path_validation_policy_id = Some("policy".into());
        });
    });
    let message = envelope::request(&request, &Headers::default());
    let text = String::from_utf8(message.clone()).unwrap();
    let expected = "<tup:SetUplink><tup:Configuration><tup:RemoteAddress>wss://cloud.example/?a=1&amp;b=2</tup:RemoteAddress>\
        <tup:CertificateID>cert</tup:CertificateID><tup:UserLevel>Administrator</tup:UserLevel>\
        <tup:CertPathValidationPolicyID>policy</tup:CertPathValidationPolicyID></tup:Configuration></tup:SetUplink>";
    assert!(text.contains(expected), "{text}");
    let envelope = Envelope::parse(&message, &Limits::REQUEST).unwrap();
    assert_eq!(envelope.request::<SetUplink>().unwrap(), request);
}

#[test]
fn services_carry_the_capabilities_of_their_own_namespaces() {
    let capabilities = DeviceServiceCapabilities::with(|all| {
        all.security.tls1_2 = Some(true);
        all.security.hashing_algorithms = Some(List::words(&["MD5", "SHA-256"]));
        all.network.ip_filter = Some(false);
        all.network.dhcp_v6 = Some(false);
    });
    let response = GetServicesResponse::with(|response| {
        response.service.push(Service::with(|service| {
            service.namespace = ns::TDS.uri.into();
            service.x_addr = "http://192.0.2.1/onvif/device_service".into();
            service.version = OnvifVersion::with(|version| (version.major, version.minor) = (26, 6));
            service.capabilities = Some(ServiceCapabilities::with(|inner| {
                inner.any.push(Any::of(ns::TDS, "Capabilities", &capabilities));
            }));
        }));
    });
    let text = written(ns::TDS, "GetServicesResponse", &response);
    assert!(text.contains("<tds:XAddr>") && text.contains("<tt:Major>26</tt:Major><tt:Minor>6</tt:Minor>"), "{text}");
    assert!(text.contains(r#"<tds:Security TLS1.2="true" HashingAlgorithms="MD5 SHA-256"/>"#), "{text}");
    assert!(text.contains(r#"<tds:Network IPFilter="false" DHCPv6="false"/>"#), "{text}");
    let back: GetServicesResponse = read(&text);
    assert_eq!(back, response);
    let any = &back.service[0].capabilities.as_ref().unwrap().any[0];
    assert_eq!(any.to::<DeviceServiceCapabilities>().unwrap(), capabilities);
}

/// As an older camera answers: schema extensions nested, a vendor's element in between.
#[test]
fn legacy_capabilities_of_a_camera_are_read() {
    let text = format!(
        r#"<tds:GetCapabilitiesResponse xmlns:tds="{}" xmlns:tt="{}" xmlns:v="urn:vendor"><tds:Capabilities>
        <tt:Device><tt:XAddr>http://192.0.2.1/onvif/device_service</tt:XAddr>
          <tt:Network><tt:IPFilter>true</tt:IPFilter><tt:Extension><tt:Dot11Configuration>false</tt:Dot11Configuration></tt:Extension></tt:Network>
          <tt:Security><tt:TLS1.1>true</tt:TLS1.1><tt:TLS1.2>true</tt:TLS1.2><tt:OnboardKeyGeneration>false</tt:OnboardKeyGeneration>
            <tt:AccessPolicyConfig>false</tt:AccessPolicyConfig><tt:X.509Token>false</tt:X.509Token><tt:SAMLToken>false</tt:SAMLToken>
            <tt:KerberosToken>false</tt:KerberosToken><tt:RELToken>false</tt:RELToken></tt:Security></tt:Device>
        <tt:Media><tt:XAddr>http://192.0.2.1/onvif/media</tt:XAddr><tt:StreamingCapabilities><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>
        <tt:Extension><v:Clever/><tt:DeviceIO><tt:XAddr>http://192.0.2.1/io</tt:XAddr><tt:VideoSources>1</tt:VideoSources><tt:VideoOutputs>0</tt:VideoOutputs>
          <tt:AudioSources>1</tt:AudioSources><tt:AudioOutputs>0</tt:AudioOutputs><tt:RelayOutputs>2</tt:RelayOutputs></tt:DeviceIO></tt:Extension>
        </tds:Capabilities></tds:GetCapabilitiesResponse>"#,
        ns::TDS.uri,
        ns::TT.uri
    );
    let response: GetCapabilitiesResponse = read(&text);
    let capabilities: &legacy_capabilities::Capabilities = &response.capabilities;
    let device = capabilities.device.as_ref().unwrap();
    assert_eq!(device.network.as_ref().unwrap().extension.as_ref().unwrap().dot11_configuration, Some(false));
    assert!(device.security.as_ref().unwrap().tls1_2);
    assert_eq!(capabilities.media.as_ref().unwrap().streaming_capabilities.rtp_rtsp_tcp, Some(true));
    let extension = capabilities.extension.as_ref().unwrap();
    assert_eq!(extension.device_io.as_ref().unwrap().relay_outputs, 2);
    assert_eq!(extension.any.len(), 1);
    assert!(capabilities.events.is_none());
    assert_eq!(read::<GetCapabilitiesResponse>(&written(ns::TDS, "R", &response)), response);
}

#[test]
fn a_password_is_not_printed() {
    let user = User::with(|user| {
        user.username = "ann".into();
        user.password = Some("hidden".into());
        user.user_level = UserLevel::Operator;
    });
    let request = CreateUsers::with(|request| request.user.push(user));
    assert!(!format!("{request:?}").contains("hidden"));
    let text = written(ns::TDS, "CreateUsers", &request);
    assert!(text.contains(
        "<tt:Username>ann</tt:Username><tt:Password>hidden</tt:Password><tt:UserLevel>Operator</tt:UserLevel>"
    ));
    assert_eq!(read::<CreateUsers>(&text), request);
}

#[test]
fn operations_are_found_by_namespace_and_name() {
    assert_eq!(lookup(ns::TUP.uri, "GetServiceCapabilities").unwrap().service, ns::TUP);
    assert_eq!(lookup(ns::TDS.uri, "SetHostname").unwrap().access, AccessClass::WriteSystem);
    assert_eq!(lookup(ns::TDS.uri, "SetHostname").unwrap().response, None);
    assert_eq!(lookup(ns::TDS.uri, "GetUplinks"), None);
    assert_eq!(lookup("", "GetServices"), None);
    assert_eq!(device_mgmt::TABLE.rows.len(), 103);
    // An operation of several services, and two services under two namespaces that differ in a digit.
    let has = |namespace: &str| lookup(namespace, "GetServiceCapabilities").is_some();
    assert!(tables().iter().all(|table| has(table.service.uri) || table.service == ns::WSNT));
    assert_eq!(lookup(ns::TRT.uri, "GetProfiles").unwrap().service, ns::TRT);
    assert_eq!(lookup(ns::TR2.uri, "GetProfiles").unwrap().service, ns::TR2);
    // Every row is found, as itself.
    for row in tables().iter().flat_map(|table| table.rows) {
        assert_eq!(lookup(row.service.uri, row.name), Some(row));
    }
    let namespaces: BTreeSet<_> = tables().iter().map(|table| table.service.uri).collect();
    let prefixes: BTreeSet<_> = tables().iter().map(|table| table.service.prefix).collect();
    assert_eq!((namespaces.len(), prefixes.len()), (tables().len(), tables().len()));
}

/// What an installer would name when asked what a User may not do, and may.
#[test]
fn well_known_operations_have_the_class_of_their_chapter() {
    use AccessClass::{Actuate, PreAuth, ReadMedia, ReadSystem, ReadSystemSecret, Unrecoverable, WriteSystem};
    let expected = [
        (ns::TDS, "GetSystemDateAndTime", PreAuth),
        (ns::TDS, "GetDeviceInformation", ReadSystem),
        (ns::TDS, "GetUsers", ReadSystemSecret),
        (ns::TDS, "SetHostname", WriteSystem),
        (ns::TDS, "SystemReboot", Unrecoverable),
        (ns::TDS, "SetRelayOutputState", Actuate),
        (ns::TEV, "CreatePullPointSubscription", ReadMedia),
        (ns::TEV, "PullMessages", ReadMedia),
        (ns::TEV, "AddEventBroker", WriteSystem),
        (ns::WSNT, "Renew", ReadMedia),
        (ns::WSNT, "Subscribe", Actuate),
        (ns::TRT, "GetStreamUri", ReadMedia),
        (ns::TRT, "GetSnapshotUri", ReadMedia),
        (ns::TRT, "SetVideoEncoderConfiguration", Actuate),
        (ns::TRT, "SetVideoSourceMode", WriteSystem),
        (ns::TR2, "GetStreamUri", ReadMedia),
        (ns::TR2, "GetSnapshotUri", ReadMedia),
        (ns::TR2, "SetWebRTCConfigurations", WriteSystem),
        (ns::TPTZ, "ContinuousMove", Actuate),
        (ns::TPTZ, "AbsoluteMove", Actuate),
        (ns::TPTZ, "Stop", Actuate),
        (ns::TPTZ, "SetPreset", Actuate),
        (ns::TPTZ, "GetPresets", ReadMedia),
        (ns::TIMG, "SetImagingSettings", Actuate),
        (ns::TMD, "GetDigitalInputs", ReadSystem),
        (ns::TMD, "SendReceiveSerialCommand", Actuate),
        (ns::TAN, "CreateRules", Actuate),
        (ns::TRC, "CreateRecording", Actuate),
        (ns::TRC, "GetRecordings", ReadMedia),
        (ns::TSE, "FindEvents", ReadMedia),
        (ns::TRP, "GetReplayUri", ReadMedia),
        (ns::TRV, "ConfigureReceiver", Actuate),
        (ns::TAS, "DeleteKey", Unrecoverable),
        (ns::TUP, "SetUplink", WriteSystem),
    ];
    for (service, name, access) in expected {
        assert_eq!(lookup(service.uri, name).unwrap().access, access, "{}:{name}", service.prefix);
    }
}

#[test]
fn a_key_store_speaks_of_keys_certificates_and_policies() {
    let request = CreatePKCS10CSR::with(|request| {
        request.key_id = "K1".to_owned();
        request.subject = DistinguishedName::with(|name| {
            name.common_name = vec!["camera".to_owned()];
            name.any_attribute =
                Some(DistinguishedNameMore::with(|more| more.domain_component = vec!["example".to_owned()]));
        });
        request.signature_algorithm =
            AlgorithmIdentifier::with(|algorithm| algorithm.algorithm = "1.2.840.10045.4.3.2".to_owned());
        request.csr_attribute = vec![CSRAttribute::with(|attribute| {
            attribute.x509v3_extension = Some(X509v3Extension::with(|extension| {
                extension.extn_oid = "2.5.29.37".to_owned();
                extension.extn_value = Base64(vec![0x30, 0]);
            }));
        })];
    });
    let text = written(ns::TAS, "CreatePKCS10CSR", &request);
    assert!(text.contains("<tas:KeyID>K1</tas:KeyID><tas:CSRAttribute><tas:X509v3Extension><tas:extnOID>"), "{text}");
    assert!(text.contains("<tas:extnValue>MAA=</tas:extnValue>"), "{text}");
    assert!(text.contains("<tas:anyAttribute><tas:DomainComponent>example</"), "{text}");
    assert_eq!(read::<CreatePKCS10CSR>(&text), request);

    let capabilities = security::Capabilities::with(|all| {
        all.keystore_capabilities.maximum_number_of_keys = Some(16);
        all.keystore_capabilities.pkcs10 = Some(true);
        all.keystore_capabilities.rsa_key_lengths = Some(List(vec![2048, 4096]));
        all.keystore_capabilities.x509_versions = Some(List(vec![3]));
        all.tls_server_capabilities.tls_client_auth_supported = Some(false);
    });
    let text = written(ns::TAS, "Capabilities", &capabilities);
    let expected = r#"<tas:KeystoreCapabilities MaximumNumberOfKeys="16" RSAKeyLengths="2048 4096" PKCS10="true" X509Versions="3"/>"#;
    assert!(text.contains(expected), "{text}");
    assert!(text.contains(r#"<tas:TLSServerCapabilities TLSClientAuthSupported="false"/>"#), "{text}");
    assert_eq!(read::<security::Capabilities>(&text), capabilities);
}

/// As another maker's camera answers: lines in the base64, an extension in the middle, no private key told.
#[test]
fn base64_may_have_lines_and_never_prints() {
    let text = format!(
        "<t:GetCertificateResponse xmlns:t=\"{}\"><t:Certificate><t:CertificateID> C1 </t:CertificateID><t:KeyID>K1</t:KeyID>\
         <t:CertificateContent>\r\n MIIB\n AAEC\n</t:CertificateContent></t:Certificate></t:GetCertificateResponse>",
        ns::TAS.uri
    );
    let certificate = read::<GetCertificateResponse>(&text).certificate;
    assert_eq!(certificate.certificate_id, "C1");
    assert_eq!(&*certificate.certificate_content, [0x30, 0x82, 0x01, 0x00, 0x01, 0x02]);
    assert_eq!(certificate.has_private_key, None);
    assert!(format!("{certificate:?}").contains("Base64(6 bytes)"));
    let bad = text.replace("AAEC", "AA*C");
    let document = parse(bad.as_bytes(), &Limits::REPLY).unwrap();
    assert!(GetCertificateResponse::read(document.root_element()).unwrap_err().to_string().contains("base64"));
}
