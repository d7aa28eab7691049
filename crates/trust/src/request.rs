//! Certification requests: PKCS#10 with any subject and attributes (RFC 2986).
//!
//! rcgen writes requests too, but keeps one value for each type of name and knows attributes at compile time only.

use x509_parser::asn1_rs::Any;
use x509_parser::prelude::{FromDer, X509CertificationRequest};
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, DERWriterSeq, Tag};

use crate::{KeyPair, SignatureScheme, TrustError};

/// An object identifier, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oid(Vec<u64>);

impl Oid {
    /// Reads `2.5.4.3`.
    #[must_use]
    pub fn parse(dotted: &str) -> Option<Self> {
        let arc = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let arcs: Vec<u64> = dotted.split('.').map(arc).collect::<Option<_>>()?;
        // X.660 §7.2; the second arc is added to 80, and nobody's object has 32 arcs.
        let fits =
            matches!(arcs[..], [first, second, ..] if first <= 2 && (first == 2 || second < 40) && second < 1 << 32);
        (fits && arcs.len() <= 32).then_some(Self(arcs))
    }
}

/// A value of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameValue {
    /// UTF8String.
    Utf8(String),
    /// PrintableString.
    Printable(String),
    /// IA5String.
    Ia5(String),
    /// Any value, in DER.
    Der(Vec<u8>),
}

impl NameValue {
    /// Whether the text has only what its type can hold, or the DER is one value.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
        match self {
            Self::Utf8(text) => !text.is_empty(),
            Self::Printable(text) => !text.is_empty() && text.bytes().all(printable),
            Self::Ia5(text) => !text.is_empty() && text.is_ascii(),
            Self::Der(der) => is_one_value(der),
        }
    }

    fn write(&self, writer: DERWriter<'_>) {
        match self {
            Self::Utf8(text) => writer.write_utf8_string(text),
            // The writer's own check knows no question mark.
            Self::Printable(text) => {
                writer.write_tagged_implicit(yasna::tags::TAG_PRINTABLESTRING, |writer| {
                    writer.write_bytes(text.as_bytes());
                });
            }
            Self::Ia5(text) => writer.write_ia5_string(text),
            Self::Der(der) => writer.write_der(der),
        }
    }
}

/// Whether these bytes are one value in DER and nothing more.
#[must_use]
pub fn is_one_value(der: &[u8]) -> bool {
    matches!(Any::from_der(der), Ok((rest, _)) if rest.is_empty())
}

/// An attribute that is asked for: an extension of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Which.
    pub oid: Oid,
    /// Whoever does not know it refuses the certificate.
    pub critical: bool,
    /// Its value in DER.
    pub value: Vec<u8>,
}

/// What a certification request is to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificationRequest {
    /// The relative names in their order, each a set of types and values.
    pub subject: Vec<Vec<(Oid, NameValue)>>,
    /// Extensions of the certificate.
    pub extensions: Vec<Extension>,
    /// Other attributes, each with its one value in DER.
    pub attributes: Vec<(Oid, Vec<u8>)>,
}

/// extensionRequest (RFC 2985 §5.4.2).
pub const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";

impl CertificationRequest {
    /// The request in DER, signed by the key it is about.
    ///
    /// # Errors
    /// [`TrustError::Request`] when a part of it is not valid, [`TrustError::Key`] when the key cannot sign so.
    pub fn sign(&self, key: &KeyPair, scheme: SignatureScheme) -> Result<Vec<u8>, TrustError> {
        let invalid = |what: &str| Err(TrustError::Request(what.to_owned()));
        if self.subject.iter().flatten().any(|(_, value)| !value.is_valid()) {
            return invalid("a value of the subject is not valid");
        }
        if self
            .extensions
            .iter()
            .map(|one| &one.value)
            .chain(self.attributes.iter().map(|(_, value)| value))
            .any(|der| !is_one_value(der))
        {
            return invalid("an attribute is not one value in DER");
        }
        let information = yasna::construct_der(|writer| writer.write_sequence(|parts| self.write(parts, key)));
        let signature = key.sign(scheme, &information)?;
        let request = yasna::construct_der(|writer| {
            writer.write_sequence(|parts| {
                parts.next().write_der(&information);
                parts.next().write_sequence(|algorithm| {
                    write_oid(algorithm.next(), &known(scheme.oid()));
                    if scheme.has_null() {
                        algorithm.next().write_null();
                    }
                });
                parts.next().write_bitvec_bytes(&signature, signature.len() * 8);
            });
        });
        // What came in as DER was looked at from outside only.
        match X509CertificationRequest::from_der(&request) {
            Ok(([], _)) => Ok(request),
            _ => invalid("the parts do not make a request"),
        }
    }

