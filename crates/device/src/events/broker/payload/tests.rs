//! Topics and payloads, with the chapter's own examples.

use super::*;
use oriel_soap::With;
use oriel_soap::xml::QName;
use serde_json::{Value, json};

fn topic(steps: &[(&str, &str)]) -> Topic {
    Topic(steps.iter().map(|(namespace, step)| QName::new(namespace, step)).collect())
}

fn onvif(path: &str) -> Topic {
    Topic(path.split('/').map(|step| QName::new(ns::TNS1.uri, step)).collect())
}

fn list(items: &[(&str, &str)]) -> Option<ItemList> {
    Some(items.iter().map(|(name, value)| SimpleItem::new(*name, *value)).collect())
}

fn message(time: &str, source: &[(&str, &str)], data: &[(&str, &str)]) -> Message {
    Message::with(|message| {
        message.utc_time = time.parse().unwrap();
        message.source = list(source);
        message.data = list(data);
    })
}

fn payload(publish: &Publish) -> Value {
    serde_json::from_slice(&publish.payload).unwrap()
}

/// The same, with numbers and booleans in quotes: the chapter leaves open which.
fn quoted(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), quoted(value))).collect(),
        Value::Array(values) => values.iter().map(quoted).collect(),
        Value::Number(number) => number.to_string().into(),
        Value::Bool(truth) => truth.to_string().into(),
        other => other.clone(),
    }
}

#[test]
fn crossed_lines_of_the_chapters_example() {
    for (rule, object, time) in [
        ("MyImportantFence1", "15", "2008-10-10T12:24:57.321Z"),
        ("MyImportantFence2", "19", "2008-10-10T12:24:57.789Z"),
    ] {
        let source = [("VideoSource", "1"), ("AnalyticsConfiguration", "2"), ("Rule", rule)];
        let crossed = message(time, &source, &[("ObjectId", object)]);
        let published = publication("MyDevice", &onvif("RuleEngine/LineDetector/Crossed"), &crossed);
        assert_eq!(published.topic, format!("MyDevice/onvif-ej/RuleEngine/LineDetector/Crossed/&1/2/{rule}"));
        assert!(!published.retain, "it is no property");
        let wanted = json!({
            "UtcTime": time,
            "Source": { "VideoSource": "1", "AnalyticsConfiguration": "2", "Rule": rule },
            "Data": { "ObjectId": object },
        });
        assert_eq!(quoted(&payload(&published)), wanted);
    }
}

#[test]
fn elements_of_the_chapters_example() {
    let xml = r#"<tt:Polyline xmlns:tt="http://www.onvif.org/ver10/schema"><tt:Point x="0.10" y="0.50"/><tt:Point x="1.0" y="0.50"/></tt:Polyline>"#;
    let mut line = message("2008-10-10T12:24:57.789Z", &[("VideoSource", "1"), ("Rule", "MyLineInfo")], &[]);
    let polyline = Any::from_xml(xml, &Limits::REPLY).unwrap();
    line.data = Some(ItemList::with(|data| {
        data.element_item = vec![oriel_onvif::events::ElementItem::new("Segments", polyline)];
    }));
    let published = publication("MyDevice", &onvif("RuleEngine/LineDetector/Line"), &line);
    assert_eq!(
        String::from_utf8(published.payload).unwrap(),
        r#"{"UtcTime":"2008-10-10T12:24:57.789Z","Source":{"VideoSource":"1","Rule":"MyLineInfo"},"#.to_owned()
            + r#""Data":{"Segments":{"Polyline":{"Point":[{"@x":0.10,"@y":0.50},{"@x":1.0,"@y":0.50}]}}}}"#
    );
}

#[test]
fn sensors_of_the_chapters_examples() {
    for (sensor, id, value, threshold) in [
        ("Temperature", "temp_001", "28.65", "25.15"),
        ("RelativeHumidity", "humidity_001", "65.2", "60.0"),
        ("AbsoluteHumidity", "humidity_001", "10", "8"),
    ] {
        let described = describe(&onvif(&format!("Device/Sensor/{sensor}/High"))).expect("the table has it");
        let (source, data) = (described.source[0].name, [described.data[0].name, described.data[1].name]);
        let high = message("2025-07-15T14:30:00Z", &[(source, id)], &[(data[0], value), (data[1], threshold)]);
        let published = publication("MyDevice", &Topic::of(described), &high);
        // The example leaves the source out of the topic, its grammar has it there.
        assert_eq!(published.topic, format!("MyDevice/onvif-ej/Device/Sensor/{sensor}/High/&{id}"));
        assert_eq!(
            String::from_utf8(published.payload).unwrap(),
            format!(
                r#"{{"UtcTime":"2025-07-15T14:30:00Z","Source":{{"{source}":"{id}"}},"Data":{{"{}":{value},"{}":{threshold}}}}}"#,
                data[0], data[1]
            )
        );
    }
}

#[test]
fn sources_stand_in_the_order_of_the_description() {
    let described = oriel_onvif::events::topics::catalogue().iter().find(|known| known.source.len() > 1);
    let described = described.expect("some topic has two sources");
    let backwards: Vec<_> = described.source.iter().rev().map(|item| (item.name, item.name)).collect();
    let told = message("2025-07-15T14:30:00Z", &backwards, &[]);
    let published = publication("p", &Topic::of(described), &told);
    let names: Vec<_> = described.source.iter().map(|item| item.name).collect();
    assert!(published.topic.ends_with(&format!("/&{}", names.join("/"))), "{}", published.topic);
}

