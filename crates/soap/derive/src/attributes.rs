//! The `#[xml(...)]` attributes of structs, fields and variants.

use syn::{Attribute, LitStr, Path, Result};

/// What one `#[xml(...)]` said; the same words for structs, fields and variants.
#[derive(Default)]
pub(crate) struct Xml {
    pub(crate) name: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) ns: Option<Path>,
    pub(crate) attr: bool,
    pub(crate) text: bool,
    pub(crate) any: bool,
    pub(crate) any_attr: bool,
    pub(crate) token: bool,
    pub(crate) other: bool,
}

impl Xml {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut xml = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("xml")) {
            attribute.parse_nested_meta(|meta| {
                let word = meta.path.require_ident()?.to_string();
                match word.as_str() {
                    "name" => xml.name = Some(meta.value()?.parse::<LitStr>()?.value()),
                    "alias" => xml.aliases.push(meta.value()?.parse::<LitStr>()?.value()),
                    "ns" => xml.ns = Some(meta.value()?.parse()?),
                    "attr" => xml.attr = true,
                    "text" => xml.text = true,
                    "any" => xml.any = true,
                    "any_attr" => xml.any_attr = true,
                    "token" => xml.token = true,
                    "other" => xml.other = true,
                    _ => return Err(meta.error("unknown word in #[xml(...)]")),
                }
                Ok(())
            })?;
        }
        Ok(xml)
    }
}

/// `remote_address` → `RemoteAddress`.
pub(crate) fn pascal_case(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    for part in field.trim_start_matches("r#").split('_') {
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}
