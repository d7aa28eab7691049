//! Envelopes: the generic faults of Core that a message can provoke, headers, content types, and what is written again from our parse.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use oriel_soap::Fault;
use oriel_soap::envelope::{Addressing, ContentType, Envelope, Headers, inspect, read_reply, request};
use oriel_soap::fault::Code;
use oriel_soap::xml::{Any, Limits, Ns, QName, XmlRead, XmlWrite};

const T: Ns = Ns::new("t", "http://example.org/t");

#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = T)]
struct SetThing {
    #[xml(attr)]
    token: String,
    level: i32,
    kind: Kind,
    #[xml(any)]
    any: Vec<Any>,
}

#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
enum Kind {
    #[default]
    Small,
}

#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
struct SetThingResponse {}

oriel_soap::operations! {
    /// One service.
    T =>
    SetThing WriteSystem -> SetThingResponse,
}

const HEAD: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:t="http://example.org/t">"#;
const GOOD: &str = r#"<t:SetThing Token="k"><t:Level>1</t:Level><t:Kind>Small</t:Kind></t:SetThing>"#;

fn message(header: &str, body: &str) -> String {
    format!("{HEAD}<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>")
}

/// The fault as a client reads it, with its status.
fn fault(message: &str) -> Fault {
    let fault = Envelope::parse(message.as_bytes(), &Limits::REQUEST)
        .and_then(|envelope| {
            envelope.understood()?;
            envelope.request::<SetThing>()
        })
        .expect_err(message);
    assert_ne!(fault.status(), 200);
    let sent = fault.to_envelope(None);
    let envelope = Envelope::parse(&sent, &Limits::REPLY).unwrap();
    let mut read = envelope.fault().unwrap();
    read.not_understood.clone_from(&fault.not_understood);
    assert_eq!(read, fault, "a fault comes back as it was sent");
    fault
}

fn subcode(message: &str) -> String {
    let fault = fault(message);
    assert_eq!(fault.code, Code::Sender, "{fault}");
    assert_eq!(fault.status(), 400);
    fault.subcodes[0].local.to_string()
}

#[test]
fn a_sound_message_is_read() {
    let text = message("", GOOD);
    let envelope = Envelope::parse(text.as_bytes(), &Limits::REQUEST).unwrap();
    assert_eq!(envelope.operation(), (T.uri, "SetThing"));
    assert_eq!(envelope.request::<SetThing>().unwrap().level, 1);
    assert_eq!(envelope.username_token(), Ok(None));
    assert!(envelope.fault().is_none());
}

#[test]
fn version_mismatch() {
    let old = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>{}</e:Body></e:Envelope>",
        "<a/>"
    );
    for text in [old.as_str(), "<Envelope/>", "<html/>"] {
        let fault = fault(text);
        assert_eq!((fault.code, fault.status().as_u16()), (Code::VersionMismatch, 500));
        assert!(fault.reason.starts_with("SOAP version mismatch"));
        let sent = String::from_utf8(fault.to_envelope(None)).unwrap();
        assert!(sent.contains("<env:Upgrade><env:SupportedEnvelope qname=\"env:Envelope\"/></env:Upgrade>"), "{sent}");
    }
}

#[test]
fn must_understand() {
    let strange = r#"<v:Do xmlns:v="urn:v" s:mustUnderstand="1"/><v:Not xmlns:v="urn:v" s:mustUnderstand="0"/>"#;
    let found = fault(&message(strange, GOOD));
    assert_eq!((found.code, found.status().as_u16()), (Code::MustUnderstand, 500));
    assert_eq!(found.not_understood, [QName::new("urn:v", "Do")]);
    let sent = String::from_utf8(found.to_envelope(None)).unwrap();
    assert!(sent.contains("<env:NotUnderstood qname=\"ns:Do\"/>") && sent.contains("xmlns:ns=\"urn:v\""), "{sent}");

    let understood = r#"<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" s:mustUnderstand="true"/>
        <a:To xmlns:a="http://www.w3.org/2005/08/addressing" s:mustUnderstand="1">x</a:To>
        <v:For xmlns:v="urn:v" s:mustUnderstand="1" s:role="urn:somebody:else"/>"#;
    let text = message(understood, GOOD);
    Envelope::parse(text.as_bytes(), &Limits::REQUEST).unwrap().understood().unwrap();
}

