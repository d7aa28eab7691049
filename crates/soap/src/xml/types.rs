//! The simple types of XML Schema that ONVIF uses.

use super::{BadValue, Element, FromText, Prefixes, ToText, Writer, XmlError, XmlRead, XmlWrite, read};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use std::borrow::Cow;
use std::fmt;

/// A qualified name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct QName {
    /// Namespace, empty if none.
    pub namespace: Cow<'static, str>,
    /// Local name.
    pub local: Cow<'static, str>,
}

impl QName {
    /// A name that came from outside.
    #[must_use]
    pub fn new(namespace: &str, local: &str) -> Self {
        Self { namespace: Cow::Owned(namespace.to_owned()), local: Cow::Owned(local.to_owned()) }
    }

    /// A name of ours.
    #[must_use]
    pub const fn of(ns: super::Ns, local: &'static str) -> Self {
        Self { namespace: Cow::Borrowed(ns.uri), local: Cow::Borrowed(local) }
    }
}

impl fmt::Display for QName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.local)
        } else {
            write!(f, "{{{}}}{}", self.namespace, self.local)
        }
    }
}

impl FromText for QName {
    fn from_text(text: &str, scope: Element<'_, '_>) -> Result<Self, BadValue> {
        let text = text.trim_ascii();
        let (prefix, local) = text.split_once(':').map_or((None, text), |(prefix, local)| (Some(prefix), local));
        if local.is_empty() || local.contains([':', ' ', '\t', '\n', '\r']) {
            return Err(BadValue::wanted("a qualified name"));
        }
        let namespace = match scope.lookup_namespace_uri(prefix) {
            Some(namespace) => namespace,
            None if prefix.is_none() => "",
            None => return Err(BadValue::wanted("a qualified name whose prefix is declared")),
        };
        Ok(Self::new(namespace, local))
    }
}

impl ToText for QName {
    fn to_text(&self, prefixes: &mut Prefixes) -> Cow<'_, str> {
        if self.namespace.is_empty() {
            return Cow::Borrowed(&self.local);
        }
        Cow::Owned(format!("{}:{}", prefixes.of_uri(&self.namespace), self.local))
    }
}

/// xs:list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl List<String> {
    /// A list of these words.
    #[must_use]
    pub fn words(words: &[&str]) -> Self {
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl<T> std::ops::Deref for List<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: FromText> FromText for List<T> {
    fn from_text(text: &str, scope: Element<'_, '_>) -> Result<Self, BadValue> {
        text.split_ascii_whitespace().map(|item| T::from_text(item, scope)).collect()
    }
}

impl<T: ToText> ToText for List<T> {
    fn to_text(&self, prefixes: &mut Prefixes) -> Cow<'_, str> {
        let mut text = String::new();
        for item in &self.0 {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&item.to_text(prefixes));
        }
        Cow::Owned(text)
    }
}

impl<T: FromText> XmlRead for List<T> {
    fn read(element: Element<'_, '_>) -> Result<Self, XmlError> {
        read::value(element)
    }
}

impl<T: ToText> XmlWrite for List<T> {
    fn write(&self, writer: &mut Writer) {
        writer.value(self);
    }
}

/// Text whose white space means nothing: xs:token, xs:anyURI.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token(pub String);

impl FromText for Token {
    fn from_text(text: &str, _: Element<'_, '_>) -> Result<Self, BadValue> {
        let mut words = text.split_ascii_whitespace();
        let mut token = words.next().unwrap_or("").to_owned();
        for word in words {
            token.push(' ');
            token.push_str(word);
        }
        Ok(Self(token))
    }
}

impl ToText for Token {
    fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

/// xs:base64Binary. Its `Debug` tells the length alone, since what is carried so may be a key.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Base64(pub Vec<u8>);

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Base64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl std::ops::Deref for Base64 {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl FromText for Base64 {
    /// White space is allowed anywhere in it, as in PEM's lines.
    fn from_text(text: &str, _: Element<'_, '_>) -> Result<Self, BadValue> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        STANDARD.decode(digits).map(Self).map_err(|_| BadValue::wanted("bytes in base64"))
    }
}

impl ToText for Base64 {
    fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
        Cow::Owned(STANDARD.encode(&self.0))
    }
}

/// xs:duration of a fixed length; a month counts as 30 days and a year as 365, as there is no date to count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Duration(pub SignedDuration);

