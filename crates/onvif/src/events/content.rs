//! The filter on contents: which items a message has to have (Core §9.4.4, ItemFilter).
//!
//! ```text
//!   Expression ::= BoolExpr | Expression 'and' Expression | Expression 'or' Expression | '(' Expression ')' | 'not' '(' Expression ')'
//!   BoolExpr   ::= 'boolean' '(' '//' (Prefix ':')? ('SimpleItem' | 'ElementItem') '[' AttrExpr ']' ')'
//!   AttrExpr   ::= ('@Name' | '@Value') '=' String, and the same four of AttrExpr
//! ```
//!
//! `and` binds closer than `or`; both are left associative, as in XPath 1.0.

use super::message::Message;
use super::words::{BadExpression, LONGEST, SPACE, name_length};
use crate::ns;

/// The dialect.
pub const ITEM_FILTER: &str = "http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter";

/// Parentheses and `not` within one another.
const DEPTH: usize = 32;

/// A filter that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentFilter(Tree<Has>);

/// Tests joined by `and`, `or` and `not`; the language has it twice, outside and inside of the brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tree<T> {
    Test(T),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
}

impl<T> Tree<T> {
    /// As deep as [`DEPTH`] at most.
    fn holds(&self, test: &dyn Fn(&T) -> bool) -> bool {
        match self {
            Self::Test(one) => test(one),
            Self::And(all) => all.iter().all(|tree| tree.holds(test)),
            Self::Or(any) => any.iter().any(|tree| tree.holds(test)),
            Self::Not(tree) => !tree.holds(test),
        }
    }
}

/// The message has such an item in any of its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Has {
    element: bool,
    attributes: Tree<Is>,
}

/// An attribute is there and has the value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Is {
    attribute: Attribute,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Name,
    Value,
}