#[test]
fn data_encoding_unknown() {
    let encoded = GOOD.replace("Token", "s:encodingStyle=\"http://www.w3.org/2003/05/soap-encoding\" Token");
    let found = fault(&message("", &encoded));
    assert_eq!((found.code, found.status().as_u16()), (Code::DataEncodingUnknown, 500));
}

#[test]
fn faults_of_the_sender() {
    let well_formed = ["", "no xml", "<a", &message("", "<t:SetThing>"), "<!DOCTYPE a><a/>", "\u{feff}\u{feff}<a/>"];
    for text in well_formed {
        assert_eq!(subcode(text), "WellFormed", "{text}");
    }
    assert_eq!(subcode(&("<a>".repeat(100_000) + &"</a>".repeat(100_000))), "WellFormed", "100,000 levels");
    assert_eq!(subcode(&message("", &"x".repeat(2 << 20))), "WellFormed", "too many bytes");

    let tag = [format!("{HEAD}</s:Envelope>"), message("", ""), format!("{HEAD}<s:Header/></s:Envelope>")];
    for text in tag {
        assert_eq!(subcode(&text), "Tag", "{text}");
    }
    let mismatch = [
        message("", &format!("{GOOD}{GOOD}")),
        message("", "<t:Other/>"),
        message("", &GOOD.replace("t:Level", "v:Level").replace("Token", "xmlns:v='urn:v' Token")),
        message("", &GOOD.replace("t:Level", "Level")),
        format!("{HEAD}<s:Body>{GOOD}</s:Body><s:Header/></s:Envelope>"),
        format!("{HEAD}<s:Body>{GOOD}</s:Body><s:Body>{GOOD}</s:Body></s:Envelope>"),
        format!("{HEAD}<s:Body>{GOOD}</s:Body><t:More/></s:Envelope>"),
        format!("{HEAD}<s:Body>{GOOD}and more</s:Body></s:Envelope>"),
    ];
    for text in mismatch {
        assert_eq!(subcode(&text), "TagMismatch", "{text}");
    }
    assert_eq!(subcode(&format!("{HEAD}<t:Body>{GOOD}</t:Body></s:Envelope>")), "Namespace");
    assert_eq!(subcode(&message("", "<undeclared:Set/>")), "Namespace");
    assert_eq!(subcode(&message("", &GOOD.replace(" Token=\"k\"", ""))), "MissingAttr");
    for part in ["s:Envelope ", "s:Header", "s:Body"] {
        let text = message("", GOOD).replacen(part, &format!("{part} s:encodingStyle='' "), 1);
        assert_eq!(subcode(&text), "ProhibAttr", "{text}");
    }
    let arguments = [
        GOOD.replace("<t:Level>1</t:Level>", ""),
        GOOD.replace("<t:Level>", "<t:Level>2</t:Level><t:Level>"),
        GOOD.replace(">1<", ">one<"),
    ];
    for body in arguments {
        assert_eq!(subcode(&message("", &body)), "InvalidArgs", "{body}");
    }
    let found = fault(&message("", &GOOD.replace("Small", "Medium")));
    assert!(found.is("InvalidArgVal") && found.reason.contains("SetThing/Kind"), "{found}");
}

