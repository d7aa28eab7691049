//! The states that properties have before anybody tells one: what was kept, that nothing happened yet, and that all is quiet.

use super::occurrences::{self, NEVER, topic};
use crate::config::Sources;
use crate::events::Occurrence;
use oriel_onvif::events::topics::{Description, Item, Kind};
use std::collections::BTreeMap;

/// The first states of what is offered and not `fed` by the machine; `kept` are states by topic that came over a restart.
pub(super) fn states(sources: &Sources, fed: &[&str], kept: &BTreeMap<String, String>) -> Vec<Occurrence> {
    let own = super::own();
    let offered = || own.iter().chain(sources.topics.iter().filter(|topic| !own.contains(topic))).copied();
    let of_device = offered().filter(|topic| !fed.contains(&topic.topic)).filter_map(|topic| of_device(topic, kept));
    let has = |topic: &str| offered().any(|offered| offered.topic == topic);
    let of_each = [
        (topic::MOTION_ALARM, &sources.video_sources, occurrences::motion_alarm as fn(&str, bool) -> Occurrence),
        (topic::DIGITAL_INPUT, &sources.digital_inputs, occurrences::digital_input),
        (topic::RELAY, &sources.relay_outputs, occurrences::relay),
    ];
    let of_each = of_each.into_iter().filter(|(topic, ..)| has(topic));
    let quiet = of_each.flat_map(|(_, tokens, state)| tokens.iter().map(move |token| state(token, false)));
    of_device.chain(quiet).collect()
}

/// The state of a property of the whole device, where there is something true to say without having been told.
fn of_device(description: &Description, kept: &BTreeMap<String, String>) -> Option<Occurrence> {
    let item = status(description)?;
    let value = kept.get(description.topic).filter(|value| item.kind.accepts(value)).cloned();
    let value = value.or_else(|| match item.kind {
        // §8.9.4: what never occurred.
        kind if kind == Kind::TIME => Some(NEVER.to_string()),
        // Nothing is reached, critical or low until somebody says so.
        kind if kind == Kind::BOOLEAN => Some("false".to_owned()),
        _ => None,
    })?;
    Some(Occurrence::of(description).data(item.name, value))
}

/// The one item of a property of the whole device.
pub(super) fn status(description: &Description) -> Option<&'static Item> {
    match description.data {
        [item] if description.property && description.source.is_empty() && description.key.is_empty() => Some(item),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_onvif::events::topics;

    fn value(states: &[Occurrence], topic: &str) -> Option<String> {
        let topic = oriel_onvif::notification::Topic::of(topics::find(topic).unwrap());
        let state = states.iter().find(|state| state.topic == topic)?;
        Some(state.data.simple_item[0].value.clone())
    }

    #[test]
    fn what_never_happened_is_told_as_the_beginning_of_time() {
        let states = states(&Sources::default(), &[], &BTreeMap::new());
        for topic in ["OperatingTime/LastReset", "OperatingTime/LastClockSynchronization", "Backup/Last"] {
            let told = value(&states, &format!("Monitoring/{topic}"));
            assert_eq!(told.as_deref(), Some("1970-01-01T00:00:00Z"), "{topic}");
        }
        assert_eq!(value(&states, "Monitoring/Washer/LiquidLow").as_deref(), Some("false"));
        // No number is true without a measurement.
        assert_eq!(value(&states, topic::BATTERY_CAPACITY), None);
        assert_eq!(value(&states, topic::MOTION_ALARM).as_deref(), Some("false"));
    }

    #[test]
    fn what_the_machine_tells_is_left_to_it_and_what_was_kept_is_not_forgotten() {
        let backup = "Monitoring/Backup/Last";
        let kept = [(backup, "2026-01-31T12:00:00Z"), (topic::LAST_RESET, "nonsense")];
        let kept = kept.map(|(topic, value)| (topic.to_owned(), value.to_owned())).into();
        let states = states(&Sources::default(), &[topic::LAST_REBOOT], &kept);
        assert_eq!(value(&states, backup).as_deref(), Some("2026-01-31T12:00:00Z"));
        assert_eq!(value(&states, topic::LAST_RESET).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(value(&states, topic::LAST_REBOOT), None);
    }

    #[test]
    fn a_camera_that_names_its_topics_has_the_states_of_these_and_its_own() {
        let sources = Sources {
            topics: vec![topics::find(topic::DIGITAL_INPUT).unwrap()],
            digital_inputs: vec!["a".to_owned(), "b".to_owned()],
            ..Sources::default()
        };
        let states = states(&sources, &[], &BTreeMap::new());
        assert_eq!(states.len(), 3, "{states:?}");
        assert_eq!(value(&states, topic::LAST_RESET).as_deref(), Some("1970-01-01T00:00:00Z"));
        let inputs: Vec<_> = states.iter().flat_map(|state| &state.source).map(|item| item.value.as_str()).collect();
        assert_eq!(inputs, ["a", "b"]);
    }
}
