//! From the words of CreatePKCS10CSR to a certification request: subject, attributes, algorithm (Security §5.2.6.3.1).

use super::NULL;
use oriel_onvif::security::*;
use oriel_soap::Fault;
use oriel_trust::{CertificationRequest, EXTENSION_REQUEST, Extension, NameValue, Oid, SignatureScheme, is_one_value};

/// Most parts of a name.
const MAX_PARTS: usize = 64;
/// Most attributes of a request.
const MAX_ATTRIBUTES: usize = 32;

/// The type that a standard gives to a value (RFC 5280 appendix A).
#[derive(Clone, Copy)]
enum Text {
    Utf8,
    Printable,
    Ia5,
}

/// A type of name: how it is called (RFC 4514 §3, and what openssl says), its OID, its text, its greatest length in characters.
struct Kind {
    names: &'static [&'static str],
    oid: &'static str,
    text: Text,
    most: usize,
}

const fn kind(names: &'static [&'static str], oid: &'static str, text: Text, most: usize) -> Kind {
    Kind { names, oid, text, most }
}

static KINDS: [Kind; 18] = [
    kind(&["C", "countryName"], "2.5.4.6", Text::Printable, 2),
    kind(&["O", "organizationName"], "2.5.4.10", Text::Utf8, 64),
    kind(&["OU", "organizationalUnitName"], "2.5.4.11", Text::Utf8, 64),
    kind(&["dnQualifier"], "2.5.4.46", Text::Printable, 64),
    kind(&["ST", "S", "stateOrProvinceName"], "2.5.4.8", Text::Utf8, 128),
    kind(&["CN", "commonName"], "2.5.4.3", Text::Utf8, 64),
    kind(&["serialNumber"], "2.5.4.5", Text::Printable, 64),
    kind(&["L", "localityName"], "2.5.4.7", Text::Utf8, 128),
    kind(&["title"], "2.5.4.12", Text::Utf8, 64),
    kind(&["SN", "surname"], "2.5.4.4", Text::Utf8, 256),
    kind(&["GN", "givenName"], "2.5.4.42", Text::Utf8, 256),
    kind(&["initials"], "2.5.4.43", Text::Utf8, 256),
    kind(&["pseudonym"], "2.5.4.65", Text::Utf8, 128),
    kind(&["generationQualifier"], "2.5.4.44", Text::Utf8, 256),
    kind(&["DC", "domainComponent"], "0.9.2342.19200300.100.1.25", Text::Ia5, 63),
    kind(&["STREET", "street", "streetAddress"], "2.5.4.9", Text::Utf8, 128),
    kind(&["UID", "userId"], "0.9.2342.19200300.100.1.1", Text::Utf8, 256),
    kind(&["emailAddress", "E"], "1.2.840.113549.1.9.1", Text::Ia5, 255),
];

/// Longest value of a type that is in no list.
const MAX_OTHER: usize = 256;

fn invalid_subject(text: String) -> Fault {
    Fault::invalid_arg_val(text).subcode("InvalidSubject")
}

/// The relative names of a distinguished name, in the schema's order.
pub(super) fn subject(name: &DistinguishedName) -> Result<Vec<Vec<(Oid, NameValue)>>, Fault> {
    let named: [(&str, &[String]); 14] = [
        ("C", &name.country),
        ("O", &name.organization),
        ("OU", &name.organizational_unit),
        ("dnQualifier", &name.distinguished_name_qualifier),
        ("ST", &name.state_or_province_name),
        ("CN", &name.common_name),
        ("serialNumber", &name.serial_number),
        ("L", &name.locality),
        ("title", &name.title),
        ("SN", &name.surname),
        ("GN", &name.given_name),
        ("initials", &name.initials),
        ("pseudonym", &name.pseudonym),
        ("generationQualifier", &name.generation_qualifier),
    ];
    let mut parts = Vec::new();
    for (kind, values) in named {
        for text in values {
            parts.push(vec![part(kind, text)?]);
        }
    }
    for generic in &name.generic_attribute {
        parts.push(vec![part(&generic.attribute_type, &generic.value)?]);
    }
    for several in &name.multi_valued_rdn {
        let together = several.attribute.iter().map(|one| part(&one.attribute_type, &one.value));
        parts.push(together.collect::<Result<Vec<_>, Fault>>()?);
    }
    if let Some(more) = &name.any_attribute {
        if let Some(unknown) = more.any.first() {
            return Err(invalid_subject(format!("{} is no known part of a name", unknown.name())));
        }
        for text in &more.domain_component {
            parts.push(vec![part("DC", text)?]);
        }
    }
    let number = parts.iter().map(Vec::len).sum::<usize>();
    if number == 0 || parts.iter().any(Vec::is_empty) || number > MAX_PARTS {
        return Err(invalid_subject(format!("give 1 to {MAX_PARTS} parts of a name, and no empty MultiValuedRDN")));
    }
    Ok(parts)
}