/// Every constructor has Core's code, subcode and reason.
#[test]
fn the_generic_faults_of_core() {
    let faults: [(Fault, Code, &str, &str); 18] = [
        (Fault::version_mismatch(""), Code::VersionMismatch, "", "SOAP version mismatch"),
        (Fault::must_understand(""), Code::MustUnderstand, "", "SOAP header blocks not understood"),
        (Fault::data_encoding_unknown(""), Code::DataEncodingUnknown, "", "Unsupported SOAP data encoding"),
        (Fault::well_formed(""), Code::Sender, "WellFormed", "Well-formed Error"),
        (Fault::tag_mismatch(""), Code::Sender, "TagMismatch", "Tag Mismatch"),
        (Fault::tag(""), Code::Sender, "Tag", "No Tag"),
        (Fault::namespace(""), Code::Sender, "Namespace", "Namespace Error"),
        (Fault::missing_attr(""), Code::Sender, "MissingAttr", "Required Attribute not present"),
        (Fault::prohib_attr(""), Code::Sender, "ProhibAttr", "Prohibited Attribute"),
        (Fault::invalid_args(""), Code::Sender, "InvalidArgs", "Invalid Args"),
        (Fault::invalid_arg_val(""), Code::Sender, "InvalidArgVal", "Argument Value Invalid"),
        (Fault::unknown_action(""), Code::Sender, "UnknownAction", "Unknown Action"),
        (Fault::operation_prohibited(""), Code::Sender, "OperationProhibited", "Operation not Permitted"),
        (Fault::not_authorized(""), Code::Sender, "NotAuthorized", "Sender not Authorized"),
        (Fault::action_not_supported(""), Code::Receiver, "ActionNotSupported", "Optional Action Not Implemented"),
        (Fault::action(""), Code::Receiver, "Action", "Action Failed"),
        (Fault::out_of_memory(""), Code::Receiver, "OutofMemory", "Out of Memory"),
        (Fault::critical_error(""), Code::Receiver, "CriticalError", "Critical Error"),
    ];
    for (fault, code, subcode, reason) in faults {
        assert_eq!((fault.code, fault.reason.as_str()), (code, reason));
        assert!(if subcode.is_empty() { fault.subcodes.is_empty() } else { fault.is(subcode) }, "{fault}");
        assert_eq!(fault.status(), if code == Code::Sender { 400 } else { 500 });
    }
    let fault = Fault::action("4 at most").subcode("MaxUplinks");
    assert_eq!(fault.to_string(), "env:Receiver/ter:Action/ter:MaxUplinks (Action Failed: 4 at most)");
    let sent = String::from_utf8(fault.to_envelope(None)).unwrap();
    assert!(
        sent.contains(
            "<env:Subcode><env:Value>ter:Action</env:Value><env:Subcode><env:Value>ter:MaxUplinks</env:Value>"
        )
    );
}

/// Devices in the field declare no prefix for `ter`, or give their texts in other languages first.
#[test]
fn faults_of_the_field_are_read() {
    let body = r#"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>
        <s:Reason><s:Text xml:lang="ja">だめ</s:Text><s:Text xml:lang="en-US"> No </s:Text></s:Reason><s:Detail><x>y</x></s:Detail></s:Fault>"#;
    let text = message("", body);
    let fault = Envelope::parse(text.as_bytes(), &Limits::REPLY).unwrap().fault().unwrap();
    assert!(fault.is("NotAuthorized"));
    assert_eq!(fault.reason, "No");
    assert_eq!(fault.detail[0].as_xml(), "<x>y</x>");
    assert!(read_reply::<SetThing>(text.as_bytes(), &Limits::REPLY).unwrap_err().to_string().contains("NotAuthorized"));
    let broken = message("", "<s:Fault/>");
    assert!(Envelope::parse(broken.as_bytes(), &Limits::REPLY).unwrap().fault().unwrap().reason.contains("Code"));
}

