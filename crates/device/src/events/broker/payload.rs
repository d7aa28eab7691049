//! An event as a broker gets it: the topic, and the payload as JSON (Core §9.12.5, §9.12.6, §9.12.7). Pure.

use super::packet::Publish;
use oriel_onvif::events::topics::{Description, Item, Kind, describe};
use oriel_onvif::events::{ItemList, Message, PropertyOperation, SimpleItem};
use oriel_onvif::notification::Topic;
use oriel_onvif::ns;
use oriel_soap::xml::{Any, Element, Limits, parse, read};

/// Says that the payload is an event as JSON.
const EVENT_AS_JSON: &str = "onvif-ej";
/// How deep elements are followed; what a device tells of itself is flat.
const MAX_DEPTH: usize = 32;

/// The message for a broker; `prefix` is what [`plain`] left of the configured one.
pub(super) fn publication(prefix: &str, topic: &Topic, message: &Message) -> Publish {
    let description = describe(topic);
    // §9.12.7: properties are kept by the broker, and a deleted one is deleted there by a payload of no bytes.
    let deleted = message.property_operation == Some(PropertyOperation::Deleted);
    Publish {
        topic: topic_of(prefix, topic, message, description),
        payload: if deleted { Vec::new() } else { json(message, description).into_bytes() },
        retain: message.property_operation.is_some(),
    }
}

/// A part of a topic without what a topic must not have in it: the wildcards, and characters for which brokers hang up (MQTT 3.1.1 §1.5.3, §4.7).
pub(crate) fn plain(text: &str) -> String {
    // The last two code points of every plane are no characters.
    let refused = |c: char| {
        matches!(c, '#' | '+')
            || c.is_control()
            || (c as u32) & 0xfffe == 0xfffe
            || ('\u{fdd0}'..='\u{fdef}').contains(&c)
    };
    text.chars().filter(|c| !refused(*c)).collect()
}

/// `TopicPrefix/onvif-ej/LocalTopic[/&Source]`.
fn topic_of(prefix: &str, topic: &Topic, message: &Message, description: Option<&Description>) -> String {
    let mut out = format!("{prefix}/{EVENT_AS_JSON}");
    for (namespace, step) in topic.steps() {
        out.push('/');
        // ONVIF's topics are the ones without an alias.
        if !namespace.is_empty() && namespace != ns::TNS1.uri {
            out.push_str(&plain(&alias(namespace)));
            out.push(':');
        }
        out.push_str(&plain(step));
    }
    let sources = in_order(message.source.as_ref(), description.map_or(&[], |description| description.source));
    for (index, item) in sources.into_iter().enumerate() {
        out.push_str(if index == 0 { "/&" } else { "/" });
        out.push_str(&plain(&item.value));
    }
    out
}

/// The items in the order of the description, which is that of GetEventProperties; what it does not have comes last.
fn in_order<'a>(list: Option<&'a ItemList>, described: &[Item]) -> Vec<&'a SimpleItem> {
    let mut items: Vec<_> = list.map(|list| list.simple_item.iter().collect()).unwrap_or_default();
    let place = |name: &str| described.iter().position(|item| item.name == name).unwrap_or(usize::MAX);
    items.sort_by_key(|item: &&SimpleItem| place(&item.name));
    items
}

/// What a namespace is called for short: of `http://www.acme.com/topics` that is `acme`.
fn alias(namespace: &str) -> String {
    let host = namespace.split_once("://").map_or(namespace, |(_, rest)| rest);
    let host = host.split(['/', ':', '?', '#']).next().unwrap_or(host);
    let host = host.strip_prefix("www.").unwrap_or(host);
    host.split('.').next().unwrap_or(host).to_owned()
}