impl FromText for Duration {
    fn from_text(text: &str, _: Element<'_, '_>) -> Result<Self, BadValue> {
        let bad = || BadValue::wanted("a duration such as PT60S");
        let text = text.trim_ascii();
        // jiff reads "1 hour" too.
        if !text.trim_start_matches('-').starts_with('P') {
            return Err(bad());
        }
        let span: Span = text.parse().map_err(|_| bad())?;
        let days = i64::from(span.get_years()) * 365 + i64::from(span.get_months()) * 30;
        let rest = span.try_years(0).and_then(|span| span.try_months(0)).map_err(|_| bad())?;
        let rest = rest.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| bad())?;
        let whole = SignedDuration::from_hours(days * 24).checked_add(rest).ok_or_else(bad)?;
        Ok(Self(whole))
    }
}

impl ToText for Duration {
    fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
        let sign = if self.0.is_negative() { "-" } else { "" };
        let (seconds, nanos) = (self.0.as_secs().unsigned_abs(), self.0.subsec_nanos().unsigned_abs());
        if nanos == 0 {
            return Cow::Owned(format!("{sign}PT{seconds}S"));
        }
        let fraction = format!("{nanos:09}");
        Cow::Owned(format!("{sign}PT{seconds}.{}S", fraction.trim_end_matches('0')))
    }
}

/// xs:dateTime; one without a zone is taken as UTC, since ONVIF's times are.
impl FromText for Timestamp {
    fn from_text(text: &str, _: Element<'_, '_>) -> Result<Self, BadValue> {
        let text = text.trim_ascii();
        let civil = || text.parse::<jiff::civil::DateTime>()?.to_zoned(jiff::tz::TimeZone::UTC);
        text.parse()
            .or_else(|_| civil().map(|zoned| zoned.timestamp()))
            .map_err(|_| BadValue::wanted("a time such as 2026-01-31T12:00:00Z"))
    }
}

impl ToText for Timestamp {
    fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
        // jiff writes UTC with a Z.
        Cow::Owned(self.to_string())
    }
}

impl FromText for String {
    fn from_text(text: &str, _: Element<'_, '_>) -> Result<Self, BadValue> {
        Ok(text.to_owned())
    }
}

impl ToText for String {
    fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl ToText for str {
    fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl FromText for bool {
    fn from_text(text: &str, _: Element<'_, '_>) -> Result<Self, BadValue> {
        match text.trim_ascii() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(BadValue::wanted("true or false")),
        }
    }
}

impl ToText for bool {
    fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
        Cow::Borrowed(if *self { "true" } else { "false" })
    }
}

macro_rules! integers {
    ($($ty:ty),*) => {$(
        impl FromText for $ty {
            fn from_text(text: &str, _: Element<'_, '_>) -> Result<Self, BadValue> {
                let text = text.trim_ascii();
                text.parse().map_err(|_| BadValue::wanted(concat!("a whole number (", stringify!($ty), ")")))
            }
        }

        impl ToText for $ty {
            fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }
    )*};
}

integers!(i32, i64, u16, u32, u64);

macro_rules! floats {
    ($($ty:ty),*) => {$(
        impl FromText for $ty {
            fn from_text(text: &str, _: Element<'_, '_>) -> Result<Self, BadValue> {
                // Rust reads more words than XML Schema has ("infinity", "nan").
                match text.trim_ascii() {
                    "INF" => Ok(<$ty>::INFINITY),
                    "-INF" => Ok(<$ty>::NEG_INFINITY),
                    "NaN" => Ok(<$ty>::NAN),
                    text if text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) => {
                        text.parse().map_err(|_| BadValue::wanted("a number"))
                    }
                    _ => Err(BadValue::wanted("a number")),
                }
            }
        }

        impl ToText for $ty {
            fn to_text(&self, _: &mut Prefixes) -> Cow<'_, str> {
                Cow::Owned(match *self {
                    value if value.is_nan() => "NaN".to_owned(),
                    value if value.is_infinite() => if value > 0.0 { "INF" } else { "-INF" }.to_owned(),
                    value => value.to_string(),
                })
            }
        }
    )*};
}

floats!(f32, f64);

macro_rules! elements_of_text {
    ($($ty:ty),*) => {$(
        impl XmlRead for $ty {
            fn read(element: Element<'_, '_>) -> Result<Self, XmlError> {
                read::value(element)
            }
        }

        impl XmlWrite for $ty {
            fn write(&self, writer: &mut Writer) {
                writer.value(self);
            }
        }
    )*};
}

elements_of_text!(QName, Token, Base64, Duration, Timestamp, String, bool, i32, i64, u16, u32, u64, f32, f64);

impl XmlWrite for str {
    fn write(&self, writer: &mut Writer) {
        writer.value(self);
    }
}