fn part(kind: &str, text: &str) -> Result<(Oid, NameValue), Fault> {
    let known =
        KINDS.iter().find(|known| known.oid == kind || known.names.iter().any(|name| name.eq_ignore_ascii_case(kind)));
    let oid = known.map_or(kind, |known| known.oid);
    let oid = Oid::parse(oid).ok_or_else(|| invalid_subject(format!("{kind:?} is no type of a name")))?;
    let value = match text.strip_prefix('#') {
        // RFC 4514 §2.4: a number sign, then the value in DER.
        Some(digits) => NameValue::Der(from_hex(digits).unwrap_or_default()),
        None => {
            let most = known.map_or(MAX_OTHER, |known| known.most);
            let is_country = known.is_some_and(|known| known.oid == "2.5.4.6");
            if text.chars().count() > most || (is_country && text.len() != 2) {
                let text = format!("a value of {kind} is longer than {most} characters, or no country of two letters");
                return Err(invalid_subject(text));
            }
            match known.map_or(Text::Utf8, |known| known.text) {
                Text::Utf8 => NameValue::Utf8(text.to_owned()),
                Text::Printable => NameValue::Printable(text.to_owned()),
                Text::Ia5 => NameValue::Ia5(text.to_owned()),
            }
        }
    };
    if value.is_valid() {
        Ok((oid, value))
    } else {
        Err(invalid_subject(format!("a value of {kind} is empty, or has what its type cannot hold")))
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = digits.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn invalid_attribute(text: impl Into<String>) -> Fault {
    Fault::invalid_arg_val(text.into()).subcode("InvalidAttribute")
}

/// The request with its attributes, each type once.
pub(super) fn with_attributes(
    subject: Vec<Vec<(Oid, NameValue)>>,
    given: Vec<CSRAttribute>,
) -> Result<CertificationRequest, Fault> {
    if given.len() > MAX_ATTRIBUTES {
        return Err(invalid_attribute(format!("give {MAX_ATTRIBUTES} attributes at most")));
    }
    let mut request = CertificationRequest { subject, ..CertificationRequest::default() };
    let oid = |dotted: &str| {
        Oid::parse(dotted).ok_or_else(|| invalid_attribute(format!("{dotted:?} is no object identifier")))
    };
    let one_value = |oid: &str, der: &[u8]| {
        if is_one_value(der) {
            Ok(der.to_vec())
        } else {
            Err(invalid_attribute(format!("the value of {oid} is not one value in DER")))
        }
    };
    for attribute in given {
        match (attribute.x509v3_extension, attribute.basic_request_attribute, attribute.any_attribute) {
            (Some(extension), None, None) => {
                let value = one_value(&extension.extn_oid, &extension.extn_value)?;
                let (oid, critical) = (oid(&extension.extn_oid)?, extension.critical.unwrap_or(false));
                request.extensions.push(Extension { oid, critical, value });
            }
            (None, Some(basic), None) => {
                request.attributes.push((oid(&basic.oid)?, one_value(&basic.oid, &basic.value)?));
            }
            _ => return Err(invalid_attribute("an attribute is an X509v3Extension or a BasicRequestAttribute")),
        }
    }
    let extension_request = oid(EXTENSION_REQUEST)?;
    let extensions = request.extensions.iter().map(|extension| &extension.oid);
    let attributes = request.attributes.iter().map(|(oid, _)| oid);
    let own = (!request.extensions.is_empty()).then_some(&extension_request);
    if has_repeats(extensions) || has_repeats(attributes.chain(own)) {
        return Err(invalid_attribute("an attribute or an extension is there twice"));
    }
    Ok(request)
}

fn has_repeats<'a>(all: impl Iterator<Item = &'a Oid>) -> bool {
    let all: Vec<&Oid> = all.collect();
    all.iter().enumerate().any(|(index, one)| all[..index].contains(one))
}

/// The algorithm to sign with.
pub(super) fn scheme(wanted: &AlgorithmIdentifier) -> Result<SignatureScheme, Fault> {
    let unsupported = |text: String| Fault::invalid_arg_val(text).subcode("UnsupportedSignatureAlgorithm");
    let scheme = SignatureScheme::ALL.into_iter().find(|scheme| scheme.oid() == wanted.algorithm);
    let scheme = scheme.ok_or_else(|| unsupported(format!("{:?} is not supported", wanted.algorithm)))?;
    let plain = wanted.parameters.as_ref().is_none_or(|der| der.is_empty() || **der == NULL);
    let more = wanted.any_parameters.as_ref().is_some_and(|more| !more.any.is_empty());
    if plain && !more { Ok(scheme) } else { Err(unsupported(format!("{} takes no parameters", wanted.algorithm))) }
}
