//! The steps of reading that derived code is made of.

use super::{AnyAttribute, Element, FromText, Ns, XmlError, XmlErrorKind, XmlRead};
use std::borrow::Cow;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The child elements.
pub fn elements<'a, 'input: 'a>(element: Element<'a, 'input>) -> impl Iterator<Item = Element<'a, 'input>> {
    element.children().filter(Element::is_element)
}

/// Namespace (empty if none) and local name.
#[must_use]
pub fn name<'a>(element: Element<'a, '_>) -> (&'a str, &'a str) {
    let name = element.tag_name();
    (name.namespace().unwrap_or(""), name.name())
}

/// Whether the element has this name in this namespace.
#[must_use]
pub fn is(element: Element<'_, '_>, ns: Ns, local: &str) -> bool {
    name(element) == (ns.uri, local)
}

/// The first child of this name.
#[must_use]
pub fn child<'a, 'input>(element: Element<'a, 'input>, ns: Ns, local: &str) -> Option<Element<'a, 'input>> {
    elements(element).find(|child| is(*child, ns, local))
}

/// All text of the element, however comments and CDATA cut it.
///
/// # Errors
/// There are elements in it.
pub fn text<'a>(element: Element<'a, '_>) -> Result<Cow<'a, str>, XmlError> {
    let mut whole = Cow::Borrowed("");
    for node in element.children() {
        if node.is_element() {
            let wanted = "text, there is an element in it".to_owned();
            return Err(XmlError::new(XmlErrorKind::Value { text: name(node).1.to_owned(), wanted, unlisted: false }));
        }
        match node.text() {
            Some(part) if node.is_text() && whole.is_empty() => whole = Cow::Borrowed(part),
            Some(part) if node.is_text() => whole.to_mut().push_str(part),
            _ => {}
        }
    }
    Ok(whole)
}

/// The element's text as a simple value.
///
/// # Errors
/// The text is no such value.
pub fn value<T: FromText>(element: Element<'_, '_>) -> Result<T, XmlError> {
    let text = text(element)?;
    T::from_text(&text, element).map_err(|bad| bad.at(&text))
}

/// The element's text as a simple value, none if it is empty.
///
/// # Errors
/// The text is no such value.
pub fn optional_value<T: FromText>(element: Element<'_, '_>) -> Result<Option<T>, XmlError> {
    let text = text(element)?;
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    T::from_text(&text, element).map(Some).map_err(|bad| bad.at(&text))
}

fn is_nil(element: Element<'_, '_>) -> bool {
    matches!(element.attribute((XSI, "nil")), Some("true" | "1"))
}

/// Reads a child that may be there once.
///
/// # Errors
/// It is there again, or it cannot be read.
pub fn single<T: XmlRead>(slot: &mut Option<T>, child: Element<'_, '_>) -> Result<(), XmlError> {
    if is_nil(child) {
        return Ok(());
    }
    if slot.is_some() {
        return Err(XmlError::new(XmlErrorKind::Duplicate).inside(name(child).1));
    }
    *slot = Some(T::read(child).map_err(|error| error.inside(name(child).1))?);
    Ok(())
}

/// Reads a child that may be there many times.
///
/// # Errors
/// It cannot be read.
pub fn repeated<T: XmlRead>(list: &mut Vec<T>, child: Element<'_, '_>) -> Result<(), XmlError> {
    if !is_nil(child) {
        list.push(T::read(child).map_err(|error| error.inside(name(child).1))?);
    }
    Ok(())
}

/// A child that no field claims. One of a foreign namespace is an extension, whatever its name; one without any namespace that has a
/// field's name is a namespace forgotten.
///
/// # Errors
/// The namespace was forgotten.
pub fn stray(child: Element<'_, '_>, known: &[&str]) -> Result<(), XmlError> {
    let (namespace, local) = name(child);
    if namespace.is_empty() && known.contains(&local) {
        let kind =
            XmlErrorKind::WrongNamespace { found: String::new(), wanted: "the namespace of the service's schema" };
        return Err(XmlError::new(kind).inside(local));
    }
    Ok(())
}

/// A child that must have been there.
///
/// # Errors
/// It was not; the error says so if it was there in another namespace.
pub fn required<T>(slot: Option<T>, element: Element<'_, '_>, ns: Ns, local: &'static str) -> Result<T, XmlError> {
    slot.ok_or_else(|| {
        let namesake = elements(element).map(name).find(|(namespace, other)| *other == local && *namespace != ns.uri);
        let kind = match namesake {
            Some((found, _)) => XmlErrorKind::WrongNamespace { found: found.to_owned(), wanted: ns.uri },
            None => XmlErrorKind::Missing,
        };
        XmlError::new(kind).inside(local)
    })
}

/// An attribute, if it is there.
///
/// # Errors
/// Its value is none of the type.
pub fn attribute<T: FromText>(element: Element<'_, '_>, key: (Option<&str>, &str)) -> Result<Option<T>, XmlError> {
    let found = element.attributes().find(|attribute| (attribute.namespace(), attribute.name()) == key);
    let Some(found) = found else { return Ok(None) };
    T::from_text(found.value(), element).map(Some).map_err(|bad| bad.at(found.value()).inside(&format!("@{}", key.1)))
}

/// An attribute that must be there.
///
/// # Errors
/// It is not there, or its value is none of the type.
pub fn required_attribute<T: FromText>(element: Element<'_, '_>, key: (Option<&str>, &str)) -> Result<T, XmlError> {
    attribute(element, key)?.ok_or_else(|| XmlError::new(XmlErrorKind::MissingAttribute).inside(&format!("@{}", key.1)))
}

/// The attributes that no field claims, those of XMLSchema-instance left out.
#[must_use]
pub fn other_attributes(element: Element<'_, '_>, known: &[(Option<&str>, &str)]) -> Vec<AnyAttribute> {
    element
        .attributes()
        .filter(|attribute| attribute.namespace() != Some(XSI))
        .filter(|attribute| !known.contains(&(attribute.namespace(), attribute.name())))
        .map(|attribute| AnyAttribute {
            namespace: attribute.namespace().map(str::to_owned),
            name: attribute.name().to_owned(),
            value: attribute.value().to_owned(),
        })
        .collect()
}