#[test]
fn a_request_carries_its_headers() {
    let headers = Headers {
        username_token: Some(oriel_soap::auth::UsernameToken::digest("u", "p", jiff::Timestamp::UNIX_EPOCH)),
        addressing: Some(Addressing {
            action: Some(format!("{}/SetThing", T.uri)),
            to: Some("x".into()),
            ..Addressing::default()
        }),
        blocks: vec![
            oriel_soap::xml::Any::from_xml("<n:Id xmlns:n='urn:n'>7 &amp; 8</n:Id>", &Limits::REQUEST).unwrap(),
        ],
    };
    let thing = SetThing { token: "k".into(), level: 2, ..SetThing::default() };
    let text = request(&thing, &headers);
    let envelope = inspect(&text, None, &Limits::REQUEST).unwrap();
    envelope.understood().unwrap();
    assert_eq!(envelope.request::<SetThing>().unwrap(), thing);
    assert_eq!(envelope.username_token().unwrap(), headers.username_token);
    assert_eq!(envelope.addressing(), headers.addressing.unwrap());
    let block = envelope.headers().find(|block| block.tag_name().namespace() == Some("urn:n")).unwrap();
    assert_eq!((block.tag_name().name(), block.text()), ("Id", Some("7 & 8")));
}

#[test]
fn content_types() {
    let action = |content_type, soap_action| ContentType::parse(content_type, soap_action).map(|found| found.action);
    let soap = "application/soap+xml";
    assert_eq!(
        action(Some("application/soap+xml; charset=utf-8; action=\"urn:a;b\""), None),
        Ok(Some("urn:a;b".into()))
    );
    assert_eq!(action(Some("Application/SOAP+XML;charset=\"UTF-8\""), Some("\"urn:a\"")), Ok(Some("urn:a".into())));
    assert_eq!(action(Some(soap), Some("\"\"")), Ok(None));
    assert_eq!(action(None, None), Ok(None));
    assert_eq!(action(Some("text/xml"), None), Ok(None));
    let refused = [
        (Some("multipart/related; type=\"application/xop+xml\"; start-info=\"application/soap+xml\""), None),
        (Some("application/xop+xml"), None),
        (Some("application/json"), None),
        (Some("application/soap+xml; charset=utf-16"), None),
        (Some("application/soap+xml; action=\"urn:a\""), Some("urn:b")),
        (Some("application/soap+xml; action=\"urn:a\"; action=\"urn:b\""), None),
    ];
    for (content_type, soap_action) in refused {
        assert!(action(content_type, soap_action).is_err(), "{content_type:?}");
    }
}

