//! Reading and writing by namespace: prefixes, extensions, simple types, bounds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use oriel_soap::xml::{
    Any, AnyAttribute, Duration, Limits, List, Ns, QName, Writer, XmlError, XmlErrorKind, XmlRead, XmlWrite, parse,
};

const T: Ns = Ns::new("t", "urn:t");
const U: Ns = Ns::new("u", "urn:u");

#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = T)]
struct Thing {
    #[xml(attr, name = "token")]
    key: String,
    #[xml(attr)]
    kinds: Option<List<Kind>>,
    #[xml(attr, ns = U)]
    mark: Option<bool>,
    name: String,
    #[xml(name = "URI", token)]
    uri: Option<String>,
    #[xml(ns = U)]
    count: Vec<i32>,
    topic: Option<QName>,
    inner: Option<Inner>,
    #[xml(any)]
    any: Vec<Any>,
    #[xml(any_attr)]
    any_attributes: Vec<AnyAttribute>,
}

#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = T)]
struct Inner {
    kind: Kind,
    wait: Option<Duration>,
    at: Option<jiff::Timestamp>,
    ratio: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
enum Kind {
    #[default]
    Small,
    #[xml(name = "very-large", alias = "huge")]
    Large,
}

fn read<T: XmlRead>(text: &str) -> Result<T, XmlError> {
    T::read(parse(text.as_bytes(), &Limits::REQUEST)?.root_element())
}

fn written(thing: &Thing) -> String {
    let mut writer = Writer::document();
    writer.element(T, "Thing", thing);
    writer.finish()
}

fn kind(text: &str) -> (String, XmlErrorKind) {
    let error = read::<Thing>(text).unwrap_err();
    (error.path, error.kind)
}

#[test]
fn the_prefix_is_free() {
    let variants = [
        // The default namespace.
        r#"<Thing xmlns="urn:t" token="k"><Name>n</Name><c:Count xmlns:c="urn:u">1</c:Count></Thing>"#,
        // An odd prefix.
        r#"<_.x:Thing xmlns:_.x="urn:t" token="k" xmlns:t="urn:u"><_.x:Name>n</_.x:Name><t:Count>1</t:Count></_.x:Thing>"#,
        // Declared on the parent.
        r#"<a:Thing xmlns:a="urn:t" xmlns:b="urn:u" token="k"><a:Name>n</a:Name><b:Count>1</b:Count></a:Thing>"#,
        // Two prefixes for one namespace, and one prefix for two.
        r#"<a:Thing xmlns:a="urn:t" xmlns:b="urn:t" token="k"><b:Name>n</b:Name><a:Count xmlns:a="urn:u">1</a:Count></a:Thing>"#,
        // As we write it.
        r#"<t:Thing xmlns:t="urn:t" xmlns:u="urn:u" token="k"><t:Name>n</t:Name><u:Count>1</u:Count></t:Thing>"#,
    ];
    let expected = Thing { key: "k".into(), name: "n".into(), count: vec![1], ..Thing::default() };
    for variant in variants {
        assert_eq!(read::<Thing>(variant).unwrap(), expected, "{variant}");
    }
    assert!(written(&expected).ends_with(variants[4]), "{}", written(&expected));
}

#[test]
fn everything_comes_back() {
    let text = r#"<x:Thing xmlns:x="urn:t" xmlns:y="urn:u" xmlns:top="urn:top" token="a&amp;b&#10;c" Kinds="Small  huge"
        y:Mark="1" vendor="v" y:vendor="w">
        <x:Name>one <!-- no -->two<![CDATA[ <3>]]></x:Name>
        <x:URI>
            https://host/path
        </x:URI>
        <y:Count>-1</y:Count><y:Count> 2 </y:Count>
        <x:Topic>top:Rule</x:Topic>
        <x:Inner><x:Kind>very-large</x:Kind><x:Wait>PT1M0.5S</x:Wait><x:At>2026-01-31T13:00:00+01:00</x:At><x:Ratio>-INF</x:Ratio></x:Inner>
    </x:Thing>"#;
    let thing: Thing = read(text).unwrap();
    assert_eq!(thing.key, "a&b\nc");
    assert_eq!(thing.kinds, Some(List(vec![Kind::Small, Kind::Large])));
    assert_eq!(thing.mark, Some(true));
    assert_eq!(thing.name, "one two <3>");
    assert_eq!(thing.uri.as_deref(), Some("https://host/path"));
    assert_eq!(thing.count, [-1, 2]);
    assert_eq!(thing.topic, Some(QName::new("urn:top", "Rule")));
    let inner = thing.inner.as_ref().unwrap();
    assert_eq!(inner.kind, Kind::Large);
    assert_eq!(inner.wait, Some(Duration(jiff::SignedDuration::from_millis(60_500))));
    assert_eq!(inner.at.unwrap().to_string(), "2026-01-31T12:00:00Z");
    assert_eq!(inner.ratio, Some(f64::NEG_INFINITY));
    assert_eq!(thing.any_attributes.len(), 2);
    assert_eq!(read::<Thing>(&written(&thing)).unwrap(), thing);
    assert!(written(&thing).contains(":Rule</t:Topic>"), "{}", written(&thing));
}

#[test]
fn a_vendors_namesake_is_an_extension() {
    let text = r#"<t:Thing xmlns:t="urn:t" token="k" xmlns:v="urn:vendor"><v:Name v:a="&lt;'&quot;">x<v:Deep/></v:Name><t:Name>n</t:Name></t:Thing>"#;
    let thing: Thing = read(text).unwrap();
    assert_eq!(thing.name, "n");
    assert_eq!(thing.any.len(), 1);
    assert_eq!(*thing.any[0].name(), QName::new("urn:vendor", "Name"));
    assert_eq!(read::<Thing>(&written(&thing)).unwrap(), thing);
}

/// The prefixes in an extension's text mean something: they have to be declared where it is written again.
#[test]
fn an_extension_keeps_the_namespaces_its_text_needs() {
    let text = r#"<t:Thing xmlns:t="urn:t" xmlns:top="urn:top" xmlns:unused="urn:unused" token="k"><t:Name>n</t:Name>
        <Filter xmlns="urn:f" d="top:B"><?pi x?>top:A/b<Inner xmlns=""/></Filter></t:Thing>"#;
    let thing: Thing = read(text).unwrap();
    let xml = thing.any[0].as_xml();
    assert_eq!(xml, r#"<Filter xmlns="urn:f" xmlns:top="urn:top" d="top:B">top:A/b<Inner xmlns=""/></Filter>"#);
    assert_eq!(read::<Thing>(&written(&thing)).unwrap(), thing);
}

#[test]
fn errors_name_the_place() {
    let missing = r#"<t:Thing xmlns:t="urn:t" token="k"/>"#;
    assert_eq!(kind(missing), ("Name".into(), XmlErrorKind::Missing));
    let attribute = r#"<t:Thing xmlns:t="urn:t"><t:Name/></t:Thing>"#;
    assert_eq!(kind(attribute), ("@token".into(), XmlErrorKind::MissingAttribute));
    let elsewhere = r#"<t:Thing xmlns:t="urn:t" xmlns:w="urn:w" token="k"><w:Name>n</w:Name></t:Thing>"#;
    let found = XmlErrorKind::WrongNamespace { found: "urn:w".into(), wanted: "urn:t" };
    assert_eq!(kind(elsewhere), ("Name".into(), found));
    let forgotten = r#"<t:Thing xmlns:t="urn:t" token="k"><t:Name/><URI>x</URI></t:Thing>"#;
    assert!(matches!(kind(forgotten), (path, XmlErrorKind::WrongNamespace { .. }) if path == "URI"));
    let twice = r#"<t:Thing xmlns:t="urn:t" token="k"><t:Name/><t:Name/></t:Thing>"#;
    assert_eq!(kind(twice), ("Name".into(), XmlErrorKind::Duplicate));
    let deep = r#"<t:Thing xmlns:t="urn:t" token="k"><t:Name/><t:Inner><t:Kind>medium</t:Kind></t:Inner></t:Thing>"#;
    assert!(matches!(kind(deep), (path, XmlErrorKind::Value { unlisted: true, .. }) if path == "Inner/Kind"));
    let number = r#"<t:Thing xmlns:t="urn:t" xmlns:u="urn:u" token="k"><t:Name/><u:Count>1.5</u:Count></t:Thing>"#;
    assert!(matches!(kind(number), (path, XmlErrorKind::Value { unlisted: false, .. }) if path == "Count"));
    let element = r#"<t:Thing xmlns:t="urn:t" token="k"><t:Name><t:Name/></t:Name></t:Thing>"#;
    assert!(matches!(kind(element), (path, XmlErrorKind::Value { .. }) if path == "Name"));
    let prefix = r#"<t:Thing xmlns:t="urn:t" token="k"><t:Name/><t:Topic>no:X</t:Topic></t:Thing>"#;
    assert!(matches!(kind(prefix), (path, XmlErrorKind::Value { .. }) if path == "Topic"));
}

#[test]
fn nil_is_absent() {
    let text = r#"<t:Thing xmlns:t="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" token="k"><t:Name/><t:Inner i:nil="true"/></t:Thing>"#;
    assert_eq!(read::<Thing>(text).unwrap().inner, None);
}

#[test]
fn durations_of_the_field_are_read() {
    let seconds = |text: &str| {
        let text = format!(r#"<t:I xmlns:t="urn:t"><t:Kind>Small</t:Kind><t:Wait>{text}</t:Wait></t:I>"#);
        read::<Inner>(&text).map(|inner| inner.wait.unwrap().0.as_secs())
    };
    let right = [
        ("PT60S", 60),
        ("PT1M", 60),
        (" P1DT1H ", 90_000),
        ("-PT5S", -5),
        ("P1Y", 31_536_000),
        ("P2M", 5_184_000),
        ("PT0S", 0),
        ("PT3600.000S", 3600),
    ];
    for (text, expected) in right {
        assert_eq!(seconds(text).unwrap(), expected, "{text}");
    }
    for wrong in ["", "60", "1 hour", "PT", "P", "PT1X", "PT99999999999999999999S", "P99999Y99999M"] {
        assert!(seconds(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn times_are_written_with_z() {
    let at = |text: &str| {
        let text = format!(r#"<t:I xmlns:t="urn:t"><t:Kind>Small</t:Kind><t:At>{text}</t:At></t:I>"#);
        read::<Inner>(&text).map(|inner| inner.at.unwrap().to_string())
    };
    assert_eq!(at("2026-01-31T12:00:00").unwrap(), "2026-01-31T12:00:00Z");
    assert_eq!(at("2026-01-31T12:00:00.250-02:00").unwrap(), "2026-01-31T14:00:00.25Z");
    assert!(at("yesterday").is_err());
}

#[test]
fn what_xml_cannot_say_is_replaced() {
    let thing = Thing { key: "\u{1}\u{fffe}\r\t\"<>&".into(), name: "\u{0}]]>\r\n".into(), ..Thing::default() };
    let back: Thing = read(&written(&thing)).unwrap();
    assert_eq!(back.key, "\u{fffd}\u{fffd}\r\t\"<>&");
    assert_eq!(back.name, "\u{fffd}]]>\r\n");
}

#[test]
fn prefixes_that_collide_are_told_apart() {
    const OTHER: Ns = Ns::new("t", "urn:other");
    let mut writer = Writer::fragment();
    writer.start(T, "A");
    writer.element(OTHER, "B", "x");
    let text = writer.finish();
    assert_eq!(text, r#"<t:A xmlns:t="urn:t" xmlns:t1="urn:other"><t1:B>x</t1:B></t:A>"#);
}

#[test]
fn bounds_hold() {
    let refused = |text: &str, limits: &Limits| {
        assert!(matches!(parse(text.as_bytes(), limits).unwrap_err().kind, XmlErrorKind::TooLarge(_)));
    };
    let limits = Limits::REQUEST;
    let deep = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
    refused(&deep, &limits);
    refused(&format!("<a>{}</a>", "<b/>".repeat(30_000)), &limits);
    refused(&format!("<a>{}</a>", "x".repeat(2 << 20)), &limits);
    let attributes: String = (0..300).map(|number| format!(" a{number}=\"\"")).collect();
    refused(&format!("<a{attributes}/>"), &limits);
    // Each declaration is copied to each element below that declares one: it is the product that costs.
    let declarations: String = (0..250).map(|number| format!(" xmlns:p{number}=\"urn:{number}\"")).collect();
    refused(&format!("<a{declarations}>{}</a>", "<b xmlns:q=\"urn:q\"/>".repeat(12_000)), &limits);
    // As deep as the limit is not too deep, and an extension of that depth can be kept.
    let deep = "<a>".repeat(64) + &"</a>".repeat(64);
    let any = Any::from_xml(&deep, &limits).unwrap();
    assert_eq!(any.as_xml().len(), deep.len() - 3, "the innermost is written <a/>");
}

#[test]
fn a_document_type_is_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;&b;\">]><a>&c;</a>";
    let error = parse(bomb.as_bytes(), &Limits::REQUEST).unwrap_err();
    assert!(error.to_string().contains("document type"), "{error}");
    for malformed in ["", "<a>", "<a></b>", "<a>&undefined;</a>", "<a b='1' b='2'/>", "\u{1}", "<a>\u{0}</a>"] {
        assert!(matches!(parse(malformed.as_bytes(), &Limits::REQUEST).unwrap_err().kind, XmlErrorKind::Malformed(_)));
    }
    assert!(parse(b"<a>\xff</a>", &Limits::REQUEST).is_err());
    assert!(parse(b"\xef\xbb\xbf<a/>", &Limits::REQUEST).is_ok(), "a byte order mark is not text");
}

#[test]
fn an_element_that_was_kept_gets_another_attribute() {
    let mark = Ns::new("u", "urn:u");
    for xml in [
        "<a/>",
        "<a>text</a>",
        "<t:a xmlns:t='urn:t' b='&lt;/'>text</t:a>",
        // The prefix is taken, at the element or below it.
        "<u:a xmlns:u='urn:other'><u:b/></u:a>",
        "<a><u:b xmlns:u='urn:other' u:mark='0'/><u1:c xmlns:u1='urn:u'/></a>",
    ] {
        let any = Any::from_xml(xml, &Limits::REPLY).unwrap().with_attribute(mark, "mark", "\"1\"");
        let document = parse(any.as_xml().as_bytes(), &Limits::REPLY).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute(("urn:u", "mark")), Some("\"1\""), "{}", any.as_xml());
        let before = parse(xml.as_bytes(), &Limits::REPLY).unwrap();
        assert_eq!(root.tag_name(), before.root_element().tag_name());
        assert_eq!(root.descendants().count(), before.root_element().descendants().count());
        assert_eq!(any.with_attribute(mark, "mark", "2"), any, "one that is there stays");
    }
}