impl ContentFilter {
    /// Reads a filter; `lookup` tells the namespace of a prefix where the expression stood.
    ///
    /// # Errors
    /// It does not follow the grammar, or is larger than is taken.
    pub fn parse(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, BadExpression> {
        if text.len() > LONGEST {
            return Err(BadExpression::TooLarge("more text than is taken"));
        }
        let mut reader = Reader { text, at: 0, depth: 0, lookup: &lookup };
        let tree = reader.any_of(&Reader::has)?;
        reader.skip();
        if reader.at < text.len() { Err(reader.wanted("and, or, or the end")) } else { Ok(Self(tree)) }
    }

    /// Whether the message is one of those that are meant.
    #[must_use]
    pub fn matches(&self, message: &Message) -> bool {
        self.0.holds(&|has: &Has| has.holds(message))
    }
}

impl Has {
    fn holds(&self, message: &Message) -> bool {
        let fits = |name: &str, value: Option<&str>| {
            self.attributes.holds(&|is: &Is| match is.attribute {
                Attribute::Name => is.value == name,
                Attribute::Value => value == Some(is.value.as_str()),
            })
        };
        message.groups().any(|group| {
            if self.element {
                group.element_item.iter().any(|item| fits(&item.name, None))
            } else {
                group.simple_item.iter().any(|item| fits(&item.name, Some(&item.value)))
            }
        })
    }
}

type Test<'a, T> = dyn Fn(&mut Reader<'a>) -> Result<T, BadExpression>;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Reader<'a> {
    fn any_of<T>(&mut self, test: &Test<'a, T>) -> Result<Tree<T>, BadExpression> {
        let mut any = vec![self.all_of(test)?];
        while self.take_word("or") {
            any.push(self.all_of(test)?);
        }
        Ok(one_or(any, Tree::Or))
    }

    fn all_of<T>(&mut self, test: &Test<'a, T>) -> Result<Tree<T>, BadExpression> {
        let mut all = vec![self.one(test)?];
        while self.take_word("and") {
            all.push(self.one(test)?);
        }
        Ok(one_or(all, Tree::And))
    }

    fn one<T>(&mut self, test: &Test<'a, T>) -> Result<Tree<T>, BadExpression> {
        let not = self.take_word("not");
        if not {
            self.want("(", "( after not")?;
        } else if !self.take("(") {
            return test(self).map(Tree::Test);
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(BadExpression::TooLarge("more parentheses within one another than are taken"));
        }
        let inner = self.any_of(test)?;
        self.want(")", ")")?;
        self.depth -= 1;
        Ok(if not { Tree::Not(Box::new(inner)) } else { inner })
    }

    fn has(&mut self) -> Result<Has, BadExpression> {
        if !self.take_word("boolean") {
            return Err(self.wanted("boolean, not or ("));
        }
        self.want("(", "( after boolean")?;
        self.want("//", "//")?;
        let element = self.item()?;
        self.want("[", "[")?;
        let attributes = self.any_of(&Self::is)?;
        self.want("]", "and, or, or ]")?;
        self.want(")", ")")?;
        Ok(Has { element, attributes })
    }

    /// Whether the items meant are those with elements.
    fn item(&mut self) -> Result<bool, BadExpression> {
        self.skip();
        let start = self.at;
        let mut local = self.name();
        if !local.is_empty() && self.rest().starts_with(':') {
            self.at += 1;
            self.of_the_schema(local)?;
            local = self.name();
        }
        match local {
            "SimpleItem" => Ok(false),
            "ElementItem" => Ok(true),
            _ => Err(BadExpression::Syntax { at: start, wanted: "SimpleItem or ElementItem" }),
        }
    }

    fn of_the_schema(&self, prefix: &str) -> Result<(), BadExpression> {
        // The chapter's own example declares no `tt`.
        let usual = || (prefix == ns::TT.prefix).then(|| ns::TT.uri.to_owned());
        match (self.lookup)(prefix).or_else(usual) {
            Some(namespace) if namespace == ns::TT.uri => Ok(()),
            Some(namespace) => Err(BadExpression::Namespace(namespace.chars().take(200).collect())),
            None => Err(BadExpression::Prefix(prefix.chars().take(80).collect())),
        }
    }

    fn is(&mut self) -> Result<Is, BadExpression> {
        self.want("@", "@Name, @Value, not or (")?;
        self.skip();
        let attribute = match self.name() {
            "Name" => Attribute::Name,
            "Value" => Attribute::Value,
            _ => return Err(self.wanted("@Name or @Value")),
        };
        self.want("=", "=")?;
        self.skip();
        let mut rest = self.rest().chars();
        // The chapter's examples are printed with curved quotes.
        let end = match rest.next() {
            Some(quote @ ('"' | '\'')) => quote,
            Some('\u{201c}' | '\u{201d}') => '\u{201d}',
            _ => return Err(self.wanted("a text in quotes")),
        };
        let Some((value, _)) = rest.as_str().split_once(end) else { return Err(self.wanted("the end of the text")) };
        self.at = self.text.len() - rest.as_str().len() + value.len() + end.len_utf8();
        Ok(Is { attribute, value: value.to_owned() })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(SPACE).len();
    }

    fn name(&mut self) -> &'a str {
        let name = &self.rest()[..name_length(self.rest())];
        self.at += name.len();
        name
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// A word that does not go on.
    fn take_word(&mut self, word: &str) -> bool {
        self.skip();
        let found = &self.rest()[..name_length(self.rest())] == word;
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn want(&mut self, token: &str, wanted: &'static str) -> Result<(), BadExpression> {
        if self.take(token) { Ok(()) } else { Err(self.wanted(wanted)) }
    }

    fn wanted(&self, wanted: &'static str) -> BadExpression {
        BadExpression::Syntax { at: self.at, wanted }
    }
}

/// What stands alone needs nothing around it.
fn one_or<T>(mut trees: Vec<Tree<T>>, joined: impl FnOnce(Vec<Tree<T>>) -> Tree<T>) -> Tree<T> {
    match trees.pop() {
        Some(last) if trees.is_empty() => last,
        last => {
            trees.extend(last);
            joined(trees)
        }
    }
}
