//! Distinguished names, algorithms and extensions: what certificates and requests for them are put together from (Security §5.5.9).

use crate::ns;
use oriel_soap::xml::{Any, AnyAttribute, Base64, XmlRead, XmlWrite};

/// A distinguished name. A value is text, or `#` and the hexadecimal digits of a DER value (RFC 4514 §2.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct DistinguishedName {
    /// C.
    pub country: Vec<String>,
    /// O.
    pub organization: Vec<String>,
    /// OU.
    pub organizational_unit: Vec<String>,
    /// dnQualifier.
    pub distinguished_name_qualifier: Vec<String>,
    /// ST.
    pub state_or_province_name: Vec<String>,
    /// CN.
    pub common_name: Vec<String>,
    /// serialNumber.
    pub serial_number: Vec<String>,
    /// L.
    pub locality: Vec<String>,
    /// title.
    pub title: Vec<String>,
    /// SN.
    pub surname: Vec<String>,
    /// GN.
    pub given_name: Vec<String>,
    /// initials.
    pub initials: Vec<String>,
    /// pseudonym.
    pub pseudonym: Vec<String>,
    /// generationQualifier.
    pub generation_qualifier: Vec<String>,
    /// Any type, by its OID in dots or its name.
    pub generic_attribute: Vec<DNAttributeTypeAndValue>,
    /// Several attributes in one relative name.
    #[xml(name = "MultiValuedRDN")]
    pub multi_valued_rdn: Vec<MultiValuedRDN>,
    /// More.
    #[xml(name = "anyAttribute")]
    pub any_attribute: Option<DistinguishedNameMore>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// More parts of a distinguished name.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct DistinguishedNameMore {
    /// DC.
    pub domain_component: Vec<String>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// One attribute of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct DNAttributeTypeAndValue {
    /// An OID in dots, or a name such as `CN`.
    #[xml(name = "Type", token)]
    pub attribute_type: String,
    /// The value.
    pub value: String,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Attributes that stand together in one relative name.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct MultiValuedRDN {
    /// The attributes.
    pub attribute: Vec<DNAttributeTypeAndValue>,
}

/// An algorithm.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct AlgorithmIdentifier {
    /// Its OID in dots.
    #[xml(name = "algorithm", token)]
    pub algorithm: String,
    /// Its parameters in DER.
    #[xml(name = "parameters")]
    pub parameters: Option<Base64>,
    /// More.
    #[xml(name = "anyParameters")]
    pub any_parameters: Option<AnyParameters>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

/// Whatever a vendor or a later edition adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct AnyParameters {
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// An extension of X.509 version 3.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TAS)]
#[non_exhaustive]
pub struct X509v3Extension {
    /// Its OID in dots.
    #[xml(name = "extnOID", token)]
    pub extn_oid: String,
    /// Whoever does not know it refuses the certificate; false if not given.
    #[xml(name = "critical")]
    pub critical: Option<bool>,
    /// Its value in DER.
    #[xml(name = "extnValue")]
    pub extn_value: Base64,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}
