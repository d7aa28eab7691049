//! `#[derive(XmlRead, XmlWrite)]`: the element name belongs to the field, the namespace to the schema that declares it.
//!
//! On a struct: `#[xml(ns = PATH)]`, the namespace of its child elements. On a field: `name = "..."` (PascalCase of the field name
//! otherwise), `ns = PATH`, `attr`, `text`, `any`, `any_attr`, `token` (white space collapses, as in xs:token and xs:anyURI).
//! On a variant of an enum of plain values: `name = "..."`, `alias = "..."` (read only), `other` (a one-field variant that keeps
//! values the schema does not list).

mod attributes;
mod structs;
mod values;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, parse_macro_input};

/// Reads the type from an element.
#[proc_macro_derive(XmlRead, attributes(xml))]
pub fn derive_read(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let tokens = match &input.data {
        Data::Struct(data) => structs::read(&input, data),
        Data::Enum(data) => values::read(&input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(&input.ident, "a union has no XML form")),
    };
    tokens.unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Writes the type into an element, in schema order, which is field order.
#[proc_macro_derive(XmlWrite, attributes(xml))]
pub fn derive_write(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let tokens = match &input.data {
        Data::Struct(data) => structs::write(&input, data),
        Data::Enum(data) => values::write(&input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(&input.ident, "a union has no XML form")),
    };
    tokens.unwrap_or_else(|error| error.to_compile_error()).into()
}
