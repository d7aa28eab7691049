//! Enums of plain values: xs:string restricted to an enumeration.

use crate::attributes::Xml;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Fields, Ident, Result};

struct Value<'a> {
    ident: &'a Ident,
    text: String,
    aliases: Vec<String>,
    other: bool,
}

fn values(data: &DataEnum) -> Result<Vec<Value<'_>>> {
    data.variants
        .iter()
        .map(|variant| {
            let xml = Xml::of(&variant.attrs)?;
            let plain = matches!(variant.fields, Fields::Unit);
            let keeps = matches!(&variant.fields, Fields::Unnamed(fields) if fields.unnamed.len() == 1);
            if (xml.other && !keeps) || (!xml.other && !plain) {
                return Err(syn::Error::new_spanned(
                    variant,
                    "a variant is a plain value, or #[xml(other)] with one String",
                ));
            }
            Ok(Value {
                ident: &variant.ident,
                text: xml.name.unwrap_or_else(|| variant.ident.to_string()),
                aliases: xml.aliases,
                other: xml.other,
            })
        })
        .collect()
}

pub(crate) fn read(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let name = &input.ident;
    let mut arms = Vec::new();
    let mut listed = Vec::new();
    let mut rest = None;
    for value in values(data)? {
        let ident = value.ident;
        if value.other {
            rest = Some(quote!(kept => Ok(Self::#ident(kept.to_owned())),));
            continue;
        }
        let texts = std::iter::once(&value.text).chain(&value.aliases);
        arms.push(quote!(#(#texts)|* => Ok(Self::#ident),));
        listed.push(value.text.clone());
    }
    let listed = listed.join(", ");
    let rest = rest.unwrap_or_else(|| quote!(_ => Err(::oriel_soap::xml::BadValue::unlisted(#listed)),));
    Ok(quote! {
        #[automatically_derived]
        impl ::oriel_soap::xml::FromText for #name {
            fn from_text(
                text: &str,
                _: ::oriel_soap::xml::Element<'_, '_>,
            ) -> ::core::result::Result<Self, ::oriel_soap::xml::BadValue> {
                match text.trim_ascii() { #(#arms)* #rest }
            }
        }
        #[automatically_derived]
        impl ::oriel_soap::xml::XmlRead for #name {
            fn read(
                element: ::oriel_soap::xml::Element<'_, '_>,
            ) -> ::core::result::Result<Self, ::oriel_soap::xml::XmlError> {
                ::oriel_soap::xml::read::value(element)
            }
        }
    })
}

pub(crate) fn write(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let name = &input.ident;
    let arms = values(data)?.into_iter().map(|value| {
        let (ident, text) = (value.ident, value.text);
        if value.other { quote!(Self::#ident(kept) => kept.as_str(),) } else { quote!(Self::#ident => #text,) }
    });
    Ok(quote! {
        #[automatically_derived]
        impl ::oriel_soap::xml::ToText for #name {
            fn to_text(&self, _: &mut ::oriel_soap::xml::Prefixes) -> ::std::borrow::Cow<'_, str> {
                ::std::borrow::Cow::Borrowed(match self { #(#arms)* })
            }
        }
        #[automatically_derived]
        impl ::oriel_soap::xml::XmlWrite for #name {
            fn write(&self, writer: &mut ::oriel_soap::xml::Writer) {
                writer.value(self);
            }
        }
    })
}
