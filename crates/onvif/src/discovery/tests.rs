use super::*;

const PROBE_ID: &str = "urn:uuid:0a6dc791-2be6-4991-9af1-454778a1917a";

/// As a camera of gSOAP writes it: a prefix for everything, several addresses, white space.
const GSOAP: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:wsdd="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:tdn="http://www.onvif.org/ver10/network/wsdl" xmlns:dev="http://www.onvif.org/ver10/device/wsdl">
<SOAP-ENV:Header><wsa:MessageID>uuid:84ede3de-7dec-11d0-c360-f01234567890</wsa:MessageID><wsa:RelatesTo>uuid:0A6DC791-2BE6-4991-9AF1-454778A1917A</wsa:RelatesTo>
<wsa:To SOAP-ENV:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</wsa:To>
<wsa:Action SOAP-ENV:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</wsa:Action>
<wsdd:AppSequence MessageNumber="7" InstanceId="1700000000" SequenceId="urn:uuid:1"></wsdd:AppSequence></SOAP-ENV:Header>
<SOAP-ENV:Body><wsdd:ProbeMatches><wsdd:ProbeMatch>
<wsa:EndpointReference><wsa:Address>urn:uuid:11223344-5566-7788-99aa-bbccddeeff00</wsa:Address></wsa:EndpointReference>
<wsdd:Types> tdn:NetworkVideoTransmitter
 dev:Device </wsdd:Types>
<wsdd:Scopes>onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/X1
 onvif://www.onvif.org/location/city/Lund onvif://www.onvif.org/location/floor/2 onvif://www.onvif.org/MAC/02:00:00:00:00:07</wsdd:Scopes>
<wsdd:XAddrs>http://192.0.2.7/onvif/device_service  https://192.0.2.7/onvif/device_service http://[2001:db8::7]/onvif/device_service</wsdd:XAddrs>
</wsdd:ProbeMatch></wsdd:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>
"#;

fn only(packet: Packet) -> Target {
    match packet.message {
        Message::ProbeMatches(mut targets) if targets.len() == 1 => targets.remove(0),
        other => panic!("{other:?}"),
    }
}

/// An envelope around a body, with default namespaces everywhere.
fn bare(header: &str, body: &str) -> Vec<u8> {
    format!(
        "<Envelope xmlns='http://www.w3.org/2003/05/soap-envelope'><Header xmlns:a='{}'>{header}</Header><Body>{body}</Body></Envelope>",
        oriel_soap::ns::WSADIS.uri
    )
    .into_bytes()
}

#[test]
fn an_answer_is_read_whatever_its_prefixes() {
    let packet = Packet::parse(GSOAP.as_bytes()).unwrap();
    assert!(same_name(packet.relates_to.as_deref().unwrap(), PROBE_ID));
    assert_eq!(packet.sequence.as_ref().map(|sequence| sequence.message_number), Some(7));
    let target = only(packet);
    assert_eq!(target.endpoint, "urn:uuid:11223344-5566-7788-99aa-bbccddeeff00");
    assert_eq!(target.types, [NETWORK_VIDEO_TRANSMITTER, DEVICE]);
    assert_eq!(target.xaddrs.len(), 3);
    assert_eq!(target.metadata_version, None, "it is left out by some");
    let first = |category| values(&target.scopes, category).next();
    assert_eq!(first("name").as_deref(), Some("Front door"));
    assert_eq!(first("Hardware").as_deref(), Some("X1"));
    assert_eq!(values(&target.scopes, "location").collect::<Vec<_>>(), ["city/Lund", "floor/2"]);
    assert_eq!(first("mac").as_deref(), Some("02:00:00:00:00:07"));
    assert_eq!(first("country"), None);
}

