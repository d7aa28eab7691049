//! `tt:MessageDescription`: what a device says of its topics' messages in GetEventProperties (Core §9.4.3).

use super::topics::{Description, Item};
use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, QName, XmlRead, XmlWrite};

/// What the messages of a topic have in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct MessageDescription {
    /// They tell a property's state. Absent: no.
    #[xml(attr)]
    pub is_property: Option<bool>,
    /// Items that say which component it is.
    pub source: Option<ItemListDescription>,
    /// Items that say which of its properties it is.
    pub key: Option<ItemListDescription>,
    /// Items that say what happened.
    pub data: Option<ItemListDescription>,
    /// The extension of the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Items of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct ItemListDescription {
    /// Items whose value is a text.
    pub simple_item_description: Vec<ItemDescription>,
    /// Items whose value is an element.
    pub element_item_description: Vec<ItemDescription>,
    /// The extension of the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Name and type of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct ItemDescription {
    /// Name.
    #[xml(attr)]
    pub name: String,
    /// Type.
    #[xml(attr, name = "Type")]
    pub kind: QName,
}

impl From<&Description> for MessageDescription {
    fn from(description: &Description) -> Self {
        Self {
            is_property: Some(description.property),
            source: list(description.source),
            key: list(description.key),
            data: list(description.data),
            ..Self::default()
        }
    }
}

fn list(items: &[Item]) -> Option<ItemListDescription> {
    let of = |element: bool| {
        let items = items.iter().filter(|item| item.kind.element == element);
        items.map(|item| ItemDescription { name: item.name.to_owned(), kind: item.kind.name() }).collect()
    };
    (!items.is_empty()).then(|| ItemListDescription {
        simple_item_description: of(false),
        element_item_description: of(true),
        ..ItemListDescription::default()
    })
}
