//! Structs: attributes, child elements, text and what `xs:any` allows.

use crate::attributes::{Xml, pascal_case};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DataStruct, DeriveInput, Fields, GenericArgument, Ident, Path, PathArguments, Result, Type};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    One,
    Optional,
    List,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Element,
    Attribute,
    Text,
    Any,
    AnyAttribute,
}

struct Field {
    ident: Ident,
    slot: Ident,
    name: String,
    ns: Option<Path>,
    place: Place,
    many: Many,
    ty: Type,
    token: bool,
}

impl Field {
    /// What is read: white space collapses in a `Token`.
    fn read_type(&self) -> TokenStream {
        let ty = &self.ty;
        if self.token { quote!(::oriel_soap::xml::Token) } else { quote!(#ty) }
    }

    fn unwrap(&self) -> TokenStream {
        if self.token { quote!(.map(|token| token.0)) } else { quote!() }
    }
}

/// `Option<T>` and `Vec<T>` by name, as every derive does; anything else is exactly one.
fn cardinality(ty: &Type) -> (Many, Type) {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(inner)) = arguments.args.first()
    {
        if last.ident == "Option" {
            return (Many::Optional, inner.clone());
        }
        if last.ident == "Vec" {
            return (Many::List, inner.clone());
        }
    }
    (Many::One, ty.clone())
}

fn place(xml: &Xml) -> Option<Place> {
    Some(match (xml.attr, xml.text, xml.any, xml.any_attr) {
        (false, false, false, false) => Place::Element,
        (true, false, false, false) => Place::Attribute,
        (false, true, false, false) => Place::Text,
        (false, false, true, false) => Place::Any,
        (false, false, false, true) => Place::AnyAttribute,
        _ => return None,
    })
}

fn fields(input: &DeriveInput, data: &DataStruct) -> Result<Vec<Field>> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&input.generics, "a wire struct has no parameters"));
    }
    let container = Xml::of(&input.attrs)?;
    let named = match &data.fields {
        Fields::Named(named) => named.named.iter().collect::<Vec<_>>(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            return Err(syn::Error::new_spanned(fields, "the fields of a wire struct have names"));
        }
    };
    named
        .into_iter()
        .enumerate()
        .map(|(index, field)| {
            let ident = field.ident.clone().expect("the fields are named");
            let xml = Xml::of(&field.attrs)?;
            let (many, ty) = cardinality(&field.ty);
            let place =
                place(&xml).ok_or_else(|| syn::Error::new_spanned(field, "one of attr, text, any, any_attr"))?;
            let list = many == Many::List;
            let wants_list = matches!(place, Place::Any | Place::AnyAttribute);
            if place != Place::Element && list != wants_list {
                return Err(syn::Error::new_spanned(&field.ty, "any and any_attr are Vec; for an xs:list use List<T>"));
            }
            // An attribute without a prefix is in no namespace, whatever its element is in.
            let ns = if place == Place::Attribute { xml.ns } else { xml.ns.or_else(|| container.ns.clone()) };
            if place == Place::Element && ns.is_none() {
                return Err(syn::Error::new_spanned(
                    field,
                    "which namespace? #[xml(ns = ...)] on the struct or the field",
                ));
            }
            Ok(Field {
                slot: format_ident!("slot_{index}"),
                name: xml.name.unwrap_or_else(|| pascal_case(&ident.to_string())),
                ident,
                ns,
                place,
                many,
                ty,
                token: xml.token,
            })
        })
        .collect()
}

