//! The table of topics against the listings of the texts: `Topic: tns1:…` and the description behind it.

use anyhow::{Context, Result};
use oriel_onvif::events::topics::{self, Description, Item};
use roxmltree::{Document, Node};
use std::collections::BTreeMap;
use std::path::Path;

/// The texts whose topics the table has.
const DOCUMENTS: [&str; 4] = ["Core", "Security", "DeviceIo", "Imaging"];
/// Topics of a text that is not among them: Analytics.
const ELSEWHERE: [&str; 1] = ["RuleEngine/CellMotionDetector/Motion"];
/// Items that a sentence calls optional, and not the listing.
const OPTIONAL_BY_SENTENCE: [(&str, &str); 1] = [("Advancedsecurity/Keystore/KeyStatus", "OldStatus")];

/// Group, name, type with prefix, whether it is an element, whether it may be left out.
type Told = (String, String, String, bool, bool);

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Listing {
    property: bool,
    items: Vec<Told>,
}

pub(super) fn compare(texts: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let mut told = BTreeMap::new();
    for document in DOCUMENTS {
        let path = texts.join(format!("doc/{document}.xml"));
        if !path.is_file() {
            super::print_line(&format!("spec: {document} is not there, the topics are not compared"));
            return Ok(());
        }
        listings(&super::read(&path)?, &mut told).with_context(|| format!("the topics of {document}"))?;
    }
    against(&told, topics::catalogue(), wrong);
    Ok(())
}

fn against(told: &BTreeMap<String, Listing>, table: &[Description], wrong: &mut Vec<String>) {
    for (topic, listing) in told {
        match table.iter().find(|description| description.topic == topic) {
            None => wrong.push(format!("topic {topic} of the text is not in the table")),
            Some(description) if of(description) != *listing => {
                wrong.push(format!("topic {topic}: the text has {listing:?}, the table {:?}", of(description)));
            }
            Some(_) => {}
        }
    }
    for Description { topic, .. } in table {
        if !told.contains_key(*topic) && !ELSEWHERE.contains(topic) {
            wrong.push(format!("topic {topic} of the table is in no text"));
        }
    }
}

fn of(description: &Description) -> Listing {
    let groups = [("Source", description.source), ("Key", description.key), ("Data", description.data)];
    let told = |group: &str, item: &Item| {
        let kind = format!("{}:{}", item.kind.ns.prefix, item.kind.local);
        let by_sentence = OPTIONAL_BY_SENTENCE.contains(&(description.topic, item.name));
        (group.to_owned(), item.name.to_owned(), kind, item.kind.element, item.optional && !by_sentence)
    };
    let items = groups.iter().flat_map(|(group, items)| items.iter().map(move |item| told(group, item)));
    Listing { property: description.property, items: items.collect() }
}

/// A listing begins with its topics; one without a description has that of the section's beginning, if there is one without topics.
fn listings(text: &str, told: &mut BTreeMap<String, Listing>) -> Result<()> {
    let document = Document::parse(text)?;
    let mut shared = None;
    for listing in document.descendants().filter(|node| node.tag_name().name() == "programlisting") {
        let text: String = listing.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect();
        let topics: Vec<&str> = text.lines().map(str::trim).map_while(topic).collect();
        let description = text.find("<tt:MessageDescription").map(|start| read(&text[start..])).transpose();
        match (topics.is_empty(), description) {
            // An example, which need not be complete.
            (true, Err(_)) => {}
            (true, Ok(description)) if title(listing) == "Events" => shared = description,
            (true, Ok(_)) => {}
            (false, description) => {
                let listing = description?.or_else(|| shared.clone()).unwrap_or_default();
                told.extend(topics.into_iter().map(|topic| (topic.to_owned(), listing.clone())));
            }
        }
    }
    Ok(())
}

fn topic(line: &str) -> Option<&str> {
    let line = line.strip_prefix("Topic: ").unwrap_or(line);
    line.strip_prefix("tns1:").filter(|topic| topic.chars().all(|letter| letter.is_alphanumeric() || letter == '/'))
}

