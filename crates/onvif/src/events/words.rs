//! What the two languages of filters have in common: bounds, names, namespaces, and what can be wrong (Core §9.4.4, §9.6.3).

use std::fmt;

/// The longest expression in bytes.
pub const LONGEST: usize = 8 << 10;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadExpression {
    /// A dialect that is not known here. Empty: none was named.
    Dialect(String),
    /// Longer, deeper or with more parts than is taken.
    TooLarge(&'static str),
    /// A prefix that is declared nowhere.
    Prefix(String),
    /// A name in a namespace that the language has no use for.
    Namespace(String),
    /// It does not follow the grammar.
    Syntax {
        /// How many bytes of the expression were understood.
        at: usize,
        /// What would have been right there.
        wanted: &'static str,
    },
}

impl fmt::Display for BadExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialect(dialect) if dialect.is_empty() => f.write_str("it names no dialect"),
            Self::Dialect(dialect) => write!(f, "the dialect {dialect:?} is not known here"),
            Self::TooLarge(what) => write!(f, "too large: {what}"),
            Self::Prefix(prefix) => write!(f, "the prefix {prefix:?} is declared nowhere"),
            Self::Namespace(namespace) => write!(f, "the namespace {namespace:?} does not belong here"),
            Self::Syntax { at, wanted } => write!(f, "{wanted} is missing at byte {at}"),
        }
    }
}

impl std::error::Error for BadExpression {}

/// The length of the NCName that the text begins with (Namespaces in XML 1.0, §3).
pub(super) fn name_length(text: &str) -> usize {
    let mut length = 0;
    for (at, character) in text.char_indices() {
        if !(if at == 0 { starts_name(character) } else { continues_name(character) }) {
            break;
        }
        length = at + character.len_utf8();
    }
    length
}

fn starts_name(character: char) -> bool {
    matches!(character,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn continues_name(character: char) -> bool {
    starts_name(character)
        || matches!(character, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// White space of XML.
pub(super) const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
