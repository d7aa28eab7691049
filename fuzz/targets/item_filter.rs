//! Filters on contents (Core §9.4.4): any text is read within bounds or refused, and what was read obeys the laws of `and`, `or` and `not`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_onvif::events::{BadExpression, ContentFilter, ElementItem, ItemList, LONGEST, Message, SimpleItem};
use oriel_soap::With;
use oriel_soap::xml::{Any, Limits};
use std::sync::OnceLock;

fuzz_target!(|text: &str| {
    let filter = match ContentFilter::parse(text, |_| None) {
        Ok(filter) => filter,
        Err(bad) => {
            if let BadExpression::Syntax { at, .. } = bad {
                assert!(text.is_char_boundary(at), "the error names a place in the text");
            }
            return;
        }
    };
    assert!(text.len() <= LONGEST);
    // What goes around it may be too much, and is nothing else.
    let parse = |text: String| match ContentFilter::parse(&text, |_| None) {
        Ok(filter) => Some(filter),
        Err(BadExpression::TooLarge(_)) => None,
        Err(bad) => panic!("{text}: {bad}"),
    };
    let none = "boolean(//SimpleItem[@Name='nobody' and @Name='somebody'])";
    let not = parse(format!("not({text})"));
    let same = parse(format!("({text}) or {none}"));
    let nothing = parse(format!("({text}) and {none}"));
    for message in messages() {
        let holds = filter.matches(message);
        assert!(not.as_ref().is_none_or(|not| not.matches(message) != holds));
        assert!(same.as_ref().is_none_or(|same| same.matches(message) == holds));
        assert!(nothing.as_ref().is_none_or(|nothing| !nothing.matches(message)));
    }
});

fn messages() -> &'static [Message] {
    static MESSAGES: OnceLock<Vec<Message>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let list = |items: &[(&str, &str)]| {
            Some(items.iter().map(|(name, value)| SimpleItem::new(*name, *value)).collect::<ItemList>())
        };
        let full = Message::with(|message| {
            message.source = list(&[("Token", "1"), ("Rule", "a")]);
            message.data = list(&[("State", "true"), ("", "")]);
            let any = Any::from_xml("<a/>", &Limits::REQUEST).expect("it is one");
            message.key = Some(ItemList::with(|key| key.element_item.push(ElementItem::new("Shape", any))));
        });
        vec![Message::default(), full]
    })
}