#[test]
fn the_action_has_to_name_the_body() {
    let text = message("", GOOD);
    let agrees = |action: &str| inspect(text.as_bytes(), Some(action), &Limits::REQUEST).is_ok();
    for right in
        ["", "\"\"", "http://example.org/t/SetThing", "\"http://example.org/t/Port/SetThingRequest\"", "SetThing"]
    {
        assert!(agrees(right), "{right}");
    }
    for slip in ["http://example.org/t/SetThing/", "http://example.org/tSetThing/", "HTTP://example.org/T/SetThing"] {
        assert!(agrees(slip), "{slip}");
    }
    let wrong = [
        "http://example.org/t/GetThing",
        "http://example.org/two/SetThing",
        "http://example.org/twoSetThing",
        "http://example.org/t/SetThing/Other",
        "urn:x/SetThing",
        "GetThing",
        "http://example.org/t/SetThingResponse",
    ];
    for wrong in wrong {
        assert!(!agrees(wrong), "{wrong}");
    }
    let header =
        |action: &str| format!(r#"<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">{action}</a:Action>"#);
    let other = message(&header("http://example.org/t/GetThing"), GOOD);
    assert!(inspect(other.as_bytes(), None, &Limits::REQUEST).unwrap_err().is("UnknownAction"));
    // The second of two is what another reader might go by.
    let two = message(&(header("http://example.org/t/SetThing") + &header("http://example.org/t/GetThing")), GOOD);
    assert!(inspect(two.as_bytes(), None, &Limits::REQUEST).is_err());
}

/// Clients that are made from ONVIF's WSDL files send what stands there.
#[test]
fn actions_as_the_wsdl_files_have_them() {
    let agrees = |namespace: &str, name: &str, action: &str| {
        let text = message("", &format!("<q:{name} xmlns:q=\"{namespace}\"/>"));
        inspect(text.as_bytes(), Some(action), &Limits::REQUEST).is_ok()
    };
    let onvif = |rest: &str| format!("http://www.onvif.org/{rest}");
    let taken = [
        ("ver10/media/wsdl", "GetProfile", "ver10/media/wsdlGetProfile/"),
        ("ver20/media/wsdl", "SetEQPresetConfiguration", "ver20/media/wsdl/SetEQPreset"),
        ("ver20/imaging/wsdl", "Stop", "ver20/imaging/wsdl/FocusStop"),
        ("ver10/deviceIO/wsdl", "GetDigitalInputs", "ver10/deviceio/wsdl/GetDigitalInputs"),
        ("ver10/deviceIO/wsdl", "GetSerialPortConfiguration", "ver10/deviceio/wsdl/GetSerialPortConfigurations"),
        ("ver10/device/wsdl", "SetRelayOutputState", "ver10/deviceio/wsdl/SetRelayOutputState"),
        ("ver10/search/wsdl", "SearchImageByNLRequest", "ver10/search/wsdl/SearchImageByNL"),
        ("ver10/events/wsdl", "PullMessages", "ver10/events/wsdl/PullPointSubscription/PullMessagesRequest"),
    ];
    for (namespace, name, action) in taken {
        assert!(agrees(&onvif(namespace), name, &onvif(action)), "{action}");
        assert!(!agrees(&onvif(namespace), "SystemReboot", &onvif(action)), "{action} for another request");
    }
    assert!(!agrees(&onvif("ver20/ptz/wsdl"), "Stop", &onvif("ver20/imaging/wsdl/FocusStop")));
    assert!(!agrees(&onvif("ver10/media/wsdl"), "GetRelayOutputs", &onvif("ver10/deviceio/wsdl/GetRelayOutputs")));
    let wsn = "http://docs.oasis-open.org/wsn/";
    let renew = format!("{wsn}bw-2/SubscriptionManager/RenewRequest");
    assert!(agrees(&format!("{wsn}b-2"), "Renew", &renew) && !agrees(&format!("{wsn}b-2"), "Unsubscribe", &renew));
}

/// What is written again from our parse has one reading, and it is ours.
#[test]
fn what_is_passed_on_is_what_was_read() {
    let security = r#"<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"><w:UsernameToken/></w:Security>"#;
    let kept = r#"<v:Subscription xmlns:v="urn:v" v:a="b">7</v:Subscription>"#;
    let body = "<t:Set<!-- a -->Thing/>";
    assert!(Envelope::parse(message("", body).as_bytes(), &Limits::REQUEST).is_err(), "a comment ends no name");
    let body = r#"<!-- <t:Delete/> --><t:SetThing Token="&#107;&amp;"><?do t:Delete?><t:Level>1<!-- 0 --></t:Level>
        <t:Kind><![CDATA[Small]]></t:Kind><t:Deep xmlns:t="urn:other" q="t:x">t:y &lt;t:Delete/&gt; ]]&gt;</t:Deep><Bare xmlns=""/></t:SetThing>"#;
    let text = format!(
        "\u{feff}<?xml version='1.0' encoding='latin-1'?><!-- c -->{}<!-- d -->",
        message(&(kept.to_owned() + security), body)
    );
    let envelope = inspect(text.as_bytes(), None, &Limits::REQUEST).unwrap();
    let passed = envelope.reserialise();
    let printed = String::from_utf8(passed.clone()).unwrap();
    for gone in ["Security", "UsernameToken", "<!--", "<?do", "CDATA", "latin-1", "\u{feff}"] {
        assert!(!printed.contains(gone), "{gone}: {printed}");
    }
    assert!(printed.contains(kept), "{printed}");
    assert!(printed.contains("t:y &lt;t:Delete/&gt; ]]&gt;") && printed.contains("xmlns:t=\"urn:other\""), "{printed}");
    let again = inspect(&passed, None, &Limits::REQUEST).unwrap();
    assert_eq!(again.operation(), envelope.operation());
    assert_eq!(again.request::<SetThing>().unwrap(), envelope.request::<SetThing>().unwrap());
    assert_eq!(again.reserialise(), passed, "once written, it stays as it is");
}

