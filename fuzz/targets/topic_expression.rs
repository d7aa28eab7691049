//! Topic expressions (WS-Topics, Core §9.6.3): any text is read within bounds or refused, and means the topics that it names.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_onvif::events::expression::{CONCRETE, CONCRETE_SET, SIMPLE};
use oriel_onvif::events::{BadExpression, Expression, LONGEST};
use oriel_onvif::notification::Topic;
use oriel_soap::xml::QName;

fuzz_target!(|text: &str| {
    let parse = |dialect| Expression::parse(dialect, text, lookup);
    let set = match parse(CONCRETE_SET) {
        Ok(set) => set,
        Err(bad) => {
            if let BadExpression::Syntax { at, .. } = bad {
                assert!(text.is_char_boundary(at), "the error names a place in the text");
            }
            assert!(parse(CONCRETE).is_err() && parse(SIMPLE).is_err(), "the smaller languages have no more");
            return;
        }
    };
    assert!(text.len() <= LONGEST);
    // Each path means its own topic, as this other reader of the language has it, and with // all below.
    let mut paths = text.split('|').map(str::trim);
    let first = paths.next().expect("there is one");
    let below = first.strip_suffix("//.");
    let mut topic = topic(below.unwrap_or(first));
    assert!(set.matches(&topic) && Expression::of(&topic).matches(&topic));
    topic.0.push(QName::new("", "Below"));
    if let Ok(one) = Expression::parse(CONCRETE_SET, first, lookup) {
        assert_eq!(one.matches(&topic), below.is_some());
    }
    if let Ok(concrete) = parse(CONCRETE) {
        assert_eq!(concrete, set, "the larger language means the same");
    }
});

fn lookup(prefix: &str) -> Option<String> {
    (!prefix.starts_with('x')).then(|| format!("urn:{prefix}"))
}

fn topic(path: &str) -> Topic {
    let step = |step: &str| match step.split_once(':') {
        Some((prefix, local)) => QName::new(&lookup(prefix).expect("it was declared"), local),
        None => QName::new("", step),
    };
    Topic(path.split('/').map(step).collect())
}