#[test]
fn what_cameras_get_wrong_is_read_still() {
    let body = "<d:ProbeMatches xmlns:d='http://schemas.xmlsoap.org/ws/2005/04/discovery'><d:ProbeMatch>\
        <e:EndpointReference xmlns:e='http://www.w3.org/2005/08/addressing'><e:Address> urn:uuid:1 </e:Address></e:EndpointReference>\
        <d:Types>dn:NetworkVideoTransmitter tds:Device zz:Unheard</d:Types><d:Scopes>onvif://www.onvif.org/name/K\u{fc}che</d:Scopes>\
        <d:XAddrs/><d:MetadataVersion>soon</d:MetadataVersion></d:ProbeMatch><d:ProbeMatch/></d:ProbeMatches>";
    let mut bytes = bare("", body);
    // In Latin-1, and with the zero at the end that C knows.
    let at = bytes.windows(2).position(|pair| pair == "ü".as_bytes()).unwrap();
    bytes.splice(at..at + 2, [0xfc]);
    bytes.extend(b"\r\n\0\0");
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!((packet.message_id.as_ref(), packet.relates_to.as_ref()), (None, None));
    let target = only(packet);
    assert_eq!(target.endpoint, "urn:uuid:1");
    assert_eq!(target.types, [NETWORK_VIDEO_TRANSMITTER, DEVICE], "prefixes that are declared nowhere");
    assert_eq!(values(&target.scopes, "name").next().as_deref(), Some("K\u{fffd}che"));
    assert_eq!((target.xaddrs.len(), target.metadata_version), (0, None));
}