/// What is left empty, by us or by its comments, is written as what was sent empty.
#[test]
fn what_is_written_twice_stays_as_it_is() {
    let security = r#"<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"><w:UsernameToken/></w:Security>"#;
    let text = message(
        security,
        &GOOD.replace("</t:SetThing>", "<t:Deep><t:In><!-- c --><![CDATA[]]></t:In></t:Deep></t:SetThing>"),
    );
    let passed = Envelope::parse(text.as_bytes(), &Limits::REQUEST).unwrap().reserialise();
    let printed = String::from_utf8(passed.clone()).unwrap();
    assert!(printed.contains("Header/>") && printed.contains("<t:Deep><t:In/></t:Deep></t:SetThing>"), "{printed}");
    assert_eq!(Envelope::parse(&passed, &Limits::REQUEST).unwrap().reserialise(), passed);
}

#[test]
fn security_is_left_out_of_the_header_only() {
    let body = GOOD.replace(
        "</t:SetThing>",
        r#"<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"/></t:SetThing>"#,
    );
    let text = message("", &body);
    let passed = Envelope::parse(text.as_bytes(), &Limits::REQUEST).unwrap().reserialise();
    assert!(String::from_utf8(passed).unwrap().contains("<w:Security"));
}

/// On the path of every relayed request: `cargo test --release -p oriel-soap --test envelope -- --ignored --nocapture`.
#[test]
#[ignore = "prints a measure, checks nothing"]
fn measure_inspect() {
    let filler: String =
        (0..14).map(|number| format!("<t:Item Number=\"{number}\"><t:Name>name {number}</t:Name></t:Item>")).collect();
    let text = message("", &GOOD.replace("</t:SetThing>", &format!("{filler}</t:SetThing>")));
    let rounds = 100_000;
    let measure = |name: &str, run: &dyn Fn() -> usize| {
        let start = std::time::Instant::now();
        let bytes: usize = (0..rounds).map(|_| run()).sum();
        println!("{name}: {} ns ({} bytes)", start.elapsed().as_nanos() / rounds, bytes / 100_000);
    };
    let action = Some("http://example.org/t/SetThing");
    let inspected = || inspect(text.as_bytes(), action, &Limits::REQUEST).unwrap();
    let envelope = inspected();
    measure("parse alone", &|| roxmltree::Document::parse(&text).unwrap().root_element().range().len());
    measure("inspect", &|| inspected().operation().1.len());
    measure("reserialise", &|| envelope.reserialise().len());
    measure("inspect and reserialise", &|| inspected().reserialise().len());
}

/// What was read, of extensions the names: how many declarations they carry is not told apart.
fn fields(envelope: &Envelope<'_>) -> Result<(String, i32, Vec<QName>), Fault> {
    let thing = envelope.request::<SetThing>()?;
    Ok((thing.token, thing.level, thing.any.iter().map(|any| any.name().clone()).collect()))
}

