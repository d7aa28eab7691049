//! Envelopes that no client should send, and some that few send: each has its answer, the same by every way (Core §5.8.2; SOAP 1.2 part 1, §5).

use super::*;

const ENV: &str = ns::ENV.uri;
const TDS: &str = "http://www.onvif.org/ver10/device/wsdl";
const FINE: &str = "<t:GetSystemDateAndTime/>";

/// Header, Body, or whatever is to stand in the envelope.
fn envelope_of(parts: &str) -> String {
    format!("<s:Envelope xmlns:s=\"{ENV}\" xmlns:t=\"{TDS}\">{parts}</s:Envelope>")
}

fn with(header: &str, body: &str) -> String {
    envelope_of(&format!("<s:Header>{header}</s:Header><s:Body>{body}</s:Body>"))
}

fn fine() -> String {
    with("", FINE)
}

/// What is to come of a message: an answer, or the fault that Core names.
async fn expect(cases: Vec<(&str, Vec<u8>, Option<&str>)>) {
    let camera = Camera::start_with(settings).await;
    for way in WAYS {
        for (what, message, fault) in &cases {
            let answer = camera.by(way, soap(DEVICE, message.clone())).await;
            sound(&answer);
            let reply = Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap();
            assert_eq!(reply.fault().map(|fault| name(&fault)).as_deref(), *fault, "{what} {way:?}: {}", answer.text);
        }
    }
}

const WELL_FORMED: Option<&str> = Some("env:Sender/ter:WellFormed");
const VERSION: Option<&str> = Some("env:VersionMismatch");
const TAG: Option<&str> = Some("env:Sender/ter:Tag");
const TAG_MISMATCH: Option<&str> = Some("env:Sender/ter:TagMismatch");
const NAMESPACE: Option<&str> = Some("env:Sender/ter:Namespace");
const ENCODING: Option<&str> = Some("env:DataEncodingUnknown");
const UNDERSTAND: Option<&str> = Some("env:MustUnderstand");
const ARGUMENTS: Option<&str> = Some("env:Sender/ter:InvalidArgs");

#[tokio::test]
async fn whatever_xml_allows_is_read() {
    let spaced = fine().replace("><", ">\r\n\t <").replace("\">", "\"\t\n>").replace("/>", " \r\n/>");
    let commented = format!(
        "<!-- <?a b?> --><?pi {FINE}?>{}<!-- > --><?pi?>",
        fine().replace(FINE, &format!("<!--x-->{FINE}<?y?>"))
    );
    let long = format!("<t:GetSystemDateAndTime xmlns:v=\"urn:v\" v:long=\"{}\"/>", "a&#10;'>".repeat(10_000));
    let many: String = (0..200).map(|n| format!(" v:a{n}=\"{n}\"")).collect();
    let nested = format!("{}{}", "<v:a>".repeat(50), "</v:a>".repeat(50));
    let references = "<t:GetCapabilities><t:Category>&#x44;ev<![CDATA[ic]]><!-- -->e</t:Category><t:Category> All\n</t:Category></t:GetCapabilities>";
    expect(vec![
        ("plain", fine().into(), None),
        ("a mark of the byte order", format!("\u{feff}{}", fine()).into(), None),
        ("with a declaration", format!("<?xml version='1.0' encoding=\"utf-8\" standalone='yes' ?>{}", fine()).into(), None),
        ("a declared encoding that is another, and ASCII", format!("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>{}", fine()).into(), None),
        ("white space everywhere", spaced.into(), None),
        ("comments and instructions", commented.into(), None),
        ("no header", envelope_of(&format!("<s:Body>{FINE}</s:Body>")).into(), None),
        ("an attribute of some length", with("", &long).into(), None),
        ("many attributes", with("", &format!("<t:GetSystemDateAndTime xmlns:v=\"urn:v\"{many}/>")).into(), None),
        ("deep extensions", with(&format!("<v:x xmlns:v=\"urn:v\">{nested}</v:x>"), FINE).into(), None),
        ("references and CDATA", with("", references).into(), None),
        ("an extension beside the arguments", with("", "<t:GetServices><x xmlns=\"urn:v\"/><t:IncludeCapability> 0 </t:IncludeCapability></t:GetServices>").into(), None),
        ("attributes of a schema's instance", with("", "<t:GetServices xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='t:GetServices'><t:IncludeCapability>1</t:IncludeCapability></t:GetServices>").into(), None),
        ("no encoding at all is one", with("", FINE).replace("Time/>", &format!("Time s:encodingStyle=\"{ENV}/encoding/none\"/>")).into(), None),
    ])
    .await;
}

