//! The states of properties (Core §9.4.2).
//!
//! ```text
//!   (none) ── told ──► Initialized ── another state ──► Changed ── gone ──► Deleted ──► (none)
//!                          └───────── the same state: not told again
//! ```

use super::notification::{Notification, Occurrence, Untold};
use oriel_onvif::events::{ItemList, Message, PropertyOperation, SimpleItem, topics};
use oriel_onvif::notification::Topic;
use oriel_soap::With;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many properties there may be.
pub(super) const MOST: usize = 1024;
/// What their states may come to in bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// What makes a property the one it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity(Vec<String>);

impl Identity {
    fn of(occurrence: &Occurrence) -> Self {
        let steps = occurrence.topic.0.iter().flat_map(|step| [step.namespace.to_string(), step.local.to_string()]);
        let item = |item: &SimpleItem| [item.name.clone(), item.value.clone()];
        // Lengths first, so that no two lists of texts are one.
        let lengths = format!("{}/{}", occurrence.topic.0.len(), occurrence.source.len());
        let items = occurrence.source.iter().chain(&occurrence.key).flat_map(item);
        Self(std::iter::once(lengths).chain(steps).chain(items).collect())
    }
}

struct State {
    number: u64,
    topic: Topic,
    /// As Initialized.
    message: Message,
    /// The same, once somebody wanted it.
    told: Option<Arc<Notification>>,
    size: usize,
}

/// The topic of operations that go on after their answer.
const OPERATION: &str = "Monitoring/AsynchronousOperationStatus";

impl State {
    fn is_operation(&self) -> bool {
        topics::find(OPERATION).is_some_and(|topic| self.topic == Topic::of(topic))
    }

    /// Of an operation: it is done, or it failed.
    fn is_over(&self) -> bool {
        let data = data(&self.message);
        let done = data.simple_item.iter().filter(|item| item.name == "Progress");
        let done = done.filter_map(|item| item.value.parse::<f32>().ok()).any(|progress| progress >= 1.0);
        done || data.element_item.iter().any(|item| item.name == "Error")
    }
}

/// The states, in the order in which the properties came to be.
#[derive(Default)]
pub(super) struct Properties {
    states: BTreeMap<u64, State>,
    known: HashMap<Identity, u64>,
    next: u64,
    bytes: usize,
}

/// What becomes of a property.
pub(super) struct Becomes {
    /// Which one.
    pub(super) property: u64,
    pub(super) operation: PropertyOperation,
}

impl Properties {
    /// What the occurrence makes of its property; none if it is as it was. `number` and `message` are what will be told of it.
    pub(super) fn become_(
        &mut self,
        occurrence: &Occurrence,
        number: u64,
        message: &Message,
    ) -> Result<Option<Becomes>, Untold> {
        let identity = Identity::of(occurrence);
        let known = self.known.get(&identity).copied();
        if occurrence.gone {
            let Some(property) = known else { return Ok(None) };
            self.known.remove(&identity);
            if let Some(state) = self.states.remove(&property) {
                self.bytes -= state.size;
            }
            return Ok(Some(Becomes { property, operation: PropertyOperation::Deleted }));
        }
        let before = known.and_then(|property| self.states.get(&property));
        if before.is_some_and(|state| data(&state.message) == data(message)) {
            return Ok(None);
        }
        let size = occurrence.size();
        let others = self.bytes - before.map_or(0, |state| state.size);
        if (known.is_none() && self.states.len() >= MOST) || others + size > MOST_BYTES {
            return Err(Untold::TooManyProperties(MOST));
        }
        let property = known.unwrap_or(self.next);
        let operation = if known.is_some() { PropertyOperation::Changed } else { PropertyOperation::Initialized };
        self.next = self.next.max(property + 1);
        self.bytes = others + size;
        let mut message = message.clone();
        message.property_operation = Some(PropertyOperation::Initialized);
        self.known.insert(identity, property);
        let state = State { number, topic: occurrence.topic.clone(), message, told: None, size };
        self.states.insert(property, state);
        Ok(Some(Becomes { property, operation }))
    }

    /// What makes room for this one, if anything may: the operation that is over and changed least lately, or else the one that changed
    /// least lately. Each operation is a property of its own, and nobody says when one is looked at for the last time (Core §8.9.7). What
    /// the device's components are is not forgotten.
    pub(super) fn dispensable(&self, newcomer: &Occurrence) -> Option<Occurrence> {
        let own = self.known.get(&Identity::of(newcomer)).copied();
        let others = self.states.iter().filter(|(property, state)| Some(**property) != own && state.is_operation());
        let (_, state) = others.min_by_key(|(_, state)| (!state.is_over(), state.number))?;
        let items = |list: &Option<ItemList>| list.iter().flat_map(|list| list.simple_item.clone()).collect();
        let mut gone = Occurrence::at_topic(state.topic.clone()).gone();
        (gone.source, gone.key) = (items(&state.message.source), items(&state.message.key));
        (gone.data, gone.time) = (data(&state.message).clone(), newcomer.time);
        Some(gone)
    }

    /// The state of the topic's property that changed last.
    pub(super) fn current(&self, topic: &Topic) -> Option<Message> {
        let states = self.states.values().filter(|state| state.topic.steps().eq(topic.steps()));
        states.max_by_key(|state| state.number).map(|state| state.message.clone())
    }

    /// The states, each as a message that says Initialized; made when it is wanted first.
    pub(super) fn initialized(&mut self, wants: impl Fn(&Topic, &Message) -> bool) -> Vec<Arc<Notification>> {
        let mut told = Vec::new();
        for (property, state) in &mut self.states {
            if wants(&state.topic, &state.message) {
                let message = || Notification::new(state.number, state.topic.clone(), state.message.clone());
                let make = || Arc::new(message().about(Some(*property)));
                told.push(Arc::clone(state.told.get_or_insert_with(make)));
            }
        }
        told
    }
}

fn data(message: &Message) -> &ItemList {
    static NOTHING: std::sync::LazyLock<ItemList> = std::sync::LazyLock::new(ItemList::default);
    message.data.as_ref().unwrap_or(&NOTHING)
}

/// What an occurrence says, as a message without an operation.
pub(super) fn message(occurrence: &Occurrence, time: jiff::Timestamp) -> Message {
    let list = |items: &[SimpleItem]| (!items.is_empty()).then(|| items.iter().cloned().collect::<ItemList>());
    Message::with(|message| {
        message.utc_time = time;
        message.source = list(&occurrence.source);
        message.key = list(&occurrence.key);
        message.data = (!occurrence.data.is_empty()).then(|| occurrence.data.clone());
    })
}
