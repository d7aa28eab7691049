//! The topics that the device offers, and whether what is told of them is as they are described (Core §9.4.3, §9.6.2).

use super::notification::{Occurrence, Untold};
use oriel_onvif::events::topics::{Item, topic_set};
use oriel_onvif::events::{BadFilter, Description, ItemList, Selection, SimpleItem, TopicSet};
use oriel_onvif::notification::Topic;

/// The topics.
#[derive(Debug, Default)]
pub(super) struct Offered(Vec<(Topic, &'static Description)>);

impl Offered {
    pub(super) fn add(&mut self, topics: &[&'static Description]) {
        for description in topics {
            if !self.0.iter().any(|(_, known)| known.topic == description.topic) {
                self.0.push((Topic::of(description), description));
            }
        }
    }

    pub(super) fn has(&self, topic: &Topic) -> bool {
        self.0.iter().any(|(known, _)| known.steps().eq(topic.steps()))
    }

    pub(super) fn descriptions(&self) -> impl Iterator<Item = &'static Description> {
        self.0.iter().map(|(_, description)| *description)
    }

    pub(super) fn topic_set(&self) -> TopicSet {
        topic_set(self.0.iter().map(|(_, description)| *description))
    }

    /// Whether each topic expression means at least one of the topics.
    pub(super) fn supports(&self, selection: &Selection) -> Result<(), BadFilter> {
        selection.supported(self.0.iter().map(|(topic, _)| topic))
    }

    /// What the topic is, after a look at whether the occurrence is what it says.
    pub(super) fn check(&self, occurrence: &mut Occurrence) -> Result<&'static Description, Untold> {
        let found = self.0.iter().find(|(topic, _)| *topic == occurrence.topic);
        let (_, description) = found.ok_or_else(|| Untold::NotOffered(occurrence.topic.to_string()))?;
        let topic = description.topic;
        if occurrence.gone && !description.property {
            return Err(Untold::NoProperty(topic));
        }
        let elements =
            |list: &ItemList| -> Vec<String> { list.element_item.iter().map(|item| item.name.clone()).collect() };
        let data = elements(&occurrence.data);
        group(topic, "source", description.source, &mut occurrence.source, &[], true)?;
        group(topic, "key", description.key, &mut occurrence.key, &[], true)?;
        // Of what is no more there is no state to tell (§9.4.2.1).
        group(topic, "data", description.data, &mut occurrence.data.simple_item, &data, !occurrence.gone)?;
        Ok(description)
    }
}

/// Checks one group, and puts it into the order of the description.
fn group(
    topic: &'static str,
    group: &'static str,
    described: &'static [Item],
    items: &mut [SimpleItem],
    elements: &[String],
    complete: bool,
) -> Result<(), Untold> {
    let place = |name: &str| described.iter().position(|item| item.name == name);
    let names = || items.iter().map(|item| item.name.as_str()).chain(elements.iter().map(String::as_str));
    for (at, name) in names().enumerate() {
        if place(name).is_none() {
            return Err(Untold::UnknownItem { topic, group, item: name.to_owned() });
        }
        if names().take(at).any(|other| other == name) {
            return Err(Untold::TwiceItem { topic, item: name.to_owned() });
        }
    }
    let missing = described.iter().find(|item| !item.optional && !names().any(|name| name == item.name));
    if let Some(item) = missing.filter(|_| complete) {
        return Err(Untold::MissingItem { topic, group, item: item.name });
    }
    for SimpleItem { name, value } in items.iter() {
        let kind = described.iter().find(|item| item.name == name).map(|item| item.kind);
        if let Some(kind) = kind.filter(|kind| !kind.accepts(value)) {
            let (item, value) = (name.clone(), value.clone());
            return Err(Untold::BadValue { topic, item, value, kind: kind.local });
        }
    }
    items.sort_by_key(|item| place(&item.name));
    Ok(())
}