#[test]
fn an_endpoint_reference_is_found_in_the_wrong_namespace() {
    let d = "xmlns='http://schemas.xmlsoap.org/ws/2005/04/discovery'";
    let wsa = "xmlns='http://schemas.xmlsoap.org/ws/2004/08/addressing'";
    for reference in [
        "<EndpointReference><Address>urn:uuid:1</Address></EndpointReference>".to_owned(),
        format!("<EndpointReference><Address {wsa}>urn:uuid:1</Address></EndpointReference>"),
    ] {
        let packet = Packet::parse(&bare("", &format!("<Bye {d}>{reference}</Bye>"))).unwrap();
        assert_eq!(packet.message, Message::Bye("urn:uuid:1".to_owned()));
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let d = "xmlns='http://schemas.xmlsoap.org/ws/2005/04/discovery'";
    let action = |name: &str| format!("<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/{name}</a:Action>");
    Packet::parse(&bare(&action("Probe"), &format!("<Probe {d}/>"))).unwrap();
    let wrong: [(&str, Vec<u8>); 9] = [
        ("nothing", Vec::new()),
        ("no XML", b"M-SEARCH * HTTP/1.1\r\n\r\n".to_vec()),
        ("noise", (0..=255).collect()),
        ("too long", vec![b' '; LONGEST + 1]),
        ("another action", bare(&action("Hello"), &format!("<Probe {d}/>"))),
        ("another namespace", bare("", "<Probe xmlns='http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01'/>")),
        ("no message", bare("", &format!("<Goodbye {d}/>"))),
        ("no endpoint", bare("", &format!("<Hello {d}/>"))),
        ("a DTD", [b"<!DOCTYPE a [<!ENTITY b 'c'>]>".to_vec(), bare("", &format!("<Probe {d}/>"))].concat()),
    ];
    for (name, datagram) in wrong {
        assert!(Packet::parse(&datagram).is_err(), "{name}");
    }
}

#[test]
fn what_is_too_much_is_left_out() {
    let entry = |number: usize| {
        let long = "x".repeat(2000);
        let scopes: String = (0..200).map(|scope| format!("s:{scope} ")).collect();
        let xaddrs: String = (0..200).map(|address| format!("http://192.0.2.1/{address} ")).collect();
        format!(
            "<d:ProbeMatch><a:EndpointReference><a:Address>urn:{number}</a:Address></a:EndpointReference>\
             <d:Scopes>{long} {scopes}</d:Scopes><d:XAddrs>{xaddrs}</d:XAddrs></d:ProbeMatch>"
        )
    };
    let wrap = |inner: &str| {
        let names = "xmlns:d='http://schemas.xmlsoap.org/ws/2005/04/discovery' xmlns:a='http://schemas.xmlsoap.org/ws/2004/08/addressing'";
        bare("", &format!("<d:ProbeMatches {names}>{inner}</d:ProbeMatches>"))
    };
    let target = only(Packet::parse(&wrap(&entry(1))).unwrap());
    assert_eq!((target.scopes.len(), target.scopes[0].as_str(), target.xaddrs.len()), (64, "s:0", 16));
    let many: String = (0..200)
        .map(|n| {
            format!(
                "<d:ProbeMatch><a:EndpointReference><a:Address>u:{n}</a:Address></a:EndpointReference></d:ProbeMatch>"
            )
        })
        .collect();
    let Message::ProbeMatches(targets) = Packet::parse(&wrap(&many)).unwrap().message else { panic!("no answer") };
    assert_eq!(targets.len(), 64);
    let long = "u".repeat(300);
    let nameless = format!(
        "<d:ProbeMatch><a:EndpointReference><a:Address>{long}</a:Address></a:EndpointReference></d:ProbeMatch>"
    );
    let Message::ProbeMatches(targets) = Packet::parse(&wrap(&nameless)).unwrap().message else { panic!("no answer") };
    assert!(targets.is_empty());
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let target = Target {
        endpoint: "urn:uuid:11223344-5566-7788-99aa-bbccddeeff00".to_owned(),
        types: vec![DEVICE, NETWORK_VIDEO_TRANSMITTER, QName::new("urn:other", "Thing")],
        scopes: vec!["onvif://www.onvif.org/name/A%26B".to_owned(), "onvif://www.onvif.org/hardware/<&>".to_owned()],
        xaddrs: vec!["http://192.0.2.7/onvif/device_service?a=1&b=2".to_owned()],
        metadata_version: Some(3),
    };
    let probe = Probe {
        types: vec![DEVICE],
        scopes: vec!["onvif://www.onvif.org/location/city".to_owned()],
        match_by: Some(format!("{}/rfc3986", crate::ns::WSD.uri)),
    };
    let sequence = AppSequence { instance_id: 9, sequence_id: Some("urn:uuid:2".to_owned()), message_number: 4 };
    let packets = [
        Packet::new(PROBE_ID, Message::Probe(probe)),
        Packet::new(PROBE_ID, Message::Probe(Probe::default())),
        Packet::new("urn:uuid:3", Message::Hello(target.clone())).at(sequence.clone()),
        Packet::new("urn:uuid:3", Message::Bye(target.endpoint.clone())).at(sequence.clone()),
        Packet::new("urn:uuid:3", Message::ProbeMatches(vec![target.clone(), target.clone()]))
            .answering(Some(PROBE_ID))
            .at(sequence),
        Packet::new("urn:uuid:3", Message::Resolve(target.endpoint.clone())),
        Packet::new("urn:uuid:3", Message::ResolveMatches(Some(target))).answering(Some(PROBE_ID)),
        Packet::new("urn:uuid:3", Message::ResolveMatches(None)),
    ];
    for packet in packets {
        assert_eq!(Packet::parse(&packet.write()).unwrap(), packet);
    }
}

#[test]
fn a_probe_has_the_usual_prefixes() {
    let probe = Probe { types: vec![NETWORK_VIDEO_TRANSMITTER, DEVICE], ..Probe::default() };
    let text = String::from_utf8(Packet::new(PROBE_ID, Message::Probe(probe)).write()).unwrap();
    assert!(text.contains(">dn:NetworkVideoTransmitter tds:Device<"), "{text}");
    assert!(text.contains(r#"xmlns:dn="http://www.onvif.org/ver10/network/wsdl""#), "{text}");
    assert!(text.contains(">urn:schemas-xmlsoap-org:ws:2005:04:discovery<"), "{text}");
}

#[test]
fn names_are_one_however_a_uuid_is_written() {
    let uuid = "0a6dc791-2be6-4991-9af1-454778a1917a";
    for same in
        [format!("uuid:{uuid}"), format!("URN:UUID:{}", uuid.to_uppercase()), uuid.to_owned(), format!(" {PROBE_ID} ")]
    {
        assert!(same_name(&same, PROBE_ID), "{same}");
    }
    for other in ["", "urn:uuid:", "urn:uuid:0a6dc791-2be6-4991-9af1-454778a1917b", "urn:A", "ü"] {
        assert!(!same_name(other, PROBE_ID), "{other}");
    }
    assert!(!same_name("urn:a", "urn:A"), "what is no UUID is compared as it stands");
}

#[test]
fn scopes_match_by_segments() {
    let rule = MatchingRule::default();
    let scope = "onvif://www.onvif.org/location/country/china";
    for wanted in ["onvif://www.onvif.org", "ONVIF://www.ONVIF.org/", "onvif://www.onvif.org/location/", scope] {
        assert!(rule.matches(wanted, scope), "{wanted}");
    }
    assert!(rule.matches("onvif://www.onvif.org/name/a%62", "onvif://www.onvif.org/name/ab"));
    for wanted in [
        "onvif://www.onvif.org/location/country/chin",
        "onvif://www.onvif.org/Location",
        "onvif://www.onvif.org/location/./country",
        "onvif://www.onvif.org/location/country/china/beijing",
        "http://www.onvif.org",
        "china",
    ] {
        assert!(!rule.matches(wanted, scope), "{wanted}");
    }
    let plain = MatchingRule::of(Some("http://schemas.xmlsoap.org/ws/2005/04/discovery/strcmp0")).unwrap();
    assert!(plain.matches(scope, scope) && !plain.matches("onvif://www.onvif.org", scope));
    let refused = MatchingRule::of(Some("http://schemas.xmlsoap.org/ws/2005/04/discovery/ldap")).unwrap_err();
    assert_eq!(refused.subcodes, [QName::of(crate::ns::WSD, "MatchingRuleNotSupported")]);
    let datagram = fault("urn:uuid:1", Some(PROBE_ID), &refused);
    let envelope = oriel_soap::Envelope::parse(&datagram, &oriel_soap::xml::Limits::REPLY).unwrap();
    assert_eq!(
        envelope.addressing().action.as_deref(),
        Some("http://schemas.xmlsoap.org/ws/2005/04/discovery/fault"),
        "{datagram:?}"
    );
    let read = envelope.fault().unwrap();
    assert_eq!((read.code, &read.subcodes), (oriel_soap::fault::Code::Sender, &refused.subcodes));
    let text = String::from_utf8(datagram).unwrap();
    assert!(text.contains(">d:MatchingRuleNotSupported<"), "{text}");
    assert!(
        text.contains("</d:SupportedMatchingRules>")
            && text.contains(">http://schemas.xmlsoap.org/ws/2005/04/discovery/rfc3986 "),
        "{text}"
    );
}

#[test]
fn a_probe_is_for_who_has_all_of_it() {
    let target = Target {
        types: vec![DEVICE, NETWORK_VIDEO_TRANSMITTER],
        scopes: vec!["onvif://www.onvif.org/name/a".to_owned()],
        ..Target::default()
    };
    let wanted = |types: &[QName], scopes: &[&str]| {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        Probe { types: types.to_vec(), scopes, match_by: None }.matches(&target).unwrap()
    };
    assert!(wanted(&[], &[]) && wanted(&[DEVICE], &["onvif://www.onvif.org/name"]));
    assert!(!wanted(&[DEVICE, QName::new("urn:other", "Device")], &[]));
    assert!(!wanted(&[], &["onvif://www.onvif.org/name/a", "onvif://www.onvif.org/hardware"]));
}

#[test]
fn a_name_cannot_steer_a_terminal() {
    let scopes =
        ["onvif://www.onvif.org/name/%1B%5B2Ja%0Ab%E2%80%AEc".to_owned(), "onvif://www.onvif.org/name/".to_owned()];
    assert_eq!(values(&scopes, "name").collect::<Vec<_>>(), ["\u{fffd}[2Ja\u{fffd}b\u{fffd}c"]);
}