pub(crate) fn read(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    let name = &input.ident;
    let fields = fields(input, data)?;
    let slots = slots(&fields);
    let arms = fields.iter().filter(|field| field.place == Place::Element).map(|field| {
        let (slot, name, ns) = (&field.slot, &field.name, &field.ns);
        let function = if field.many == Many::List { quote!(repeated) } else { quote!(single) };
        quote!(#name if namespace == #ns.uri => ::oriel_soap::xml::read::#function(&mut #slot, child)?,)
    });
    let known = fields.iter().filter(|field| field.place == Place::Element).map(|field| &field.name);
    let keep = fields.iter().find(|field| field.place == Place::Any).map(|field| {
        let slot = &field.slot;
        quote!(#slot.push(::oriel_soap::xml::Any::from_element(child));)
    });
    let attributes =
        fields.iter().filter(|field| field.place == Place::Attribute).map(attribute_key).collect::<Vec<_>>();
    let values = fields.iter().map(|field| {
        let ident = &field.ident;
        let value = field_value(field, &attributes);
        quote!(#ident: #value)
    });
    Ok(quote! {
        #[automatically_derived]
        impl ::oriel_soap::xml::XmlRead for #name {
            fn read(
                element: ::oriel_soap::xml::Element<'_, '_>,
            ) -> ::core::result::Result<Self, ::oriel_soap::xml::XmlError> {
                #(#slots)*
                for child in ::oriel_soap::xml::read::elements(element) {
                    let (namespace, local) = ::oriel_soap::xml::read::name(child);
                    let _ = namespace;
                    match local {
                        #(#arms)*
                        _ => {
                            ::oriel_soap::xml::read::stray(child, &[#(#known),*])?;
                            #keep
                        }
                    }
                }
                Ok(Self { #(#values),* })
            }
        }
    })
}

/// The variables that children are read into.
fn slots(fields: &[Field]) -> Vec<TokenStream> {
    fields
        .iter()
        .filter(|field| matches!(field.place, Place::Element | Place::Any))
        .map(|field| {
            let (slot, ty) = (&field.slot, field.read_type());
            match field.many {
                Many::List => quote!(let mut #slot: ::std::vec::Vec<#ty> = ::std::vec::Vec::new();),
                _ => quote!(let mut #slot: ::core::option::Option<#ty> = ::core::option::Option::None;),
            }
        })
        .collect()
}

fn attribute_key(field: &Field) -> TokenStream {
    let name = &field.name;
    match &field.ns {
        Some(ns) => quote!((::core::option::Option::Some(#ns.uri), #name)),
        None => quote!((::core::option::Option::None, #name)),
    }
}

fn field_value(field: &Field, attributes: &[TokenStream]) -> TokenStream {
    let (slot, name, ns, unwrap, ty) = (&field.slot, &field.name, &field.ns, field.unwrap(), field.read_type());
    match (field.place, field.many) {
        (Place::Any, _) => quote!(#slot),
        (Place::AnyAttribute, _) => quote!(::oriel_soap::xml::read::other_attributes(element, &[#(#attributes),*])),
        (Place::Element, Many::List) if field.token => quote!(#slot.into_iter().map(|token| token.0).collect()),
        (Place::Element, Many::List) => quote!(#slot),
        (Place::Element, Many::Optional) => quote!(#slot #unwrap),
        (Place::Element, Many::One) => quote!(::oriel_soap::xml::read::required(#slot, element, #ns, #name) #unwrap ?),
        (Place::Attribute, many) => {
            let key = attribute_key(field);
            if many == Many::One {
                quote!(::oriel_soap::xml::read::required_attribute::<#ty>(element, #key) #unwrap ?)
            } else {
                quote!(::oriel_soap::xml::read::attribute::<#ty>(element, #key)? #unwrap)
            }
        }
        (Place::Text, Many::Optional) => quote!(::oriel_soap::xml::read::optional_value::<#ty>(element)? #unwrap),
        (Place::Text, _) => quote!(::oriel_soap::xml::read::value::<#ty>(element) #unwrap ?),
    }
}

pub(crate) fn write(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    let name = &input.ident;
    debug_assert!(matches!(input.data, Data::Struct(_)));
    let fields = fields(input, data)?;
    // A start tag is written before what it encloses.
    let (first, then): (Vec<_>, Vec<_>) =
        fields.iter().partition(|field| matches!(field.place, Place::Attribute | Place::AnyAttribute));
    let steps = first.into_iter().chain(then).map(|field| {
        let (ident, name, ns) = (&field.ident, &field.name, &field.ns);
        match (field.place, field.many) {
            (Place::AnyAttribute, _) => quote!(for other in &self.#ident { writer.any_attribute(other); }),
            (Place::Any, _) => quote!(for other in &self.#ident { writer.any(other); }),
            (Place::Attribute, many) => {
                let ns = ns.as_ref().map_or_else(
                    || quote!(::core::option::Option::None),
                    |ns| quote!(::core::option::Option::Some(#ns)),
                );
                if many == Many::One {
                    quote!(writer.attribute(#ns, #name, &self.#ident);)
                } else {
                    quote!(if let ::core::option::Option::Some(value) = &self.#ident { writer.attribute(#ns, #name, value); })
                }
            }
            (Place::Text, Many::One) => quote!(writer.value(&self.#ident);),
            (Place::Text, _) => quote!(for value in self.#ident.iter() { writer.value(value); }),
            (Place::Element, Many::One) => quote!(writer.element(#ns, #name, &self.#ident);),
            (Place::Element, _) => quote!(for value in self.#ident.iter() { writer.element(#ns, #name, value); }),
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl ::oriel_soap::xml::XmlWrite for #name {
            fn write(&self, writer: &mut ::oriel_soap::xml::Writer) {
                let _ = &writer;
                #(#steps)*
            }
        }
    })
}