/// The payload. Quotes are left out where the topic's description says number or boolean and the value is one; a name that looks like
/// a number stays a name. In elements, whose types no description tells, the value alone decides.
fn json(message: &Message, description: Option<&Description>) -> String {
    let mut out = String::with_capacity(256);
    out.push_str("{\"UtcTime\":");
    string(&message.utc_time.to_string(), &mut out);
    let described = |of: fn(&Description) -> &'static [Item]| description.map_or(&[][..], of);
    group("Source", message.source.as_ref(), described(|description| description.source), &mut out);
    // Deviates: the grammar has no place for the key, without which nobody knows which of several properties it is.
    if let Some(key) = message.key.as_ref().filter(|key| !key.is_empty()) {
        group("Key", Some(key), described(|description| description.key), &mut out);
    }
    if let Some(data) = &message.data {
        group("Data", Some(data), described(|description| description.data), &mut out);
    }
    out.push('}');
    out
}

fn group(name: &str, list: Option<&ItemList>, described: &[Item], out: &mut String) {
    out.push(',');
    string(name, out);
    out.push_str(":{");
    let mut first = true;
    for item in in_order(list, described) {
        member(&item.name, &mut first, out);
        let kind = described.iter().find(|known| known.name == item.name).map(|known| known.kind);
        if kind.is_some_and(is_plain) { scalar(&item.value, out) } else { string(&item.value, out) }
    }
    for item in list.map(|list| &list.element_item[..]).unwrap_or_default() {
        member(&item.name, &mut first, out);
        elements(&item.any, out);
    }
    out.push('}');
}

/// Whether the type is a number or a boolean.
fn is_plain(kind: Kind) -> bool {
    const PLAIN: [&str; 12] = [
        "boolean",
        "float",
        "double",
        "decimal",
        "integer",
        "int",
        "long",
        "short",
        "nonNegativeInteger",
        "unsignedInt",
        "unsignedLong",
        "unsignedShort",
    ];
    kind.ns == ns::XS && PLAIN.contains(&kind.local)
}

fn member(name: &str, first: &mut bool, out: &mut String) {
    if !std::mem::take(first) {
        out.push(',');
    }
    string(name, out);
    out.push(':');
}

fn string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Without quotes if it is what JSON writes without them, digit by digit.
fn scalar(text: &str, out: &mut String) {
    let text = text.trim_ascii();
    if text == "true" || text == "false" || is_number(text) { out.push_str(text) } else { string(text, out) }
}

/// Whether JSON has it as a number (RFC 8259 §6).
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(left, right)| (left, Some(right)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(left, right)| (left, Some(right)));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// The value of an element item: an object with the element in it.
fn elements(any: &[Any], out: &mut String) {
    out.push('{');
    let mut first = true;
    for any in any {
        // What was kept once can be read again.
        if let Ok(document) = parse(any.as_xml().as_bytes(), &Limits::REPLY) {
            let element = document.root_element();
            member(read::name(element).1, &mut first, out);
            value(element, 0, out);
        }
    }
    out.push('}');
}

/// An element by attributes, elements and text; elements of one name make a list, at the place of the first.
fn value(element: Element<'_, '_>, depth: usize, out: &mut String) {
    let text = || read::text(element).unwrap_or_default();
    let children: Vec<_> = read::elements(element).filter(|_| depth < MAX_DEPTH).collect();
    if children.is_empty() && element.attributes().len() == 0 {
        let text = text();
        return if text.trim_ascii().is_empty() { out.push_str("{}") } else { scalar(&text, out) };
    }
    out.push('{');
    let mut first = true;
    for attribute in element.attributes() {
        member(&format!("@{}", attribute.name()), &mut first, out);
        scalar(attribute.value(), out);
    }
    if children.is_empty() && !text().trim_ascii().is_empty() {
        // The grammar has no name for the text of an element that has attributes too.
        member("#text", &mut first, out);
        scalar(&text(), out);
    }
    for (index, child) in children.iter().enumerate() {
        let name = read::name(*child).1;
        let named = |other: &&Element<'_, '_>| read::name(**other).1 == name;
        if children[..index].iter().any(|other| named(&other)) {
            continue;
        }
        let alike: Vec<_> = children[index..].iter().filter(named).collect();
        member(name, &mut first, out);
        match alike[..] {
            [alone] => value(*alone, depth + 1, out),
            _ => {
                out.push('[');
                for (index, one) in alike.into_iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value(*one, depth + 1, out);
                }
                out.push(']');
            }
        }
    }
    out.push('}');
}

#[cfg(test)]
mod tests;