    fn write(&self, parts: &mut DERWriterSeq<'_>, key: &KeyPair) {
        parts.next().write_u8(0);
        parts.next().write_sequence(|names| {
            for relative in &self.subject {
                names.next().write_set_of(|set| {
                    for (oid, value) in relative {
                        set.next().write_sequence(|pair| {
                            write_oid(pair.next(), oid);
                            value.write(pair.next());
                        });
                    }
                });
            }
        });
        parts.next().write_der(key.public_key());
        parts.next().write_tagged_implicit(Tag::context(0), |writer| {
            writer.write_set_of(|set| {
                if !self.extensions.is_empty() {
                    let value = self.extension_request();
                    set.next().write_sequence(|pair| write_attribute(pair, &known(EXTENSION_REQUEST), &value));
                }
                for (oid, value) in &self.attributes {
                    set.next().write_sequence(|pair| write_attribute(pair, oid, value));
                }
            });
        });
    }

    fn extension_request(&self) -> Vec<u8> {
        yasna::construct_der(|writer| {
            writer.write_sequence(|all| {
                for extension in &self.extensions {
                    all.next().write_sequence(|parts| {
                        write_oid(parts.next(), &extension.oid);
                        if extension.critical {
                            parts.next().write_bool(true);
                        }
                        parts.next().write_bytes(&extension.value);
                    });
                }
            });
        })
    }
}

fn write_attribute(pair: &mut DERWriterSeq<'_>, oid: &Oid, value: &[u8]) {
    write_oid(pair.next(), oid);
    pair.next().write_set_of(|values| values.next().write_der(value));
}

fn write_oid(writer: DERWriter<'_>, oid: &Oid) {
    writer.write_oid(&ObjectIdentifier::from_slice(&oid.0));
}

fn known(dotted: &str) -> Oid {
    Oid::parse(dotted).expect("the constants of this crate are object identifiers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyAlgorithm;

    fn oid(dotted: &str) -> Oid {
        Oid::parse(dotted).unwrap()
    }

    #[test]
    fn object_identifiers_are_checked() {
        for good in ["2.5.4.3", "0.9.2342.19200300.100.1.25", "1.2.840.113549.1.9.14", "2.999"] {
            assert!(Oid::parse(good).is_some(), "{good}");
        }
        let long = ["1"; 33].join(".");
        for bad in [
            "",
            "2",
            "3.1",
            "1.40",
            "1..2",
            "1.2.",
            "a.b",
            "1.-2",
            "1.+2",
            "1.2.99999999999999999999999",
            "2.18446744073709551615",
            &long,
        ] {
            assert_eq!(Oid::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_request_says_what_it_was_given() {
        let key = KeyPair::generate(KeyAlgorithm::P256).unwrap();
        let request = CertificationRequest {
            subject: vec![
                vec![(oid("2.5.4.6"), NameValue::Printable("DE".to_owned()))],
                vec![
                    (oid("2.5.4.3"), NameValue::Utf8("Kamera 1 – Tür".to_owned())),
                    (oid("2.5.4.5"), NameValue::Printable("OD 1?".to_owned())),
                ],
                vec![(oid("0.9.2342.19200300.100.1.25"), NameValue::Ia5("example".to_owned()))],
                vec![(oid("2.5.4.11"), NameValue::Der(vec![0x0c, 2, b'a', b'b']))],
            ],
            extensions: vec![Extension { oid: oid("2.5.29.37"), critical: true, value: vec![0x30, 0] }],
            attributes: vec![(oid("1.2.840.113549.1.9.7"), vec![0x0c, 1, b'x'])],
        };
        let der = request.sign(&key, SignatureScheme::EcdsaSha256).unwrap();
        let (_, parsed) = X509CertificationRequest::from_der(&der).unwrap();
        let info = &parsed.certification_request_info;
        let subject = info.subject.to_string();
        assert!(
            subject.contains("C=DE") && subject.contains("Kamera 1 – Tür") && subject.contains("DC=example"),
            "{subject}"
        );
        assert_eq!(info.subject_pki.raw, key.public_key());
        assert_eq!(info.attributes().len(), 2);
        // rcgen's reader checks the signature; it knows one value in each relative name, and no extension but the usual ones.
        let subject = request.subject.into_iter().flatten().map(|one| vec![one]).collect();
        let known = CertificationRequest { subject, ..CertificationRequest::default() };
        let der = known.sign(&key, SignatureScheme::EcdsaSha256).unwrap();
        rcgen::CertificateSigningRequestParams::from_der(&der.as_slice().into()).unwrap();
    }

    #[test]
    fn nothing_that_is_not_der_gets_in() {
        let key = KeyPair::generate(KeyAlgorithm::P256).unwrap();
        let with = |value: NameValue| CertificationRequest {
            subject: vec![vec![(oid("2.5.4.3"), value)]],
            ..Default::default()
        };
        for value in [
            NameValue::Utf8(String::new()),
            NameValue::Printable("a@b".to_owned()),
            NameValue::Ia5("ä".to_owned()),
            NameValue::Der(vec![0x0c, 5, b'a']),
            NameValue::Der(vec![0x0c, 1, b'a', 0x0c, 1, b'b']),
        ] {
            let refused = with(value.clone()).sign(&key, SignatureScheme::EcdsaSha256);
            assert!(matches!(refused, Err(TrustError::Request(_))), "{value:?}");
        }
        let refused = with(NameValue::Utf8("a".to_owned())).sign(&key, SignatureScheme::RsaSha256);
        assert!(matches!(refused, Err(TrustError::Key(_))));
    }
}