#[test]
fn a_message_is_written_anew_with_headers_of_ours() {
    use oriel_soap::auth::UsernameToken;
    use oriel_soap::envelope::{Addressing, Headers};

    let wsa = "http://www.w3.org/2005/08/addressing";
    let wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    let theirs = format!(
        r#"<a:To xmlns:a="{wsa}" v:mustUnderstand="1" xmlns:v="http://www.w3.org/2003/05/soap-envelope">http://bridge/x</a:To>
           <a:MessageID xmlns:a="{wsa}">urn:1</a:MessageID><Sub xmlns="urn:v">7</Sub>
           <o:Security xmlns:o="{wsse}"><o:UsernameToken><o:Username>theirs</o:Username></o:UsernameToken></o:Security>"#
    );
    let addressing = Some(Addressing { to: Some("http://10.0.0.9/y".to_owned()), ..Addressing::default() });
    let username_token = Some(UsernameToken::digest("ours", "p", jiff::Timestamp::UNIX_EPOCH));
    let headers = Headers { username_token, addressing, ..Headers::default() };
    let empty = message("", GOOD);
    let none = empty.replace("<s:Header></s:Header>", "");
    let short = empty.replace("<s:Header></s:Header>", "<s:Header/>");
    assert!(none != empty && short != empty);
    for message in [message(&theirs, GOOD), empty, short, none] {
        let envelope = Envelope::parse(message.as_bytes(), &Limits::REQUEST).unwrap();
        let had = envelope.addressing();
        let written = envelope.reserialise_with(&headers);
        let text = String::from_utf8_lossy(&written).into_owned();
        let again = Envelope::parse(&written, &Limits::REQUEST).unwrap_or_else(|fault| panic!("{fault}: {text}"));
        assert_eq!(again.addressing().to.as_deref(), Some("http://10.0.0.9/y"), "{text}");
        assert_eq!(again.addressing().message_id, had.message_id, "{text}");
        assert_eq!(again.username_token().unwrap().unwrap().username, "ours", "{text}");
        assert!(!text.contains("bridge") && !text.contains("theirs"), "{text}");
        assert_eq!(text.contains(">7</Sub>"), message.contains(">7</Sub>"), "what else is there stays: {text}");
        assert_eq!(fields(&again), fields(&envelope), "{text}");
        assert_eq!(envelope.reserialise_with(&Headers::default()), envelope.reserialise());
    }
}

/// Whatever of a message is cut, doubled or flipped: nothing panics, and what still parses has one reading.
#[test]
fn mutilated_messages_are_refused_or_read_once() {
    let pieces = [
        "<",
        ">",
        "/>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "&#60;",
        "&amp;",
        "'",
        "\"",
        " xmlns=\"urn:x\"",
        "t:",
        " xmlns:t=\"\"",
        "?>",
    ];
    let header = r#"<v:Sub xmlns:v="urn:v" v:a='&quot;"'>7</v:Sub>"#;
    let body = GOOD
        .replace("</t:SetThing>", r#"<Any xmlns="urn:d" q="t:x"><In xmlns=""/>t:y</Any><![CDATA[<&]]></t:SetThing>"#);
    let seed = message(header, &body);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut read = 0;
    for _ in 0..30_000 {
        let mut text = seed.clone().into_bytes();
        for _ in 0..=random(2) {
            let (at, len) = (random(text.len()), random(12));
            let end = (at + len).min(text.len());
            match random(4) {
                0 => drop(text.drain(at..end)),
                1 => text[at] = u8::try_from(random(256)).unwrap(),
                2 => drop(text.splice(at..at, pieces[random(pieces.len())].bytes())),
                _ => text.extend_from_within(at..end),
            }
        }
        let Ok(envelope) = Envelope::parse(&text, &Limits::REQUEST) else { continue };
        read += 1;
        let passed = envelope.reserialise();
        let again = Envelope::parse(&passed, &Limits::REQUEST);
        let again = again.unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&text)));
        assert_eq!(again.operation(), envelope.operation());
        assert_eq!(again.reserialise(), passed);
        assert_eq!(fields(&again), fields(&envelope), "{}", String::from_utf8_lossy(&text));
    }
    assert!(read > 1_000, "{read} were read");
}