#[tokio::test]
async fn what_is_not_well_formed_says_so() {
    let utf16 = |big: bool| -> Vec<u8> {
        let units = format!("\u{feff}{}", fine()).encode_utf16().collect::<Vec<u16>>();
        units.into_iter().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let latin: Vec<u8> = with("", &FINE.replace("/>", " a='\u{e9}'/>")).chars().map(|c| c as u8).collect();
    let entity = format!(
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>{}",
        with("", "<t:GetServices>&b;</t:GetServices>")
    );
    let external = format!("<!DOCTYPE x SYSTEM \"file:///etc/passwd\">{}", fine());
    let declarations: String = (0..300).map(|n| format!(" xmlns:p{n}=\"urn:p\"")).collect();
    let wide = with(&format!("<v:x xmlns:v='urn:v'>{}</v:x>", "<v:a/>".repeat(21_000)), FINE);
    let cases: Vec<(&str, Vec<u8>, Option<&str>)> = vec![
        ("text", b"hello".to_vec(), WELL_FORMED),
        ("nothing but space", b" \r\n ".to_vec(), WELL_FORMED),
        ("a NUL", b"\0".to_vec(), WELL_FORMED),
        ("UTF-16, big end first", utf16(true), WELL_FORMED),
        ("UTF-16, little end first", utf16(false), WELL_FORMED),
        ("Latin-1", latin, WELL_FORMED),
        ("two marks of the byte order", format!("\u{feff}\u{feff}{}", fine()).into(), WELL_FORMED),
        ("space before the declaration", format!(" <?xml version='1.0'?>{}", fine()).into(), WELL_FORMED),
        ("a document type that declares entities", entity.into(), WELL_FORMED),
        ("one that names a file", external.into(), WELL_FORMED),
        ("one that declares nothing", format!("<!DOCTYPE Envelope>{}", fine()).into(), WELL_FORMED),
        ("an entity that nobody declared", with("", "<t:GetServices>&nbsp;</t:GetServices>").into(), WELL_FORMED),
        ("a reference to no character", with("", "<t:GetServices>&#0;</t:GetServices>").into(), WELL_FORMED),
        ("a control character", with("", "<t:GetServices>\u{1}</t:GetServices>").into(), WELL_FORMED),
        ("cut off", fine()[..fine().len() - 4].into(), WELL_FORMED),
        ("two documents", fine().repeat(2).into(), WELL_FORMED),
        ("text after the document", (fine() + "x").into(), WELL_FORMED),
        ("an end that fits no start", fine().replace("</s:Body>", "</s:Bodies>").into(), WELL_FORMED),
        ("another prefix at the end", fine().replace("</s:Body>", "</z:Body>").into(), WELL_FORMED),
        ("an attribute twice", with("", "<t:GetServices a='1' a='2'/>").into(), WELL_FORMED),
        (
            "an attribute twice by two prefixes",
            with("", "<t:GetServices xmlns:u='urn:u' xmlns:v='urn:u' u:a='1' v:a='2'/>").into(),
            WELL_FORMED,
        ),
        ("an attribute without quotes", with("", "<t:GetServices a=1/>").into(), WELL_FORMED),
        ("a prefix undeclared again", with("", "<t:GetServices xmlns:u=''/>").into(), WELL_FORMED),
        ("the prefix xmlns declared", with("", "<t:GetServices xmlns:xmlns='urn:u'/>").into(), WELL_FORMED),
        ("the prefix xml declared as another", with("", "<t:GetServices xmlns:xml='urn:u'/>").into(), WELL_FORMED),
        ("a comment that does not end", fine().replace("<s:Body>", "<s:Body><!-- ").into(), WELL_FORMED),
        ("two hyphens in a comment", fine().replace("<s:Body>", "<s:Body><!-- a -- b -->").into(), WELL_FORMED),
        ("CDATA that does not end", with("", "<t:GetServices><![CDATA[</t:GetServices>").into(), WELL_FORMED),
        (
            "more levels than are taken",
            with("", &(format!("{}{}", "<t:a>".repeat(70), "</t:a>".repeat(70)))).into(),
            WELL_FORMED,
        ),
        ("more attributes than are taken", with("", &format!("<t:GetServices{declarations}/>")).into(), WELL_FORMED),
        ("more elements than are taken", wide.into(), WELL_FORMED),
        ("an undeclared prefix", with("", "<x:GetServices/>").into(), NAMESPACE),
        ("an undeclared prefix of an attribute", with("", "<t:GetServices x:a=''/>").into(), NAMESPACE),
    ];
    expect(cases).await;
}

#[tokio::test]
async fn the_parts_of_an_envelope_have_their_places() {
    let (head, body) = ("<s:Header/>", format!("<s:Body>{FINE}</s:Body>"));
    let one = "http://schemas.xmlsoap.org/soap/envelope/";
    expect(vec![
        ("SOAP 1.1", fine().replace(ENV, one).into(), VERSION),
        ("no namespace", "<Envelope><Body/></Envelope>".into(), VERSION),
        ("a draft of SOAP 1.2", fine().replace("2003/05", "2001/12").into(), VERSION),
        ("another root", "<html><body>hello</body></html>".into(), VERSION),
        ("the request alone", FINE.replace("/>", &format!(" xmlns:t=\"{TDS}\"/>")).into(), VERSION),
        ("a name in another case", fine().replace("Envelope", "envelope").into(), VERSION),
        ("nothing in it", envelope_of("").into(), TAG),
        ("a header alone", envelope_of(head).into(), TAG),
        ("an empty body", envelope_of("<s:Body/>").into(), TAG),
        ("a body of comments", envelope_of(&format!("<s:Body><!-- {FINE} --></s:Body>")).into(), TAG),
        ("two bodies", envelope_of(&(body.clone() + &body)).into(), TAG_MISMATCH),
        ("two requests", with("", &FINE.repeat(2)).into(), TAG_MISMATCH),
        ("two headers", envelope_of(&(head.repeat(2) + &body)).into(), TAG_MISMATCH),
        ("the header last", envelope_of(&(body.clone() + head)).into(), TAG_MISMATCH),
        ("something else after the body", envelope_of(&(body.clone() + "<t:More/>")).into(), TAG_MISMATCH),
        ("something else before it", envelope_of(&("<t:More/>".to_owned() + &body)).into(), TAG_MISMATCH),
        ("a body of text", with("", "GetServices").into(), TAG_MISMATCH),
        ("text beside the request", with("", &format!("{FINE}x")).into(), TAG_MISMATCH),
        ("CDATA beside the request", with("", &format!("{FINE}<![CDATA[x]]>")).into(), TAG_MISMATCH),
        ("text beside the body", envelope_of(&format!("{body}x")).into(), TAG_MISMATCH),
        ("a body of the service", envelope_of(&format!("<t:Body>{FINE}</t:Body>")).into(), NAMESPACE),
        ("a body of SOAP 1.1", envelope_of(&format!("<Body xmlns=\"{one}\">{FINE}</Body>")).into(), NAMESPACE),
        ("a header of none", envelope_of(&format!("<Header/>{body}")).into(), NAMESPACE),
        (
            "an encoding on the envelope",
            fine().replacen("<s:Envelope", "<s:Envelope s:encodingStyle='x'", 1).into(),
            Some("env:Sender/ter:ProhibAttr"),
        ),
        (
            "an encoding on the body",
            fine().replace("<s:Body", "<s:Body s:encodingStyle='x'").into(),
            Some("env:Sender/ter:ProhibAttr"),
        ),
        (
            "an encoding of the request",
            with("", &FINE.replace("/>", " s:encodingStyle='http://www.w3.org/2003/05/soap-encoding'/>")).into(),
            ENCODING,
        ),
        ("an encoding of a header", with("<v xmlns='urn:v' s:encodingStyle='x'/>", FINE).into(), ENCODING),
    ])
    .await;
}

#[tokio::test]
async fn headers_are_understood_or_refused() {
    let block = |attributes: &str| with(&format!("<v:Do xmlns:v=\"urn:v\" {attributes}/>"), FINE);
    let role = |last: &str| format!("s:mustUnderstand='true' s:role='{ENV}/role/{last}'");
    let security = with(&format!("<w:Security xmlns:w=\"{}\" s:mustUnderstand=\"1\"/>", ns::WSSE.uri), FINE);
    let to =
        with(&format!("<a:To xmlns:a=\"{}\" s:mustUnderstand=\"1\">http://camera{DEVICE}</a:To>", ns::WSA.uri), FINE);
    expect(vec![
        ("must", block("s:mustUnderstand='1'").into(), UNDERSTAND),
        ("must, by its word", block("s:mustUnderstand='true'").into(), UNDERSTAND),
        ("must, with space around", block("s:mustUnderstand=' 1 '").into(), UNDERSTAND),
        ("need not", block("s:mustUnderstand='0'").into(), None),
        ("need not, by its word", block("s:mustUnderstand='false'").into(), None),
        ("an attribute of no namespace", block("mustUnderstand='1'").into(), None),
        ("the next one must", block(&role("next")).into(), UNDERSTAND),
        ("the last one must", block(&role("ultimateReceiver")).into(), UNDERSTAND),
        ("nobody must", block(&role("none")).into(), None),
        ("somebody else must", block("s:mustUnderstand='1' s:role='urn:other'").into(), None),
        ("security without a token", security.into(), None),
        ("where it goes", to.into(), None),
        (
            "must, and the operation is none",
            with("<v:Do xmlns:v=\"urn:v\" s:mustUnderstand='1'/>", "<t:MakeCoffee/>").into(),
            UNDERSTAND,
        ),
    ])
    .await;
}

#[tokio::test]
async fn requests_that_no_table_has_or_that_cannot_be_read() {
    let unknown = Some("env:Sender/ter:UnknownAction");
    let services = |inside: &str| with("", &format!("<t:GetServices>{inside}</t:GetServices>")).into_bytes();
    let flag = "<t:IncludeCapability>true</t:IncludeCapability>";
    let action = |action: &str| with(&format!("<a:Action xmlns:a=\"{}\">{action}</a:Action>", ns::WSA.uri), FINE);
    expect(vec![
        ("no such operation", with("", "<t:MakeCoffee/>").into(), unknown),
        ("a name in another case", with("", "<t:getservices/>").into(), unknown),
        ("no namespace", with("", "<GetServices/>").into(), unknown),
        ("a namespace with a slash", with("", &format!("<GetServices xmlns=\"{TDS}/\"/>")).into(), unknown),
        (
            "an operation of another service",
            with("", "<GetUplinks xmlns='http://www.onvif.org/ver10/device/wsdl'/>").into(),
            unknown,
        ),
        ("a response", with("", "<t:GetServicesResponse/>").into(), unknown),
        ("a fault", with("", "<s:Fault/>").into(), unknown),
        ("a missing argument", services(""), ARGUMENTS),
        ("an argument too many", services(&flag.repeat(2)), ARGUMENTS),
        ("an argument of the wrong type", services("<t:IncludeCapability>yes</t:IncludeCapability>"), ARGUMENTS),
        ("an argument that is empty", services("<t:IncludeCapability/>"), ARGUMENTS),
        ("an element in an argument", services("<t:IncludeCapability><t:true/></t:IncludeCapability>"), ARGUMENTS),
        (
            "an argument of another namespace",
            services("<IncludeCapability xmlns='urn:v'>true</IncludeCapability>"),
            TAG_MISMATCH,
        ),
        ("an argument of no namespace", services("<IncludeCapability>true</IncludeCapability>"), TAG_MISMATCH),
        (
            "a value that is not listed",
            with("", "<t:GetCapabilities><t:Category>Coffee</t:Category></t:GetCapabilities>").into(),
            Some("env:Sender/ter:InvalidArgVal"),
        ),
        ("the action of another request", action(&format!("{TDS}/SystemReboot")).into(), unknown),
        (
            "the action of another service",
            action("http://www.onvif.org/ver10/media/wsdl/GetSystemDateAndTime").into(),
            unknown,
        ),
        (
            "two actions of which one is another",
            action(&format!("{TDS}/GetSystemDateAndTime"))
                .replace(
                    "</s:Header>",
                    &format!("<Action xmlns='{}'>{TDS}/SystemReboot</Action></s:Header>", ns::WSA.uri),
                )
                .into(),
            unknown,
        ),
        ("an element for an action", action("<x/>").into(), unknown),
    ])
    .await;
}

/// What the tables know and the device does not offer: refused to whoever may not ask for it, and told to whoever may.
#[tokio::test]
async fn every_operation_that_is_not_offered_is_told_apart_from_those_that_no_table_has() {
    let camera = Camera::start_with(settings).await;
    let offered: BTreeSet<(&str, &str)> = camera.device.operations().into_iter().collect();
    let served: BTreeSet<&str> = offered.iter().map(|(service, _)| *service).collect();
    for row in oriel_onvif::tables().iter().flat_map(|table| table.rows) {
        let (service, operation) = (row.service.uri, row.name);
        if offered.contains(&(service, operation)) {
            continue;
        }
        let message = with("", &format!("<{operation} xmlns=\"{service}\"/>"));
        let answer = camera.by(Way::Uplink, soap(DEVICE, message)).await;
        sound(&answer);
        let expected = if served.contains(service) {
            "env:Receiver/ter:ActionNotSupported"
        } else {
            "env:Sender/ter:UnknownAction"
        };
        assert_eq!(name(&fault_of(&answer)), expected, "{operation} of {service}");
    }
}

/// Whoever sent an id is answered by it, whatever the answer is.
#[tokio::test]
async fn an_answer_relates_to_the_request_in_both_namespaces_of_addressing() {
    let camera = Camera::start_with(settings).await;
    let id = "urn:uuid:0&1";
    for (way, space) in WAYS.into_iter().flat_map(|way| [ns::WSA, ns::WSADIS].map(|space| (way, space))) {
        let header = format!("<MessageID xmlns=\"{}\"> {} </MessageID>", space.uri, id.replace('&', "&amp;"));
        let coffee = "<t:MakeCoffee/>";
        let secret = "<t:GetServices/>";
        let strange = "<v xmlns='urn:v' s:mustUnderstand='1'/>";
        for (body, more) in [(FINE, ""), (coffee, ""), (secret, ""), (FINE, strange)] {
            let answer = camera.by(way, soap(DEVICE, with(&(header.clone() + more), body))).await;
            sound(&answer);
            let told = Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap().addressing();
            assert_eq!(told.relates_to.as_deref(), Some(id), "{way:?} {body}: {}", answer.text);
            assert_eq!(told.older, space == ns::WSADIS, "{}", answer.text);
            assert!(told.action.is_some_and(|action| action.starts_with("http")), "{}", answer.text);
        }
    }
    // Who has to show who it is gets its id back too.
    let header = format!("<MessageID xmlns=\"{}\">urn:1</MessageID>", ns::WSA.uri);
    let answer = camera.post(DEVICE, with(&header, "<t:GetUsers/>")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    sound(&answer);
    let told = Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap().addressing();
    assert_eq!(told.relates_to.as_deref(), Some("urn:1"), "{}", answer.text);
}