fn title(listing: Node<'_, '_>) -> String {
    let title = listing.parent().and_then(|section| section.children().find(|node| node.tag_name().name() == "title"));
    title.map(super::words).unwrap_or_default()
}

/// The description, whose quotes some listings have curved, and whose source one group of them has in small letters.
fn read(text: &str) -> Result<Listing> {
    let text: Vec<_> = text
        .replace(['\u{201c}', '\u{201d}'], "\"")
        .replace("tt:source>", "tt:Source>")
        .lines()
        .map(|line| {
            if line.contains("<!-- optional -->") {
                line.replacen(" Name=", " minOccurs=\"0\" Name=", 1)
            } else {
                line.to_owned()
            }
        })
        .collect();
    let text = format!("<r xmlns:tt=\"t\">{}</r>", text.join("\n"));
    let document = Document::parse(&text)?;
    let description = document.root_element().first_element_child().context("no description")?;
    let items = description.children().filter(Node::is_element).flat_map(|group| {
        group.children().filter(Node::is_element).map(move |item| {
            let attribute = |name: &str| item.attribute(name).unwrap_or_default().trim().to_owned();
            let kind = attribute("Type").replace("soapenv:", "env:");
            // Items with elements of simple types are none, see the table.
            let element = item.tag_name().name() == "ElementItemDescription" && !kind.starts_with("xs:");
            (group.tag_name().name().to_owned(), attribute("Name"), kind, element, attribute("minOccurs") == "0")
        })
    });
    Ok(Listing { property: description.attribute("IsProperty") == Some("true"), items: items.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<book><section><title>Events</title>
        <programlisting><![CDATA[<tt:MessageDescription><tt:Source><tt:SimpleItemDescription Name=\"Input\" Type=\"tt:ReferenceToken\"/></tt:Source></tt:MessageDescription>]]></programlisting>
        <programlisting><![CDATA[tns1:Device/A\ntns1:Device/B\n]]></programlisting>
        <programlisting><![CDATA[Topic: tns1:Device/Trigger/Relay\n<tt:MessageDescription IsProperty=\u{201d}true\u{201d}>
          <tt:source><tt:SimpleItemDescription Name=\"RelayToken\" Type=\"tt:ReferenceToken \"/></tt:source>
          <tt:Data><tt:ElementItemDescription Name=\"LogicalState\" Type=\"xs:boolean\"/> <!-- optional --></tt:Data></tt:MessageDescription>]]></programlisting>
        <programlisting>  &lt;wsnt:Topic&gt;\ntns1:Not/This\n</programlisting></section></book>";

    #[test]
    fn listings_are_read_as_they_are_printed_and_differences_are_named() {
        let mut told = BTreeMap::new();
        listings(TEXT, &mut told).unwrap();
        assert_eq!(told.keys().collect::<Vec<_>>(), ["Device/A", "Device/B", "Device/Trigger/Relay"]);
        assert_eq!(told["Device/A"].items[0].1, "Input");
        let relay = &told["Device/Trigger/Relay"];
        assert!(
            relay.property
                && relay.items[1] == ("Data".into(), "LogicalState".into(), "xs:boolean".into(), false, true)
        );
        let mut wrong = Vec::new();
        let table: Vec<_> =
            topics::catalogue().iter().filter(|row| row.topic.starts_with("Device/Trigger")).copied().collect();
        against(&told, &table, &mut wrong);
        let begins = [
            "topic Device/A of the text is not",
            "topic Device/B of",
            "topic Device/Trigger/Relay: the text has",
            "topic Device/Trigger/DigitalInput of the table is in no text",
        ];
        assert_eq!(wrong.len(), begins.len(), "{wrong:?}");
        assert!(wrong.iter().zip(begins).all(|(found, begin)| found.starts_with(begin)), "{wrong:?}");
    }
}
