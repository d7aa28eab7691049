//! Lines and fields of an HTTP/1.1 head, read as tolerantly as published devices and clouds need (RFC 9112).
//!
//! Ours, because common parsers refuse the lower-case `http/1.1` that a published device sends.

/// A head's fields in order, names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

/// Where a head ends: the start line, the fields' lines, and the number of bytes with the blank line.
pub(crate) struct Split<'a> {
    pub start: &'a str,
    pub fields: &'a str,
    pub used: usize,
}

/// A head that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed HTTP head: {0}")]
pub struct Malformed(pub &'static str);

const MAX_FIELDS: usize = 100;

/// Cuts a head off the front of `bytes`; `None` while its blank line has not come.
pub(crate) fn split(bytes: &[u8]) -> Result<Option<Split<'_>>, Malformed> {
    let Some(used) = end_of_head(bytes) else {
        return Ok(None);
    };
    // Obsolete text in a field's value may be any byte; none that we read holds one.
    let text = std::str::from_utf8(&bytes[..used]).map_err(|_| Malformed("a byte that is not text"))?;
    let (start, fields) = text.split_once('\n').ok_or(Malformed("no line"))?;
    Ok(Some(Split { start: start.strip_suffix('\r').unwrap_or(start), fields, used }))
}

/// The number of bytes up to and with the blank line. Bare line feeds count as line ends (RFC 9112 §2.2).
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            let line = &bytes[line_start..at];
            if (line.is_empty() || line == b"\r") && line_start > 0 {
                return Some(at + 1);
            }
            line_start = at + 1;
        }
    }
    None
}

impl Fields {
    /// Reads the lines after the start line.
    pub(crate) fn parse(lines: &str) -> Result<Self, Malformed> {
        let mut fields = Vec::new();
        for line in lines.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                return Err(Malformed("a folded field"));
            }
            let (name, value) = line.split_once(':').ok_or(Malformed("a field without a colon"))?;
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                return Err(Malformed("a field name that is no token"));
            }
            let value = value.trim_matches([' ', '\t']);
            if value.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
                return Err(Malformed("a control character in a field"));
            }
            if fields.len() == MAX_FIELDS {
                return Err(Malformed("too many fields"));
            }
            fields.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Ok(Self(fields))
    }

    /// Every value of a field, in order; `name` in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The first value of a field.
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Whether any of a field's comma lists holds `word`, in any case.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        self.all(name).any(|list| list.split(',').any(|w| w.trim().eq_ignore_ascii_case(word)))
    }
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_blank_line_and_nothing_more_is_used() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI";
        let head = split(bytes).unwrap().unwrap();
        assert_eq!((head.start, head.used), ("GET / HTTP/1.1", 27));
        for cut in 0..27 {
            assert!(split(&bytes[..cut]).unwrap().is_none());
        }
    }

    #[test]
    fn fields_are_found_in_any_case_and_repeats_are_joined() {
        let fields = Fields::parse("HOST:  a \r\nUpgrade: x, Y\nupgrade:z\r\n\r\n").unwrap();
        assert_eq!(fields.get("host"), Some("a"));
        assert!(fields.lists("upgrade", "y") && fields.lists("upgrade", "Z") && !fields.lists("upgrade", "w"));
    }

    #[test]
    fn what_could_smuggle_is_refused() {
        for bad in ["a b: c\r\n", " folded: x\r\n", "nocolon\r\n", ": x\r\n", "a: b\rc\r\n", "a: \u{1}\r\n"] {
            assert!(Fields::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Fields::parse(&"a: b\r\n".repeat(101)).is_err());
        assert!(split(b"GET \xff HTTP/1.1\r\n\r\n").is_err());
    }
}