#[test]
fn what_a_topic_must_not_have_is_left_out() {
    let told =
        message("2025-07-15T14:30:00Z", &[("A", "a#b+c"), ("B", "d/e"), ("C", "\u{0}\u{1}\n\u{85}\u{ffff}f")], &[]);
    let published = publication(&plain("site #1/+cam"), &topic(&[(ns::TNS1.uri, "X#"), ("", "Y+")]), &told);
    assert_eq!(published.topic, "site 1/cam/onvif-ej/X/Y/&abc/d/e/f");
    assert_eq!(plain("#+\u{7}"), "");
    // In the payload nothing is left out.
    assert_eq!(payload(&published)["Source"], json!({ "A": "a#b+c", "B": "d/e", "C": "\u{0}\u{1}\n\u{85}\u{ffff}f" }));
}

#[test]
fn other_namespaces_have_an_alias() {
    let lens =
        [(ns::TNS1.uri, "Device"), (ns::TNS1.uri, "HardwareFailure"), ("http://www.acme.com/topics", "LensFailure")];
    let told = message("2025-07-15T14:30:00Z", &[], &[]);
    let name = |steps: &[(&str, &str)]| publication("p", &topic(steps), &told).topic;
    assert_eq!(name(&lens), "p/onvif-ej/Device/HardwareFailure/acme:LensFailure");
    assert_eq!(name(&[("http://acme.example:80/t", "Root")]), "p/onvif-ej/acme:Root");
    assert_eq!(name(&[("urn:x", "Root")]), "p/onvif-ej/urn:Root");
    assert_eq!(name(&[(ns::TNS1.uri, "Device"), ("", "acme:Lens")]), "p/onvif-ej/Device/acme:Lens", "not declared");
}

#[test]
fn properties_are_kept_and_deleted_ones_have_no_payload() {
    for (operation, retain, empty) in [
        (None, false, false),
        (Some(PropertyOperation::Initialized), true, false),
        (Some(PropertyOperation::Changed), true, false),
        (Some(PropertyOperation::Deleted), true, true),
    ] {
        let mut told = message("2025-07-15T14:30:00Z", &[("Token", "1")], &[("State", "true")]);
        told.property_operation = operation;
        let published = publication("p", &onvif("X/Y"), &told);
        assert_eq!((published.retain, published.payload.is_empty()), (retain, empty), "{operation:?}");
        assert_eq!(published.topic, "p/onvif-ej/X/Y/&1");
        let text = String::from_utf8(published.payload).unwrap();
        assert!(!text.contains("Operation"), "{text}");
    }
}

#[test]
fn quotes_are_left_out_by_type_and_only_where_the_value_is_one() {
    let described = Description {
        topic: "X",
        property: false,
        source: &[Item { name: "Token", kind: Kind::TOKEN, optional: false }],
        key: &[],
        data: &[
            Item { name: "Level", kind: Kind::FLOAT, optional: false },
            Item { name: "On", kind: Kind::BOOLEAN, optional: false },
        ],
    };
    for (given, wanted) in [
        ("1", "1"),
        ("-0.5e+3", "-0.5e+3"),
        ("INF", "\"INF\""),
        ("NaN", "\"NaN\""),
        ("+5", "\"+5\""),
        ("007", "\"007\""),
        (".5", "\".5\""),
        ("1.", "\"1.\""),
        ("", "\"\""),
        ("1,\"x\":2", r#""1,\"x\":2""#),
    ] {
        let told = message("2025-07-15T14:30:00Z", &[("Token", "1")], &[("Level", given), ("On", "true")]);
        let text = json(&told, Some(&described));
        let wanted = format!(r#""Source":{{"Token":"1"}},"Data":{{"Level":{wanted},"On":true}}}}"#);
        assert!(text.ends_with(&wanted), "{text}");
        let _: Value = serde_json::from_str(&text).unwrap();
    }
    let unknown = message("2025-07-15T14:30:00Z", &[], &[("Level", "1")]);
    assert!(json(&unknown, None).ends_with(r#""Source":{},"Data":{"Level":"1"}}"#));
}

#[test]
fn a_key_is_told_and_a_message_without_data_has_none() {
    let mut told = message("2025-07-15T14:30:00Z", &[("Token", "1")], &[]);
    told.data = None;
    assert!(json(&told, None).ends_with(r#""Source":{"Token":"1"}}"#));
    told.key = list(&[("ObjectId", "5")]);
    assert!(json(&told, None).ends_with(r#""Source":{"Token":"1"},"Key":{"ObjectId":"5"}}"#));
}

#[test]
fn elements_of_every_shape() {
    for (xml, wanted) in [
        ("<a/>", json!({ "a": {} })),
        ("<a>text</a>", json!({ "a": "text" })),
        ("<a>5</a>", json!({ "a": 5 })),
        ("<a b='1'>text</a>", json!({ "a": { "@b": 1, "#text": "text" } })),
        ("<a><b>1</b><c>true</c><b>2</b></a>", json!({ "a": { "b": [1, 2], "c": true } })),
        ("<x:a xmlns:x='urn:x'><x:b x:c='&quot;'/></x:a>", json!({ "a": { "b": { "@c": "\"" } } })),
    ] {
        let mut out = String::new();
        elements(&[Any::from_xml(xml, &Limits::REPLY).unwrap()], &mut out);
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), wanted, "{xml}");
    }
    let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
    let mut out = String::new();
    if let Ok(any) = Any::from_xml(&deep, &Limits::REPLY) {
        elements(&[any], &mut out);
        let _: Value = serde_json::from_str(&out).unwrap();
    }
}
