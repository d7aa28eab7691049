//! Filters of subscriptions: topic expressions (WS-Topics, Core §9.6.3), filters on contents (Core §9.4.4), and both in a `wsnt:Filter`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use jiff::Timestamp;
use oriel_onvif::events::content::ITEM_FILTER;
use oriel_onvif::events::expression::{CONCRETE, CONCRETE_SET, SIMPLE};
use oriel_onvif::events::{
    BadExpression, BadFilter, ContentFilter, CreatePullPointSubscription, ElementItem, Expression, ItemList, LONGEST,
    Message, Selection, SimpleItem, topics,
};
use oriel_onvif::notification::{BaseFault, FaultKind, Topic, TopicExpression};
use oriel_onvif::ns;
use oriel_soap::With;
use oriel_soap::fault::Code;
use oriel_soap::xml::{Any, Limits, QName, XmlRead, parse};

fn lookup(prefix: &str) -> Option<String> {
    let known =
        [("tns1", ns::TNS1.uri), ("o", ns::TNS1.uri), ("acme", "urn:acme"), ("tt", ns::TT.uri), ("s", ns::TT.uri)];
    known.iter().find(|(known, _)| *known == prefix).map(|(_, uri)| (*uri).to_owned())
}

fn topic(text: &str) -> Topic {
    let text = format!(r#"<t xmlns:tns1="{}" xmlns:acme="urn:acme">{text}</t>"#, ns::TNS1.uri);
    TopicExpression::read(parse(text.as_bytes(), &Limits::REQUEST).unwrap().root_element()).unwrap().topic
}

fn means(dialect: &str, expression: &str, text: &str) -> bool {
    Expression::parse(dialect, expression, lookup).unwrap().matches(&topic(text))
}

#[test]
fn expressions_of_the_chapter_and_their_topics() {
    let sets: [(&str, &[&str], &[&str]); 6] = [
        (
            "tns1:RuleEngine/FieldDetector//.",
            &[
                "tns1:RuleEngine/FieldDetector",
                "tns1:RuleEngine/FieldDetector/ObjectsInside",
                "tns1:RuleEngine/FieldDetector/a/b",
            ],
            &[
                "tns1:RuleEngine",
                "tns1:RuleEngine/FieldDetectors",
                "acme:RuleEngine/FieldDetector",
                "RuleEngine/FieldDetector",
            ],
        ),
        (
            "\n      tns1:VideoAnalytics//.\n   ",
            &["tns1:VideoAnalytics", "tns1:VideoAnalytics/x"],
            &["tns1:VideoAnalytic"],
        ),
        (
            "tns1:VideoAnalytics//.|tns1:RuleEngine//.",
            &["tns1:VideoAnalytics/a", "tns1:RuleEngine/b"],
            &["tns1:Device/c"],
        ),
        (
            "tns1:VideoAnalytics//. |tns1:AudioAnalytics//. |tns1:PTZ//.",
            &["tns1:PTZ", "tns1:AudioAnalytics/x"],
            &["tns1:Video"],
        ),
        (
            "tns1:RuleEngine/FieldDetector//.|tns1:RuleEngine/LineDetector//.",
            &["tns1:RuleEngine/LineDetector/Crossed"],
            &["tns1:RuleEngine/Other"],
        ),
        (
            "tns1:RuleEngine/LineDetector/Crossed",
            &["tns1:RuleEngine/LineDetector/Crossed"],
            &["tns1:RuleEngine/LineDetector/Crossed/x"],
        ),
    ];
    for (expression, in_it, not_in_it) in sets {
        for text in in_it {
            assert!(means(CONCRETE_SET, expression, text), "{expression} means {text}");
        }
        for text in not_in_it {
            assert!(!means(CONCRETE_SET, expression, text), "{expression} does not mean {text}");
        }
    }
    // The URI in the example of §9.10.2.
    assert!(means("http://docs.oasis-open.org/wsnt/t-1/TopicExpression/ConcreteSet", "tns1:A//.", "tns1:A/B"));
}

#[test]
fn steps_are_compared_by_namespace_and_name() {
    // A child belongs to its parent's namespace, said or not.
    for (expression, text, same) in [
        ("o:Device/Trigger", "tns1:Device/Trigger", true),
        ("o:Device/o:Trigger", "tns1:Device/Trigger", true),
        ("o:Device/Trigger", "tns1:Device/tns1:Trigger", true),
        ("o:Device/acme:Lens", "tns1:Device/acme:Lens", true),
        ("o:Device/Lens", "tns1:Device/acme:Lens", false),
        ("o:Device/acme:Lens/Broken", "tns1:Device/acme:Lens/acme:Broken", true),
        ("Device/Trigger", "tns1:Device/Trigger", false),
        ("Device/Trigger", "Device/Trigger", true),
        ("Ger\u{e4}t/A.1-b_c", "Ger\u{e4}t/A.1-b_c", true),
    ] {
        assert_eq!(means(CONCRETE, expression, text), same, "{expression} and {text}");
    }
    // Nobody declared it, and everybody knows it.
    let expression = Expression::parse(CONCRETE, "tns1:Device/Trigger", |_| None).unwrap();
    assert!(expression.matches(&topic("tns1:Device/Trigger")));
    assert_eq!(Expression::parse(CONCRETE, "x:Device", |_| None), Err(BadExpression::Prefix("x".into())));
    // Unless somebody declared something else.
    let expression = Expression::parse(CONCRETE, "tns1:Device", |_| Some("urn:other".into())).unwrap();
    assert!(!expression.matches(&topic("tns1:Device")));
    let of = Expression::of(&topic("tns1:Device/acme:Lens"));
    assert!(of.matches(&topic("tns1:Device/acme:Lens")) && !of.matches(&topic("tns1:Device")));
}

#[test]
fn each_dialect_has_its_own_grammar() {
    for (dialect, text, at) in [
        (SIMPLE, "tns1:Device/Trigger", 11),
        (SIMPLE, "tns1:Device//.", 11),
        (CONCRETE, "tns1:Device//.", 12),
        (CONCRETE, "tns1:A|tns1:B", 6),
        (CONCRETE, "*", 0),
        (CONCRETE, "tns1:Device/*", 12),
        (CONCRETE, "tns1:Device/", 12),
        (CONCRETE, "/tns1:Device", 0),
        (CONCRETE, "tns1:Device Trigger", 12),
        (CONCRETE, "tns1: Device", 5),
        (CONCRETE, "tns1:Device:Trigger", 11),
        (CONCRETE, "", 0),
        (CONCRETE, " \t\n", 3),
        (CONCRETE_SET, "tns1:A//.|", 10),
        (CONCRETE_SET, "|tns1:A", 0),
        (CONCRETE_SET, "tns1:A//.||tns1:B", 10),
        (CONCRETE_SET, "tns1:A//./B", 9),
        (CONCRETE_SET, "tns1:A//B", 7),
        (CONCRETE_SET, "tns1:A//*", 7),
        (CONCRETE_SET, "//.", 0),
        (CONCRETE_SET, "tns1:A /B", 7),
        (CONCRETE_SET, "tns1:1A", 5),
        (CONCRETE_SET, "tns1:A and tns1:B", 7),
    ] {
        match Expression::parse(dialect, text, lookup) {
            Err(BadExpression::Syntax { at: found, .. }) => assert_eq!(found, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(means(SIMPLE, "tns1:Device", "tns1:Device") && !means(SIMPLE, "tns1:Device", "tns1:Device/Trigger"));
    for dialect in ["", "urn:x", "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Full"] {
        assert!(matches!(Expression::parse(dialect, "tns1:A", lookup), Err(BadExpression::Dialect(_))));
    }
}

#[test]
fn expressions_are_bounded() {
    let too_large =
        |text: &str| matches!(Expression::parse(CONCRETE_SET, text, lookup), Err(BadExpression::TooLarge(_)));
    assert!(too_large(&"a".repeat(LONGEST + 1)) && !too_large(&"a".repeat(LONGEST)));
    assert!(too_large(&vec!["a"; 65].join("|")) && !too_large(&vec!["a"; 64].join("|")));
    assert!(too_large(&vec!["a"; 33].join("/")) && !too_large(&vec!["a"; 32].join("/")));
    let too_large = |text: &str| matches!(ContentFilter::parse(text, lookup), Err(BadExpression::TooLarge(_)));
    let test = "boolean(//tt:SimpleItem[@Name='a'])";
    let within = |depth: usize| format!("{}{test}{}", "(".repeat(depth), ")".repeat(depth));
    assert!(too_large(&within(33)) && !too_large(&within(32)) && too_large(&within(4000)));
    let nots = |depth: usize| format!("boolean(//SimpleItem[{}@Name='a'{}])", "not(".repeat(depth), ")".repeat(depth));
    assert!(too_large(&nots(33)) && !too_large(&nots(32)) && too_large(&nots(1600)));
    assert!(too_large(&format!("{test}{}", " ".repeat(LONGEST))));
    // Many side by side are no depth.
    let many = vec!["boolean(//SimpleItem[@Name='a'])"; 200].join(" or ");
    assert!(ContentFilter::parse(&many, lookup).is_ok());
}

fn message() -> Message {
    let items = |items: &[(&str, &str)]| {
        Some(items.iter().map(|(name, value)| SimpleItem::new(*name, *value)).collect::<ItemList>())
    };
    Message::with(|message| {
        message.source = items(&[("VideoSourceConfigurationToken", "1"), ("Rule", "myImportantField")]);
        message.key = items(&[("ObjectId", "5")]);
        message.data = items(&[("IsInside", "true"), ("Said", "it's \"so\""), ("Empty", "")]);
        let shape = ElementItem::new("Shape", Any::from_xml("<a/>", &Limits::REQUEST).unwrap());
        message.data.as_mut().unwrap().element_item.push(shape);
    })
}

fn holds(filter: &str) -> bool {
    ContentFilter::parse(filter, lookup).unwrap_or_else(|bad| panic!("{filter}: {bad}")).matches(&message())
}

/// As they are printed, curved quotes and line ends included.
#[test]
fn content_filters_of_the_chapter() {
    for (filter, expected) in [
        (
            "boolean(//tt:SimpleItem[@Name=\u{201d}VideoSourceConfigurationToken\u{201d} and @Value=\u{201d}1\u{201d}])",
            true,
        ),
        ("not( boolean(//tt:SimpleItem[@Name=\u{201d}VideoAnalyticsConfigurationToken\u{201d}] ) )", true),
        (
            "boolean(//tt:SimpleItem[@Name=\u{201d}VideoAnalyticsConfigurationToken\u{201d} and @Value=\u{201d}2\u{201d}] ) \nand boolean(//tt:SimpleItem[@Name=\u{201d}VideoSourceConfigurationToken\u{201d} and @Value=\u{201d}1\u{201d}] )",
            false,
        ),
        (
            "boolean(//tt:SimpleItem[@Name=\"VideoSourceConfigurationToken\" and @Value=\"1\"] )\n and not(boolean(//tt:SimpleItem[@Name=\"VideoAnalyticsConfigurationToken\"] ))",
            true,
        ),
        (
            "boolean(//tt:SimpleItem[@Name=\"IsInside\" and @Value=\"true\"] ) and \n boolean(//tt:SimpleItem[@Name=\"Rule\" and @Value=\"myImportantField\"] )",
            true,
        ),
    ] {
        assert_eq!(holds(filter), expected, "{filter}");
    }
}

#[test]
fn what_a_test_on_items_means() {
    for (filter, expected) in [
        // Whichever group it is in, and name and value of one and the same item.
        ("boolean(//tt:SimpleItem[@Name='ObjectId'])", true),
        ("boolean(//tt:SimpleItem[@Name='ObjectId' and @Value='1'])", false),
        ("boolean(//tt:SimpleItem[@Value='5'])", true),
        ("boolean(//tt:SimpleItem[@Name='Empty' and @Value=''])", true),
        ("boolean(//tt:SimpleItem[@Name='' or @Value='6'])", false),
        // Both quotes, each with the other inside.
        ("boolean(//tt:SimpleItem[@Value=\"it's \u{22}]) or boolean(//SimpleItem[@Value='it'])", false),
        ("boolean(//tt:SimpleItem[@Name='Said' and not(@Value=\"it's\")])", true),
        // Names of ONVIF's schema, whatever the prefix.
        ("boolean(//SimpleItem[@Name='Rule'])", true),
        ("boolean(//s:SimpleItem[@Name='Rule'])", true),
        // Items with elements have a name, and no value.
        ("boolean(//tt:ElementItem[@Name='Shape'])", true),
        ("boolean(//tt:ElementItem[@Name='Rule'])", false),
        ("boolean(//tt:SimpleItem[@Name='Shape'])", false),
        ("boolean(//tt:ElementItem[@Value=''])", false),
        ("boolean(//tt:ElementItem[not(@Value='')])", true),
        // Not any item is not the same as any item not.
        ("not(boolean(//tt:SimpleItem[@Name='Rule']))", false),
        ("boolean(//tt:SimpleItem[not(@Name='Rule')])", true),
        // White space anywhere, or nowhere.
        (" boolean ( // tt:SimpleItem [ @ Name = 'Rule' ] ) ", true),
        ("boolean(//tt:SimpleItem[@Name='Rule'and@Value='x'])or(boolean(//SimpleItem[@Name='Rule']))", true),
    ] {
        assert_eq!(holds(filter), expected, "{filter}");
    }
    assert!(ContentFilter::parse("boolean(//tt:SimpleItem[@Name='Rule'])", |_| None).unwrap().matches(&message()));
}

#[test]
fn and_binds_closer_than_or() {
    let (yes, no) = ("boolean(//SimpleItem[@Name='Rule'])", "boolean(//SimpleItem[@Name='None'])");
    for (tree, expected) in [
        ("Y or N and N", true),
        ("N and N or Y", true),
        ("(Y or N) and N", false),
        ("N and (N or Y)", false),
        ("Y or Y and N", true),
        ("not(Y) or Y and not(N)", true),
        ("not(Y or N)", false),
        ("not(Y and N)", true),
        ("not(N) and not(not(Y))", true),
        ("((Y)) and ((N or (Y)))", true),
    ] {
        // The same outside of the brackets and inside.
        assert_eq!(holds(&tree.replace('N', "\0").replace('Y', yes).replace('\0', no)), expected, "{tree}");
        let inside = tree.replace('Y', "@Value='5'").replace('N', "@Value='7'");
        let one = format!("boolean(//SimpleItem[@Name='ObjectId' and ({inside})])");
        assert_eq!(holds(&one), expected, "{one}");
    }
}

#[test]
fn what_does_not_follow_the_grammar_is_refused_where_it_ends() {
    for (filter, at) in [
        ("", 0),
        ("true", 0),
        ("boolean", 7),
        ("boolean(1)", 8),
        ("boolean(//tt:SimpleItem)", 23),
        ("boolean(/tt:SimpleItem[@Name='a'])", 8),
        ("boolean(//tt:Item[@Name='a'])", 10),
        ("boolean(//:SimpleItem[@Name='a'])", 10),
        ("boolean(//tt:SimpleItem[Name='a'])", 24),
        ("boolean(//tt:SimpleItem[@name='a'])", 29),
        ("boolean(//tt:SimpleItem[@Name>'a'])", 29),
        ("boolean(//tt:SimpleItem[@Name=a])", 30),
        ("boolean(//tt:SimpleItem[@Name='a\"])", 30),
        ("boolean(//tt:SimpleItem[@Name='a'][@Value='b'])", 34),
        ("boolean(//tt:SimpleItem[@Name='a']) boolean(//tt:SimpleItem[@Name='a'])", 36),
        ("boolean(//tt:SimpleItem[@Name='a']) and", 39),
        ("boolean(//tt:SimpleItem[@Name='a']) orboolean(//tt:SimpleItem[@Name='a'])", 36),
        ("not boolean(//tt:SimpleItem[@Name='a'])", 4),
        ("(boolean(//tt:SimpleItem[@Name='a'])", 36),
        ("boolean(//tt:SimpleItem[(@Name='a'])", 34),
    ] {
        match ContentFilter::parse(filter, lookup) {
            Err(BadExpression::Syntax { at: found, .. }) => assert_eq!(found, at, "{filter}"),
            other => panic!("{filter}: {other:?}"),
        }
    }
    let parsed = |filter: &str| ContentFilter::parse(filter, lookup);
    assert_eq!(parsed("boolean(//acme:SimpleItem[@Name='a'])"), Err(BadExpression::Namespace("urn:acme".into())));
    assert_eq!(parsed("boolean(//y:SimpleItem[@Name='a'])"), Err(BadExpression::Prefix("y".into())));
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn space(&mut self) -> &'static str {
        ["", "", " ", "\n\t "][usize::try_from(self.roll(4)).unwrap()]
    }

    /// A tree as text, and what it comes to; `leaf` makes a test and says whether it holds.
    fn tree(&mut self, depth: u64, leaf: &dyn Fn(&mut Self) -> (String, bool)) -> (String, bool) {
        let (a, b) = (self.space(), self.space());
        match if depth == 0 { 0 } else { self.roll(5) } {
            0 => leaf(self),
            1 => {
                let (text, holds) = self.tree(depth - 1, leaf);
                (format!("not{a}({b}{text}{a})"), !holds)
            }
            2 => {
                let (text, holds) = self.tree(depth - 1, leaf);
                (format!("({a}{text}{b})"), holds)
            }
            three => {
                let ((left, first), (right, second)) = (self.tree(depth - 1, leaf), self.tree(depth - 1, leaf));
                // In parentheses, so that what it means does not rest on precedence, which has its own test.
                let (word, holds) = if three == 3 { ("and", first && second) } else { ("or", first || second) };
                (format!("(({left}){a}{word}{b}({right}))"), holds)
            }
        }
    }
}

#[test]
fn any_tree_comes_to_what_its_parts_come_to() {
    let items = [("Rule", "myImportantField"), ("ObjectId", "5"), ("IsInside", "true")];
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let (text, expected) = dice.tree(5, &|dice| {
            let (name, value) = items[usize::try_from(dice.roll(3)).unwrap()];
            let inside = dice.tree(2, &|dice| match dice.roll(4) {
                0 => (format!("@Name='{name}'"), true),
                1 => (format!("@Value{}=\"{value}\"", dice.space()), true),
                2 => ("@Name = 'Nobody'".to_owned(), false),
                _ => ("@Value=\"nothing\"".to_owned(), false),
            });
            // Bound to one item by its name, so that the outcome is that item's.
            (format!("boolean(//SimpleItem[@Name='{name}' and ({})])", inside.0), inside.1)
        });
        if text.len() <= LONGEST {
            assert_eq!(holds(&text), expected, "seed {seed}: {text}");
        }
    }
}

fn filter(inner: &str) -> Result<Selection, BadFilter> {
    let text = format!(
        r#"<e:CreatePullPointSubscription xmlns:e="{}" xmlns:n="{}" xmlns:t="{}" xmlns:k="{}" xmlns:acme="urn:acme"><e:Filter>{inner}</e:Filter></e:CreatePullPointSubscription>"#,
        ns::TEV.uri,
        ns::WSNT.uri,
        ns::TNS1.uri,
        ns::TT.uri
    );
    let request = CreatePullPointSubscription::read(parse(text.as_bytes(), &Limits::REQUEST).unwrap().root_element());
    Selection::read(&request.unwrap().filter.unwrap())
}

#[test]
fn all_filters_of_a_subscription_have_to_agree() {
    let inside = topic("tns1:RuleEngine/FieldDetector/ObjectsInside");
    assert!(Selection::default().wants(&inside, &message()));
    assert!(filter("").unwrap().wants(&inside, &message()));
    let topics =
        |expression: &str| format!(r#"<n:TopicExpression Dialect=" {CONCRETE_SET} ">{expression}</n:TopicExpression>"#);
    let contents = |filter: &str| format!(r#"<n:MessageContent Dialect="{ITEM_FILTER}">{filter}</n:MessageContent>"#);
    // The prefixes are those of the envelope, and quotes may be escaped.
    let rule = contents("boolean(//k:SimpleItem[@Name=&quot;Rule&quot;])");
    let all = filter(&[topics("t:RuleEngine//."), rule.clone()].concat()).unwrap();
    assert!(all.wants(&inside, &message()));
    assert!(!all.wants(&inside, &Message::default()) && !all.wants(&topic("tns1:Device"), &message()));
    assert!(all.wants_topic(&inside) && !all.wants_topic(&topic("tns1:Device")));
    let both = filter(&[topics("t:RuleEngine//."), topics("t:RuleEngine/FieldDetector//.")].concat()).unwrap();
    assert!(both.wants(&inside, &message()) && !both.wants(&topic("tns1:RuleEngine/LineDetector"), &message()));
    let none = filter(&[rule, contents("boolean(//SimpleItem[@Name='None'])")].concat()).unwrap();
    assert!(!none.wants(&inside, &message()));
    // All of them together are bounded, not each alone.
    let long = contents(&format!("boolean(//SimpleItem[@Name='{}'])", "n".repeat(3000)));
    assert!(filter(&long.repeat(2)).is_ok());
    let refused = filter(&long.repeat(3)).unwrap_err();
    assert!(matches!(refused, BadFilter::Content(BadExpression::TooLarge(_))), "{refused:?}");
    // What the device has.
    let (has, other) = (topic("tns1:RuleEngine/CellMotionDetector/Motion"), topic("tns1:Device/Trigger/Relay"));
    assert_eq!(all.supported([&has, &other]), Ok(()));
    assert_eq!(all.supported([&other]), Err(BadFilter::NotSupported));
    assert_eq!(Selection::default().supported([]), Ok(()));
}

#[test]
fn a_bad_filter_has_the_fault_of_its_own() {
    for (inner, kind) in [
        (r#"<n:Mood/>"#.to_owned(), FaultKind::InvalidFilter),
        (r#"<acme:TopicExpression Dialect="x"/>"#.to_owned(), FaultKind::InvalidFilter),
        (
            format!(r#"<n:MessageContent Dialect="{ITEM_FILTER}">boolean(//SimpleItem[@Name='a'])</n:MessageContent>"#)
                .repeat(33),
            FaultKind::InvalidFilter,
        ),
        ("<n:TopicExpression>t:Device</n:TopicExpression>".to_owned(), FaultKind::TopicExpressionDialectUnknown),
        (
            r#"<n:TopicExpression Dialect="urn:x">t:Device</n:TopicExpression>"#.to_owned(),
            FaultKind::TopicExpressionDialectUnknown,
        ),
        (
            format!(r#"<n:TopicExpression Dialect="{CONCRETE}">t:Device//.</n:TopicExpression>"#),
            FaultKind::InvalidTopicExpression,
        ),
        (
            format!(r#"<n:TopicExpression Dialect="{CONCRETE}"><t:Device/></n:TopicExpression>"#),
            FaultKind::InvalidTopicExpression,
        ),
        (
            format!(r#"<n:TopicExpression Dialect="{CONCRETE_SET}">u:Device</n:TopicExpression>"#),
            FaultKind::InvalidTopicExpression,
        ),
        (
            r#"<n:ProducerProperties Dialect="x">a</n:ProducerProperties>"#.to_owned(),
            FaultKind::InvalidProducerPropertiesExpression,
        ),
        (
            r#"<n:MessageContent Dialect="http://www.w3.org/TR/1999/REC-xpath-19991116">//a</n:MessageContent>"#
                .to_owned(),
            FaultKind::InvalidMessageContentExpression,
        ),
        (
            format!(r#"<n:MessageContent Dialect="{ITEM_FILTER}">boolean(</n:MessageContent>"#),
            FaultKind::InvalidMessageContentExpression,
        ),
    ] {
        let bad = filter(&inner).unwrap_err();
        assert_eq!(bad.kind(), kind, "{inner}: {bad}");
        let mut detail = BaseFault::at(Timestamp::UNIX_EPOCH);
        if let BadFilter::Unknown(name) = &bad {
            detail.unknown_filter.push(name.clone());
        }
        let fault = kind.fault(&bad.to_string(), detail);
        assert_eq!((fault.code, FaultKind::of(&fault)), (Code::Receiver, Some(kind)));
        let detail: BaseFault = fault.detail[0].to().unwrap();
        assert_eq!(
            (detail.timestamp, detail.description.as_slice()),
            (Timestamp::UNIX_EPOCH, [bad.to_string()].as_slice())
        );
        assert_eq!(detail.unknown_filter.len(), usize::from(kind == FaultKind::InvalidFilter));
    }
}

#[test]
fn every_topic_of_the_table_is_found_by_its_own_expression() {
    for description in topics::catalogue() {
        let topic = Topic::of(description);
        assert_eq!(topics::describe(&topic), Some(description));
        assert_eq!(topics::find(description.topic), Some(description));
        assert!(means(CONCRETE, &topic.to_string(), &topic.to_string()), "{topic}");
        let (root, _) = description.topic.split_once('/').unwrap();
        assert!(means(CONCRETE_SET, &format!("acme:x|o:{root}//."), &topic.to_string()));
    }
    assert_eq!(topics::describe(&Topic(vec![QName::new("urn:acme", "Device")])), None);
}
