//! `[events]`: what the device offers, and what it has that can tell something.

use super::ConfigError;
use super::check::Place;
use crate::monitoring::Machine;
use oriel_onvif::events::expression::{CONCRETE_SET, Expression};
use oriel_onvif::events::topics::{self, Description, Kind};
use oriel_onvif::notification::Topic;
use oriel_onvif::ns::TNS1;
use serde::Deserialize;
use toml::Spanned;

/// Most components of a kind.
const MAX_TOKENS: usize = 64;

/// Where events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sources {
    /// The topics that are offered from the start, beside those that the device and its machine feed by themselves.
    pub topics: Vec<&'static Description>,
    /// Tokens of the video sources, before which nothing moves until somebody tells otherwise.
    pub video_sources: Vec<String>,
    /// Tokens of the digital inputs, idle until somebody tells otherwise.
    pub digital_inputs: Vec<String>,
    /// Tokens of the relay outputs, inactive until somebody tells otherwise.
    pub relay_outputs: Vec<String>,
    /// The machine that is watched; none if it is not.
    pub machine: Option<Machine>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            topics: topics::catalogue().iter().filter(|topic| can_be_told(topic)).collect(),
            video_sources: vec!["VideoSource_1".to_owned()],
            digital_inputs: vec!["DigitalInput_1".to_owned()],
            relay_outputs: Vec::new(),
            machine: Some(Machine::default()),
        }
    }
}

/// Whether somebody can tell it: that the store begins only the store can know (Core §9.11).
pub(crate) fn can_be_told(description: &Description) -> bool {
    description.topic != "EventBuffer/Begin"
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvents {
    topics: Option<Vec<Spanned<String>>>,
    video_sources: Option<Vec<Spanned<String>>>,
    digital_inputs: Option<Vec<Spanned<String>>>,
    relay_outputs: Option<Vec<Spanned<String>>>,
    host: Option<bool>,
}

impl RawEvents {
    pub(super) fn check(self, place: &Place<'_>) -> Result<Sources, ConfigError> {
        let mut sources = Sources::default();
        if let Some(given) = self.topics {
            sources.topics = topics_of(place, &given)?;
        }
        for (key, given, tokens) in [
            ("events.video_sources", self.video_sources, &mut sources.video_sources),
            ("events.digital_inputs", self.digital_inputs, &mut sources.digital_inputs),
            ("events.relay_outputs", self.relay_outputs, &mut sources.relay_outputs),
        ] {
            if let Some(given) = given {
                *tokens = tokens_of(place, key, given)?;
            }
        }
        if self.host == Some(false) {
            sources.machine = None;
        }
        Ok(sources)
    }
}

/// The topics that the expressions mean, each once, in the order of the table.
fn topics_of(place: &Place<'_>, given: &[Spanned<String>]) -> Result<Vec<&'static Description>, ConfigError> {
    let mut expressions = Vec::with_capacity(given.len());
    for text in given {
        let bad = |why: &str| {
            let problem = format!(
                "\"{}\" {why}; give topics such as \"tns1:VideoSource/MotionAlarm\", or \"tns1:Device//.\" for all below; `oriel device event --list` lists them",
                text.get_ref()
            );
            place.error("events.topics", &text.span(), problem)
        };
        let tns1 = |prefix: &str| (prefix == TNS1.prefix).then(|| TNS1.uri.to_owned());
        let expression =
            Expression::parse(CONCRETE_SET, text.get_ref(), tns1).map_err(|_| bad("is no expression of topics"))?;
        let meant = |topic: &&Description| can_be_told(topic) && expression.matches(&Topic::of(topic));
        if !topics::catalogue().iter().any(|topic| meant(&topic)) {
            return Err(bad("means no topic that can be told"));
        }
        expressions.push(expression);
    }
    let wanted = |topic: &Topic| expressions.iter().any(|expression| expression.matches(topic));
    Ok(topics::catalogue().iter().filter(|topic| can_be_told(topic) && wanted(&Topic::of(topic))).collect())
}

fn tokens_of(place: &Place<'_>, key: &str, given: Vec<Spanned<String>>) -> Result<Vec<String>, ConfigError> {
    let mut tokens: Vec<String> = Vec::with_capacity(given.len());
    for token in given {
        let (at, token) = (token.span(), token.into_inner());
        if token.is_empty() || !Kind::TOKEN.accepts(&token) || token.chars().any(char::is_control) {
            return Err(place.error(key, &at, "a token has 1 to 64 characters, and no control characters"));
        }
        if tokens.contains(&token) {
            return Err(place.error(key, &at, format!("\"{token}\" is there twice; remove one of the two")));
        }
        if tokens.len() == MAX_TOKENS {
            return Err(place.error(key, &at, format!("there are more than {MAX_TOKENS}; remove some")));
        }
        tokens.push(token);
    }
    Ok(tokens)
}
