//! Topic expressions: which topics a subscription is about (WS-Topics §8, Core §9.6.3).
//!
//! ```text
//!   TopicExpression ::= TopicPath ('|' TopicPath)*                  '|' and '//.' in the dialect ConcreteSet alone
//!   TopicPath       ::= RootTopic ('/' ChildTopicName)* ('//.')?     no child in the dialect Simple
//! ```

use super::words::{BadExpression, LONGEST, SPACE, name_length};
use crate::notification::Topic;
use crate::ns;

/// The dialect of one topic by its path (WS-Topics §8.2).
pub const CONCRETE: &str = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete";
/// The dialect of topics and subtrees, ONVIF's own (Core §9.6.3).
pub const CONCRETE_SET: &str = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet";
/// The dialect of one root topic (WS-Topics §8.1).
pub const SIMPLE: &str = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple";
/// What the example of Core §9.10.2 calls the dialect of sets, and some devices after it.
const CONCRETE_SET_IN_EXAMPLES: &str = "http://docs.oasis-open.org/wsnt/t-1/TopicExpression/ConcreteSet";

/// Paths in one expression.
const PATHS: usize = 64;
/// Steps in one path.
const STEPS: usize = 32;

/// An expression that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    paths: Vec<Path>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Path {
    /// Namespace and name of each step, the namespace as it is in force there.
    steps: Vec<(String, String)>,
    /// The topics below it too.
    subtree: bool,
}

impl Expression {
    /// Reads an expression; `lookup` tells the namespace of a prefix where the expression stood.
    ///
    /// # Errors
    /// The dialect is unknown, or the text is no expression of it.
    pub fn parse(dialect: &str, text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, BadExpression> {
        let dialect = dialect.trim_matches(SPACE);
        let (sets, children) = match dialect {
            CONCRETE_SET | CONCRETE_SET_IN_EXAMPLES => (true, true),
            CONCRETE => (false, true),
            SIMPLE => (false, false),
            _ => return Err(BadExpression::Dialect(dialect.chars().take(200).collect())),
        };
        if text.len() > LONGEST {
            return Err(BadExpression::TooLarge("more text than is taken"));
        }
        let mut reader = Reader { text, at: 0, lookup: &lookup };
        let mut paths = vec![reader.path(sets, children)?];
        while sets && reader.take("|") {
            if paths.len() == PATHS {
                return Err(BadExpression::TooLarge("more topics than are taken"));
            }
            paths.push(reader.path(sets, children)?);
        }
        match reader.rest() {
            "" => Ok(Self { paths }),
            _ => Err(reader.wanted(if sets { "the end, | or /" } else { "the end of the one topic" })),
        }
    }

    /// The expression of one topic.
    #[must_use]
    pub fn of(topic: &Topic) -> Self {
        let steps = topic.steps().map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect();
        Self { paths: vec![Path { steps, subtree: false }] }
    }

    /// Whether the topic is one of those that are meant.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        self.paths.iter().any(|path| path.matches(topic))
    }
}

impl Path {
    fn matches(&self, topic: &Topic) -> bool {
        let (wanted, found) = (self.steps.len(), topic.0.len());
        let long_enough = if self.subtree { found >= wanted } else { found == wanted };
        let steps = self.steps.iter().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        long_enough && steps.eq(topic.steps().take(wanted))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Reader<'a> {
    fn path(&mut self, sets: bool, children: bool) -> Result<Path, BadExpression> {
        self.skip();
        let mut steps = vec![self.step(None)?];
        let mut subtree = false;
        loop {
            if sets && self.take_here("//.") {
                subtree = true;
                break;
            }
            if !children || !self.take_here("/") {
                break;
            }
            if steps.len() == STEPS {
                return Err(BadExpression::TooLarge("more steps in a topic than are taken"));
            }
            let outer = steps.last().map(|(namespace, _)| namespace.clone());
            steps.push(self.step(outer)?);
        }
        self.skip();
        Ok(Path { steps, subtree })
    }

    /// A name, and the namespace in force: a child without a prefix belongs to its parent's (WS-Topics §6.2).
    fn step(&mut self, outer: Option<String>) -> Result<(String, String), BadExpression> {
        let first = self.name()?;
        if !self.take_here(":") {
            return Ok((outer.unwrap_or_default(), first.to_owned()));
        }
        let name = self.name()?;
        // The chapter's own expressions rely on it, and clients that write the prefix and forget to declare it.
        let usual = || (first == ns::TNS1.prefix).then(|| ns::TNS1.uri.to_owned());
        let namespace = (self.lookup)(first).or_else(usual);
        let namespace = namespace.ok_or_else(|| BadExpression::Prefix(first.chars().take(80).collect()))?;
        Ok((namespace, name.to_owned()))
    }

    fn name(&mut self) -> Result<&'a str, BadExpression> {
        let length = name_length(self.rest());
        if length == 0 {
            return Err(self.wanted("the name of a topic"));
        }
        let name = &self.rest()[..length];
        self.at += length;
        Ok(name)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(SPACE).len();
    }

    fn take_here(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        self.take_here(token)
    }

    fn wanted(&self, wanted: &'static str) -> BadExpression {
        BadExpression::Syntax { at: self.at, wanted }
    }
}
